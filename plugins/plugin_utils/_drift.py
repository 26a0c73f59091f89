# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the drift report, from the results of tasks to table, JSON, metrics and exit code.

Pure, and on the controller only: the callback drift feeds the collector and
writes what is made of it; the action plugin drift_metrics, which runs in a fork
of the same process, reads it.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

REPORT_VERSION = 1
IN_SYNC, DRIFT, ERROR = "in sync", "drift", "error"
EXIT_CODES = {IN_SYNC: 0, ERROR: 1, DRIFT: 2}
# Roles that look at hosts and own nothing on them.
NOT_COMPONENTS = {"drift", "platform", "preflight", "status"}
COLUMNS = ("component", "object", "field", "expected", "found")
NARROWEST = 8


@dataclasses.dataclass
class Component:
    """What was found of one component on one host."""

    differences: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    notices: list[str] = dataclasses.field(default_factory=list)
    errors: list[dict[str, str]] = dataclasses.field(default_factory=list)

    @property
    def status(self) -> str:
        """Error, drift or in sync."""
        return ERROR if self.errors else DRIFT if self.differences else IN_SYNC

    def as_dict(self) -> dict[str, t.Any]:
        """As part of the report."""
        return {"status": self.status, **dataclasses.asdict(self)}


class Collector:
    """What the results of a run say, by host and component."""

    def __init__(self) -> None:
        self.active = False
        self.hosts: dict[str, dict[str, Component]] = {}

    def start(self, active: bool) -> None:
        """Forget the run before this one."""
        self.active = active
        self.hosts = {}

    def component(self, host: str, name: str) -> Component:
        """The place for what is found of a component."""
        return self.hosts.setdefault(host, {}).setdefault(name, Component())

    def took(self, host: str, role: str, play: str, task: str, result: dict[str, t.Any]) -> None:
        """A task ended well, or it was skipped."""
        differences, notices = findings(task, result)
        known = self.hosts.get(host, {}).get(role or play)
        if known and any(not _is_unnamed(one) for one in known.differences):
            # A task that carries out what another one of its role has named.
            differences = [one for one in differences if not _is_unnamed(one)]
        if differences or notices or (role and role not in NOT_COMPONENTS):
            component = self.component(host, role or play)
            component.differences += differences
            component.notices += [notice for notice in notices if notice not in component.notices]

    def failed(self, host: str, role: str, play: str, task: str, result: dict[str, t.Any]) -> None:
        """A task failed, or did not reach its host. What it had found until then counts as well."""
        self.took(host, role, play, task, {**result, "changed": False})
        self.component(host, role or play).errors.append({"task": task, "message": message(result)})


# The callback lives in the main process. Ansible forks it for each task, so an
# action plugin sees here what all plays before its own have found.
COLLECTOR = Collector()


def findings(task: str, result: dict[str, t.Any]) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Differences and notices of one task, the items of a loop one after the other."""
    if isinstance(result.get("results"), list) and any(isinstance(item, dict) for item in result["results"]):
        parts = [findings(task, item) for item in result["results"] if isinstance(item, dict)]
        return [one for found, _said in parts for one in found], [one for _found, said in parts for one in said]
    differences = [_difference(task, one) for one in _as_list(result.get("differences"))]
    # A module that compares without naming what it found.
    if not differences and result.get("changed") and not result.get("skipped"):
        differences.append(_difference(task, "would change"))
    return differences, [str(one) for one in _as_list(result.get("notices"))]


def _as_list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def _difference(task: str, found: t.Any) -> dict[str, t.Any]:
    if isinstance(found, dict):
        named = {"object": str(found.get("object") or f"task {task}"), "field": str(found.get("field") or "state")}
        return {**named, **{side: plain(found.get(side)) for side in ("expected", "found")}}
    return {"object": f"task {task}", "field": "state", "expected": "nothing to do", "found": plain(found)}


def _is_unnamed(difference: dict[str, t.Any]) -> bool:
    """Whether only a task's name is known of it."""
    return bool(difference["object"].startswith("task "))


def plain(value: t.Any) -> t.Any:
    """A value of JSON without what Ansible adds to it."""
    return json.loads(json.dumps(value, default=str))


def message(result: dict[str, t.Any]) -> str:
    """Why a task failed, with the problems that it lists and the items that failed."""
    lines = [str(result.get("msg") or "no reason was given")]
    lines += [str(one) for one in _as_list(result.get("problems"))]
    lines += [
        str(item["msg"]) for item in _as_list(result.get("results"))
        if isinstance(item, dict) and item.get("failed") and item.get("msg")
    ]
    return "\n".join(dict.fromkeys(lines))


def build(
    collector: Collector, failed_hosts: t.Collection[str], about: dict[str, t.Any], lost: int = 0,
) -> dict[str, t.Any]:
    """The report. ``failed_hosts`` are those that Ansible counts: an error that was rescued is none."""
    hosts: dict[str, t.Any] = {}
    for name in sorted({*failed_hosts, *collector.hosts}):
        components = {
            key: dataclasses.replace(one, errors=one.errors if name in failed_hosts else [])
            for key, one in collector.hosts.get(name, {}).items()
        }
        if name in failed_hosts and not any(one.errors for one in components.values()):
            components["playbook"] = Component(errors=[{"task": "", "message": "the host failed; see the output"}])
        hosts[name] = {
            "status": worst(one.status for one in components.values()),
            "components": {key: one.as_dict() for key, one in components.items()},
        }
    problems = []
    if lost:
        problems.append(f"{count(lost, 'result')} could not be read: the report is incomplete; see the warnings above")
    if not any(host["components"] for host in hosts.values()):
        problems.append("no component was checked: no host has one, or the limit or the tags leave none")
    found = [one for host in hosts.values() for one in host["components"].values()]
    status = ERROR if problems else worst(host["status"] for host in hosts.values())
    return {
        "version": REPORT_VERSION,
        "status": status,
        "exit_code": EXIT_CODES[status],
        **about,
        "totals": {
            "hosts": len(hosts),
            "components": len(found),
            "drifted": sum(bool(one["differences"]) for one in found),
            **{key: sum(len(one[key]) for one in found) for key in ("differences", "notices")},
            "errors": sum(len(one["errors"]) for one in found) + len(problems),
        },
        "problems": problems,
        "hosts": hosts,
    }


def worst(statuses: t.Iterable[str]) -> str:
    """One word for several."""
    known = set(statuses)
    return next((status for status in (ERROR, DRIFT) if status in known), IN_SYNC)


def to_json(report: dict[str, t.Any]) -> str:
    """The report for programs."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def shown(value: t.Any) -> str:
    """A value for people."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def count(number: int, word: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def summary(report: dict[str, t.Any]) -> str:
    """The whole report in one sentence."""
    totals = report["totals"]
    found = [count(totals["differences"], "difference")]
    found += [count(totals[key], key[:-1]) for key in ("notices", "errors") if totals[key]]
    where = f"{count(totals['components'], 'component')} on {count(totals['hosts'], 'host')}"
    return f"{report['status'].capitalize()}: {', '.join(found)} in {where}."


# ---------------------------------------------------------------- for a terminal


def table(report: dict[str, t.Any], width: int) -> str:
    """Per host the differences in columns, then notices and errors; one line of totals at the end."""
    lines: list[str] = []
    for name, host in report["hosts"].items():
        rows = [
            (component, one["object"], one["field"], shown(one["expected"]), shown(one["found"]))
            for component, found in host["components"].items() for one in found["differences"]
        ]
        said = [
            *((f"notice, {component}: ", one) for component, found in host["components"].items()
              for one in found["notices"]),
            *((f"error, {component}: ", f"{one['task']}: {one['message']}" if one["task"] else one["message"])
              for component, found in host["components"].items() for one in found["errors"]),
        ]
        if rows or said:
            lines += ["", f"{_printable(name)}: {host['status']}"]
        if rows:
            lines += _columns([COLUMNS, *rows], width)
        # A message is there to be read: it wraps by itself, and is not shortened.
        for head, text in said:
            first, *more = text.splitlines() or [""]
            lines += [f"  {_printable(head + first)}", *(f"    {_printable(line)}" for line in more)]
    lines += [f"  error: {problem}" for problem in report["problems"]]
    return "\n".join([*lines, "", summary(report)])


def _columns(rows: t.Sequence[t.Sequence[str]], width: int) -> list[str]:
    rows = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    indent, gap = 2, 2
    room = width - indent - gap * (len(widths) - 1)
    # The widest gives way first, so that short columns stay whole.
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = widths.index(max(widths))
        second = max([one for index, one in enumerate(widths) if index != widest])
        over = sum(widths) - room
        widths[widest] = max(widths[widest] - over, min(second, widths[widest] - 1), NARROWEST)
    return [
        " " * indent + (" " * gap).join(_fit(cell, size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[:width - 1] + "…"


def _printable(text: str) -> str:
    """One line that cannot steer a terminal."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


# ---------------------------------------------------------------- for Prometheus


def metrics(components: dict[str, Component], now: float) -> str:
    """One host's metrics in the text format of Prometheus."""
    lines: list[str] = []
    for name, text, values in (
        ("mooring_drift_items", "Fields that were not as declared at the last check.",
         {key: len(one.differences) for key, one in components.items()}),
        ("mooring_drift_notices", "Things to look at that a run does not heal, at the last check.",
         {key: len(one.notices) for key, one in components.items()}),
    ):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{component="{_label(key)}"}} {number}' for key, number in sorted(values.items())]
    name = "mooring_drift_last_check_timestamp_seconds"
    lines += [f"# HELP {name} When this host was last compared with its declaration.", f"# TYPE {name} gauge",
              f"{name} {now:.0f}"]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
