# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: reads what a bare Linux host says about itself. Needs nothing but Python."""

from __future__ import annotations

import ipaddress
import re
import struct
import typing as t

# What compose_project puts on each container; its project is the prefix and this.
COMPONENT_LABEL = "mooring.component"
LISTENING = "0A"  # the state column of /proc/net/tcp

# File systems in memory and of the kernel, and the layers of containers.
_NOT_A_DISK = {
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs",
    "squashfs", "sysfs", "tmpfs", "tracefs",
}


def parse_os_release(text: str) -> dict[str, str]:
    """ID and VERSION_ID of /etc/os-release."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {
        "id": values.get("ID", "").strip("\"'"),
        "version": values.get("VERSION_ID", "").strip("\"'"),
    }


def parse_meminfo(text: str) -> int:
    """MemTotal of /proc/meminfo in bytes; 0 where it does not say."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def parse_mounts(text: str) -> list[str]:
    """Mount points of /proc/mounts that hold files on a disk; containers' own file systems only at the root."""
    mounts = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or (fields[2] in _NOT_A_DISK and fields[1] != "/"):
            continue
        mounts.append(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), fields[1]))
    return mounts


def parse_address(text: str) -> tuple[str, int]:
    """Address and port of a column of /proc/net/tcp or tcp6, which print words in host byte order."""
    address, port = text.split(":")
    words = [int(address[start:start + 8], 16) for start in range(0, len(address), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return str(ipaddress.ip_address(packed)), int(port, 16)


def parse_sockets(text: str) -> list[dict[str, t.Any]]:
    """The listening sockets of /proc/net/tcp or tcp6."""
    sockets = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTENING:
            address, port = parse_address(fields[1])
            sockets.append({"address": address, "port": port, "inode": fields[9]})
    return sockets


def prefixes(containers: t.Iterable[dict[str, t.Any]]) -> list[str]:
    """The prefixes of the platforms that containers of ``docker inspect`` belong to, running or not."""
    found = set()
    for container in containers:
        labels = container["Config"].get("Labels") or {}
        project, ending = labels.get("com.docker.compose.project", ""), f"-{labels.get(COMPONENT_LABEL, '')}"
        if COMPONENT_LABEL in labels and project.endswith(ending):
            found.add(project.removesuffix(ending))
    return sorted(found)


def published_ports(containers: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The ports that running containers publish, of ``docker inspect``."""
    published = []
    for container in containers:
        if not container["State"]["Running"]:
            continue
        labels = container["Config"].get("Labels") or {}
        for bindings in (container["NetworkSettings"]["Ports"] or {}).values():
            for binding in bindings or ():
                published.append({
                    "project": labels.get("com.docker.compose.project", ""),
                    "container": container["Name"].lstrip("/"),
                    "address": binding["HostIp"] or "0.0.0.0",
                    "port": int(binding["HostPort"]),
                })
    return published
