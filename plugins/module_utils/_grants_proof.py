# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: how to ask a MySQL server what an account may do, by trying it. Pure, no I/O.

A *probe* is a statement that changes nothing whoever runs it: MySQL checks
privileges first, and then finds that the table is not there, or the definition
wrong. Which of the two errors comes is the server's own answer (tried with 9.7).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    ADMIN_OPTION,
    ALL,
    GLOBAL,
    GRANT_OPTION,
    MEMBER,
    PASSED_ON,
    PROXY,
    ROUTINES,
    Grants,
    Level,
    Server,
    Who,
    base_name,
    column_name,
    escape_name,
    quote_name,
    schema_level,
)
from ansible_collections.mooring.stack.plugins.module_utils._grants_decide import NONE, candidates, implied, in_schema
from ansible_collections.mooring.stack.plugins.module_utils._show_grants import Line

NAME = "__mooring_probe"
# ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_PROCACCESS_DENIED_ERROR
DENIED = frozenset({1044, 1142, 1227, 1370})


@dataclasses.dataclass(frozen=True)
class Probe:
    """A statement, the privileges of which one suffices for it, and the errors that mean yes and no.

    None among the errors is that there is none. Any other error, such as that of a server that
    is read-only, says nothing.
    """

    privileges: frozenset[str]
    sql: str
    allowed: frozenset[int | None]
    denied: frozenset[int] = DENIED

    def says_no(self, error: int | None) -> bool | None:
        """What an answer means; None if nothing."""
        if error in self.denied:
            return True
        return False if error in self.allowed else None


# P is a table, view, event or routine that does not exist, in the schema that is asked about; and what the server
# says to somebody who may.
_IN_SCHEMA: dict[str, tuple[str, int]] = {
    "SELECT": ("SELECT 1 FROM P LIMIT 0", 1146),
    "INSERT": ("INSERT INTO P () VALUES ()", 1146),
    "UPDATE": ("UPDATE P SET a = 1", 1146),
    "DELETE": ("DELETE FROM P", 1146),
    "CREATE": ("CREATE TABLE P (a INT, a INT)", 1060),
    "DROP": ("DROP TABLE P", 1051),
    "ALTER": ("ALTER TABLE P ADD a INT", 1146),
    "INDEX": ("CREATE INDEX a ON P (a)", 1146),
    "CREATE VIEW": ("CREATE VIEW P (a, b) AS SELECT 1", 1353),
    "CREATE TEMPORARY TABLES": ("CREATE TEMPORARY TABLE P (a INT, a INT)", 1060),
    "LOCK TABLES": ("LOCK TABLES P READ", 1146),
    "EVENT": ("ALTER EVENT P DISABLE", 1539),
    "EXECUTE": ("CALL P()", 1305),
    "ALTER ROUTINE": ("DROP PROCEDURE P", 1305),
}
_EVERYWHERE: tuple[tuple[tuple[str, ...], str, tuple[int | None, ...]], ...] = (
    (("PROCESS",), "SHOW ENGINE INNODB STATUS", (None,)),
    # A replica must not get statements of its own.
    (("RELOAD", "FLUSH_TABLES"), f"FLUSH NO_WRITE_TO_BINLOG TABLES `mysql`.`{NAME}`", (None,)),
    # Nothing is written: there is no such directory, and the option secure_file_priv forbids it in most places.
    (("FILE",), f"SELECT 1 INTO OUTFILE '/{NAME}/{NAME}'", (1, 1290)),
    (("REPLICATION CLIENT", "SUPER"), "SHOW BINARY LOGS", (None,)),
    (("CREATE TABLESPACE",), f"DROP TABLESPACE {NAME}", (3510,)),
    # The same one twice, so that it is not made.
    (("CREATE ROLE", "CREATE USER"), f"CREATE ROLE '{NAME}'@'localhost', '{NAME}'@'localhost'", (1396,)),
    (("SUPER", "SYSTEM_VARIABLES_ADMIN"), "SET GLOBAL max_connections = 'x'", (1232,)),
    (("SUPER", "BINLOG_ADMIN"), f"PURGE BINARY LOGS TO '{NAME}'", (1373,)),
)
EVERYWHERE = tuple(Probe(frozenset(names), sql, frozenset(allowed)) for names, sql, allowed in _EVERYWHERE)


def in_schema_probes(schema: str) -> tuple[Probe, ...]:
    """What tells the privileges on a schema."""
    place = f"{quote_name(schema)}.{quote_name(NAME)}"
    probes = []
    for name, (sql, allowed) in _IN_SCHEMA.items():
        # Who may lock tables and not read them is told so with the error that elsewhere means no.
        exceptions = (frozenset({allowed, 1142}), frozenset({1044})) if name == "LOCK TABLES" else (
            frozenset({allowed}), DENIED)
        probes.append(Probe(frozenset({name}), _at(sql, place), *exceptions))
    return tuple(probes)


def _at(sql: str, place: str) -> str:
    return " ".join(place + word[1:] if word.rstrip("()") == "P" else word for word in sql.split(" "))


def active(server: Server, who: Who) -> list[Grants]:
    """What an account holds itself, and what each role does that is active after a login."""
    seen, todo = [], [who]
    while todo:
        one = todo.pop()
        found = server.accounts.get(one)
        if found is None or one in seen:
            continue
        seen.append(one)
        # A role brings the roles that it has.
        members = [level.who for level in found.grants if level.kind == "role"]
        if one != who:
            todo += members
        else:
            todo += [*members, *server.mandatory] if server.all_active else found.default_roles
    return [server.accounts[one].grants for one in seen]


def merged(maps: t.Iterable[Grants]) -> Grants:
    """What several hold together. An exact schema name of a role hides a pattern of the account (seen with 9.7)."""
    held: dict[Level, frozenset[str]] = {}
    for one in maps:
        for level, names in one.items():
            held[level] = held.get(level, NONE) | names
    return held


def holds(server: Server, who: Who, schema: str) -> frozenset[str]:
    """The privileges of an account on a whole schema, its active roles included."""
    maps, level = active(server, who), Level("schema", escape_name(schema))
    return NONE.union(in_schema(schema, merged(maps)), *(implied(server, level, held) for held in maps))


def expectations(server: Server, who: Who, schemas: t.Iterable[str]) -> list[tuple[Probe, str, bool]]:
    """Each probe with where it asks, and whether the account may."""
    together = merged(active(server, who))
    expected = [(probe, "*.*", bool(probe.privileges & together.get(GLOBAL, NONE))) for probe in EVERYWHERE]
    for schema in schemas:
        if len(candidates(schema, together)) > 1:
            # Which of several patterns the server takes is nothing to rely on.
            continue
        names = holds(server, who, schema)
        expected += [(probe, f"{quote_name(schema)}.*", bool(probe.privileges & names))
                     for probe in in_schema_probes(schema)]
    return expected


# -- what the server honours -------------------------------------------------------------------


def held_by_lines(server: Server, lines: t.Iterable[Line]) -> dict[Level, frozenset[str]]:
    """What an account holds according to SHOW GRANTS, in the words in which its tables are read."""
    held: dict[Level, frozenset[str]] = {}

    def add(level: Level, names: t.Iterable[str]) -> None:
        held[level] = held.get(level, NONE).union(names)

    for line in lines:
        option = {GRANT_OPTION} if line.option else set()
        for role in line.roles:
            add(Level("role", role.user, role.host), {MEMBER, ADMIN_OPTION} if line.option else {MEMBER})
        if line.proxied:
            add(Level("proxy", line.proxied.user, line.proxied.host), {PROXY} | option)
        if line.level is None:
            continue
        names = {_plain(name) for name in line.privileges}
        if ALL in names:
            names = (names - {ALL}) | server.privileges.get(line.level.kind, NONE)
        if line.revoked:
            add(Level("restriction", line.level.schema), names)
        elif line.level == GLOBAL:
            dynamic = names & server.dynamic
            # Dynamic privileges have lines of their own, and their option says nothing of the others.
            add(GLOBAL, names | ({name + PASSED_ON for name in dynamic} if option else set())
                | (option if not dynamic else set()))
        elif line.level.kind in ROUTINES:
            add(Level(line.level.kind, line.level.schema, line.level.name.lower()), names | option)
        elif line.level.kind == "schema":
            add(schema_level(line.level.schema, server.partial_revokes), names | option)
        else:
            add(line.level, names | option)
    return {level: names for level, names in held.items() if names}


def same(one: Grants, other: Grants) -> bool:
    """Whether both are the same in effect; SHOW GRANTS leaves out columns of a table that is given as a whole."""
    return _essence(one) == _essence(other)


def _essence(held: Grants) -> Grants:
    return {level: frozenset(name for name in names if name == base_name(name) or base_name(name) not in names)
            for level, names in held.items()}


def _plain(name: str) -> str:
    base, bracket, column = name.partition(" (")
    return column_name(base, column.removesuffix(")")[1:-1].replace("``", "`")) if bracket else name
