#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: platform_status
short_description: Say what runs on a host
version_added: "0.1.0"
description:
  - Reads the projects below O(root), their containers, the certificates that the proxy shows and the colour that serves
    each application. Changes nothing.
  - Prints one table, and after it what a user needs next, as far as it is given here.
options:
  root:
    description: Directory that holds the components, C(mooring_root).
    type: path
    required: true
  prefix:
    description: Prefix of the Compose projects, C(mooring_prefix).
    type: str
    required: true
  url:
    description: Where users reach the proxy, without a path.
    type: str
    default: ""
  routes:
    description: Routes of the proxy, each with C(path), C(application) or C(upstream), and C(access).
    type: list
    elements: dict
    default: []
  ca_file:
    description: Root certificate of a test CA on the host. Empty for a CA that everybody trusts.
    type: str
    default: ""
  connect:
    description: Address to connect to where the name in O(url) does not resolve.
    type: str
    default: ""
  credentials:
    description: Where the credentials lie, in words.
    type: str
    default: ""
  example:
    description: Path for the example of a request. Empty takes the first public route.
    type: str
    default: ""
  format:
    description:
      - V(table) prints text.
      - V(json) prints one JSON document. With P(mooring.stack.progress#callback) it is all that standard output gets,
        for all hosts together.
    type: str
    choices: [table, json]
    default: table
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
- name: Say what runs here
  mooring.stack.platform_status:
    root: /opt/mooring
    prefix: mooring
    url: https://platform.example.com
"""

RETURN = r"""
status:
  description: What runs here.
  returned: always
  type: dict
  contains:
    engine:
      description: Version of the Docker engine; empty where none answers.
      type: str
    containers:
      description: One entry for each container that runs or should run.
      type: list
      elements: dict
      sample:
        - {component: data_stores, container: mooring-data_stores-mysql-1, health: healthy, version: 8.4.11, url: "",
           certificate: "", release: ""}
    certificates:
      description: The certificates that the proxy shows.
      type: list
      elements: dict
      sample: [{name: platform, not_after: "2027-02-20", issuer: R12, placeholder: false}]
    releases:
      description: Which colour serves each application.
      type: list
      elements: dict
      sample: [{application: demo, colour: blue, release: 1.0.0}]
text:
  description: The table, and what a user needs next.
  returned: always
  type: list
  elements: str
"""

import dataclasses
import json
import pathlib
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._status import (
    Certificate,
    Project,
    Release,
    guide,
    rows,
    table,
)
from ansible_collections.mooring.stack.plugins.module_utils._x509 import read_pair

ARGUMENT_SPEC: dict[str, t.Any] = {
    "root": {"type": "path", "required": True},
    "prefix": {"type": "str", "required": True},
    "url": {"type": "str", "default": ""},
    "routes": {"type": "list", "elements": "dict", "default": []},
    "ca_file": {"type": "str", "default": ""},
    "connect": {"type": "str", "default": ""},
    # Says where they lie, not what they are.
    "credentials": {"type": "str", "default": "", "no_log": False},
    "example": {"type": "str", "default": ""},
    "format": {"type": "str", "choices": ["table", "json"], "default": "table"},
}


def read_json(path: pathlib.Path) -> dict[str, t.Any]:
    """A JSON object on disk; empty where there is none that can be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def read_projects(root: pathlib.Path, prefix: str) -> list[Project]:
    """The directories below the root that hold a Compose project."""
    return [
        Project(
            component=path.parent.name,
            name=f"{prefix}-{path.parent.name}",
            services=tuple(read_json(path.parent / ".mooring" / "manifest.json").get("services") or ()),
        )
        for path in sorted(root.glob("*/compose.yml"))
    ]


def read_containers(docker: Docker, projects: list[Project]) -> list[dict[str, t.Any]]:
    """``docker inspect`` of the projects' containers, in two calls whatever their number."""
    names = {project.name for project in projects}
    lines = docker.run(
        "ps", "--all", "--no-trunc", "--filter", "label=com.docker.compose.oneoff=False",
        "--format", '{{.ID}}\t{{.Label "com.docker.compose.project"}}',
    ).splitlines()
    ids = [line.split("\t")[0] for line in lines if line.split("\t")[1] in names]
    return docker.inspect("container", ids)


def read_certificates(root: pathlib.Path) -> list[Certificate]:
    """What lies where the proxy reads it."""
    certificates = []
    for path in sorted((root / "nginx_certbot" / "certificates").glob("*/fullchain.pem")):
        if not path.parent.is_symlink():  # <name> is a link to the version that counts
            continue
        try:
            pair = read_pair(str(path.parent))
        except MooringError as error:
            certificates.append(Certificate(path.parent.name, f"unknown: {error}", "", False))
            continue
        if pair:
            expiry = pair.not_after.strftime("%Y-%m-%d")
            certificates.append(Certificate(path.parent.name, expiry, pair.issuer, pair.placeholder))
    return certificates


def read_releases(root: pathlib.Path) -> list[Release]:
    """Which colour serves: the proxy's word on disk, and the release that the last deployment recorded."""
    releases = []
    for path in sorted((root / "app_blue_green").glob("*.json")):
        active = read_json(path).get("active") or {}
        try:
            colour = (root / "nginx_certbot" / "releases" / path.stem).read_text(encoding="utf-8").strip()
        except OSError:
            colour = str(active.get("colour", ""))
        release = str(active.get("release", "")) if colour == active.get("colour") else ""
        releases.append(Release(path.stem, colour, release))
    return releases


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    root = pathlib.Path(params["root"])
    docker = Docker(module.run_command)
    with domain_errors(module):
        projects = read_projects(root, params["prefix"])
        answers = docker.answers()
        containers = read_containers(docker, projects) if answers and projects else []
        engine = docker.run("version", "--format", "{{.Server.Version}}").strip() if answers else ""
    certificates, releases = read_certificates(root), read_releases(root)
    found = rows(projects, containers, certificates, releases, params["url"], params["routes"])
    ca_file = params["ca_file"] if pathlib.Path(params["ca_file"]).is_file() else ""
    text = table(found)
    if found:
        text += guide(
            params["url"], params["routes"], ca_file, params["connect"], params["credentials"], params["example"])
    module.exit_json(
        changed=False,
        status={
            "engine": engine,
            "containers": [dataclasses.asdict(row) for row in found],
            "certificates": [dataclasses.asdict(certificate) for certificate in certificates],
            "releases": [dataclasses.asdict(release) for release in releases],
        },
        text=text,
    )


if __name__ == "__main__":
    main()
