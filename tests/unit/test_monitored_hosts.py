# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role monitoring puts on a host alone, on the server of several hosts, and on one with agents only."""

from __future__ import annotations

import pathlib
import re
import sys

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.module_utils._names import dns_label

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import templates  # noqa: E402

ROLE = ROOT / "roles/monitoring"
AGENTS = {"Data_1.example": ["data_stores", "kafka"], "app-1": ["nginx_certbot", "app_blue_green", "data"]}
ALONE = {"inventory_hostname": "One.example",
         "monitoring_components": ["data_stores", "kafka", "nginx_certbot", "app_blue_green", "mattermost_notifier"]}
SERVER = {"inventory_hostname": "obs-1", "monitoring_components": ["monitoring"], "monitoring_agents": AGENTS}
AGENT = {"inventory_hostname": "Data_1.example", "monitoring_components": AGENTS["Data_1.example"],
         "monitoring_server": False, "monitoring_kafka_password": "secret"}

SERVER_ONLY = {"prometheus", "alertmanager", "blackbox", "loki", "grafana"}
EVERYWHERE = {"node", "node-network", "engine", "alloy"}
STORES = {"mysql-exporter", "redis-exporter", "kafka-exporter"}


def variables(**changes):
    """The role's defaults and vars, and of others what it needs."""
    known = {"ansible_managed": "", "mooring_domain": "platform.example.com"}
    for path in (ROOT / "roles/platform/defaults/main.yml", ROLE / "defaults/main.yml", ROLE / "vars/main.yml"):
        known.update(templates.load(path))
    return {**known, **changes}


def value(name, **changes):
    """What a variable of the role is."""
    templar = Templar(loader=DataLoader(), variables=variables(**changes))
    return templar.template(templates.trust_as_template(f"{{{{ {name} }}}}"))


def render(path, **changes):
    """A file of the project, from YAML."""
    text = (ROLE / "templates/project" / f"{path}.j2").read_text()
    templar = Templar(loader=DataLoader(), variables=variables(**changes))
    return yaml.safe_load(templar.template(templates.trust_as_template(text)))


def services(**changes):
    return render("compose.yml", **changes)["services"]


def jobs(**changes):
    """Each job's targets and their hosts, or where its applications are asked for."""
    found = {}
    for job in render("prometheus/prometheus.yml", **changes)["scrape_configs"]:
        found[job["job_name"]] = [
            (one["targets"][0], one["labels"]["host"]) for one in job.get("static_configs", ())
        ] or [one["host"] for one in job["docker_sd_configs"]]
    return found


@pytest.mark.parametrize("name, label", [
    ("data-1", "data-1"), ("Data_1.example.com", "data-1-example-com"), ("_x_", "x"), ("192.0.2.10", "192-0-2-10"),
    ("\ub370\uc774\ud130", ""),
])
def test_a_name_that_the_dns_of_a_network_knows(name, label):
    assert dns_label(name) == label


def test_a_host_alone_has_everything_under_the_names_that_it_always_had():
    assert set(services(**ALONE)) == SERVER_ONLY | EVERYWHERE | STORES
    assert set(render("compose.yml", **ALONE)["volumes"]) == {
        "prometheus-data", "alertmanager-data", "loki-data", "grafana-data"}
    found = jobs(**ALONE)
    assert found.pop("application") == ["http://engine:2375"]
    assert {host for targets in found.values() for _target, host in targets} == {"One.example"}
    assert {target.partition(":")[0] for targets in found.values() for target, _host in targets} == (
        SERVER_ONLY | EVERYWHERE | STORES | {"proxy", "notifier"})
    assert all(len(targets) == 1 for targets in found.values())


def test_the_server_asks_all_hosts():
    assert set(services(**SERVER)) == SERVER_ONLY | EVERYWHERE
    found = jobs(**SERVER)
    assert found["node"] == [("node:9100", "obs-1"), ("node-data-1-example:9100", "Data_1.example"),
                             ("node-app-1:9100", "app-1")]
    for job, port in (("node-network", 9100), ("engine", 9323), ("alloy", 12345)):
        assert [target for target, _host in found[job]] == [
            f"{job}:{port}", f"{job}-data-1-example:{port}", f"{job}-app-1:{port}"]
    assert found["mysql"] == [("mysql-exporter-data-1-example:9104", "Data_1.example")]
    assert found["redis"] == [("redis-exporter-data-1-example:9121", "Data_1.example")]
    assert found["kafka"] == [("kafka-exporter-data-1-example:9308", "Data_1.example")]
    # There is one of them in the whole network, which has no other name.
    assert found["proxy"] == [("proxy:9145", "app-1")]
    assert found["prometheus"] == [("prometheus:9090", "obs-1")]
    assert found["loki"] == [("loki:3100", "obs-1")]
    # Nobody has it.
    assert "notifier" not in found and "application" not in found


def test_applications_are_asked_for_at_the_engine_of_their_host():
    assert jobs(**SERVER)["application-app-1"] == ["http://engine-app-1:2375"]
    (job,) = (one for one in render("prometheus/prometheus.yml", **SERVER)["scrape_configs"]
              if one["job_name"] == "application-app-1")
    set_labels = {rule["target_label"]: rule["replacement"] for rule in job["relabel_configs"] if "replacement" in rule}
    assert set_labels == {"job": "application", "host": "app-1"}
    # The proof lets them be down, by their label as by their job.
    assert {"application", "application-app-1"} <= set(value("__monitoring_optional", **SERVER))


def test_agents_have_names_of_their_own_and_no_server():
    suffix = "-data-1-example"
    found = services(**AGENT)
    assert set(found) == {name + suffix for name in EVERYWHERE | STORES}
    # Docker's DNS takes 63 characters, and preflight 40 for the host.
    assert max(map(len, EVERYWHERE | STORES)) + 1 + 40 <= 63
    assert "volumes" not in render("compose.yml", **AGENT)
    assert set(value("__monitoring_secrets", **AGENT)) == {"mysql-exporter", "redis-exporter", "kafka-exporter"}
    assert set(value("__monitoring_directories", **AGENT)) == {"shipper"}
    assert {"prometheus", "alertmanager", "blackbox", "grafana", "loki"} <= set(value("__monitoring_without", **AGENT))
    for name in ("__monitoring_validators", "__monitoring_reload"):
        assert {one["service"] for one in value(name, **AGENT)} <= set(found)
        assert {one["service"] for one in value(name, **SERVER)} <= set(services(**SERVER))


@pytest.mark.parametrize("shipper, path", [("alloy", "alloy/config.alloy"), ("promtail", "promtail/promtail.yml")])
def test_log_lines_say_their_host_and_come_from_its_own_engine(shipper, path):
    changes = {**AGENT, "monitoring_log_shipper": shipper}
    assert f"{shipper}-data-1-example" in services(**changes)
    text = (ROLE / "templates/project" / f"{path}.j2").read_text()
    text = Templar(loader=DataLoader(), variables=variables(**changes)).template(templates.trust_as_template(text))
    assert set(re.findall(r"tcp://([\w-]+):2375", text)) == {"engine-data-1-example"}
    assert "http://loki:3100/" in text
    assert re.search(r'host"? *[:=] "Data_1.example"', text)


def test_without_logs_there_is_no_shipper_anywhere():
    assert "alloy-data-1-example" not in services(**AGENT, monitoring_loki_image=None)
    assert "alloy" not in jobs(**SERVER, monitoring_loki_image=None)


@pytest.mark.parametrize("host, memory, limit", [
    (ALONE, "2g", 179), (SERVER, "2g", 179), (AGENT, "512m", 256),
    ({**AGENT, "monitoring_memory": "384m"}, "384m", 128)])
def test_memory(host, memory, limit):
    assert value("monitoring_memory", **host) == memory
    (shipper,) = (one for name, one in services(**host).items() if name.startswith("alloy"))
    assert shipper["mem_limit"] == f"{limit}m"


def names_of_steps(host):
    """What the tasks of the role do on this host, a list for each that is not skipped."""
    tasks = yaml.safe_load((ROLE / "tasks/main.yml").read_text())
    templar = Templar(loader=DataLoader(), variables=variables(**host))
    done = []
    for task in tasks:
        if templar.template(templates.trust_as_template(f"{{{{ {task.get('when', 'true')} }}}}")):
            steps = templar.template(templates.trust_as_template(task["mooring.stack.component"]["steps"]))
            done.append([name for step in steps for name in step])
    return done


CONVERGE = ["engine_socket", "shared_directory", "compose_project"]


@pytest.mark.parametrize("host, expected", [
    (ALONE, [[*CONVERGE, "prometheus_targets"]]),
    # After all hosts have done the first task.
    (SERVER, [CONVERGE, ["prometheus_targets"]]),
    # Its services are proved by their health checks.
    (AGENT, [CONVERGE]),
    ({**AGENT, "monitoring_agents": AGENTS}, [CONVERGE]),
], ids=["alone", "server", "agent", "agent that knows of others"])
def test_who_proves_what_and_when(host, expected):
    assert names_of_steps(host) == expected


@pytest.mark.parametrize("host, metrics", [
    (ALONE, ["mysql_up", "redis_up"]), (SERVER, ["mysql_up", "redis_up"]),
    ({**SERVER, "monitoring_agents": {"app-1": ["nginx_certbot"]}}, [])])
def test_exporters_that_have_to_log_in(host, metrics):
    (step,) = value("__monitoring_prove_steps", **host)
    assert step["prometheus_targets"]["must_be_one"] == metrics


def test_the_example_inventory_wires_one_host_and_several():
    loader = DataLoader()
    wiring = templates.load(ROOT / "inventories/prod/group_vars/monitoring/monitoring.yml")
    groups = {"obs-1": ["docker_engine", "monitoring"], "data-1": ["data_stores", "monitoring"],
              "app-1": ["monitoring", "nginx_certbot"]}

    def wired(host, hosts):
        known = {"inventory_hostname": host, "group_names": groups[host], "groups": {"monitoring": hosts},
                 "hostvars": {name: {"group_names": groups[name]} for name in hosts}}
        templar = Templar(loader=loader, variables={**wiring, **known})
        return tuple(templar.template(templates.trust_as_template(f"{{{{ monitoring_{name} }}}}"))
                     for name in ("components", "server", "agents"))

    assert wired("obs-1", ["obs-1"]) == (groups["obs-1"], True, {})
    everybody = list(groups)
    others = {name: groups[name] for name in ("data-1", "app-1")}
    assert wired("obs-1", everybody) == (groups["obs-1"], True, others)
    assert wired("data-1", everybody) == (groups["data-1"], False, {})
