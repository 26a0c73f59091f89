# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what the module platform_status found; Ansible would show it as one long line of JSON."""

from __future__ import annotations

import json
import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mooring.stack.plugins.plugin_utils import _steps

display = Display()

CALLBACK = "mooring.stack.progress"


class ActionModule(ActionBase):
    """Runs the module of the same name and prints its result."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        host = (task_vars or {})["inventory_hostname"]
        result = _steps.run_one(self, "platform_status", dict(self._task.args), task_vars or {})
        if result.get("failed"):
            return result
        if self._task.args.get("format") != "json":
            engine = result["status"]["engine"]
            title = f"{host}, Docker {engine}" if engine else f"{host}, no Docker engine answers"
            if result["status"]["collection"]:
                title += f", mooring.stack {result['status']['collection']}"
            display.display("\n".join(["", title, *result["text"], ""]))
        elif CALLBACK not in C.CALLBACKS_ENABLED:  # which prints one document for all hosts
            display.display(json.dumps({"hosts": {host: result["status"]}}, indent=2))
        return result
