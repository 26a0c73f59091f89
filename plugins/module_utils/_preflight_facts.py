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
    """ID, VERSION_ID and VERSION_CODENAME of /etc/os-release."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {
        "id": values.get("ID", "").strip("\"'"),
        "version": values.get("VERSION_ID", "").strip("\"'"),
        "codename": values.get("VERSION_CODENAME", "").strip("\"'"),
    }


def parse_meminfo(text: str) -> int:
    """MemTotal of /proc/meminfo in bytes; 0 where it does not say."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def parse_limit(text: str) -> int:
    """The memory limit of a cgroup in bytes, where the host is a container with one; 0 where there is none."""
    # cgroup v1 writes the largest number of pages for "none".
    return int(text) if text.strip().isdigit() and int(text) < 2**60 else 0


def memory_controller(controllers: str, cgroups: str) -> bool | None:
    """Whether limits of memory can be set, of cgroup.controllers (v2) or /proc/cgroups (v1); None where neither says.

    Newer kernels list in /proc/cgroups only what is left to v1, so v2 is asked first.
    """
    if controllers.split():
        return "memory" in controllers.split()
    found = re.search(r"^memory\s+\d+\s+\d+\s+(\d)", cgroups, re.MULTILINE)
    return found[1] == "1" if found else False if cgroups.strip() else None


def parse_fib_trie(text: str) -> set[str]:
    """The IPv4 addresses of this host, of /proc/net/fib_trie: those whose leaf says ``/32 host LOCAL``."""
    found, leaf = set(), ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words == ["/32", "host", "LOCAL"]:
            found.add(leaf)
    return found


def parse_if_inet6(text: str) -> set[str]:
    """The IPv6 addresses of this host, of /proc/net/if_inet6."""
    return {str(ipaddress.ip_address(int(line.split()[0], 16).to_bytes(16, "big")))
            for line in text.splitlines() if line.split()}


def parse_packages(text: str, names: t.Collection[str]) -> list[str]:
    """Those of the packages that are installed, of dpkg's status file."""
    found = re.findall(r"^Package: (\S+)\nStatus: \S+ \S+ installed$", text, re.MULTILINE)
    return sorted({name for name in found if name in names})


def wraps_podman(text: str) -> bool:
    """Whether a ``docker`` command is a script that starts Podman, of its first lines."""
    return text.startswith("#!") and "podman" in text


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
