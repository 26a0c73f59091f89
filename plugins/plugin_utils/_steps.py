# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what the controller halves of steps share."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference

MODULE = "mooring.stack.component"

display = Display()


def run(
    action: ActionBase, steps: list[dict[str, t.Any]], task_vars: dict[str, t.Any], **others: t.Any,
) -> dict[str, t.Any]:
    """One module call with these steps, whatever the task is called.

    Ansible packs a module once per run and name, which takes as long as the
    module itself; so all go by one name.
    """
    answer = action._execute_module(module_name=MODULE, module_args={"steps": steps, **others}, task_vars=task_vars)
    # It repeats what the task says, and helps nobody.
    answer.pop("invocation", None)
    return answer


def run_one(
    action: ActionBase, name: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any],
) -> dict[str, t.Any]:
    """One module call with one step; the result is the one of the module of that name."""
    answer = run(action, [{name: arguments}], task_vars)
    own = (answer.pop("steps", None) or [{}])[-1]
    own.pop("step", None)
    return {**answer, **own}


def print_changes(label: str, result: dict[str, t.Any], said: set[str] | None = None) -> None:
    """What is done about what, one line each, where anything is; not what was ``said`` of an earlier step."""
    said = set() if said is None else said
    if not (result.get("changed") or result.get("failed") or result.get("differences")):
        return
    lines = result.get("changes") or ()
    if not all(isinstance(line, str) for line in lines) or not lines:
        lines = [str(Difference(**one)) for one in result.get("differences") or ()]
    for line in (f"  {label}: {line}" for line in lines):
        if line not in said:
            display.display(line)
    said.update(f"  {label}: {line}" for line in lines)
