# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides what to do about one Docker network."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError


@dataclasses.dataclass(frozen=True)
class Network:
    """A bridge network, as wished (empty subnet: any) or as found."""

    name: str
    subnet: str = ""
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    driver: str = "bridge"
    containers: tuple[str, ...] = ()

    @classmethod
    def from_inspect(cls, found: t.Mapping[str, t.Any]) -> Network:
        """From one entry of ``docker network inspect``."""
        pools = (found.get("IPAM") or {}).get("Config") or []
        containers = (found.get("Containers") or {}).values()
        return cls(
            name=found["Name"],
            subnet=next((pool["Subnet"] for pool in pools if "." in pool.get("Subnet", "")), ""),
            labels=found.get("Labels") or {},
            driver=found["Driver"],
            containers=tuple(sorted(item["Name"] for item in containers)),
        )

    def described(self) -> dict[str, t.Any]:
        return {"driver": self.driver, "subnet": self.subnet, "labels": dict(self.labels)}


@dataclasses.dataclass(frozen=True)
class Plan:
    remove: bool
    create: bool
    differences: tuple[str, ...] = ()

    @property
    def changes_anything(self) -> bool:
        return self.remove or self.create


def canonical(subnet: str) -> str:
    """The subnet as the engine writes it; refuses what is none."""
    if not subnet:
        return ""
    try:
        return str(ipaddress.ip_network(subnet))
    except ValueError as error:
        raise MooringError(f"The subnet '{subnet}' is not a network in CIDR notation such as 192.0.2.0/24: {error}.") \
            from error


def differences(current: Network, desired: Network) -> tuple[str, ...]:
    """Where the network found is not what is wished; labels of others are left alone."""
    found = []
    if current.driver != desired.driver:
        found.append(f"its driver is {current.driver}, not {desired.driver}")
    if desired.subnet and current.subnet != desired.subnet:
        found.append(f"its subnet is {current.subnet or 'unset'}, not {desired.subnet}")
    for key, value in sorted(desired.labels.items()):
        if current.labels.get(key) != value:
            found.append(f"its label {key} is {current.labels.get(key) or 'unset'}, not {value}")
    return tuple(found)


def decide(current: Network | None, desired: Network, present: bool) -> Plan:
    """Docker cannot change a network: a different one is replaced, unless containers use it."""
    if current is None:
        return Plan(remove=False, create=present)
    unlike = differences(current, desired) if present else ("it is to be removed",)
    if not unlike:
        return Plan(remove=False, create=False)
    if current.containers:
        raise MooringError(
            f"The network {current.name} cannot be {'replaced' if present else 'removed'}: {'; '.join(unlike)}, "
            f"and these containers use it: {', '.join(current.containers)}. "
            + ("Declare what the network has, or stop the projects of these containers (docker compose down in their "
               "directories; volumes stay) and run again." if present else "Remove them first."))
    return Plan(remove=True, create=present, differences=unlike)
