# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: which colour is to run a release, and what a switch has to do.

Pure: no files, no processes, no clock. Four places know a colour, and after an
interrupted run or a change by hand they may differ:

memory
    what the proxy serves now;
file
    what the proxy will serve after its next start;
record
    what the last finished deployment wrote down;
containers
    what each colour really runs, told by a label that seals its definition.

The declaration decides; the other four only say what is left to do.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import json
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import ending
from ansible_collections.mooring.stack.plugins.module_utils._formats import RELEASES
from ansible_collections.mooring.stack.plugins.module_utils._traffic import COLOURS, Traffic, other

HISTORY_LIMIT = 50

LABEL_DEFINITION = "mooring.release.definition"
LABEL_RELEASE = "mooring.release"
LABEL_REPLICAS = "mooring.replicas"

# 16 MiB and some 40 ms a try: cheap once per run, dear to whoever guesses a
# password behind the label, which everybody who may ask the engine can read.
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 2**20, "dklen": 32}


def seal(definition: t.Any, secrets: dict[str, str], salt: str) -> str:
    """A digest of everything that goes into a colour, fit for a public label.

    The salt is part of the result, as in a password hash: no key has to be
    kept anywhere, and the same definition is recognised by :func:`is_sealed_by`.
    """
    text = json.dumps([definition, secrets], sort_keys=True, separators=(",", ":"))
    digest = hashlib.scrypt(text.encode(), salt=bytes.fromhex(salt), **_SCRYPT)
    return f"1.{salt}.{digest.hex()}"


def is_sealed_by(label: str | None, definition: t.Any, secrets: dict[str, str]) -> bool:
    """Whether ``label`` was made from exactly this definition."""
    try:
        version, salt, _digest = (label or "").split(".")
        bytes.fromhex(salt)
    except ValueError:
        return False
    return version == "1" and hmac.compare_digest(label or "", seal(definition, secrets, salt))


@dataclasses.dataclass(frozen=True)
class Colour:
    """What one colour runs: its first replica; all fields are empty where it has no container."""

    container: str = ""
    name: str = ""
    status: str = "absent"
    health: str = ""
    release: str | None = None
    definition: str | None = None
    image: str = ""
    image_id: str = ""
    address: str = ""
    pid: int = 0
    started: str = ""
    restarts: int = 0
    exit_code: int = 0
    out_of_memory: bool = False
    replicas: int = 1  # as many as declared, whether they are there or not
    further: tuple[Colour, ...] = ()

    @classmethod
    def from_inspect(cls, document: dict[str, t.Any], network: str) -> Colour:
        """The colour that this ``docker inspect`` document of a container shows."""
        state, config = document["State"], document["Config"]
        labels = config.get("Labels") or {}
        networks = document.get("NetworkSettings", {}).get("Networks") or {}
        return cls(
            container=document["Id"],
            name=document["Name"].lstrip("/"),
            status=state["Status"],
            health=(state.get("Health") or {}).get("Status", ""),
            release=labels.get(LABEL_RELEASE),
            definition=labels.get(LABEL_DEFINITION),
            image=config.get("Image", ""),
            image_id=document.get("Image", ""),
            address=(networks.get(network) or {}).get("IPAddress") or "",
            pid=state.get("Pid") or 0,
            started=state.get("StartedAt", ""),
            restarts=document.get("RestartCount") or 0,
            exit_code=state.get("ExitCode") or 0,
            out_of_memory=bool(state.get("OOMKilled")),
            replicas=int(labels.get(LABEL_REPLICAS) or 1),
        )

    @classmethod
    def joined(cls, replicas: t.Sequence[Colour]) -> Colour:
        """The colour that has these replicas."""
        return dataclasses.replace(replicas[0], further=tuple(replicas[1:])) if replicas else cls()

    @property
    def every(self) -> tuple[Colour, ...]:
        """Its replicas that have a container, each by itself."""
        return (dataclasses.replace(self, further=()), *self.further) if self.exists else ()

    def replica(self, number: int) -> Colour:
        """One of its replicas, counted from 0; empty where that has no container."""
        return self.every[number] if number < len(self.every) else Colour()

    @property
    def exists(self) -> bool:
        """Whether there is a container at all, running or not."""
        return bool(self.container)

    @property
    def runs(self) -> bool:
        """Whether a replica is running."""
        return any(one.status == "running" for one in self.every)

    @property
    def rests(self) -> bool:
        """Whether a replica is there and stays stopped until somebody starts it."""
        return any(one.status in ("created", "exited") for one in self.every)

    def ended(self) -> str:
        """How its process ended; empty while it runs, or before it ran."""
        return ending(self.exit_code, self.out_of_memory) if self.status in ("exited", "dead", "restarting") else ""

    def went_wrong(self, now: Colour) -> str | None:
        """What befell the container, seen running and well as ``self``, by ``now``; None if nothing did."""
        if now.container != self.container:
            return "was replaced by another container" if now.exists else "was removed"
        if now.ended():
            return now.ended()
        if not now.runs:
            return f"is {now.status}"
        if now.started != self.started:
            return "was restarted"
        return "turned unhealthy" if now.health == "unhealthy" else None

    def public(self) -> dict[str, t.Any]:
        """What a module returns about the colour."""
        return {"container": self.name, "status": self.status, "health": self.health, "release": self.release,
                "image": self.image, "image_id": self.image_id, "address": self.address, "started": self.started}


@dataclasses.dataclass(frozen=True)
class Situation:
    """What the host says before anything is done."""

    colours: dict[str, Colour] = dataclasses.field(default_factory=lambda: {c: Colour() for c in COLOURS})
    proxy_answers: bool = False
    memory: Traffic | None = None
    file: Traffic | None = None
    record: dict[str, t.Any] | None = None

    @property
    def recorded(self) -> str | None:
        """The colour that the last finished deployment left in service."""
        return (self.record or {}).get("colour")

    @property
    def active(self) -> str | None:
        """The colour whose container must not be replaced: the one that serves."""
        places = (self.memory if self.proxy_answers else None, self.file)
        said = [place.colour for place in places if place] + [self.recorded]
        return next((colour for colour in said if colour in COLOURS), None)

    @property
    def agrees(self) -> bool:
        """Whether the places that know a colour all know the same one, and it alone gets the requests."""
        return self.active is None or not self.disagreements(self.active)

    @property
    def share(self) -> int | None:
        """Percent of the requests that the colour beside the active one gets, now or after the proxy's next start.

        None where it gets none; with 0 it gets what the active one cannot be asked.
        """
        found = [place.percent for place in (self.memory, self.file) if place is not None and place.percent is not None]
        return max(found, default=None)

    def alone(self, colour: str) -> Traffic:
        """All requests for one colour, by the replicas that it was made with."""
        return Traffic(colour, self.colours[colour].replicas)

    def disagreements(self, target: str) -> list[str]:
        """Where something other than ``target`` alone is in force, one line each."""
        wanted = self.alone(target)
        places = [("the proxy's file says", self.file)]
        if self.proxy_answers:
            places.insert(0, ("the proxy serves", self.memory))
        amiss = [f"{place} {found.words() if found else 'no colour'}" for place, found in places if found != wanted]
        if self.recorded != target:
            amiss.append(f"the last deployment recorded {self.recorded or 'no colour'}")
        return amiss


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which colour gets the declared release, and why."""

    active: str | None
    target: str
    deploy: bool
    switch: bool
    reason: str

    @property
    def due(self) -> bool:
        """Whether this run has anything to deploy or to switch."""
        return self.deploy or self.switch


def decide(situation: Situation, release: str, runs_declared: t.Callable[[Colour], bool]) -> Plan:
    """The plan for ``release``.

    ``runs_declared`` tells whether a colour's container was made from exactly
    the declared release, image and definition. Whether it is up does not
    matter here: a stopped or sick one is healed where it is.
    """
    active = situation.active
    # The serving colour first: two colours may run the same thing.
    order = COLOURS if active is None else (active, other(active))
    target = next((c for c in order if situation.colours[c].exists and runs_declared(situation.colours[c])), None)
    deploy = target is None
    target = target or (COLOURS[0] if active is None else other(active))
    amiss = situation.disagreements(target)
    return Plan(active, target, deploy, bool(amiss), _reason(situation, release, target, deploy, amiss))


def _reason(situation: Situation, release: str, target: str, deploy: bool, amiss: list[str]) -> str:
    active = situation.active
    if active is None:
        start = "is deployed to" if deploy else "already runs in"
        return f"Nothing serves yet: release {release} {start} {target}, which then serves."
    if deploy:
        served = situation.colours[active].release or (situation.record or {}).get("release")
        if served == release:
            what = f"runs release {release} with another image or configuration"
        else:
            what = f"runs release {served or 'unknown'}"
        # The other colour gets the release, so whoever does not say ``active`` is wrong now.
        wrong = situation.disagreements(active)
        beside = f" (although {', '.join(wrong)})" if wrong else ""
        return f"{active} serves and {what}{beside}: release {release} is deployed to {target}."
    if not amiss:
        return f"{target} serves release {release} as declared."
    return (f"{target} already runs release {release}, but {', '.join(amiss)}: "
            "a rollback, an interrupted deployment or a change by hand. The run ends with "
            f"{target} serving.")


@dataclasses.dataclass(frozen=True)
class Steps:
    """What is left to do once the target colour is up; the order is that of the fields."""

    start: bool
    migrate: bool
    canary: bool
    write_file: bool
    tell_proxy: bool
    stop_previous: bool
    record: bool
    previous: str | None

    @property
    def switches(self) -> bool:
        """Whether the proxy is told anything, on disk or in memory."""
        return self.write_file or self.tell_proxy

    @property
    def changes_anything(self) -> bool:
        """Whether the host would be different afterwards."""
        return self.start or self.migrate or self.switches or self.stop_previous or self.record

    def public(self) -> dict[str, bool]:
        """What a module returns of the steps."""
        return {name: value for name, value in dataclasses.asdict(self).items() if isinstance(value, bool)}


def steps(
    situation: Situation, target: str, release: str, *,
    image_id: str | None, has_migration: bool, migrated: t.Collection[str], keep_warm: bool, start: bool = False,
    canary: bool = False,
) -> Steps:
    """The steps that put ``target`` into service.

    ``start`` says that nothing before this started it: it is taken as it ran.
    ``canary`` says that it is to get a share of the requests before all of them.

    A migration belongs to an image and runs once for it: neither a rollback to
    an image that ran before nor a change of configuration runs it again.
    """
    idle = situation.colours[other(target)]
    record = situation.record or {}
    wanted = situation.alone(target)
    tell = (situation.memory if situation.proxy_answers else situation.file) != wanted
    return Steps(
        start=start and situation.colours[target].rests,
        migrate=has_migration and situation.active != target and (image_id is None or image_id not in migrated),
        write_file=situation.file != wanted,
        tell_proxy=tell,
        stop_previous=not keep_warm and idle.runs,
        record=(record.get("colour"), record.get("release")) != (target, release)
        or (image_id is not None and record.get("image_id") != image_id),
        canary=canary and situation.active not in (None, target) and idle.runs,
        previous=situation.active if situation.active != target else None,
    )


def differences(
    situation: Situation, todo: Steps, *, application: str, target: str, release: str,
) -> list[Difference]:
    """What the steps put right, by field; empty exactly if there are none."""
    name, idle, record = f"application {application}", other(target), situation.record or {}
    fields: list[Difference] = []
    if todo.start:
        fields.append(Difference(name, f"state of {target}", "running", situation.colours[target].status))
    if todo.tell_proxy:
        fields.append(Difference(name, "colour in the proxy's memory", *_lines(situation, target, situation.memory)))
    if todo.write_file:
        fields.append(Difference(name, "colour in the proxy's file", *_lines(situation, target, situation.file)))
    if todo.record:
        found = (record.get("colour"), record.get("release"))
        if found != (target, release):
            shown = f"{found[0]}, release {found[1]}" if record else None
            fields.append(Difference(name, "record", f"{target}, release {release}", shown))
        else:
            fields.append(Difference(name, "recorded image", "the one that runs", record.get("image_id")))
    if todo.migrate:
        fields.append(Difference(name, "migration of this image", "run", "not run"))
    if todo.stop_previous:
        fields.append(Difference(name, f"state of {idle}", "exited", situation.colours[idle].status))
    return fields


def _lines(situation: Situation, target: str, found: Traffic | None) -> tuple[str, str | None]:
    """What is expected and found in a place."""
    return situation.alone(target).line(), found.line() if found else None


@dataclasses.dataclass
class Record:
    """What the state file of an application holds."""

    active: dict[str, t.Any] | None = None
    history: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    migrated: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def from_document(cls, document: dict[str, t.Any]) -> Record:
        """The record in a parsed state file."""
        return cls(document.get("active"), list(document.get("history") or []), list(document.get("migrated") or []))

    def document(self, application: str) -> dict[str, t.Any]:
        """The state file's content."""
        return {RELEASES.key: RELEASES.version, "application": application, "active": self.active,
                "migrated": self.migrated, "history": self.history}

    def deployed(self, entry: dict[str, t.Any]) -> None:
        """Enter a deployment that ended well; the oldest entries fall out."""
        self.active = entry
        self.history = [*self.history, {"result": "serving", **entry}][-HISTORY_LIMIT:]

    def failed(self, entry: dict[str, t.Any], why: str) -> None:
        """Enter a deployment that was undone."""
        self.history = [*self.history, {"result": "undone", **entry, "why": brief(why)}][-HISTORY_LIMIT:]

    def has_served(self, definition: str) -> bool:
        """Whether what this label seals was in service before, and so has been proved by more than a question."""
        return any(entry.get("definition") == definition for entry in self.history if entry.get("result") == "serving")

    def has_entry(self, started: str, release: str) -> bool:
        """Whether the deployment of ``release`` that began then is in the history."""
        return any((entry.get("started"), entry.get("release")) == (started, release) for entry in self.history)

    def superseded(self, keep: int, needed: t.Collection[str]) -> list[tuple[str, str]]:
        """Id and reference of images that no rollback needs any more.

        They are those that this application was deployed from, but for the last
        ``keep`` of them and for ``needed``, the ids that its colours run.
        """
        return [(one, reference) for one, reference in list(self._images().items())[keep:] if one not in needed]

    def kept(self, keep: int) -> list[str]:
        """Ids of the last ``keep`` images that this application was deployed from."""
        return list(self._images())[:keep]

    def _images(self) -> dict[str, str]:
        """Reference by id, the last one first."""
        seen: dict[str, str] = {}
        for entry in reversed(self.history):
            if entry.get("image_id"):
                seen.setdefault(entry["image_id"], entry.get("image", ""))
        return seen

    def ran_migration(self, image_id: str) -> None:
        """Remember that this image's migration ran."""
        self.migrated = [*(i for i in self.migrated if i != image_id), image_id][-HISTORY_LIMIT:]


def brief(why: str) -> str:
    """The reason in an error without the log lines that it quotes, at most 600 characters of it."""
    lines = why.strip().splitlines()
    quotes = next((number for number, line in enumerate(lines, start=1) if line.endswith(":")), len(lines))
    return " ".join(line.strip() for line in lines[:quotes]).rstrip(":")[:600]


def moment(seconds: float) -> str:
    """A time since 1970 as the record writes it: RFC 3339, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds(moment: str) -> float:
    """A time of the record as seconds since 1970."""
    return datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


@dataclasses.dataclass(frozen=True)
class Holder:
    """The run of Ansible behind a claim: its process, and the machine that this runs on."""

    machine: str
    pid: int
    started: str = ""


@dataclasses.dataclass(frozen=True)
class Claim:
    """Who holds the deployment lock between the tasks of a run."""

    token: str
    by: str
    release: str
    since: float
    until: float
    holder: Holder
    colour: str = ""
    image: str = ""
    address: str = ""

    @classmethod
    def from_text(cls, text: str) -> Claim | None:
        """The claim in the lock file; None where it is empty or not readable as one."""
        try:
            document = json.loads(text)
            return cls(**{**document, "holder": Holder(**document["holder"])})
        except (ValueError, TypeError, KeyError):
            return None

    def text(self) -> str:
        """What is written to the lock file."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @property
    def started(self) -> str:
        """When the lock was taken, which is when the deployment began."""
        return moment(self.since)

    def entry(self, now: float) -> dict[str, t.Any]:
        """What the history says of this claim's deployment, whatever became of it by ``now``."""
        return {
            "colour": self.colour, "release": self.release, "image": self.image, "by": self.by,
            "machine": self.holder.machine, **({"address": self.address} if self.address else {}),
            "started": self.started, "ended": moment(now), "seconds": round(now - self.since, 1),
        }

    def is_stale(self, now: float, gone: t.Collection[Holder] = ()) -> bool:
        """Whether nobody stands behind the claim any more.

        Only the machine that the holder ran on can tell that it is ``gone``;
        for everybody else its time has to be over.
        """
        return now > self.until or self.holder in gone


@dataclasses.dataclass(frozen=True)
class Readiness:
    """When a colour counts as ready to serve."""

    path: str = "/readyz"
    port: int | None = None
    status: int = 200
    condition: str = ""
    successes: int = 3
    interval: float = 0.2
    timeout: float = 60.0
    watch: float = 10.0

    def url(self, address: str, port: int) -> str:
        """What is asked of a container; ``port`` is the application's, which an own one for readiness replaces."""
        return f"http://{address}:{self.port or port}{self.path}"

    def refusal(self, status: int, body: bytes, search: t.Callable[[str, t.Any], t.Any] | None = None) -> str | None:
        """Why this answer is not a ready one; None when it is.

        ``search`` is ``jmespath.search``; it is only needed for a condition.
        """
        if status != self.status:
            return f"answered status {status} instead of {self.status}{_quote(body)}"
        if not self.condition or search is None:
            return None
        try:
            document = json.loads(body)
        except ValueError:
            return f"answered something that is not JSON{_quote(body)}"
        if search(self.condition, document):
            return None
        return f"the condition {self.condition} does not hold for its answer{_quote(body)}"


def _quote(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return f": {text[:300]}" if text else ""


def established(table: str, port: int) -> int:
    """How many connections to ``port`` a ``/proc/<pid>/net/tcp`` table shows as established."""
    wanted, count = f":{port:04X}", 0
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[1].endswith(wanted) and fields[3] == "01":
            count += 1
    return count
