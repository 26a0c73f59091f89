# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that puts one colour of an application into service."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import time
import typing as t

from ansible.module_utils.common.parameters import remove_values
from ansible_collections.mooring.stack.plugins.module_utils import _release
from ansible_collections.mooring.stack.plugins.module_utils._canary import CANARY_SPEC, Canary, Seen
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Compose, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable, ask
from ansible_collections.mooring.stack.plugins.module_utils._images import LOCAL_IMAGES
from ansible_collections.mooring.stack.plugins.module_utils._release_host import (
    PLATFORM_ARGUMENTS,
    Host,
    Listener,
    held,
)
from ansible_collections.mooring.stack.plugins.module_utils._traffic import REPLICAS_LIMIT, Traffic

WAIT_SECONDS = 20
VERIFY_SECONDS = 10
LOG_LINES = 20
SERVICE = "app"

READINESS_SPEC: dict[str, t.Any] = {
    "path": {"type": "str", "default": "/readyz"},
    "port": {"type": "int"},
    "status": {"type": "int", "default": 200},
    "condition": {"type": "str", "default": ""},
    "successes": {"type": "int", "default": 3},
    "interval": {"type": "float", "default": 0.2},
    "timeout": {"type": "float", "default": 60},
    "watch": {"type": "float", "default": 10},
}

ARGUMENT_SPEC: dict[str, t.Any] = {
    **PLATFORM_ARGUMENTS,
    "colour": {"type": "str", "choices": list(_release.COLOURS), "required": True},
    "active": {"type": "str", "default": ""},
    "release": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "seal": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": False},
    "by": {"type": "str", "default": "unknown"},
    "port": {"type": "int", "default": 8080},
    "readiness": {"type": "dict", "options": READINESS_SPEC, "default": {}},
    "migrate": {"type": "list", "elements": "str", "default": []},
    "migrate_timeout": {"type": "int", "default": 300},
    "url": {"type": "str", "default": ""},
    "url_address": {"type": "str", "default": "127.0.0.1"},
    "release_header": {"type": "str", "default": "X-Release"},
    "replicas": {"type": "int", "choices": list(range(1, REPLICAS_LIMIT + 1)), "default": 1},
    "canary": {"type": "dict", "options": CANARY_SPEC, "default": {}},
    "start": {"type": "bool", "default": False},
    "keep_warm": {"type": "bool", "default": True},
    "drain_seconds": {"type": "int", "default": 30},
    "keep_images": {"type": "int", "default": 5},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}


class Deployment:
    """Puts one colour into service on one host."""

    def __init__(self, params: dict[str, t.Any], run_command: t.Callable[..., tuple[int, str, str]]) -> None:
        self.params = params
        self.run_command = run_command
        self.host = Host(params, run_command)
        self.name, self.target = self.params["name"], self.params["colour"]
        self.readiness = _release.Readiness(**self.params["readiness"])
        try:
            self.canary = Canary.from_params(self.params["canary"])
        except ValueError as error:
            raise MooringError(f"The canary of '{self.name}' cannot be done: {error}.") from error
        self.notices: list[str] = []
        self.figures: dict[str, t.Any] = {}
        self.begin = time.monotonic()

    def read(self) -> tuple[_release.Situation, _release.Steps]:
        """What the host says now and what that leaves to do."""
        situation = self.host.situation()
        if (situation.active or "") != self.params["active"]:
            raise MooringError(
                f"{situation.active or 'No colour'} serves now, but it was {self.params['active'] or 'no colour'} "
                "when this run decided: another run changed it meanwhile. This one switches nothing; run it again.")
        target = situation.colours[self.target]
        made = target.definition == self.params["seal"]
        if not made:
            # Check mode: the container is not there yet, or what is to be replaced.
            expected = dataclasses.replace(target, replicas=self.params["replicas"])
            situation = dataclasses.replace(situation, colours={**situation.colours, self.target: expected})
        return situation, _release.steps(
            situation, self.target, self.params["release"],
            image_id=target.image_id if made else self.host.image_id(self.params["image"]),
            has_migration=bool(self.params["migrate"]), migrated=self.host.store.record().migrated,
            keep_warm=self.params["keep_warm"], start=self.params["start"],
            canary=bool(self.canary.steps) and not self.has_served())

    def differences(self, situation: _release.Situation, todo: _release.Steps) -> list[Difference]:
        """What is not as declared; empty exactly if there is nothing to do."""
        return _release.differences(
            situation, todo, application=self.name, target=self.target, release=self.params["release"])

    def apply(self, situation: _release.Situation, todo: _release.Steps) -> None:
        """Migrate, prove, switch, prove again, record and drain; undo all of it on failure."""
        self.expect_own_container(situation.colours[self.target])
        listener = Listener() if todo.canary else None
        with self.undo_before_switch(situation):
            if todo.start:
                self.host.docker.run("start", *(one.container for one in situation.colours[self.target].every))
            # Before the question whether it is ready: a release may well not be
            # ready until its tables are there.
            if todo.migrate:
                self.migrate(situation.colours[self.target].image_id)
            running = self.wait_until_ready(once=not todo.changes_anything)
            if listener is not None:
                self.share(situation, running, listener)
        with self.undo_after_switch(situation, todo):
            alone = situation.alone(self.target)
            watched = todo.previous is not None and (todo.start or not self.has_served())
            old = situation.colours[_release.other(self.target)]
            # While nobody knows how it fares, the old colour gets what it cannot be asked.
            first = dataclasses.replace(alone, percent=0, others=old.replicas) if watched and old.runs else alone
            if todo.switches:
                begin = time.monotonic()
                self.host.proxy.switch(self.name, first)
                self.figures["switch_ms"] = round((time.monotonic() - begin) * 1000, 1)
                self.figures["seconds"] = round(time.monotonic() - self.begin, 2)
            self.prove_through_proxy()
            if watched:
                self.host.watch(self.target, self.params["port"], self.readiness, running,
                                seconds=self.readiness.watch, when="after the switch")
            if todo.switches and first != alone:
                self.host.proxy.switch(self.name, alone)
        if todo.record:
            self.record(running)
            self.remove_superseded_images()
        if todo.stop_previous:
            self.stop_idle(situation)

    def share(self, situation: _release.Situation, running: _release.Colour, listener: Listener) -> None:
        """Give the target its share of the requests, one step after the other; raises when it does not do well."""
        active, target = situation.colours[situation.active], situation.colours[self.target]
        shares: list[dict[str, t.Any]] = []
        self.figures["canary"] = shares
        for percent in self.canary.steps:
            self.host.proxy.switch(self.name, Traffic(
                situation.active, active.replicas, percent, target.replicas, self.canary.sticky))
            shares.append({"percent": percent})
            begin = time.monotonic()

            when = f"with {percent} % of the requests"
            seen = Seen()

            def judge() -> str | None:
                nonlocal seen
                # Somebody who ends a deployment, or a controller that dies, must not find all requests there later.
                if not listener.is_there():
                    return "the run that gave them to it has ended"
                # A proxy that is restarted answers again soon; its counts begin anew.
                with contextlib.suppress(Unreachable):
                    seen = self.host.proxy.seen(self.name)[self.target]
                shares[-1].update(seen.public(), seconds=round(time.monotonic() - begin, 1))  # noqa: B023
                return seen.refusal(self.canary)

            self.host.watch(self.target, self.params["port"], self.readiness, running, seconds=self.canary.hold,
                            when=when, judge=judge)
            if why := seen.silence(self.canary):
                raise MooringError(f"{self.target} was ready, but {when} {why}.")
            if shares[-1]["requests"] < self.canary.minimum:
                self.notices.append(
                    f"application {self.name}: {self.target} got {shares[-1]['requests']} requests in "
                    f"{self.canary.hold:g} s with {percent} % of them, which is too few to judge it by "
                    f"({self.canary.minimum} are needed).")

    def has_served(self) -> bool:
        """Whether what the target runs was in service before; if not, requests may break what questions did not."""
        return self.host.store.record().has_served(self.params["seal"])

    def expect_own_container(self, target: _release.Colour) -> None:
        """Refuse a colour that this run did not make."""
        if not target.exists:
            raise MooringError(f"{self.target} has no container, so it cannot serve. Converge its project first.")
        if target.definition != self.params["seal"]:
            raise MooringError(
                f"{self.target} runs release {target.release or 'unknown'} from another definition than this run made: "
                "another run replaced it meanwhile. This one switches nothing; run it again.")

    def wait_until_ready(self, once: bool) -> _release.Colour:
        """The target's container once it is ready; one good answer is enough where it serves already."""
        begin = time.monotonic()
        readiness = dataclasses.replace(self.readiness, successes=1) if once else self.readiness
        running = self.host.wait_until_ready(self.target, self.params["port"], readiness)
        self.figures["ready_ms"] = round((time.monotonic() - begin) * 1000, 1)
        return running

    def migrate(self, image_id: str) -> None:
        """Run the migration in a container of its own, once per image."""
        seconds, container = self.params["migrate_timeout"], f"{self.host.project(self.target)}-migrate"

        def limited(argv: list[str], **keywords: t.Any) -> tuple[int, str, str]:
            return self.run_command(["timeout", "--kill-after=10", str(seconds), *argv], **keywords)

        compose = Compose(Docker(limited), self.host.project(self.target), self.host.directory(self.target))
        # One that a killed run left behind; nobody else has the lock.
        self.host.docker.succeeds("rm", "--force", container)
        try:
            compose.run("run", "--rm", "--no-deps", "--no-TTY", "--name", container, SERVICE, *self.params["migrate"])
        except CommandFailed as error:
            self.host.docker.succeeds("rm", "--force", container)
            said = "\n".join((error.stdout + error.stderr).strip().splitlines()[-LOG_LINES:])
            ended = f"did not end within {seconds} s" if error.rc == 124 else f"ended with status {error.rc}"
            raise MooringError(
                f"The migration {' '.join(self.params['migrate'])} of release {self.params['release']} {ended}: {said}"
            ) from error
        record = self.host.store.record()
        record.ran_migration(image_id)
        self.host.store.save(record)

    def prove_through_proxy(self) -> None:
        """Ask the proxy, or the declared URL through it, until the right release answers."""
        limit = time.monotonic() + VERIFY_SECONDS
        while True:
            why = self.proxy_refusal()
            if why is None:
                return
            if time.monotonic() > limit:
                raise MooringError(f"The proxy does not serve release {self.params['release']}: {why}")
            time.sleep(self.readiness.interval)

    def proxy_refusal(self) -> str | None:
        """Why what the proxy answers is not the release; None when it is."""
        url, header = self.params["url"], self.params["release_header"]
        try:
            if not url:
                found = self.host.proxy.traffic(self.name)
                serving = found.colour if found else None
                return None if serving == self.target else f"it says that {serving or 'no colour'} serves."
            answer = ask(url, address=self.params["url_address"])
        except Unreachable as error:
            return str(error)
        if answer.status >= 400:
            return f"{url} answered status {answer.status}."
        release = answer.headers.get(header.lower())
        if header and release != self.params["release"]:
            return f"{url} was answered by release {release or 'unknown'} (header {header})."
        return None

    @contextlib.contextmanager
    def undo_before_switch(self, situation: _release.Situation) -> t.Iterator[None]:
        """Leave the old colour serving and remove the new one when the block fails."""
        try:
            yield
        except MooringError as error:
            if situation.active == self.target:
                raise self.with_logs(error, "It serves, so it was left as it is.") from error
            if "canary" in self.figures or situation.share is not None:
                self.switch_back(situation, error)
            elif situation.file is not None and situation.file.colour == self.target:
                # Killed between file and memory.
                self.host.proxy.declare(self.name, situation.active and situation.alone(situation.active))
            raise self.discard(situation, error) from error

    @contextlib.contextmanager
    def undo_after_switch(self, situation: _release.Situation, todo: _release.Steps) -> t.Iterator[None]:
        """Switch back and remove the new colour when the block fails."""
        try:
            yield
        except MooringError as error:
            old = situation.active
            if old == self.target or not todo.switches:
                raise self.with_logs(error, "It served before this run, so nothing was switched back.") from error
            if old is not None and not situation.colours[old].runs:
                raise self.with_logs(
                    error, f"{old} does not run, so nothing was switched back and {self.target} was kept.") from error
            self.switch_back(situation, error)
            raise self.discard(situation, error) from error

    def switch_back(self, situation: _release.Situation, error: MooringError) -> None:
        """Let the old colour get all requests again; raises ``error`` with what that means where it cannot be."""
        old = situation.active
        try:
            self.host.proxy.switch(self.name, None if old is None else situation.alone(old))
        except MooringError as second:
            # Nobody knows what the proxy serves: neither colour may go.
            raise self.with_logs(
                error, f"The proxy could not be switched back ({second}), so both colours were kept.") from error

    def discard(self, situation: _release.Situation, error: MooringError) -> MooringError:
        """Remove the new colour, but not one that served before; the error that says so and shows its last words."""
        serving = f"{situation.active} serves as before" if situation.active else "nothing serves, as before"
        ran = self.params["start"]
        complete = self.with_logs(error, f"{self.target} was {'kept' if ran else 'removed'} and {serving}.")
        self.enter_failure(str(error))
        if ran:
            return complete
        left = self.host.colour(self.target)
        if doomed := [one.container for one in left.every]:
            seconds = self.params["drain_seconds"]
            if left.runs and ("canary" in self.figures or "switch_ms" in self.figures):
                # It got requests, which it may end.
                self.host.wait_until_drained(left, self.params["port"], seconds)
            self.host.docker.succeeds("stop", "-t", str(seconds), *doomed)
            self.host.docker.run("rm", "--force", "--volumes", *doomed)
        return complete

    def with_logs(self, error: MooringError, outcome: str) -> MooringError:
        """The error with its outcome, what is wrong with the image itself, and the target's last log lines."""
        said = {one.name: self.host.docker.logs(one.container, LOG_LINES)
                for one in self.host.colour(self.target).every}
        shown = "".join(f"\n{one}" for one in self.host.docker.foreign_images([self.params["image"]]))
        shown += "".join(f"\nLast log lines of {name}:\n{logs}" for name, logs in said.items() if logs)
        return MooringError(f"{error}\n{outcome}{shown}", logs="\n".join(said.values()), **error.details)

    def stop_idle(self, situation: _release.Situation) -> None:
        """Let the old colour finish what it is doing, then stop it."""
        idle = situation.colours[_release.other(self.target)]
        seconds = self.params["drain_seconds"]
        self.figures["drained_seconds"] = round(self.host.wait_until_drained(idle, self.params["port"], seconds), 1)
        self.host.docker.run("stop", "-t", str(seconds), *(one.container for one in idle.every))

    def entry(self, running: _release.Colour) -> dict[str, t.Any]:
        """What the history says of this deployment."""
        now = time.time()
        # What needs no lock because nothing changes is not recorded either; without one, a person called the module.
        claim = self.host.store.claim() or _release.Claim(
            token="", by=self.params["by"], release=self.params["release"], since=now, until=now,
            holder=_release.Holder("", 0))
        digest = self.host.repository_digest(running.image_id)
        return {
            **self.figures, **claim.entry(now), "colour": self.target, "release": self.params["release"],
            "image": self.params["image"], "image_id": running.image_id, "definition": self.params["seal"],
            **({"digest": digest} if digest else {}),
        }

    def record(self, running: _release.Colour) -> None:
        """Write down that the target serves."""
        record = self.host.store.record()
        record.deployed(self.entry(running))
        self.host.store.save(record)

    def remove_superseded_images(self) -> None:
        """Remove images of old releases. One that somebody uses stays, and so does one that a recipe here builds."""
        docker, removed = self.host.docker, []
        running = {self.host.colour(colour).image_id for colour in _release.COLOURS}
        keep = self.params["keep_images"]
        # Another application may run the same image, and roll back to others than this one.
        running.update(*(one.kept(keep) for one in self.host.store.others()))
        for image_id, reference in self.host.store.record().superseded(keep, running):
            found = docker.inspect("image", [image_id])
            if not found or reference.startswith(LOCAL_IMAGES):
                continue
            # By its tag if that still means this image: others may have tagged it for themselves.
            tags = found[0].get("RepoTags") or []
            name = reference if reference in tags else image_id
            if (reference in tags or not tags) and docker.succeeds("image", "rm", name):
                removed.append(reference or image_id)
        if removed:
            self.figures["images_removed"] = removed

    def enter_failure(self, why: str) -> None:
        """Write down that a deployment was undone."""
        record = self.host.store.record()
        # It may quote what a migration printed.
        said = remove_values(why.splitlines()[0], {str(value) for value in self.params["secrets"].values() if value})
        record.failed(self.entry(self.host.colour(self.target)), said)
        self.host.store.save(record)

    def expect_lock(self, todo: _release.Steps) -> None:
        """Refuse to change anything without the deployment lock."""
        claim, token = self.host.store.claim(), self.params["token"]
        if not todo.changes_anything or (claim is not None and claim.token == token):
            return
        if claim is not None and not claim.is_stale(time.time()):
            raise held(self.name, claim)
        if token:
            raise MooringError(
                "This run lost the deployment lock: another run took it over and ended. "
                "Nothing was switched; run it again.")


@contextlib.contextmanager
def uninterrupted() -> t.Iterator[None]:
    """Let whoever ends the run end it, but not this process in the middle of a switch.

    Where the run is on the host itself, both get Ctrl-C, and Ansible passes the
    signal that ends it (SIGTERM from a cancelled CI job, and after Ctrl-C to a worker
    that has not ended within 0.1 s) to all processes of its task: TaskQueueManager
    and WorkerProcess of ansible-core. Over SSH only the run gets it. In all cases
    what was begun is completed, or undone.
    """
    signals = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pictures(situation: _release.Situation, todo: _release.Steps, target: str, release: str) -> dict[str, str]:
    """Before and after as text."""
    record, idle = situation.record or {}, _release.other(target)
    memory = situation.memory.line() if situation.memory else "no colour"
    if not situation.proxy_answers:
        memory = "unknown, the proxy does not answer"
    before = [f"proxy serves: {memory}", f"proxy file: {situation.file.line() if situation.file else 'absent'}",
              f"recorded: {record.get('colour', 'no colour')}, release {record.get('release', 'none')}"]
    wanted = situation.alone(target).line()
    after = [f"proxy serves: {wanted}" if todo.tell_proxy else before[0], f"proxy file: {wanted}",
             f"recorded: {target}, release {release}"]
    if todo.start:
        before.append(f"{target}: {situation.colours[target].status}")
        after.append(f"{target}: running")
    if todo.stop_previous:
        before.append(f"{idle}: {situation.colours[idle].status}")
        after.append(f"{idle}: exited")
    if todo.migrate:
        before.append("migration of this image: not run")
        after.append("migration of this image: run")
    return {"before_header": "release", "after_header": "release",
            "before": "\n".join(before) + "\n", "after": "\n".join(after) + "\n"}


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    deployment = Deployment(params, module.run_command)
    if module.check_mode:
        situation, todo = deployment.read()
    else:
        with uninterrupted(), deployment.host.store.locked(WAIT_SECONDS):
            situation, todo = deployment.read()
            differences = [one.as_dict() for one in deployment.differences(situation, todo)]
            try:
                deployment.expect_lock(todo)
                deployment.apply(situation, todo)
            except MooringError as error:
                error.details.setdefault("differences", differences)
                raise
            for notice in deployment.notices:
                module.warn(notice)
    return {
        "changed": todo.changes_anything,
        "differences": [one.as_dict() for one in deployment.differences(situation, todo)],
        "notices": deployment.notices,
        "diff": pictures(situation, todo, deployment.target, params["release"]),
        "colour": deployment.target, "previous": todo.previous, "steps": todo.public(), **deployment.figures}
