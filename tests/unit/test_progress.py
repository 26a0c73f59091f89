# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback that says a long task is still at work."""

from __future__ import annotations

import json
import threading
import types

import pytest
from ansible_collections.mooring.stack.plugins.callback.progress import CallbackModule, Clockwork


def test_a_short_task_is_not_mentioned():
    clockwork = Clockwork(10)
    clockwork.started("Write a file", "one", 0)
    assert clockwork.due(9.9) == []
    clockwork.ended("Write a file", "one", 9.9)
    assert clockwork.due(100) == []


def test_a_long_task_is_mentioned_once_per_interval():
    clockwork = Clockwork(10)
    clockwork.started("Build", "one", 100)
    said = [line for now in range(100, 141) for line in clockwork.due(now)]
    assert said == [f"  ... Build [one]: {seconds} s" for seconds in (10, 20, 30, 40)]


@pytest.mark.parametrize("hosts, shown", [
    (["b", "a"], "a, b"),
    (["a", "b", "c"], "a, b, c"),
    (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
])
def test_hosts_are_named(hosts, shown):
    clockwork = Clockwork(10)
    for host in hosts:
        clockwork.started("Build", host, 0)
    assert clockwork.due(10) == [f"  ... Build [{shown}]: 10 s"]


def test_hosts_that_are_done_are_no_longer_named_but_the_clock_goes_on():
    clockwork = Clockwork(10)
    clockwork.started("Build", "a", 0)
    clockwork.started("Build", "b", 0)
    clockwork.ended("Build", "a", 5)
    assert clockwork.due(10) == ["  ... Build [b]: 10 s"]
    clockwork.ended("Build", "b", 12)
    assert clockwork.seconds == {"Build": 12}


def test_an_end_without_a_beginning_is_ignored():
    clockwork = Clockwork(10)
    clockwork.ended("Build", "a", 5)
    assert clockwork.seconds == {}


def test_the_summary_names_the_three_slowest_tasks():
    clockwork = Clockwork(10)
    for name, seconds in (("a", 5), ("b", 50), ("c", 20), ("d", 1)):
        clockwork.started(name, "host", 0)
        clockwork.ended(name, "host", seconds)
    assert clockwork.summary(90, 4) == "1.5 minutes, 4 changed. Slowest: b 50 s; c 20 s; a 5 s."


@pytest.fixture()
def callback(monkeypatch):
    plugin = CallbackModule()
    options = {"interval": 0, "summary_after": 1000}
    monkeypatch.setattr(plugin, "get_option", options.__getitem__)
    monkeypatch.setattr(f"{CallbackModule.__module__}.load_extra_vars", lambda loader: {})
    return plugin


def named(name):
    return types.SimpleNamespace(get_name=lambda: name)


def test_the_thread_speaks_and_ends_with_the_run(callback, capfd):
    spoken = threading.Event()
    due = Clockwork.due

    def watched(self, now):
        lines = due(self, now)
        if lines:
            spoken.set()
        return lines

    callback.v2_playbook_on_start(types.SimpleNamespace(get_loader=lambda: None))
    callback._clockwork.due = types.MethodType(watched, callback._clockwork)
    callback.v2_runner_on_start(named("host"), named("Build"))
    assert spoken.wait(10)
    callback.v2_runner_on_ok(types.SimpleNamespace(_task=named("Build"), _host=named("host"), _result={}))
    callback.v2_playbook_on_stats(types.SimpleNamespace(changed={}))
    assert "  ... Build [host]" in capfd.readouterr().out
    assert "mooring-progress" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("action", ["platform_status", "release_history"])
def test_a_program_gets_one_document_and_nothing_else(callback, monkeypatch, capfd, action):
    monkeypatch.setattr(f"{CallbackModule.__module__}.load_extra_vars", lambda loader: {"status_format": "json"})
    # The display is one for the whole process: its method must not stay replaced.
    monkeypatch.setattr(callback._display, "display", callback._display.display)
    callback.v2_playbook_on_start(types.SimpleNamespace(get_loader=lambda: None))
    callback._display.display("PLAY [What runs where]")
    task = types.SimpleNamespace(get_name=lambda: "Say", resolved_action=f"mooring.stack.{action}")
    callback.v2_runner_on_ok(types.SimpleNamespace(_task=task, _host=named("one"), _result={"status": {"engine": "1"}}))
    callback.v2_runner_on_unreachable(types.SimpleNamespace(_task=task, _host=named("two"), _result={"msg": "gone"}))
    callback.v2_playbook_on_stats(types.SimpleNamespace(changed={}))
    said = capfd.readouterr()
    assert json.loads(said.out) == {"hosts": {"one": {"engine": "1"}}, "errors": {"two": "gone"}}
    assert "PLAY" in said.err
