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
import datetime as dt
import importlib.util
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import typing as t
import zipfile

from ansible_collections.mooring.stack.plugins.module_utils import _step_certbot_certificate as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._files import write_file

PACKAGE = "ansible_collections.mooring.stack.plugins.module_utils"
# What the program consists of; none of it imports Ansible.
PARTS = (
    "_certificates", "_certificates_host", "_differences", "_docker", "_errors", "_files", "_proxy", "_release",
    "_renewal", "_step_certbot_certificate", "_unix_http", "_x509",
)
MAIN = f"import sys\n\nfrom {PACKAGE}._renewal import main\n\nsys.exit(main())\n"
# Part of the pause that is left to chance, so that not all hosts of the world ask their CA at once.
JITTER = 0.25
FIRST_PAUSE = 120.0
# Touched after each round of a process that goes on, for the health check beside it.
ALIVE = "/tmp/mooring-renewal"
LAST_RUN = "mooring_certificates_last_run_timestamp_seconds"
LAST_GOOD = "mooring_certificates_last_good_run_timestamp_seconds"
HELP = {
    "mooring_certificate_not_before_timestamp_seconds": "When the certificate that is served begins.",
    "mooring_certificate_not_after_timestamp_seconds": "When the certificate that is served ends.",
    LAST_RUN: "When the renewal looked at the certificates last.",
    LAST_GOOD: "When it last did so without a failure.",
}


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

    def run_command(self, argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        """Status, standard output and standard error of a program."""
        try:
            done = subprocess.run(argv, input=data, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            return 127, "", f"{argv[0]}: {error.strerror}"
        return done.returncode, done.stdout, done.stderr


def metrics(certificates: t.Sequence[dict[str, t.Any]], now: float, good: bool, before: str) -> str:
    """What Prometheus is told, in its text format. ``before`` is the file of the last run.

    ``certificates`` are those of the step's result; without any, what was known of
    them stays. Begin and end of each, because no lifetime can be assumed: what is
    left of it is a fraction.
    """
    samples = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in before.splitlines() if line[:1] != "#"}
    known = {key: value for key, value in samples.items() if "{" in key and not certificates}
    for one in certificates:
        for key in ("not_before", "not_after"):
            if one[key]:
                known[f'mooring_certificate_{key}_timestamp_seconds{{name="{one["name"]}"}}'] = (
                    f"{dt.datetime.fromisoformat(one[key].replace('Z', '+00:00')).timestamp():.0f}")
    stamp = f"{now:.0f}"
    known[LAST_RUN], known[LAST_GOOD] = stamp, stamp if good else samples.get(LAST_GOOD, "0")
    lines = []
    for name, text in HELP.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
        lines += [f"{key} {value}" for key, value in sorted(known.items()) if key.partition("{")[0] == name]
    return "\n".join(lines) + "\n"


def renew(settings: dict[str, t.Any]) -> bool:
    """Look at all certificates once and say what was done; whether all went well."""
    failure = ""
    try:
        result = step.converge(Caller(), settings["certificate"], inside=settings["inside"], ask=True)
    except MooringError as error:
        result, failure = error.details, str(error)
    for one in result.get("certificates", ()):
        print(f"{one['name']}: {one['action']}. {one['reason']}", flush=True)
    if failure:
        print(f"failed: {failure}", file=sys.stderr, flush=True)
    path = settings["metrics"]
    if path:
        before = ""
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as stream:
            before = stream.read()
        text = metrics(result.get("certificates") or [], time.time(), not failure, before)
        write_file(path, text.encode(), 0o644, os.geteuid(), os.getegid())
    return not failure


def main() -> int:
    """Once, or again and again until told to stop."""
    parser = argparse.ArgumentParser(description="Renew the certificates of the proxy that are due.")
    parser.add_argument("settings", help="file that mooring.stack.certificate_renewal wrote")
    parser.add_argument("--every", type=float, default=0, metavar="SECONDS", help="again and again, with this pause")
    arguments = parser.parse_args()
    if arguments.every:
        return repeat([sys.executable, sys.argv[0], arguments.settings], arguments.every)
    with open(arguments.settings, encoding="utf-8") as stream:
        return 0 if renew(json.load(stream)) else 1


def repeat(command: list[str], seconds: float) -> int:
    """Start a command again and again until told to stop. A process of its own each time, for it may be replaced."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_unused: stop.set())
    # The playbook that starts this may be about to order the first certificate itself.
    pause = min(FIRST_PAUSE, seconds)
    write_file(ALIVE, b"", 0o600, os.geteuid(), os.getegid())
    while not stop.wait(pause):
        subprocess.run(command, check=False)
        os.utime(ALIVE)
        pause = seconds * (1 - JITTER * random.random())
    return 0
