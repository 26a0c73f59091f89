# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what a host needs to have a Docker engine, decided without touching it."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

MARKER = "/etc/mooring/docker_engine.json"
ENGINE_MINIMUM = "20.10"
# The modules of this collection import these; python3-apt lets the apt module predict.
HOST_LIBRARIES = (
    "python3-apt", "python3-cryptography", "python3-jmespath", "python3-psycopg2", "python3-pymysql",
    "python3-requests",
)
UPSTREAM_ENGINE = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin")
UPSTREAM_COMPOSE = "docker-compose-plugin"
UPSTREAM_KEY = "/etc/apt/keyrings/docker.asc"
CONFIG_FILE = "/etc/docker/daemon.json"
LOG_FILE = "/var/log/mooring-dockerd.log"  # where systemd's journal does not keep it


@dataclasses.dataclass(frozen=True)
class Release:
    """What a distribution release calls the parts of Docker."""

    engine: tuple[str, ...]
    compose: str
    client: str = "docker.io"
    compose_from: str = ""  # suite of a newer release, where this one has no Compose v2
    engine_version: str = ""  # the one that this release keeps; none where updates bring newer ones


RELEASES: dict[tuple[str, str], Release] = {
    ("debian", "bookworm"): Release(("docker.io", "iptables"), "docker-compose", compose_from="trixie",
                                    engine_version="20.10"),
    ("debian", "trixie"): Release(("docker.io", "docker-cli", "docker-buildx", "iptables"), "docker-compose",
                                  client="docker-cli", engine_version="26.1"),
    ("ubuntu", "jammy"): Release(("docker.io", "docker-buildx", "iptables"), "docker-compose-v2"),
    ("ubuntu", "noble"): Release(("docker.io", "docker-buildx", "iptables"), "docker-compose-v2"),
}


@dataclasses.dataclass(frozen=True)
class Host:
    """What a host is and has."""

    distribution: str
    codename: str
    architecture: str
    mirror: str = ""  # where its own packages come from
    packages: frozenset[str] = frozenset()
    daemon: bool = False  # a dockerd program lies on it
    client: bool = False
    engine: str = ""  # version of the engine that answers
    compose: str = ""  # version of the Compose plugin
    files: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    marker: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Wish:
    source: str  # distro or upstream
    compose_minimum: str
    repository: str = ""  # base URL of the upstream repository


@dataclasses.dataclass(frozen=True)
class Plan:
    adopted: bool
    packages: tuple[str, ...]  # to install, as apt takes them
    files: dict[str, str]  # to write: path and content
    key_url: str  # to fetch to UPSTREAM_KEY, or empty
    marker: dict[str, t.Any]

    @property
    def changes_anything(self) -> bool:
        return bool(self.packages or self.files)

    def differences(self, host: Host) -> list[Difference]:
        """What the host lacks of the plan, by package and file."""
        packages = [
            Difference(f"package {name.partition('=')[0]}", "presence", "present", None) for name in self.packages]
        files = [
            Difference(f"file {path}", "content", "as declared", "another") if path in host.files
            else Difference(f"file {path}", "presence", "present", None)
            for path in sorted(self.files)]
        return packages + files


def is_adopted(marker: t.Mapping[str, t.Any], daemon: bool, engine: bool) -> bool:
    """Whether there is an engine that this collection did not install; it is left as it is."""
    return (daemon or engine) and marker.get("engine") != "installed"


def version(text: str) -> tuple[int, int]:
    """The first two numbers of a version such as ``v2.26.1-4``."""
    found = re.match(r"v?(\d+)\.(\d+)", text.strip())
    if not found:
        raise MooringError(f"'{text}' is not a version such as 2.20.")
    return int(found[1]), int(found[2])


def decide(host: Host, wish: Wish) -> Plan:
    """What to install and to write so that the host has an engine and Compose."""
    ours = host.marker.get("engine") == "installed"
    adopted = is_adopted(host.marker, host.daemon, bool(host.engine))
    if host.engine and version(host.engine) < version(ENGINE_MINIMUM):
        raise MooringError(
            f"The Docker engine of this host is {host.engine}; {ENGINE_MINIMUM} is the oldest supported.")

    release = RELEASES.get((host.distribution, host.codename))
    if release is None:
        raise MooringError(f"{host.distribution} {host.codename} is not supported. Supported are "
                           + ", ".join(" ".join(pair) for pair in RELEASES) + ".")
    distro = wish.source == "distro"
    if ours and host.marker.get("source", wish.source) != wish.source:
        raise MooringError(
            f"The Docker engine of this host was installed from '{host.marker['source']}', but docker_engine_source is "
            f"'{wish.source}'. The two never mix: set it back, or remove the engine first.")
    wanted = list(HOST_LIBRARIES)
    files: dict[str, str] = {}
    if not adopted:
        wanted += release.engine if distro else UPSTREAM_ENGINE
        if not distro:
            files["/etc/apt/sources.list.d/docker.sources"] = upstream_source(host, wish.repository)
    elif not host.client:
        wanted.append(release.client)

    compose_package = release.compose if distro else UPSTREAM_COMPOSE
    enough = bool(host.compose) and version(host.compose) >= version(wish.compose_minimum)
    borrowed = distro and bool(release.compose_from)
    if not enough:
        has = f"its Compose plugin is {host.compose}" if host.compose else "it has no Compose plugin"
        if adopted and not distro:
            raise MooringError(
                f"The Docker engine of this host was not installed by this role, and {has}; {wish.compose_minimum} "
                f"is needed. Install {UPSTREAM_COMPOSE} from where the engine came from, or set docker_engine_source "
                "to distro to take the distribution's package.")
        # Without a client nobody can ask the plugin for its version.
        if compose_package in host.packages and host.client and not borrowed:
            raise MooringError(
                f"The package {compose_package} is installed, but {has}; {wish.compose_minimum} is needed. Upgrade "
                "the package, or lower docker_engine_compose_minimum.")
        # With the version, because Debian 12 has a package of that name that holds Compose v1.
        wanted.append(f"{compose_package}=2.*" if borrowed else compose_package)
    elif not adopted and not borrowed:
        wanted.append(compose_package)
    if borrowed and (not enough or "/etc/apt/preferences.d/mooring-compose" in host.marker.get("files", [])):
        files.update(borrowed_sources(host, release))

    missing = tuple(sorted(name for name in wanted if name not in host.packages))
    changed = {path: content for path, content in files.items() if host.files.get(path) != content}
    key_url = "" if adopted or distro else f"{wish.repository}/{host.distribution}/gpg"
    # What this role brought to the host; whoever removes the platform reads it.
    brought = [] if adopted else [CONFIG_FILE, LOG_FILE, *([UPSTREAM_KEY] if key_url else [])]
    marker = {
        "engine": "adopted" if adopted else "installed",
        "source": wish.source,
        "packages": sorted({name.partition("=")[0] for name in missing}.union(host.marker.get("packages", []))),
        "files": sorted({*files, *brought, *host.marker.get("files", [])}),
    }
    return Plan(adopted, missing, changed, key_url, marker)


def upstream_source(host: Host, repository: str) -> str:
    return (
        "# Managed by mooring.stack, role docker_engine.\n"
        "Types: deb\n"
        f"URIs: {repository}/{host.distribution}\n"
        f"Suites: {host.codename}\n"
        "Components: stable\n"
        f"Architectures: {host.architecture}\n"
        f"Signed-By: {UPSTREAM_KEY}\n"
    )


def borrowed_sources(host: Host, release: Release) -> dict[str, str]:
    """Source of a newer release and a pin that keeps everything but Compose away."""
    if not host.mirror:
        raise MooringError(
            f"No apt source of this host offers {host.codename}, so the mirror that has Compose v2 is unknown. "
            "Repair /etc/apt/sources.list, or install a Compose plugin by hand.")
    suite = release.compose_from
    return {
        f"/etc/apt/sources.list.d/mooring-{suite}.sources": (
            f"# Managed by mooring.stack, role docker_engine: Compose v2, which {host.codename} lacks.\n"
            "# /etc/apt/preferences.d/mooring-compose keeps everything else of it away.\n"
            "Types: deb\n"
            f"URIs: {host.mirror}\n"
            f"Suites: {suite}\n"
            "Components: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        ),
        "/etc/apt/preferences.d/mooring-compose": (
            f"# Managed by mooring.stack, role docker_engine. Remove it before an upgrade to {suite}.\n"
            "Package: *\n"
            f"Pin: release n={suite}\n"
            "Pin-Priority: -1\n\n"
            f"Package: {release.compose}\n"
            f"Pin: release n={suite}\n"
            "Pin-Priority: 900\n"
        ),
    }


def find_mirror(sources: t.Iterable[str], codename: str) -> str:
    """The URI from which apt takes ``codename``, of files in the one-line or the deb822 format."""
    for text in sources:
        for stanza in re.split(r"\n\s*\n", text):
            lines = [line for line in stanza.splitlines() if not line.lstrip().startswith("#")]
            for line in lines:
                found = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s", f"{line} ")
                if found and found[2] == codename:
                    return found[1]
            fields = {key.strip().lower(): value.split() for key, _colon, value in
                      (line.partition(":") for line in lines) if value and not key.startswith((" ", "\t"))}
            if ("deb" in fields.get("types", []) and codename in fields.get("suites", []) and fields.get("uris")
                    and fields.get("enabled", ["yes"]) != ["no"]):
                return fields["uris"][0]
    return ""


# --- the daemon ------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Daemon:
    """What the daemon of a host does now."""

    answers: bool
    config: str | None = None  # text of daemon.json, None where there is none
    config_is_newer: bool = False  # written after the daemon started: an earlier run was interrupted
    live_restore: bool = False
    containers: int = 0
    at_boot: bool | None = None  # whether the init starts it; None where that is not ours to say


@dataclasses.dataclass(frozen=True)
class DaemonPlan:
    write: str | None
    start: bool
    restart: bool
    enable: bool = False
    differences: tuple[Difference, ...] = ()

    @property
    def changes_anything(self) -> bool:
        return self.write is not None or self.start or self.restart or self.enable


def decide_daemon(now: Daemon, config: t.Mapping[str, t.Any] | None, allow_restart: bool) -> DaemonPlan:
    """``config`` None leaves daemon.json alone."""
    write = None
    found: list[Difference] = []
    if config is not None and parsed(now.config) != dict(config):
        found = _config_differences(now.config, config)
        write = json.dumps(config, indent=2, sort_keys=True) + "\n"
    restart = config is not None and now.answers and (write is not None or now.config_is_newer)
    if restart and not found:
        found.append(Difference("Docker daemon", "configuration", "as in daemon.json", "an older one"))
    if not now.answers:
        found.append(Difference("Docker daemon", "state", "running", "not answering"))
    enable = now.at_boot is False
    if enable:
        found.append(Difference("Docker daemon", "start at boot", "enabled", "disabled"))
    # Containers live on only if the daemon that stops and the one that starts both want it.
    harmless = now.containers == 0 or (now.live_restore and bool((config or {}).get("live-restore")))
    if restart and not harmless and not allow_restart:
        raise MooringError(
            f"daemon.json has to change, and the restart this needs would stop {now.containers} running containers. "
            "Nothing was changed. Allow it with -e docker_engine_allow_restart=true.",
            pending=write or now.config, differences=[one.as_dict() for one in found])
    return DaemonPlan(write, start=not now.answers, restart=restart, enable=enable, differences=tuple(found))


def _config_differences(text: str | None, config: t.Mapping[str, t.Any]) -> list[Difference]:
    """daemon.json key by key; only called where it differs."""
    if text is None:
        return [Difference(CONFIG_FILE, "presence", "present", None)]
    found = parsed(text)
    if not isinstance(found, dict):
        return [Difference(CONFIG_FILE, "content", "a JSON object", "something else")]
    unlike = [key for key in {*config, *found} if (key in config, config.get(key)) != (key in found, found.get(key))]
    return [Difference(CONFIG_FILE, key, config.get(key), found.get(key)) for key in sorted(unlike)]


def parsed(text: str | None) -> t.Any:
    """daemon.json as data; what is no JSON equals nothing."""
    if text is None:
        return None
    try:
        return json.loads(text or "{}")
    except ValueError:
        return None
