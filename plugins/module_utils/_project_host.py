# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: a Compose project on its host, read and brought to a plan.

Beside the project's files lies ``.mooring/`` (0700): ``manifest.json``, the
host's digest ``key``, the ``lock``, and while a change is under way ``staged/``
(the new tree), ``previous/`` (what the change replaced) and ``exchange/`` (see
:meth:`ProjectHost._replace`). Every step can be killed: a run finds what was
declared, what is there and what the manifest says, and goes on from that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import filecmp
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Compose, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

LOG_LINES = 30
LINKS_AT_MOST = 40  # as the kernel, path_resolution(7)
# Compose takes variables and overrides from these, if somebody puts them beside compose.yml.
READ_BY_COMPOSE = (".env", "compose.override.yml", "compose.override.yaml",
                   "docker-compose.override.yml", "docker-compose.override.yaml")


@dataclasses.dataclass(frozen=True)
class Validator:
    """A command that a throwaway container of ``service`` runs on the staged tree."""

    service: str
    command: tuple[str, ...]


class NotHealthy(MooringError):
    """Services that did not become healthy in time."""


class ProjectHost:
    """One Compose project in ``directory``, named ``name`` on the engine."""

    def __init__(self, docker: Docker, name: str, directory: str, wait_timeout: int) -> None:
        self.docker = docker
        self.name = name
        self.directory = directory
        self.state = os.path.join(directory, ".mooring")
        self.wait_timeout = wait_timeout
        self.compose = Compose(docker, name, directory)
        self._key: bytes | None = None

    # -- read ---------------------------------------------------------------

    def key(self) -> bytes:
        """The key of the digests. One that is not stored yet lasts for this run."""
        if self._key is None:
            stored = files.read_text(self._state("key"))
            self._key = (stored or secrets.token_hex(32)).encode()
        return self._key

    def read(self, declared: project.Declared, contents: dict[str, bytes]) -> project.Observed:
        """What is there; no engine, or no docker at all, is an answer too."""
        manifest = self._manifest()
        entries, gone_at = {}, {}
        for path in {*declared.entries, *manifest.entries}:
            found = self._entry(path, declared.entries.get(path))
            if found:
                entries[path] = found
            elif path in declared.entries:
                gone_at[path] = self._gone_at(path)
        files_only = project.Observed(
            manifest, entries, {}, {}, None, strays=self._strays(declared, manifest), gone_at=gone_at)
        if not self.docker.answers():
            return files_only
        containers: dict[str, list[project.Container]] = {}
        for container in self._containers():
            containers.setdefault(container.service, []).append(container)
        return dataclasses.replace(
            files_only, containers=containers,
            images=self._images({service.image for service in declared.services.values()}),
            hashes=self._hashes(declared, manifest, contents),
            volumes={
                volume["Name"]: project.Volume(volume["Name"], volume["Driver"], volume.get("Options") or {})
                for volume in self.docker.inspect("volume", [volume.name for volume in declared.volumes])})

    def _containers(self) -> list[project.Container]:
        parked = self._parked()
        found = []
        for inspected, container in self._inspected():
            stale = tuple(sorted(
                os.path.relpath(mount["Source"], self.directory)
                for mount in inspected.get("Mounts") or []
                if mount["Type"] == "bind" and project.under(mount["Source"], [self.directory])
                and _is_stale(inspected["State"].get("Pid", 0), mount, parked)))
            found.append(dataclasses.replace(container, stale=stale))
        return found

    def _inspected(self) -> list[tuple[dict[str, t.Any], project.Container]]:
        """Each container of the project, as the engine shows it and as it is compared."""
        found = self.docker.project_containers(self.name)
        overlays = self.docker.overlays({
            name for inspected in found
            for name, network in (inspected["NetworkSettings"]["Networks"] or {}).items()
            if (network.get("IPAMConfig") or {}).get("IPv4Address")})
        return [(inspected, project.read_container(inspected, overlays)) for inspected in found]

    def _strays(self, declared: project.Declared, manifest: project.Manifest) -> tuple[str, ...]:
        """Files of others where only files of ours belong.

        That is where declared files lie, but not the project's own directory,
        which holds data as well; of that only what Compose reads unasked.
        """
        holders = {os.path.dirname(path) for path, entry in declared.entries.items() if entry.kind == "file"} - {""}
        ours = {*declared.entries, *manifest.entries}
        found = [name for name in READ_BY_COMPOSE if os.path.lexists(os.path.join(self.directory, name))]
        for holder in holders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found += [os.path.join(holder, name) for name in os.listdir(os.path.join(self.directory, holder))
                          if not name.endswith(files.TEMPORARY)]
        return tuple(path for path in sorted(found) if path not in ours)

    def _gone_at(self, path: str) -> int:
        """When the nearest directory above a missing path changed last."""
        parent = os.path.dirname(os.path.join(self.directory, path))
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        return os.stat(parent).st_ctime_ns

    def _images(self, references: set[str]) -> dict[str, str]:
        """Image id per reference, of those that are on this host."""
        return {
            reference: image["Id"]
            for image in self.docker.inspect("image", sorted(references))
            for reference in _names_of(image) & references}

    def _manifest(self) -> project.Manifest:
        path = self._state("manifest.json")
        return project.Manifest.from_json(files.read_text(path) or "", path)

    def _hashes(
        self, declared: project.Declared, manifest: project.Manifest, contents: dict[str, bytes],
    ) -> dict[str, str]:
        """What Compose expects. Asked only if the file is another than the last run's: it costs 0.1 s."""
        file = declared.entries[project.COMPOSE_FILE]
        known = {name: facts.get("pending") or facts.get("hash") for name, facts in manifest.services.items()}
        if manifest.entries.get(file.path) == file.stamp() and set(known) == set(declared.services):
            return t.cast("dict[str, str]", known)
        return self.compose.hashes(contents[project.COMPOSE_FILE].decode())

    def _entry(self, path: str, declared: project.Entry | None) -> project.Entry | None:
        full = os.path.join(self.directory, path)
        try:
            status = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        kind, digest = "other", ""
        if stat.S_ISDIR(status.st_mode):
            kind = "directory"
        elif stat.S_ISREG(status.st_mode):
            kind = "file"
            with open(full, "rb") as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
        return project.Entry(
            path, digest, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, kind,
            declared.secret if declared else False, status.st_ctime_ns)

    # -- apply --------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> t.Iterator[None]:
        """Hold the project; creates its directory and the state beside it."""
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        files.make_directory(self.state, 0o700)
        with files.lock(self._state("lock"), f"Project {self.directory}"):
            yield

    def apply(
        self,
        plan: project.Plan,
        declared: project.Declared,
        contents: dict[str, bytes],
        validators: t.Sequence[Validator],
    ) -> None:
        """Bring the host to ``declared``; on failure leave it as it was and raise :class:`MooringError`."""
        if files.read_text(self._state("key")) is None:
            files.write_file(self._state("key"), self.key(), 0o400)
        before = self._manifest()
        self._stage(declared, contents)
        if plan.write:
            self._validate(validators)
        self._keep_previous(plan, before)
        self._save_manifest(_under_way(before, plan))
        self._swap(plan, declared)
        # Whatever a service reads from here on is the new tree.
        swapped_at = time.time_ns()
        try:
            self._bring_up(plan, declared)
        except (CommandFailed, NotHealthy) as error:
            raise self._restore(error, declared) from error
        self._record(declared, plan, before, swapped_at)

    def wait(self, declared: project.Declared) -> None:
        """Wait for services that still start, without changing anything."""
        try:
            self._up(sorted(declared.services))
        except (CommandFailed, NotHealthy) as error:
            raise MooringError(f"{_last_line(error)}\n{self._culprits(declared)}") from error

    def _stage(self, declared: project.Declared, contents: dict[str, bytes]) -> None:
        staged = self._state("staged")
        shutil.rmtree(staged, ignore_errors=True)
        os.mkdir(staged, 0o755)
        parents = {os.path.dirname(path) for path in contents}
        for path, entry in sorted(declared.entries.items()):
            target = os.path.join(staged, path)
            if entry.kind == "file":
                files.write_file(target, contents[path], entry.mode, entry.uid, entry.gid)
            elif any(project.under(parent, [path]) for parent in parents):
                files.make_directory(target, entry.mode, entry.uid, entry.gid)
            else:
                # Holds data, not configuration: a validator sees the real one.
                self._make_directories(declared, [path])
                if not os.path.lexists(target):
                    os.symlink(os.path.join(self.directory, path), target)
        compose = Compose(self.docker, self.name, staged)
        try:
            compose.run("config", "--quiet")
        except CommandFailed as error:
            raise MooringError(f"compose.yml of {self.name} is not valid: {error.stderr.strip()}") from error

    def _validate(self, validators: t.Sequence[Validator]) -> None:
        compose = Compose(self.docker, self.name, self._state("staged"))
        for validator in validators:
            program, *arguments = validator.command
            # A fixed address is held by the running container, and two cannot have it.
            override = self._state("staged/.validator.yml")
            text = f"services: {{{validator.service}: {{networks: !reset null}}}}\n"
            files.write_file(override, text.encode(), 0o600)
            try:
                compose.run_over(override, "run", "--rm", "--no-deps", "--no-TTY", "--quiet-pull",
                                 "--entrypoint", program, validator.service, *arguments)
            except CommandFailed as error:
                said = (error.stdout + error.stderr).strip()
                raise MooringError(
                    f"The new configuration of {self.name} is not valid and was not put in place. "
                    f"'{' '.join(validator.command)}' in service {validator.service} says:\n{said}") from error

    def _keep_previous(self, plan: project.Plan, manifest: project.Manifest) -> None:
        """Copy what the change replaces. What an interrupted run kept is older and stays."""
        previous = self._state("previous")
        if os.path.exists(os.path.join(previous, "complete")):
            return
        shutil.rmtree(previous, ignore_errors=True)
        os.mkdir(previous, 0o700)
        absent = []
        for path in [*plan.write, *plan.delete]:
            source, target = os.path.join(self.directory, path), os.path.join(previous, "tree", path)
            if not os.path.lexists(source):
                absent.append(path)
            elif os.path.isfile(source) and not os.path.islink(source):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                files.copy_file(source, target)
        files.write_file(os.path.join(previous, "absent.json"), json.dumps(absent).encode(), 0o600)
        files.write_file(os.path.join(previous, "manifest.json"), manifest.to_json(self.name).encode(), 0o600)
        files.write_file(os.path.join(previous, "complete"), b"", 0o600)

    def _swap(self, plan: project.Plan, declared: project.Declared) -> None:
        self._make_directories(declared, plan.write)
        staged = self._state("staged")
        self._replace(declared, staged, [path for path in plan.write if declared.entries[path].kind == "file"])
        for path in plan.delete:
            self._delete(path)

    def _replace(self, declared: project.Declared, source: str, paths: list[str]) -> None:
        """Move files of ``source`` to their places, all files of one mounted directory in one step.

        A container that is restarted in between, or after a kill, must not read
        half of a change. Its mount is resolved by path when it starts, but while
        it runs it keeps the directory it started with, and that one has to get
        the new files too, for a reload. So a complete new copy takes the place of
        the directory; the original is brought up to date out of everybody's
        reach; then it takes its place back.
        """
        roots = {root for service in declared.services.values() for root in service.paths}
        tops = sorted(root for root in roots if not project.under(root, roots - {root}))
        left = set(paths)
        for top in tops:
            inside = sorted(path for path in paths if project.under(path, [top]) and path != top)
            if len(inside) > 1 and self._holds_no_data(declared, top) and self._exchange(top, source, inside):
                left -= set(inside)
        for path in sorted(left):
            target = os.path.join(self.directory, path)
            if os.path.isdir(target) and not os.path.islink(target):
                raise MooringError(f"{target} is a directory where a file is declared. Move it away and run again.")
            os.replace(os.path.join(source, path), target)

    def _holds_no_data(self, declared: project.Declared, top: str) -> bool:
        """Whether a directory and all below it exist for declared files, so that a copy of it is as good."""
        holders = {os.path.dirname(path) for path, entry in declared.entries.items() if entry.kind == "file"}
        inside = [path for path, entry in declared.entries.items()
                  if entry.kind == "directory" and project.under(path, [top])]
        return all(any(project.under(holder, [path]) for holder in holders) for path in inside)

    def _exchange(self, top: str, source: str, paths: list[str]) -> bool:
        """Replace ``paths`` below ``top`` at once; False where the file system cannot."""
        live, copy = os.path.join(self.directory, top), self._state("exchange/tree")
        shutil.rmtree(self._state("exchange"), ignore_errors=True)
        os.mkdir(self._state("exchange"), 0o700)
        files.copy_tree(live, copy)
        for path in paths:
            target = os.path.join(copy, os.path.relpath(path, top))
            if os.path.isdir(target) and not os.path.islink(target):
                raise MooringError(
                    f"{os.path.join(self.directory, path)} is a directory where a file is declared. "
                    "Move it away and run again.")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)
            files.copy_file(os.path.join(source, path), target)
        mark = {"path": top, "inode": os.stat(live).st_ino}
        files.write_file(self._state("exchange/mark.json"), json.dumps(mark).encode(), 0o600)
        if not files.exchange(live, copy):
            shutil.rmtree(self._state("exchange"))
            return False
        self.finish_exchange()
        return True

    def finish_exchange(self) -> None:
        """Bring the original, which is parked, up to date with its copy, which is in its place, and put it back.

        Also for a run that was killed on the way. Nothing to do if nothing is parked.
        """
        parked = self._parked()
        if parked is not None:
            mark = json.loads(files.read_text(self._state("exchange/mark.json")) or "{}")
            live, original = os.path.join(self.directory, mark["path"]), self._state("exchange/tree")
            _bring_up_to_date(original, live)
            files.exchange(live, original)
        shutil.rmtree(self._state("exchange"), ignore_errors=True)

    def _parked(self) -> int | None:
        """The inode of a directory that a copy stands for at the moment."""
        try:
            mark = json.loads(files.read_text(self._state("exchange/mark.json")) or "")
            if os.stat(self._state("exchange/tree")).st_ino == mark["inode"]:
                return int(mark["inode"])
        except (ValueError, KeyError, FileNotFoundError):
            pass
        return None

    def _make_directories(self, declared: project.Declared, paths: t.Iterable[str]) -> None:
        for path in sorted(paths):
            entry = declared.entries[path]
            if entry.kind == "directory":
                self._make_parents(path, declared)
                target = os.path.join(self.directory, path)
                if os.path.lexists(target) and (os.path.islink(target) or not os.path.isdir(target)):
                    raise MooringError(
                        f"{target} is not a directory, but one is declared. Move it away and run again.")
                files.make_directory(target, entry.mode, entry.uid, entry.gid)

    def _make_parents(self, path: str, declared: project.Declared) -> None:
        parent = os.path.dirname(path)
        if parent and not os.path.lexists(os.path.join(self.directory, parent)):
            self._make_directories(declared, [parent])

    def _delete(self, path: str) -> None:
        target = os.path.join(self.directory, path)
        if os.path.isdir(target) and not os.path.islink(target):
            # Somebody else's files in it, or a service's data: then it stays.
            with contextlib.suppress(OSError):
                os.rmdir(target)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)

    def _bring_up(self, plan: project.Plan, declared: project.Declared) -> None:
        self._remove_duplicates()
        for services, command in (
            (plan.services(project.UNPAUSE), ("unpause",)),
            (plan.services(project.RESTART), ("restart",)),
            (plan.services(project.RECREATE), ("up", "--detach", "--no-deps", "--no-build", "--force-recreate")),
        ):
            if services:
                self.compose.run(*command, *services)
        self._await_first_check(plan.services(project.UNPAUSE))
        wanted = sorted(set(declared.services) - set(plan.held))
        self._up(wanted)
        # One that restarted while its directory was exchanged has mounted the copy.
        late = sorted({one.service for one in self._containers() if one.stale} & set(wanted))
        if late:
            self.compose.run("restart", *late)
            self._up(late)
        for name in plan.services(project.RELOAD):
            self._reload(declared.services[name])

    def _await_first_check(self, unpaused: list[str]) -> None:
        """Wait until the engine has asked unpaused services again how they are.

        It goes on asking while they are paused and calls them unhealthy for not
        answering, and Compose gives up at once on what is unhealthy.
        """
        limit = time.monotonic() + self.wait_timeout
        while unpaused and time.monotonic() < limit and any(
                one.service in unpaused and one.health == "unhealthy" for one in self._not_well()):
            time.sleep(0.2)

    def _remove_duplicates(self) -> None:
        known = self._manifest().services
        containers: dict[str, list[project.Container]] = {}
        for container in self._containers():
            containers.setdefault(container.service, []).append(container)
        surplus = [one.name for service, found in containers.items()
                   for one in project.original_first(found, known.get(service, {}))[1:]]
        if surplus:
            self.docker.run("rm", "--force", *surplus)

    def _up(self, services: list[str]) -> None:
        if not services:
            # Without names Compose takes all of them, also those held back.
            return
        self.compose.run("up", "--detach", "--no-build", "--no-deps", "--remove-orphans", "--quiet-pull",
                         "--wait", "--wait-timeout", str(self.wait_timeout), *services)
        # Compose was seen to end with status 0 when its limit passed first.
        late = [container.name for container in self._not_well() if container.service in services]
        if late:
            raise NotHealthy(f"{', '.join(late)} did not become healthy in {self.wait_timeout} s")

    def _reload(self, service: project.Service) -> None:
        for reload in service.reloads:
            self.compose.run("exec", "--no-TTY", service.name, *reload.command)

    def _restore(self, error: MooringError, declared: project.Declared) -> MooringError:
        """Put the previous tree back and say what happened to the new one."""
        said = f"{_last_line(error)}\n{self._culprits(declared)}".strip()
        previous = self._state("previous")
        kept_manifest = os.path.join(previous, "manifest.json")
        manifest = project.Manifest.from_json(files.read_text(kept_manifest) or "", kept_manifest)
        if not manifest.services:
            self.compose.run("down", "--remove-orphans")
            return MooringError(
                f"{self.name} did not come up and had no previous version; its containers were removed, "
                f"its files are in {self.directory}.\n{said}")
        self._replace(declared, *self._copies_of(os.path.join(previous, "tree")))
        for path in json.loads(files.read_text(os.path.join(previous, "absent.json")) or "[]"):
            self._delete(path)
        restored_at = time.time_ns()
        self._save_manifest(dataclasses.replace(manifest, services={
            name: {**facts, "loaded_at": restored_at} for name, facts in manifest.services.items()}))
        kept = sorted(manifest.services)
        try:
            self._up(kept)
            for name in kept:
                if name in declared.services:
                    self._reload(declared.services[name])
        except (CommandFailed, NotHealthy) as second:
            return MooringError(
                f"{self.name} did not come up, and the previous version, whose files are back in "
                f"{self.directory}, did not either ({_last_line(second)}).\n{said}")
        self._forget_previous()
        return MooringError(f"{self.name} did not come up; the previous version is back and runs.\n{said}")

    def _copies_of(self, tree: str) -> tuple[str, list[str]]:
        """Copies of a kept tree that may be moved, and their paths; the kept one stays until all is well."""
        copies = self._state("staged")
        shutil.rmtree(copies, ignore_errors=True)
        os.makedirs(tree, exist_ok=True)
        files.copy_tree(tree, copies)
        return copies, sorted(
            os.path.relpath(os.path.join(folder, name), copies)
            for folder, _folders, names in os.walk(copies) for name in names)

    def _not_well(self) -> list[project.Container]:
        containers = map(project.read_container, self.docker.project_containers(self.name))
        return [one for one in containers if one.status != "running" or one.health not in ("", "healthy")]

    def _culprits(self, declared: project.Declared) -> str:
        """Images that are not to be had; state and last log lines of each container that is not well."""
        services = declared.services.values()
        here = self._images({service.image for service in services})
        parts = [f"The image {service.image} of service {service.name} is not on this host and could not be pulled."
                 for service in services if service.image not in here]
        parts += self.docker.foreign_images(here)
        for container in self._not_well():
            state = " ".join(part for part in (container.status, container.health) if part)
            ended = f" and {container.ended}" if container.ended else ""
            parts.append(f"{container.name} is {state}{ended}; its last lines:\n"
                         f"{self.docker.logs(container.name, LOG_LINES) or '(no log lines)'}")
        return "\n".join(parts)

    def _record(
        self, declared: project.Declared, plan: project.Plan, before: project.Manifest, swapped_at: int,
    ) -> None:
        hashes = self.compose.hashes()
        services = {
            name: {**before.services.get(name, {}), "pending": hashes.get(name, "")} for name in plan.held}
        entries = list(declared.entries.values())
        for _inspected, container in self._inspected():
            service = declared.services.get(container.service)
            if service and service.name not in plan.held:
                services[service.name] = {
                    "hash": hashes.get(service.name, ""),
                    "label": container.config_hash,
                    "fields": container.fields,
                    "reloads": project.reload_digests(self.key(), service, entries),
                    "loaded_at": swapped_at if plan.steps.get(service.name) else before.services.get(
                        service.name, {}).get("loaded_at", container.started_at),
                }
        self._save_manifest(project.Manifest(
            {path: entry.stamp() for path, entry in declared.entries.items()}, services))
        self._forget_previous()

    def _forget_previous(self) -> None:
        previous = self._state("previous")
        # The mark goes first: without it a half-removed copy is never restored.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(previous, "complete"))
        shutil.rmtree(previous, ignore_errors=True)
        shutil.rmtree(self._state("staged"), ignore_errors=True)

    def _save_manifest(self, manifest: project.Manifest) -> None:
        files.write_file(self._state("manifest.json"), manifest.to_json(self.name).encode(), 0o600)

    def _state(self, name: str) -> str:
        return os.path.join(self.state, name)


def _under_way(before: project.Manifest, plan: project.Plan) -> project.Manifest:
    """The manifest while a change is made: a run that finds it knows what it cannot trust.

    Paths that are being written are ours from now on, but not yet as declared. A
    container that is to be replaced or restarted has no label, lest its need is
    forgotten with the files that showed it.
    """
    services = {
        name: {**facts, "label": ""} if plan.steps.get(name) in (project.RECREATE, project.RESTART) else facts
        for name, facts in before.services.items()}
    return project.Manifest({**before.entries, **dict.fromkeys(plan.write, "")}, services)


def _is_stale(pid: int, mount: dict[str, t.Any], parked: int | None) -> bool:
    """Whether a running container mounts another directory than the one at its path by now.

    The container's own view is under /proc. Where it cannot be seen, as for an
    engine on another kernel, nothing is said.
    """
    if not pid:
        return False
    try:
        inside = os.stat(_below(f"/proc/{pid}/root", mount["Destination"]))
    except OSError:
        return False
    if inside.st_ino == parked:
        return False
    try:
        outside = os.stat(mount["Source"])
    except FileNotFoundError:
        return True
    return (inside.st_dev, inside.st_ino) != (outside.st_dev, outside.st_ino)


def _below(root: str, path: str) -> str:
    """Where ``path`` leads for somebody whose root directory is ``root``.

    The kernel follows an absolute link, such as /var/run in most images, from
    the root of whoever asks, which here is the host's.
    """
    found, rest, links = "", path.split("/"), 0
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            found = os.path.dirname(found).rstrip("/")
            continue
        try:
            target = os.readlink(f"{root}{found}/{part}")
        except OSError:
            # No link, or nothing at all, which whoever opens it will notice.
            found = f"{found}/{part}"
            continue
        links += 1
        if links > LINKS_AT_MOST:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        found = "" if target.startswith("/") else found
        rest = target.split("/") + rest
    return root + found


def _bring_up_to_date(original: str, copy: str) -> None:
    """Give a directory what its copy has, each file in one step; what is equal is not touched."""
    for item in os.scandir(copy):
        target = os.path.join(original, item.name)
        if item.is_dir(follow_symlinks=False):
            if not os.path.isdir(target):
                files.copy_tree(item.path, target)
            else:
                _bring_up_to_date(target, item.path)
        elif not (os.path.isfile(target) and filecmp.cmp(item.path, target, shallow=False)
                  and _stamp(item.path) == _stamp(target)):
            files.copy_file(item.path, target + files.TEMPORARY)
            os.replace(target + files.TEMPORARY, target)


def _stamp(path: str) -> tuple[int, int, int]:
    status = os.lstat(path)
    return status.st_mode, status.st_uid, status.st_gid


def _names_of(image: dict[str, t.Any]) -> set[str]:
    """Every way to name an image: id, tags with and without the default tag, digests."""
    tags = set(image.get("RepoTags") or []) | set(image.get("RepoDigests") or [])
    return tags | {image["Id"]} | {tag[: -len(":latest")] for tag in tags if tag.endswith(":latest")}


def _last_line(error: MooringError) -> str:
    """What a command said last, which is where Compose gives its reason."""
    said = error.stderr or error.stdout if isinstance(error, CommandFailed) else ""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), str(error))
