# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says that a long task is still at work."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
author:
  - The mooring.stack authors (@mooring)
version_added: "0.1.0"
short_description: Show that a long task is still at work
description:
  - While a task runs for longer than O(interval) seconds, prints one line with its name, its hosts and the seconds
    since it started, and again after each further interval. Says nothing about shorter tasks.
  - Works beside any stdout callback and prints plain lines, on a terminal and elsewhere.
  - After a run of more than O(summary_after) seconds, prints one line with the minutes, the number of changes and the
    three slowest tasks.
  - With the extra variable C(status_format=json), sends everything that Ansible says to standard error, and the
    report of P(mooring.stack.platform_status#module) or P(mooring.stack.release_history#module) alone to standard
    output, so that it can be piped to a parser.
requirements:
  - Enable it with C(callbacks_enabled = mooring.stack.progress) in C(ansible.cfg).
options:
  interval:
    description: Seconds between two lines about the same task.
    type: int
    default: 10
    env:
      - name: MOORING_PROGRESS_INTERVAL
    ini:
      - section: callback_mooring_progress
        key: interval
  summary_after:
    description: Seconds after which a run ends with a summary line.
    type: int
    default: 60
    env:
      - name: MOORING_PROGRESS_SUMMARY_AFTER
    ini:
      - section: callback_mooring_progress
        key: summary_after
"""

import json
import os
import sys
import threading
import time
import typing as t

from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars

REPORT_ACTIONS = ("mooring.stack.platform_status", "mooring.stack.release_history")


class Clockwork:
    """Which tasks run where and since when. No thread, no clock and no output of its own."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.seconds: dict[str, float] = {}  # task name -> the time it took, all hosts in parallel
        self._running: dict[str, dict[str, float]] = {}  # task name -> host -> when it started
        self._began: dict[str, float] = {}
        self._spoken: dict[str, float] = {}

    def started(self, task: str, host: str, now: float) -> None:
        """A host has begun a task."""
        hosts = self._running.setdefault(task, {})
        if not hosts:
            self._began[task] = self._spoken[task] = now
        hosts[host] = now

    def ended(self, task: str, host: str, now: float) -> None:
        """A host has ended a task, in whatever way."""
        hosts = self._running.get(task, {})
        if hosts.pop(host, None) is None or hosts:
            return
        del self._running[task]
        self.seconds[task] = self.seconds.get(task, 0.0) + now - self._began[task]

    def due(self, now: float) -> list[str]:
        """The lines to print now."""
        lines = []
        for task, hosts in self._running.items():
            if now - self._spoken[task] < self.interval:
                continue
            self._spoken[task] = now
            names = sorted(hosts)
            where = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            lines.append(f"  ... {task} [{where}]: {now - self._began[task]:.0f} s")
        return lines

    def summary(self, seconds: float, changed: int) -> str:
        """The last line of a long run."""
        slowest = sorted(self.seconds.items(), key=lambda entry: -entry[1])[:3]
        tasks = "; ".join(f"{name} {taken:.0f} s" for name, taken in slowest)
        return f"{seconds / 60:.1f} minutes, {changed} changed. Slowest: {tasks}."


class CallbackModule(CallbackBase):
    """Feeds a Clockwork from the run's events and prints what it says."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "mooring.stack.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._clockwork = Clockwork(10)
        self._begin = 0.0
        self._descriptor = 1
        self._json = False
        self._report: dict[str, dict[str, t.Any]] = {"hosts": {}, "errors": {}}

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._clockwork = Clockwork(self.get_option("interval"))
        self._begin = time.monotonic()
        self._json = load_extra_vars(playbook.get_loader()).get("status_format") == "json"
        if self._json:
            self._descriptor = 2
            self._send_ansible_to_stderr()
        self._stop.clear()
        # A daemon: a run that is interrupted sends no v2_playbook_on_stats.
        self._thread = threading.Thread(target=self._beat, name="mooring-progress", daemon=True)
        self._thread.start()

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        with self._lock:
            self._clockwork.started(task.get_name(), host.get_name(), time.monotonic())

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._ended(result)
        if self._json and result._task.resolved_action in REPORT_ACTIONS:
            self._report["hosts"][result._host.get_name()] = result._result["status"]

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._ended(result)
        if not ignore_errors:
            self._report["errors"][result._host.get_name()] = str(result._result.get("msg", "failed"))

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._ended(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._ended(result)
        self._report["errors"][result._host.get_name()] = str(result._result.get("msg", "unreachable"))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None
        if self._json:
            sys.stdout.write(json.dumps(self._report, indent=2, sort_keys=True) + "\n")
            sys.stdout.flush()
        seconds = time.monotonic() - self._begin
        if seconds > self.get_option("summary_after"):
            self._display.display(self._clockwork.summary(seconds, sum(stats.changed.values())))

    def _ended(self, result: t.Any) -> None:
        with self._lock:
            self._clockwork.ended(result._task.get_name(), result._host.get_name(), time.monotonic())

    def _beat(self) -> None:
        """Until the run ends: print what is due, once a second at most."""
        while not self._stop.wait(1.0):
            with self._lock:
                lines = self._clockwork.due(time.monotonic())
            for line in lines:
                # Not through Display or sys.stdout: Ansible forks its workers at any moment, and a lock that this
                # thread holds then would stay locked in the worker for ever.
                os.write(self._descriptor, (line + "\n").encode())

    def _send_ansible_to_stderr(self) -> None:
        """Keep standard output for the report alone."""
        display = self._display.display

        def to_stderr(msg: str, color: str | None = None, stderr: bool = True, **kwargs: t.Any) -> None:
            display(msg, color=color, stderr=True, **kwargs)

        self._display.display = to_stderr
