# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that makes a host a member of the platform's swarm."""

from __future__ import annotations

import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_swarm import PORT, Plan, Swarm, Wish, decide
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "hosts": {"type": "dict", "default": {}},
    "host": {"type": "str", "required": True},
    "pool": {"type": "str", "default": "172.30.0.0/16"},
    "labels": {"type": "dict", "default": {}},
    "found": {"type": "bool", "default": False},
    "join": {"type": "str", "default": ""},
    "token": {"type": "str", "default": "", "no_log": True},
    "stop": {"type": "bool", "default": False},
}


def read(docker: Docker) -> Swarm:
    """The membership of this host; raises :class:`MooringError` where the swarm has lost its leader."""
    info = docker.info()
    now = Swarm.from_info(info)
    if now.state != "active" or not now.manager:
        return now
    status, nodes = docker.get("/nodes")
    if status != 200:
        raise MooringError(
            f"The swarm decides nothing any more: {nodes.get('message', status)}. More than half of its hosts have to "
            f"run; it knows {', '.join(sorted(now.known))}. Start their engines. If they are gone for good, on one "
            f"that is left: docker swarm init --force-new-cluster --advertise-addr {now.address}.")
    return Swarm.from_info(info, nodes)


def apply(docker: Docker, plan: Plan, wish: Wish, params: dict[str, t.Any]) -> None:
    # By the engine's API, because the command line takes the token as an argument, where everybody could read it.
    own = {"ListenAddr": f"{wish.address}:{PORT}", "AdvertiseAddr": wish.address}
    if plan.step == "found":
        docker.post("/swarm/init", {
            **own, "DefaultAddrPool": [params["pool"]], "SubnetSize": 24,
            "Spec": {"Labels": {key: str(value) for key, value in params["labels"].items()}}})
    elif plan.step == "join":
        docker.post("/swarm/join", {**own, "RemoteAddrs": [f"{params['join']}:{PORT}"], "JoinToken": params["token"]})


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    docker = Docker(module.run_command)
    hosts = {name: str(address or "") for name, address in params["hosts"].items()}
    wish = Wish(hosts, params["host"])
    plan = Plan()
    if len(hosts) > 1:
        if not hosts.get(wish.host):
            raise MooringError(f"docker_engine_swarm gives {wish.host} no address.")
        # Where no engine answers yet, check mode looks at what a run will find: one that is in no swarm.
        now = read(docker) if docker.answers() or not module.check_mode else Swarm()
        plan = decide(now, wish, params["found"], bool(params["join"]))
    if plan.changes_anything and not module.check_mode:
        apply(docker, plan, wish, params)
    return {
        # To wait changes nothing in this call, but is what check mode predicts of the run.
        "changed": plan.changes_anything and (plan.step != "wait" or module.check_mode),
        "differences": [one.as_dict() for one in plan.differences],
        "notices": list(plan.notices),
        "member": not plan.changes_anything,
        "stop": params["stop"] and plan.step == "wait" and not module.check_mode,
    }
