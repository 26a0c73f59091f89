# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scheduled command: what its files hold, what counts as drift, and what is done about it."""

from __future__ import annotations

import configparser
import dataclasses
import os
import pathlib
import pwd
import shlex
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _step_schedule as step
from ansible_collections.mooring.stack.plugins.module_utils._differences import File
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._schedule import (
    CRON,
    HEADER,
    SYSTEMD,
    Job,
    Timer,
    cron_file,
    decide,
    declared,
    service_unit,
    timer_unit,
)

JOB = Job(name="mooring-drift", description="Drift check", command=("/opt/ansible-playbook", "--check", "drift.yml"),
          directory="/srv/platform", user="deploy", calendar="hourly", cron="17 * * * *",
          environment={"LC_ALL": "C.UTF-8"}, jitter="5min", success=(2,), log_file="/srv/platform/.cache/cron.log")
SERVICE, TIMER, CRON_FILE = JOB.paths().values()
RUNS = Timer("enabled", "active")


def as_declared(manager=SYSTEMD):
    return {path: None if content is None else File(content.encode())
            for path, content in declared(JOB, manager, True).items()}


def unit(text):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(text)
    return parser


# ---------------------------------------------------------------- files


def test_the_units():
    service, timer = unit(service_unit(JOB)), unit(timer_unit(JOB))
    assert dict(service["Service"]) == {
        "Type": "oneshot", "User": "deploy", "WorkingDirectory": "/srv/platform", "Environment": '"LC_ALL=C.UTF-8"',
        "ExecStart": '"/opt/ansible-playbook" "--check" "drift.yml"', "SuccessExitStatus": "2"}
    assert dict(timer["Timer"]) == {"OnCalendar": "hourly", "RandomizedDelaySec": "5min", "Persistent": "true"}
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_systemd_reads_words_as_they_are():
    odd = dataclasses.replace(JOB, command=("/bin/a b", 'c"d', "e\\f", "$HOME", "100%"), directory="/srv/50%",
                              environment={"A": "$x %n"})
    service = unit(service_unit(odd))["Service"]
    assert service["ExecStart"] == r'"/bin/a b" "c\"d" "e\\f" "$$HOME" "100%%"'
    assert service["WorkingDirectory"] == "/srv/50%%"
    assert service["Environment"] == '"A=$x %%n"'  # no variables are expanded there


def test_the_cron_file():
    lines = cron_file(JOB).splitlines()
    assert lines[-1].startswith(
        "17 * * * * deploy umask 077 && cd /srv/platform && mkdir -p /srv/platform/.cache && env ")
    assert lines[-1].endswith(">/srv/platform/.cache/cron.log 2>&1")
    assert any(line.startswith("PATH=/usr/local/sbin:") for line in lines)
    assert cron_file(JOB).endswith("\n")  # cron ignores a last line without an end


def test_cron_reads_words_as_they_are():
    odd = dataclasses.replace(JOB, command=("/bin/a b", "c'd", "$HOME", "100%"))
    line = cron_file(odd).splitlines()[-1]
    assert "100\\%" in line and line.count("%") == line.count("\\%")
    command = line.replace("\\%", "%").partition("&& env ")[2].rpartition(" >")[0]
    assert shlex.split(command) == ["LC_ALL=C.UTF-8", "/bin/a b", "c'd", "$HOME", "100%"]


@pytest.mark.parametrize("change, text", [
    ({"name": "a.b"}, "cannot name a job"),
    ({"name": "../x"}, "cannot name a job"),
    ({"command": ("a\nb",)}, "more than one line"),
    ({"user": "root\nExecStart=/bin/evil"}, "more than one line"),
    ({"environment": {"A": "b\nc"}}, "more than one line"),
    ({"cron": "17 * * *"}, "not a time of cron"),
    ({"cron": "* * * * * root rm"}, "not a time of cron"),
    ({"cron": "@reboot"}, "not a time of cron"),
])
def test_what_is_refused(change, text):
    with pytest.raises(MooringError, match=text):
        dataclasses.replace(JOB, **change).check()


@pytest.mark.parametrize("cron", ["17 * * * *", "*/5 6-18 1,15 jan mon-fri", "@daily"])
def test_times_of_cron(cron):
    dataclasses.replace(JOB, cron=cron).check()


# ---------------------------------------------------------------- decisions


def fields(plan):
    return [(one.object, one.field, one.expected, one.found) for one in plan.differences]


def test_as_declared_is_no_difference():
    assert not decide(JOB, SYSTEMD, True, as_declared(), RUNS)
    assert not decide(JOB, CRON, True, as_declared(CRON), Timer())
    assert not decide(JOB, SYSTEMD, False, {}, Timer())
    assert not decide(JOB, CRON, False, {}, Timer(), daemon_runs=False).notices


def test_the_first_run():
    plan = decide(JOB, SYSTEMD, True, {}, Timer())
    assert fields(plan) == [
        (f"file {SERVICE}", "presence", "present", None), (f"file {TIMER}", "presence", "present", None),
        ("timer mooring-drift.timer", "enabled", "enabled", None),
        ("timer mooring-drift.timer", "state", "active", "inactive")]
    assert plan.files == {SERVICE: service_unit(JOB), TIMER: timer_unit(JOB)}
    assert decide(JOB, CRON, True, {}, Timer()).files == {CRON_FILE: cron_file(JOB)}


@pytest.mark.parametrize("timer, expected", [
    (Timer("disabled", "active"), ("enabled", "enabled", "disabled")),
    (Timer("masked", "active"), ("enabled", "enabled", "masked")),
    (Timer("enabled", "inactive"), ("state", "active", "inactive")),
    (Timer("enabled", "failed"), ("state", "active", "failed")),
    (Timer("enabled", "active", stale=True), ("definition in force", "the file on disk", "an older one")),
])
def test_drift_of_the_timer(timer, expected):
    plan = decide(JOB, SYSTEMD, True, as_declared(), timer)
    assert fields(plan) == [("timer mooring-drift.timer", *expected)] and not plan.files


@pytest.mark.parametrize("manager, path", [(SYSTEMD, SERVICE), (SYSTEMD, TIMER), (CRON, CRON_FILE)])
@pytest.mark.parametrize("change, field", [
    ({"content": b"edited"}, "content"), ({"mode": "0666"}, "mode"), ({"owner": 1000}, "owner"), (None, "presence")])
def test_drift_of_a_file(manager, path, change, field):
    found = as_declared(manager)
    found[path] = dataclasses.replace(found[path], **change) if change else None
    plan = decide(JOB, manager, True, found, RUNS)
    assert [one[:2] for one in fields(plan)] == [(f"file {path}", field)]
    assert plan.files == {path: declared(JOB, manager, True)[path]}


def test_a_machine_that_got_systemd_loses_the_cron_file():
    found = {**as_declared(), CRON_FILE: File(b"old")}
    plan = decide(JOB, SYSTEMD, True, found, RUNS)
    assert fields(plan) == [(f"file {CRON_FILE}", "presence", None, "present")] and plan.files == {CRON_FILE: None}


def test_absent():
    plan = decide(JOB, SYSTEMD, False, as_declared(), RUNS)
    assert plan.files == {SERVICE: None, TIMER: None}
    assert fields(plan)[-1] == ("timer mooring-drift.timer", "state", "inactive", "active")


def test_notices_are_no_difference():
    plan = decide(JOB, SYSTEMD, True, as_declared(), dataclasses.replace(RUNS, overrides=("/etc/x.conf",)))
    assert not plan and "/etc/x.conf" in plan.notices[0]
    plan = decide(JOB, CRON, True, as_declared(CRON), Timer(), daemon_runs=False)
    assert not plan and "cron does not run" in plan.notices[0]


# ---------------------------------------------------------------- the step on a host


class Systemd:
    """Answers like systemctl, as far as the step asks."""

    def __init__(self):
        self.enabled, self.active, self.stale, self.said, self.calendar = "", "inactive", "no", [], 0

    def __call__(self, argv):
        self.said.append(argv[1])
        if argv[1] == "show":
            both = f"NeedDaemonReload={self.stale}\nDropInPaths=/usr/lib/systemd/system/service.d/10.conf\n"
            timer, service = f"UnitFileState={self.enabled}\nActiveState={self.active}\n", "ActiveState=inactive\n"
            return 0, f"{timer}{both}\n{service}{both}", ""
        if argv[1] == "calendar":
            return self.calendar, "", "Failed to parse calendar expression"
        if argv[1] == "disable":
            self.enabled, self.active = "", "inactive"
        if argv[1] == "enable":
            self.enabled = "enabled"
        if argv[1] == "restart":
            self.active = "active"
        return 0, "", ""


@pytest.fixture()
def host(monkeypatch, tmp_path):
    """A host whose files lie below a directory; runs the step on it."""
    systemd = Systemd()
    monkeypatch.setattr(Job, "paths", lambda self: {
        "service": f"{tmp_path}/{self.name}.service", "timer": f"{tmp_path}/{self.timer}",
        "cron": f"{tmp_path}/{self.name}"})
    monkeypatch.setattr(step, "RUNNING", str(tmp_path))
    monkeypatch.setattr(step, "CRON_PID", str(tmp_path / "crond.pid"))
    monkeypatch.setattr(step.os, "lstat", owned_by_root(os.lstat))
    monkeypatch.setattr(step, "write_file", lambda path, content, mode: (
        pathlib.Path(path).write_bytes(content), os.chmod(path, mode)))

    def converge(check=False, **changes):
        params = {**dataclasses.asdict(JOB), "user": pwd.getpwuid(os.geteuid()).pw_name, "state": "present", **changes}
        return step.converge(types.SimpleNamespace(run_command=systemd, check_mode=check), params)

    converge.systemd, converge.root = systemd, tmp_path
    return converge


def owned_by_root(lstat):
    return lambda path: types.SimpleNamespace(st_mode=lstat(path).st_mode, st_uid=0)


def test_check_mode_predicts_the_run_and_the_second_changes_nothing(host):
    predicted = host(check=True)
    assert list(host.root.iterdir()) == []
    assert set(host.systemd.said) == {"show", "calendar"}
    done = host()
    assert predicted == done and done["changed"] and done["manager"] == "systemd"
    assert sorted(path.name for path in host.root.iterdir()) == ["mooring-drift.service", "mooring-drift.timer"]
    assert host.systemd.said[-3:] == ["daemon-reload", "enable", "restart"]
    again = host()
    assert not again["changed"] and again["differences"] == again["notices"] == [] and host.systemd.said[-1] == "show"


def test_an_edited_file_is_shown_and_healed(host):
    host()
    path = host.root / "mooring-drift.timer"
    path.write_text("edited")
    done = host()
    assert [one["field"] for one in done["differences"]] == ["content"]
    assert done["diff"][0]["before"] == "edited" and "OnCalendar" in done["diff"][0]["after"]
    assert not host()["changed"]


def test_a_stopped_timer_is_healed(host):
    host()
    host.systemd.enabled, host.systemd.active = "disabled", "inactive"
    assert [one["field"] for one in host()["differences"]] == ["enabled", "state"]
    assert (host.systemd.enabled, host.systemd.active) == ("enabled", "active")


def test_a_link_in_place_of_a_file_is_drift(host):
    host()
    path = host.root / "mooring-drift.timer"
    path.unlink()
    path.symlink_to("/dev/null")
    assert {"content", "mode"} == {one["field"] for one in host(check=True)["differences"]}


def test_absent_removes_it_and_is_done_then(host):
    host()
    assert host(state="absent")["changed"] and list(host.root.iterdir()) == []
    assert host.systemd.said[-2:] == ["stop", "daemon-reload"]
    assert not host(state="absent")["changed"]


def test_a_time_that_systemd_cannot_read_is_refused_before_anything_is_written(host):
    host.systemd.calendar = 1
    with pytest.raises(MooringError, match="not a time of systemd"):
        host()
    assert list(host.root.iterdir()) == []


def test_a_user_that_does_not_exist_is_refused(host):
    with pytest.raises(MooringError, match="no user 'nobody-at-all'"):
        host(user="nobody-at-all")


def test_a_failing_systemctl_is_told(host, monkeypatch):
    monkeypatch.setattr(host.systemd, "said", [])
    module = types.SimpleNamespace(run_command=lambda argv: (1, "", "no bus"), check_mode=False)
    with pytest.raises(MooringError, match="no bus"):
        step.converge(module, {**dataclasses.asdict(JOB), "state": "absent"})


def test_cron(host, monkeypatch):
    monkeypatch.setattr(step, "RUNNING", "/no/such/place")
    monkeypatch.setattr(step.shutil, "which", lambda program, path: f"/usr/sbin/{program}")
    done = host()
    assert done["changed"] and done["manager"] == "cron" and "cron does not run" in done["notices"][0]
    assert [path.name for path in host.root.iterdir()] == ["mooring-drift"] and host.systemd.said == []
    (host.root / "crond.pid").write_text(f"{os.getpid()}\n")
    again = host()
    assert not again["changed"] and again["notices"] == []
    (host.root / "crond.pid").write_text("no number")
    assert host()["notices"] and host(state="absent")["changed"]


def test_without_systemd_and_cron_it_says_what_to_do(host, monkeypatch):
    monkeypatch.setattr(step, "RUNNING", "/no/such/place")
    monkeypatch.setattr(step.shutil, "which", lambda program, path: None)
    with pytest.raises(MooringError, match="apt-get install cron"):
        host()
    assert not host(state="absent")["changed"]


def test_jobs_are_found_by_whatever_is_left_of_them(tmp_path, monkeypatch):
    units, cron = tmp_path / "units", tmp_path / "cron"
    monkeypatch.setattr(step, "HOLDERS", ((str(units), ".timer"), (str(units), ".service"), (str(cron), "")))
    assert step.jobs() == []
    units.mkdir()
    cron.mkdir()
    for path in (units / "one.timer", units / "one.service", units / "half.service", cron / "two"):
        path.write_text(f"{HEADER}\nmore\n")
    (units / "other.service").write_text("[Unit]\n")
    (units / "link.timer").symlink_to(units / "one.timer")
    assert step.jobs() == ["one", "half", "two"]


def test_the_log_of_a_job_goes_with_it(host, tmp_path, monkeypatch):
    host()
    monkeypatch.setattr(step, "LOGS", str(tmp_path / "logs"))
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / f"{JOB.name}.log"
    log.touch()
    module = types.SimpleNamespace(run_command=host.systemd, check_mode=False)
    for _again in range(2):
        step.unschedule(module, JOB.name)
        assert not log.exists()
