#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight_facts
short_description: Read what decides whether a host can run the platform
version_added: "0.1.0"
description:
  - Reads the operating system, memory, free disk space, listening sockets with their owners, the clock and whether
    Docker answers.
  - Needs nothing but Python, so it works on a bare host. P(mooring.stack.preflight#module) judges what it returns.
options: {}
attributes:
  check_mode:
    description: Runs the same in check mode.
    support: full
  diff_mode:
    description: Has no diff, because it changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Read the facts that decide whether the platform fits
  mooring.stack.preflight_facts:
  register: facts
"""

RETURN = r"""
host:
  description: What the host says about itself.
  returned: success
  type: dict
  contains:
    os:
      description: Identifier and version of the distribution.
      type: dict
      sample: {id: debian, version: "13"}
    architecture:
      description: The machine's architecture.
      type: str
      sample: x86_64
    memory:
      description: Memory in bytes.
      type: int
      sample: 8589934592
    mounts:
      description: Free bytes per mount point.
      type: dict
      sample: {/: 107374182400}
    time:
      description: Seconds since the epoch.
      type: float
    listening:
      description: Listening TCP sockets. Owners are only known to root.
      type: list
      elements: dict
      sample: [{address: 127.0.0.1, port: 8080, process: nginx}]
    published:
      description: Ports that running containers publish.
      type: list
      elements: dict
      sample: [{project: mooring-nginx_certbot, container: proxy, address: 0.0.0.0, port: 443}]
    docker:
      description: Whether a Docker command is installed, an engine answers, and where it keeps its data.
      type: dict
      sample: {installed: true, answers: true, root: /var/lib/docker}
"""

import contextlib
import os
import pathlib
import platform
import re
import shutil
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._preflight_facts import (
    parse_meminfo,
    parse_mounts,
    parse_os_release,
    parse_published,
    parse_sockets,
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


def read_docker(docker: Docker) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Whether an engine answers and where it keeps its data, and the ports that containers publish."""
    state = {"installed": docker.installed(), "answers": docker.answers(), "root": DOCKER_ROOT}
    if not state["answers"]:
        return state, []
    state["root"] = docker.run("info", "--format", "{{.DockerRootDir}}").strip() or DOCKER_ROOT
    form = '{{.Label "com.docker.compose.project"}}\t{{.Names}}\t{{.Ports}}'
    return state, parse_published(docker.run("ps", "--format", form))


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        docker, published = read_docker(Docker(module.run_command))
    host = {
        "os": parse_os_release(read("/etc/os-release")),
        "architecture": platform.machine(),
        "memory": parse_meminfo(read("/proc/meminfo")),
        "mounts": free_bytes(),
        "time": time.time(),
        "listening": listening(),
        "published": published,
        "docker": docker,
    }
    module.exit_json(changed=False, host=host)


if __name__ == "__main__":
    main()
