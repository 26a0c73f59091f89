# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step prometheus_targets, against a server that answers as Prometheus does."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import threading
import types
import urllib.parse

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _docker
from ansible_collections.mooring.stack.plugins.module_utils import _step_prometheus_targets as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._prometheus import (
    Alert,
    Prometheus,
    Target,
    alerts_of,
    rules_of,
    seconds,
    targets_of,
)


def target(job, health="up", error="", instance="it:1"):
    return {"labels": {"job": job, "instance": instance}, "health": health, "lastError": error}


def alert(name, state="firing", severity="critical", since="2026-11-24T10:15:30.123456789Z"):
    return {"labels": {"alertname": name, "severity": severity}, "annotations": {"summary": f"{name}!"},
            "state": state, "activeAt": since}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        found = self.server.answers.get(parts.path.removeprefix("/sub/api/v1/"))
        found = found.pop(0) if isinstance(found, list) and len(found) > 1 else found
        found = found[0] if isinstance(found, list) else found
        status, document = found if isinstance(found, tuple) else (200, {"status": "success", "data": found})
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.answers = {
            "targets": {"activeTargets": [target("node"), target("application")]},
            "rules": {"groups": [{"rules": [{"name": "A", "health": "ok"}]}]},
            "status/config": {"yaml": "scrape_configs:\n- job_name: node\n  metrics_path: /x\n"},
            "status/runtimeinfo": {"lastConfigTime": "2126-11-24T10:15:30Z", "reloadConfigSuccess": True},
            "query": {"result": []},
            "alerts": {"alerts": []},
        }
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def run(server, tmp_path, monkeypatch):
    """Runs the step; the container is the server."""
    (tmp_path / "prometheus.yml").write_text("")
    monkeypatch.setattr(step, "INTERVAL", 0.01)
    monkeypatch.setattr(step, "Prometheus", lambda address, path: Prometheus(address, path, server.server_address[1]))
    address = ["127.0.0.1"]
    monkeypatch.setattr(step.Docker, "address", lambda *_arguments: address[0])
    monkeypatch.setattr(step.Docker, "process", lambda *_arguments: len(address[0]))
    monkeypatch.setattr(_docker, "network_of", lambda _process: contextlib.nullcontext())

    def call(check_mode=False, running=True, **params):
        address[0] = "127.0.0.1" if running else ""
        module = types.SimpleNamespace(run_command=None, check_mode=check_mode)
        return step.converge(module, {
            "container": "prometheus", "network": "mooring", "path": "/sub/", "configuration": str(tmp_path),
            "optional": ["application"], "must_be_one": [], "timeout": 0, **params})
    return call


def test_everything_is_up(run):
    assert run() == {"changed": False, "differences": [], "notices": [], "up": 2, "targets": 2, "rules": 1}


def test_what_comes_up_later_is_waited_for(run, server):
    server.answers["targets"] = [
        {"activeTargets": []}, {"activeTargets": [target("node", "unknown")]}, {"activeTargets": [target("node")]}]
    assert run(timeout=10)["up"] == 1


def test_a_job_whose_targets_are_not_there_yet_is_waited_for(run, server):
    """Prometheus reads its configuration at once, and finds out what that means within five seconds."""
    server.answers["status/config"] = {"yaml": "scrape_configs:\n- job_name: node\n- job_name: loki\n"}
    server.answers["targets"] = [
        {"activeTargets": [target("node")]}, {"activeTargets": [target("node"), target("loki")]}]
    assert run(timeout=10)["targets"] == 2
    server.answers["targets"] = {"activeTargets": [target("node")]}
    with pytest.raises(MooringError, match=r"loki \(no target\)"):
        run()


def test_a_target_that_stays_down_is_named_with_its_reason(run, server):
    server.answers["targets"] = {"activeTargets": [target("node"), target("mysql", "down", "connection refused")]}
    with pytest.raises(MooringError, match=r"everything: mysql it:1 \(connection refused\)") as raised:
        run()
    assert raised.value.details["up"] == 1


def test_an_optional_target_that_is_down_is_told(run, server):
    server.answers["targets"] = {"activeTargets": [target("node"), target("application", "down", "timeout")]}
    assert run()["notices"] == ["monitoring: application it:1 (timeout) is not reached."]


def test_a_configuration_that_was_refused(run, server):
    server.answers["status/runtimeinfo"] = {"lastConfigTime": "2126-11-24T10:15:30Z", "reloadConfigSuccess": False}
    with pytest.raises(MooringError, match="could not read its new configuration"):
        run()


def test_a_file_that_nobody_has_told_it_of(run, server):
    server.answers["status/runtimeinfo"] = {"lastConfigTime": "2016-11-24T10:15:30Z", "reloadConfigSuccess": True}
    assert "Prometheus has not read what lies there" in run()["notices"][0]


def test_an_exporter_that_cannot_log_in_is_up_and_sees_nothing(run, server):
    server.answers["query"] = [{"result": [{"metric": {"__name__": "mysql_up"}, "value": [1, "0"]}]}, {"result": []}]
    assert run(must_be_one=["mysql_up"], timeout=10)["up"] == 2
    server.answers["query"] = {"result": [{"metric": {"__name__": "mysql_up"}, "value": [1, "0"]}]}
    with pytest.raises(MooringError, match=r"does not see everything: mysql_up \(is 0\)"):
        run(must_be_one=["mysql_up"])


def test_broken_rules_and_lost_alerts_are_told(run, server):
    server.answers["rules"] = {"groups": [{"rules": [{"name": "A", "health": "err", "lastError": "many-to-many"}]}]}
    server.answers["query"] = {"result": [
        {"metric": {"integration": "slack", "reason": "clientError"}, "value": [1, "3"]}]}
    assert run()["notices"] == [
        "monitoring: rule A cannot be evaluated: many-to-many",
        "monitoring: alerts could not be delivered (slack, clientError); see the log of Alertmanager."]


def test_one_that_does_not_run(run):
    with pytest.raises(MooringError, match="The container prometheus does not run"):
        run(running=False)
    assert run(running=False, check_mode=True)["changed"] is False


@pytest.mark.parametrize(("answer", "why"), [
    ((503, b"Service Unavailable"), "status 503 and no JSON"),
    ((400, {"status": "error", "error": "bad question"}), "was refused: bad question"),
])
def test_one_that_does_not_answer_well(run, server, answer, why):
    server.answers["status/runtimeinfo"] = answer
    with pytest.raises(MooringError, match=why):
        run()
    assert run(check_mode=True)["up"] == 0


def test_check_mode_fails_for_nothing_and_does_not_wait(run, server):
    server.answers["targets"] = {"activeTargets": [target("mysql", "down", "connection refused")]}
    server.answers["status/runtimeinfo"] = {"lastConfigTime": "2016-11-24T10:15:30Z", "reloadConfigSuccess": False}
    first, second = run(check_mode=True, timeout=60)["notices"]
    assert first == "monitoring: mysql it:1 (connection refused) is not reached."
    assert "could not read its new configuration" in second


def test_the_youngest_file_counts(tmp_path):
    assert step.changed_at(str(tmp_path)) == 0
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yml").write_text("")
    assert step.changed_at(str(tmp_path)) == os.lstat(tmp_path / "rules" / "a.yml").st_ctime


def test_targets_are_in_order():
    assert targets_of({"activeTargets": [target("b"), target("a", "down", "why")]}) == (
        Target("a", "it:1", "down", "why"), Target("b", "it:1", "up"))


def test_rules_of_all_groups_count():
    assert rules_of({"groups": [{"rules": [{"name": "A"}, {"name": "B"}]}, {"rules": [{"name": "C"}]}]}) == (3, ())


def test_alerts_that_want_somebody():
    found = alerts_of({"alerts": [
        alert("Pending", "pending"), alert("Watchdog", severity="none"), alert("Late", severity="warning"),
        alert("New", since="2026-11-24T11:00:00Z"), alert("Old")]})
    assert found == [
        Alert("Old", "critical", "Old!", "2026-11-24 10:15:30"),
        Alert("New", "critical", "New!", "2026-11-24 11:00:00"),
        Alert("Late", "warning", "Late!", "2026-11-24 10:15:30")]


@pytest.mark.parametrize("stamp", ["1970-01-01T00:01:40Z", "1970-01-01T00:01:40.123456789Z"])
def test_seconds(stamp):
    assert seconds(stamp) == 100
