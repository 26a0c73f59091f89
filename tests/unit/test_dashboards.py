# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana's dashboards: their files are whole, and what they ask Prometheus is PromQL. And that this is looked at."""

from __future__ import annotations

import copy
import pathlib
import re
import sys

import promql_parser
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import dashboard_files  # noqa: E402
import dashboards  # noqa: E402

NAMES = {"host", "containers", "proxy", "mysql", "redis", "application", "logs", "platform"}
FILES = dashboards.load()
ASKED = dashboards.expressions()


def sources():
    """The uids in the data sources' template, whose only condition is Loki's."""
    text = (dashboards.PROJECT / "grafana/provisioning/datasources/mooring.yml.j2").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("{%")]
    return {one["uid"]: one for one in yaml.safe_load("\n".join(lines))["datasources"]}


def test_each_dashboard_is_there_once():
    assert {pathlib.Path(name).stem for name in FILES} == NAMES
    assert len({one["uid"] for one in FILES.values()}) == len({one["title"] for one in FILES.values()}) == len(NAMES)


@pytest.mark.parametrize("make", dashboard_files.DASHBOARDS, ids=lambda make: make.__name__)
def test_files_are_what_their_descriptions_say(make):
    dashboard = make()
    assert (dashboards.DIRECTORY / f"{dashboard.name}.json").read_text() == dashboard.text(), (
        "run tests/lab/dashboard_files.py")


@pytest.mark.parametrize("name", FILES)
def test_structure(name):
    assert dashboards.problems(FILES[name], sources()) == []


def test_only_the_dashboard_of_logs_asks_loki():
    """So that leaving out its file is all that a platform without Loki needs."""
    assert {one.file for one in ASKED if one.language == "logql"} == {"logs.json"}


# defect 55
def test_data_sources_are_named_by_uid_and_know_the_paths():
    found = sources()
    assert set(found) == {"prometheus", "loki", "alertmanager"}
    assert found["prometheus"]["url"].endswith(":9090/prometheus/")
    assert found["alertmanager"]["url"].endswith(":9093/alertmanager/")
    assert [one["uid"] for one in found.values() if one.get("isDefault")] == ["prometheus"]


@pytest.mark.parametrize("path", [path for path in (dashboards.PROJECT / "grafana/provisioning").rglob("*")
                                  if path.is_file()], ids=lambda path: path.parent.name)
def test_provisioning_expands_no_variable_by_accident(path):
    """Grafana replaces $NAME in these files by the environment; a dollar sign is written twice."""
    assert "$" not in path.read_text().replace("$$", "")


@pytest.mark.parametrize("one", [one for one in ASKED if one.language == "promql"],
                         ids=lambda one: f"{one.file} {one.panel}")
def test_promql(one):
    promql_parser.parse(one.expression)


@pytest.mark.parametrize("expression", ["sum(rate(x[1m])", "rate(x)", "sum by x (y)", "x{a=b}", "$application", ""])
def test_what_is_no_promql_is_refused(expression):
    with pytest.raises(ValueError):
        promql_parser.parse(expression)


def test_every_excuse_for_an_empty_answer_is_needed():
    for part in dashboards.ALLOWED_EMPTY:
        assert any(part in one.expression for one in ASKED), part
    assert not next(one for one in ASKED if one.panel == "panel Load").may_be_empty


def panel(dashboard, kind="timeseries"):
    return next(one for one in dashboard["panels"] if one["type"] == kind)


MUTATIONS = {
    "the uid is not": lambda one: one.update(uid="x"),
    "schema version": lambda one: one.update(schemaVersion=16),
    "the tag mooring": lambda one: one.update(tags=[]),
    "share an id": lambda one: one["panels"][1].update(id=one["panels"][0]["id"]),
    "leaves the 24 columns": lambda one: panel(one)["gridPos"].update(x=20),
    "it lies on": lambda one: one["panels"][1].update(gridPos=one["panels"][0]["gridPos"]),
    "the variable $": lambda one: panel(one)["targets"][0].update(expr='x{a="$nowhere"}'),
    "library panel": lambda one: panel(one).update(libraryPanel={"uid": "x"}),
    "our kinds of panels": lambda one: panel(one).update(type="graph"),
    "it has no title": lambda one: panel(one).update(title=""),
    "it has no unit": lambda one: panel(one)["fieldConfig"]["defaults"].pop("unit"),
    "it asks nothing": lambda one: panel(one).update(targets=[]),
    "a refId each": lambda one: panel(one)["targets"][0].pop("refId"),
    "not the panel's": lambda one: panel(one)["targets"][0]["datasource"].update(uid="loki"),
    "a curve has no name": lambda one: panel(one)["targets"][0].pop("legendFormat"),
    "asked for as a range": lambda one: panel(one, "stat")["targets"][0].pop("instant"),
    "it names an instance": lambda one: panel(one)["targets"][0].update(expr='up{instance="node:9100"}'),
    "one of provisioning": lambda one: one["annotations"]["list"][0]["datasource"].update(uid="prometheus2"),
}


@pytest.mark.parametrize("sentence", MUTATIONS)
def test_what_is_wrong_is_named(sentence):
    dashboard = copy.deepcopy(FILES["proxy.json"])
    before = copy.deepcopy(dashboard)
    MUTATIONS[sentence](dashboard)
    assert dashboard != before
    assert any(sentence in one for one in dashboards.problems(dashboard, sources()))


def test_grafana_looks_where_the_dashboards_lie():
    """Inside of its container, which mounts the directory grafana of the project."""
    provisioning = yaml.safe_load((dashboards.PROJECT / "grafana/provisioning/dashboards/mooring.yml").read_text())
    mounts = re.findall(r"- \./grafana:(\S+):ro", (dashboards.PROJECT / "compose.yml.j2").read_text())
    assert [one["options"]["path"] for one in provisioning["providers"]] == [f"{mount}/dashboards" for mount in mounts]
