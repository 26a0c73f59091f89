"""Table tests of what MySQL accounts and grants need."""

from __future__ import annotations

import dataclasses
import re
import string

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _grants as grants
from ansible_collections.mooring.stack.plugins.module_utils import _grants_decide as deciding
from ansible_collections.mooring.stack.plugins.module_utils import _grants_proof as proof
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    GLOBAL,
    Desired,
    Found,
    Level,
    Server,
    Who,
)
from ansible_collections.mooring.stack.plugins.module_utils._show_grants import parse
from hypothesis import given
from hypothesis import strategies as st

# As MySQL 9.7 lists them; the dynamic ones are cut to a few.
TABLE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER",
                   "CREATE VIEW", "SHOW VIEW", "TRIGGER"})
SCHEMA = TABLE | {"CREATE TEMPORARY TABLES", "LOCK TABLES", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "EVENT"}
EVERYWHERE = SCHEMA | {"PROCESS", "RELOAD", "SUPER", "FILE", "REPLICATION CLIENT", "BACKUP_ADMIN", "SYSTEM_USER"}
PRIVILEGES = {"global": EVERYWHERE, "schema": SCHEMA, "table": TABLE}
PASSWORD = "correct horse"


def declared(**given_params):
    """A declared account as it comes out of the module's parameters."""
    params = {"name": "app", "host": "%", "password": PASSWORD, "grants": {}, "require_tls": True,
              "match": "exact", "administrator": False, "state": "present", "without": {}, "roles": [],
              "role": False, "proxy_for": [], "locked": False,
              **{word.lower(): 0 for word in grants.LIMITS.values()}}
    return grants.desired_account({**params, **given_params})


def server(schemas=("taken",), objects=(), lower_case_names=0, partial_revokes=False, **accounts):
    """A server with accounts given as user=Found, all of them at any host."""
    return Server(
        frozenset(schemas), {Who(user, "%"): found for user, found in accounts.items()}, PRIVILEGES,
        frozenset({"BACKUP_ADMIN", "SYSTEM_USER"}), frozenset(("table", *name.split(".")) for name in objects),
        lower_case_names=lower_case_names, partial_revokes=partial_revokes)


def declared_role(**given_params):
    """A declared role."""
    return declared(**{"name": "reader", "role": True, "password": None, **given_params})


def found(held=None, **facts):
    """An account of the server that is as ``declared()`` wants it, but for what is given."""
    facts = {"ssl_type": "ANY", "accepts_password": True, **facts}
    roles = {Level("role", name, "%"): frozenset({"MEMBER"}) for name in facts.pop("roles", ())}
    return Found(grants={grants.parse_level(level): frozenset(names) for level, names in (held or {}).items()} | roles,
                 **facts)


def statements(plan):
    return [str(statement) for statement in plan.statements]


@pytest.mark.parametrize(("text", "level"), [
    ("*.*", GLOBAL),
    (" *.* ", GLOBAL),
    ("taken.*", Level("schema", "taken")),
    ("`taken`.*", Level("schema", "taken")),
    ("taken.orders", Level("table", "taken", "orders")),
    ("`a.b`.*", Level("schema", "a.b")),
    ("`a``b`.`c d`", Level("table", "a`b", "c d")),
    ("my_app.*", Level("schema", "my\\_app")),
    ("my\\_app.*", Level("schema", "my\\_app")),
    ("tenant\\_%.*", Level("schema", "tenant\\_%")),
    ("tenant_%.*", Level("schema", "tenant_%")),
    # At table level MySQL knows no wildcards, so nothing is escaped.
    ("my_app.my_table", Level("table", "my_app", "my_table")),
    ("한글.*", Level("schema", "한글")),
    ("Taken.*", Level("schema", "Taken")),
    ("PROCEDURE taken.Close_day", Level("procedure", "taken", "close_day")),
    ("function `a b`.`c.d`", Level("function", "a b", "c.d")),
    ("LIBRARY taken.js", Level("library", "taken", "js")),
    ("procedure.*", Level("schema", "procedure")),
])
def test_levels_are_read(text, level):
    assert grants.parse_level(text) == level


@pytest.mark.parametrize("text", [
    "", "*", "taken", "taken.", ".taken", "*.orders", "a.b.c", "`taken.*", "``.*", "ta`ken.*", "taken.*.*",
    "my app.*", "ta*.x", "PROCEDURE taken", "PROCEDURE taken.*", "EVENT taken.e", "`a`b.*",
])
def test_what_is_no_level_is_refused(text):
    with pytest.raises(MooringError, match="grant level"):
        grants.parse_level(text)


@given(st.text(min_size=1, max_size=20).filter(lambda name: "*" not in name), st.text(min_size=1, max_size=20))
def test_quoted_names_survive(schema, table):
    written = f"{grants.quote_name(schema)}.{grants.quote_name(table)}"
    assert grants.parse_level(written) == Level("table", schema, table)


@given(st.text(max_size=30))
def test_any_level_text_is_read_or_refused(text):
    try:
        level = grants.parse_level(text)
    except MooringError:
        return
    assert level.sql


@pytest.mark.parametrize(("pattern", "name", "covers"), [
    ("taken", "taken", True),
    ("taken", "Taken", False),
    ("my\\_app", "my_app", True),
    ("my\\_app", "my-app", False),
    ("my_app", "my-app", True),
    ("tenant\\_%", "tenant_1", True),
    ("tenant\\_%", "tenant_", True),
    ("tenant\\_%", "tenant1", False),
    ("%", "", True),
    ("%a%", "bab", True),
    ("%a%", "bbb", False),
    ("a%b", "ab", True),
    ("a%b", "acbd", False),
    ("100\\%", "100%", True),
    ("100\\%", "100x", False),
])
def test_schema_patterns(pattern, name, covers):
    assert grants.matches(pattern, name) is covers


@given(st.text(alphabet=string.ascii_letters + "_%-", max_size=12))
def test_an_escaped_name_covers_exactly_itself(name):
    pattern = grants.escape_name(name)
    assert grants.literal_name(pattern) == name
    assert grants.matches(pattern, name)
    assert not grants.matches(pattern, name + "x")


@pytest.mark.parametrize(("names", "privileges"), [
    (["select", " create   temporary  tables "], {"SELECT", "CREATE TEMPORARY TABLES"}),
    (["ALL PRIVILEGES"], {"ALL"}),
    (["all"], {"ALL"}),
    (["USAGE"], set()),
    (["SELECT", "Select"], {"SELECT"}),
    (["backup_admin"], {"BACKUP_ADMIN"}),
    (["SELECT (a, `B`)", "insert(c)"], {"SELECT (`a`)", "SELECT (`b`)", "INSERT (`c`)"}),
])
def test_privileges_are_read(names, privileges):
    assert grants.parse_privileges(names) == privileges


@pytest.mark.parametrize("name", [
    "", "SELECT (a, b", "SELECT ()", "SELECT (a,)", "SELECT (f(a))", "DELETE (a)", "SELECT; DROP USER x",
    "SELECT ON *.* TO x --", "`SELECT`",
])
def test_what_is_no_privilege_is_refused(name):
    with pytest.raises(MooringError):
        grants.parse_privileges([name])


def test_a_new_account():
    plan = deciding.decide(server(schemas=()), ["taken"], [declared(
        grants={"taken.*": ["SELECT", "INSERT"]}, max_user_connections=3)])
    assert statements(plan) == [
        "CREATE DATABASE `taken` CHARACTER SET utf8mb4",
        "CREATE USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********' "
        "REQUIRE SSL WITH MAX_USER_CONNECTIONS 3",  # defect 32
        "GRANT INSERT, SELECT ON `taken`.* TO 'app'@'%'",
    ]
    assert plan.diff["before"] == ""
    assert not plan.suspicious


def test_nothing_to_do():
    plan = deciding.decide(server(app=found({"taken.*": ["SELECT"]})), ["taken"],
                         [declared(grants={"taken.*": ["SELECT"]})])
    assert plan.changes == ()
    assert plan.diff == {"before": "", "after": ""}


@pytest.mark.parametrize(("facts", "params", "statement"), [
    ({"accepts_password": False}, {},
     "ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********' RETAIN CURRENT PASSWORD"),
    # Nobody could try: not a change.
    ({"accepts_password": None}, {}, None),
    ({"plugin": "mysql_native_password"}, {},
     "ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********'"),
    ({"ssl_type": ""}, {}, "ALTER USER 'app'@'%' REQUIRE SSL"),
    ({"ssl_type": "X509"}, {}, None),
    ({}, {"require_tls": False}, "ALTER USER 'app'@'%' REQUIRE NONE"),
    ({}, {"max_user_connections": 3}, "ALTER USER 'app'@'%' WITH MAX_USER_CONNECTIONS 3"),
    ({"limits": {"max_user_connections": 3}}, {}, "ALTER USER 'app'@'%' WITH MAX_USER_CONNECTIONS 0"),
    ({"locked": True}, {}, "ALTER USER 'app'@'%' ACCOUNT UNLOCK"),
    ({"locked": True, "ssl_type": "", "accepts_password": False}, {"max_user_connections": 1},
     "ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********' "
     "RETAIN CURRENT PASSWORD REQUIRE SSL WITH MAX_USER_CONNECTIONS 1 ACCOUNT UNLOCK"),
])
def test_an_existing_account(facts, params, statement):
    plan = deciding.decide(server(app=found(**facts)), [], [declared(**params)])
    assert statements(plan) == ([statement] if statement else [])
    assert bool(plan.differences) == bool(statement)


def fields(plan):
    return {(one.object, one.field): (one.expected, one.found) for one in plan.differences}


def test_each_field_of_an_account_is_named_and_no_password():
    account = found({"taken.*": ["SELECT", "DROP"], "*.*": ["FILE"]}, ssl_type="", locked=True,
                    limits={"max_user_connections": 3}, accepts_password=False, roles=["reader"])
    plan = deciding.decide(server(app=account), ["taken", "new"], [
        declared(grants={"taken.*": ["SELECT", "GRANT OPTION"], "new.*": ["ALL"]})])
    app = "account 'app'@'%'"
    assert fields(plan) == {
        ("schema `new`", "presence"): ("present", None),
        (app, "password"): ("(secret)", "(secret)"),
        (app, "TLS"): ("required", "not required"),
        (app, "max_user_connections"): (0, 3),
        (app, "lock"): ("unlocked", "locked"),
        (app, "grants on *.*"): (None, "FILE"),
        (app, "grants on `new`.*"): ("ALL", None),
        (app, "grants on `taken`.*"): ("SELECT, GRANT OPTION", "DROP, SELECT"),
        (app, "role 'reader'@'%'"): (None, "MEMBER"),
    }


def test_what_may_stay_is_expected():
    plan = deciding.decide(server(app=found({"taken.*": ["DROP"]})), [],
                         [declared(grants={"taken.*": ["SELECT"]}, match="at_least")])
    assert fields(plan) == {("account 'app'@'%'", "grants on `taken`.*"): ("DROP, SELECT", "DROP")}


def test_a_missing_account_is_one_difference():
    plan = deciding.decide(server(), [], [declared(grants={"taken.*": ["SELECT"]})])
    assert fields(plan) == {("account 'app'@'%'", "presence"): ("present", None)}


@pytest.mark.parametrize(("held", "wanted", "expected"), [
    ({"taken.*": ["SELECT"]}, {"taken.*": ["SELECT", "INSERT"]}, ["GRANT INSERT ON `taken`.* TO 'app'@'%'"]),
    ({"taken.*": ["SELECT", "DROP"]}, {"taken.*": ["SELECT"]}, ["REVOKE DROP ON `taken`.* FROM 'app'@'%'"]),
    ({"*.*": ["FILE"]}, {}, ["REVOKE FILE ON *.* FROM 'app'@'%'"]),
    ({"*.*": ["FILE", "GRANT OPTION"]}, {"*.*": ["FILE"]},
     ["REVOKE GRANT OPTION ON *.* FROM 'app'@'%'", "FLUSH PRIVILEGES"]),
    ({"*.*": ["BACKUP_ADMIN", "GRANT OPTION"]}, {},
     ["REVOKE GRANT OPTION ON *.* FROM 'app'@'%'", "REVOKE BACKUP_ADMIN ON *.* FROM 'app'@'%'", "FLUSH PRIVILEGES"]),
    # ALL is what the server says it is, however it was written.
    ({"taken.*": SCHEMA}, {"taken.*": ["ALL"]}, []),
    ({"taken.*": SCHEMA}, {"taken.*": sorted(SCHEMA)}, []),
    ({}, {"taken.*": ["ALL"]}, ["GRANT ALL ON `taken`.* TO 'app'@'%'"]),
    ({"taken.*": SCHEMA - {"DROP"}}, {"taken.*": ["ALL PRIVILEGES"]}, ["GRANT DROP ON `taken`.* TO 'app'@'%'"]),
    ({}, {"taken.t": ["ALL", "GRANT OPTION"]}, ["GRANT ALL ON `taken`.`t` TO 'app'@'%' WITH GRANT OPTION"]),
    ({"taken.*": ["SELECT"]}, {"taken.*": ["SELECT", "GRANT OPTION"]},
     ["GRANT USAGE ON `taken`.* TO 'app'@'%' WITH GRANT OPTION"]),
    ({"taken.*": ["SELECT", "GRANT OPTION"]}, {"taken.*": ["SELECT"]},
     ["REVOKE GRANT OPTION ON `taken`.* FROM 'app'@'%'"]),
    ({"taken.*": SCHEMA | {"GRANT OPTION"}}, {},
     ["REVOKE GRANT OPTION ON `taken`.* FROM 'app'@'%'", "REVOKE ALL ON `taken`.* FROM 'app'@'%'"]),
])
def test_grants_become_exact(held, wanted, expected):
    plan = deciding.decide(server(app=found(held)), ["taken"], [declared(grants=wanted, administrator=True)])
    assert statements(plan) == expected
    assert bool(plan.differences) == bool(expected)


def test_at_least_takes_nothing_away():
    plan = deciding.decide(server(app=found({"taken.*": ["DROP"]}, roles=["reader"])), [],
                         [declared(grants={"taken.*": ["SELECT"]}, match="at_least")])
    assert statements(plan) == ["GRANT SELECT ON `taken`.* TO 'app'@'%'"]


def test_exact_takes_roles_columns_and_routines_away():
    account = found({"PROCEDURE taken.p": ["EXECUTE"], "taken.t": ["SELECT (`a`)"]}, roles=["reader"])
    plan = deciding.decide(server(app=account), [], [declared()])
    assert statements(plan) == [
        "REVOKE SELECT (`a`) ON `taken`.`t` FROM 'app'@'%'",
        "REVOKE EXECUTE ON PROCEDURE `taken`.`p` FROM 'app'@'%'",
        "REVOKE 'reader'@'%' FROM 'app'@'%'",
    ]


def test_a_wildcard_grant_is_replaced_by_the_exact_one():
    # GRANT ... ON my_app.* written by hand also opens my-app and myXapp.
    account = Found(ssl_type="ANY", accepts_password=True, grants={Level("schema", "my_app"): frozenset({"SELECT"})})
    plan = deciding.decide(server(schemas=["my_app"], app=account), [], [declared(grants={"my_app.*": ["SELECT"]})])
    assert statements(plan) == [
        "GRANT SELECT ON `my\\_app`.* TO 'app'@'%'", "REVOKE SELECT ON `my_app`.* FROM 'app'@'%'"]


def test_accounts_that_are_not_declared_are_left_alone():
    everything = found({"*.*": EVERYWHERE})
    assert not deciding.decide(server(root=everything, stranger=everything), [], []).changes


# defect 24
@pytest.mark.parametrize(("existing", "schemas", "level"), [
    (["Taken"], [], "TAKEN.*"),
    ([], ["Taken"], "TAKEN.*"),
    (["Taken"], ["Taken"], "taken.orders"),
    (["Taken"], [], "`TAKEN`.`orders`"),
])
def test_a_grant_that_misses_its_schema_by_case_is_refused(existing, schemas, level):
    with pytest.raises(MooringError, match=r"but the schema is `Taken`: schema names are case-sensitive"):
        deciding.decide(server(schemas=existing), schemas, [declared(grants={level: ["SELECT"]})])


# defect 24
def test_a_schema_that_differs_only_in_case_is_refused():
    with pytest.raises(MooringError, match="Declare `Taken`"):
        deciding.decide(server(schemas=["Taken"]), ["TAKEN"], [])
    with pytest.raises(MooringError, match="two spellings"):
        deciding.decide(server(schemas=[]), ["Taken", "TAKEN"], [])


def test_a_server_that_folds_names_folds_the_declaration_too():
    held = found({"taken.*": ["SELECT"]})
    plan = deciding.decide(server(lower_case_names=1, app=held), ["TAKEN"], [declared(grants={"Taken.*": ["SELECT"]})])
    assert not plan.changes


# defect 24
def test_the_runbooks_grant_is_diagnosed_in_one_line():
    account = Found(ssl_type="ANY", accepts_password=True, grants={Level("schema", "TAKEN"): SCHEMA})
    plan = deciding.decide(server(schemas=["Taken"], app=account), ["Taken"],
                           [declared(grants={"Taken.*": ["SELECT"]})])
    assert plan.suspicious == ("grant on `TAKEN`.* for 'app'@'%', but the schema is `Taken`",)
    assert "REVOKE ALL ON `TAKEN`.* FROM 'app'@'%'" in statements(plan)


@pytest.mark.parametrize(("level", "line"), [
    ("takn.*", "grant on `takn`.* for 'app'@'%', but there is no such schema; the closest is `taken`"),
    ("zzz.t", "grant on `zzz`.`t` for 'app'@'%', but there is no such schema"),
    ("zzz%.*", "grant on `zzz%`.* for 'app'@'%', but no schema matches the pattern"),
    ("tak%.*", None),
    ("performance_schema.*", None),
])
def test_a_grant_without_a_schema_is_suspicious(level, line):
    plan = deciding.decide(server(), [], [declared(grants={level: ["SELECT"]})])
    assert list(plan.suspicious) == ([line] if line else [])


# defect 26
@pytest.mark.parametrize("names", [("taken", "TAKEN"), ("app", "app")])
def test_an_account_is_declared_once(names):
    with pytest.raises(MooringError, match="declared"):
        deciding.decide(server(), [], [declared(name=name) for name in names])


@pytest.mark.parametrize(("params", "message"), [
    ({"password": ""}, "empty password"),  # defect 27
    ({"name": ""}, "without a name"),
    # The server would write what it cannot parse into its slow log, password and all.
    ({"name": "a" * 33}, "its name has more than 32 characters"),
    ({"host": "h" * 256}, "its host has more than 255 characters"),
    ({"password": "ß" * 129}, "a password of more than 256 bytes"),
    ({"max_queries_per_hour": -1}, "max_queries_per_hour must be between 0, for no limit, and 4294967295"),
    ({"max_user_connections": 2**32}, "max_user_connections must be between 0"),
    ({"name": "root", "host": "localhost"}, "never managed"),
    ({"name": "mysql.sys", "host": "LOCALHOST"}, "never managed"),
    ({"grants": {"taken.*": "SELECT"}}, "must be a list"),
    ({"grants": {"*.*": ["ALL"]}}, "administrator: true"),  # defect 31
    ({"grants": {"*.*": ["all privileges"]}}, "administrator: true"),  # defect 31
    ({"grants": {"%.*": ["ALL"]}}, "administrator: true"),  # defect 31
    ({"grants": {"*.*": ["SELECT", "GRANT OPTION"]}}, "administrator: true"),
    ({"grants": {"mysql.*": ["INSERT"]}}, "administrator: true"),
    ({"grants": {"mysql.user": ["UPDATE"]}}, "administrator: true"),
    ({"grants": {"m%.*": ["INSERT"]}}, "covers the schema `mysql`"),
    ({"grants": {"*.*": ["SELECT", "UPDATE"]}}, "asks for UPDATE on"),
    ({"grants": {"*.*": ["PROCESS", "CREATE USER", "SUPER"]}}, "asks for CREATE USER, SUPER on"),
    ({"proxy_for": ["root@localhost"]}, "act as 'root'@'localhost'"),
    ({"name": "app "}, "its name ends with a space"),
])
def test_what_no_account_may_be(params, message):
    with pytest.raises(MooringError, match=message):
        declared(**params)


@pytest.mark.parametrize("levels", [
    {"*.*": ["ALL", "GRANT OPTION"]}, {"mysql.*": ["ALL"]},
])
def test_an_administrator_may(levels):
    assert declared(grants=levels, administrator=True).grants


def test_reading_the_accounts_schema_needs_no_administrator():
    assert declared(grants={"mysql.*": ["SELECT"], "taken.*": ["ALL"]}).grants
    assert declared(grants={"*.*": ["SELECT", "PROCESS", "LOCK TABLES", "EVENT", "TRIGGER"]}).grants
    assert declared(grants={"*.*": ["UPDATE"]}, without={"mysql.*": ["UPDATE"]}).grants


@pytest.mark.parametrize(("level", "name", "message"), [
    ("taken.*", "PROCESS", r"exists only on \*\.\*"),
    ("taken.*", "SELCT", "does not know it"),
    ("taken.t", "EXECUTE", r"exists only on \*\.\*"),
])
def test_privileges_the_server_does_not_know_there(level, name, message):
    with pytest.raises(MooringError, match=message):
        deciding.decide(server(), [], [declared(grants={level: [name]})])


def test_without_a_server_everything_is_to_be_created():
    plan = deciding.decide(Server(), ["taken"], [declared(grants={"taken.*": ["ALL"]})])
    assert statements(plan)[-1] == "GRANT ALL ON `taken`.* TO 'app'@'%'"
    assert [change.action for change in plan.changes] == ["created", "created"]


@pytest.mark.parametrize(("who", "others", "reached"), [
    (Who("app", "%"), [], True),
    (Who("app", "%"), [Who("app", "local%")], False),
    (Who("app", "%"), [Who("app", "192.0.2.%")], True),
    (Who("app", "localhost"), [Who("app", "%")], True),
    (Who("app", "%"), [Who("app", "localhost")], False),
    (Who("app", "%"), [Who("", "localhost")], False),
    (Who("app", "%"), [Who("other", "localhost")], True),
    (Who("app", "10.0.0.%"), [], False),
])
def test_which_accounts_the_socket_reaches(who, others, reached):
    assert deciding.reachable_by_socket(who, [who, *others]) is reached


@given(st.text(min_size=1, max_size=40))
def test_a_password_is_never_shown(password):
    account = Desired(Who("app", "%"), password, {})
    plan = deciding.decide(Server(), [], [account])
    marked = Desired(Who("app", "%"), f"<{password}>", {})
    assert f"<{password}>" not in repr(deciding.decide(Server(), [], [marked])) + str(marked)
    assert statements(plan)[0].count(grants.MASK) == 1
    assert grants.quote_text(password) in plan.statements[0].text


@pytest.mark.parametrize(("text", "quoted"), [
    ("plain", "'plain'"), ("it's", "'it''s'"), ("back\\slash", "'back\\\\slash'"), ("\\'", "'\\\\'''"),
])
def test_string_literals(text, quoted):
    assert grants.quote_text(text) == quoted


# ---------------------------------------------------------------- by their effect


@pytest.mark.parametrize(("held", "wanted", "expected", "equivalent"), [
    # What a broader level gives is neither missing nor extra.
    ({"*.*": ["SELECT"]}, {"*.*": ["SELECT"], "taken.*": ["SELECT"]}, [], 1),
    ({"*.*": ["SELECT"], "taken.*": ["SELECT"]}, {"*.*": ["SELECT"]}, [], 1),
    ({"taken.*": ["SELECT"], "taken.t": ["SELECT", "SELECT (a)"]}, {"taken.*": ["SELECT"]}, [], 1),
    ({"tak%.*": ["SELECT"], "taken.t": ["SELECT"]}, {"tak%.*": ["SELECT"]}, [], 1),
    ({"taken.t": ["SELECT"]}, {"taken.t": ["SELECT", "SELECT (a)"]}, [], 1),
    ({"taken.*": ["EXECUTE"], "PROCEDURE taken.p": ["EXECUTE"]}, {"taken.*": ["EXECUTE"]}, [], 1),
    # A dynamic privilege and an option say nothing of narrower levels.
    ({"*.*": ["BACKUP_ADMIN"], "taken.*": ["SELECT"]}, {"*.*": ["BACKUP_ADMIN"]},
     ["REVOKE SELECT ON `taken`.* FROM 'app'@'%'"], 0),
    # Two patterns match: which one counts is not known, so nothing follows.
    ({"t%.*": ["SELECT"], "tak%.*": ["SELECT"], "taken.t": ["SELECT"]}, {"t%.*": ["SELECT"], "tak%.*": ["SELECT"]},
     ["REVOKE SELECT ON `taken`.`t` FROM 'app'@'%'"], 0),
    # From everywhere to where it is needed: given before it is taken.
    ({"*.*": ["SELECT"]}, {"taken.*": ["SELECT"]},
     ["GRANT SELECT ON `taken`.* TO 'app'@'%'", "REVOKE SELECT ON *.* FROM 'app'@'%'"], 0),
    ({"taken.t": ["SELECT"]}, {"taken.t": ["SELECT (a, b)"]},
     ["GRANT SELECT (`a`), SELECT (`b`) ON `taken`.`t` TO 'app'@'%'",
      "REVOKE SELECT ON `taken`.`t` FROM 'app'@'%'"], 0),
])
def test_privileges_are_compared_by_their_effect(held, wanted, expected, equivalent):
    plan = deciding.decide(server(objects=["taken.t"], app=found(held)), [], [declared(grants=wanted)])
    assert statements(plan) == expected
    assert len(plan.equivalent) == equivalent


@pytest.mark.parametrize(("held", "wanted", "expected"), [
    ({"*.*": ["BACKUP_ADMIN", "GRANT OPTION"]}, {"*.*": ["BACKUP_ADMIN", "GRANT OPTION"]},
     ["GRANT BACKUP_ADMIN ON *.* TO 'app'@'%' WITH GRANT OPTION"]),
    ({}, {"*.*": ["BACKUP_ADMIN", "GRANT OPTION"]},
     ["GRANT USAGE ON *.* TO 'app'@'%' WITH GRANT OPTION",
      "GRANT BACKUP_ADMIN ON *.* TO 'app'@'%' WITH GRANT OPTION"]),
    ({}, {"*.*": ["FILE", "BACKUP_ADMIN"]},
     ["GRANT FILE ON *.* TO 'app'@'%'", "GRANT BACKUP_ADMIN ON *.* TO 'app'@'%'"]),
    ({}, {"*.*": ["ALL", "GRANT OPTION"]}, ["GRANT ALL ON *.* TO 'app'@'%' WITH GRANT OPTION"]),
    ({"*.*": ["BACKUP_ADMIN", "BACKUP_ADMIN WITH GRANT OPTION"]}, {"*.*": ["BACKUP_ADMIN"]},
     ["REVOKE GRANT OPTION ON *.* FROM 'app'@'%'", "FLUSH PRIVILEGES"]),
    # The option goes with the privilege.
    ({"*.*": ["BACKUP_ADMIN", "BACKUP_ADMIN WITH GRANT OPTION", "FILE", "GRANT OPTION"]},
     {"*.*": ["FILE", "GRANT OPTION"]}, ["REVOKE BACKUP_ADMIN ON *.* FROM 'app'@'%'"]),
])
def test_each_dynamic_privilege_has_an_option_of_its_own(held, wanted, expected):
    account = Found(ssl_type="ANY", accepts_password=True,
                    grants={grants.parse_level(level): frozenset(names) for level, names in held.items()})
    plan = deciding.decide(server(app=account), [], [declared(grants=wanted, administrator=True)])
    assert statements(plan) == expected


def test_a_partial_revoke_is_declared_given_and_taken():
    wanted = declared(grants={"*.*": ["SELECT", "INSERT"]},
                      without={"mysql.*": ["INSERT"], "my_app.*": ["SELECT"]})
    plan = deciding.decide(server(partial_revokes=True, app=found({"*.*": ["SELECT"]})), [], [wanted])
    assert statements(plan) == [
        "GRANT INSERT ON *.* TO 'app'@'%'", "REVOKE SELECT ON `my_app`.* FROM 'app'@'%'",
        "REVOKE INSERT ON `mysql`.* FROM 'app'@'%'"]
    held = found({"*.*": ["SELECT"]})
    held.grants[Level("restriction", "taken")] = frozenset({"SELECT"})
    plan = deciding.decide(server(partial_revokes=True, app=held), [], [declared(grants={"*.*": ["SELECT"]})])
    assert statements(plan) == ["GRANT SELECT ON `taken`.* TO 'app'@'%'"]
    assert fields(plan) == {("account 'app'@'%'", "partial revoke on `taken`.*"): (None, "SELECT")}


def test_where_names_are_taken_literally_a_backslash_would_be_part_of_them():
    wanted = declared(grants={"my_app.*": ["SELECT"]})
    assert statements(deciding.decide(server(["my_app"], app=found()), [], [wanted])) == [
        "GRANT SELECT ON `my\\_app`.* TO 'app'@'%'"]
    assert statements(deciding.decide(server(["my_app"], partial_revokes=True, app=found()), [], [wanted])) == [
        "GRANT SELECT ON `my_app`.* TO 'app'@'%'"]
    with pytest.raises(MooringError, match="name each schema"):
        deciding.decide(server(partial_revokes=True), [], [declared(grants={"tenant%.*": ["SELECT"]})])


@pytest.mark.parametrize(("params", "message"), [
    ({"grants": {"*.*": ["SELECT"]}, "without": {"mysql.*": ["SELECT"]}}, "needs partial_revokes: ON"),
    ({"grants": {"LIBRARY taken.js": ["EXECUTE"]}}, "this server has nothing of the kind LIBRARY"),
    ({"roles": ["readr"]}, "role 'readr'@'%', which is neither declared nor on the server; the closest is `reader`"),
])
def test_what_the_server_cannot_do_is_refused(params, message):
    with pytest.raises(MooringError, match=message):
        deciding.decide(server(reader=found()), [], [declared(**params)])


@pytest.mark.parametrize(("params", "message"), [
    ({"without": {"mysql.t": ["SELECT"]}}, "takes single schemas"),
    ({"without": {"my%.*": ["SELECT"]}}, "takes single schemas"),
    ({"grants": {"*.*": ["SELECT"]}, "without": {"mysql.*": ["DROP"]}}, "takes DROP away .* does not give it"),
    ({"roles": ["app"]}, "cannot be its own role"),
    ({"role": True}, "is a role, which has no password"),
    ({"roles": ["@host"]}, "is not an account"),
    ({"proxy_for": ["other WITH GRANT OPTION"]}, "GRANT OPTION on"),
    ({"grants": {"taken.*": ["SELECT (a)"]}}, "columns can be given for single tables only"),
    ({"grants": {"PROCEDURE mysql.p": ["ALTER ROUTINE"]}}, "administrator: true"),
])
def test_what_is_no_declaration_is_refused(params, message):
    with pytest.raises(MooringError, match=message):
        declared(**params)


# ---------------------------------------------------------------- roles, proxies, who is to go


def test_roles_are_made_first_and_are_active():
    plan = deciding.decide(server(), [], [
        declared(roles=["reader", "writer@localhost WITH ADMIN OPTION"], proxy_for=["other"]),
        declared_role(grants={"taken.*": ["SELECT"]}), declared_role(name="writer", host="localhost")])
    assert statements(plan) == [
        "CREATE ROLE 'reader'@'%'", "CREATE ROLE 'writer'@'localhost'",
        "CREATE USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********' REQUIRE SSL WITH "
        "MAX_USER_CONNECTIONS 0",
        "GRANT SELECT ON `taken`.* TO 'reader'@'%'",
        "GRANT PROXY ON 'other'@'%' TO 'app'@'%'", "GRANT 'reader'@'%' TO 'app'@'%'",
        "GRANT 'writer'@'localhost' TO 'app'@'%' WITH ADMIN OPTION",
        "SET DEFAULT ROLE 'reader'@'%', 'writer'@'localhost' TO 'app'@'%'"]


ROLE = Level("role", "reader", "%")


@pytest.mark.parametrize(("held", "active", "roles", "expected"), [
    ({"MEMBER"}, True, ["reader"], []),
    ({"MEMBER"}, False, ["reader"], ["SET DEFAULT ROLE 'reader'@'%' TO 'app'@'%'"]),
    # An option cannot be taken alone.
    ({"MEMBER", "ADMIN OPTION"}, True, ["reader"],
     ["REVOKE 'reader'@'%' FROM 'app'@'%'", "GRANT 'reader'@'%' TO 'app'@'%'"]),
    # What is revoked is no longer active.
    ({"MEMBER"}, True, [], ["REVOKE 'reader'@'%' FROM 'app'@'%'"]),
])
def test_memberships(held, active, roles, expected):
    account = Found(ssl_type="ANY", accepts_password=True, grants={ROLE: frozenset(held)},
                    default_roles=frozenset({ROLE.who} if active else ()))
    plan = deciding.decide(server(app=account, reader=Found(locked=True)), [], [declared(roles=roles)])
    assert statements(plan) == expected


def test_a_role_that_can_log_in_is_locked():
    plan = deciding.decide(server(reader=Found(locked=False)), [], [declared_role()])
    assert statements(plan) == ["ALTER USER 'reader'@'%' ACCOUNT LOCK"]
    as_made = Found(locked=True, expired=True, without_password=True)
    assert not deciding.decide(server(reader=as_made), [], [declared_role()]).changes


def test_who_is_absent_goes():
    gone = declared(state="absent")
    plan = deciding.decide(server(app=found()), [], [gone])
    assert statements(plan) == ["DROP USER 'app'@'%'"]
    assert fields(plan) == {("account 'app'@'%'", "presence"): (None, "present")}
    assert plan.diff == {"before": "account 'app'@'%'\n", "after": ""}
    assert not deciding.decide(server(), [], [gone]).changes


def test_exclusive_drops_strangers_but_not_the_server_its_own_nor_what_is_in_use():
    accounts = {who: Found() for who in (
        Who("stranger", "%"), Who("", "localhost"), Who("root", "localhost"), Who("root", "%"),
        Who("mysql.sys", "localhost"), Who("reader", "%"), Who("chief", "%"))}
    one = Server(frozenset(), accounts, PRIVILEGES, current=Who("chief", "%"))
    plan = deciding.decide(one, [], [declared(roles=["reader"])], exclusive=True)
    assert [statement for statement in statements(plan) if statement.startswith("DROP")] == [
        "DROP USER ''@'localhost'", "DROP USER 'root'@'%'", "DROP USER 'stranger'@'%'"]


def test_exclusive_keeps_what_others_live_on():
    member = frozenset({"MEMBER"})
    accounts = {
        Who("outer", "%"): found(roles=["inner"]), Who("inner", "%"): found(), Who("mandatory", "%"): found(),
        Who("of-root", "%"): found(), Who("of-at-least", "%"): found(), Who("proxied", "%"): found(),
        Who("owner", "%"): found(), Who("dropped", "%"): found(), Who("of-exact", "%"): found(),
        Who("root", "localhost"): Found(grants={Level("role", "of-root", "%"): member}),
        Who("lax", "%"): found(roles=["of-at-least"]), Who("app", "%"): found(roles=["of-exact"])}
    one = Server(frozenset(), accounts, PRIVILEGES, mandatory=frozenset({Who("mandatory", "%")}),
                 defines={Who("owner", "%"): ("view `s`.`v`",)})
    plan = deciding.decide(one, [], [declared(roles=["outer"], proxy_for=["proxied"]),
                                     declared(name="lax", match="at_least")], exclusive=True)
    assert [statement for statement in statements(plan) if statement.startswith("DROP")] == [
        "DROP USER 'dropped'@'%'", "DROP USER 'of-exact'@'%'"]
    assert plan.suspicious == ("account 'owner'@'%' is not declared, and stays: view `s`.`v` run with its rights. Give "
                               "them another DEFINER first",)
    with pytest.raises(MooringError, match="cannot be dropped: view `s`.`v` run with its rights"):
        deciding.decide(one, [], [declared(name="owner", state="absent")])


def test_who_is_absent_cannot_be_a_role_of_others_and_is_one_account():
    gone = declared(name="reader", state="absent")
    with pytest.raises(MooringError, match="neither declared nor on the server"):
        deciding.decide(server(reader=Found(locked=True)), [], [declared(roles=["reader"]), gone])
    one = Server(frozenset(), {Who("reader", "192.0.2.1"): found({"taken.*": ["SELECT"]})}, PRIVILEGES)
    assert "has the same user as 'reader'@'%'" in deciding.decide(one, [], [gone]).suspicious[0]


def test_roles_of_roles_are_made_before_either_is_granted():
    plan = deciding.decide(server(), [], [declared_role(name="a", roles=["z"]), declared_role(name="z")])
    assert statements(plan)[:2] == ["CREATE ROLE 'a'@'%'", "CREATE ROLE 'z'@'%'"]


def test_at_least_keeps_what_a_pattern_gave():
    plan = deciding.decide(server(["shop_a"], app=found({"shop%.*": ["SELECT"]})), [],
                           [declared(grants={"shop_a.*": ["UPDATE"]}, match="at_least")])
    assert statements(plan) == ["GRANT SELECT, UPDATE ON `shop\\_a`.* TO 'app'@'%'"]
    exact = [declared(grants={"shop_a.*": ["UPDATE"], "shop%.*": ["SELECT"]})]
    assert "GRANT UPDATE ON `shop\\_a`.* TO 'app'@'%'" in statements(
        deciding.decide(server(["shop_a"], app=found({"shop%.*": ["SELECT"]})), [], exact))


def test_a_row_without_a_schema_is_reported():
    account = Found(ssl_type="ANY", accepts_password=True, grants={Level("schema"): frozenset({"SELECT"})})
    plan = deciding.decide(server(app=account), [], [declared()])
    assert not plan.changes and "a row without a schema in mysql.db" in plan.suspicious[0]


def test_the_account_that_this_runs_as_loses_nothing():
    one = Server(frozenset(), {Who("app", "%"): found({"*.*": EVERYWHERE})}, PRIVILEGES, current=Who("app", "%"))
    assert not deciding.decide(one, [], [declared(locked=True)]).changes
    with pytest.raises(MooringError, match="cannot be absent"):
        deciding.decide(one, [], [declared(state="absent")])


# ---------------------------------------------------------------- passwords


KEPT = " RETAIN CURRENT PASSWORD"
SET = "ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********'"
DISCARD = "ALTER USER 'app'@'%' DISCARD OLD PASSWORD"


@pytest.mark.parametrize(("facts", "before", "hours", "expected"), [
    # Another one was declared before, or nobody remembers: clients need time.
    ({"accepts_password": False}, False, 24, [SET + KEPT]),
    ({"accepts_password": False}, None, 24, [SET + KEPT]),
    # This very one was declared: somebody changed it on the server.
    ({"accepts_password": False}, True, 24, [SET]),
    ({"accepts_password": False, "old_password_hours": 1}, True, 24, [SET, DISCARD]),
    ({"accepts_password": False}, False, 0, [SET]),
    # There is nothing to retain, and it is open to everybody, whether somebody can try or not.
    ({"accepts_password": False, "without_password": True}, False, 24, [SET]),
    ({"accepts_password": None, "without_password": True}, True, 24, [SET]),
    # The older of two is declared again: the newer one is what clients have.
    ({"old_password_hours": 1}, False, 24, [SET + KEPT]),
    ({"old_password_hours": 30}, False, 24, [SET + KEPT]),
    ({"old_password_hours": 30}, False, 0, [SET, DISCARD]),
    ({"accepts_password": False, "expired": True}, False, 24, [SET]),
    # Nobody can try.
    ({"accepts_password": None}, None, 24, []),
    ({"accepts_password": None}, True, 24, []),
    ({"accepts_password": None}, False, 24, [SET + KEPT]),
    # The old one goes in its time.
    ({"old_password_hours": 23}, True, 24, []),
    ({"old_password_hours": 24}, True, 24, [SET, DISCARD]),
])
def test_how_a_password_changes(facts, before, hours, expected):
    rotation = deciding.Rotation(hours, {} if before is None else {Who("app", "%"): before})
    plan = deciding.decide(server(app=found(**facts)), [], [declared()], rotation=rotation)
    assert statements(plan) == expected
    assert bool(plan.differences) == bool(expected)


def test_a_password_is_set_once_in_a_run():
    rotation = deciding.Rotation(24, {Who("app", "%"): False}, settled=[Who("app", "%")])
    for accepts in (False, None):
        assert not deciding.decide(server(app=found(accepts_password=accepts, old_password_hours=0)), [], [declared()],
                                   rotation=rotation).changes


# ---------------------------------------------------------------- what is odd


@pytest.mark.parametrize(("who", "facts", "words"), [
    (Who("", "localhost"), {}, "has no name"),
    (Who("x", "%"), {"without_password": True}, "has no password"),  # defect 27
    (Who("x", "%"), {"plugin": "mysql_native_password"}, "mysql_native_password is outdated"),
    (Who("x", "localhost"), {"held": {"*.*": EVERYWHERE}}, r"it has ALL on \*\.\*"),
    (Who("x", "192.0.2.%"), {"held": {"*.*": ["FILE", "SELECT"]}}, "from many hosts and has FILE"),
    (Who("x", "%"), {}, "never granted anything"),
    (Who("x", "%"), {"held": {"TAKEN.*": ["SELECT"]}}, "but the schema is `taken`"),  # defect 24
])
def test_what_is_odd_about_an_account_that_nobody_declared(who, facts, words):
    account = found(**facts)
    one = Server(frozenset({"taken"}), {who: account, Who("root", "localhost"): found({"*.*": EVERYWHERE})}, PRIVILEGES)
    (line,) = [line for line in deciding.decide(one, [], []).suspicious if "never" not in line or "never" in words]
    assert re.search(words, line)


def test_what_is_not_odd():
    member = found(roles=["reader"])
    one = server(x=found({"taken.*": ["SELECT"]}), reader=Found(locked=True, without_password=True), y=member,
                 locked=Found(locked=True, without_password=True))
    assert deciding.decide(one, [], []).suspicious == ()


def test_one_user_with_several_accounts():
    accounts = {Who("app", "%"): found({"taken.*": ["SELECT"]}), Who("app", "localhost"): found({"taken.*": ["DROP"]})}
    one = Server(frozenset({"taken"}), accounts, PRIVILEGES)
    (line,) = deciding.decide(one, [], [declared(grants={"taken.*": ["SELECT"]})]).suspicious
    assert line.startswith("user 'app' has several accounts, 'app'@'%' and 'app'@'localhost'")
    both = [declared(grants={"taken.*": ["SELECT"]}), declared(host="localhost", grants={"taken.*": ["DROP"]})]
    assert deciding.decide(one, [], both).suspicious == ()


def test_a_pattern_that_does_not_reach():
    plan = deciding.decide(server(), [], [declared(grants={"tak%.*": ["SELECT", "INSERT"], "taken.*": ["SELECT"]})])
    assert plan.suspicious == (
        "grants on `tak%`.* and `taken`.* for 'app'@'%' all match the schema `taken`, where MySQL takes one and "
        "forgets the others: the exact name, if there is one",)


@pytest.mark.parametrize(("level", "names", "objects", "line"), [
    ("taken.ordes", ["SELECT"], ["taken.orders"],
     "but there is no such table; the closest is `orders`. A run grants it when it is there"),
    # The one to create it can be given before.
    ("taken.ordes", ["SELECT", "CREATE"], [], None),
    ("taken.orders", ["SELECT"], ["taken.orders"], None),
])
def test_a_table_that_is_not_there_waits(level, names, objects, line):
    plan = deciding.decide(server(objects=objects, app=found()), [], [declared(grants={level: names})])
    assert bool(plan.changes) == (line is None)
    assert [one.endswith(line) for one in plan.suspicious] == ([True] if line else [])


def test_a_table_missed_by_case_is_refused():
    with pytest.raises(MooringError, match="but the table is `Orders`"):
        deciding.decide(server(objects=["taken.Orders"]), [], [declared(grants={"taken.orders": ["SELECT"]})])


def test_a_server_that_remembers_capitals_and_does_not_tell_them_apart():
    held = Found(ssl_type="ANY", accepts_password=True, grants={Level("schema", "Taken"): frozenset({"SELECT"})})
    one = server(["Taken"], lower_case_names=2, app=held)
    assert not deciding.decide(one, ["taken"], [declared(grants={"TAKEN.*": ["SELECT"]})]).changes


def test_tables_that_the_server_has_not_read():
    plan = deciding.decide(server(app=found({"taken.*": ["SELECT"]}, in_force=False)), [],
                           [declared(grants={"taken.*": ["SELECT"]})])
    assert statements(plan) == ["FLUSH PRIVILEGES"]
    assert fields(plan) == {("account 'app'@'%'", "grants in force"): ("those of its tables", "others")}


# ---------------------------------------------------------------- asking the server


def test_a_probe_names_its_place_and_nothing_that_exists():
    for probe in proof.in_schema_probes("my`app"):
        assert "`my``app`.`__mooring_probe`" in probe.sql
        assert not re.search(r"\bP\b", probe.sql)
        (name,) = probe.privileges
        # Each error means one thing, and that of a server that is read-only means nothing.
        assert probe.says_no(1044 if name == "LOCK TABLES" else 1142) is True
        assert [probe.says_no(error) for error in probe.allowed] == [False] * len(probe.allowed)
        assert probe.says_no(1290) is None and probe.says_no(None) is None


def test_what_an_account_may_comes_from_its_active_roles_too():
    account = Found(grants={ROLE: frozenset({"MEMBER"}), Level("schema", "tak%"): frozenset({"INSERT"})},
                    default_roles=frozenset({ROLE.who}))
    reader = found({"taken.*": ["SELECT"], "*.*": ["PROCESS", "DROP"]}, roles=["inner"])
    reader.grants[Level("restriction", "taken")] = frozenset({"DROP"})
    one = server(app=account, reader=reader, inner=found({"taken.*": ["UPDATE"]}))
    app = Who("app", "%")
    # The exact name, which is the role's, hides the pattern.
    assert proof.holds(one, app, "taken") & SCHEMA == {"SELECT", "UPDATE"}
    assert proof.holds(one, app, "takes") & SCHEMA == {"INSERT", "DROP"}
    inactive = server(app=Found(grants=account.grants), reader=reader)
    assert proof.holds(inactive, app, "taken") & SCHEMA == {"INSERT"}
    expected = {(where, *sorted(probe.privileges)): may
                for probe, where, may in proof.expectations(one, app, ["taken"])}
    assert expected[("*.*", "PROCESS")] and not expected[("*.*", "FILE")]
    assert expected[("`taken`.*", "SELECT")] and not expected[("`taken`.*", "DROP")]


def test_all_roles_may_be_active():
    one = server(app=found(roles=["reader"]), reader=found({"taken.*": ["UPDATE"]}), all=found({"taken.*": ["DROP"]}))
    everybody = dataclasses.replace(one, all_active=True, mandatory=frozenset({Who("all", "%")}))
    assert proof.holds(one, Who("app", "%"), "taken") == set()
    assert proof.holds(everybody, Who("app", "%"), "taken") == {"UPDATE", "DROP"}


def test_nothing_is_expected_where_two_patterns_match():
    one = server(app=found({"t%.*": ["SELECT"], "tak%.*": ["INSERT"]}))
    assert {where for _probe, where, _may in proof.expectations(one, Who("app", "%"), ["taken"])} == {"*.*"}


def test_lines_of_show_grants_are_what_the_tables_say():
    lines = [parse(line) for line in (
        "GRANT SELECT, FILE ON *.* TO `app`@`%` WITH GRANT OPTION", "GRANT BACKUP_ADMIN ON *.* TO `app`@`%`",
        "GRANT SYSTEM_USER ON *.* TO `app`@`%` WITH GRANT OPTION", "REVOKE SELECT ON `a_b`.* FROM `app`@`%`",
        "GRANT ALL PRIVILEGES ON `a_b`.* TO `app`@`%`", "GRANT SELECT, INSERT (`A`, `b`) ON `t`.`T` TO `app`@`%`",
        "GRANT EXECUTE ON PROCEDURE `t`.`P` TO `app`@`%`", "GRANT PROXY ON `o`@`H` TO `app`@`%` WITH GRANT OPTION",
        "GRANT `r`@`%` TO `app`@`%`", "GRANT `s`@`%` TO `app`@`%` WITH ADMIN OPTION")]
    held = {
        GLOBAL: {"SELECT", "FILE", "GRANT OPTION", "BACKUP_ADMIN", "SYSTEM_USER", "SYSTEM_USER WITH GRANT OPTION"},
        Level("restriction", "a_b"): {"SELECT"}, Level("schema", "a\\_b"): SCHEMA,
        Level("table", "t", "T"): {"SELECT", "INSERT (`a`)", "INSERT (`b`)"}, Level("procedure", "t", "p"): {"EXECUTE"},
        Level("proxy", "o", "h"): {"PROXY", "GRANT OPTION"}, Level("role", "r", "%"): {"MEMBER"},
        Level("role", "s", "%"): {"MEMBER", "ADMIN OPTION"}}
    assert proof.held_by_lines(server(partial_revokes=True), lines) == held
    # A column adds nothing to the whole table, and is not shown beside ALL.
    held[Level("table", "t", "T")] = {"SELECT", "SELECT (`a`)", "INSERT (`a`)", "INSERT (`b`)"}
    assert proof.same(proof.held_by_lines(server(partial_revokes=True), lines), held)
