# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the host's side of a release (its files, lock, containers and answers)."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import sys
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _release
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import RELEASES
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable, ask
from ansible_collections.mooring.stack.plugins.module_utils._namespace import Gone, network_of
from ansible_collections.mooring.stack.plugins.module_utils._proxy import Proxy, view

try:
    import jmespath
except ImportError:
    jmespath = None

QUIET_SECONDS = 1.0

# What release_info, release_lock and release_switch are all told.
COMMON_ARGUMENTS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/opt/mooring"},
}
PLATFORM_ARGUMENTS: dict[str, t.Any] = {
    **COMMON_ARGUMENTS,
    "prefix": {"type": "str", "default": "mooring"},
    "network": {"type": "str"},
    "proxy": {"type": "path"},
}


class Host:
    """Where the release of one application lies on this host."""

    def __init__(self, params: dict[str, t.Any], run: t.Callable[..., t.Any]) -> None:
        self.name = params["name"]
        self.prefix = params["prefix"]
        self.network = params["network"] or self.prefix
        self.root = pathlib.Path(params["root"])
        self.docker = Docker(run)
        proxy = pathlib.Path(params["proxy"] or self.root / "nginx_certbot")
        self.proxy = Proxy(str(proxy / "run" / "control.sock"), str(proxy / "releases"))
        self.store = Store(params["root"], self.name)

    def project(self, colour: str) -> str:
        """The Compose project of a colour."""
        return f"{self.prefix}-{self.name}-{colour}"

    def directory(self, colour: str) -> str:
        """The directory of a colour's Compose project."""
        return str(self.root / f"{self.name}-{colour}")

    def colour(self, colour: str) -> _release.Colour:
        """What a colour runs now."""
        found = self.docker.project_containers(self.project(colour))
        # While Compose replaces a container, the old one is there as well.
        found.sort(key=lambda document: (document["State"]["Status"] == "running", document["Created"]))
        # A replica is a service: app, app-2, app-3.
        newest = {document["Config"]["Labels"]["com.docker.compose.service"]: document for document in found}
        return _release.Colour.joined(
            [_release.Colour.from_inspect(document, self.network) for _service, document in sorted(newest.items())])

    def situation(self) -> _release.Situation:
        """Everything that decides a deployment; on a host without Docker nothing runs."""
        seen = view(self.proxy, self.name)
        if self.docker.answers():
            seen["colours"] = {colour: self.colour(colour) for colour in _release.COLOURS}
        return _release.Situation(record=self.store.record().active, **seen)

    def image_id(self, image: str) -> str | None:
        """The id behind an image reference; None where it is not on the host."""
        found = self.docker.inspect("image", [image]) if self.docker.answers() else []
        return found[0]["Id"] if found else None

    def repository_digest(self, image_id: str) -> str:
        """The digest by which a registry knows the image; "" for one that came from none."""
        found = self.docker.inspect("image", [image_id]) if image_id else []
        digests = (found[0].get("RepoDigests") or []) if found else []
        return digests[0].rpartition("@")[2] if digests else ""

    def wait_until_ready(self, colour: str, port: int, readiness: _release.Readiness) -> _release.Colour:
        """Ask the colour itself until it was ready as often in a row as declared."""
        if readiness.condition and jmespath is None:
            raise MooringError(
                "A readiness condition is declared, but this host has no JMESPath for Python. "
                "Install the package python3-jmespath.")
        search = jmespath.search if jmespath is not None else None
        begin, limit = time.time(), time.monotonic() + readiness.timeout
        return _release.Colour.joined([
            self._wait_for(colour, number, port, readiness, search, begin, limit)
            for number in range(self.colour(colour).replicas)])

    def _wait_for(
        self, colour: str, number: int, port: int, readiness: _release.Readiness,
        search: t.Callable[[str, t.Any], t.Any] | None, begin: float, limit: float,
    ) -> _release.Colour:
        """The replica of this number once it is ready."""
        in_a_row = 0
        while True:
            running = self.colour(colour).replica(number)
            why = running.ended() or f"has no address on the network {self.network} (it is {running.status})"
            # The container is looked up again only after a refusal: it may have
            # been restarted at another address.
            while running.address and in_a_row < readiness.successes:
                why = _refusal(running, port, readiness, search)
                in_a_row = in_a_row + 1 if why is None else 0
                if why is not None:
                    break
                if in_a_row < readiness.successes:
                    time.sleep(readiness.interval)
            if in_a_row >= readiness.successes:
                # The answers count if one process gave them all, and it is still there.
                why = running.went_wrong(self.colour(colour).replica(number))
                if why is None:
                    return running
                in_a_row = 0
            if running.rests:
                raise MooringError(f"{colour} did not become ready: {running.name} {running.ended() or why}.")
            if time.monotonic() > limit:
                raise MooringError(
                    f"{colour} did not become ready within {readiness.timeout:g} s: {running.name or 'it'} {why}."
                    f"{self.restarted(running, begin)}")
            time.sleep(readiness.interval)

    def watch(
        self, colour: str, port: int, readiness: _release.Readiness, before: _release.Colour, *,
        seconds: float, when: str, judge: t.Callable[[], str | None] = lambda: None,
    ) -> None:
        """Look at a colour that gets requests for a while; raises when it is no longer as well as ``before``.

        One refusal is none: as many in a row count as answers were needed.
        ``judge`` may know another reason; ``when`` says in the error which time this is.
        """
        search = jmespath.search if jmespath is not None else None
        begin, limit = time.time(), time.monotonic() + seconds
        refused = dict.fromkeys(range(len(before.every)), 0)
        while time.monotonic() < limit:
            time.sleep(readiness.interval)
            now = self.colour(colour)
            for number, one in enumerate(before.every):
                why = one.went_wrong(now.replica(number))
                # A restarted container's state no longer says why.
                why = why and (self.docker.last_ending(one.container, begin, time.time()) or why)
                if why is None:
                    refusal = _refusal(one, port, readiness, search)
                    refused[number] = refused[number] + 1 if refusal else 0
                    if refused[number] >= readiness.successes:
                        why = f"{refusal}, {refused[number]} times in a row"
                if why is not None:
                    raise MooringError(f"{colour} was ready, but {when} {one.name} {why}.")
            if why := judge():
                raise MooringError(f"{colour} was ready, but {when} {why}.")

    def restarted(self, now: _release.Colour, since: float) -> str:
        """A sentence about the restarts of a replica; "" where there were none."""
        if not now.restarts:
            return ""
        times = "once" if now.restarts == 1 else f"{now.restarts} times"
        ended = now.ended() or self.docker.last_ending(now.container, since, time.time()) or "ended"
        return f" It was restarted {times}: its process {ended}."

    def wait_until_drained(self, colour: _release.Colour, port: int, seconds: float) -> float:
        """Wait until nobody is connected to the colour, but not longer than ``seconds``.

        It must stay so for a moment: a request for which the proxy chose this
        colour just before the switch may not have connected yet.
        """
        begin = quiet_since = time.monotonic()
        while time.monotonic() - begin < seconds and time.monotonic() - quiet_since < QUIET_SECONDS:
            time.sleep(0.1)
            if any(_connections(one.pid, port) > 0 for one in colour.every):
                quiet_since = time.monotonic()
        return time.monotonic() - begin


class Listener:
    """Whoever waits for what this process prints: a run of Ansible, here or over SSH."""

    def __init__(self) -> None:
        self._ancestors = _ancestors()

    def is_there(self) -> bool:
        """Whether it still is."""
        poll = select.poll()
        # Only whether the other end is there (poll(2): POLLERR and POLLHUP are told without being asked for).
        poll.register(sys.stdout.fileno(), 0)
        # Between this process and the run may be a sudo that keeps the other end open; its ancestors tell.
        return not poll.poll(0) and _ancestors() == self._ancestors


def _refusal(replica: _release.Colour, port: int, readiness: _release.Readiness,
             search: t.Callable[[str, t.Any], t.Any] | None) -> str | None:
    try:
        with network_of(replica.pid):
            answer = ask(readiness.url(replica.address, port))
    except (Unreachable, Gone) as error:
        return f"does not answer ({error})"
    if search is None or not readiness.condition:
        return readiness.refusal(answer.status, answer.body)
    try:
        return readiness.refusal(answer.status, answer.body, search)
    except jmespath.exceptions.JMESPathError as error:
        raise MooringError(f"The readiness condition '{readiness.condition}' is no valid JMESPath: {error}") from error


def _ancestors() -> list[int]:
    """The process that started this one, who started that, and so on; whose parent ended belongs to another one."""
    found, pid = [], os.getppid()
    while pid > 1:
        found.append(pid)
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            break
        # proc_pid_stat(5): the name in brackets may hold anything; state and parent follow it.
        pid = int(stat.rpartition(")")[2].split()[1])
    return found


def _connections(pid: int, port: int) -> int:
    """Established connections to ``port`` in the network of a container's process."""
    count = 0
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            count += _release.established(pathlib.Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii"), port)
    return count


class Store:
    """The record and the lock of one application, readable by root only."""

    def __init__(self, root: str, name: str) -> None:
        self._name = name
        self._directory = pathlib.Path(root) / "app_blue_green"
        self.path = self._directory / f"{name}.json"
        self.lock_path = self._directory / f"{name}.lock"

    def record(self) -> _release.Record:
        """The record on disk; empty where there is none."""
        return self._read(self.path)

    def others(self) -> list[_release.Record]:
        """The records of the other applications on this host."""
        return [self._read(path) for path in sorted(self._directory.glob("*.json")) if path != self.path]

    @staticmethod
    def _read(path: pathlib.Path) -> _release.Record:
        text = files.read_text(str(path))
        if text is None:
            return _release.Record()
        try:
            return _release.Record.from_document(RELEASES.current(json.loads(text), str(path)))
        except (ValueError, TypeError, AttributeError) as error:
            raise MooringError(
                f"The release record {path} is damaged: {error}. Move it away; the next run writes a new one "
                "from what it finds, only the history is lost.") from error

    def save(self, record: _release.Record) -> None:
        """Replace the record on disk in one step."""
        self._prepare()
        text = json.dumps(record.document(self._name), indent=2) + "\n"
        files.write_file(str(self.path), text.encode(), 0o600, os.geteuid(), os.getegid())

    def _prepare(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        # The log directories of applications lie below it, and who ships logs has to get there. Records are 0600.
        self._directory.chmod(0o711)

    def claim(self) -> _release.Claim | None:
        """Who says to hold the lock, whether or not they still live."""
        return _release.Claim.from_text(files.read_text(str(self.lock_path)) or "")

    def wait_while_busy(self, seconds: float) -> None:
        """Give a module call that a killed run left behind the time to end."""
        if not self.lock_path.exists():
            return
        with contextlib.suppress(MooringError), self.locked(seconds):
            pass

    @contextlib.contextmanager
    def locked(self, seconds: float) -> t.Iterator[t.TextIO]:
        """Hold the file lock; the kernel gives it back whatever happens to this process."""
        self._prepare()
        with open(self.lock_path, "a+", encoding="utf-8", opener=_private) as file:
            if not files.flock_within(file, seconds):
                file.seek(0)
                raise held(self._name, _release.Claim.from_text(file.read()))
            yield file

    @staticmethod
    def write_claim(file: t.TextIO, claim: _release.Claim | None) -> None:
        """Replace the lock file's text; the file itself stays, it carries the lock."""
        file.seek(0)
        file.truncate()
        file.write(claim.text() if claim else "")
        file.flush()


def held(name: str, claim: _release.Claim | None) -> MooringError:
    """The refusal that names the holder of the lock."""
    if claim is None:
        return MooringError(f"Another run is working on the release of '{name}' now. Run again when it has ended.")
    since, until = (time.strftime("%H:%M:%S", time.localtime(moment)) for moment in (claim.since, claim.until))
    who = f"{claim.by} from {claim.address}" if claim.address else claim.by
    return MooringError(
        f"{who} holds the deployment lock of '{name}' since {since} for release {claim.release} "
        f"(process {claim.holder.pid} on {claim.holder.machine}). Wait until that run has ended. If it is gone without "
        f"giving the lock back, run again on {claim.holder.machine}, or wait until {until}.",
        holder=dataclasses.asdict(claim.holder))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def origin() -> str:
    """From where this run came over SSH, to tell two people of one account apart; "" for a local run."""
    connection = os.environ.get("SSH_CONNECTION", "").split()
    return connection[0] if connection else ""
