# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the only place that talks to MySQL.

The server's own tables are read instead of SHOW GRANTS: that is one query per
kind of privilege for all accounts, not one per account, and most names come
unquoted. Password hashes are never selected.
"""

from __future__ import annotations

import os
import ssl
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    GLOBAL,
    GRANT_OPTION,
    PLUGIN,
    Found,
    Level,
    Server,
    Statement,
    Who,
    quote_name,
    reachable_by_socket,
)

try:
    import pymysql
except ImportError:
    pymysql = None

TIMEOUT = 10
# Server error numbers that a login can end with.
ACCESS_DENIED = (1045, 1698)
PASSWORD_EXPIRED = (1820, 1862)
# These come after the password was found right.
RIGHT_PASSWORD = (1203, 1226, 3118)

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


class Mysql:
    """A session of root over the server's socket."""

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

    def _connect(self, user: str, password: str) -> t.Any:
        # The traffic stays on this machine; TLS is spoken only because accounts demand it, and the server's
        # certificate is one it made itself. So no roots are loaded, which would take longer than the login.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # sql_mode: quote_text() relies on backslash being an escape, and on ' quoting strings.
        return pymysql.connect(unix_socket=self._socket, user=user, password=password, ssl=context, sql_mode="",
                               charset="utf8mb4", autocommit=True, connect_timeout=TIMEOUT, read_timeout=60,
                               program_name="mooring.stack")

    def close(self) -> None:
        self._session.close()

    def _rows(self, sql: str) -> list[tuple[t.Any, ...]]:
        with self._session.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def apply(self, statement: Statement) -> None:
        """Run one statement; the error names it as it may be shown."""
        try:
            with self._session.cursor() as cursor:
                cursor.execute(statement.text)
        except pymysql.err.MySQLError as error:
            # A syntax error quotes the statement, so its text may hold the password.
            said = str(error.args[-1]) if not statement.has_secret else f"error {error.args[0]}"
            raise MooringError(f"{statement}: {said}") from error

    def accepts(self, who: Who, password: str) -> bool:
        """Whether this account's password is the one given, found out by logging in."""
        try:
            session = self._connect(who.user, password)
        except pymysql.err.OperationalError as error:
            if error.args[0] in ACCESS_DENIED or error.args[0] in PASSWORD_EXPIRED:
                return False
            if error.args[0] in RIGHT_PASSWORD:
                return True
            raise MooringError(f"Logging in as {who} failed: {error.args[-1]}") from error
        session.close()
        return True

    def read(self, passwords: t.Mapping[Who, str]) -> Server:
        """The server, with every account; those in ``passwords`` are logged in to.

        A constant number of queries, and one login for each of ``passwords``.
        """
        lower_case = self._rows("SELECT @@lower_case_table_names")[0][0] != 0
        schemas = frozenset(row[0] for row in self._rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"))
        columns = self._columns()
        static = [name for name in columns["user"] if name.endswith("_priv")]
        grants: dict[Who, dict[Level, frozenset[str]]] = {}

        def add(user: str, host: str, level: Level, names: frozenset[str]) -> None:
            held = grants.setdefault(Who(user, host.lower()), {})
            if names:
                held[level] = held.get(level, frozenset()) | names

        users = self._rows("SELECT User, Host, plugin, ssl_type, max_user_connections, account_locked, "
                           + ", ".join(quote_name(name) for name in static) + " FROM mysql.user")
        for user, host, *rest in users:
            add(user, host, GLOBAL, self._flags(static, rest[4:]))
        everywhere = self._global_privileges()
        dynamic = everywhere - {_privilege_of(name) for name in static}
        named = {f"'{user}'@'{host}'": (user, host) for user, host, *_rest in users}
        # Not from mysql.global_grants: after REVOKE GRANT OPTION the table says that the option
        # is gone, while the server still honours it (9.7) until FLUSH PRIVILEGES. This view knows.
        for grantee, name, option in self._rows(
                "SELECT GRANTEE, PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.USER_PRIVILEGES"):
            if name in dynamic and grantee in named:
                add(*named[grantee], GLOBAL, frozenset({name, GRANT_OPTION} if option == "YES" else {name}))
        in_schema = [name for name in columns["db"] if name.endswith("_priv")]
        for user, host, schema, *flags in self._rows(
                "SELECT User, Host, Db, " + ", ".join(quote_name(name) for name in in_schema) + " FROM mysql.db"):
            add(user, host, Level("schema", schema), self._flags(in_schema, flags))
        for user, host, schema, name, members in self._rows(
                "SELECT User, Host, Db, Table_name, Table_priv FROM mysql.tables_priv"):
            add(user, host, Level("table", schema, name), _from_set(members))
        for user, host, schema, name, column, members in self._rows(
                "SELECT User, Host, Db, Table_name, Column_name, Column_priv FROM mysql.columns_priv"):
            add(user, host, Level("table", schema, name),
                frozenset(f"{privilege} ({quote_name(column)})" for privilege in _from_set(members)))
        for user, host, schema, name, kind, members in self._rows(
                "SELECT User, Host, Db, Routine_name, Routine_type, Proc_priv FROM mysql.procs_priv"):
            add(user, host, Level(kind.lower(), schema, name), _from_set(members))
        roles: dict[Who, set[Who]] = {}
        for user, host, role, role_host in self._rows(
                "SELECT TO_USER, TO_HOST, FROM_USER, FROM_HOST FROM mysql.role_edges"):
            roles.setdefault(Who(user, host.lower()), set()).add(Who(role, role_host.lower()))

        everybody = [Who(user, host.lower()) for user, host, *_rest in users]
        accounts = {}
        for who, (_user, _host, plugin, ssl_type, connections, locked, *_flags) in zip(everybody, users, strict=True):
            accounts[who] = Found(
                plugin=plugin, ssl_type=ssl_type, max_user_connections=connections, locked=locked == "Y",
                grants=grants.get(who, {}), roles=frozenset(roles.get(who, ())),
                accepts_password=self._tried(who, plugin, passwords, everybody))
        return Server(schemas=schemas, accounts=accounts, lower_case_names=lower_case, privileges={
            "global": everywhere,
            "schema": frozenset(_privilege_of(name) for name in in_schema) - {GRANT_OPTION},
            "table": frozenset(_set_members(columns["tables_priv"]["Table_priv"])) - {GRANT_OPTION},
        })

    def _tried(self, who: Who, plugin: str, passwords: t.Mapping[Who, str], everybody: list[Who]) -> bool | None:
        if who not in passwords or plugin != PLUGIN or not reachable_by_socket(who, everybody):
            return None
        return self.accepts(who, passwords[who])

    def _columns(self) -> dict[str, dict[str, str]]:
        """The privilege columns this version of the server has, with their types."""
        tables: dict[str, dict[str, str]] = {}
        for table, column, column_type in self._rows(
                "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS "
                "WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME IN ('user', 'db', 'tables_priv') "
                "ORDER BY TABLE_NAME, ORDINAL_POSITION"):
            tables.setdefault(table, {})[column] = column_type
        return tables

    def _global_privileges(self) -> frozenset[str]:
        """What ALL means on ``*.*``, dynamic privileges included."""
        names = {row[0].upper() for row in self._rows("SHOW PRIVILEGES")}
        return frozenset(names - {GRANT_OPTION, "PROXY", "USAGE"})

    @staticmethod
    def _flags(columns: t.Sequence[str], flags: t.Sequence[str]) -> frozenset[str]:
        return frozenset(_privilege_of(column) for column, flag in zip(columns, flags, strict=True) if flag == "Y")


def server_expected(socket: str) -> bool:
    """Whether there ever was a server here: its socket's directory exists."""
    return os.path.isdir(os.path.dirname(socket))
