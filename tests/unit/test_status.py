# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status table."""

from __future__ import annotations

import contextlib
import json
import re
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._prometheus import Alert
from ansible_collections.mooring.stack.plugins.module_utils._status import (
    Certificate,
    Monitoring,
    Project,
    Release,
    Row,
    guide,
    health_of,
    monitoring,
    published,
    rows,
    table,
    undeclared,
    version_of,
    webhooks,
)
from ansible_collections.mooring.stack.plugins.module_utils._step_platform_status import (
    read_monitoring,
    read_projects,
    read_releases,
    read_webhooks,
)
from ansible_collections.mooring.stack.plugins.module_utils._teardown import Found, decide


def container(project, service, image="mysql:8.4.11", status="running", health="healthy", ports=None, **labels):
    return {
        "Name": f"/{project}-{service}-1",
        "State": {"Status": status, **({"Health": {"Status": health}} if health else {})},
        "Config": {"Image": image, "Labels": {
            "com.docker.compose.project": project, "com.docker.compose.service": service,
            **{f"mooring.{key}": value for key, value in labels.items()},
        }},
        "NetworkSettings": {"Ports": ports or {}},
    }


@pytest.mark.parametrize("image, version", [
    ("mysql:8.4.11", "8.4.11"),
    ("registry.our.test:5000/team/shop:1.2", "1.2"),
    ("registry.our.test:5000/team/shop", "untagged"),
    ("mysql@sha256:0123456789abcdef0123", "sha256:0123456789ab"),
    ("mysql:8.4@sha256:0123456789abcdef0123", "8.4"),
])
def test_version(image, version):
    assert version_of(image) == version


@pytest.mark.parametrize("state, word", [
    ({"Status": "running", "Health": {"Status": "healthy"}}, "healthy"),
    ({"Status": "running", "Health": {"Status": "starting"}}, "starting"),
    ({"Status": "running"}, "running"),
    ({"Status": "exited", "Health": {"Status": "unhealthy"}}, "exited"),
    ({"Status": "restarting"}, "restarting"),
])
def test_health(state, word):
    assert health_of({"State": state}) == word


@pytest.mark.parametrize("ports, address", [
    ({}, ""),
    (None, ""),
    ({"3306/tcp": None}, ""),
    ({"3306/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3306"}]}, "127.0.0.1:3306"),
    ({"80/tcp": [{"HostIp": "", "HostPort": "80"}]}, "0.0.0.0:80"),
])
def test_published(ports, address):
    assert published({"NetworkSettings": {"Ports": ports}}) == address


LOOPBACK = {"3306/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3306"}]}
PROJECTS = [
    Project("nginx_certbot", "mooring-nginx_certbot", ("proxy",)),
    Project("data_stores", "mooring-data_stores", ("mysql", "redis")),
    Project("demo-blue", "mooring-demo-blue", ("app",)),
    Project("demo-green", "mooring-demo-green", ("app",)),
]


def test_the_whole_platform():
    found = rows(
        PROJECTS,
        [
            container("mooring-data_stores", "mysql", ports=LOOPBACK),
            container("mooring-nginx_certbot", "proxy", "nginx:1.30.4"),
            container("mooring-demo-blue", "app", "shop:1.0", application="demo", colour="blue", release="1.0"),
            container("mooring-demo-green", "app", "shop:1.1", application="demo", colour="green", release="1.1"),
        ],
        [Certificate("platform", "2027-02-20", "R12", False)],
        [Release("demo", "green", "1.1")],
        "https://our.test",
        [{"path": "/api", "application": "demo"}, {"path": "/healthz", "application": "demo"}],
    )
    assert found == [
        Row("data_stores", "mooring-data_stores-mysql-1", "healthy", "8.4.11", "127.0.0.1:3306"),
        Row("data_stores", "mooring-data_stores-redis", "missing"),
        Row("demo-blue", "mooring-demo-blue-app-1", "healthy", "1.0", "", "", "blue 1.0 waits"),
        Row("demo-green", "mooring-demo-green-app-1", "healthy", "1.1", "https://our.test/api", "", "green 1.1 serves"),
        Row("nginx_certbot", "mooring-nginx_certbot-proxy-1", "healthy", "1.30.4", "https://our.test", "2027-02-20"),
    ]


def test_a_service_with_a_route_shows_it():
    projects = [Project("monitoring", "m-monitoring", ())]
    routes = [{"path": "/grafana", "upstream": "http://grafana:3000"}]
    found = rows(projects, [container("m-monitoring", "grafana")], [], [], "https://our.test", routes)
    assert found[0].url == "https://our.test/grafana"


def test_a_placeholder_certificate_is_called_one():
    found = rows(
        [PROJECTS[0]], [container("mooring-nginx_certbot", "proxy")], [Certificate("a", "2027-01-01", "", True)], [])
    assert found[0].certificate == "2027-01-01 (placeholder)"


def test_containers_of_others_are_left_out():
    assert rows([], [container("shop", "web")], [], []) == []


def test_the_table_is_aligned_and_leaves_empty_columns_out():
    assert table([Row("a", "long-name", "healthy", "1"), Row("bcd", "x", "missing")]) == [
        "COMPONENT  CONTAINER  HEALTH   VERSION",
        "a          long-name  healthy  1",
        "bcd        x          missing  -",
    ]
    assert table([]) == ["Nothing runs here yet."]


@pytest.mark.parametrize(("declared", "found", "only", "by_hand"), [
    (["nginx_certbot", "kafka", "app_blue_green", "shop-blue", "shop-green"], [], [], ""),
    (["nginx_certbot", "kafka"], ["shop-blue"], ["app_blue_green"], ""),
    (["nginx_certbot"], ["kafka", "shop-blue"], ["app_blue_green", "kafka"], ""),
    (["nginx_certbot", "app_blue_green", "crm-blue"], ["kafka", "shop-blue"], ["kafka"], "shop-blue: by hand"),
    (["nginx_certbot", "app_blue_green", "kafka"], ["shop-blue"], [], "shop-blue: by hand"),
    ([], [], [], ""),
])
def test_what_is_not_declared_any_more_is_named(declared, found, only, by_hand):
    names = ("shop-blue", "nginx_certbot", "kafka")
    projects = [*(Project(name, f"mooring-{name}", ("one",)) for name in names), Project("notes", "mooring-notes", ())]
    named, lines = undeclared(projects, declared, ["shop"], "data-1")
    assert named == found
    text = "\n".join(lines)
    assert bool(text) == bool(found)
    assert ", ".join(found) in text and by_hand in text and ("by hand" in text) is bool(by_hand)
    # Not everywhere: it may be declared for another host.
    command = re.search(r"teardown\.yml --limit data-1 -e '(.*)'", text)
    assert (json.loads(command[1])["teardown_only"] if command else []) == only
    if only:
        here = Found(directories=("app_blue_green", *names), projects=names, applications=("shop",))
        plan = decide(here, "/opt/mooring", "mooring", ["app_blue_green", "kafka", "nginx_certbot"], True, True, only)
        assert set(only) <= set(plan.directories), "the command is one that a teardown takes"


def test_the_guide_tells_how_to_reach_it():
    text = "\n".join(guide(
        "https://our.test:8443",
        [{"path": "/api", "application": "demo", "access": "public"}, {"path": "/x", "upstream": "http://x:1"}],
        "/opt/root.pem", "127.0.0.1", ".state", "/api/hello"))
    assert "https://our.test:8443/api  demo, everybody" in text
    assert "https://our.test:8443/x    http://x:1, asks for a login" in text
    assert "Credentials: .state" in text
    assert "curl --cacert /opt/root.pem --resolve our.test:8443:127.0.0.1 https://our.test:8443/api/hello" in text
    assert "/etc/hosts: 127.0.0.1 our.test" in text
    assert guide("", [], "", "", "", "") == []


def test_gitlab_s_webhooks_are_told(tmp_path):
    place = tmp_path / "jenkins_dood/jenkins/jobs"
    place.mkdir(parents=True)
    url = "https://ci.test/jenkins/project/"
    jobs = [{"webhook": f"{url}shop", "event": "push", "branch": "main", "token": "webhook_shop"},
            {"webhook": f"{url}check", "event": "merge_request", "branch": "main", "token": "webhook_check"},
            {"webhook": f"{url}by-hand", "event": "push", "branch": "main", "token": ""}]
    (place / "jobs.json").write_text(json.dumps(jobs))
    assert webhooks(read_webhooks(tmp_path))[1:] == [
        "Webhooks for GitLab. The secret token is webhook_token of the pipeline in jenkins_dood_jobs; docs/gitlab.md "
        "says where it goes.",
        "  https://ci.test/jenkins/project/shop   push events, main",
        "  https://ci.test/jenkins/project/check  merge request events, main",
    ]
    for text in ("[]", "{", "[1]", '[{"name": "x"}]', "7"):
        (place / "jobs.json").write_text(text)
        assert webhooks(read_webhooks(tmp_path)) == []
    assert read_webhooks(tmp_path / "nowhere") == []


def test_what_lies_on_the_host_is_read(tmp_path):
    (tmp_path / "data_stores" / ".mooring").mkdir(parents=True)
    (tmp_path / "data_stores" / "compose.yml").write_text("services: {}")
    (tmp_path / "data_stores" / ".mooring" / "manifest.json").write_text('{"services": {"mysql": {}}}')
    (tmp_path / "broken" / ".mooring").mkdir(parents=True)
    (tmp_path / "broken" / "compose.yml").write_text("services: {}")
    (tmp_path / "broken" / ".mooring" / "manifest.json").write_text("{")
    assert read_projects(tmp_path, "m") == [
        Project("broken", "m-broken", ()),
        Project("data_stores", "m-data_stores", ("mysql",)),
    ]

    (tmp_path / "app_blue_green").mkdir()
    (tmp_path / "app_blue_green" / "demo.json").write_text('{"active": {"colour": "blue", "release": "1.0"}}')
    assert read_releases(tmp_path) == [Release("demo", "blue", "1.0")]
    (tmp_path / "nginx_certbot" / "releases").mkdir(parents=True)
    # The proxy's word counts; the record then speaks of another colour.
    (tmp_path / "nginx_certbot" / "releases" / "demo").write_text("green\n")
    assert read_releases(tmp_path) == [Release("demo", "green", "")]
    for line, release in (("blue*2", Release("demo", "blue", "1.0")), ("blue green=0", Release("demo", "blue", "1.0")),
                          ("blue*2 green=10 sticky", Release("demo", "blue", "1.0", 10)),
                          ("purple", Release("demo", "", ""))):
        (tmp_path / "nginx_certbot" / "releases" / "demo").write_text(f"{line}\n")
        assert read_releases(tmp_path) == [release]


def test_a_share_of_the_requests_is_shown():
    found = rows(
        PROJECTS,
        [container("mooring-demo-blue", "app", "shop:1.0", application="demo", colour="blue", release="1.0"),
         container("mooring-demo-green", "app", "shop:1.1", application="demo", colour="green", release="1.1")],
        [], [Release("demo", "green", "1.1", 10)], "", [])
    assert [row.release for row in found if row.release] == ["blue 1.0 serves 10 %", "green 1.1 serves 90 %"]


@pytest.mark.parametrize("seen, lines", [
    (None, []),
    (Monitoring(11, 11, 58, ()), ["", "Monitoring: 11 of 11 targets are up, 58 rules, no alert fires."]),
    (Monitoring(10, 11, 58, (Alert("MySQLDown", "critical", "MySQL does not answer.", "2026-11-24 10:15:30"),
      Alert("DriftPresent", "warning", "It drifts.", "2026-11-24 10:00:00"))),
     ["", "Monitoring: 10 of 11 targets are up, 58 rules, 2 alerts fire.",
      "  critical  MySQLDown: MySQL does not answer. (since 2026-11-24 10:15:30 UTC)",
      "  warning   DriftPresent: It drifts. (since 2026-11-24 10:00:00 UTC)"]),
])
def test_what_is_watched(seen, lines):
    assert monitoring(seen) == lines


def configure_prometheus(root):
    (root / "monitoring" / "prometheus").mkdir(parents=True)
    (root / "monitoring" / "prometheus" / "prometheus.yml").write_text("")


@pytest.mark.parametrize("monitored, address, alerts, unknown", [
    # Agents only: another host knows.
    (False, "127.0.0.1", None, ""),
    (True, "", None, "Prometheus does not run, so nobody knows of alerts."),
])
def test_nobody_knows_of_alerts(tmp_path, monitored, address, alerts, unknown):
    if monitored:
        configure_prometheus(tmp_path)
    else:
        (tmp_path / "monitoring").mkdir()
        (tmp_path / "monitoring" / "compose.yml").write_text("")
    docker = types.SimpleNamespace(address=lambda *_arguments: address)
    assert read_monitoring(docker, {"root": str(tmp_path), "prefix": "p", "network": "n"}) == (alerts, unknown)


def test_a_prometheus_that_does_not_answer(tmp_path):
    configure_prometheus(tmp_path)
    # An address of its own, where nobody listens.
    docker = types.SimpleNamespace(address=lambda *_arguments: "127.0.0.254",
                                   inside=lambda _container: contextlib.nullcontext())
    watched, unknown = read_monitoring(docker, {"root": str(tmp_path), "prefix": "p", "network": "n"})
    assert watched is None and "Nobody knows of alerts: http://prometheus:9090" in unknown
