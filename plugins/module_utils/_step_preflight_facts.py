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

from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_engine import MARKER, parsed
from ansible_collections.mooring.stack.plugins.module_utils._formats import RECORDED
from ansible_collections.mooring.stack.plugins.module_utils._preflight_facts import (
    memory_controller,
    parse_fib_trie,
    parse_if_inet6,
    parse_limit,
    parse_meminfo,
    parse_mounts,
    parse_os_release,
    parse_packages,
    parse_sockets,
    prefixes,
    published_ports,
    wraps_podman,
)
from ansible_collections.mooring.stack.plugins.module_utils._preflight_host import OF_DISTRO, OF_UPSTREAM

ARGUMENT_SPEC: dict[str, t.Any] = {}
DOCKER_ROOT = "/var/lib/docker"
PACKAGES = {*OF_DISTRO, *OF_UPSTREAM, "docker-compose", "podman-docker"}
SNAP = "/snap/docker/current"
NONLOCAL_BIND = "/proc/sys/net/ipv4/ip_nonlocal_bind"
MAP_COUNT = "/proc/sys/vm/max_map_count"


def read(path: str) -> str:
    """A file's text; empty where it cannot be read, which every parser takes for "nothing known"."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def usage() -> dict[str, t.Any]:
    """The whole and the free space per mount point; one that cannot be read now is left out."""
    found = {}
    for mount in parse_mounts(read("/proc/self/mounts")):
        with contextlib.suppress(OSError):
            found[mount] = shutil.disk_usage(mount)
    return found


def memory() -> int:
    """What this host has, or, where it is a container, what that was given."""
    limit = parse_limit(read("/sys/fs/cgroup/memory.max") or read("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
    total = parse_meminfo(read("/proc/meminfo"))
    return min(limit, total) if limit else total


def kernel() -> dict[str, t.Any]:
    """What the kernel has of what containers need; None where it does not say."""
    release, systems, count = platform.release(), read("/proc/filesystems"), read(MAP_COUNT).strip()
    return {
        "release": release,
        "memory_controller": memory_controller(read("/sys/fs/cgroup/cgroup.controllers"), read("/proc/cgroups")),
        "overlay": "overlay" in systems.split() if systems else None,
        # One that is built without modules has no such file, and what it needs is in /proc/filesystems.
        "modules": os.path.exists(f"/lib/modules/{release}/modules.dep") if read("/proc/modules") else None,
        "max_map_count": int(count) if count.isdigit() else None,
        "nonlocal_bind": read(NONLOCAL_BIND).strip() == "1",
        # Root may write any file, but none of a file system that is mounted to be read.
        "max_map_count_writable": os.access(MAP_COUNT, os.W_OK) or os.geteuid() != 0,
    }


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


def compose_version(docker: Docker) -> str:
    """The version of the Compose plugin; empty where there is none."""
    try:
        return docker.run("compose", "version", "--short").strip()
    except CommandFailed:
        return ""


def read_docker(docker: Docker, daemon: bool) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Whether an engine answers and where it keeps its data, and the containers."""
    command = shutil.which(docker.binary) or ""
    podman = command if command and wraps_podman(read(command)[:4096]) else ""
    packages = parse_packages(read("/var/lib/dpkg/status"), PACKAGES)
    version = "" if podman else docker.version()
    state = {
        "installed": bool(command), "answers": bool(version), "root": DOCKER_ROOT, "version": version,
        "compose": compose_version(docker) if command and not podman else "", "packages": packages,
        "daemon": daemon, "snap": os.path.exists(SNAP), "podman": podman,
        "marker": parsed(read(MARKER) or None) or {},
    }
    if not state["answers"]:
        return state, []
    state["root"] = docker.info().get("DockerRootDir") or DOCKER_ROOT
    return state, docker.inspect("container", docker.containers())


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read; changes nothing. Raises :class:`MooringError`."""
    docker, containers = read_docker(Docker(module.run_command), bool(module.get_bin_path("dockerd")))
    mounts = usage()
    host = {
        "os": parse_os_release(read("/etc/os-release")),
        "architecture": platform.machine(),
        "memory": memory(),
        "mounts": {mount: found.free for mount, found in mounts.items()},
        "sizes": {mount: found.total for mount, found in mounts.items()},
        "kernel": kernel(),
        "addresses": sorted(parse_fib_trie(read("/proc/net/fib_trie")) | parse_if_inet6(read("/proc/net/if_inet6"))),
        "time": time.time(),
        "listening": listening(),
        "published": published_ports(containers),
        "prefixes": prefixes(containers),
        "platforms": platforms(),
        "docker": docker,
    }
    return {"changed": False, "differences": [], "notices": [], "host": host}
