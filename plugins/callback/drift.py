# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports what is not as declared: a table, a JSON document, an HTML page and an exit code."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
type: aggregate
author:
  - The mooring.stack authors (@mooring)
version_added: "0.2.0"
short_description: Report what on which host is not as declared
description:
  - Collects from the result of each task, by host and component, the C(differences) and C(notices) that it names. A
    component is the role of the task, or the play where a task is in no role. A changed task that names nothing counts
    as one difference.
  - At the end of a playbook file named C(drift.yml), prints a table, writes C(report.json) and C(report.html) into
    O(directory), and ends C(ansible-playbook) with 0 if everything is as declared, with 2 on drift, and with 1 if a
    task failed, a host was not reachable or nothing was checked. Notices alone end with 0.
  - After all other playbooks it says nothing and leaves the exit code alone. O(report_file) records what they found.
requirements:
  - Enable it with C(callbacks_enabled = mooring.stack.progress, mooring.stack.drift) in C(ansible.cfg). It comes last,
    because it may end the run.
options:
  directory:
    description:
      - Directory on the controller for the report, relative to the one that C(ansible-playbook) was started in.
      - The report holds values of the configuration. It is readable by its owner only.
    type: str
    default: .cache/drift
    env:
      - name: MOORING_DRIFT_DIRECTORY
    ini:
      - section: callback_mooring_drift
        key: directory
  report_file:
    description: A file that gets the JSON document of any playbook's run, also of one that changes hosts.
    type: str
    default: ""
    env:
      - name: MOORING_DRIFT_REPORT
    ini:
      - section: callback_mooring_drift
        key: report_file
"""

import datetime
import os
import pathlib
import shutil
import typing as t

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.mooring.stack.plugins.module_utils._files import write_file
from ansible_collections.mooring.stack.plugins.plugin_utils._drift import (
    COLLECTOR,
    DRIFT,
    ERROR,
    EXIT_CODES,
    build,
    table,
    to_json,
)
from ansible_collections.mooring.stack.plugins.plugin_utils._drift_page import page

PLAYBOOK = "drift.yml"
# Ansible runs it for each role, whatever the tags: that a role's arguments are in order says nothing about its host.
ARGUMENTS = "ansible.builtin.validate_argument_spec"
JSON_FILE = "report.json"
PAGE_FILE = "report.html"
# Where no terminal says how wide it is, a line may be as long as a log can bear.
NO_TERMINAL = (200, 24)
COLOURS = {ERROR: C.COLOR_ERROR, DRIFT: C.COLOR_CHANGED}


class CallbackModule(CallbackBase):
    """Feeds the collector from the run's events and writes what is made of it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "mooring.stack.drift"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._reports = False
        self._playbook = ""
        self._play = ""
        self._began = ""
        # Ansible makes a warning of an exception in a callback. A result that is lost so must not look like no drift.
        self._unread = 0

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        path = pathlib.Path(playbook._file_name)
        self._playbook = str(playbook._file_name)
        self._reports = path.name == PLAYBOOK
        self._began = _now()
        self._unread = 0
        COLLECTOR.start(active=self._reports or bool(self.get_option("report_file")))

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._take(result, COLLECTOR.took)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._take(result, COLLECTOR.took)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._take(result, COLLECTOR.took if ignore_errors else COLLECTOR.failed)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._take(result, COLLECTOR.failed)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if not COLLECTOR.active:
            return
        code = EXIT_CODES[ERROR]
        try:
            code = self._report(stats)
        finally:
            # A report that could not be made ends with the code of an error, whatever stopped it. send_callback lets
            # SystemExit pass, and Ansible cleans up on the way out.
            if self._reports and code:
                raise SystemExit(code)

    def _take(self, result: t.Any, give: t.Callable[..., None]) -> None:
        if not COLLECTOR.active:
            return
        task = result._task
        if task.resolved_action == ARGUMENTS and give == COLLECTOR.took:
            return
        self._unread += 1
        role = task._role.get_name(include_role_fqcn=False) if task._role else ""
        give(result._host.get_name(), role, self._play, task.name or task.action, result._result)
        self._unread -= 1

    def _report(self, stats: t.Any) -> int:
        """Write and print; the exit code."""
        failed = {host for host in stats.processed if stats.failures.get(host) or stats.dark.get(host)}
        report = build(COLLECTOR, failed, self._about(), self._unread)
        document = to_json(report)
        directory = pathlib.Path(self.get_option("directory")).expanduser()
        try:
            if self.get_option("report_file"):
                _write(pathlib.Path(self.get_option("report_file")), document)
            if self._reports:
                _write(directory / JSON_FILE, document)
                _write(directory / PAGE_FILE, page(report))
        except OSError as error:
            self._display.error(f"The drift report could not be written: {error}.")
            return EXIT_CODES[ERROR]
        if self._reports:
            width = shutil.get_terminal_size(NO_TERMINAL).columns
            self._display.display(table(report, width), color=COLOURS.get(report["status"], C.COLOR_OK))
            self._display.display(f"Report: {directory / PAGE_FILE} and {JSON_FILE} beside it.")
        return report["exit_code"]

    def _about(self) -> dict[str, t.Any]:
        """What was checked, and when."""
        said = context.CLIARGS
        tags = [tag for tag in said.get("tags") or [] if tag != "all"]
        return {
            "playbook": self._playbook,
            "inventory": [_short(source) for source in said.get("inventory") or []],
            "limit": said.get("subset") or "",
            "tags": [*tags, *(f"not {tag}" for tag in said.get("skip_tags") or [])],
            "check_mode": bool(said.get("check")),
            "began": self._began,
            "ended": _now(),
        }


def _short(source: str) -> str:
    """An inventory as one would type it here."""
    path = pathlib.Path(source)
    return str(path.relative_to(pathlib.Path.cwd())) if path.is_relative_to(pathlib.Path.cwd()) else str(source)


def _write(path: pathlib.Path, text: str) -> None:
    """For the one who runs it: the report names values of the configuration."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(str(path), text.encode("utf-8", "replace"), 0o600, os.geteuid(), os.getegid())


def _now() -> str:
    """The time with its zone."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
