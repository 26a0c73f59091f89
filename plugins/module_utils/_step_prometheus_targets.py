# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that proves that Prometheus sees what it is told to look at."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable
from ansible_collections.mooring.stack.plugins.module_utils._prometheus import Prometheus, Target, View

ARGUMENT_SPEC: dict[str, t.Any] = {
    "container": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "path": {"type": "str", "default": "/"},
    "configuration": {"type": "path", "required": True},
    "optional": {"type": "list", "elements": "str", "default": []},
    "must_be_one": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 60},
}
INTERVAL = 1.0
# Over a quarter of an hour, because Alertmanager tries again for a while; by who is told and why it failed.
UNDELIVERED = "sum by (integration, reason) (increase(alertmanager_notifications_failed_total[15m])) > 0"


def changed_at(directory: str) -> float:
    """When the youngest file below a directory was put there, in seconds since 1970; 0 for none."""
    return max((os.lstat(os.path.join(folder, name)).st_ctime
                for folder, _folders, names in os.walk(directory) for name in names), default=0.0)


def fault(view: View, since: float) -> str:
    """What is wrong with the configuration that Prometheus works with; "" for nothing."""
    if not view.reloaded:
        return "Prometheus could not read its new configuration and goes on with an older one: see its log."
    # The API tells whole seconds.
    if view.loaded_at < int(since):
        return "Prometheus has not read what lies there: a file is newer, and no run has put it there."
    return ""


def missing(view: View, optional: t.Collection[str]) -> list[Target]:
    """The targets that have to be up and are not, and the jobs that have to have one."""
    found = [target for target in view.targets if target.health != "up"]
    idle = {*view.jobs} - {target.job for target in view.targets}
    found += [Target(job, "", "unknown", "no target") for job in sorted(idle)]
    return [target for target in found if target.job not in optional]


def zeros(prometheus: Prometheus, names: t.Iterable[str]) -> list[Target]:
    """What an exporter says of what it looks at: these metrics that are not 1."""
    return [Target(name, "", "down", "is 0") for name in names if prometheus.value(f"{name} != 1")]


def wait(prometheus: Prometheus, since: float, params: dict[str, t.Any]) -> tuple[View, list[Target]]:
    """Look until everything is up, or until the time is over; the last view, and what is not.

    Raises :class:`Unreachable`.
    """
    deadline = time.monotonic() + params["timeout"]
    while True:
        refused: Unreachable | None = None
        try:
            view = prometheus.view()
            down = missing(view, params["optional"]) + zeros(prometheus, params["must_be_one"])
            if view.targets and not down and not fault(view, since):
                return view, []
        except Unreachable as error:
            refused = error
        if time.monotonic() > deadline:
            if refused:
                raise refused
            return view, down
        time.sleep(INTERVAL)


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Look; changes nothing. Raises :class:`MooringError` for what a run should have brought about."""
    docker = Docker(module.run_command)
    address = docker.address(params["container"], params["network"])
    if not address and module.check_mode:
        return _nothing()
    with docker.inside(params["container"]):
        return _look(module, params, address)


def _nothing() -> dict[str, t.Any]:
    return {"changed": False, "differences": [], "notices": [], "up": 0, "targets": 0, "rules": 0}


def _look(module: t.Any, params: dict[str, t.Any], address: str) -> dict[str, t.Any]:
    result = _nothing()
    prometheus = Prometheus(address, params["path"])
    since = changed_at(params["configuration"])
    if module.check_mode:
        # What is not in order yet, the run that follows may put in order.
        try:
            view, down = prometheus.view(), []
            undelivered = prometheus.value(UNDELIVERED)
        except MooringError:
            return result
    else:
        view, down = wait(prometheus, since, params)
        undelivered = prometheus.value(UNDELIVERED)
    result.update(targets=len(view.targets), rules=view.rules,
                  up=sum(target.health == "up" for target in view.targets))
    if not module.check_mode and not view.reloaded:
        raise MooringError(fault(view, since), **result)
    if down:
        raise MooringError(f"Prometheus does not see everything: {'; '.join(map(str, down))}.", **result)
    result["notices"] = [
        *(f"monitoring: {target} is not reached." for target in view.targets if target.health == "down"),
        *(f"monitoring: {broken}" for broken in view.broken_rules),
        *([f"monitoring: {fault(view, since)}"] if fault(view, since) else []),
        *(f"monitoring: alerts could not be delivered ({', '.join(filter(None, who))}); see the log of Alertmanager."
          for who in undelivered)]
    return result
