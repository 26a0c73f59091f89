# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the only place that talks to MySQL.

The server's own tables are read instead of SHOW GRANTS: that is one query per
kind of privilege for all accounts, not one per account, and most names come
unquoted. SHOW GRANTS says what the server honours, which is something else where
somebody wrote into the tables, and after some statements (see ``in_force``).
Password hashes are never selected.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    ADMIN_OPTION,
    GLOBAL,
    GRANT_OPTION,
    LIMITS,
    MEMBER,
    PASSED_ON,
    PLUGIN,
    PROXY,
    ROUTINES,
    Desired,
    Found,
    Level,
    Server,
    Statement,
    Who,
    column_name,
    parse_account,
    quote_name,
    quote_text,
    schema_level,
    schema_of,
)
from ansible_collections.mooring.stack.plugins.module_utils._grants_decide import reachable_by_socket
from ansible_collections.mooring.stack.plugins.module_utils._grants_proof import Probe, held_by_lines
from ansible_collections.mooring.stack.plugins.module_utils._show_grants import parse

try:
    import pymysql
except ImportError:
    pymysql = None

# What accounts hold, while it is being collected.
_Grants = dict[Who, dict[Level, "frozenset[str]"]]

TIMEOUT = 10
LOCK_SECONDS = 60
# The first one with partial revokes.
OLDEST = (8, 0, 16)
# Server error numbers that a login can end with.
ACCESS_DENIED = (1045, 1698)
PASSWORD_EXPIRED = (1820, 1862)
# These come after the password was found right.
RIGHT_PASSWORD = (1203, 1226, 3118)
HOST_REFUSED = 1130
OTHER_ACCOUNT = ("If an account of the same user, or one without a name, has a host that matches better, MySQL checks "
                 "that instead: declare it absent.")

# Columns of mysql.user and mysql.db whose privilege is not simply the column's name.
_SPECIAL = {
    "Create_tmp_table_priv": "CREATE TEMPORARY TABLES",
    "Grant_priv": GRANT_OPTION,
    "Repl_client_priv": "REPLICATION CLIENT",
    "Repl_slave_priv": "REPLICATION SLAVE",
    "Show_db_priv": "SHOW DATABASES",
}


class MysqlGone(MooringError):
    """No server answers at the socket."""


def _privilege_of(column: str) -> str:
    return _SPECIAL.get(column) or column[:-len("_priv")].replace("_", " ").upper()


def _set_members(column_type: str) -> list[str]:
    """``set('Select','Insert')`` as privileges."""
    inner = column_type[column_type.index("(") + 1:column_type.rindex(")")]
    return [_set_privilege(part.strip("'")) for part in inner.split(",")]


def _set_privilege(member: str) -> str:
    return GRANT_OPTION if member == "Grant" else member.upper()


def _from_set(value: str) -> frozenset[str]:
    return frozenset(_set_privilege(member) for member in value.split(",") if member)


def _flag_columns(columns: t.Iterable[str]) -> list[str]:
    return [name for name in columns if name.endswith("_priv")]


def _flags(columns: t.Sequence[str], flags: t.Sequence[str]) -> frozenset[str]:
    return frozenset(_privilege_of(column) for column, flag in zip(columns, flags, strict=True) if flag == "Y")


class Mysql:
    """A session of an administrator over the server's socket."""

    def __init__(self, socket: str, user: str, password: str) -> None:
        if pymysql is None:
            raise MooringError("The Python library PyMySQL is missing on this host: install the package "
                               "python3-pymysql (the role docker_engine does).")
        self._socket = socket
        try:
            self._session = self._connect(user, password)
        except pymysql.err.OperationalError as error:
            if error.args[0] in ACCESS_DENIED:
                raise MooringError(f"MySQL refuses '{user}'@'localhost' at {socket}: the declared password is not the "
                                   "server's. It takes the declared one only when its data directory is first made; "
                                   "later, change it with ALTER USER and declare the same.") from error
            raise MysqlGone(f"MySQL does not answer at {socket}: {error.args[-1]}") from error

    def _connect(self, user: str, password: str, address: str = "") -> t.Any:
        # The traffic stays on this machine; TLS is spoken only because accounts demand it, and the server's
        # certificate is one it made itself. So no roots are loaded, which would take longer than the login.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        host, _colon, port = address.rpartition(":")
        place = {"host": host.strip("[]"), "port": int(port)} if address else {"unix_socket": self._socket}
        # sql_mode: quote_text() relies on backslash being an escape, and on ' quoting strings.
        # A password as bytes: of text the library would make latin-1, which the server does not expect.
        return pymysql.connect(**place, user=user, password=password.encode(), ssl=context, sql_mode="",
                               charset="utf8mb4", autocommit=True, connect_timeout=TIMEOUT, read_timeout=60,
                               program_name="mooring.stack")

    def close(self) -> None:
        self._session.close()

    def _rows(self, sql: str, session: t.Any = None) -> list[tuple[t.Any, ...]]:
        try:
            with (session or self._session).cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.err.MySQLError as error:
            # What is read has no secret in it.
            raise MooringError(f"MySQL does not answer '{sql}': {error.args[-1]}") from error

    def lock(self) -> None:
        """Keep other runs out until the session ends; raises :class:`MooringError` where one is at work for long."""
        if self._rows(f"SELECT GET_LOCK('mooring.stack.mysql_grants', {LOCK_SECONDS})") != [(1,)]:
            raise MooringError(f"Another run has been changing accounts for {LOCK_SECONDS} s; try again when it has "
                               "ended.")

    def apply(self, statement: Statement) -> None:
        """Run one statement; the error names it as it may be shown."""
        try:
            with self._session.cursor() as cursor:
                cursor.execute(statement.text)
        except pymysql.err.MySQLError as error:
            # What cannot be parsed is quoted, and may hold the password.
            quotes = statement.has_secret and error.args[0] in (1064, 1149)
            raise MooringError(f"{statement}: {f'error {error.args[0]}' if quotes else error.args[-1]}") from error

    def _login(self, who: Who, password: str, address: str = "") -> t.Any:
        """A session as this very account; None where a login from here is another's. Raises pymysql's errors."""
        session = self._connect(who.user, password, address)
        try:
            ((as_user,),) = self._rows("SELECT CURRENT_USER()", session)
        except MooringError:
            # With a password that has expired nothing may be asked.
            return session
        user, _at, host = as_user.rpartition("@")
        if (user, host.lower()) == (who.user, who.host):
            return session
        session.close()
        return None

    def accepts(self, who: Who, password: str, address: str = "") -> bool | None:
        """Whether this account's password is the one given, found out by logging in; None where nobody can say."""
        try:
            session = self._login(who, password, address)
        except pymysql.err.OperationalError as error:
            if error.args[0] in ACCESS_DENIED or error.args[0] in PASSWORD_EXPIRED:
                # Of a host that may not be ours it says nothing.
                return False if who.host in ("%", "localhost") else None
            return True if error.args[0] in RIGHT_PASSWORD else None
        if session is None:
            return None
        session.close()
        return True

    def tries(self, who: Who, password: str, address: str, probes: t.Sequence[Probe]) -> list[bool | None] | None:
        """Log in over TCP with TLS, as an application would, and try; whether the server said no to each probe.

        None instead of an answer that says neither yes nor no, and instead of the list where no login from
        here reaches the account. Raises :class:`MooringError` where the account is refused or the connection is not
        encrypted.
        """
        try:
            session = self._login(who, password, address)
        except pymysql.err.OperationalError as error:
            if error.args[0] in RIGHT_PASSWORD:
                return []
            if error.args[0] in (*ACCESS_DENIED, HOST_REFUSED) and who.host != "%":
                return None
            raise MooringError(f"{who} cannot log in at {address}: {error.args[-1]}. {OTHER_ACCOUNT}") from error
        if session is None:
            return None
        with contextlib.closing(session):
            ((_name, cipher),) = self._rows("SHOW STATUS LIKE 'Ssl_cipher'", session)
            if not cipher:
                raise MooringError(f"The connection of {who} to {address} is not encrypted.")
            return [probe.says_no(self._error(session, probe.sql)) for probe in probes]

    @staticmethod
    def _error(session: t.Any, sql: str) -> int | None:
        """The number of the error that a statement ends with, None for none."""
        try:
            with session.cursor() as cursor:
                cursor.execute(sql)
        except pymysql.err.MySQLError as error:
            return int(error.args[0])
        return None

    def honoured(self, who: Who, server: Server) -> dict[Level, frozenset[str]]:
        """What the server honours for an account, from SHOW GRANTS; raises :class:`MooringError`."""
        return held_by_lines(server, [parse(line) for (line,) in self._rows(f"SHOW GRANTS FOR {who.sql}")])

    def read(self, declared: t.Sequence[Desired], address: str = "", dropping: bool = False) -> Server:
        """The server, with every account; the declared ones that have a password are logged in to.

        A constant number of queries, and one login for each declared account: through the socket, or at
        ``address`` where the socket leads to another account. ``dropping`` asks for what accounts define as well.
        Raises :class:`MooringError`.
        """
        ((version,),) = self._rows("SELECT VERSION()")
        if "MariaDB" in version or tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < OLDEST:
            raise MooringError(f"The server is {version}; MySQL {'.'.join(map(str, OLDEST))} and later can be managed.")
        ((lower_case, partial, current, mandatory, all_active),) = self._rows(
            "SELECT @@lower_case_table_names, @@partial_revokes, CURRENT_USER(), @@mandatory_roles, "
            "@@activate_all_roles_on_login")
        user, _at, host = current.rpartition("@")
        schemas = frozenset(row[0] for row in self._rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"))
        columns = self._columns()
        everywhere = self._global_privileges()
        static = _flag_columns(columns["user"])
        dynamic = everywhere - {_privilege_of(name) for name in static}
        accounts, grants = self._accounts(static)
        self._read_grants(columns, dynamic, bool(partial), grants)
        default_roles: dict[Who, set[Who]] = {}
        for account, role in self._pairs("SELECT USER, HOST, DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST "
                                         "FROM mysql.default_roles"):
            default_roles.setdefault(account, set()).add(role)
        passwords = {account.who: account.password for account in declared if account.password}
        of_routine = frozenset(_set_members(columns["procs_priv"]["Proc_priv"])) - {GRANT_OPTION}
        # Libraries came with 9.2.
        routines = [kind for kind in ROUTINES if kind.upper() in columns["procs_priv"]["Routine_type"]]
        return Server(
            schemas=schemas, lower_case_names=int(lower_case), partial_revokes=bool(partial),
            current=Who(user, host.lower()), dynamic=dynamic, objects=self._objects(declared, ["table", *routines]),
            mandatory=frozenset(
                parse_account(role.replace("`", ""))[0] for role in mandatory.split(",") if role.strip()),
            all_active=bool(all_active), defines=self._defines() if dropping else {},
            accounts={who: Found(**facts, grants=grants[who], default_roles=frozenset(default_roles.get(who, ())),
                                 accepts_password=self._tried(who, facts, passwords, accounts, address))
                      for who, facts in accounts.items()},
            privileges={
                "global": everywhere,
                "schema": frozenset(map(_privilege_of, _flag_columns(columns["db"]))) - {GRANT_OPTION},
                "table": frozenset(_set_members(columns["tables_priv"]["Table_priv"])) - {GRANT_OPTION},
                **dict.fromkeys(routines, of_routine)})

    def _accounts(self, static: t.Sequence[str]) -> tuple[dict[Who, dict[str, t.Any]], _Grants]:
        """The facts of every account (the fields of :class:`Found`), and what it holds everywhere."""
        accounts: dict[Who, dict[str, t.Any]] = {}
        grants: _Grants = {}
        for user, host, plugin, ssl_type, locked, expired, without, hours, restricted, locking, *rest in self._rows(
                "SELECT User, Host, plugin, ssl_type, account_locked, password_expired, authentication_string = '', "
                "IF(JSON_CONTAINS_PATH(User_attributes, 'one', '$.additional_password'), "
                "TIMESTAMPDIFF(HOUR, password_last_changed, NOW()), NULL), "
                "JSON_EXTRACT(User_attributes, '$.Restrictions'), "
                "IFNULL(JSON_CONTAINS_PATH(User_attributes, 'one', '$.Password_locking'), 0), "
                + ", ".join(map(quote_name, [*LIMITS, *static])) + " FROM mysql.user"):
            who = Who(user, host.lower())
            limits = {column: number for column, number in zip(LIMITS, rest, strict=False) if number}
            accounts[who] = {
                "plugin": plugin, "ssl_type": ssl_type, "limits": limits, "locked": locked == "Y",
                "expired": expired == "Y", "without_password": bool(without), "old_password_hours": hours,
                # A failed try may lock the account, one too many use its quota up, and one without a certificate of
                # the client says nothing of the password.
                "may_try": not locking and not set(limits) - {"max_user_connections"}
                and ssl_type not in ("X509", "SPECIFIED")}
            held = grants[who] = {GLOBAL: _flags(static, rest[len(LIMITS):])}
            for restriction in json.loads(restricted or "[]"):
                held[Level("restriction", restriction["Database"])] = frozenset(restriction["Privileges"])
        return accounts, grants

    def _read_grants(self, columns: dict[str, dict[str, str]], dynamic: frozenset[str], literal: bool,
                     grants: _Grants) -> None:
        """Everything that is held beside the static global privileges, into ``grants``."""

        def add(user: str, host: str, level: Level, names: t.Iterable[str]) -> None:
            # A row may be left of an account that is gone.
            held = grants.get(Who(user, host.lower()))
            if held is not None:
                held[level] = held.get(level, frozenset()).union(names)

        # Not from mysql.global_grants: after REVOKE GRANT OPTION the table says that the option
        # is gone, while the server still honours it (9.7) until FLUSH PRIVILEGES. This view knows.
        named = {str(who): who for who in grants}
        for grantee, name, option in self._rows(
                "SELECT GRANTEE, PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.USER_PRIVILEGES"):
            who = named.get(grantee) or named.get(grantee.rpartition("@")[0] + "@" + grantee.rpartition("@")[2].lower())
            if name in dynamic and who:
                add(who.user, who.host, GLOBAL, {name, name + PASSED_ON} if option == "YES" else {name})
        in_schema = _flag_columns(columns["db"])
        for user, host, schema, *flags in self._rows(
                "SELECT User, Host, Db, " + ", ".join(map(quote_name, in_schema)) + " FROM mysql.db"):
            add(user, host, schema_level(schema, literal), _flags(in_schema, flags))
        for user, host, schema, name, members in self._rows(
                "SELECT User, Host, Db, Table_name, Table_priv FROM mysql.tables_priv"):
            add(user, host, Level("table", schema, name), _from_set(members))
        for user, host, schema, name, column, members in self._rows(
                "SELECT User, Host, Db, Table_name, Column_name, Column_priv FROM mysql.columns_priv"):
            add(user, host, Level("table", schema, name),
                {column_name(privilege, column) for privilege in _from_set(members)})
        for user, host, schema, name, kind, members in self._rows(
                "SELECT User, Host, Db, Routine_name, Routine_type, Proc_priv FROM mysql.procs_priv"):
            add(user, host, Level(kind.lower(), schema, name.lower()), _from_set(members))
        for user, host, other, other_host, option in self._rows(
                "SELECT TO_USER, TO_HOST, FROM_USER, FROM_HOST, WITH_ADMIN_OPTION FROM mysql.role_edges"):
            add(user, host, Level("role", other, other_host.lower()),
                {MEMBER, ADMIN_OPTION} if option == "Y" else {MEMBER})
        for user, host, other, other_host, option in self._rows(
                "SELECT User, Host, Proxied_user, Proxied_host, With_grant FROM mysql.proxies_priv"):
            add(user, host, Level("proxy", other, other_host.lower()), {PROXY, GRANT_OPTION} if option else {PROXY})
        for held in grants.values():
            for level in [level for level, names in held.items() if not names]:
                del held[level]

    def _pairs(self, sql: str) -> t.Iterator[tuple[Who, Who]]:
        for user, host, other, other_host in self._rows(sql):
            yield Who(user, host.lower()), Who(other, other_host.lower())

    def _objects(self, declared: t.Sequence[Desired], kinds: t.Collection[str]) -> frozenset[tuple[str, str, str]]:
        """The tables and routines of schemas in which single ones are declared."""
        found: set[tuple[str, str, str]] = set()
        wanted = {(level.kind, schema_of(level) or "") for account in declared for level in account.grants
                  if level.kind in kinds}
        for kind, view, schema_column, name_column, condition in (
                ("table", "TABLES", "TABLE_SCHEMA", "TABLE_NAME", ""),
                ("procedure", "ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_NAME", " AND ROUTINE_TYPE = 'PROCEDURE'"),
                ("function", "ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_NAME", " AND ROUTINE_TYPE = 'FUNCTION'"),
                ("library", "LIBRARIES", "LIBRARY_SCHEMA", "LIBRARY_NAME", "")):
            names = sorted(schema for one, schema in wanted if one == kind)
            if names:
                found.update((kind, schema, name if kind == "table" else name.lower()) for schema, name in self._rows(
                    f"SELECT {schema_column}, {name_column} FROM information_schema.{view} "
                    f"WHERE {schema_column} IN ({', '.join(map(quote_text, names))}){condition}"))
        return frozenset(found)

    def _tried(
        self, who: Who, facts: t.Mapping[str, t.Any], passwords: t.Mapping[Who, str],
        everybody: t.Collection[Who], address: str,
    ) -> bool | None:
        if who not in passwords or facts["plugin"] != PLUGIN or not facts["may_try"]:
            return None
        if reachable_by_socket(who, everybody):
            return self.accepts(who, passwords[who])
        return self.accepts(who, passwords[who], address) if address else None

    def _defines(self) -> dict[Who, tuple[str, ...]]:
        """The views, routines, events and triggers of each account that is their DEFINER."""
        found: dict[Who, list[str]] = {}
        for what, schema, name, definer in self._rows(
                "SELECT 'view', TABLE_SCHEMA, TABLE_NAME, DEFINER FROM information_schema.VIEWS UNION ALL "
                "SELECT LOWER(ROUTINE_TYPE), ROUTINE_SCHEMA, ROUTINE_NAME, DEFINER FROM information_schema.ROUTINES "
                "UNION ALL SELECT 'event', EVENT_SCHEMA, EVENT_NAME, DEFINER FROM information_schema.EVENTS UNION ALL "
                "SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS"):
            user, _at, host = definer.rpartition("@")
            found.setdefault(Who(user, host.lower()), []).append(f"{what} {quote_name(schema)}.{quote_name(name)}")
        return {who: tuple(names) for who, names in found.items()}

    def _columns(self) -> dict[str, dict[str, str]]:
        """The privilege columns this version of the server has, with their types."""
        tables: dict[str, dict[str, str]] = {}
        for table, column, column_type in self._rows(
                "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS "
                "WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME IN ('user', 'db', 'tables_priv', 'procs_priv') "
                "ORDER BY TABLE_NAME, ORDINAL_POSITION"):
            tables.setdefault(table, {})[column] = column_type
        if not {"user", "db", "tables_priv", "procs_priv"} <= set(tables):
            raise MooringError("The account that this runs as may not read the schema `mysql`: it needs SELECT on "
                               "`mysql`.*, and to change accounts CREATE USER and what it is to grant.")
        return tables

    def _global_privileges(self) -> frozenset[str]:
        """What ALL means on ``*.*``, dynamic privileges included."""
        names = {row[0].upper() for row in self._rows("SHOW PRIVILEGES")}
        return frozenset(names - {GRANT_OPTION, "PROXY", "USAGE"})
