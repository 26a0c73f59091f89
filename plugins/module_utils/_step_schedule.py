# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps one scheduled command as declared."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._files import read_file, write_file
from ansible_collections.mooring.stack.plugins.module_utils._schedule import (
    CRON,
    HEADER,
    PATH,
    SYSTEMD,
    Job,
    Plan,
    Timer,
    decide,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    "directory": {"type": "path", "default": "/"},
    "environment": {"type": "dict", "default": {}},
    "user": {"type": "str", "default": "root"},
    "calendar": {"type": "str", "default": "hourly"},
    "cron": {"type": "str", "default": "17 * * * *"},
    "jitter": {"type": "str", "default": "0"},
    "success": {"type": "list", "elements": "int", "default": []},
    "log_file": {"type": "path", "default": "/dev/null"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RUNNING = "/run/systemd/system"  # exists exactly where systemd is the init
CRON_PID = "/run/crond.pid"
# Where jobs lie, and how their names end there; of one that was removed half-way only the service may be left.
HOLDERS = (("/etc/systemd/system", ".timer"), ("/etc/systemd/system", ".service"), ("/etc/cron.d", ""))
LOGS = "/var/log"


def read_timer(run: t.Callable[..., str], job: Job) -> Timer:
    """What systemd says of both units."""
    said = run("show", "--property=Id,UnitFileState,ActiveState,NeedDaemonReload,DropInPaths", job.timer,
               f"{job.name}.service")
    timer, service = (dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
                      for unit in said.strip().split("\n\n"))
    return Timer(
        timer["UnitFileState"], timer["ActiveState"], "yes" in (timer["NeedDaemonReload"], service["NeedDaemonReload"]),
        tuple(path for unit in (timer, service) for path in unit.get("DropInPaths", "").split()
              if f"/{job.name}." in path))


def cron_is_installed() -> bool:
    """Whether there is a cron at all."""
    return any(shutil.which(program, path=PATH) for program in ("cron", "crond"))


def cron_runs() -> bool:
    """Whether the process that cron noted is there."""
    try:
        with open(CRON_PID, encoding="ascii") as stream:
            return os.path.exists(f"/proc/{int(stream.read())}")
    except (OSError, ValueError):
        return False


def apply(run: t.Callable[..., str], job: Job, plan: Plan, systemd: bool, present: bool) -> None:
    """Interrupted at any point, the next run still sees what is left to do."""
    if systemd and not present and plan:
        run("disable", "--now", job.timer, accept=(1, 5))  # its files may be gone already
        run("stop", f"{job.name}.service", accept=(5,))  # what it has started must not go on
    for path, content in plan.files.items():
        if content is None:
            os.unlink(path)
        else:
            write_file(path, content.encode("utf-8", "surrogateescape"), 0o644)
    if systemd and plan:
        run("daemon-reload")
        if present:
            run("enable", job.timer)
            run("restart", job.timer)


def jobs() -> list[str]:
    """Names of the jobs on this host that are ours, by the first line of their files."""
    found = []
    for folder, suffix in HOLDERS:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if name.endswith(suffix) and os.path.isfile(path) and not os.path.islink(path):
                with open(path, encoding="utf-8", errors="replace") as stream:
                    if stream.readline().rstrip("\n") == HEADER:
                        found.append(name.removesuffix(suffix))
    return list(dict.fromkeys(found))


def unschedule(module: t.Any, name: str) -> None:
    """Stop a job of ours and remove its files. Raises :class:`MooringError`."""
    checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(
        {"name": name, "description": name, "command": [], "state": "absent"})
    converge(module, checked.validated_parameters)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log_file(name))


def log_file(name: str) -> str:
    """Where cron keeps what a job said last, unless it has a place of its own for that."""
    return f"{LOGS}/{name}.log"


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    present = params["state"] == "present"
    job = Job(
        name=params["name"], description=params["description"], command=tuple(params["command"]),
        directory=params["directory"], user=params["user"], calendar=params["calendar"], cron=params["cron"],
        environment={key: str(value) for key, value in params["environment"].items()}, jitter=params["jitter"],
        success=tuple(params["success"]), log_file=params["log_file"])
    job.check()
    systemd = os.path.isdir(RUNNING)

    def run(*arguments: str, accept: tuple[int, ...] = ()) -> str:
        code, out, err = module.run_command(["systemctl", *arguments])
        if code and code not in accept:
            raise MooringError(f"'systemctl {' '.join(arguments)}' failed: {(err or out).strip()}")
        return out

    if present:
        _need_what_runs_it(module, job, systemd)
    timer = read_timer(run, job) if systemd else Timer()
    manager = SYSTEMD if systemd else CRON
    files = {path: read_file(path) for path in job.paths().values()}
    plan = decide(job, manager, present, files, timer, systemd or cron_runs())
    if not module.check_mode:
        apply(run, job, plan, systemd, present)
    return {
        "changed": bool(plan),
        "differences": [one.as_dict() for one in plan.differences],
        "notices": list(plan.notices),
        "manager": manager,
        "diff": [
            {"before_header": path, "after_header": path, "after": content or "",
             "before": found.content.decode("utf-8", "surrogateescape") if (found := files[path]) else ""}
            for path, content in plan.files.items()],
    }


def _need_what_runs_it(module: t.Any, job: Job, systemd: bool) -> None:
    """Refuse before anything is written what could not run afterwards."""
    try:
        pwd.getpwnam(job.user)
    except KeyError:
        raise MooringError(f"There is no user '{job.user}' to run {job.name}. Create it, or name another.") from None
    if systemd:
        code, out, err = module.run_command(["systemd-analyze", "calendar", job.calendar])
        if code:
            raise MooringError(f"'{job.calendar}' is not a time of systemd: {(err or out).strip().splitlines()[0]}. "
                               "Write it like 'hourly' or '*-*-* 06,18:00'; man systemd.time explains it.")
    elif not cron_is_installed():
        raise MooringError(
            f"Neither systemd nor cron runs here, so nothing would start {job.name}. Install cron with "
            "'apt-get install cron', or run the command from a scheduler of your own, such as CI.")
