# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides what of a host belongs to the platform and may be removed. No I/O."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._images import LOCAL_IMAGES
from ansible_collections.mooring.stack.plugins.module_utils._traffic import COLOURS

# What drift_schedule calls its job.
DRIFT = "drift"
# What an engine makes when it joins a swarm, and keeps when it leaves.
WAY_OUT = "docker_gwbridge"


@dataclasses.dataclass(frozen=True)
class Container:
    """A container and the directory of its Compose project, both from labels."""

    id: str
    name: str
    project: str
    directory: str


@dataclasses.dataclass(frozen=True)
class Volume:
    """A volume, its Compose project, and the application whose two colours share it, all from labels."""

    name: str
    project: str
    application: str = ""

    def of_platform(self, prefix: str) -> bool:
        """Whether an application's colour made it, which is gone when its data was kept."""
        return bool(self.application) and self.project in {
            f"{prefix}-{self.application}-{colour}" for colour in COLOURS}


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, its Compose project, and the platform that its label names."""

    name: str
    project: str
    platform: str
    overlay: bool = False


@dataclasses.dataclass(frozen=True)
class Image:
    """An image with a recipe's label and its tags; ``replaced`` if a build took its tag over.

    What somebody builds on an image of ours inherits the label.
    """

    id: str
    tags: tuple[str, ...]
    replaced: bool = False


@dataclasses.dataclass(frozen=True)
class Found:
    """What the host holds."""

    directories: tuple[str, ...] = ()  # names below the root
    projects: tuple[str, ...] = ()  # those of them with a manifest of ours
    applications: tuple[str, ...] = ()  # names of those that were deployed in colours
    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    networks: tuple[Network, ...] = ()
    images: tuple[Image, ...] = ()
    jobs: tuple[str, ...] = ()  # scheduled by us
    registries: tuple[str, ...] = ()  # that we logged in to
    swarm: str = ""  # the platform that made the swarm this host is in, by its label
    records: tuple[str, ...] = ()  # files that say which version of the collection worked for this platform


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to remove, and what stays."""

    containers: tuple[Container, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    kept_volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()  # below the root, but not ours
    leave_swarm: bool = False
    registries: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes or self.images or self.directories
                    or self.jobs or self.leave_swarm or self.registries or self.records)

    def result(self) -> dict[str, t.Any]:
        """What a module returns about it."""
        return {
            "containers": [container.name for container in self.containers],
            "networks": list(self.networks),
            "volumes": list(self.volumes),
            "kept_volumes": list(self.kept_volumes),
            "images": list(self.images),
            "directories": list(self.directories),
            "jobs": list(self.jobs),
            "records": list(self.records),
            "foreign": list(self.foreign),
            "leave_swarm": self.leave_swarm,
            "registries": list(self.registries),
        }


def decide(
    found: Found, root: str, prefix: str, components: t.Collection[str], delete_data: bool, remove_images: bool,
    only: t.Collection[str] = (),
) -> Plan:
    """Only what manifests and labels say is ours.

    A project is ours if its directory holds our manifest, or if a container
    says that its project's directory lies below the root; a component's own
    name is ours in any case, for what an earlier teardown kept. ``only`` these
    components go, if any are named; the platform's network and the images stay
    then, because the others use them. Raises :class:`MooringError` for a name
    that is not there.
    """
    if only:
        return _some(found, root, prefix, components, delete_data, only)
    below = f"{root.rstrip('/')}/"
    projects = {f"{prefix}-{name}" for name in (*found.projects, *components)}
    projects |= {
        container.project for container in found.containers
        if container.directory.startswith(below) and container.project.startswith(f"{prefix}-")
    }
    directories = tuple(
        name for name in found.directories
        if name in found.projects or name in components or f"{prefix}-{name}" in projects
    )
    volumes = tuple(
        volume.name for volume in found.volumes if volume.project in projects or volume.of_platform(prefix))
    # Unless another platform has a network in it.
    leave_swarm = found.swarm == prefix and all(
        network.platform in ("", prefix) for network in found.networks if network.overlay)
    return Plan(
        containers=tuple(
            container for container in found.containers
            if container.project in projects and container.directory.startswith(below)
        ),
        networks=tuple(
            network.name for network in found.networks
            # An overlay is gone with the swarm.
            if (network.platform == prefix or network.project in projects) and not (leave_swarm and network.overlay)
            or leave_swarm and network.name == WAY_OUT
        ),
        volumes=volumes if delete_data else (),
        kept_volumes=() if delete_data else volumes,
        images=_images(found.images) if remove_images else (),
        directories=directories,
        jobs=tuple(name for name in found.jobs if name in {f"{prefix}-{one}" for one in (*components, DRIFT)}),
        records=found.records,
        foreign=tuple(name for name in found.directories if name not in directories),
        leave_swarm=leave_swarm,
        registries=found.registries,
    )


def _some(
    found: Found, root: str, prefix: str, components: t.Collection[str], delete_data: bool, only: t.Collection[str],
) -> Plan:
    colours = {f"{name}-{colour}" for name in found.applications for colour in COLOURS}
    kept = {"app_blue_green" if volume.of_platform(prefix) else volume.project.removeprefix(f"{prefix}-")
            for volume in found.volumes}
    here = ({name for name in found.directories if name in found.projects or name in components} | kept) - colours
    unknown = sorted(set(only) - here)
    if unknown:
        raise MooringError(
            f"There is no component {', '.join(unknown)} on this host. There are: {', '.join(sorted(here))}.")
    names = set(only) | (colours if "app_blue_green" in only else set())
    part = dataclasses.replace(
        found,
        directories=tuple(name for name in found.directories if name in names),
        projects=tuple(name for name in found.projects if name in names),
        containers=tuple(one for one in found.containers if one.project in {f"{prefix}-{name}" for name in names}),
        volumes=tuple(one for one in found.volumes if "app_blue_green" in only or not one.of_platform(prefix)),
        networks=tuple(one for one in found.networks if not one.platform),
        registries=(),
        swarm="",
        records=(),
        jobs=tuple(one for one in found.jobs if one in {f"{prefix}-{name}" for name in names}))
    return decide(part, root, prefix, names, delete_data, remove_images=False)


def _images(images: t.Iterable[Image]) -> tuple[str, ...]:
    """Ours by recipe and by name or note: somebody else may have tagged one for themselves."""
    names: list[str] = []
    for image in images:
        if image.replaced and not image.tags:
            names.append(image.id)
        names += [tag for tag in image.tags if tag.startswith(LOCAL_IMAGES)]
    return tuple(names)
