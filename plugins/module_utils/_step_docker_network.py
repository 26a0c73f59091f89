# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps one Docker network as declared."""

from __future__ import annotations

import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_network import Network, Plan, canonical, decide
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "subnet": {"type": "str", "default": ""},
    "labels": {"type": "dict", "default": {}},
    "driver": {"type": "str", "choices": ["bridge", "overlay"], "default": "bridge"},
    "encrypted": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def read(docker: Docker, name: str) -> Network | None:
    # inspect also takes the beginning of an ID, so the name is compared
    found = [entry for entry in docker.inspect("network", [name]) if entry["Name"] == name]
    return Network.from_inspect(found[0]) if found else None


def apply(docker: Docker, plan: Plan, desired: Network) -> None:
    if plan.remove:
        docker.run("network", "rm", desired.name)
    if plan.create:
        subnet = ["--subnet", desired.subnet] if desired.subnet else []
        labels = [arg for key, value in sorted(desired.labels.items()) for arg in ("--label", f"{key}={value}")]
        options = ["--attachable"] if desired.attachable else []
        options += ["--opt", "encrypted"] if desired.encrypted else []
        try:
            docker.run("network", "create", "--driver", desired.driver, *options, *subnet, *labels, desired.name)
        except CommandFailed:
            # Another host of the swarm was faster: an overlay is there for all of them.
            if desired.driver != "overlay" or read(docker, desired.name) is None:
                raise


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    docker = Docker(module.run_command)
    present = params["state"] == "present"
    overlay = params["driver"] == "overlay"
    desired = Network(
        params["name"], canonical(params["subnet"]), {key: str(value) for key, value in params["labels"].items()},
        driver=params["driver"], attachable=overlay, encrypted=overlay and params["encrypted"])
    current, notices = None, []
    if docker.answers():
        current = read(docker, desired.name)
        plan = decide(current, desired, present=present)
    elif not module.check_mode:
        raise MooringError("No Docker engine answers on this host. Run the docker_engine role first.")
    elif docker.installed():
        # A stopped engine keeps its networks, and whether this one is among them cannot be seen.
        plan = Plan(remove=False, create=False)
        notices.append(f"The Docker engine does not answer, so nobody knows whether the network {desired.name} is "
                       "there and as declared. A run looks once the engine is started.")
    else:
        plan = decide(None, desired, present=present)
    after = desired if present else None
    if plan.changes_anything and not module.check_mode:
        apply(docker, plan, desired)
        after = read(docker, desired.name)
    elif not plan.changes_anything:
        after = current
    return {
        "changed": plan.changes_anything,
        "differences": [one.as_dict() for one in plan.differences],
        "notices": notices,
        "subnet": after.subnet if after else "",
        "diff": {"before_header": f"network {desired.name}", "after_header": f"network {desired.name}",
                 "before": current.described() if current else {}, "after": after.described() if after else {}},
    }
