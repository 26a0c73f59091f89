# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that reads what decides whether the platform fits on a host."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import re
import shutil
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._formats import RECORDED
from ansible_collections.mooring.stack.plugins.module_utils._preflight_facts import (
    parse_meminfo,
    parse_mounts,
    parse_os_release,
    parse_sockets,
    prefixes,
    published_ports,
)

ARGUMENT_SPEC: dict[str, t.Any] = {}
DOCKER_ROOT = "/var/lib/docker"


def read(path: str) -> str:
    """A file's text; empty where it cannot be read, which every parser takes for "nothing known"."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def free_bytes() -> dict[str, int]:
    """Free space per mount point; one that cannot be read now is left out."""
    free = {}
    for mount in parse_mounts(read("/proc/self/mounts")):
        with contextlib.suppress(OSError):
            free[mount] = shutil.disk_usage(mount).free
    return free


def owners(inodes: set[str]) -> dict[str, str]:
    """Which process holds which socket; processes of other users and those that end meanwhile are left out."""
    found: dict[str, str] = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(entry.path) for entry in os.scandir(process / "fd")]
        except OSError:
            continue
        for link in links:
            match = re.fullmatch(r"socket:\[(\d+)\]", link)
            if match and match.group(1) in inodes:
                found[match.group(1)] = read(f"{process}/comm").strip()
    return found


def listening() -> list[dict[str, t.Any]]:
    """Listening TCP sockets and who holds them."""
    sockets = parse_sockets(read("/proc/net/tcp")) + parse_sockets(read("/proc/net/tcp6"))
    names = owners({entry["inode"] for entry in sockets})
    return [
        {"address": entry["address"], "port": entry["port"], "process": names.get(entry["inode"], "")}
        for entry in sockets
    ]


def platforms() -> dict[str, str]:
    """The records of which version of the collection works here, as they stand there, by prefix."""
    return {path.stem: read(str(path)) for path in pathlib.Path(RECORDED).glob("*.json")}


def read_docker(docker: Docker) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Whether an engine answers and where it keeps its data, and the containers."""
    state = {"installed": docker.installed(), "answers": docker.answers(), "root": DOCKER_ROOT}
    if not state["answers"]:
        return state, []
    state["root"] = docker.info().get("DockerRootDir") or DOCKER_ROOT
    return state, docker.inspect("container", docker.containers())


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read; changes nothing. Raises :class:`MooringError`."""
    docker, containers = read_docker(Docker(module.run_command))
    host = {
        "os": parse_os_release(read("/etc/os-release")),
        "architecture": platform.machine(),
        "memory": parse_meminfo(read("/proc/meminfo")),
        "mounts": free_bytes(),
        "time": time.time(),
        "listening": listening(),
        "published": published_ports(containers),
        "prefixes": prefixes(containers),
        "platforms": platforms(),
        "docker": docker,
    }
    return {"changed": False, "differences": [], "notices": [], "host": host}
