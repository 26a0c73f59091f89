# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kibana's saved objects without Kibana: what they ask of which data view, and queries in KQL.

Lens keeps a panel as columns with an operation each, and says by their names how they are drawn; a name that leads
nowhere draws nothing (attributes of the saved object "lens"; elastic.co/docs/reference/query-languages/kql).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

OPERATIONS = {"date_histogram": "@timestamp", "terms": None, "count": "___records___", "sum": None, "max": None,
              "percentile": None, "filters": ""}
KINDS = {"lnsXY", "lnsDatatable", "lnsMetric"}


class Wrong(ValueError):
    """It is not KQL."""


TOKEN = re.compile(r'\s*(?:(?P<mark>[():{}]|<=|>=|<|>)|"(?P<text>(?:\\.|[^"\\])*)"|(?P<word>[^\s():<>"{}]+))')


def kql(query: str) -> set[str]:
    """The fields that a query is about. Raises Wrong."""
    tokens: list[tuple[str, str]] = []
    at = 0
    query = query.rstrip()
    while at < len(query):
        found = TOKEN.match(query, at)
        if found is None:
            raise Wrong(f"{query[at:]!r} in {query!r}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    fields: set[str] = set()

    def fail() -> t.NoReturn:
        raise Wrong(f"{'the end' if not tokens else tokens[0][1]!r} in {query!r}")

    def next_is(*words: str) -> bool:
        return bool(tokens) and tokens[0][0] != "text" and tokens[0][1].lower() in words

    def take(*words: str) -> str:
        if not next_is(*words):
            fail()
        return tokens.pop(0)[1]

    def either() -> None:
        both()
        while next_is("or"):
            tokens.pop(0)
            both()

    def both() -> None:
        one()
        while next_is("and"):
            tokens.pop(0)
            one()

    def one() -> None:
        if next_is("not"):
            tokens.pop(0)
            one()
        elif next_is("("):
            tokens.pop(0)
            either()
            take(")")
        else:
            if not tokens or tokens[0][0] != "word":
                fail()
            fields.add(tokens.pop(0)[1])
            if take(":", "<", ">", "<=", ">=") == ":" and next_is("("):
                tokens.pop(0)
                value()
                while next_is("or", "and"):
                    tokens.pop(0)
                    value()
                take(")")
            else:
                value()

    def value() -> None:
        if not tokens or tokens[0][0] == "mark" or next_is("and", "or", "not"):
            fail()
        tokens.pop(0)

    if tokens:
        either()
        if tokens:
            fail()
    return fields


@dataclasses.dataclass(frozen=True)
class Question:
    """What somebody will look at: of which data view, and which fields it takes."""

    title: str
    view: str
    fields: frozenset[str]
    # Those of them that are grouped by, which takes a keyword or a number.
    grouped: frozenset[str] = frozenset()


def questions(objects: list[dict[str, t.Any]]) -> list[Question]:
    """All of the searches and dashboards. Raises Wrong."""
    found = []
    for one in objects:
        source = one["attributes"].get("kibanaSavedObjectMeta", {}).get("searchSourceJSON", {})
        about = kql(source.get("query", {}).get("query", ""))
        if one["type"] == "search":
            (view,) = [each["id"] for each in one["references"] if each["name"] == source_name(source)]
            found.append(Question(one["attributes"]["title"], view, frozenset({*about, *one["attributes"]["columns"]})))
        for panel in one["attributes"].get("panelsJSON", []):
            lens = panel["embeddableConfig"]["attributes"]
            (view,) = [each["id"] for each in lens["references"]]
            ((_name, layer),) = lens["state"]["datasourceStates"]["formBased"]["layers"].items()
            fields, grouped = set(about | kql(lens["state"]["query"]["query"])), set()
            for column in layer["columns"].values():
                fields |= {column.get("sourceField", "")} - {"", "___records___"}
                grouped |= {column["sourceField"]} if column["operationType"] == "terms" else set()
                for each in column["params"].get("filters", []):
                    fields |= kql(each["input"]["query"])
            found.append(Question(lens["title"], view, frozenset(fields), frozenset(grouped)))
    return found


def source_name(source: dict[str, t.Any]) -> str:
    """The name of the reference that says which data view a search is about."""
    return source["indexRefName"]


def problems(objects: list[dict[str, t.Any]]) -> list[str]:
    """What would not be drawn, or drawn over something else."""
    found = []
    for one in objects:
        panels = one["attributes"].get("panelsJSON", [])
        names = [panel["panelIndex"] for panel in panels]
        found += [f"panel {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
        taken: dict[tuple[int, int], str] = {}
        for panel in panels:
            where = panel["gridData"]
            if panel["panelIndex"] != where["i"] or where["x"] + where["w"] > 48:
                found.append(f"panel {panel['panelIndex']} is out of its place")
            for cell in ((x, y) for x in range(where["x"], where["x"] + where["w"])
                         for y in range(where["y"], where["y"] + where["h"])):
                if cell in taken:
                    found.append(f"panel {panel['panelIndex']} lies over {taken[cell]}")
                    break
                taken[cell] = panel["panelIndex"]
            found += [f"panel {panel['panelIndex']}: {problem}" for problem in _panel(panel, one["references"])]
    return found


def _panel(panel: dict[str, t.Any], references: list[dict[str, str]]) -> list[str]:
    lens = panel["embeddableConfig"]["attributes"]
    state, found = lens["state"], []
    if panel["type"] != "lens" or lens["visualizationType"] not in KINDS:
        return ["not of a kind that is known here"]
    (reference,) = lens["references"]
    if {**reference, "name": f"{panel['panelIndex']}:{reference['name']}"} not in references:
        found.append("its data view is not a reference of the dashboard")
    ((name, layer),) = state["datasourceStates"]["formBased"]["layers"].items()
    if reference["name"] != f"indexpattern-datasource-layer-{name}":
        found.append("its data view is that of another layer")
    columns = layer["columns"]
    if list(columns) != layer["columnOrder"]:
        found.append("columns and their order differ")
    seen_metric = False
    for key, column in columns.items():
        if column["operationType"] not in OPERATIONS:
            found.append(f"no operation {column['operationType']}")
        fixed = OPERATIONS.get(column["operationType"])
        if fixed is not None and column.get("sourceField", "") != fixed:
            found.append(f"{key} is not about {fixed}")
        if column["isBucketed"] and seen_metric:
            found.append(f"{key} groups after something was counted")
        seen_metric = seen_metric or not column["isBucketed"]
        order = column["params"].get("orderBy", {}).get("columnId")
        if order is not None and (order not in columns or columns[order]["isBucketed"]):
            found.append(f"{key} is ordered by {order}")
    shown = state["visualization"]
    if lens["visualizationType"] == "lnsXY":
        (drawn,) = shown["layers"]
        used = [drawn["layerId"], drawn["xAccessor"], *drawn["accessors"], *([drawn["splitAccessor"]]
                if "splitAccessor" in drawn else [])]
    else:
        used = [shown["layerId"], *([shown["metricAccessor"]] if "metricAccessor" in shown else
                                    [one["columnId"] for one in shown["columns"]])]
    if sorted(used) != sorted([name, *columns]):
        found.append(f"drawn are {used}, and there are {sorted(columns)}")
    return found
