#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: platform_teardown
short_description: Remove the platform from a host
version_added: "0.1.0"
description:
  - Removes the containers, networks, directories and images of the platform, and its volumes if O(data=delete).
  - Removes only what manifests and labels say is ours. Other containers, volumes and images are never touched; a
    directory below O(root) that is not ours stays and is named in RV(foreign).
  - A swarm that the platform made is left, unless another platform has a network in it.
  - The Docker engine stays.
options:
  root:
    description: Directory that holds the components, C(mooring_root).
    type: path
    required: true
  prefix:
    description: Prefix of the Compose projects, C(mooring_prefix).
    type: str
    required: true
  data:
    description:
      - What happens to volumes, which hold the data of databases and brokers.
      - V(ask) asks on a terminal, and fails elsewhere.
    type: str
    choices: [ask, keep, delete]
    default: ask
  images:
    description: Whether images that were built on the host are removed too.
    type: bool
    default: true
  components:
    description: Names of the collection's roles. Given by the action plugin.
    type: list
    elements: str
    default: []
  collection:
    description: >-
      Version of the collection, which must not be older than the one that worked there last. Given by the action
      plugin.
    type: str
    default: ""
  downgrade_acknowledged:
    description: The newer version that worked there last, if an older one may remove what that one has left.
    type: str
    default: ""
  only:
    description:
      - Remove these components only, named like their directories below O(root). V(app_blue_green) stands for its
        applications in both colours. The platform's network, images and O(generated_secrets) stay then.
    type: list
    elements: str
    default: []
  generated_secrets:
    description:
      - Directory on the controller with generated secrets; its name must be C(.state). Removed with the data, because
        the data cannot be read without them.
    type: path
  state:
    description: V(listed) only says what V(absent) would remove.
    type: str
    choices: [absent, listed]
    default: absent
attributes:
  check_mode:
    description: Says what would be removed.
    support: full
  diff_mode:
    description: What is removed is in the result instead.
    support: none
  idempotent:
    description: A second run finds nothing to remove.
    support: full
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Remove the platform and its data
  mooring.stack.platform_teardown:
    root: /opt/mooring
    prefix: mooring
    data: delete

- name: Remove one component, and keep what it stored
  mooring.stack.platform_teardown:
    root: /opt/mooring
    prefix: mooring
    data: keep
    only: [data_stores]
"""

RETURN = r"""
containers:
  description: Containers that were removed.
  returned: always
  type: list
  elements: str
networks:
  description: Networks that were removed.
  returned: always
  type: list
  elements: str
volumes:
  description: Volumes that were removed with their data.
  returned: always
  type: list
  elements: str
kept_volumes:
  description: Volumes that stay.
  returned: always
  type: list
  elements: str
images:
  description: Images that were removed.
  returned: always
  type: list
  elements: str
directories:
  description: Directories below O(root) that were removed.
  returned: always
  type: list
  elements: str
jobs:
  description: Jobs of systemd or cron that were removed, such as the renewal of certificates.
  returned: always
  type: list
  elements: str
records:
  description: Files that were removed, which said which version of the collection worked for the platform.
  returned: always
  type: list
  elements: str
foreign:
  description: Entries below O(root) that are not ours and stay.
  returned: always
  type: list
  elements: str
registries:
  description: Container registries that the host was logged out of.
  returned: always
  type: list
  elements: str
leave_swarm:
  description: Whether the host left the swarm that joins the platform's hosts.
  returned: always
  type: bool
left:
  description: What could not be removed, and why. An image that another container uses is no failure.
  returned: always
  type: list
  elements: str
"""

import contextlib
import dataclasses
import pathlib
import shutil
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._collection_version import (
    Acknowledged,
    older,
    path_of,
    recorded,
)
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_swarm import PLATFORM_LABEL
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._files import read_text
from ansible_collections.mooring.stack.plugins.module_utils._images import REPLACED, noted
from ansible_collections.mooring.stack.plugins.module_utils._registry_logins import NOTE
from ansible_collections.mooring.stack.plugins.module_utils._step_registry_logins import ours as registries
from ansible_collections.mooring.stack.plugins.module_utils._step_schedule import jobs, unschedule
from ansible_collections.mooring.stack.plugins.module_utils._teardown import (
    Container,
    Found,
    Image,
    Network,
    Plan,
    Volume,
    decide,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "root": {"type": "path", "required": True},
    "prefix": {"type": "str", "required": True},
    "data": {"type": "str", "choices": ["ask", "keep", "delete"], "default": "ask"},
    "images": {"type": "bool", "default": True},
    "components": {"type": "list", "elements": "str", "default": []},
    "collection": {"type": "str", "default": ""},
    "downgrade_acknowledged": {"type": "str", "default": ""},
    "only": {"type": "list", "elements": "str", "default": []},
    # A directory, not a secret.
    "generated_secrets": {"type": "path", "no_log": False},
    "state": {"type": "str", "choices": ["absent", "listed"], "default": "absent"},
}
PROJECT = "com.docker.compose.project"
STOP_SECONDS = 60  # a database ends cleanly within it; kept data must not need a recovery


def read(docker: Docker, root: pathlib.Path, record: pathlib.Path) -> Found:
    """What the host holds. Without an engine there are only files."""
    entries = sorted(root.iterdir()) if root.is_dir() else []
    files = Found(
        directories=tuple(entry.name for entry in entries),
        projects=tuple(entry.name for entry in entries if (entry / ".mooring" / "manifest.json").exists()),
        applications=tuple(path.stem for path in sorted((root / "app_blue_green").glob("*.json"))),
        jobs=tuple(jobs()),
        registries=tuple(registries()),
        records=(str(record),) if record.exists() else (),
    )
    if not docker.answers():
        if files.projects:
            raise MooringError(
                f"No Docker engine answers, but {root} holds projects. Start the engine first: their containers, "
                "networks and volumes could not be removed now, and nobody would find them later.")
        return files
    return dataclasses.replace(
        files,
        containers=tuple(
            Container(
                container["Id"],
                container["Name"].lstrip("/"),
                (container["Config"].get("Labels") or {}).get(PROJECT, ""),
                (container["Config"].get("Labels") or {}).get("com.docker.compose.project.working_dir", ""),
            )
            for container in docker.inspect(
                "container", docker.run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={PROJECT}").split())
        ),
        volumes=tuple(
            Volume(volume["Name"], (volume.get("Labels") or {}).get(PROJECT, ""),
                   (volume.get("Labels") or {}).get("mooring.application", ""))
            for volume in docker.inspect(
                "volume", docker.run("volume", "ls", "--quiet", "--filter", f"label={PROJECT}").split())
        ),
        networks=tuple(
            Network(
                network["Name"],
                (network.get("Labels") or {}).get(PROJECT, ""),
                (network.get("Labels") or {}).get(PLATFORM_LABEL, ""),
                network["Driver"] == "overlay",
            )
            for network in docker.inspect("network", docker.run("network", "ls", "--quiet").split())
        ),
        images=read_images(docker),
        swarm=((docker.info().get("Swarm") or {}).get("Cluster") or {}).get("Spec", {}).get("Labels", {}).get(
            PLATFORM_LABEL, ""),
    )


def read_images(docker: Docker) -> tuple[Image, ...]:
    """The images of our recipes, newest first, so that an image goes before the one it was made from."""
    lines = docker.run(
        "image", "ls", "--no-trunc", "--filter", "label=mooring.recipe", "--format", "{{.ID}}").splitlines()
    ids = list(dict.fromkeys(lines))
    replaced = noted(read_text(REPLACED))
    return tuple(
        Image(image["Id"], tuple(image.get("RepoTags") or ()), image["Id"] in replaced)
        for image in sorted(docker.inspect("image", ids), key=lambda image: image["Created"], reverse=True)
    )


def apply(module: AnsibleModule, docker: Docker, root: pathlib.Path, plan: Plan) -> list[str]:
    """Remove what the plan says; returns what had to stay. Interrupted, the next run goes on."""
    left: list[str] = []
    # First: nothing may start what is about to go.
    for job in plan.jobs:
        try:
            unschedule(module, job)
        except MooringError as error:
            left.append(f"job {job}: {error}")

    def attempt(what: str, *args: str) -> None:
        try:
            docker.run(*args)
        except CommandFailed as error:
            left.append(f"{what}: {(error.stderr or error.stdout).strip()}")

    ids = [container.id for container in plan.containers]
    if ids:
        docker.run("stop", "--time", str(STOP_SECONDS), *ids)
        docker.run("rm", "--force", "--volumes", *ids)  # its anonymous volumes; named ones stay
    if plan.leave_swarm:
        # The other hosts need not wait for this one any more; the last one, or one whose swarm has lost its leader,
        # cannot step down and only leaves.
        docker.succeeds("node", "demote", "self")
        docker.run("swarm", "leave", "--force")
    for network in plan.networks:
        attempt(f"network {network}", "network", "rm", network)
    if plan.volumes:
        docker.run("volume", "rm", *plan.volumes)
    for registry in plan.registries:
        attempt(f"login to {registry}", "logout", registry)
    if plan.registries:
        pathlib.Path(NOTE).unlink(missing_ok=True)
    for image in plan.images:
        attempt(f"image {image}", "image", "rm", image)
    if plan.images:
        pathlib.Path(REPLACED).unlink(missing_ok=True)
    # Last: the manifests in there say what else is ours.
    for name in plan.directories:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for record in map(pathlib.Path, plan.records):
        record.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: other platforms, notes of the engine
            record.parent.rmdir()
            record.parent.parent.rmdir()
    with contextlib.suppress(OSError):  # not empty: somebody else's files
        root.rmdir()
    return left


def refuse_an_older_version(params: dict[str, t.Any], record: pathlib.Path) -> None:
    """It would not know all that a newer one has left. Raises :class:`MooringError`."""
    worked = recorded(read_text(str(record)), str(record))
    if worked and params["collection"]:
        acknowledged = Acknowledged(downgrade=params["downgrade_acknowledged"])
        refusal = older(params["collection"], worked, str(record), acknowledged)
        if refusal:
            raise MooringError(str(refusal))


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    root = pathlib.Path(params["root"])
    docker = Docker(module.run_command)
    with domain_errors(module):
        if params["data"] == "ask" and params["state"] == "absent":
            raise MooringError("Whether data is deleted must be decided: set data to keep or to delete.")
        record = pathlib.Path(path_of(params["prefix"]))
        refuse_an_older_version(params, record)
        found = read(docker, root, record)
        plan = decide(
            found, str(root), params["prefix"], params["components"],
            delete_data=params["data"] == "delete", remove_images=params["images"], only=params["only"],
        )
        left = []
        if not module.check_mode and params["state"] == "absent":
            left = apply(module, docker, root, plan)
    module.exit_json(changed=bool(plan) and params["state"] == "absent", left=left, **plan.result())


if __name__ == "__main__":
    main()
