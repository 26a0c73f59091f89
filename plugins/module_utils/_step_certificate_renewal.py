# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps the renewal of certificates in place, which runs without Ansible."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _renewal as renewal
from ansible_collections.mooring.stack.plugins.module_utils import _step_certbot_certificate as certificate
from ansible_collections.mooring.stack.plugins.module_utils import _step_schedule as schedule
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference, File, file_differences
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

PROGRAM, SETTINGS = "certificates.pyz", "certificates.json"
# Files of the host that a container cannot see: it gets copies, which a file system that mounts files would not renew.
COPIES = {"acme_ca_bundle": "bundle.pem", "trusted_root": "root.pem"}
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
DIRECTORY_MODE = 0o755


def declared(params: dict[str, t.Any], check_mode: bool) -> dict[str, File | None]:
    """The files by name: the program, what it is to do, and what it needs to see for that.

    There is no secret in them. Raises :class:`MooringError` for what cannot be renewed.
    """
    checked = ArgumentSpecValidator(certificate.ARGUMENT_SPEC, **certificate.RULES).validate(params["certificate"])
    if checked.error_messages:
        raise MooringError(f"The option certificate is not in order: {' '.join(checked.error_messages)}")
    given = checked.validated_parameters
    inside = params["runs_on"] == CONTAINER
    contents: dict[str, File | None] = dict.fromkeys(COPIES.values())
    for option, name in COPIES.items() if inside else ():
        if given[option]:
            contents[name] = File(_source(option, given[option], check_mode))
            given[option] = os.path.join(params["directory"], name)
    settings = {"certificate": given, "inside": inside}
    contents[PROGRAM] = File(renewal.program())
    contents[SETTINGS] = File((json.dumps(settings, indent=1, sort_keys=True) + "\n").encode())
    return contents


def _source(option: str, path: str, check_mode: bool) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        # An earlier step of the run may make it.
        if check_mode:
            return b""
        raise MooringError(f"{path}, the {option} of the certificates, does not exist on this host.") from None


def directory_differences(path: str) -> list[Difference]:
    """What is not as declared of the directory."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return [Difference(f"directory {path}", "presence", "present", None)]
    fields = (("mode", f"{DIRECTORY_MODE:04o}", f"{stat.S_IMODE(status.st_mode):04o}"), ("owner", 0, status.st_uid))
    return [Difference(f"directory {path}", *field) for field in fields if field[1] != field[2]]


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    directory = params["directory"]
    contents = declared(params, module.check_mode)
    around = directory_differences(directory)
    found = {name: file_differences(os.path.join(directory, name), file, files.read_file(os.path.join(directory, name)))
             for name, file in contents.items()}
    on_host = params["runs_on"] == HOST
    # First what may refuse: a program that nothing starts helps nobody.
    if on_host and not os.path.isdir(schedule.RUNNING) and not schedule.cron_is_installed():
        raise MooringError(
            "Neither systemd nor cron runs here, so nothing would renew certificates. Let a container do it, with "
            "'nginx_certbot_renewal: container', or install cron with 'apt-get install cron'.")
    timed = schedule.converge(module, {
        "name": params["name"], "description": "Renewal of certificates",
        "command": ["/usr/bin/python3", os.path.join(directory, PROGRAM), os.path.join(directory, SETTINGS)],
        "directory": "/", "environment": {}, "user": "root", "success": [],
        "log_file": schedule.log_file(params["name"]),
        "calendar": params["calendar"], "cron": params["cron"], "jitter": params["jitter"],
        "state": "present" if on_host else "absent"})
    if not module.check_mode and (around or any(found.values())):
        files.make_directory(directory, DIRECTORY_MODE)
        for name in (one for one, wrong in found.items() if wrong):
            path, file = os.path.join(directory, name), contents[name]
            if file is None:
                os.unlink(path)
            else:
                files.write_file(path, file.content, int(file.mode, 8), file.owner)
    listed = [one.as_dict() for one in (*around, *(one for wrong in found.values() for one in wrong))]
    return {
        "changed": bool(listed) or timed["changed"],
        "differences": [*listed, *timed["differences"]],
        "notices": timed["notices"],
        "diff": timed["diff"],
        "manager": timed["manager"] if on_host else CONTAINER,
    }
