# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of release_lock: says which run takes the lock, and whether the one that has it is gone.

The host cannot tell: what it sees of a run are connections, and those outlive it.
"""

from __future__ import annotations

import os
import pwd
import socket
import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """See the module's documentation for its options."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Try; if the holder ran on this machine and is gone, try again and say so."""
        super().run(tmp, task_vars)
        # Tasks run in children of ansible-playbook.
        playbook = os.getppid()
        arguments = {**self._task.args, "by": self._task.args.get("by") or pwd.getpwuid(os.getuid()).pw_name,
                     "holder": {"machine": socket.gethostname(), "pid": playbook, "started": started(playbook)}}
        result = self._ask(arguments, task_vars)
        refused_by = result.get("holder")
        if result.get("failed") and refused_by and is_gone(refused_by):
            result = self._ask({**arguments, "gone": refused_by}, task_vars)
        return result

    def _ask(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        return self._execute_module(
            module_name="mooring.stack.release_lock", module_args=arguments, task_vars=task_vars)


def is_gone(holder: dict[str, t.Any]) -> bool:
    """Whether a run that took the lock from this machine has ended."""
    if holder["machine"] != socket.gethostname():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        # Somebody else's process, so there is one.
        pass
    # The number may have been given to another process since.
    return bool(holder["started"]) and started(holder["pid"]) != holder["started"]


def started(pid: int) -> str:
    """When a process started, in the kernel's own words; empty where /proc does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            # The command name stands in parentheses and may contain anything.
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""
