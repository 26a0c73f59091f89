# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a host's metrics from what the callback drift has collected, and sends them to the module."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.mooring.stack.plugins.plugin_utils._drift import COLLECTOR, metrics


class ActionModule(ActionBase):
    """Runs in a fork of the process that holds the collector, so it sees what all earlier plays found."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        if not COLLECTOR.active:
            raise AnsibleActionFail(
                "Nobody collects what the tasks find. Put mooring.stack.drift into callbacks_enabled of ansible.cfg "
                "and run playbooks/drift.yml.")
        host = (task_vars or {})["inventory_hostname"]
        content = metrics(COLLECTOR.hosts.get(host, {}), time.time())
        return self._execute_module(
            "mooring.stack.drift_metrics", module_args={**self._task.args, "content": content}, task_vars=task_vars)
