# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides what to do about one Docker network."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, as wished (empty subnet: any) or as found.

    An overlay is ``attachable``, so that Compose's containers may join it, and ``encrypted`` or not.
    """

    name: str
    subnet: str = ""
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    driver: str = "bridge"
    containers: tuple[str, ...] = ()
    attachable: bool = False
    encrypted: bool = False

    @classmethod
    def from_inspect(cls, found: t.Mapping[str, t.Any]) -> Network:
        """From one entry of ``docker network inspect``."""
        pools = (found.get("IPAM") or {}).get("Config") or []
        # An overlay has an end on each host that no container is behind.
        containers = [item for key, item in (found.get("Containers") or {}).items() if not key.startswith("lb-")]
        return cls(
            name=found["Name"],
            subnet=next((pool["Subnet"] for pool in pools if "." in pool.get("Subnet", "")), ""),
            labels=found.get("Labels") or {},
            driver=found["Driver"],
            containers=tuple(sorted(item["Name"] for item in containers)),
            attachable=bool(found.get("Attachable")),
            encrypted="encrypted" in (found.get("Options") or {}),
        )

    def described(self) -> dict[str, t.Any]:
        described = {"driver": self.driver, "subnet": self.subnet, "labels": dict(self.labels)}
        if self.driver == "overlay":
            described.update(attachable=self.attachable, encrypted=self.encrypted)
        return described


@dataclasses.dataclass(frozen=True)
class Plan:
    remove: bool
    create: bool
    differences: tuple[Difference, ...] = ()

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


def differences(current: Network, desired: Network) -> list[Difference]:
    """Where the network found is not what is wished; labels of others are left alone."""
    name = f"network {desired.name}"
    fields: list[tuple[str, t.Any, t.Any]] = [("driver", desired.driver, current.driver)]
    if desired.driver == "overlay" == current.driver:
        fields += [("attachable", desired.attachable, current.attachable),
                   ("encrypted", desired.encrypted, current.encrypted)]
    if desired.subnet:
        fields.append(("subnet", desired.subnet, current.subnet))
    fields += [(f"label {key}", value, current.labels.get(key) or "") for key, value in sorted(desired.labels.items())]
    return [Difference(name, field, expected, None if found == "" else found)
            for field, expected, found in fields if expected != found]


def decide(current: Network | None, desired: Network, present: bool) -> Plan:
    """Docker cannot change a network: a different one is replaced, unless containers use it."""
    name = f"network {desired.name}"
    if current is None:
        missing = (Difference(name, "presence", "present", None),) if present else ()
        return Plan(remove=False, create=present, differences=missing)
    unlike = differences(current, desired) if present else [Difference(name, "presence", None, "present")]
    if not unlike:
        return Plan(remove=False, create=False)
    if current.containers:
        why = "; ".join(f"its {one.field} is {one.found or 'unset'}, not {one.expected}" for one in unlike)
        raise MooringError(
            f"The network {current.name} cannot be {'replaced' if present else 'removed'}: "
            f"{why if present else 'it is to be removed'}, "
            f"and these containers use it: {', '.join(current.containers)}. "
            + ("Declare what the network has, or stop the projects of these containers (docker compose down in their "
               "directories; volumes stay) and run again." if present else "Remove them first."),
            differences=[one.as_dict() for one in unlike])
    return Plan(remove=True, create=present, differences=tuple(unlike))
