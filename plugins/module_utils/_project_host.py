# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: a Compose project on its host, read and brought to a plan.

Beside the project's files lies ``.mooring/`` (0700): ``manifest.json``, the
host's digest ``key``, the ``lock``, and while a change is under way ``staged/``
(the new tree) and ``previous/`` (what the change replaced). Every step can be
killed: a run finds what was declared, what is there and what the manifest says,
and goes on from that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import stat
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Compose, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

LOG_LINES = 30


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
        entries = {}
        for path in {*declared.entries, *manifest.entries}:
            found = self._entry(path, declared.entries.get(path))
            if found:
                entries[path] = found
        if not self.docker.answers():
            return project.Observed(manifest, entries, {}, {}, None)
        containers: dict[str, list[project.Container]] = {}
        for inspected in self.docker.project_containers(self.name):
            container = project.read_container(inspected)
            containers.setdefault(container.service, []).append(container)
        images = self._images({service.image for service in declared.services.values()})
        return project.Observed(
            manifest, entries, containers, images, self._hashes(declared, manifest, contents))

    def _images(self, references: set[str]) -> dict[str, str]:
        """Image id per reference, of those that are on this host."""
        return {
            reference: image["Id"]
            for image in self.docker.inspect("image", sorted(references))
            for reference in _names_of(image) & references}

    def _manifest(self) -> project.Manifest:
        return project.Manifest.from_json(files.read_text(self._state("manifest.json")) or "")

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
            declared.secret if declared else False)

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
        # Named before it is written: what a killed run leaves behind is known to the next.
        touched = {**before.entries, **{path: before.entries.get(path, "") for path in plan.write}}
        self._save_manifest(project.Manifest(touched, before.services))
        self._swap(plan, declared)
        try:
            self._bring_up(plan, declared)
        except (CommandFailed, NotHealthy) as error:
            raise self._restore(error, declared) from error
        self._record(declared, plan, before)

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
                shutil.copy2(source, target)
                status = os.stat(source)
                os.chown(target, status.st_uid, status.st_gid)
        files.write_file(os.path.join(previous, "absent.json"), json.dumps(absent).encode(), 0o600)
        files.write_file(os.path.join(previous, "manifest.json"), manifest.to_json(self.name).encode(), 0o600)
        files.write_file(os.path.join(previous, "complete"), b"", 0o600)

    def _swap(self, plan: project.Plan, declared: project.Declared) -> None:
        self._make_directories(declared, plan.write)
        for path in plan.write:
            if declared.entries[path].kind == "file":
                target = os.path.join(self.directory, path)
                if os.path.isdir(target) and not os.path.islink(target):
                    raise MooringError(f"{target} is a directory where a file is declared. Move it away and run again.")
                os.replace(os.path.join(self._state("staged"), path), target)
        for path in plan.delete:
            self._delete(path)

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
        for services, command in (
            (plan.services(project.UNPAUSE), ("unpause",)),
            (plan.services(project.RESTART), ("restart",)),
            (plan.services(project.RECREATE), ("up", "--detach", "--no-deps", "--no-build", "--force-recreate")),
        ):
            if services:
                self.compose.run(*command, *services)
        self._up(sorted(set(declared.services) - set(plan.held)))
        for name in plan.services(project.RELOAD):
            self._reload(declared.services[name])

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
        manifest = project.Manifest.from_json(files.read_text(os.path.join(previous, "manifest.json")) or "")
        if not manifest.services:
            self.compose.run("down", "--remove-orphans")
            return MooringError(
                f"{self.name} did not come up and had no previous version; its containers were removed, "
                f"its files are in {self.directory}.\n{said}")
        tree = os.path.join(previous, "tree")
        for folder, _folders, names in os.walk(tree):
            for name in names:
                source = os.path.join(folder, name)
                status = os.stat(source)
                with open(source, "rb") as stream:
                    files.write_file(
                        os.path.join(self.directory, os.path.relpath(source, tree)), stream.read(),
                        stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        for path in json.loads(files.read_text(os.path.join(previous, "absent.json")) or "[]"):
            self._delete(path)
        self._save_manifest(manifest)
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

    def _not_well(self) -> list[project.Container]:
        containers = map(project.read_container, self.docker.project_containers(self.name))
        return [one for one in containers if one.status != "running" or one.health not in ("", "healthy")]

    def _culprits(self, declared: project.Declared) -> str:
        """Images that are not to be had; state and last log lines of each container that is not well."""
        services = declared.services.values()
        here = self._images({service.image for service in services})
        parts = [f"The image {service.image} of service {service.name} is not on this host and could not be pulled."
                 for service in services if service.image not in here]
        for container in self._not_well():
            state = " ".join(part for part in (container.status, container.health) if part)
            parts.append(f"{container.name} is {state}; its last lines:\n"
                         f"{self.docker.logs(container.name, LOG_LINES) or '(no log lines)'}")
        return "\n".join(parts)

    def _record(self, declared: project.Declared, plan: project.Plan, before: project.Manifest) -> None:
        hashes = self.compose.hashes()
        services = {
            name: {**before.services.get(name, {}), "pending": hashes.get(name, "")} for name in plan.held}
        entries = list(declared.entries.values())
        for inspected in self.docker.project_containers(self.name):
            container = project.read_container(inspected)
            service = declared.services.get(container.service)
            if service and service.name not in plan.held:
                services[service.name] = {
                    "hash": hashes.get(service.name, ""),
                    "label": container.config_hash,
                    "fields": container.fields,
                    "reloads": project.reload_digests(self.key(), service, entries),
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


def _names_of(image: dict[str, t.Any]) -> set[str]:
    """Every way to name an image: id, tags with and without the default tag, digests."""
    tags = set(image.get("RepoTags") or []) | set(image.get("RepoDigests") or [])
    return tags | {image["Id"]} | {tag[: -len(":latest")] for tag in tags if tag.endswith(":latest")}


def _last_line(error: MooringError) -> str:
    """What a command said last, which is where Compose gives its reason."""
    said = error.stderr or error.stdout if isinstance(error, CommandFailed) else ""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), str(error))
