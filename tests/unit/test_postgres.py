# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL's databases and roles are compared with, and how a run speaks to the server."""

from __future__ import annotations

import dataclasses
import sys
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _postgres
from ansible_collections.mooring.stack.plugins.module_utils import _step_postgres_databases as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._postgres import (
    Database,
    Postgres,
    PostgresGone,
    Role,
    Server,
    Statement,
    decide,
    declared,
)

SHOP = {"name": "shop", "owner": None, "password": "shop's \\password", "connection_limit": -1}
HEALTH = {"name": "health", "password": "health-password", "connection_limit": 3}
ROLES = {
    "postgres": Role(superuser=True, createdb=True, createrole=True, replication=True, bypassrls=True),
    "shop": Role(accepts_password=True),
    "health": Role(connection_limit=3, accepts_password=True),
}
DATABASES = {
    "postgres": Database("postgres", public=True), "template1": Database("postgres", public=True),
    "shop": Database("shop"),
}
AS_DECLARED = Server(ROLES, DATABASES, (("pg_monitor", "pg_read_all_stats"),))
DECLARATION = declared([SHOP], [HEALTH], "postgres")


def changed(what: dict, name: str, **fields) -> dict:
    return {**what, name: dataclasses.replace(what[name], **fields)}


def with_role(**fields) -> Server:
    return dataclasses.replace(AS_DECLARED, roles=changed(ROLES, "shop", **fields))


def with_database(**fields) -> Server:
    return dataclasses.replace(AS_DECLARED, databases=changed(DATABASES, "shop", **fields))


def found(plan):
    return [(one.object, one.field, one.expected, one.found) for one in plan.differences]


# -- what is declared


@pytest.mark.parametrize(("databases", "roles", "says"), [
    ([{**SHOP, "password": ""}], [], "The role shop has an empty password."),
    ([SHOP, SHOP], [], "The database shop is declared twice."),
    ([SHOP, {**SHOP, "name": "other", "owner": "shop", "password": "x"}], [], "role shop is declared twice, with an"),
    ([SHOP, {**SHOP, "name": "other", "owner": "shop", "connection_limit": 4}], [], "role shop is declared twice"),
    ([{**SHOP, "name": "template1"}], [], "The database template1 belongs to the server"),
    ([{**SHOP, "owner": "postgres"}], [], "The role postgres belongs to the server"),
    ([{**SHOP, "owner": "pg_monitor"}], [], "The role pg_monitor belongs to the server"),
    ([{**SHOP, "owner": "public"}], [], "The role public belongs to the server"),
    ([{**SHOP, "owner": "health"}], [HEALTH], "The role health is reserved"),
    ([{**SHOP, "name": ""}], [], "'' is no name for a database"),
    ([{**SHOP, "name": "a\0b"}], [], "is no name for a database"),
    ([{**SHOP, "name": "ä" * 32}], [], "is no name for a database: it has to have 1 to 63 bytes"),
    ([{**SHOP, "owner": "x" * 64}], [], "is no name for a role"),
    ([{**SHOP, "connection_limit": -2}], [], "has the connection_limit -2"),
])
def test_what_cannot_be_declared(databases, roles, says):
    with pytest.raises(MooringError) as error:
        declared(databases, roles, "postgres")
    assert says in str(error.value)
    assert SHOP["password"] not in str(error.value)


def test_one_role_may_own_several_databases():
    declaration = declared([SHOP, {**SHOP, "name": "archive", "owner": "shop"}], [HEALTH], "postgres")
    assert [(one.name, one.owner) for one in declaration.databases] == [("shop", "shop"), ("archive", "shop")]
    assert list(declaration.passwords) == ["shop", "health"]
    assert SHOP["password"] not in repr(declaration)


def test_another_administrator_is_as_reserved():
    with pytest.raises(MooringError, match="The role boss belongs to the server"):
        declared([{**SHOP, "owner": "boss"}], [], "boss")


# -- what differs


def test_a_server_as_declared_is_left_alone():
    assert decide(AS_DECLARED, DECLARATION) == _postgres.Plan()


def test_everything_is_made_where_nothing_is():
    plan = decide(Server(), DECLARATION)
    assert found(plan) == [(name, "presence", "present", None) for name in (
        "postgres role shop", "postgres role health", "postgres database shop")]
    kept = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT"
    assert [str(one) for one in plan.statements] == [
        f"CREATE ROLE \"shop\" {kept} -1 PASSWORD '********'",
        f"CREATE ROLE \"health\" {kept} 3 PASSWORD '********'",
        'CREATE DATABASE "shop" OWNER "shop" ENCODING \'UTF8\' TEMPLATE template0',
        'REVOKE CONNECT ON DATABASE "shop" FROM PUBLIC CASCADE',
    ]
    assert "password" not in repr(plan)
    assert plan.diff["before"] == ""


@pytest.mark.parametrize(("server", "differences", "statements"), [
    (with_role(login=False), [("role shop", "login", True, False)], ['ALTER ROLE "shop" LOGIN']),
    (with_role(superuser=True), [("role shop", "superuser", False, True)], ['ALTER ROLE "shop" NOSUPERUSER']),
    (with_role(createdb=True), [("role shop", "createdb", False, True)], ['ALTER ROLE "shop" NOCREATEDB']),
    (with_role(createrole=True), [("role shop", "createrole", False, True)], ['ALTER ROLE "shop" NOCREATEROLE']),
    (with_role(replication=True), [("role shop", "replication", False, True)], ['ALTER ROLE "shop" NOREPLICATION']),
    (with_role(bypassrls=True), [("role shop", "bypassrls", False, True)], ['ALTER ROLE "shop" NOBYPASSRLS']),
    (with_role(connection_limit=7), [("role shop", "connection_limit", -1, 7)],
     ['ALTER ROLE "shop" CONNECTION LIMIT -1']),
    (with_role(expires=True), [("role shop", "password expires", "never", "at a date")],
     ["ALTER ROLE \"shop\" VALID UNTIL 'infinity'"]),
    (with_role(accepts_password=False), [("role shop", "password", "accepted", "refused")],
     ["ALTER ROLE \"shop\" PASSWORD '********'"]),
    (with_role(superuser=True, connection_limit=1, accepts_password=False),
     [("role shop", "superuser", False, True), ("role shop", "connection_limit", -1, 1),
      ("role shop", "password", "accepted", "refused")],
     ['ALTER ROLE "shop" NOSUPERUSER CONNECTION LIMIT -1', "ALTER ROLE \"shop\" PASSWORD '********'"]),
    (with_database(owner="postgres"), [("database shop", "owner", "shop", "postgres")],
     ['ALTER DATABASE "shop" OWNER TO "shop"']),
    (with_database(open=False), [("database shop", "connections", "allowed", "refused")],
     ['ALTER DATABASE "shop" ALLOW_CONNECTIONS true']),
    (with_database(owner_may=False), [("database shop", "rights of the owner", "all", "some")],
     ['GRANT ALL ON DATABASE "shop" TO "shop"']),
    (with_database(public=True), [("database shop", "CONNECT of PUBLIC", "revoked", "granted")],
     ['REVOKE CONNECT ON DATABASE "shop" FROM PUBLIC CASCADE']),
    (with_database(connection_limit=0), [("database shop", "connection_limit", -1, 0)],
     ['ALTER DATABASE "shop" CONNECTION LIMIT -1']),
    (with_database(guests=("a b", "PUBLIC")),
     [("database shop", "CONNECT of role a b", "revoked", "granted"),
      ("database shop", "CONNECT of role PUBLIC", "revoked", "granted")],
     ['REVOKE CONNECT ON DATABASE "shop" FROM "a b", "PUBLIC" CASCADE']),
    (with_database(guests=("mallory",), public=True),
     [("database shop", "CONNECT of PUBLIC", "revoked", "granted"),
      ("database shop", "CONNECT of role mallory", "revoked", "granted")],
     ['REVOKE CONNECT ON DATABASE "shop" FROM PUBLIC, "mallory" CASCADE']),
    # What it was granted before becomes its own.
    (with_database(owner="postgres", guests=("shop",)), [("database shop", "owner", "shop", "postgres")],
     ['ALTER DATABASE "shop" OWNER TO "shop"']),
])
def test_what_was_changed_by_hand_is_named_and_undone(server, differences, statements):
    plan = decide(server, DECLARATION)
    assert found(plan) == [(f"postgres {one}", *rest) for one, *rest in differences]
    assert [str(one) for one in plan.statements] == statements


def test_names_are_quoted():
    plan = decide(Server(), declared([{**SHOP, "name": 'a"; DROP', "owner": "B c"}], [], "postgres"))
    assert [str(one) for one in plan.statements][1:] == [
        'CREATE DATABASE "a""; DROP" OWNER "B c" ENCODING \'UTF8\' TEMPLATE template0',
        'REVOKE CONNECT ON DATABASE "a""; DROP" FROM PUBLIC CASCADE']


@pytest.mark.parametrize(("server", "says"), [
    (dataclasses.replace(AS_DECLARED, roles={**ROLES, "mallory": Role(superuser=True)}), "role mallory is a superuser"),
    (dataclasses.replace(AS_DECLARED, members=(("shop", "pg_read_server_files"),)),
     "shop is a member of pg_read_server_files"),
    (dataclasses.replace(AS_DECLARED, members=(("shop", "postgres"),)), "shop is a member of postgres"),
    (dataclasses.replace(AS_DECLARED, members=(("mallory", "shop"),)),
     'mallory is a member of shop and may what that one may'),
    (with_database(encoding="LATIN1"), "has the encoding LATIN1 and not UTF8"),
])
def test_what_no_run_changes_is_reported(server, says):
    plan = decide(server, DECLARATION)
    assert (plan.differences, plan.statements) == ((), ())
    (line,) = plan.suspicious
    assert says in line


@pytest.mark.parametrize("server", [
    dataclasses.replace(AS_DECLARED, roles={**ROLES, "other": Role(createdb=True)}),
    dataclasses.replace(AS_DECLARED, members=(("other", "postgres"), ("shop", "readers"))),
    dataclasses.replace(AS_DECLARED, members=(("postgres", "shop"), ("other", "health"))),
    dataclasses.replace(AS_DECLARED, databases={**DATABASES, "other": Database("other", "LATIN1", public=True)}),
])
def test_what_is_not_declared_is_left_alone(server):
    assert decide(server, DECLARATION) == _postgres.Plan()


def test_the_remains_of_an_interrupted_drop_are_refused():
    with pytest.raises(MooringError, match='interrupted DROP DATABASE left.*DROP DATABASE "shop"'):
        decide(with_database(connection_limit=-2), DECLARATION)


# -- the session, with a library that answers as psycopg2 does


class Error(Exception):
    def __init__(self, said, primary=None):
        super().__init__(said)
        self.diag = types.SimpleNamespace(message_primary=primary)


class OperationalError(Error):
    pass


class Library:
    """psycopg2 with a server behind it that knows who may log in and what it was told."""

    Error, OperationalError = Error, OperationalError

    def __init__(self):
        self.passwords = {"postgres": "admin", "shop": SHOP["password"], "health": HEALTH["password"]}
        self.after_login = {}
        self.down = ""
        self.fails = {}
        self.ran = []
        self.closed = 0
        self.rows = {
            "pg_roles": [("postgres", *[True] * 6, -1, False), ("shop", True, *[False] * 5, -1, False),
                         ("health", True, *[False] * 5, 3, False)],
            "pg_database": [("shop", "shop", "UTF8", True, -1, False, True, [])],
            "pg_auth_members": [("shop", "readers")],
        }
        self.extensions = self

    def connect(self, **given):
        assert given["options"] and given["application_name"]
        if self.down:
            raise OperationalError(self.down)
        if self.passwords.get(given["user"]) != given["password"]:
            raise OperationalError(f'connection to server on socket "x" failed: FATAL:  password authentication failed '
                                   f'for user "{given["user"]}"\n')
        if given["user"] in self.after_login:
            raise OperationalError(self.after_login[given["user"]])
        return Session(self)

    def encrypt_password(self, password, user, scope, algorithm):
        assert (algorithm, isinstance(scope, Session)) == ("scram-sha-256", True)
        self.passwords[user] = password
        return f"SCRAM-SHA-256$of-{user}"


class Session:
    def __init__(self, library):
        self.library, self.autocommit = library, False

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def close(self):
        self.library.closed += 1

    def execute(self, sql):
        assert self.autocommit
        for word, error in self.library.fails.items():
            if word in sql:
                raise error
        self.answer = next(
            (rows for name, rows in self.library.rows.items() if sql.endswith(f"pg_catalog.{name}")), None)
        if self.answer is None:
            self.library.ran.append(sql)

    def fetchall(self):
        return self.answer


@pytest.fixture
def server(monkeypatch, tmp_path):
    library = Library()
    monkeypatch.setattr(_postgres, "library", lambda: library)
    library.socket = str(tmp_path / ".s.PGSQL.5432")
    return library


class Module:
    def __init__(self, check_mode=False):
        self.check_mode, self.warnings = check_mode, []

    def warn(self, line):
        self.warnings.append(line)


def converge(server, check_mode=False, planned=None, **changes):
    return step.converge(Module(check_mode), {
        "socket": server.socket, "login_user": "postgres", "login_password": "admin", "databases": [SHOP],
        "roles": [HEALTH], "service": "postgres", **changes}, planned)


def test_the_server_is_read_in_three_queries(server):
    with Postgres(server.socket, "postgres", "admin") as postgres:
        assert postgres.read(DECLARATION.passwords) == Server(
            ROLES, {"shop": Database("shop")}, (("shop", "readers"),))
        server.rows["pg_database"] = [("shop", "shop", "UTF8", True, 7, False, True, ["mallory"])]
        assert postgres.read({}).databases == {"shop": Database("shop", connection_limit=7, guests=("mallory",))}
    # One for each declared role, and the session itself.
    assert server.closed == 3


def test_a_server_as_declared_is_told_nothing(server):
    for check_mode in (False, True):
        result = converge(server, check_mode)
        assert (result["changed"], result["differences"], result["statements"]) == (False, [], [])
    assert server.ran == []
    assert converge(server)["proven"] == ["health", "shop"]


def test_a_password_that_was_changed_is_set_as_a_verifier(server):
    server.passwords["shop"] = "by hand"
    predicted = converge(server, check_mode=True)
    assert server.ran == []
    healed = converge(server)
    assert predicted["statements"] == healed["statements"] == ["ALTER ROLE \"shop\" PASSWORD '********'"]
    assert predicted["differences"] == healed["differences"]
    assert server.ran == ["ALTER ROLE \"shop\" PASSWORD 'SCRAM-SHA-256$of-shop'"]
    assert SHOP["password"] not in str(healed)
    assert converge(server)["changed"] is False


@pytest.mark.parametrize("said", [
    'FATAL:  too many connections for role "shop"', 'FATAL:  role "shop" is not permitted to log in'])
def test_what_comes_after_the_password_is_no_other_password(server, said):
    server.after_login["shop"] = said
    assert converge(server, check_mode=True)["differences"] == []
    with pytest.raises(MooringError, match="shop cannot log in to the database shop: FATAL"):
        converge(server)


def test_a_statement_that_fails_does_not_stop_the_others_and_quotes_no_secret(server):
    server.passwords["shop"] = "by hand"
    server.rows["pg_database"] = [("shop", "postgres", "UTF8", True, -1, True, True, [])]
    server.fails["ALTER ROLE"] = Error("LINE 1: ... PASSWORD 'SCRAM-SHA-256$of-shop'", "no more space")
    with pytest.raises(MooringError) as error:
        converge(server)
    assert str(error.value) == ("1 of 3 statements failed, the other 2 are in effect. "
                                "ALTER ROLE \"shop\" PASSWORD '********': no more space")
    assert len(server.ran) == 2


def test_a_statement_without_effect_is_noticed(server):
    server.rows["pg_database"] = [("shop", "postgres", "UTF8", True, -1, False, True, [])]
    with pytest.raises(MooringError, match='these are still needed: ALTER DATABASE "shop" OWNER TO "shop"'):
        converge(server)


def test_a_server_that_breaks_off_is_an_error(server):
    server.fails["pg_roles"] = OperationalError("server closed the connection\nunexpectedly")
    with pytest.raises(MooringError, match="did not say what it has: server closed the connection unexpectedly"):
        converge(server)


def test_the_administrator_s_password_is_not_the_server_s(server):
    with pytest.raises(MooringError, match="PostgreSQL refuses 'postgres'.*ALTER ROLE"):
        converge(server, login_password="guess-of-it")
    with pytest.raises(MooringError, match="There is no password for PostgreSQL's role postgres"):
        converge(server, login_password=None)


def test_a_server_that_does_not_answer(server):
    server.down = "connection refused"
    with pytest.raises(PostgresGone, match="does not answer at .*: connection refused"):
        converge(server)
    result = converge(server, check_mode=True)
    assert (result["changed"], len(result["notices"])) == (False, 1)
    assert "Its databases were not compared" in result["notices"][0]


def test_a_host_without_a_server_is_predicted_to_get_everything(server, tmp_path):
    result = converge(server, check_mode=True, socket=str(tmp_path / "absent" / ".s.PGSQL.5432"))
    assert [one["object"] for one in result["differences"]] == [
        "postgres role shop", "postgres role health", "postgres database shop"]
    assert result["proven"] == []


@pytest.mark.parametrize(("planned", "named"), [
    ({}, ["postgres role shop", "postgres role health"]),
    ({"redis": "restart", "postgres": "reload"}, ["postgres role shop", "postgres role health"]),
    ({"postgres": "restart"}, ["postgres role shop"]),
    ({"postgres": "create"}, ["postgres role shop"]),
])
def test_what_a_start_makes_is_not_predicted(server, planned, named):
    server.passwords.update(shop="by hand", health="by hand")
    assert [one["object"] for one in converge(server, True, planned)["differences"]] == named


def test_who_declares_nothing_needs_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    for check_mode in (False, True):
        result = step.converge(Module(check_mode), {
            "socket": "/absent/.s.PGSQL.5432", "login_user": "postgres", "login_password": None, "databases": [],
            "roles": [], "service": ""})
        assert result == {"changed": False, "diff": {"before": "", "after": ""}, "differences": [], "notices": [],
                          "statements": [], "proven": []}


def test_the_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(MooringError, match="install the package python3-psycopg2"):
        Postgres("/run/.s.PGSQL.5432", "postgres", "admin")


@pytest.mark.parametrize("socket", ["/run/postgres", "/run/mysqld.sock", "/run/.s.PGSQL.port"])
def test_a_path_that_is_no_socket_of_postgresql(server, socket):
    with pytest.raises(MooringError, match="is no socket of PostgreSQL"):
        Postgres(socket, "postgres", "admin")


def test_a_statement_shows_no_password():
    statement = Statement('ALTER ROLE "shop"', "shop", "hush")
    assert "hush" not in f"{statement} {statement!r}"
