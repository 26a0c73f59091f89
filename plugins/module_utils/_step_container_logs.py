# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps links to the log files of containers, by the containers' names.

The engine keeps a container's log and its whole definition in one directory. Nobody but root may list these (0710),
and the group root may read the log (0640) but not the definition with its environment (0600): who has that group and
a link reads the lines, and nothing else. A log that has become too large is renamed to <name>.1.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import NO_ONE_OFF, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "prefix": {"type": "str", "required": True},
    "labels": {"type": "list", "elements": "str", "required": True},
    "below": {"type": "path", "default": "/var/lib/docker/containers"},
}
SUFFIXES = (".log", ".log.1")
PROJECT = "com.docker.compose.project"


def wanted(containers: t.Iterable[dict[str, t.Any]], prefix: str, below: str) -> tuple[dict[str, str], list[str]]:
    """Links and where they lead, of containers as ``docker inspect`` has them, and what has none and why.

    Only those of projects whose name begins with the prefix and a dash. Raises :class:`MooringError` for a log that
    lies elsewhere, because it could not be read.
    """
    links: dict[str, str] = {}
    notices = []
    for one in sorted(containers, key=lambda each: str(each["Name"])):
        name, path = one["Name"].lstrip("/"), one.get("LogPath") or ""
        if not (one["Config"].get("Labels") or {}).get(PROJECT, "").startswith(f"{prefix}-"):
            continue
        driver = one["HostConfig"]["LogConfig"]["Type"]
        if driver != "json-file":
            notices.append(f"{name} logs with the driver {driver}, so its lines are not collected.")
        elif path and os.path.dirname(os.path.dirname(path)) != below:
            raise MooringError(f"The engine keeps the log of {name} in {os.path.dirname(path)}, which is not below "
                               f"{below}. Name the directory 'containers' below the engine's data directory.")
        elif path:
            # Nothing is there before it was started once.
            links |= {f"{name}.log": path, f"{name}.log.1": f"{path}.1"}
    return links, notices


def read(path: str) -> dict[str, str]:
    """Links in a directory, and where they lead; raises :class:`MooringError` for a file that has a link's name."""
    found = {}
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return {}
    for name in sorted(names):
        if name.endswith(SUFFIXES):
            try:
                found[name] = os.readlink(f"{path}/{name}")
            except OSError as error:
                raise MooringError(f"{path}/{name} is not a link. Move it away and run again.") from error
    return found


def decide(path: str, found: dict[str, str], links: dict[str, str]) -> list[Difference]:
    """What is not as it is to be."""
    differences = []
    for name in sorted({*found, *links}):
        here = f"link {path}/{name}"
        if name not in found:
            differences.append(Difference(here, "presence", "present", None))
        elif name not in links:
            differences.append(Difference(here, "presence", None, "present"))
        elif found[name] != links[name]:
            differences.append(Difference(here, "target", links[name], found[name]))
    return differences


def apply(path: str, found: dict[str, str], links: dict[str, str]) -> None:
    """Makes them so; whoever reads finds either the old link or the new one."""
    os.makedirs(path, mode=0o755, exist_ok=True)
    for name in sorted({*found} - {*links}):
        os.unlink(f"{path}/{name}")
    for name, target in links.items():
        if found.get(name) != target:
            new = f"{path}/.{name}.new"
            if os.path.lexists(new):
                os.unlink(new)
            os.symlink(target, new)
            os.replace(new, f"{path}/{name}")


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    path, docker = params["path"], Docker(module.run_command)
    ids: set[str] = set()
    if docker.installed():
        ids = {one for label in params["labels"] for one in docker.containers(label, NO_ONE_OFF)}
    containers = docker.inspect("container", sorted(ids)) if ids else []
    links, notices = wanted(containers, params["prefix"], params["below"].rstrip("/"))
    found = read(path)
    differences = decide(path, found, links)
    if differences and not module.check_mode:
        apply(path, found, links)
    return {"changed": bool(differences), "differences": [one.as_dict() for one in differences], "notices": notices}
