# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that raises limits of the kernel, and refuses a disk that is too small."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kernel": {"type": "dict", "default": {}},
    "file": {"type": "path", "required": True},
    "disk_free": {"type": "int", "default": 0},
    "purpose": {"type": "str", "required": True},
    "container": {"type": "str", "default": ""},
    "setting": {"type": "str", "default": ""},
}
SETTINGS = "/proc/sys"
GIBIBYTE = 2**30


def minimums(given: t.Mapping[str, t.Any]) -> dict[str, int]:
    """Parameters by name, each with its least value; raises :class:`MooringError`."""
    try:
        found = {str(name): int(value) for name, value in given.items()}
    except (TypeError, ValueError) as error:
        raise MooringError("A parameter of the kernel has a whole number as its least value.") from error
    for name in found:
        if not re.fullmatch(r"[a-z0-9_]+([.][a-z0-9_]+)+", name):
            raise MooringError(f"'{name}' is no parameter of the kernel; write it like vm.max_map_count.")
    return found


def content(wanted: t.Mapping[str, int], kept: str) -> str:
    """The file that brings them back after a restart of the host; ``kept`` is what lies there.

    A greater value in it stays.
    """
    there = {name: int(value) for name, value in re.findall(r"^([\w.]+) *= *(\d+) *$", kept, re.MULTILINE)}
    lines = [f"{name} = {max(least, there.get(name, 0))}" for name, least in sorted(wanted.items())]
    return "\n".join(["# Written by mooring.stack.", *lines, ""])


def decide(wanted: t.Mapping[str, int], found: t.Mapping[str, int], declared: str, there: str) -> list[Difference]:
    """What is too low, and what would be after a restart."""
    differences = [Difference(f"kernel parameter {name}", "value", least, found[name])
                   for name, least in sorted(wanted.items()) if found[name] < least]
    if declared != there:
        differences.append(Difference("kernel parameters after a restart", "content", declared, there))
    return differences


def _path(name: str) -> str:
    return os.path.join(SETTINGS, *name.split("."))


def read(name: str) -> int:
    """The value that the kernel works with; raises :class:`MooringError` where it has no such parameter."""
    text = files.read_text(_path(name))
    if text is None:
        raise MooringError(f"The kernel of this host has no parameter {name}.")
    return int(text)


def write(name: str, value: int, purpose: str) -> None:
    """Set it; raises :class:`MooringError` with the command where this host may not."""
    try:
        with open(_path(name), "w", encoding="ascii") as stream:
            stream.write(f"{value}\n")
    except OSError as error:
        raise MooringError(
            f"{name} is {read(name)}, {purpose} needs {value}, and it cannot be set here ({error.strerror}), as in a "
            f"container: run 'sysctl --write {name}={value}' on the machine itself, then run again.") from error


def room(path: str) -> tuple[int, int]:
    """Bytes that somebody who is not root may still write where that path lies, or will lie, and bytes in all."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize


def prove_room(path: str, params: t.Mapping[str, t.Any], runs: bool) -> list[str]:
    """Raises :class:`MooringError` where less is free than is wanted.

    What runs already is not helped by leaving it as it is, because a shorter retention makes room: then that is a
    notice, unless no room that is made would ever suffice.
    """
    (found, whole), wanted = room(path), params["disk_free"]
    if found >= wanted:
        return []
    less = f"ask for less with {params['setting']}" if params["setting"] else "ask for less"
    lacking = (f"{found / GIBIBYTE:.1f} GiB are free below {path}, and {params['purpose']} needs "
               f"{wanted / GIBIBYTE:.1f} GiB to start. Make room, or {less}.")
    if not runs or whole < wanted:
        raise MooringError(lacking)
    return [lacking]


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, refuse, decide, apply; the result. Raises :class:`MooringError`."""
    wanted, notices = minimums(params["kernel"]), []
    if params["disk_free"]:
        docker = Docker(module.run_command)
        runs = bool(params["container"]) and docker.process(params["container"]) > 0
        notices = prove_room(docker.info().get("DockerRootDir") or "/var/lib/docker", params, runs)
    found = {name: read(name) for name in wanted}
    there = files.read_text(params["file"]) or ""
    low = [name for name, least in wanted.items() if found[name] < least]
    # Where something else has already raised them, and more, a file of ours would only lower them.
    declared = content(wanted, there) if low or there else ""
    differences = decide(wanted, found, declared, there)
    if differences and not module.check_mode:
        for name in low:
            write(name, wanted[name], params["purpose"])
        os.makedirs(os.path.dirname(params["file"]), mode=0o755, exist_ok=True)
        files.write_file(params["file"], declared.encode(), 0o644)
    return {"changed": bool(differences), "differences": [one.as_dict() for one in differences],
            "notices": notices}
