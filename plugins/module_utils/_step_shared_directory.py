# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps a directory which containers of several projects share."""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._files import make_directory

ARGUMENT_SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "int", "default": 0},
    "mode": {"type": "str", "default": "0755"},
}


@dataclasses.dataclass(frozen=True)
class Directory:
    """Owner (uid and gid) and mode, such as ``0750``."""

    owner: str
    mode: str


def read(path: str) -> Directory | None:
    """What lies there; None for nothing. Raises :class:`MooringError` for what is no directory."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        raise MooringError(f"{path} is not a directory, but one is needed there. Move it away and run again.")
    return Directory(f"{status.st_uid}:{status.st_gid}", f"{stat.S_IMODE(status.st_mode):04o}")


def decide(path: str, found: Directory | None, declared: Directory) -> list[Difference]:
    """What is not as declared."""
    name = f"directory {path}"
    if found is None:
        return [Difference(name, "presence", "present", None)]
    fields = (("owner", declared.owner, found.owner), ("mode", declared.mode, found.mode))
    return [Difference(name, *field) for field in fields if field[1] != field[2]]


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    path, owner = params["path"], params["owner"]
    try:
        mode = int(params["mode"], 8)
    except ValueError as error:
        raise MooringError(f"mode is '{params['mode']}', which is not octal. Write it like \"0750\".") from error
    differences = decide(path, read(path), Directory(f"{owner}:{owner}", f"{mode:04o}"))
    if differences and not module.check_mode:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        make_directory(path, mode, owner, owner)
    return {"changed": bool(differences), "differences": [one.as_dict() for one in differences], "notices": []}
