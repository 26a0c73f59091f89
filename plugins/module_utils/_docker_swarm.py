# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides how a host becomes a member of the swarm that joins the platform's hosts.

Only for its overlay network; Compose runs the containers as on a single host. Every host is a manager, because Compose
looks for the network before it makes a container, and a worker does not know one that none of its containers uses yet
(tried with Docker 26.1 and Compose 2.26).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

PORT = 2377
# More managers make a swarm slower and no safer (Docker documentation, "Administer and maintain a swarm of Docker
# Engines", which advises against more than seven).
MOST_HOSTS = 7
PLATFORM_LABEL = "mooring.platform"
# From this version on a manager asks the leader for the swarm's own volumes, which an older leader does not know: then
# nothing that looks at a volume works any more ("unknown method ListVolumes", tried with 20.10 and 26.1; Docker 23.0
# release notes, cluster volumes).
CLUSTER_VOLUMES = 23


@dataclasses.dataclass(frozen=True)
class Wish:
    """The platform's hosts with their addresses, and which of them this one is."""

    hosts: t.Mapping[str, str]
    host: str

    @property
    def address(self) -> str:
        return self.hosts[self.host]

    @property
    def others(self) -> frozenset[str]:
        return frozenset(address for name, address in self.hosts.items() if name != self.host)


@dataclasses.dataclass(frozen=True)
class Member:
    """A node as the managers see it."""

    id: str
    name: str
    address: str
    answers: bool
    engine: str = ""


@dataclasses.dataclass(frozen=True)
class Swarm:
    """A host's membership as its engine tells it: ``state`` is inactive, pending, active, error or locked."""

    state: str = "inactive"
    manager: bool = False
    address: str = ""
    error: str = ""
    known: frozenset[str] = frozenset()  # addresses of managers
    members: tuple[Member, ...] = ()

    @classmethod
    def from_info(cls, info: t.Mapping[str, t.Any], nodes: t.Sequence[t.Mapping[str, t.Any]] = ()) -> Swarm:
        """From ``docker info`` and the documents of ``docker node ls``."""
        swarm = info.get("Swarm") or {}
        return cls(
            state=swarm.get("LocalNodeState") or "inactive",
            manager=bool(swarm.get("ControlAvailable")),
            address=swarm.get("NodeAddr") or "",
            error=swarm.get("Error") or "",
            known=frozenset(one["Addr"].rpartition(":")[0] for one in swarm.get("RemoteManagers") or ()),
            members=tuple(
                # The address of the node's own status is 0.0.0.0 for the one that answers.
                Member(node["ID"], node["Description"]["Hostname"],
                       (node.get("ManagerStatus") or node["Status"]).get("Addr", "").partition(":")[0],
                       # "unknown" it is for some seconds after another manager took the lead.
                       node["Status"]["State"] != "down"
                       and (node.get("ManagerStatus") or {}).get("Reachability") != "unreachable",
                       (node["Description"].get("Engine") or {}).get("EngineVersion", ""))
                for node in nodes))


@dataclasses.dataclass(frozen=True)
class Plan:
    """``step`` is found, join, wait (somebody has to say where to join first) or nothing."""

    step: str = ""
    differences: tuple[Difference, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def changes_anything(self) -> bool:
        return bool(self.step)


def decide(now: Swarm, wish: Wish, found: bool, invited: bool) -> Plan:
    """What this host does. ``found``: it may make the swarm; ``invited``: it was told whom to join.

    Raises :class:`MooringError` for a membership that only a person can judge.
    """
    if len(wish.hosts) < 2:
        return Plan()
    if now.state == "inactive":
        missing = Difference("swarm", "membership", "manager", "none")
        return Plan("found" if found else "join" if invited else "wait", (missing,))
    if now.state != "active":
        raise MooringError(
            f"The swarm membership of this host is '{now.state}'{f': {now.error}' if now.error else ''}. Look at the "
            "engine's log; if this host was never part of a working swarm, 'docker swarm leave --force' on it and "
            "run again.")
    if not now.manager:
        raise MooringError(
            "This host is a worker of a swarm, and has to be a manager: Compose finds the platform's network on "
            "managers only. On a manager: docker node promote, with this host's name as 'docker node ls' shows it.")
    if now.address != wish.address:
        raise MooringError(
            f"This host is in a swarm as {now.address}, but docker_engine_swarm says {wish.address}. A member cannot "
            "change its address: set it back, or 'docker swarm leave --force' on this host (its containers lose the "
            "platform's network until the next run) and run again.")
    if now.known - {wish.address} and not now.known & wish.others:
        raise MooringError(
            f"This host is in a swarm with {', '.join(sorted(now.known - {wish.address}))}, none of which "
            "docker_engine_swarm lists. 'docker swarm leave' on it if that swarm is not needed, and run again.")
    if mixed := unlike({member.name: member.engine for member in now.members if member.answers}):
        raise MooringError(mixed)
    return Plan(notices=tuple(_notices(now, wish)))


def unlike(engines: t.Mapping[str, str]) -> str:
    """Why the engines of these hosts cannot be in one swarm; "" if they can. Who says no version is not judged."""
    old, new = [], []
    for host, version in sorted(engines.items()):
        major = version.partition(".")[0]
        if major.isdigit():
            (old if int(major) < CLUSTER_VOLUMES else new).append(f"{host} ({version})")
    if not old or not new:
        return ""
    return (f"The Docker engines of {', '.join(old)} and of {', '.join(new)} cannot be in one swarm: those before "
            f"{CLUSTER_VOLUMES}.0 know nothing of its volumes, for which the others ask. Give all hosts the same: the "
            "same release of the distribution, or docker_engine_source: upstream.")


def left_behind(now: Swarm, address: str) -> tuple[Member, ...]:
    """What a host that comes anew has left in the swarm: members at its address that do not answer."""
    return tuple(member for member in now.members if member.address == address and not member.answers)


def _notices(now: Swarm, wish: Wish) -> t.Iterator[str]:
    here = {member.address for member in now.members}
    for name, address in wish.hosts.items():
        if address not in here:
            yield (f"{name} ({address}) is not in the swarm of this host. A run joins it; if it is in one of its own, "
                   "'docker swarm leave --force' on it first.")
    for member in now.members:
        if not member.answers:
            yield (f"The host {member.name} ({member.address}) is in the swarm and does not answer the others. If it "
                   f"is gone for good, on another: docker node demote {member.id} && docker node rm {member.id}.")
