# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that finds the engine's socket and the group that may use it."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._docker import SOCKET
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "default": SOCKET},
}

OFFERS: dict[str, t.Any] = {"gid": 0}

# To connect takes the permission to write; the engine grants both.
GROUP_MAY_USE = stat.S_IRGRP | stat.S_IWGRP


def group_of(path: str) -> int | None:
    """Number of the group that may use a socket; None where nothing is.

    Raises :class:`MooringError` for what no container could use.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISSOCK(status.st_mode):
        # Compose makes a directory of a path that it is to mount and does not find.
        raise MooringError(
            f"{path} is not a socket. Something has put a {'directory' if stat.S_ISDIR(status.st_mode) else 'file'} "
            "where the Docker engine listens: remove it, start the engine again (role docker_engine), and run again.")
    if status.st_mode & GROUP_MAY_USE != GROUP_MAY_USE:
        raise MooringError(
            f"The group of {path} may not use it (mode {stat.S_IMODE(status.st_mode):04o}), and its container does not "
            "run as root. Start the engine with a group for its socket: 'group' in daemon.json, 'docker' by default.")
    return status.st_gid


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Look; changes nothing. Raises :class:`MooringError`."""
    path = params["path"]
    gid = group_of(path)
    if gid is None and not module.check_mode:
        raise MooringError(
            f"There is no Docker socket at {path}. Run the docker_engine role first, or start the engine that it "
            "belongs to.")
    # In check mode the engine may be what the run would install, and its group is not known before.
    return {"changed": False, "differences": [], "notices": [], "gid": gid}
