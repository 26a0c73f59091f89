# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps daemon.json as declared and the daemon running."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import tempfile
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_engine import (
    CONFIG_FILE,
    LOG_FILE,
    MARKER,
    Daemon,
    DaemonPlan,
    decide_daemon,
    is_adopted,
    parsed,
    version,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import ENGINE

CONFIG = pathlib.Path(CONFIG_FILE)
PID_FILE = pathlib.Path("/run/docker.pid")  # written by the daemon itself, at each start
LOG_LINES = 20
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ARGUMENT_SPEC: dict[str, t.Any] = {
    "config": {"type": "dict"},
    "leave_adopted": {"type": "bool", "default": False},
    "allow_restart": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 60},
}


class Service:
    """Starts and stops the daemon, by systemd or without any init."""

    def __init__(self, module: t.Any, daemon: str) -> None:
        self._module, self._daemon = module, daemon
        self._systemd = os.path.isdir("/run/systemd/system")

    def at_boot(self) -> bool | None:
        """Whether systemd starts it at boot; None without systemd or without such a unit."""
        if not self._systemd:
            return None
        said = self._run("systemctl", "is-enabled", "docker.service")[1].strip()
        return None if said in ("", "not-found") else said not in ("disabled", "masked", "masked-runtime")

    def enable(self) -> None:
        self._must("systemctl", "enable", "docker.service")

    def start(self) -> None:
        if self._systemd:
            # a unit that failed too often is not started again without this
            self._run("systemctl", "reset-failed", "docker.service")
            self._must("systemctl", "start", "docker.service")
            return
        # Containers inherit the daemon's limit of open files; a login's 1024 is too low for databases.
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._must("start-stop-daemon", "--start", "--oknodo", "--background", "--chdir", "/",
                   "--pidfile", str(PID_FILE), "--output", LOG_FILE, "--exec", self._daemon)

    def stop(self) -> None:
        if self._systemd:
            self._must("systemctl", "stop", "docker.service")
        else:
            self._must("start-stop-daemon", "--stop", "--oknodo", "--pidfile", str(PID_FILE), "--exec", self._daemon,
                       "--retry", "TERM/60/KILL/5")

    def gone(self) -> bool:
        """Whether the daemon ended by itself, so that waiting for it is in vain."""
        if self._systemd:
            return self._run("systemctl", "is-failed", "docker.service")[0] == 0
        # start-stop-daemon returns before the daemon has written its PID, so its name is looked for
        return self._run("start-stop-daemon", "--status", "--exec", self._daemon)[0] == 3

    def log(self) -> str:
        if self._systemd:
            command = ["journalctl", "--unit", "docker.service", "--lines", str(LOG_LINES), "--no-pager"]
        else:
            command = ["tail", "--lines", str(LOG_LINES), LOG_FILE]
        return self._run(*command)[1].strip()

    def _run(self, *argv: str) -> tuple[int, str, str]:
        return self._module.run_command(list(argv), environ_update={"PATH": SYSTEM_PATH})

    def _must(self, *argv: str) -> None:
        rc, out, err = self._run(*argv)
        if rc != 0:
            raise MooringError(f"{CommandFailed(list(argv), rc, out, err)}\n{self.log()}")


def read(module: t.Any, params: dict[str, t.Any]) -> tuple[Daemon, dict[str, t.Any] | None]:
    """The daemon as it is, and the configuration that it is to have; None where that is not ours to say."""
    docker, wished = Docker(module.run_command), params["config"]
    text = CONFIG.read_text(encoding="utf-8") if CONFIG.is_file() else None
    answers = docker.answers()
    if params["leave_adopted"]:
        marker = ENGINE.current(parsed(files.read_text(MARKER)) or {}, MARKER)
        if is_adopted(marker, bool(module.get_bin_path("dockerd")), answers):
            wished = None
    newer = (text is not None and PID_FILE.exists()
             and CONFIG.stat().st_mtime_ns > PID_FILE.stat().st_mtime_ns)
    # The engine takes its time for this answer, and only a restart has to know.
    restart = answers and wished is not None and (newer or parsed(text) != wished)
    info = docker.info() if restart else {}
    at_boot = Service(module, "").at_boot() if wished is not None else None
    return Daemon(
        answers, text, newer, info.get("LiveRestoreEnabled", False), info.get("ContainersRunning", 0), at_boot), wished


def validate(module: t.Any, daemon: str, content: str) -> None:
    """Let the daemon read the new file; older ones than Docker 23 cannot only validate."""
    _rc, said, _err = module.run_command([daemon, "--version"], check_rc=True)
    if version(said.partition("version ")[2]) < (23, 0):
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json", dir=module.tmpdir) as draft:
        draft.write(content)
        draft.flush()
        rc, out, err = module.run_command([daemon, "--validate", "--config-file", draft.name])
    if rc != 0:
        raise MooringError(f"The daemon refuses the declared daemon.json: {(err or out).strip()}")


def write(module: t.Any, content: str | None) -> None:
    """Replace daemon.json in one step; None removes it."""
    if content is None:
        CONFIG.unlink()
        return
    CONFIG.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=module.tmpdir, delete=False) as draft:
        draft.write(content)
    os.chmod(draft.name, 0o644)
    module.atomic_move(draft.name, str(CONFIG))


def wait(module: t.Any, service: Service, limit: float) -> None:
    docker = Docker(module.run_command)
    began = time.monotonic()
    while not docker.answers():
        waited = time.monotonic() - began
        # in the first moments the program may not have been executed yet
        gone = waited > 2 and service.gone()
        if gone or waited > limit:
            why = "ended right after its start" if gone else f"does not answer within {limit:.0f} seconds"
            log = service.log()
            raise MooringError(f"The Docker daemon {why}. Its last log lines:\n{log}", log=log)
        time.sleep(0.2)


def apply(module: t.Any, plan: DaemonPlan, now: Daemon, limit: float) -> None:
    daemon = module.get_bin_path("dockerd")
    if not daemon:
        raise MooringError("There is no dockerd on this host. Run the docker_engine role first.")
    service = Service(module, daemon)
    if plan.enable:
        service.enable()
    if plan.write is not None:
        validate(module, daemon, plan.write)
        write(module, plan.write)
    try:
        if plan.restart:
            service.stop()
        if plan.restart or plan.start:
            service.start()
        wait(module, service, limit)
    except MooringError:
        if plan.write is not None and now.answers:
            # It ran before: back to what it ran with, and let the first error speak.
            write(module, now.config)
            with contextlib.suppress(MooringError):
                service.stop()
                service.start()
                wait(module, service, limit)
        raise


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    now, config = read(module, params)
    plan = decide_daemon(now, config, params["allow_restart"])
    if plan.changes_anything and not module.check_mode:
        apply(module, plan, now, params["wait_timeout"])
    return {
        "changed": plan.changes_anything, "differences": [one.as_dict() for one in plan.differences], "notices": [],
        "written": plan.write is not None, "started": plan.start, "restarted": plan.restart,
        "diff": {"before_header": str(CONFIG), "after_header": str(CONFIG),
                 "before": now.config or "", "after": plan.write if plan.write is not None else now.config or ""},
    }
