# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""elasticsearch_objects and what the role elk declares, against the lab's Elasticsearch.

Real are the server, its security, Lucene's Korean analyser, templates and data streams. A stand-in takes requests
about policies and data streams and carries policies out; see roles/distro_images/files/elasticsearch/standin.
"""

from __future__ import annotations

import copy
import json
import secrets
import subprocess
import threading
import time
import typing as t

import pytest
import templates
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.module_utils._elasticsearch import Elasticsearch, NoAnswer, Refused
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._step_elasticsearch_objects import ARGUMENT_SPEC, converge
from conftest import ROOT, docker

IMAGE = "mooring.local/elasticsearch:9.5.2"
ADMIN = ("elastic", "password-of-the-lab")
SECONDS = 240.0
ROLE = ROOT / "roles/elk"
POLICY = {"phases": {"hot": {"actions": {"rollover": {"max_age": "7d", "max_primary_shard_size": "5gb"}}},
                     "delete": {"min_age": "30d", "actions": {"delete": {}}}}}


class Module:
    """As much of an AnsibleModule as the step uses."""

    def __init__(self, check_mode: bool = False) -> None:
        self.check_mode = check_mode

    @staticmethod
    def run_command(argv: list[str], **_others: t.Any) -> tuple[int, str, str]:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


def until(what: t.Callable[[], t.Any], seconds: float = SECONDS) -> t.Any:
    """The first answer that is not false; fails after that time."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except (NoAnswer, Refused):
            found = None
        if found or time.monotonic() > end:
            assert found
            return found
        time.sleep(0.3)


class Lab:
    """The server, and the step on it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def server(self, user: str = ADMIN[0], password: str = ADMIN[1]) -> Elasticsearch:
        address = docker("inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", self.name)
        if not address:
            raise NoAnswer("It does not run.")
        return Elasticsearch(address, user, password)

    def ask(self, method: str, path: str, body: t.Any = None, login: tuple[str, str] = ADMIN) -> t.Any:
        with self.server(*login) as server:
            return server.ask(method, path, body)

    def run(self, check: bool = False, planned: dict[str, str] | None = None, **given: t.Any) -> dict[str, t.Any]:
        params: dict[str, t.Any] = {
            "container": self.name, "network": "bridge", "service": "elasticsearch", "login_user": ADMIN[0],
            "login_password": ADMIN[1]}
        for option, declared in ARGUMENT_SPEC.items():
            if declared["type"] != "list":
                continue
            defaults = {key: value.get("default") for key, value in declared["options"].items()}
            params[option] = [{**copy.deepcopy(defaults), **one} for one in given.get(option, ())]
        params.update({key: value for key, value in given.items() if key.startswith("login_")})
        return converge(Module(check), params, planned)

    def search(self, index: str, field: str, text: str) -> list[dict[str, t.Any]]:
        self.ask("POST", f"/{index}/_refresh")
        answer = self.ask("POST", f"/{index}/_search", {"query": {"match": {field: text}}})
        return [one["_source"] for one in answer["hits"]["hits"]]


def seen(result: dict[str, t.Any]) -> list[str]:
    return [f"{one['object']}: {one['field']}" for one in result["differences"]]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One server for all cases, because each takes a core for a quarter of a minute to start."""
    directory = tmp_path_factory.mktemp("elasticsearch")
    (directory / "password").write_text(ADMIN[1])
    (directory / "password").chmod(0o400)
    # The official image's user; Elasticsearch refuses a file that others may read.
    subprocess.run(["chown", "1000", directory / "password"], check=True)
    directory.chmod(0o755)
    name = f"mooringtest-elasticsearch-{secrets.token_hex(2)}"
    docker("run", "--detach", "--label", "mooring.test=1", "--name", name, "--memory", "1g",
           "--volume", f"{directory}:/run/secrets:ro",
           "--volume", "/usr/share/elasticsearch/data",
           "--env", "ES_JAVA_OPTS=-Xms512m -Xmx512m", "--env", "ELASTIC_PASSWORD_FILE=/run/secrets/password",
           "--env", "network.host=0.0.0.0", "--env", "discovery.type=single-node",
           "--env", "indices.lifecycle.poll_interval=1s", "--env", "path.repo=/usr/share/elasticsearch/data/snapshots",
           IMAGE)
    one = Lab(name)
    try:
        until(lambda: one.ask("GET", "/_cluster/health?wait_for_status=yellow"))
        yield one
    finally:
        docker("rm", "--force", "--volumes", name)


def template(name: str, *patterns: str, **template: t.Any) -> dict[str, t.Any]:
    return {"name": name, "body": {"index_patterns": list(patterns), "priority": 300, "data_stream": {},
                                   "template": template}}


def test_everything_is_made_once(lab):
    declared = {
        "repositories": [{"name": "backups", "body": {"type": "fs", "settings": {
            "location": "/usr/share/elasticsearch/data/snapshots", "compress": True}}}],
        "policies": [{"name": "short", "body": POLICY}],
        "component_templates": [{"name": "parts", "body": {"template": {
            "settings": {"number_of_replicas": 0, "index": {"codec": "best_compression"},
                         "analysis": {"analyzer": {"korean": {"type": "nori", "stoptags": ["EF", "JKS"]}}}},
            "mappings": {"dynamic": False, "properties": {"message": {"type": "text", "analyzer": "korean"},
                                                          "event.duration": {"type": "long", "index": False}}}}}}],
        "index_templates": [{"name": "things", "body": {
            "index_patterns": "things-*", "composed_of": ["parts"], "priority": 300, "version": 2,
            "data_stream": {}, "_meta": {"why": "a test"},
            "template": {"settings": {"index.lifecycle.name": "short"}}}}],
        "data_streams": [{"name": "things-default"}],
        "roles": [{"name": "writer", "body": {"cluster": ["monitor", "all"], "indices": [
            {"names": "things-*", "privileges": ["create_doc", "auto_configure"]}]}}],
        "users": [{"name": "app", "password": "app-password", "roles": ["writer"], "full_name": "Application"},
                  {"name": "kibana_system", "password": "kibana-password"}],
    }
    planned = lab.run(check=True, **declared)
    assert lab.run(check=True, planned={"elasticsearch": "create"}, **declared)["changed"]
    result = lab.run(**declared)
    assert result["differences"] == planned["differences"]
    assert len(result["differences"]) == 8, seen(result)
    assert not lab.run(**declared)["changed"]
    assert lab.ask("GET", "/_data_stream/things-default")["data_streams"][0]["ilm_policy"] == "short"
    assert lab.ask("GET", "/_security/_authenticate", login=("app", "app-password"))["roles"] == ["writer"]

    # What somebody changed is named field by field, healed, and nothing else is touched.
    lab.ask("PUT", "/_ilm/policy/short", {"policy": {"phases": {**POLICY["phases"], "delete": {
        "min_age": "720h", "actions": {"delete": {}}}}}})
    assert not lab.run(check=True, **declared)["changed"], "720h is 30d"
    lab.ask("PUT", "/_ilm/policy/short", {"policy": {"phases": {**POLICY["phases"], "delete": {
        "min_age": "3d", "actions": {"delete": {}}}}}})
    lab.ask("PUT", "/_component_template/parts", {"template": {"settings": {"number_of_replicas": 1}}})
    lab.ask("PUT", "/_security/role/writer", {"cluster": ["monitor"]})
    lab.ask("PUT", "/_security/user/app/_password", {"password": "changed-by-hand"})
    drift = lab.run(check=True, **declared)
    assert "lifecycle policy short: phases.delete.min_age" in seen(drift)
    assert "component template parts: template.settings.index.number_of_replicas" in seen(drift)
    assert "component template parts: template.mappings.properties.message.analyzer" in seen(drift)
    assert "user app: password" in seen(drift)
    assert "role writer: indices" in seen(drift)
    healed = lab.run(**declared)
    assert healed["differences"] == drift["differences"]
    # Its streams go on in a new index, made from the healed template, once something is written.
    assert healed["rolled_over"] == ["things-default"]
    assert not lab.run(**declared)["changed"]
    lab.ask("POST", "/things-default/_doc", {"@timestamp": "2026-11-26T00:00:00Z", "message": "x"},
            login=("app", "app-password"))
    assert lab.ask("GET", "/_data_stream/things-default")["data_streams"][0]["generation"] == 2

    # Nobody's are named and left; what is to be absent goes, users of an object before the object.
    lab.ask("PUT", "/_security/user/trial", {"password": "trial-password", "roles": []})
    lab.ask("PUT", "/_ilm/policy/trial", {"policy": POLICY})
    assert lab.run(**declared)["unknown"] == ["lifecycle policy trial", "user trial"]
    kept = {"kibana_system", "backups"}
    gone = {option: [one if one["name"] in kept else {"name": one["name"], "state": "absent"} for one in entries]
            for option, entries in declared.items()}
    gone["users"].append({"name": "trial", "state": "absent"})
    gone["policies"].append({"name": "trial", "state": "absent"})
    assert len(lab.run(**gone)["differences"]) == 8
    assert not lab.run(**gone)["changed"]


def test_refusals_name_the_object_and_do_the_rest(lab):
    with pytest.raises(MooringError) as failed:
        lab.run(policies=[{"name": "bad", "body": {"phases": {"hot": {"actions": {"rollovr": {}}}}}},
                          {"name": "good", "body": POLICY}],
                component_templates=[{"name": "bad", "body": {"template": {"settings": {"index.nosuch": 1}}}}])
    assert "refuses the lifecycle policy bad: [1:" in str(failed.value)
    assert "rollovr" in str(failed.value)
    assert "refuses the component template bad: unknown setting [index.nosuch]" in str(failed.value)
    assert failed.value.details["differences"]
    assert "good" in lab.ask("GET", "/_ilm/policy")
    with pytest.raises(MooringError, match="user kibana_system is part of Elasticsearch"):
        lab.run(users=[{"name": "kibana_system", "password": "kibana-password", "roles": ["superuser"]}])
    with pytest.raises(MooringError, match="role superuser is part of Elasticsearch and cannot be absent"):
        lab.run(roles=[{"name": "superuser", "state": "absent"}])
    # In use: the server's word, with the name.
    lab.run(policies=[{"name": "used", "body": POLICY}],
            index_templates=[template("used", "used-*", settings={"index.lifecycle.name": "used"})],
            data_streams=[{"name": "used-a"}])
    with pytest.raises(MooringError, match="refuses to remove the lifecycle policy used: .*in use"):
        lab.run(policies=[{"name": "used", "state": "absent"}])
    lab.run(policies=[{"name": "used", "state": "absent"}, {"name": "good", "state": "absent"}],
            index_templates=[{"name": "used", "state": "absent"}], data_streams=[{"name": "used-a", "state": "absent"}])


def test_a_wrong_login_is_a_refusal_and_in_check_mode_before_a_change_a_notice(lab, monkeypatch):
    monkeypatch.setattr("ansible_collections.mooring.stack.plugins.module_utils._step_elasticsearch_objects"
                        ".LOGIN_SECONDS", 0.1)
    with pytest.raises(MooringError, match="refuses the declared password of elastic") as failed:
        lab.run(login_password="another-password", policies=[{"name": "x", "body": POLICY}])
    assert "another-password" not in str(failed.value)
    with pytest.raises(MooringError):
        lab.run(check=True, login_password="another-password", policies=[{"name": "x", "body": POLICY}])
    result = lab.run(check=True, planned={"elasticsearch": "reload"}, login_password="another-password",
                     policies=[{"name": "x", "body": POLICY}])
    assert "not compared" in result["notices"][0]


def test_documents_age_out(lab):  # defect 75
    quick = {"phases": {"hot": {"actions": {"rollover": {"max_age": "2s"}}},
                        "delete": {"min_age": "3s", "actions": {"delete": {}}}}}
    lab.run(policies=[{"name": "quick", "body": quick}],
            index_templates=[template("quick", "quick-*", settings={"index.lifecycle.name": "quick"})])
    lab.ask("POST", "/quick-a/_doc?refresh=true", {"@timestamp": "2026-11-26T00:00:00Z"})
    assert lab.ask("GET", "/quick-a/_count")["count"] == 1
    first = lab.ask("GET", "/_data_stream/quick-a")["data_streams"][0]["indices"][0]["index_name"]
    until(lambda: lab.ask("GET", "/_data_stream/quick-a")["data_streams"][0]["generation"] == 2, 30)
    until(lambda: first not in json.dumps(lab.ask("GET", "/_data_stream/quick-a")), 30)
    assert lab.ask("GET", "/quick-a/_count")["count"] == 0
    lab.run(policies=[{"name": "quick", "state": "absent"}], data_streams=[{"name": "quick-a", "state": "absent"}],
            index_templates=[{"name": "quick", "state": "absent"}])


def of_the_role() -> dict[str, list[dict[str, t.Any]]]:
    """What the role declares without being told anything but passwords."""
    variables = {"elk_admin_password": ADMIN[1], "elk_writer_password": "writer-password", "mooring_prefix": "mooring"}
    for part in ("defaults", "vars"):
        variables.update(templates.load(ROLE / part / "main.yml"))
    variables["elk_kibana_password"] = "kibana-password"
    templar = Templar(loader=DataLoader(), variables=variables)
    options = ("policies", "component_templates", "index_templates", "data_streams", "roles", "users")
    return {option: templar.template(templates.trust_as_template(f"{{{{ __elk_{option} }}}}")) for option in options}


def test_what_the_role_declares(lab):
    declared = of_the_role()
    assert lab.run(**declared)["changed"]
    assert not lab.run(**declared)["changed"]
    writer = ("mooring_writer", "writer-password")
    for text in ("주문 처리에 실패했습니다", "서버를 다시 시작했다", "배송이 늦어지고 있다"):
        lab.ask("POST", "/logs-spring.log-default/_doc", {"@timestamp": "2026-11-26T00:00:00Z", "message": text},
                login=writer)
    for inflected, found in (("처리하고", "처리"), ("실패한", "실패"), ("시작합니다", "시작"), ("서버가", "서버"),
                             ("늦은", "늦어"), ("배송을", "배송")):
        assert [found in one["message"] for one in lab.search("logs-spring.log-default", "message", inflected)] == [
            True], inflected
    # Endings and particles are no words: not everything that ends alike is found.
    assert lab.search("logs-spring.log-default", "message", "를 이 에") == []
    for method, path in (("POST", "/logs-other-default/_doc"), ("GET", "/logs-spring.log-default/_search"),
                         ("DELETE", "/_data_stream/logs-spring.log-default"), ("GET", "/_security/user")):
        with pytest.raises(Refused) as refused:
            lab.ask(method, path, {"@timestamp": "2026-11-26T00:00:00Z"} if method == "POST" else None, login=writer)
        assert refused.value.status == 403, path


def test_what_was_acknowledged_survives_a_kill_while_it_is_written(lab):
    lab.run(index_templates=[template("kept", "kept-*")])
    acknowledged: list[str] = []

    def write() -> None:
        with lab.server() as server:
            while len(acknowledged) < 10_000:
                try:
                    answer = server.ask("POST", "/kept-a/_doc", {"@timestamp": "2026-11-26T00:00:00Z"})
                except (NoAnswer, Refused):
                    return
                acknowledged.append(answer["_id"])

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: len(acknowledged) >= 200)
    docker("kill", "--signal", "KILL", lab.name)
    writer.join(timeout=60)
    docker("start", lab.name)
    until(lambda: lab.ask("GET", "/_cluster/health?wait_for_status=yellow"))
    lab.ask("POST", "/kept-a/_refresh")
    answer = lab.ask("POST", "/kept-a/_search", {"query": {"ids": {"values": acknowledged}}, "size": 0,
                                                 "track_total_hits": True})
    assert answer["hits"]["total"]["value"] == len(acknowledged)
    lab.run(data_streams=[{"name": "kept-a", "state": "absent"}], index_templates=[{"name": "kept", "state": "absent"}])
