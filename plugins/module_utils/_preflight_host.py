# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what of a machine certainly stops the platform. No I/O; preflight names the host.

Only what a run would fail at is said. What is not known (an empty or missing
fact) is not said either.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _docker_engine
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, problem_and_remedy

Facts = t.Mapping[str, t.Any]


class Finding(t.NamedTuple):
    """One thing to repair on a machine, or on the controller."""

    subject: str
    problem: str
    remedy: str


# ---------------------------------------------------------------- the controller

# ansible-core 2.18, the oldest that meta/runtime.yml allows, needs it.
PYTHON_MINIMUM = (3, 11)


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version: ``2.18.0rc1`` is 2.18.0, as Ansible itself reads requires_ansible."""
    found = re.match(r"\d+(?:\.\d+)*", version.strip())
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def check_controller(ansible: str, required: str, python: tuple[int, ...]) -> t.Iterator[Finding]:
    """``required`` is requires_ansible of meta/runtime.yml, such as ``>=2.18.0,<2.21``. Ansible itself only warns."""
    for bound in required.split(","):
        operator, wanted = re.match(r"\s*(>=|<=|<|>|==|!=)?(.*)", bound).groups()  # type: ignore[union-attr]
        here, there = _numbers(ansible), _numbers(wanted)
        width = max(len(here), len(there))
        here, there = (one + (0,) * (width - len(one)) for one in (here, there))
        holds = {">=": here >= there, "<=": here <= there, "<": here < there, ">": here > there,
                 "!=": here != there}.get(operator or "==", here == there)
        if ansible and wanted.strip() and not holds:
            yield Finding("ansible-core", f"{ansible} is not supported; this collection needs {required}",
                          f"Install one that is, for instance with: python3 -m pip install 'ansible-core{required}'")
            break
    if python < PYTHON_MINIMUM:
        here, there = (".".join(map(str, one[:2])) for one in (python, PYTHON_MINIMUM))
        yield Finding("python", f"Ansible runs on Python {here}; {there} is the oldest supported",
                      f"Install ansible-core for Python {there} or newer on the controller")


# ---------------------------------------------------------------- the kernel


def check_kernel(facts: Facts, map_count: int = 0) -> t.Iterator[Finding]:
    """What neither Docker nor a role mends. ``map_count`` is the vm.max_map_count that Elasticsearch needs, or 0."""
    kernel = facts.get("kernel") or {}
    if kernel.get("memory_controller") is False:
        yield Finding("kernel", "has no memory controller, so no container could be given a limit",
                      "Boot with cgroup_enable=memory, or, where the host is a container itself, let its own host pass "
                      "the controller on")
    # An engine that answers has what it needs.
    if kernel.get("overlay") is False and kernel.get("modules") is False and not facts["docker"].get("answers"):
        yield Finding("kernel", f"has no overlay file system, and the modules of {kernel.get('release')}, which runs, "
                      "are not on the disk", "Reboot into the kernel that is installed")
    found = kernel.get("max_map_count")
    if found is not None and found < map_count and not kernel.get("max_map_count_writable", True):
        yield Finding("kernel", f"vm.max_map_count is {found}, Elasticsearch needs {map_count}, and this host may not "
                      "set it, as in a container", f"Run on the machine itself: sysctl --write "
                      f"vm.max_map_count={map_count}")


# ---------------------------------------------------------------- the engine

# Packages that apt would have to remove, or that own the same files: /usr/bin/docker, containerd, runc, the plugins.
OF_DISTRO = {"containerd", "docker-buildx", "docker-cli", "docker-compose-v2", "docker.io", "runc"}
OF_UPSTREAM = {"containerd.io", "docker-buildx-plugin", "docker-ce", "docker-ce-cli", "docker-compose-plugin"}


def check_engine(facts: Facts, source: str, compose_minimum: str) -> t.Iterator[Finding]:
    """Docker from a source that is in the way of the declared one. An engine that is there and works is adopted."""
    docker = facts.get("docker") or {}
    if docker.get("snap"):
        yield Finding("docker", "is the snap, which cannot read the platform's directories",
                      "Remove it with: snap remove docker. Its containers and volumes go with it, so save them first")
        return
    packages = set(docker.get("packages") or ())
    if docker.get("podman") or "podman-docker" in packages:
        command = docker.get("podman") or "/usr/bin/docker"
        yield Finding("docker", f"{command} is a wrapper of Podman, which is another engine",
                      "Remove it with: apt-get remove podman-docker. Podman itself may stay")
        return
    if {"docker.io", "docker-ce"} <= packages:
        yield Finding("docker", "docker.io and docker-ce are both installed, two engines for one socket",
                      "Keep one: apt-get remove docker.io, or apt-get remove docker-ce docker-ce-cli containerd.io")
        return
    # Of another source its own check tells.
    if source not in ("distro", "upstream"):
        return
    yield from _what_the_role_would_refuse(facts, source, compose_minimum)
    there = docker.get("daemon") or docker.get("answers")
    if there or (docker.get("marker") or {}).get("engine") == "installed":
        return
    foreign = sorted(packages & (OF_DISTRO if source == "upstream" else OF_UPSTREAM))
    if foreign:
        other = "distro" if source == "upstream" else "upstream"
        yield Finding("docker", f"{', '.join(foreign)} of another source {'are' if len(foreign) > 1 else 'is'} "
                      f"installed, which the engine of docker_engine_source {source} would replace",
                      f"Remove with: apt-get remove {' '.join(foreign)}, if nothing else needs that, or set "
                      f"docker_engine_source to {other}")


def _what_the_role_would_refuse(facts: Facts, source: str, compose_minimum: str) -> t.Iterator[Finding]:
    """docker_engine decides the same way a minute later, after other hosts were changed."""
    docker, system = facts["docker"], facts["os"]
    # Said of the operating system, or of the variable.
    if (system["id"], system.get("codename")) not in _docker_engine.RELEASES or not re.match(
            r"v?\d+\.\d+", compose_minimum):
        return
    host = _docker_engine.Host(
        system["id"], system["codename"], facts["architecture"], packages=frozenset(docker.get("packages") or ()),
        # Which mirror there is is seen by the role itself.
        mirror="unknown", daemon=bool(docker.get("daemon")), client=bool(docker.get("installed")),
        engine=docker.get("version") or "", compose=docker.get("compose") or "", marker=docker.get("marker") or {})
    try:
        _docker_engine.decide(host, _docker_engine.Wish(source, compose_minimum))
    except MooringError as error:
        text, remedy = problem_and_remedy(error)
        yield Finding("docker", text, remedy or "Upgrade it, or remove it and let docker_engine install one")


# ---------------------------------------------------------------- names and addresses

def parse_networks(values: t.Iterable[t.Any]) -> list[t.Any]:
    """Addresses and networks in CIDR notation; what is neither is left out, its own check says so."""
    found = []
    for value in values:
        try:
            found.append(ipaddress.ip_network(str(value)))
        except ValueError:
            continue
    return found


def elsewhere(answers: t.Iterable[str], own: t.Iterable[str], seen_at: t.Iterable[str],
              allowed: t.Iterable[t.Any]) -> list[str]:
    """Those of a name's addresses that certainly do not lead to a host.

    ``own`` are the host's addresses as it knows them itself, ``seen_at`` those
    at which the controller reaches it, ``allowed`` those that a variable
    declares. Without the latter an address is foreign only where the host has
    another one of the same reach: a host that has private addresses alone is
    behind something that translates, and then nothing is known of public ones.
    """
    networks = parse_networks(allowed)
    reached = {ipaddress.ip_address(one) for one in seen_at}
    mine = {ipaddress.ip_address(one) for one in own} | reached
    # Private addresses of its own include those of Docker's bridges, at which nobody reaches a host.
    public, private = any(one.is_global for one in mine), any(_is_private(one) for one in reached)
    found = []
    for text in answers:
        address = ipaddress.ip_address(text)
        # A controller finds its own name at a loopback address in its hosts file.
        if address in mine or address.is_loopback or any(address in network for network in networks):
            continue
        if networks or (public if address.is_global else private and _is_private(address)):
            found.append(text)
    return sorted(found)


def _is_private(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (address.is_global or address.is_loopback or address.is_link_local)


def can_be_bound(address: str, facts: Facts) -> bool:
    """Whether a port can be published at an address; true where the host's addresses are not known."""
    wanted, mine = ipaddress.ip_address(address), {ipaddress.ip_address(one) for one in facts.get("addresses") or ()}
    # An address that moves between hosts is bound by all of them.
    anything = not mine or (facts.get("kernel") or {}).get("nonlocal_bind")
    return bool(anything) or wanted.is_unspecified or wanted.is_loopback or wanted in mine
