# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what the module release_history found; Ansible would show it as one long line of JSON."""

from __future__ import annotations

import json
import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()

CALLBACK = "mooring.stack.progress"


class ActionModule(ActionBase):
    """Runs the module of the same name and prints its result."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ask the host, print the answer."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        host = task_vars["inventory_hostname"]
        result = self._execute_module(
            module_name="mooring.stack.release_history", module_args=self._task.args, task_vars=task_vars)
        if result.get("failed"):
            return result
        if self._task.args.get("format") != "json":
            for name, lines in result["text"].items():
                display.display("\n".join(["", f"{host}, {name}", *lines]))
            display.display("")
        elif CALLBACK not in C.CALLBACKS_ENABLED:  # which prints one document for all hosts
            display.display(json.dumps({"hosts": {host: result["status"]}}, indent=2))
        return result
