# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that finds out what a host lacks of a Docker engine."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
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
from ansible_collections.mooring.stack.plugins.module_utils._formats import ENGINE

ARGUMENT_SPEC: dict[str, t.Any] = {
    "source": {"type": "str", "choices": ["distro", "upstream"], "required": True},
    "repository": {"type": "str", "default": ""},
    "compose_minimum": {"type": "str", "required": True},
    "stop": {"type": "bool", "default": False},
}


def text(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def read(module: t.Any) -> Host:
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
    compose = ""
    if docker.installed():
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
        engine=docker.version(),
        compose=compose,
        files={str(path): text(path) for path in ours if path.is_file()},
        marker=ENGINE.current(parsed(text(pathlib.Path(MARKER)) or None) or {}, MARKER),
    )


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Look and decide; changes nothing, so ``changed`` is false whatever differs."""
    host = read(module)
    plan = decide(host, Wish(params["source"], params["compose_minimum"], params["repository"].rstrip("/")))
    differences = plan.differences(host)
    if plan.key_url and not os.path.exists(UPSTREAM_KEY):
        differences.append(Difference(f"file {UPSTREAM_KEY}", "presence", "present", None))
    return {
        "changed": False, "differences": [one.as_dict() for one in differences], "notices": [],
        # Check mode goes on: nothing will have been installed, and the rest can be predicted.
        "stop": params["stop"] and bool(differences) and not module.check_mode,
        "adopted": plan.adopted, "engine": host.engine, "compose": host.compose, "complete": not differences,
        "packages": list(plan.packages), "files": plan.files, "key_url": plan.key_url, "key_path": UPSTREAM_KEY,
        "marker": json.dumps(plan.marker, indent=2) + "\n", "marker_path": MARKER,
    }
