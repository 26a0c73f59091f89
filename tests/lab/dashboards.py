# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Grafana's dashboards ask, and whether their files are in order.

Grafana itself cannot be had where no registry answers, so its files are checked here: the
structure by :func:`problems`, each expression by a parser of its language, and those for
Prometheus also by a Prometheus that runs (``make prove-monitoring``).
"""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

PROJECT = pathlib.Path(__file__).resolve().parents[2] / "roles/monitoring/templates/project"
DIRECTORY = PROJECT / "grafana/dashboards"
LANGUAGES = {"prometheus": "promql", "loki": "logql"}
PANELS = {"stat", "timeseries", "table", "logs", "row"}
# What Grafana puts in place of its own variables; the least that it takes for a scrape interval of 15 s.
MACROS = {"__rate_interval": "1m", "__auto": "1m", "__range": "6h"}
# Expressions that may find nothing in a Prometheus whose targets are all up, by a part of them.
ALLOWED_EMPTY = {
    "ALERTS{": "nothing fires where all is well",
    "mooring_backup_": "there is no role for backups yet",
    'status="4xx"': "nobody was refused",
    "http_server_requests_seconds_": "only a Spring application has it",
    "jvm_": "only a Java application has it",
    "hikaricp_": "only a Java application with a database has it",
    'redis_db_keys{job="redis"}) > 0': "no database has a key",
    "loki_": "a stand-in has no metrics of Loki and Alloy",
}

Json = dict[str, t.Any]


class Expression(t.NamedTuple):
    """One expression with concrete values for its variables."""

    file: str
    panel: str
    language: str
    expression: str

    @property
    def may_be_empty(self) -> str:
        """Why it may find nothing; "" if it has to find something."""
        return next((reason for part, reason in ALLOWED_EMPTY.items() if part in self.expression), "")


def load() -> dict[str, Json]:
    """Each dashboard by its file's name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DIRECTORY.glob("*.json"))}


def expressions(application: str = "demo") -> list[Expression]:
    """Every expression of every dashboard, for that application."""
    return [one for name, dashboard in load().items() for one in asked_by(name, dashboard, application)]


def asked_by(name: str, dashboard: Json, application: str = "demo") -> t.Iterator[Expression]:
    """The expressions of one dashboard: its panels, its annotations, and where its variables' values come from."""
    variables = dashboard["templating"]["list"]
    values = {**MACROS, "application": application,
              **{one["name"]: one.get("allValue", ".*" if one["type"] == "query" else "")
                 for one in variables if one["name"] != "application"}}

    def concrete(text: str) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], found[0]), text)

    for one in variables:
        query = one.get("query")
        if isinstance(query, dict):
            values_of = re.fullmatch(r"label_values\((?:(.+), *)?\w+\)", query.get("query", ""))
            text = values_of[1] if values_of else query.get("stream")
            if text:
                yield Expression(name, f"variable {one['name']}", LANGUAGES[one["datasource"]["type"]], concrete(text))
    for one in dashboard["annotations"]["list"]:
        yield Expression(name, f"annotation {one['name']}", LANGUAGES[one["datasource"]["type"]],
                         concrete(one["target"]["expr"]))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield Expression(name, f"panel {panel['title']}", LANGUAGES[target["datasource"]["type"]],
                             concrete(target["expr"]))


def problems(dashboard: Json, sources: t.Collection[str]) -> list[str]:
    """What is wrong with a dashboard, one sentence each; ``sources`` are the uids that provisioning makes."""
    found = []
    if not re.fullmatch(r"mooring-[a-z]{1,32}", dashboard.get("uid", "")):
        found.append("the uid is not mooring-<name>")
    if dashboard.get("schemaVersion") != 42 or "id" in dashboard or "__inputs" in dashboard:
        found.append("it is not a classic dashboard of schema version 42 as provisioning wants it")
    if "mooring" not in dashboard.get("tags", []):
        found.append("the tag mooring is missing: the link to it is made of that")
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        found.append("panels share an id")
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        title = panel.get("title") or f"panel {panel['id']}"
        found += [f"{title}: {sentence}" for sentence in _panel(panel, sources)]
        place = panel["gridPos"]
        if place["x"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > 24:
            found.append(f"{title}: it leaves the 24 columns")
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])):
            if taken.setdefault(cell, title) != title:
                found.append(f"{title}: it lies on {taken[cell]}")
                break
    known = {*MACROS, *(one["name"] for one in dashboard["templating"]["list"])}
    for one in asked_by("", dashboard):
        found += [f"{one.panel}: the variable ${name} is unknown"
                  for name in re.findall(r"\$\{?([A-Za-z_]\w*)", one.expression) if name not in known]
    for one in [*dashboard["templating"]["list"], *dashboard["annotations"]["list"]]:
        if "datasource" in one and one["datasource"].get("uid") not in sources:
            found.append(f"{one['name']}: its data source is not one of provisioning")
    return found


def _panel(panel: Json, sources: t.Collection[str]) -> t.Iterator[str]:
    if "libraryPanel" in panel:
        yield "a library panel is not in the file"
    if panel["type"] not in PANELS:
        yield f"{panel['type']} is not one of our kinds of panels"
    if not panel.get("title"):
        yield "it has no title"
    if panel["type"] == "row":
        return
    if panel["type"] != "logs" and not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
        yield "it has no unit"
    targets = panel.get("targets", [])
    if not targets:
        yield "it asks nothing"
    if len({target.get("refId") for target in targets} - {None, ""}) != len(targets):
        yield "targets need a refId each"
    for target in targets:
        source = target.get("datasource", {}).get("uid")
        if source not in sources or panel.get("datasource", {}).get("uid") != source:
            yield "its data source is not one of provisioning, or not the panel's"
        if panel["type"] == "timeseries" and not target.get("legendFormat"):
            yield "a curve has no name"
        if panel["type"] in ("stat", "table") and not target.get("instant"):
            yield "a present state is asked for as a range"
        if re.search(r'\binstance=~?"', target.get("expr", "")):
            yield "it names an instance"
