#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_info
short_description: What a host has of Docker, and what it still needs
version_added: "0.1.0"
description:
  - Reads the distribution, the installed packages, the engine that answers and the Compose plugin in one call.
  - Says which packages and apt files are missing. It changes nothing; the role C(docker_engine) acts on it.
  - An engine that was not installed by that role is adopted, and nothing of it is on the list.
attributes:
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: none
    description: The module only reads.
  idempotent:
    support: full
    description: The module only reads.
options:
  source:
    description: Where packages of an engine that is not there yet would come from.
    type: str
    choices: [distro, upstream]
    required: true
  repository:
    description: Base URL of the upstream repository, without the distribution. Used with O(source=upstream).
    type: str
    default: ""
  compose_minimum:
    description: Oldest Compose that is good enough.
    type: str
    required: true
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Look at what the host has of Docker
  mooring.stack.docker_engine_info:
    source: distro
    compose_minimum: "2.20"
  register: engine
"""

RETURN = r"""
adopted:
  description: Whether the host has an engine that this collection did not install.
  type: bool
  returned: success
engine:
  description: Version of the engine that answers, or empty.
  type: str
  returned: success
compose:
  description: Version of the Compose plugin, or empty.
  type: str
  returned: success
complete:
  description: Whether nothing has to be installed or written.
  type: bool
  returned: success
packages:
  description: Packages to install, as apt takes them.
  type: list
  elements: str
  returned: success
files:
  description: Files to write; a mapping of path to content.
  type: dict
  returned: success
key_url:
  description: Address of the key that signs the upstream repository, or empty.
  type: str
  returned: success
key_path:
  description: Where that key belongs.
  type: str
  returned: success
marker:
  description: Text of the marker file, which lists all that the role brought to the host, after these steps.
  type: str
  returned: success
marker_path:
  description: Path of the marker file.
  type: str
  returned: success
"""

import json
import os
import pathlib
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_engine import (
    HOST_LIBRARIES,
    MARKER,
    RELEASES,
    UPSTREAM_COMPOSE,
    UPSTREAM_ENGINE,
    UPSTREAM_KEY,
    Host,
    Wish,
    decide,
    find_mirror,
    parsed,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors

ARGUMENT_SPEC: dict[str, t.Any] = {
    "source": {"type": "str", "choices": ["distro", "upstream"], "required": True},
    "repository": {"type": "str", "default": ""},
    "compose_minimum": {"type": "str", "required": True},
}


def text(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def read(module: AnsibleModule) -> Host:
    release = dict(line.split("=", 1) for line in text(pathlib.Path("/etc/os-release")).splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    names = {*HOST_LIBRARIES, *UPSTREAM_ENGINE, UPSTREAM_COMPOSE}
    for known in RELEASES.values():
        names.update((*known.engine, known.client, known.compose))
    # dpkg-query fails for names it does not know and still prints the others
    _rc, listed, _err = module.run_command(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *sorted(names)])
    _rc, architecture, _err = module.run_command(["dpkg", "--print-architecture"])
    docker = Docker(module.run_command)
    engine = compose = ""
    if docker.installed():
        rc, out, _err = module.run_command([docker.binary, "version", "--format", "{{.Server.Version}}"])
        engine = out.strip() if rc == 0 else ""
        rc, out, _err = module.run_command([docker.binary, "compose", "version", "--short"])
        compose = out.strip() if rc == 0 else ""
    apt = pathlib.Path("/etc/apt")
    ours = (apt / "sources.list.d/docker.sources", *sorted((apt / "sources.list.d").glob("mooring-*.sources")),
            apt / "preferences.d/mooring-compose")
    sources = (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list")),
               *sorted((apt / "sources.list.d").glob("*.sources")))
    return Host(
        distribution=release.get("ID", "").strip('"'),
        codename=codename,
        architecture=architecture.strip(),
        mirror=find_mirror(map(text, sources), codename),
        packages=frozenset(name for name, status in map(str.split, listed.splitlines()) if status == "installed"),
        daemon=bool(module.get_bin_path("dockerd")),
        client=docker.installed(),
        engine=engine,
        compose=compose,
        files={str(path): text(path) for path in ours if path.is_file()},
        marker=parsed(text(pathlib.Path(MARKER)) or None) or {},
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        host = read(module)
        plan = decide(host, Wish(module.params["source"], module.params["compose_minimum"],
                                 module.params["repository"].rstrip("/")))
    module.exit_json(
        changed=False, adopted=plan.adopted, engine=host.engine, compose=host.compose,
        complete=not plan.changes_anything and (not plan.key_url or os.path.exists(UPSTREAM_KEY)),
        packages=list(plan.packages), files=plan.files, key_url=plan.key_url, key_path=UPSTREAM_KEY,
        marker=json.dumps(plan.marker, indent=2) + "\n", marker_path=MARKER,
    )


if __name__ == "__main__":
    main()
