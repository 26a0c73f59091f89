# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MySQL server of a test's own, and the step mysql_grants run against it in this process."""

from __future__ import annotations

import contextlib
import pathlib
import secrets
import sys
import time
import types
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests/lab")]

import lab  # noqa: E402
import pymysql  # noqa: E402
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils import _step_mysql_grants as step  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._mysql import Mysql  # noqa: E402

IMAGE = "mooring.local/mysql:9.7"
PASSWORD = "root-password-of-the-lab"
LIMIT = 120


class Server:
    """A container with MySQL, reached through its socket as root and over TCP as anybody."""

    def __init__(self, directory: pathlib.Path, *options: str) -> None:
        self.name = f"mooringtest{secrets.token_hex(3)}-mysql"
        self.directory = directory
        self.socket = directory / "run" / "mysqld.sock"
        self._options = options

    def __enter__(self) -> Server:
        run, secret = self.directory / "run", self.directory / "secret"
        # The server in the container is another user.
        for path, mode in ((run, 0o777), (secret, 0o755)):
            path.mkdir()
            path.chmod(mode)
        (secret / "root").write_text(PASSWORD)
        lab.docker("run", "--detach", "--name", self.name, "--label", "mooring.test=1", "--memory", "1500m",
                   "--env", "MYSQL_ROOT_PASSWORD_FILE=/secret/root", "--env", "MYSQL_ROOT_HOST=localhost",
                   "--env", "MYSQL_INITDB_SKIP_TZINFO=1", "--volume", f"{secret}:/secret:ro",
                   "--volume", f"{run}:/var/run/mysqld", IMAGE, "mysqld", "--mysqlx=OFF", *self._options)
        try:
            self.wait()
        except lab.LabError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_unused: object) -> None:
        lab.docker("rm", "--force", "--volumes", self.name)

    def wait(self) -> None:
        """Until a query is answered."""
        lab.wait_for(f"{self.name} answers", LIMIT, self._answers, lambda: lab.docker("logs", self.name, check=False))

    def _answers(self) -> bool:
        try:
            self.session().close()
        except pymysql.err.OperationalError:
            return False
        return True

    @property
    def address(self) -> str:
        """Host and port for TCP."""
        found = lab.docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)
        return f"{found}:3306"

    def session(self, user: str = "root", password: str = PASSWORD, address: str = "") -> t.Any:
        """A login through the socket, or over TCP with TLS."""
        return Mysql._connect(types.SimpleNamespace(_socket=str(self.socket)), user, password, address)

    def sql(self, *statements: str) -> list[tuple[t.Any, ...]]:
        """Run statements as root; the rows of the last one."""
        rows: list[tuple[t.Any, ...]] = []
        with contextlib.closing(self.session()) as session, session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def forget(self) -> None:
        """Remove every account and schema that a test has made."""
        accounts = self.sql("SELECT QUOTE(User), QUOTE(Host) FROM mysql.user "
                            "WHERE User NOT LIKE 'mysql.%' AND (User, Host) <> ('root', 'localhost')")
        schemas = self.sql("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN "
                           "('mysql', 'sys', 'information_schema', 'performance_schema')")
        self.sql(*(f"DROP USER {user}@{host}" for user, host in accounts),
                 *(f"DROP DATABASE `{name.replace('`', '``')}`" for (name,) in schemas), "DO 1")

    def given(self, accounts: t.Sequence[dict[str, t.Any]], **params: t.Any) -> dict[str, t.Any]:
        """The module's arguments, with their defaults."""
        given = {"socket": str(self.socket), "login_password": PASSWORD, "accounts": list(accounts), **params}
        checked = ArgumentSpecValidator(step.ARGUMENT_SPEC).validate(given)
        assert not checked.error_messages, checked.error_messages
        return checked.validated_parameters

    def converge(self, accounts: t.Sequence[dict[str, t.Any]] = (), check: bool = False, **params: t.Any) -> Outcome:
        """The step, as the module runs it."""
        given = self.given(accounts, **params)
        warnings: list[str] = []
        module = types.SimpleNamespace(check_mode=check, warn=warnings.append, run_command=_run)
        began = time.monotonic()
        try:
            result = step.converge(module, given)
        except MooringError as error:
            return Outcome(str(error), error.details, warnings, time.monotonic() - began)
        return Outcome("", result, warnings, time.monotonic() - began)


class Outcome(t.NamedTuple):
    """What a run ended with: the error, or nothing; the result; warnings; seconds."""

    error: str
    result: dict[str, t.Any]
    warnings: list[str]
    seconds: float

    def good(self) -> dict[str, t.Any]:
        """The result of a run that has to end well."""
        assert not self.error, self.error
        return self.result


def many(server: Server, accounts: int = 1000, schemas: int = 50) -> list[dict[str, t.Any]]:
    """Make that many accounts with 20 grants each; their declaration, which is what the server has.

    12 levels are schemas, 6 tables, one of them with columns only, and 2 routines. The rows go into the server's
    tables, because 20,000 statements would take minutes; one FLUSH makes them what the server honours.
    """
    server.sql(*(f"CREATE DATABASE many{number}" for number in range(schemas)),
               *(f"CREATE TABLE many{number}.t{table} (a INT, b INT)" for number in range(schemas)
                 for table in range(2)),
               *(f"CREATE {kind} many{number}.{name}" for number in range(schemas) for kind, name in (
                   ("PROCEDURE", "work() SELECT 1"), ("FUNCTION", "twice(x INT) RETURNS INT DETERMINISTIC RETURN x"))),
               "CREATE USER many IDENTIFIED BY 'x' REQUIRE SSL")
    declared = []
    rows: dict[str, list[str]] = {"db": [], "tables_priv": [], "columns_priv": [], "procs_priv": []}
    for number in range(accounts):
        name, grants = f"many{number}", {}
        for turn in range(12):
            schema = f"many{(number + turn) % schemas}"
            grants[f"{schema}.*"] = ["SELECT", "INSERT"] if turn % 2 else ["SELECT", "CREATE VIEW"]
            rows["db"].append(f"('%', '{schema}', '{name}', 'Y', '{'NY'[turn % 2]}', '{'YN'[turn % 2]}')")
        for turn in range(5):
            schema = f"many{(number + turn) % schemas}"
            grants[f"{schema}.t0"] = ["UPDATE", "DELETE"]
            rows["tables_priv"].append(f"('%', '{schema}', '{name}', 't0', 'Update,Delete', '')")
        schema = f"many{number % schemas}"
        grants[f"{schema}.t1"] = ["UPDATE (a, b)"]
        rows["tables_priv"].append(f"('%', '{schema}', '{name}', 't1', '', 'Update')")
        rows["columns_priv"] += [f"('%', '{schema}', '{name}', 't1', '{column}', 'Update')" for column in "ab"]
        for kind, routine in (("PROCEDURE", "work"), ("FUNCTION", "twice")):
            grants[f"{kind} {schema}.{routine}"] = ["EXECUTE"]
            rows["procs_priv"].append(f"('%', '{schema}', '{name}', '{routine}', '{kind}', 'Execute')")
        declared.append({"name": name, "password": "x", "grants": grants})
    columns = {"db": "Host, Db, User, Select_priv, Insert_priv, Create_view_priv",
               "tables_priv": "Host, Db, User, Table_name, Table_priv, Column_priv",
               "columns_priv": "Host, Db, User, Table_name, Column_name, Column_priv",
               "procs_priv": "Host, Db, User, Routine_name, Routine_type, Proc_priv"}
    server.sql(
        # Everybody has the password of the one that was made by a statement.
        "CREATE TEMPORARY TABLE mysql.copied SELECT * FROM mysql.user WHERE User = 'many'",
        *(statement for one in declared for statement in (
            f"UPDATE mysql.copied SET User = '{one['name']}'", "INSERT INTO mysql.user SELECT * FROM mysql.copied")),
        *(f"INSERT INTO mysql.{table} ({columns[table]}) VALUES {', '.join(values)}"
          for table, values in rows.items()),
        "FLUSH PRIVILEGES", "DROP USER many")
    return declared


def _run(argv: list[str], data: str | None = None) -> tuple[int, str, str]:
    done = lab.run(*argv, data=data.encode() if data else None, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
