# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what PostgreSQL's roles and databases lack, and the only place that talks to it.

Password hashes are never read; whether a password is the declared one is found
out by logging in. What is sent is a SCRAM verifier that libpq computes, so that
no password is in a statement, and so in no log of statements either.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import types
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

TIMEOUT = 10
MASK = "'********'"
ENCODING = "UTF8"
# Longer names are cut by the server without an error ("Identifiers and Key Words": NAMEDATALEN - 1).
LONGEST_NAME = 63
# Databases and role names that are the server's own.
OWN_DATABASES = ("postgres", "template0", "template1")
OWN_ROLES = ("public", "none")
OWN_PREFIX = "pg_"
# datconnlimit of what a DROP DATABASE left that was interrupted (pg_database.h, since 15.4).
INVALID = -2

# Attributes a declared role has, by the word that gives it, and by the one that takes it.
ATTRIBUTES = {
    "login": ("LOGIN", "NOLOGIN"),
    "superuser": ("SUPERUSER", "NOSUPERUSER"),
    "createdb": ("CREATEDB", "NOCREATEDB"),
    "createrole": ("CREATEROLE", "NOCREATEROLE"),
    "replication": ("REPLICATION", "NOREPLICATION"),
    "bypassrls": ("BYPASSRLS", "NOBYPASSRLS"),
}


def quote_name(name: str) -> str:
    """An identifier as PostgreSQL wants it in a statement."""
    return '"' + name.replace('"', '""') + '"'


@dataclasses.dataclass(frozen=True)
class Statement:
    """One SQL statement; ``str()`` is the form that may be shown.

    With ``password`` it ends with that of ``role``.
    """

    text: str
    role: str = ""
    password: str = dataclasses.field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.text} PASSWORD {MASK}" if self.password else self.text


@dataclasses.dataclass(frozen=True)
class DeclaredRole:
    """A role that can log in, and nothing else; -1 is no limit of its own."""

    name: str
    password: str = dataclasses.field(repr=False)
    connection_limit: int = -1


@dataclasses.dataclass(frozen=True)
class DeclaredDatabase:
    """A database on which its owner alone is granted CONNECT, and which has no limit of connections of its own."""

    name: str
    owner: str


@dataclasses.dataclass(frozen=True)
class Declaration:
    """Everything that is declared, and the role that makes it, which is never declared itself."""

    databases: tuple[DeclaredDatabase, ...]
    roles: tuple[DeclaredRole, ...]
    administrator: str

    def __bool__(self) -> bool:
        return bool(self.databases or self.roles)

    @property
    def passwords(self) -> dict[str, str]:
        return {role.name: role.password for role in self.roles}


@dataclasses.dataclass(frozen=True)
class Role:
    """A role as the server has it. ``accepts_password`` is None where nobody tried."""

    login: bool = True
    superuser: bool = False
    createdb: bool = False
    createrole: bool = False
    replication: bool = False
    bypassrls: bool = False
    connection_limit: int = -1
    expires: bool = False
    accepts_password: bool | None = None


@dataclasses.dataclass(frozen=True)
class Database:
    """A database as the server has it.

    ``owner_may`` is whether all rights of an owner are its owner's. ``guests`` are other roles that were granted
    CONNECT, superusers aside, who need no right.
    """

    owner: str
    encoding: str = ENCODING
    open: bool = True
    connection_limit: int = -1
    public: bool = False
    owner_may: bool = True
    guests: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Server:
    """What the server says of itself; the empty one is a server that does not exist yet.

    ``members`` are pairs of a role and one that it is a member of.
    """

    roles: t.Mapping[str, Role] = dataclasses.field(default_factory=dict)
    databases: t.Mapping[str, Database] = dataclasses.field(default_factory=dict)
    members: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What differs, the statements that remove it in their order, and what a person should look at."""

    differences: tuple[Difference, ...] = ()
    statements: tuple[Statement, ...] = ()
    suspicious: tuple[str, ...] = ()

    @property
    def diff(self) -> dict[str, str]:
        """Field by field, before and after."""
        def text(side: str) -> str:
            return "".join(f"{one.object}: {one.field}: {getattr(one, side)}\n" for one in self.differences
                           if getattr(one, side) is not None)

        return {"before": text("found"), "after": text("expected")}


# -- reading what was declared -----------------------------------------------------------------


def declared(
    databases: t.Sequence[t.Mapping[str, t.Any]], roles: t.Sequence[t.Mapping[str, t.Any]], administrator: str,
) -> Declaration:
    """The module's ``databases`` and ``roles``; an owner of several databases is one role.

    Raises :class:`MooringError`.
    """
    found: dict[str, DeclaredRole] = {}
    owned: list[DeclaredDatabase] = []
    for entry in databases:
        name, owner = entry["name"], entry.get("owner") or entry["name"]
        _check_name("database", name, OWN_DATABASES)
        if name in [other.name for other in owned]:
            raise MooringError(f"The database {name} is declared twice.")
        owned.append(DeclaredDatabase(name, owner))
        _add(found, owner, entry, administrator)
    owners = set(found)
    for entry in roles:
        if entry["name"] in owners:
            raise MooringError(f"The role {entry['name']} is reserved, and yet declared as the owner of a database.")
        _add(found, entry["name"], entry, administrator)
    return Declaration(tuple(owned), tuple(found.values()), administrator)


def _add(found: dict[str, DeclaredRole], name: str, entry: t.Mapping[str, t.Any], administrator: str) -> None:
    _check_name("role", name, (*OWN_ROLES, administrator))
    if not entry["password"]:
        raise MooringError(f"The role {name} has an empty password.")
    role = DeclaredRole(name, entry["password"], entry["connection_limit"])
    if role.connection_limit < -1:
        raise MooringError(f"The role {name} has the connection_limit {role.connection_limit}; -1 means none.")
    if found.setdefault(name, role) != role:
        raise MooringError(f"The role {name} is declared twice, with another password or connection_limit.")


def _check_name(what: str, name: str, reserved: t.Collection[str]) -> None:
    if name in reserved or (what == "role" and name.startswith(OWN_PREFIX)):
        raise MooringError(f"The {what} {name} belongs to the server and cannot be declared.")
    if not name or "\0" in name or len(name.encode()) > LONGEST_NAME:
        raise MooringError(f"'{name}' is no name for a {what}: it has to have 1 to {LONGEST_NAME} bytes.")


# -- deciding ----------------------------------------------------------------------------------


def decide(server: Server, declaration: Declaration) -> Plan:
    """What makes the server equal to the declaration; raises :class:`MooringError` for what no run can mend."""
    differences: list[Difference] = []
    statements: list[Statement] = []
    suspicious: list[str] = []
    for role in declaration.roles:
        found, needed = _decide_role(role, server.roles.get(role.name))
        differences += found
        statements += needed
    for database in declaration.databases:
        there = server.databases.get(database.name)
        if there and there.connection_limit == INVALID:
            raise MooringError(f"The database {database.name} is what an interrupted DROP DATABASE left, and nobody "
                               f"can use it. Drop it ({_drop(database.name)}) and run again, then restore its data.")
        found, needed = _decide_database(database, there)
        differences += found
        statements += needed
        if there and there.encoding != ENCODING:
            suspicious.append(f"The database {database.name} has the encoding {there.encoding} and not {ENCODING}, "
                              "which no run changes: dump it, drop it, run again, and restore the dump.")
    suspicious += _suspicious(server, declaration)
    return Plan(tuple(differences), tuple(statements), tuple(suspicious))


def _drop(name: str) -> str:
    return f"DROP DATABASE {quote_name(name)}"


def _decide_role(role: DeclaredRole, found: Role | None) -> tuple[list[Difference], list[Statement]]:
    subject, name = f"postgres role {role.name}", quote_name(role.name)
    wanted = Role(connection_limit=role.connection_limit)
    if found is None:
        words = [_word(attribute, wanted) for attribute in ATTRIBUTES]
        text = f"CREATE ROLE {name} {' '.join(words)} CONNECTION LIMIT {role.connection_limit}"
        return [Difference(subject, "presence", "present", None)], [Statement(text, role.name, role.password)]
    differences, words = [], []
    for attribute in ATTRIBUTES:
        if getattr(found, attribute) != getattr(wanted, attribute):
            differences.append(Difference(subject, attribute, getattr(wanted, attribute), getattr(found, attribute)))
            words.append(_word(attribute, wanted))
    if found.connection_limit != role.connection_limit:
        differences.append(
            Difference(subject, "connection_limit", role.connection_limit, found.connection_limit))
        words.append(f"CONNECTION LIMIT {role.connection_limit}")
    if found.expires:
        differences.append(Difference(subject, "password expires", "never", "at a date"))
        words.append("VALID UNTIL 'infinity'")
    statements = [Statement(f"ALTER ROLE {name} {' '.join(words)}")] if words else []
    if found.accepts_password is False:
        differences.append(Difference(subject, "password", "accepted", "refused"))
        statements.append(Statement(f"ALTER ROLE {name}", role.name, role.password))
    return differences, statements


def _word(attribute: str, wanted: Role) -> str:
    given, taken = ATTRIBUTES[attribute]
    return given if getattr(wanted, attribute) else taken


def _decide_database(database: DeclaredDatabase, found: Database | None) -> tuple[list[Difference], list[Statement]]:
    subject, name, owner = f"postgres database {database.name}", quote_name(database.name), quote_name(database.owner)

    def revoke(*grantees: str) -> Statement:
        # What one that may pass the right on has passed on goes with it.
        return Statement(f"REVOKE CONNECT ON DATABASE {name} FROM {', '.join(grantees)} CASCADE")

    if found is None:
        # template1 may have been filled by hand, and would not take another encoding.
        create = Statement(f"CREATE DATABASE {name} OWNER {owner} ENCODING '{ENCODING}' TEMPLATE template0")
        return [Difference(subject, "presence", "present", None)], [create, revoke("PUBLIC")]
    differences, statements = [], []
    if found.owner != database.owner:
        differences.append(Difference(subject, "owner", database.owner, found.owner))
        statements.append(Statement(f"ALTER DATABASE {name} OWNER TO {owner}"))
    if not found.open:
        differences.append(Difference(subject, "connections", "allowed", "refused"))
        statements.append(Statement(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    # Rights go over to a new owner, those that were taken away too.
    if not found.owner_may:
        differences.append(Difference(subject, "rights of the owner", "all", "some"))
        statements.append(Statement(f"GRANT ALL ON DATABASE {name} TO {owner}"))
    # The limit of the role is the one that is declared.
    if found.connection_limit != -1:
        differences.append(Difference(subject, "connection_limit", -1, found.connection_limit))
        statements.append(Statement(f"ALTER DATABASE {name} CONNECTION LIMIT -1"))
    guests = {"PUBLIC": "PUBLIC"} if found.public else {}
    guests.update({f"role {guest}": quote_name(guest) for guest in found.guests if guest != database.owner})
    differences += [Difference(subject, f"CONNECT of {guest}", "revoked", "granted") for guest in guests]
    if guests:
        statements.append(revoke(*guests.values()))
    return differences, statements


def _suspicious(server: Server, declaration: Declaration) -> t.Iterator[str]:
    """What gives away more than was declared and is not a declared role's own attribute."""
    managed, administrator = set(declaration.passwords), declaration.administrator
    owners = {database.owner for database in declaration.databases}
    for name, role in sorted(server.roles.items()):
        if role.superuser and name not in managed and name != administrator:
            yield (f"PostgreSQL's role {name} is a superuser and is not declared. If nobody needs it: "
                   f"ALTER ROLE {quote_name(name)} NOSUPERUSER NOLOGIN.")
    for member, group in sorted(server.members):
        powerful = group.startswith(OWN_PREFIX) or server.roles.get(group, Role()).superuser
        if group in owners and not server.roles.get(member, Role()).superuser:
            yield (f"PostgreSQL's role {member} is a member of {group} and may what that one may, such as connect to "
                   f"its database. If nobody needs that: REVOKE {quote_name(group)} FROM {quote_name(member)}.")
        elif member in managed and powerful:
            yield (f"PostgreSQL's role {member} is a member of {group}, which reaches beyond its database. If nobody "
                   f"needs that: REVOKE {quote_name(group)} FROM {quote_name(member)}.")


# -- the server --------------------------------------------------------------------------------


class PostgresGone(MooringError):
    """No server answers at the socket."""


def library() -> types.ModuleType:
    """psycopg2; raises :class:`MooringError`. Here and not above, because who has no database does not need it."""
    try:
        import psycopg2
        import psycopg2.extensions
    except ImportError as error:
        raise MooringError("The Python library psycopg2 is missing on this host: install the package python3-psycopg2 "
                           "(the role docker_engine does).") from error
    return psycopg2


class Postgres:
    """A session of the administrator over the server's socket."""

    def __init__(self, socket: str, user: str, password: str) -> None:
        self._library = library()
        self._directory, name = os.path.split(socket)
        self._port = name.rpartition(".")[2]
        if name != f".s.PGSQL.{self._port}" or not self._port.isdigit():
            raise MooringError(f"'{socket}' is no socket of PostgreSQL: its name is .s.PGSQL. with the port, as in "
                               ".s.PGSQL.5432.")
        self._socket, self._user = socket, user
        try:
            self._session = self._connect(user, password)
        except self._library.OperationalError as error:
            if _wrong_password(error):
                raise MooringError(f"PostgreSQL refuses '{user}' at {socket}: the declared password is not the "
                                   "server's. It takes the declared one only when its data directory is first made; "
                                   "later, change it with ALTER ROLE and declare the same.") from error
            raise PostgresGone(f"PostgreSQL does not answer at {socket}: {_said(error)}") from error
        # CREATE DATABASE runs in no transaction.
        self._session.autocommit = True

    def _connect(self, user: str, password: str, database: str = "postgres") -> t.Any:
        # The options are named so that PGOPTIONS of the host says nothing.
        return self._library.connect(
            host=self._directory, port=self._port, user=user, password=password, dbname=database,
            connect_timeout=TIMEOUT, client_encoding="UTF8", application_name="mooring.stack",
            options="-c statement_timeout=60s -c lock_timeout=30s")

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        self._session.close()

    def _rows(self, sql: str) -> list[tuple[t.Any, ...]]:
        try:
            with self._session.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except self._library.Error as error:
            raise MooringError(f"PostgreSQL did not say what it has: {_said(error)}") from error

    def apply(self, statement: Statement) -> None:
        """Run one statement; the error names it as it may be shown."""
        try:
            text = statement.text
            if statement.password:
                text += f" PASSWORD '{self._verifier(statement)}'"
            with self._session.cursor() as cursor:
                cursor.execute(text)
        except self._library.Error as error:
            raise MooringError(f"{statement}: {_said(error)}") from error

    def _verifier(self, statement: Statement) -> str:
        """What the server keeps of a password: base64, so that it needs no quoting (RFC 5803)."""
        return self._library.extensions.encrypt_password(
            statement.password, statement.role, scope=self._session, algorithm="scram-sha-256")

    def refuses(self, role: str, password: str, database: str = "postgres") -> str:
        """Why the role cannot log in; empty where it can."""
        try:
            with contextlib.closing(self._connect(role, password, database)):
                return ""
        except self._library.OperationalError as error:
            return _said(error)

    def read(self, passwords: t.Mapping[str, str]) -> Server:
        """The server with all its roles and databases; the roles in ``passwords`` are logged in to.

        Three queries, and one login for each of ``passwords``.
        """
        found = {}
        for name, *attributes, limit, expires in self._rows(
                "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, "
                "rolconnlimit, coalesce(rolvaliduntil <> 'infinity', false) FROM pg_catalog.pg_roles"):
            # What comes after the password was found right (too many connections, no LOGIN) is no other password.
            accepts = (not _is_wrong_password(self.refuses(name, passwords[name]))) if name in passwords else None
            found[name] = Role(*attributes, connection_limit=limit, expires=expires, accepts_password=accepts)
        rights = "pg_catalog.aclexplode(coalesce(datacl, pg_catalog.acldefault('d', datdba)))"
        databases = {name: Database(*fields, tuple(guests)) for name, *fields, guests in self._rows(
            "SELECT datname, pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_encoding_to_char(encoding), "
            "datallowconn, datconnlimit, "
            f"EXISTS (SELECT FROM {rights} WHERE grantee = 0 AND privilege_type = 'CONNECT'), "
            f"(SELECT count(DISTINCT privilege_type) = 3 FROM {rights} WHERE grantee = datdba), "
            f"ARRAY(SELECT DISTINCT rolname::text FROM {rights} JOIN pg_catalog.pg_roles ON pg_roles.oid = grantee "
            "WHERE privilege_type = 'CONNECT' AND grantee <> datdba AND NOT rolsuper ORDER BY 1) "
            "FROM pg_catalog.pg_database")}
        members = self._rows(
            "SELECT pg_catalog.pg_get_userbyid(member), pg_catalog.pg_get_userbyid(roleid) "
            "FROM pg_catalog.pg_auth_members")
        return Server(found, databases, tuple((member, group) for member, group in members))


def _said(error: Exception) -> str:
    """The server's or the library's words on one line.

    ``diag`` has the message alone; the text of an error may quote the statement. A
    refused login has no ``diag``.
    """
    message = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    return " ".join(message.split())


def _is_wrong_password(said: str) -> bool:
    """A refused login carries no error code in psycopg2; the role sets lc_messages to C, which fixes the words."""
    return "password authentication failed for user" in said


def _wrong_password(error: Exception) -> bool:
    return _is_wrong_password(_said(error))
