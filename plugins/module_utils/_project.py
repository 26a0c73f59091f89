# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what a Compose project should be, what it is, and what to do about it.

Pure: nothing here reads or writes a file, runs a command or looks at the clock.

The vocabulary: an *entry* is a file or directory of the project; a *plan* holds
all differences and the steps that remove them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import ending, nanoseconds
from ansible_collections.mooring.stack.plugins.module_utils._formats import MANIFEST

DIGEST_LABEL = "mooring.digest"
COMPOSE_HASH_LABEL = "com.docker.compose.config-hash"
COMPOSE_FILE = "compose.yml"

CREATE, RECREATE, RESTART, START, UNPAUSE, THIN, RELOAD, REMOVE = (
    "create", "recreate", "restart", "start", "unpause", "remove duplicates", "reload", "remove")
# Those after which a server has read all its files.
STARTS = (CREATE, RECREATE, RESTART, START)

HIDDEN = "(secret)"


def digest_mark(service: str) -> str:
    """The word that stands for a service's digest until the host knows it.

    The digest is keyed with a secret of the host, because labels are visible to
    every exporter and a plain hash of a short password can be guessed.
    """
    return f"@mooring.digest:{service}@"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file or directory of the project, as declared or as found.

    ``path`` is relative to the project; ``digest`` is the SHA-256 of a file's
    content in hexadecimal and empty for a directory; ``kind`` is file,
    directory or other (a link or device where we expect one of the former).
    ``changed_at`` is the inode's change time in nanoseconds, of what was found.
    """

    path: str
    digest: str
    mode: int
    uid: int
    gid: int
    kind: str = "file"
    secret: bool = False
    changed_at: int = 0

    def stamp(self) -> str:
        """Everything a container could notice of it but its path, as one string."""
        return f"{self.kind} {self.mode:04o} {self.uid}:{self.gid} {self.digest}".rstrip()


@dataclasses.dataclass(frozen=True)
class Reload:
    """A command that makes a running service read ``paths`` again."""

    paths: tuple[str, ...]
    command: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Service:
    """A declared service: its image, the project paths it mounts, how it reloads."""

    name: str
    image: str
    paths: tuple[str, ...] = ()
    reloads: tuple[Reload, ...] = ()
    stateful: bool = False


@dataclasses.dataclass(frozen=True)
class Volume:
    """A named volume; ``name`` is the engine's."""

    name: str
    driver: str = "local"
    options: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Declared:
    """The declaration: entries by path, services by name, volumes."""

    entries: dict[str, Entry]
    services: dict[str, Service]
    volumes: tuple[Volume, ...] = ()


@dataclasses.dataclass(frozen=True)
class Container:
    """What was found of one container; ``fields`` is :func:`container_fields`.

    ``started_at`` in nanoseconds since the epoch; ``number`` is Compose's;
    ``stale`` are mounted directories of the project that are no longer the
    ones at their path, because somebody moved or removed those. ``ended`` says
    how its process ended, if it does not run.
    """

    name: str
    service: str
    status: str
    health: str
    image_id: str
    config_hash: str
    fields: dict[str, t.Any]
    started_at: int = 0
    number: int = 1
    stale: tuple[str, ...] = ()
    ended: str = ""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What the last run left behind.

    ``entries``: stamp per path that we wrote; ``services``: per service the
    ``hash`` that Compose expected, the ``label`` the container got, its
    ``fields``, the ``reloads`` digests it runs with and when it read those
    files (``loaded_at``), and for a service that is held back ``pending``, the
    hash that Compose expects of its new definition.
    """

    entries: dict[str, str] = dataclasses.field(default_factory=dict)
    services: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)

    def records(self, declared: Declared) -> bool:
        """Whether it tells of a run that brought exactly this declaration to its end."""
        return (set(self.services) == set(declared.services)
                and self.entries == {path: entry.stamp() for path, entry in declared.entries.items()})

    @classmethod
    def from_json(cls, text: str, path: str = "manifest.json") -> Manifest:
        """A manifest from its file; an unreadable or foreign one counts as none.

        Raises :class:`MooringError` for one of a newer format.
        """
        try:
            data = MANIFEST.current(json.loads(text), path)
            if data["version"] != MANIFEST.version:
                return cls()
            return cls(dict(data["files"]), dict(data["services"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def to_json(self, project: str) -> str:
        """The manifest's file content."""
        data = {"version": MANIFEST.version, "project": project, "files": self.entries, "services": self.services}
        return json.dumps(data, indent=1, sort_keys=True) + "\n"


@dataclasses.dataclass(frozen=True)
class Observed:
    """What was found on the host.

    ``entries``: those of the declared and the formerly written paths that
    exist. ``containers``: per service; ``images``: image id per reference;
    ``hashes``: what Compose expects per service, None where no engine answers;
    ``volumes``: by the engine's name; ``strays``: files of others in directories
    that are ours; ``gone_at``: for a declared path that is missing, when its
    directory changed last, in nanoseconds.
    """

    manifest: Manifest
    entries: dict[str, Entry]
    containers: dict[str, list[Container]]
    images: dict[str, str]
    hashes: dict[str, str] | None
    volumes: dict[str, Volume] = dataclasses.field(default_factory=dict)
    strays: tuple[str, ...] = ()
    gone_at: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All differences and the steps that remove them.

    ``write`` and ``delete`` are paths; ``steps`` maps a service to one of
    create, recreate, restart, start, unpause, remove duplicates, reload,
    remove; ``held`` are running stateful services whose step needs permission;
    ``notices`` are sentences about what no run heals.
    """

    differences: tuple[Difference, ...]
    write: tuple[str, ...]
    delete: tuple[str, ...]
    steps: dict[str, str]
    held: dict[str, str]
    notices: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.differences)

    def services(self, *steps: str) -> list[str]:
        """Names of the services that one of ``steps`` is planned for."""
        return sorted(name for name, step in self.steps.items() if step in steps)

    def result(self) -> dict[str, t.Any]:
        """The plan as part of a module's result; the same in check mode and in a run."""
        return {
            "differences": [difference.as_dict() for difference in self.differences],
            "write": list(self.write),
            "delete": list(self.delete),
            "services": dict(sorted(self.steps.items())),
            "held": dict(sorted(self.held.items())),
        }

    def sentences(self) -> list[str]:
        """The plan in words, one line each."""
        lines = [str(difference) for difference in self.differences]
        lines += [f"service {name}: {step}" for name, step in sorted(self.steps.items())]
        lines += [f"service {name}: {step} is held back" for name, step in sorted(self.held.items())]
        return lines


def under(path: str, prefixes: t.Iterable[str]) -> bool:
    """Whether ``path`` is one of ``prefixes`` or lies below one."""
    return any(path == prefix.rstrip("/") or path.startswith(prefix.rstrip("/") + "/") for prefix in prefixes)


def keyed_digest(key: bytes, entries: t.Iterable[Entry]) -> str:
    """A digest of entries that cannot be guessed without the host's key."""
    text = "\n".join(sorted(f"{entry.path}\0{entry.stamp()}" for entry in entries))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def service_digest(key: bytes, service: Service, entries: t.Iterable[Entry]) -> str:
    """Digest of what a service mounts and cannot read again while it runs."""
    reloadable = [path for reload in service.reloads for path in reload.paths]
    return keyed_digest(key, (
        entry for entry in entries
        if entry.kind == "file" and under(entry.path, service.paths) and not under(entry.path, reloadable)))


def reload_digests(key: bytes, service: Service, entries: t.Iterable[Entry]) -> list[str]:
    """Digest per reload rule of the files it covers."""
    known = list(entries)
    return [
        keyed_digest(key, (entry for entry in known if entry.kind == "file" and under(entry.path, reload.paths)))
        for reload in service.reloads]


def container_fields(inspected: dict[str, t.Any], overlays: t.Collection[str] = ()) -> dict[str, t.Any]:
    """The fields of ``docker inspect`` that a declaration decides.

    Left out is what changes by itself: ids, addresses, times, and the alias
    that is the container's own id. On a network of ``overlays`` the swarm says
    the address, and inspect shows it as if somebody had declared it.
    """
    config, host = inspected["Config"], inspected["HostConfig"]
    own_id = inspected["Id"][:12]
    networks = inspected["NetworkSettings"]["Networks"] or {}
    labels = config.get("Labels") or {}
    return {
        "name": inspected["Name"].lstrip("/"),
        "image": inspected["Image"],
        "environment": sorted(config.get("Env") or []),
        "command": config.get("Cmd"),
        "entrypoint": config.get("Entrypoint"),
        "user": config.get("User", ""),
        "working_dir": config.get("WorkingDir", ""),
        # Without a declared one it is the container's own id.
        "hostname": "" if config.get("Hostname") == own_id else config.get("Hostname", ""),
        "terminal": [bool(config.get("Tty")), bool(config.get("OpenStdin"))],
        "labels": {name: value for name, value in labels.items() if not name.startswith("com.docker.compose.")},
        "healthcheck": config.get("Healthcheck"),
        "stop_signal": config.get("StopSignal"),
        "stop_timeout": config.get("StopTimeout"),
        "mounts": sorted(
            f"{mount.get('Name') or mount['Source']}:{mount['Destination']}:{'rw' if mount.get('RW') else 'ro'}"
            for mount in inspected.get("Mounts") or []),
        "tmpfs": host.get("Tmpfs"),
        "ports": {
            port: sorted(f"{bind.get('HostIp', '')}:{bind.get('HostPort', '')}" for bind in binds or [])
            for port, binds in (host.get("PortBindings") or {}).items()},
        "networks": {
            name: sorted(alias for alias in network.get("Aliases") or [] if alias != own_id)
            for name, network in networks.items()},
        "addresses": {
            name: "" if name in overlays else (network.get("IPAMConfig") or {}).get("IPv4Address", "")
            for name, network in networks.items()},
        "resolution": [host.get("Dns") or [], host.get("DnsSearch") or [], sorted(host.get("ExtraHosts") or [])],
        "restart": host.get("RestartPolicy"),
        "memory": host.get("Memory"),
        "memory_reservation": host.get("MemoryReservation"),
        "memory_swap": host.get("MemorySwap"),
        "cpus": host.get("NanoCpus"),
        "cpu_shares": host.get("CpuShares"),
        "cpu_set": host.get("CpusetCpus"),
        "pids_limit": host.get("PidsLimit"),
        "shm_size": host.get("ShmSize"),
        "init": bool(host.get("Init")),
        "namespaces": [host.get("IpcMode"), host.get("PidMode"), host.get("UTSMode"), host.get("UsernsMode")],
        "devices": host.get("Devices") or [],
        "groups": sorted(host.get("GroupAdd") or []),
        "sysctls": host.get("Sysctls") or {},
        "privileged": host.get("Privileged"),
        "cap_add": sorted(host.get("CapAdd") or []),
        "cap_drop": sorted(host.get("CapDrop") or []),
        "security_opt": sorted(host.get("SecurityOpt") or []),
        "read_only": host.get("ReadonlyRootfs"),
        "ulimits": sorted(f"{u['Name']}={u['Soft']}:{u['Hard']}" for u in host.get("Ulimits") or []),
        "log": host.get("LogConfig"),
    }


def read_container(inspected: dict[str, t.Any], overlays: t.Collection[str] = ()) -> Container:
    """A :class:`Container` from ``docker inspect``, and the names of overlay networks."""
    labels = inspected["Config"].get("Labels") or {}
    state = inspected["State"]
    return Container(
        name=inspected["Name"].lstrip("/"),
        service=labels.get("com.docker.compose.service", ""),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        image_id=inspected["Image"],
        config_hash=labels.get(COMPOSE_HASH_LABEL, ""),
        fields=container_fields(inspected, overlays),
        started_at=nanoseconds(state.get("StartedAt", "")),
        number=int(labels.get("com.docker.compose.container-number") or 1),
        ended=ending(state.get("ExitCode") or 0, bool(state.get("OOMKilled")))
        if state["Status"] in ("dead", "exited", "restarting") else "",
    )


def original_first(containers: list[Container], known: dict[str, t.Any]) -> list[Container]:
    """The containers of one service, the one that stays first; the others are duplicates."""
    name = (known.get("fields") or {}).get("name", "")
    return sorted(containers, key=lambda one: (one.name != name, one.number, one.name))


def decide(declared: Declared, observed: Observed, key: bytes, allow_stateful: bool) -> Plan:
    """What is different and what to do about it."""
    differences, write, delete = _decide_entries(declared, observed)
    steps: dict[str, str] = {}
    held: dict[str, str] = {}
    files = [declared.entries[path] for path in sorted(declared.entries)]
    for name in sorted(declared.services):
        service = declared.services[name]
        found, step = _decide_service(service, declared, observed, reload_digests(key, service, files), write)
        differences += found
        if not step:
            continue
        if service.stateful and not allow_stateful and _interrupts(step, observed.containers.get(name, [])):
            held[name] = step
        else:
            steps[name] = step
    for name in sorted(set(observed.containers) - set(declared.services)):
        differences.append(Difference(f"service {name}", "presence", None, "present"))
        steps[name] = REMOVE
    lost, notices = _decide_volumes(declared, observed)
    differences += lost
    if not differences and not observed.manifest.records(declared):
        differences.append(Difference("project", "record of the last run", "complete", "missing or interrupted"))
    notices += [f"{path} is not ours and lies where the project's files do; it is left alone."
                for path in sorted(observed.strays)]
    return Plan(tuple(differences), tuple(write), tuple(delete), steps, held, tuple(notices))


def _interrupts(step: str, containers: list[Container]) -> bool:
    """Whether a step stops what works: the recreation or restart of a container that is not sick."""
    return step in (RECREATE, RESTART) and any(
        one.status == "running" and one.health != "unhealthy" for one in containers)


def _decide_volumes(declared: Declared, observed: Observed) -> tuple[list[Difference], list[str]]:
    """Missing volumes are made; one of another kind holds data, and nobody but its owner may replace it."""
    differences, notices = [], []
    for volume in declared.volumes:
        found = observed.volumes.get(volume.name)
        if found is None:
            differences.append(Difference(f"volume {volume.name}", "presence", "present", None))
            continue
        for field in ("driver", "options"):
            expected, there = getattr(volume, field), getattr(found, field)
            if expected != there:
                notices.append(
                    f"volume {volume.name}: {field} is {json.dumps(there)}, declared {json.dumps(expected)}. No run "
                    "changes that: save its data, remove it, run again, and put the data back.")
    return differences, notices


def _decide_entries(declared: Declared, observed: Observed) -> tuple[list[Difference], list[str], list[str]]:
    differences: list[Difference] = []
    write: list[str] = []
    for path in sorted(declared.entries):
        found = _entry_differences(declared.entries[path], observed.entries.get(path))
        if found:
            differences += found
            write.append(path)
    # Deepest first, so that a directory is empty when its turn comes.
    delete = sorted((set(observed.manifest.entries) - set(declared.entries)) & set(observed.entries), reverse=True)
    differences += [
        Difference(f"{observed.entries[path].kind} {path}", "presence", None, "present") for path in delete]
    return differences, write, delete


def _entry_differences(expected: Entry, found: Entry | None) -> list[Difference]:
    name = f"{expected.kind} {expected.path}"
    if found is None:
        return [Difference(name, "presence", "present", None)]
    if found.kind != expected.kind:
        return [Difference(name, "kind", expected.kind, found.kind)]
    differences = []
    if found.digest != expected.digest:
        shown = (HIDDEN, HIDDEN) if expected.secret else (expected.digest[:12], found.digest[:12])
        differences.append(Difference(name, "content", *shown))
    if found.mode != expected.mode:
        differences.append(Difference(name, "mode", f"{expected.mode:04o}", f"{found.mode:04o}"))
    if (found.uid, found.gid) != (expected.uid, expected.gid):
        differences.append(
            Difference(name, "owner", f"{expected.uid}:{expected.gid}", f"{found.uid}:{found.gid}"))
    return differences


def _decide_service(
    service: Service, declared: Declared, observed: Observed, reloads: list[str], write: list[str],
) -> tuple[list[Difference], str]:
    name = f"service {service.name}"
    containers = observed.containers.get(service.name, [])
    if not containers:
        return [Difference(name, "presence", "present", None)], CREATE
    known = observed.manifest.services.get(service.name, {})
    original = original_first(containers, known)[0]
    found, step = _decide_container(name, service, original, declared, observed, reloads, write)
    if len(containers) > 1:
        found = [Difference(name, "containers", 1, len(containers)), *found]
        step = step if step and step != RELOAD else THIN
    return found, step


def _decide_container(
    name: str, service: Service, container: Container, declared: Declared, observed: Observed,
    reloads: list[str], write: list[str],
) -> tuple[list[Difference], str]:
    known = observed.manifest.services.get(service.name, {})
    differences = _definition_differences(name, service, container, known, observed)
    if differences:
        return differences, RECREATE
    if container.status == "paused":
        return [Difference(name, "state", "running", "paused")], UNPAUSE
    if container.status in ("restarting", "dead", "removing"):
        return [Difference(name, "state", "running", container.status)], RECREATE
    if container.status != "running":
        return [Difference(name, "state", "running", container.status)], START
    if container.health == "unhealthy":
        return [Difference(name, "health", "healthy", "unhealthy")], RESTART
    if container.stale:
        return [Difference(name, "mounts", "as on disk", f"replaced: {', '.join(container.stale)}")], RESTART
    reloadable = [path for reload in service.reloads for path in reload.paths]
    edited = [path for path in write if under(path, service.paths) and not under(path, reloadable)
              and _read_edited(declared.entries[path], observed, container)]
    if edited:
        return [Difference(name, "configuration", "as declared", f"started with other {', '.join(edited)}")], RESTART
    if reloads and (
            reloads != known.get("reloads")
            # A file that was edited by hand may have been read by hand as well.
            or any(under(path, reloadable) for path in write)
            or _replaced_since_loaded(reloadable, observed, container, known)):
        return [Difference(name, "configuration", "as on disk", "an older one")], RELOAD
    return [], ""


def _read_edited(declared: Entry, observed: Observed, container: Container) -> bool:
    """Whether the container started while a file had other content than it is given back now."""
    found = observed.entries.get(declared.path)
    if declared.kind != "file" or (found and found.digest == declared.digest):
        return False
    changed_at = found.changed_at if found else observed.gone_at.get(declared.path, 0)
    return container.started_at > changed_at


def _replaced_since_loaded(
    reloadable: list[str], observed: Observed, container: Container, known: dict[str, t.Any],
) -> bool:
    """Whether a file was put in place after the service last read it, as when somebody undoes an edit by hand."""
    if "loaded_at" not in known:
        return False
    loaded_at = max(known["loaded_at"], container.started_at)
    return any(entry.changed_at > loaded_at for path, entry in observed.entries.items()
               if entry.kind == "file" and under(path, reloadable))


def _definition_differences(
    name: str, service: Service, container: Container, known: dict[str, t.Any], observed: Observed,
) -> list[Difference]:
    differences = []
    wanted = (observed.hashes or {}).get(service.name, "")
    # Compose promises no equality between `config --hash` and the label across
    # its versions, so each is compared with its own kind where we recorded it.
    if wanted != known.get("hash", container.config_hash):
        differences.append(Difference(name, "definition", wanted[:12], str(known.get("hash", ""))[:12]))
    elif container.config_hash != known.get("label", container.config_hash):
        differences.append(
            Difference(name, "definition", str(known["label"])[:12], container.config_hash[:12] or "not by Compose"))
    image = observed.images.get(service.image)
    if image and image != container.image_id:
        differences.append(Difference(name, "image", f"{service.image} ({image[7:19]})", container.image_id[7:19]))
    for field, expected in sorted((known.get("fields") or {}).items()):
        # A field that an older or newer version of this collection recorded says nothing.
        if field != "image" and container.fields.get(field, expected) != expected:
            differences.append(Difference(name, field, expected, container.fields[field]))
    return differences
