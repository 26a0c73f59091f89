# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: renewal without Ansible, by the code that Ansible runs too.

What converges certificates in a playbook is packed, as it is, into one file that
Python runs by itself. So whoever calls it, one ledger counts the orders, one lock
keeps two apart, and one check decides what may be served.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
import typing as t
import zipfile

from ansible_collections.mooring.stack.plugins.module_utils import _step_certbot_certificate as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._files import write_file

PACKAGE = "ansible_collections.mooring.stack.plugins.module_utils"
# What the program consists of; none of it imports Ansible.
PARTS = (
    "_certificates", "_certificates_host", "_differences", "_docker", "_errors", "_files", "_formats", "_http",
    "_namespace",
    "_renewal", "_step_certbot_certificate", "_unix_http", "_x509",
)
MAIN = f"import sys\n\nfrom {PACKAGE}._renewal import main\n\nsys.exit(main())\n"
# Part of the pause that is left to chance, so that not all hosts of the world ask their CA at once.
JITTER = 0.25
# Touched after each round of a process that goes on, for the health check beside it.
ALIVE = "/tmp/mooring-renewal"


def program() -> bytes:
    """The program as a zip archive that Python runs; the same bytes for the same code."""
    archive = io.BytesIO()
    folders = [PACKAGE.rsplit(".", depth)[0] for depth in range(PACKAGE.count("."), -1, -1)]
    members = {f"{folder.replace('.', '/')}/__init__.py": "" for folder in folders}
    for part in PARTS:
        spec = importlib.util.find_spec(f"{PACKAGE}.{part}")
        source = spec.loader.get_source(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]
        if source is None:
            raise MooringError(f"The source of {part} is not there, so no renewal program can be made.")
        members[f"{PACKAGE.replace('.', '/')}/{part}.py"] = source
    with zipfile.ZipFile(archive, "w") as packed:
        for name, text in {**members, "__main__.py": MAIN}.items():
            packed.writestr(zipfile.ZipInfo(name), text)
    return archive.getvalue()


class Caller:
    """What a step needs of AnsibleModule."""

    check_mode = False
    _diff = False

    def __init__(self) -> None:
        self.told_to_stop = False

    def stop(self, *_unused: object) -> None:
        """Let the program that runs end, and start no other. A handler of signals."""
        self.told_to_stop = True

    def run_command(self, argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        """Status, standard output and standard error of a program."""
        if self.told_to_stop:
            raise MooringError("The renewal was told to stop.")
        try:
            done = subprocess.run(argv, input=data, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            return 127, "", f"{argv[0]}: {error.strerror}"
        return done.returncode, done.stdout, done.stderr


def renew(settings: dict[str, t.Any]) -> bool:
    """Look at all certificates once and say what was done; whether all went well."""
    failure, caller = "", Caller()
    # certbot gets the signal as well, ends its order, and this one writes down how.
    signal.signal(signal.SIGTERM, caller.stop)
    try:
        result = step.converge(caller, settings["certificate"], inside=settings["inside"], ask=True)
    except MooringError as error:
        result, failure = error.details, str(error)
    except OSError as error:
        result, failure = {}, f"{error.filename or 'A file'}: {error.strerror}."
    sys.stdout.write("".join(
        f"{one['name']}: {one['action']}. {one['reason']}\n" for one in result.get("certificates", ())))
    if failure:
        sys.stderr.write(f"failed: {failure}\n")
    return not failure


def main() -> int:
    """Once, or again and again until told to stop."""
    parser = argparse.ArgumentParser(description="Renew the certificates of the proxy that are due.")
    parser.add_argument("settings", help="file that mooring.stack.certificate_renewal wrote")
    parser.add_argument("--every", type=float, default=0, metavar="SECONDS", help="again and again, with this pause")
    arguments = parser.parse_args()
    with open(arguments.settings, encoding="utf-8") as stream:
        settings = json.load(stream)
    if arguments.every:
        looked = settings["certificate"]["metrics"] or ""
        return repeat([sys.executable, sys.argv[0], arguments.settings], arguments.every, looked)
    return 0 if renew(settings) else 1


def repeat(command: list[str], seconds: float, looked: str = "") -> int:
    """Start a command again and again until told to stop. A process of its own each time, for it may be replaced.

    ``looked`` is a file that was written at the last look.
    """
    # A pipe, because a handler must not wait for a lock that the code it interrupts may hold.
    told, tell = os.pipe()
    at_work: list[subprocess.Popen[bytes]] = []

    def end(*_unused: object) -> None:
        os.write(tell, b".")
        for process in at_work:
            terminate(process)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    write_file(ALIVE, b"", 0o600, os.geteuid(), os.getegid())
    sys.stdout.write(f"A look each {seconds / 3600:g} h, the first that long after the last one.\n")
    sys.stdout.flush()
    # Pauses are counted from the last look, whoever took it, also before this was started.
    while not _readable(told, max(0.0, seconds * (1 - JITTER * random.random()) - age(looked))):
        with subprocess.Popen(command, start_new_session=True) as process:
            at_work.append(process)
            if _readable(told, 0):
                terminate(process)
            process.wait()
            at_work.clear()
        # A look that failed is one too.
        looked = ""
        os.utime(ALIVE)
    return 0


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Tell a process and all that it has started to end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _readable(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


def age(path: str) -> float:
    """Seconds since a file was written; 0 for none."""
    try:
        return max(0.0, time.time() - os.stat(path).st_mtime)
    except OSError:
        return 0.0
