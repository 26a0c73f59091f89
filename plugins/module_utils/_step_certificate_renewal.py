# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps the renewal of certificates in place, which runs without Ansible."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _renewal as renewal
from ansible_collections.mooring.stack.plugins.module_utils import _step_certbot_certificate as certificate
from ansible_collections.mooring.stack.plugins.module_utils import _step_schedule as schedule
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

PROGRAM, SETTINGS = "certificates.pyz", "certificates.json"
HOST, CONTAINER = "host", "container"

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    # Validated below: its options are documented where they are at home.
    "certificate": {"type": "dict", "required": True},
    "directory": {"type": "path", "required": True},
    "runs_on": {"type": "str", "choices": [HOST, CONTAINER], "default": HOST},
    "calendar": {"type": "str", "default": "*-*-* 00/8:00:00"},
    "cron": {"type": "str", "default": "29 */8 * * *"},
    "jitter": {"type": "str", "default": "2h"},
}
MODE = 0o644  # there is no secret in them


def declared(params: dict[str, t.Any]) -> dict[str, bytes]:
    """The files by name: the program, and what it is to do. Raises :class:`MooringError` for what that cannot be."""
    checked = ArgumentSpecValidator(certificate.ARGUMENT_SPEC, **certificate.RULES).validate(params["certificate"])
    if checked.error_messages:
        raise MooringError(f"The option certificate is not in order: {' '.join(checked.error_messages)}")
    settings = {"certificate": checked.validated_parameters, "inside": params["runs_on"] == CONTAINER}
    return {PROGRAM: renewal.program(), SETTINGS: (json.dumps(settings, indent=1, sort_keys=True) + "\n").encode()}


def differences(directory: str, name: str, content: bytes) -> list[Difference]:
    """What is not as declared of one file."""
    path = os.path.join(directory, name)
    try:
        status = os.lstat(path)
        with open(path, "rb") as stream:
            found = stream.read()
    except FileNotFoundError:
        return [Difference(f"file {path}", "presence", "present", None)]
    fields = (
        ("content", hashlib.sha256(content).hexdigest()[:12], hashlib.sha256(found).hexdigest()[:12]),
        ("mode", f"{MODE:04o}", f"{status.st_mode & 0o7777:04o}"),
        ("owner", 0, status.st_uid),
    )
    return [Difference(f"file {path}", *field) for field in fields if field[1] != field[2]]


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    directory = params["directory"]
    contents = declared(params)
    found = {name: differences(directory, name, content) for name, content in contents.items()}
    on_host = params["runs_on"] == HOST
    # First what may refuse: a program that nothing starts helps nobody.
    timed = schedule.converge(module, {
        "name": params["name"], "description": "Renewal of certificates",
        "command": ["/usr/bin/python3", os.path.join(directory, PROGRAM), os.path.join(directory, SETTINGS)],
        "directory": "/", "environment": {}, "user": "root", "success": [], "log_file": "/var/log/mooring-renewal.log",
        "calendar": params["calendar"], "cron": params["cron"], "jitter": params["jitter"],
        "state": "present" if on_host else "absent"})
    if not module.check_mode and any(found.values()):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        for name in (one for one, wrong in found.items() if wrong):
            files.write_file(os.path.join(directory, name), contents[name], MODE)
    listed = [one.as_dict() for wrong in found.values() for one in wrong]
    return {
        "changed": bool(listed) or timed["changed"],
        "differences": [*listed, *timed["differences"]],
        "notices": timed["notices"],
        "diff": timed["diff"],
        "manager": timed["manager"] if on_host else CONTAINER,
    }
