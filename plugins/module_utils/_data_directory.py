# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides whether a database server may be started on a data directory as it was found.

A *series* is what a server upgrades within without being asked: 8.4 of MySQL
8.4.11, 17 of PostgreSQL 17.6.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import DATA


@dataclasses.dataclass(frozen=True)
class Engine:
    """What is different between servers.

    ``series`` is a pattern. ``environment`` are the variables in which the official
    images say their version, the most exact first: MYSQL_MAJOR is the word
    "innovation" in some. ``variables`` is how the role's variables begin, and
    ``volume`` the one that names a volume, "" where there is none. ``unavoidable``
    are the series that an upgrade may not skip; without any there are no upgrades
    of data in place, and ``restore`` loads what ``backup`` made. ``oldest`` is the
    first series that starts with the role's configuration. Without a ``series`` the
    server itself refuses data that it cannot read, and nobody asks of which version
    they are.
    """

    title: str
    service: str
    series: str = ""
    environment: tuple[str, ...] = ()
    backup: str = ""
    variables: str = ""
    volume: str = ""
    unavoidable: tuple[str, ...] = ()
    oldest: str = ""
    restore: str = ""


# The series that are LTS, or were before there was that word: MySQL Reference Manual, "Upgrade Paths".
MYSQL = Engine(
    "MySQL", "mysql", r"v?(\d+\.\d+)(?!\d)", ("MYSQL_VERSION", "MYSQL_MAJOR"),
    "docker exec {container} sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) exec mysqldump --user=root "
    # With the numbers of transactions that 9.7 writes into it by default, it could be loaded nowhere: a server that has
    # ever done anything has its own.
    "--all-databases --single-transaction --set-gtid-purged=OFF --routines --events --triggers' > mysql-{series}.sql",
    "data_stores_mysql", "data_stores_mysql_volume", ("5.7", "8.0", "8.4", "9.7"), "8.0")
POSTGRESQL = Engine(
    "PostgreSQL", "postgres", r"v?(\d+)(?!\d)", ("PG_VERSION", "PG_MAJOR"),
    "docker exec {container} sh -c 'PGPASSWORD=$(cat /run/secrets/admin_password) exec pg_dumpall --username=postgres' "
    "> postgres-{series}.sql",
    "data_stores_postgres",
    restore="docker exec --interactive {container} sh -c 'PGPASSWORD=$(cat /run/secrets/admin_password) exec psql "
    "--quiet --username=postgres --dbname=postgres' < postgres-{series}.sql")
# Kafka's KIP-778: a broker that does not know the finalized metadata.version ends at its start. Elasticsearch's
# NodeMetadata: "cannot downgrade a node", "cannot upgrade a node" that is too old.
KAFKA = Engine("Kafka", "broker")
ELASTICSEARCH = Engine("Elasticsearch", "elasticsearch")
ENGINES = {"mysql": MYSQL, "postgresql": POSTGRESQL, "kafka": KAFKA, "elasticsearch": ELASTICSEARCH}


@dataclasses.dataclass(frozen=True)
class Record:
    """Where data was at the end of the last run, its version and whose it was as far as that was known."""

    volume: str = ""
    version: str = ""
    identity: str = ""

    @classmethod
    def from_json(cls, text: str | None, path: str = "") -> Record:
        """The record of a file; one that cannot be read counts as none.

        Raises :class:`MooringError` for one of a newer format.
        """
        try:
            values = DATA.current(json.loads(text or ""), path)
            return cls(str(values["volume"]), str(values["version"]), str(values.get("identity", "")))
        except (ValueError, TypeError, KeyError):
            return cls()

    def to_json(self) -> str:
        # A server that says nothing of whose its data are has the record that it always had.
        values = {key: value for key, value in dataclasses.asdict(self).items() if value or key != "identity"}
        return json.dumps(values, indent=1, sort_keys=True) + "\n"


@dataclasses.dataclass(frozen=True)
class Declared:
    """What is to be started. ``container`` is its name, ``series`` "" where nobody can tell it yet."""

    engine: Engine
    volume: str
    image: str
    series: str
    container: str
    record: str
    upgrade_from: str = ""
    external: bool = False
    owner: int | None = None


@dataclasses.dataclass(frozen=True)
class Found:
    """A data directory and who uses it.

    ``path`` is where it lies on the host, "" where there is no volume or where its
    files cannot be seen (``hidden``). ``data``: it is complete. ``failed``: its
    creation by the official image ended half-way, which that image never finishes.
    ``ours``: the project has made the volume or has a container on it; that one is
    ``running``, and may be ``starting``, which is not healthy yet.
    ``identity``: what tells the data from others of the same server, such as the id
    of a cluster; "" where nothing does.
    ``others`` are the running containers of somebody else that may write to it,
    ``told`` is the version by the images of somebody else's containers.
    """

    volume: bool = False
    path: str = ""
    hidden: bool = False
    data: bool = False
    version: str = ""
    identity: str = ""
    owner: int | None = None
    failed: bool = False
    foreign: str = ""
    ours: bool = False
    running: bool = False
    starting: bool = False
    others: tuple[str, ...] = ()
    told: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to keep of what was found; a difference only where a directory of somebody else is taken over."""

    record: Record
    differences: tuple[Difference, ...] = ()
    notices: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def series(engine: Engine, version: str) -> str:
    """The series of a version or a tag, "" where it does not say one (``8``, ``lts``)."""
    match = re.match(engine.series, version) if engine.series else None
    return match[1] if match else ""


def image_series(engine: Engine, reference: str, environment: t.Iterable[str]) -> str:
    """The series of an image, by its environment (``NAME=value``) or else its tag; "" where neither says it."""
    values = dict(entry.partition("=")[::2] for entry in environment)
    name, _colon, tag = reference.partition("@")[0].rpartition("/")[2].partition(":")
    said = [*(values.get(variable, "") for variable in engine.environment), tag if name else ""]
    return next(filter(None, (series(engine, word) for word in said)), "")


def number(found: str) -> tuple[int, ...]:
    """A series as something that has an order."""
    return tuple(int(part) for part in found.split("."))


def skipped(engine: Engine, old: str, new: str) -> str:
    """The first series that an upgrade may not skip and does; "" where there is none."""
    return next((one for one in engine.unavoidable if number(old) < number(one) < number(new)), "")


def history_version(text: str | None) -> str:
    """The version that has opened a data directory last, from MySQL's file ``mysql_upgrade_history`` (since 8.3)."""
    try:
        return str(json.loads(text or "")["upgrade_history"][-1]["version"])
    except (ValueError, TypeError, KeyError, IndexError):
        return ""


def header_version(page: bytes) -> str:
    """The version of MySQL that a tablespace was made with or upgraded to last, from its first page.

    Bytes 8 to 11, big endian, 90704 for 9.7.4 (MySQL's fil0types.h: FIL_PAGE_SRV_VERSION); read in ``mysql.ibd``
    of 9.7.4. Before 8.0 there is something else.
    """
    number_of = int.from_bytes(page[8:12], "big")
    if len(page) < 12 or not 80000 <= number_of < 1000000:
        return ""
    return f"{number_of // 10000}.{number_of // 100 % 100}.{number_of % 100}"


def newest(engine: Engine, versions: t.Iterable[str]) -> str:
    """The newest of what several files say, since data never go back: one that is not kept up does no harm."""
    known = [version for version in versions if series(engine, version)]
    return max(known, key=lambda version: number(series(engine, version)), default="")


def decide(declared: Declared, found: Found, recorded: Record) -> Plan:
    """What to record; raises :class:`MooringError` where starting the server could cost data."""
    _refuse_users(declared, found)
    if not found.volume and declared.external:
        raise MooringError(
            f"There is no volume {declared.volume}, which {declared.engine.volume} names. List the volumes "
            f"of this host with 'docker volume ls' and name the one that holds the data, or leave the variable empty "
            "for a volume that the run makes.")
    if found.hidden:
        return _decide_hidden(declared, found, recorded)
    if found.failed and not found.starting:
        raise MooringError(
            f"The data directory in volume {declared.volume} was never completed: a file that is applied when it is "
            f"first made has failed, and the image would start the server on what there is. The end of that run named "
            f"the file, and so does 'docker logs {declared.container}' while there is that container. No run has put "
            f"anything else into the directory. Correct the file, remove container and volume ('docker rm --force "
            f"{declared.container}', 'docker volume rm {declared.volume}'), and run again.")
    if not found.data:
        if recorded.volume and not found.failed:
            raise MooringError(_lost(declared, found, recorded))
        return Plan(recorded)
    return _decide_data(declared, found, recorded)


def after(declared: Declared, found: Found, recorded: Record) -> Record:
    """What to record once the server runs."""
    if not found.data or found.failed:
        return recorded
    known = recorded.version if recorded.volume == declared.volume else ""
    return Record(declared.volume, found.version or known, found.identity)


def _refuse_users(declared: Declared, found: Found) -> None:
    if found.others:
        names = " ".join(found.others)
        raise MooringError(
            f"The volume {declared.volume} is in use by {', '.join(found.others)}, which is not of this project, and "
            f"two servers on one data directory destroy it. Stop that one and keep it from coming back: 'docker stop "
            f"{names} && docker update --restart=no {names}', or 'docker compose stop' where its compose.yml lies. "
            "The data stay in the volume. Then run again.")


def _lost(declared: Declared, found: Found, recorded: Record) -> str:
    now = "does not exist" if not found.volume else "holds no complete data directory"
    was = f"{declared.engine.title} {recorded.version}".strip()
    variable = declared.engine.volume
    name = f"; if the data are elsewhere, name that volume in {variable}" if variable else ""
    return (f"The volume {declared.volume} {now}, but data of {was} lay in volume {recorded.volume} when a run last "
            f"looked. Starting now would make an empty server. If the volume was lost, restore it from a backup{name}. "
            f"To start empty, delete {declared.record} and run again.")


def _decide_hidden(declared: Declared, found: Found, recorded: Record) -> Plan:
    engine, version = declared.engine, recorded.version if recorded.volume == declared.volume else ""
    if engine.series and not series(engine, version) and not found.ours and not declared.upgrade_from:
        raise MooringError(
            f"The files in volume {declared.volume} cannot be seen from the host while nothing has mounted it, and "
            f"starting {declared.image} upgrades data of an older series, which cannot be undone. Mount it while the "
            f"run looks: 'docker run --detach --name look --entrypoint sleep --volume {declared.volume}:/mnt:ro "
            f"{declared.image} infinity', run again, 'docker rm --force look'."
            + (f" Or, if you know the series, set {engine.variables}_upgrade_from to it." if engine.unavoidable else "")
        )
    _refuse_series(declared, series(engine, version or declared.upgrade_from), version or declared.upgrade_from, False)
    return Plan(recorded, notices=(
        f"The files in volume {declared.volume} cannot be seen from the host while nothing has mounted it, so "
        f"only what was known of them before was compared with {declared.image}.",))


def _decide_data(declared: Declared, found: Found, recorded: Record) -> Plan:
    engine, same = declared.engine, recorded.volume == declared.volume
    if found.foreign:
        raise MooringError(
            f"The data directory in volume {declared.volume} is of {found.foreign}, which {engine.title} cannot read. "
            f"Name another volume in {engine.volume} and load a dump there.")
    if declared.owner is not None and found.owner not in (None, declared.owner):
        raise MooringError(
            f"The data directory in volume {declared.volume} belongs to uid {found.owner}, and the server runs as uid "
            f"{declared.owner} and could not write to it. Make it that user's, while nothing uses the volume: 'chown "
            f"-R {declared.owner}:{declared.owner} {found.path}'. Then run again.")
    if same and found.identity and recorded.identity not in ("", found.identity):
        raise MooringError(
            f"The volume {declared.volume} holds the data of {engine.title}'s {found.identity}, but they were of "
            f"{recorded.identity} when a run last looked, so somebody has put others in their place. Bring the right "
            f"ones back. To go on with those that are there, delete {declared.record} and run again.")
    version = found.version or found.told or (recorded.version if same else "")
    notices = []
    if engine.series and not series(engine, version):
        # PostgreSQL has no such variable.
        variable = f"{engine.variables}_upgrade_from" if engine.unavoidable else ""
        if not declared.upgrade_from:
            raise MooringError(
                f"Nobody can tell of which version the data directory in volume {declared.volume} is: none of its "
                f"files and no container says it. A newer {engine.title} than its own would upgrade it, which cannot "
                f"be undone, and an older one cannot read it. Restore a backup that has all files"
                + (f', or, if you know the series, set {variable} to it, such as "8.4", and run again.'
                   if variable else ", and run again."))
        notices.append(
            f"Nobody can tell of which version the data directory in volume {declared.volume} is, so {variable} "
            f"({declared.upgrade_from}) was compared with {declared.image}.")
    known = version if series(engine, version) else declared.upgrade_from
    _refuse_series(declared, series(engine, known), known, found.running)
    record = Record(declared.volume, version, found.identity)
    if same or found.ours:
        return Plan(record, notices=tuple(notices))
    said = f", version {version}," if version else ""
    instead = f" It takes the place of volume {recorded.volume}." if recorded.volume else ""
    adopts = f"The run adopts the data directory in volume {declared.volume}{said} made by somebody else.{instead}"
    missing = Difference(f"record of the data directory in volume {declared.volume}", "presence", "present", None)
    return Plan(record, (missing,), (*notices, adopts), (adopts,))


def _backup(declared: Declared, old: str, running: bool) -> str:
    """How to make a backup; only a server of the old series can say what is in it."""
    engine = declared.engine
    if not running and engine.oldest and number(old) < number(engine.oldest):
        return "start the server that had the data so far, dump all databases with it, and stop it"
    command = engine.backup.format(container=declared.container, series=old)
    return command if running else f"declare an image of {old}, run, and then {command}"


def _refuse_series(declared: Declared, old: str, version: str, running: bool) -> None:
    engine, new = declared.engine, declared.series
    if not old or old == new:
        return
    data = f"the data directory in volume {declared.volume} is of {engine.title} {version}"
    wished = series(engine, declared.upgrade_from)
    variable = f'{engine.variables}_upgrade_from: "{old}"'
    backup = _backup(declared, old, running)
    if not new:
        if wished == old:
            return
        raise MooringError(
            f"Nobody can tell of which series the image {declared.image} is: it is not on this host or does not say "
            f"it, and its tag does not either; {data}. Name a tag that starts with the series, such as {old}, or get "
            f"the image with 'docker pull {declared.image}', and run again."
            + (f" To start it whatever it is, set {variable}." if engine.unavoidable else ""))
    if number(new) < number(old):
        raise MooringError(
            f"The image {declared.image} is {engine.title} {new}, but {data}, and {engine.title} cannot go back. "
            f"Declare an image of {old} in {engine.variables}_image, or start on an empty volume and restore a backup "
            f"that was made with {new}.")
    if not engine.unavoidable:
        raise MooringError(
            f"The image {declared.image} is {engine.title} {new}, but {data}, and {engine.title} does not read data "
            f"of another series. Take a backup: {backup}. Look whether it is complete: it ends with a line that says "
            f"so. Remove container and volume ('docker rm --force {declared.container}', 'docker volume rm "
            f"{declared.volume}') and {declared.record}, run, and load the backup: "
            f"{engine.restore.format(container=declared.container, series=old)}. That a role or database exists "
            "already is no error.")
    between = skipped(engine, old, new)
    if between:
        raise MooringError(
            f"The image {declared.image} is {engine.title} {new}, but {data}, and an upgrade may not skip {between}: "
            f"{engine.title} upgrades to the next LTS series only ({' -> '.join(engine.unavoidable)}; MySQL manual, "
            f"Upgrade Paths). Declare an image of {between} first and run, then this one.")
    if wished != old:
        raise MooringError(
            f"The image {declared.image} is {engine.title} {new}, but {data}. Starting it would upgrade the data, "
            f"which cannot be undone: {engine.title} cannot go back. Take a backup first: {backup}. "
            f"Then set {variable} and run again.")
