# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what a Prometheus says of its targets, rules and alerts.

Shapes of the answers: Prometheus documentation, "HTTP API" (/api/v1/targets,
/api/v1/rules, /api/v1/alerts, /api/v1/status/runtimeinfo).
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
import urllib.parse

from ansible_collections.mooring.stack.plugins.module_utils._docker import nanoseconds
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable, ask

SEVERITIES = ("critical", "warning")


@dataclasses.dataclass(frozen=True)
class Target:
    """Something that is scraped; ``health`` is up, down or unknown (not scraped yet)."""

    job: str
    instance: str
    health: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.job} {self.instance}".strip() + f" ({self.error or self.health})"


@dataclasses.dataclass(frozen=True)
class Alert:
    """A firing alert; ``since`` is a date and time in UTC."""

    name: str
    severity: str
    summary: str
    since: str


@dataclasses.dataclass(frozen=True)
class View:
    """What Prometheus looks at and how it judges; ``loaded_at`` is when it read its configuration (seconds since 1970).

    ``reloaded`` is whether that worked the last time. ``jobs`` are those of the configuration: their targets follow
    some seconds later.
    """

    jobs: tuple[str, ...]
    targets: tuple[Target, ...]
    rules: int
    broken_rules: tuple[str, ...]
    loaded_at: float
    reloaded: bool


def targets_of(document: dict[str, t.Any]) -> tuple[Target, ...]:
    """From /api/v1/targets, by job and instance."""
    return tuple(sorted(
        (Target(one["labels"].get("job", ""), one["labels"].get("instance", ""), one["health"],
                one.get("lastError", "")) for one in document["activeTargets"]),
        key=lambda target: (target.job, target.instance)))


def jobs_of(document: dict[str, t.Any]) -> tuple[str, ...]:
    """From /api/v1/status/config, which is YAML as Prometheus writes it, and hosts may have no library to read it."""
    return tuple(re.findall(r"^- job_name: (\S+)$", document["yaml"], re.MULTILINE))


def rules_of(document: dict[str, t.Any]) -> tuple[int, tuple[str, ...]]:
    """From /api/v1/rules: how many there are, and what is wrong with those that cannot be evaluated."""
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    return len(rules), tuple(f"rule {rule['name']} cannot be evaluated: {rule.get('lastError', '')}"
                             for rule in rules if rule.get("health") == "err")


def alerts_of(document: dict[str, t.Any]) -> list[Alert]:
    """From /api/v1/alerts: those that fire and want somebody, the worst and the oldest first."""
    found = [
        Alert(one["labels"].get("alertname", ""), one["labels"].get("severity", ""),
              one["annotations"].get("summary", ""), one["activeAt"][:19].replace("T", " "))
        for one in document["alerts"] if one["state"] == "firing" and one["labels"].get("severity") in SEVERITIES]
    return sorted(found, key=lambda alert: (SEVERITIES.index(alert.severity), alert.since, alert.name))


def seconds(stamp: str) -> float:
    """A time since 1970, written as the engine writes it too, in whole seconds."""
    return nanoseconds(stamp) // 10**9


class Prometheus:
    """A Prometheus at an address; ``path`` is what its external URL has before /api/."""

    def __init__(self, address: str, path: str = "/", port: int = 9090) -> None:
        self._address = address
        self._base = f"http://prometheus:{port}{path.rstrip('/')}/api/v1/"

    def ask(self, question: str) -> t.Any:
        """``data`` of an answer; raises :class:`Unreachable`, :class:`MooringError` for any other than success."""
        url = self._base + question
        answer = ask(url, address=self._address)
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            raise Unreachable(f"{url} answered with status {answer.status} and no JSON.") from error
        if answer.status != 200 or document.get("status") != "success":
            raise MooringError(f"{url} was refused: {document.get('error', f'status {answer.status}')}.")
        return document["data"]

    def view(self) -> View:
        """Its targets, rules and configuration."""
        runtime = self.ask("status/runtimeinfo")
        rules, broken = rules_of(self.ask("rules"))
        return View(jobs_of(self.ask("status/config")), targets_of(self.ask("targets?state=active")), rules, broken,
                    seconds(runtime["lastConfigTime"]), bool(runtime["reloadConfigSuccess"]))

    def alerts(self) -> list[Alert]:
        """What fires."""
        return alerts_of(self.ask("alerts"))

    def value(self, expression: str) -> dict[tuple[str, ...], float]:
        """An instant vector: the values of each sample's labels, in the order of their names, and its number."""
        data = self.ask("query?" + urllib.parse.urlencode({"query": expression}))
        return {tuple(value for _name, value in sorted(one["metric"].items())): float(one["value"][1])
                for one in data["result"]}
