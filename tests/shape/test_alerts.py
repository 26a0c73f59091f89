# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every alert says whom it concerns and what to do, and is proved to fire and to be silent."""

from __future__ import annotations

import collections
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "roles" / "monitoring" / "templates" / "project" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK = ROOT / "docs" / "alerts.md"

SEVERITIES = {"critical", "warning", "none"}
COMPONENTS = {"host", "data_stores", "nginx_certbot", "app_blue_green", "monitoring", "drift", "backup",
              "kafka", "mattermost_notifier"}
# So that Mattermost shows all of it on one screen.
LONGEST = {"summary": 90, "description": 400}

# What exporters bring. A live Prometheus is asked for the names themselves elsewhere.
EXPORTERS = ("node_", "mysql_", "redis_", "kafka_", "probe_", "prometheus_", "alertmanager_")
OWN = {
    "mooring_proxy_requests_total", "mooring_proxy_request_seconds_bucket", "mooring_proxy_request_seconds_count",
    "mooring_container_running", "mooring_container_restarting", "mooring_container_healthy",
    "mooring_container_restarts_total", "mooring_container_oom_killed", "mooring_container_memory_bytes",
    "mooring_container_memory_limit_bytes",
    "mooring_certificate_not_before_timestamp_seconds", "mooring_certificate_not_after_timestamp_seconds",
    "mooring_certificate_placeholder", "mooring_certificates_last_run_timestamp_seconds",
    "mooring_certificates_last_good_run_timestamp_seconds",
    "mooring_drift_items", "mooring_drift_last_check_timestamp_seconds",
    "mooring_backup_last_success_timestamp_seconds", "up",
    "mooring_notifier_waiting_seconds", "mooring_notifier_events_total", "mooring_notifier_posts_total",
}
WORDS = {"and", "or", "unless", "on", "by", "offset", "bool", "absent", "abs", "count", "delta", "histogram_quantile",
         "increase", "max", "min_over_time", "predict_linear", "rate", "sum", "time", "vector", "max_over_time"}


def rules(path: pathlib.Path) -> list[dict[str, t.Any]]:
    """Both kinds, of all groups of a file."""
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


ALERTS = [(path, rule) for path in RULES for rule in rules(path) if "alert" in rule]
RECORDS = {rule["record"] for path in RULES for rule in rules(path) if "record" in rule}

each_alert = pytest.mark.parametrize(("path", "alert"), ALERTS, ids=lambda value: (
    value["alert"] if isinstance(value, dict) else value.stem))
each_file = pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)


def documentation() -> str:
    return yaml.safe_load((ROOT / "galaxy.yml").read_text())["documentation"]


def metrics(expression: str) -> set[str]:
    """Names of metrics in an expression of PromQL: what is no string, label, duration, word or function."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", expression)
    bare = re.sub(r"\b(?:by|on)\s*\([^)]*\)", " ", bare)
    return set(re.findall(r"(?<![\w.:])[a-z_][\w:]*", bare)) - WORDS


def test_there_are_rules():
    assert len(ALERTS) > 30
    assert max(collections.Counter(alert["alert"] for _path, alert in ALERTS).values()) == 1


@each_alert
def test_an_alert_says_how_urgent_it_is_and_what_it_is_about(path, alert):
    labels = alert["labels"]
    assert {"severity", "component"} <= set(labels) <= {"severity", "component", "service"}
    assert labels["severity"] in SEVERITIES
    assert labels["component"] in COMPONENTS or "{{" in labels["component"]


@each_alert
def test_an_alert_can_be_read(path, alert):
    annotations = alert["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    for name, longest in LONGEST.items():
        text = annotations[name]
        assert "\n" not in text.strip() and len(text) <= longest, name
        assert text.strip().endswith((".", ")", "}}")), name


@each_alert
def test_an_alert_leads_to_its_section(path, alert):
    name = alert["alert"]
    assert alert["annotations"]["runbook_url"] == f"{documentation()}/alerts.md#{name.lower()}"
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL))
    assert re.search(r"^Look\b", sections[name], re.MULTILINE), "what to look at"
    assert re.search(r"\b[Ff]ix: ", sections[name]), "how to fix it"


def test_every_section_is_of_an_alert():
    sections = re.findall(r"^### (.*)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(alert["alert"] for _path, alert in ALERTS)


@each_file
def test_a_file_of_rules_has_one_group_of_its_name_and_tests(path):
    assert [group["name"] for group in yaml.safe_load(path.read_text())["groups"]] == [path.stem]
    tests = yaml.safe_load((PROMETHEUS / "tests" / path.name).read_text())
    assert tests["rule_files"] == [f"../rules/{path.name}"]
    assert all(test["name"] for test in tests["tests"])


def test_every_file_of_tests_has_rules():
    assert [path.name for path in TESTS] == [path.name for path in RULES]


# defect 54
@each_alert
def test_an_alert_is_tested_to_fire_and_to_be_silent(path, alert):
    cases = [case for test in yaml.safe_load((PROMETHEUS / "tests" / path.name).read_text())["tests"]
             for case in test.get("alert_rule_test", []) if case["alertname"] == alert["alert"]]
    assert any(case.get("exp_alerts") for case in cases)
    # One that is always there has no silence.
    assert alert["expr"] == "vector(1)" or any(not case.get("exp_alerts") for case in cases)


@each_file
def test_rules_ask_for_metrics_that_somebody_brings(path):
    asked = {name for rule in rules(path) for name in metrics(rule["expr"])}
    recorded = {name for name in asked if ":" in name}
    assert recorded <= RECORDS
    assert {name for name in asked - recorded - OWN if not name.startswith(EXPORTERS)} == set()


def test_what_is_recorded_is_used_or_costs_nothing():
    for path in RULES:
        own = {rule["record"] for rule in rules(path) if "record" in rule}
        assert all(re.fullmatch(r"\w+:\w+:\w+", name) for name in own)
        assert own <= {name for rule in rules(path) for name in metrics(rule["expr"])}, path.name


@pytest.mark.parametrize("argv", [
    ["check", "rules", *map(str, RULES)], ["test", "rules", *map(str, TESTS)]], ids=["check", "test"])
def test_prometheus_accepts_the_rules(argv):
    """The role has the same done in Prometheus' own container before it replaces anything."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed here; molecule and make prove-monitoring run it in the container")
    answer = subprocess.run([program, *argv], capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stdout + answer.stderr
