# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the role monitoring by promtool, and what hides what by a real Alertmanager."""

from __future__ import annotations

import datetime
import json
import pathlib
import re
import secrets
import subprocess
import time
import typing as t
import urllib.request

import pytest
import templates

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = ROOT / "roles/monitoring/templates/project"
IMAGE = "mooring.local/prometheus:2.53"


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout + done.stderr


def promtool(directory: pathlib.Path, command: str) -> str:
    """What promtool says of files in the container's /etc/prometheus; "" where it ended well."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--label", "mooring.test=1", "--user", "0", "--network", "none",
         "--volume", f"{directory}:/etc/prometheus:ro", "--entrypoint", "sh", IMAGE, "-c", command],
        capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr if done.returncode else ""


def rules(directory: pathlib.Path, change: t.Callable[[str], str]) -> pathlib.Path:
    """A copy of the rules, changed, and their tests as they are."""
    for part in ("rules", "tests"):
        (directory / part).mkdir()
        for path in (PROJECT / "prometheus" / part).glob("*.yml"):
            text = path.read_text()
            (directory / part / path.name).write_text(change(text) if part == "rules" else text)
    return directory


def as_prometheus_3_reads(text: str) -> str:
    """Each range a millisecond shorter: since version 3 a sample at its beginning is not in it (migration guide)."""
    def shorter(found: re.Match[str]) -> str:
        seconds = int(found[1]) * {"m": 60, "h": 3600, "d": 86400}[found[2]]
        return f"[{seconds * 1000 - 1}ms]"
    return re.sub(r"\[(\d+)([mhd])\]", shorter, text)


@pytest.mark.parametrize("change", [str, as_prometheus_3_reads], ids=["2", "3"])
def test_the_rules_do_what_their_tests_say(tmp_path, change):
    directory = rules(tmp_path, change)
    assert promtool(directory, "promtool check rules /etc/prometheus/rules/*.yml") == ""
    assert promtool(directory, "promtool test rules /etc/prometheus/tests/*.yml") == ""


def test_a_rule_that_does_something_else_is_noticed(tmp_path):
    directory = rules(tmp_path, lambda text: text.replace("mysql_up == 0", "mysql_up == 1"))
    assert "MySQLDown" in promtool(directory, "promtool test rules /etc/prometheus/tests/mysql.yml")


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    """The URL of one with the role's configuration."""
    directory = tmp_path_factory.mktemp("alertmanager")
    variables = {"ansible_managed": "test", "mooring_prefix": "mooring", "mooring_domain": "mooring.test",
                 "monitoring_mattermost_webhook_url": "", "monitoring_heartbeat_webhook_url": "",
                 "monitoring_runbook_url": "https://wiki.example.com/alerts"}
    (directory / "templates").mkdir()
    for path, text in templates.render_tree(PROJECT / "alertmanager", variables).items():
        (directory / path).write_text(text)
    for path in (directory, directory / "templates"):
        path.chmod(0o755)
    name = f"mooringtest-alertmanager-{secrets.token_hex(2)}"
    docker("run", "--detach", "--label", "mooring.test=1", "--name", name, "--user", "0",
           "--volume", f"{directory}:/etc/alertmanager:ro", "--entrypoint", "/bin/alertmanager", IMAGE,
           "--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager",
           "--cluster.listen-address=")
    try:
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        url = f"http://{docker('inspect', '--format', template, name).strip()}:9093/api/v2/alerts"
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                ask(url)
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        docker("rm", "--force", "--volumes", name)


def ask(url: str, document: t.Any = None) -> t.Any:
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        found = answer.read()
    return json.loads(found) if found else None


def fire(alertname: str, severity: str = "critical", /, **labels: str) -> dict[str, t.Any]:
    return {"labels": {"alertname": alertname, "severity": severity, **labels}, "annotations": {}}


@pytest.mark.parametrize(("cause", "consequence", "hidden"), [
    (fire("RecentlyDown", "none", job="mysql"), fire("RouteErrors", route="/api"), True),
    (fire("RecentlyDown", "none", job="mysql"), fire("ProbeFailed", probe="api"), True),
    (fire("RecentlyDown", "none", job="mysql", host="data-1"),
     fire("ContainerStopped", "warning", host="data-1", container="mooring-data_stores-mysql-1"), True),
    (fire("RecentlyDown", "none", job="mysql", host="data-1"),
     fire("ContainerStopped", "warning", host="data-1", container="mooring-data_stores-redis-1"), False),
    (fire("RecentlyDown", "none", job="mysql", host="data-1"),
     fire("ContainerStopped", "warning", host="data-2", container="mooring-data_stores-mysql-1"), False),
    # Users come through the proxy of another host.
    (fire("RecentlyDown", "none", job="mysql", host="data-1"), fire("RouteErrors", route="/api"), True),
    (fire("RecentlyDown", "none", job="mysql", host="data-1"),
     fire("TargetDown", "warning", host="data-1", job="node"), False),
    # A host as a whole, from the first moment and then by its own alert.
    (fire("RecentlyDown", "none", host="data-1"), fire("ProxyDown", host="data-1", job="proxy"), True),
    (fire("HostDown", host="data-1"), fire("TargetDown", "warning", host="data-1", job="node"), True),
    (fire("HostDown", host="data-1"), fire("TargetDown", "warning", host="app-1", job="node"), False),
    (fire("RecentlyDown", "none", host="data-1"), fire("HostDown", host="data-1"), False),
    # It may have nothing that requests need; what they need has a job.
    (fire("HostDown", host="kafka-1"), fire("RouteErrors", route="/api"), False),
    (fire("RecentlyDown", "none", host="kafka-1"), fire("RouteErrors", route="/api"), False),
    (fire("RecentlyDown", "none", job="mysql"), fire("MySQLDown"), False),
    (fire("RecentlyDown", "none", job="mysql"), fire("HostDiskNearlyFull", mountpoint="/"), False),
    (fire("CertificateEnds", name="platform"), fire("CertificateNotRenewed", "warning", name="platform"), True),
    (fire("CertificateEnds", name="platform"), fire("CertificateNotRenewed", "warning", name="other"), False),
    (fire("CertificateEnds", host="app-1", name="platform"),
     fire("CertificateNotRenewed", "warning", host="app-2", name="platform"), False),
    (fire("HostDiskNearlyFull", host="data-1", mountpoint="/"),
     fire("HostDiskFillsWithinDay", "warning", host="data-1", mountpoint="/"), True),
    (fire("HostDiskNearlyFull", host="data-1", mountpoint="/"),
     fire("HostDiskFillsWithinDay", "warning", host="app-1", mountpoint="/"), False),
    (fire("RouteErrors", route="/api"), fire("RouteSlow", "warning", route="/api"), True),
    (fire("RouteErrors", route="/api"), fire("RouteSlow", "warning", route="/other"), False),
    # What is critical of one thing says nothing of another.
    (fire("ApplicationNotRunning", application="a"), fire("ReleaseErrors", "warning", application="b"), False),
    (fire("AlertDeliveryFails", component="monitoring", integration="webhook"),
     fire("RuleEvaluationFails", "warning", component="monitoring"), False),
])
def test_who_is_told_of_the_cause_is_not_told_of_its_consequences(alertmanager, cause, consequence, hidden):
    # Only among those of this case.
    ends = datetime.datetime.now(datetime.timezone.utc).isoformat()
    ask(alertmanager, [{"labels": one["labels"], "startsAt": one["startsAt"], "endsAt": ends}
                       for one in ask(alertmanager)])
    ask(alertmanager, [cause, consequence])
    end = time.monotonic() + 20
    while True:
        found = [one for one in ask(alertmanager) if one["labels"] == consequence["labels"]]
        # Alertmanager decides when it is about to send, after group_wait; the API asks the same code.
        if found and (bool(found[0]["status"]["inhibitedBy"]) == hidden or time.monotonic() > end):
            break
        assert time.monotonic() < end + 5
        time.sleep(0.3)
    assert bool(found[0]["status"]["inhibitedBy"]) == hidden
