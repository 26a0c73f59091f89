"""Table tests of what MySQL accounts and grants need."""

from __future__ import annotations

import string

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _grants as grants
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    GLOBAL,
    Desired,
    Found,
    Level,
    Server,
    Who,
)
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
              "max_user_connections": 0, "match": "exact", "administrator": False}
    return grants.desired_account({**params, **given_params})


def server(schemas=("taken",), lower_case_names=False, **accounts):
    """A server with accounts given as user=Found, all of them at any host."""
    return Server(frozenset(schemas), {Who(user, "%"): found for user, found in accounts.items()},
                  PRIVILEGES, lower_case_names)


def found(held=None, **facts):
    """An account of the server that is as ``declared()`` wants it, but for what is given."""
    facts = {"ssl_type": "ANY", "accepts_password": True, **facts}
    return Found(grants={grants.parse_level(level): frozenset(names) for level, names in (held or {}).items()}, **facts)


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
])
def test_levels_are_read(text, level):
    assert grants.parse_level(text) == level


@pytest.mark.parametrize("text", [
    "", "*", "taken", "taken.", ".taken", "*.orders", "a.b.c", "`taken.*", "``.*", "ta`ken.*", "taken.*.*",
    "my app.*", "ta*.x", "PROCEDURE taken.p", "`a`b.*",
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
])
def test_privileges_are_read(names, privileges):
    assert grants.parse_privileges(names) == privileges


@pytest.mark.parametrize("name", ["", "SELECT (a, b)", "SELECT; DROP USER x", "SELECT ON *.* TO x --", "`SELECT`"])
def test_what_is_no_privilege_is_refused(name):
    with pytest.raises(MooringError):
        grants.parse_privileges([name])


def test_a_new_account():
    plan = grants.decide(server(schemas=()), ["taken"], [declared(
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
    plan = grants.decide(server(app=found({"taken.*": ["SELECT"]})), ["taken"],
                         [declared(grants={"taken.*": ["SELECT"]})])
    assert plan.changes == ()
    assert plan.diff == {"before": "", "after": ""}


@pytest.mark.parametrize(("facts", "params", "statement"), [
    ({"accepts_password": False}, {}, "ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********'"),
    # Nobody could try: not a change.
    ({"accepts_password": None}, {}, None),
    ({"plugin": "mysql_native_password"}, {},
     "ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********'"),
    ({"ssl_type": ""}, {}, "ALTER USER 'app'@'%' REQUIRE SSL"),
    ({"ssl_type": "X509"}, {}, None),
    ({}, {"require_tls": False}, "ALTER USER 'app'@'%' REQUIRE NONE"),
    ({}, {"max_user_connections": 3}, "ALTER USER 'app'@'%' WITH MAX_USER_CONNECTIONS 3"),
    ({"max_user_connections": 3}, {}, "ALTER USER 'app'@'%' WITH MAX_USER_CONNECTIONS 0"),
    ({"locked": True}, {}, "ALTER USER 'app'@'%' ACCOUNT UNLOCK"),
    ({"locked": True, "ssl_type": "", "accepts_password": False}, {"max_user_connections": 1},
     "ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********' REQUIRE SSL "
     "WITH MAX_USER_CONNECTIONS 1 ACCOUNT UNLOCK"),
])
def test_an_existing_account(facts, params, statement):
    plan = grants.decide(server(app=found(**facts)), [], [declared(**params)])
    assert statements(plan) == ([statement] if statement else [])
    assert bool(plan.differences) == bool(statement)


def fields(plan):
    return {(one.object, one.field): (one.expected, one.found) for one in plan.differences}


def test_each_field_of_an_account_is_named_and_no_password():
    account = found({"taken.*": ["SELECT", "DROP"], "*.*": ["FILE"]}, ssl_type="", max_user_connections=3, locked=True,
                    accepts_password=False, roles=frozenset({Who("reader", "%")}))
    plan = grants.decide(server(app=account), ["taken", "new"], [
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
        (app, "role 'reader'@'%'"): ("not granted", "granted"),
    }


def test_what_may_stay_is_expected():
    plan = grants.decide(server(app=found({"taken.*": ["DROP"]})), [],
                         [declared(grants={"taken.*": ["SELECT"]}, match="at_least")])
    assert fields(plan) == {("account 'app'@'%'", "grants on `taken`.*"): ("DROP, SELECT", "DROP")}


def test_a_missing_account_is_one_difference():
    plan = grants.decide(server(), [], [declared(grants={"taken.*": ["SELECT"]})])
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
    plan = grants.decide(server(app=found(held)), ["taken"], [declared(grants=wanted)])
    assert statements(plan) == expected
    assert bool(plan.differences) == bool(expected)


def test_at_least_takes_nothing_away():
    roles = frozenset({Who("reader", "%")})
    plan = grants.decide(server(app=found({"taken.*": ["DROP"]}, roles=roles)), [],
                         [declared(grants={"taken.*": ["SELECT"]}, match="at_least")])
    assert statements(plan) == ["GRANT SELECT ON `taken`.* TO 'app'@'%'"]


def test_exact_takes_roles_columns_and_routines_away():
    held = {Level("procedure", "taken", "p"): frozenset({"EXECUTE"}),
            Level("table", "taken", "t"): frozenset({"SELECT (`a`)"})}
    account = Found(ssl_type="ANY", accepts_password=True, grants=held, roles=frozenset({Who("reader", "%")}))
    plan = grants.decide(server(app=account), [], [declared()])
    assert statements(plan) == [
        "REVOKE EXECUTE ON PROCEDURE `taken`.`p` FROM 'app'@'%'",
        "REVOKE SELECT (`a`) ON `taken`.`t` FROM 'app'@'%'",
        "REVOKE 'reader'@'%' FROM 'app'@'%'",
    ]


def test_a_wildcard_grant_is_replaced_by_the_exact_one():
    # GRANT ... ON my_app.* written by hand also opens my-app and myXapp.
    account = Found(ssl_type="ANY", accepts_password=True, grants={Level("schema", "my_app"): frozenset({"SELECT"})})
    plan = grants.decide(server(schemas=["my_app"], app=account), [], [declared(grants={"my_app.*": ["SELECT"]})])
    assert statements(plan) == [
        "GRANT SELECT ON `my\\_app`.* TO 'app'@'%'", "REVOKE SELECT ON `my_app`.* FROM 'app'@'%'"]


def test_accounts_that_are_not_declared_are_left_alone():
    everything = found({"*.*": EVERYWHERE})
    assert not grants.decide(server(root=everything, stranger=everything), [], []).changes


# defect 24
@pytest.mark.parametrize(("existing", "schemas", "level"), [
    (["Taken"], [], "TAKEN.*"),
    ([], ["Taken"], "TAKEN.*"),
    (["Taken"], ["Taken"], "taken.orders"),
    (["Taken"], [], "`TAKEN`.`orders`"),
])
def test_a_grant_that_misses_its_schema_by_case_is_refused(existing, schemas, level):
    with pytest.raises(MooringError, match=r"but the schema is `Taken`: schema names are case-sensitive"):
        grants.decide(server(schemas=existing), schemas, [declared(grants={level: ["SELECT"]})])


# defect 24
def test_a_schema_that_differs_only_in_case_is_refused():
    with pytest.raises(MooringError, match="Declare `Taken`"):
        grants.decide(server(schemas=["Taken"]), ["TAKEN"], [])
    with pytest.raises(MooringError, match="two spellings"):
        grants.decide(server(schemas=[]), ["Taken", "TAKEN"], [])


def test_a_server_that_folds_names_folds_the_declaration_too():
    held = found({"taken.*": ["SELECT"]})
    plan = grants.decide(server(lower_case_names=True, app=held), ["TAKEN"], [declared(grants={"Taken.*": ["SELECT"]})])
    assert not plan.changes


# defect 24
def test_the_runbooks_grant_is_diagnosed_in_one_line():
    account = Found(ssl_type="ANY", accepts_password=True, grants={Level("schema", "TAKEN"): SCHEMA})
    plan = grants.decide(server(schemas=["Taken"], app=account), ["Taken"], [declared(grants={"Taken.*": ["SELECT"]})])
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
    plan = grants.decide(server(), [], [declared(grants={level: ["SELECT"]})])
    assert list(plan.suspicious) == ([line] if line else [])


# defect 26
@pytest.mark.parametrize("names", [("taken", "TAKEN"), ("app", "app")])
def test_an_account_is_declared_once(names):
    with pytest.raises(MooringError, match="declared"):
        grants.decide(server(), [], [declared(name=name) for name in names])


@pytest.mark.parametrize(("params", "message"), [
    ({"password": ""}, "empty password"),  # defect 27
    ({"name": ""}, "without a name"),
    ({"name": "root", "host": "localhost"}, "never managed"),
    ({"name": "mysql.sys", "host": "LOCALHOST"}, "never managed"),
    ({"grants": {"taken.*": "SELECT"}}, "must be a list"),
    ({"grants": {"*.*": ["ALL"]}}, "administrator: true"),  # defect 31
    ({"grants": {"*.*": ["all privileges"]}}, "administrator: true"),  # defect 31
    ({"grants": {"%.*": ["ALL"]}}, "administrator: true"),  # defect 31
    ({"grants": {"*.*": ["SELECT", "GRANT OPTION"]}}, "administrator: true"),
    ({"grants": {"mysql.*": ["INSERT"]}}, "administrator: true"),
    ({"grants": {"mysql.user": ["UPDATE"]}}, "administrator: true"),
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


@pytest.mark.parametrize(("level", "name", "message"), [
    ("taken.*", "PROCESS", r"exists only on \*\.\*"),
    ("taken.*", "SELCT", "does not know it"),
    ("taken.t", "EXECUTE", r"exists only on \*\.\*"),
])
def test_privileges_the_server_does_not_know_there(level, name, message):
    with pytest.raises(MooringError, match=message):
        grants.decide(server(), [], [declared(grants={level: [name]})])


def test_without_a_server_everything_is_to_be_created():
    plan = grants.decide(Server(), ["taken"], [declared(grants={"taken.*": ["ALL"]})])
    assert statements(plan)[-1] == "GRANT ALL ON `taken`.* TO 'app'@'%'"
    assert [change.action for change in plan.changes] == ["created", "created"]


@pytest.mark.parametrize(("who", "others", "reached"), [
    (Who("app", "%"), [], True),
    (Who("app", "localhost"), [Who("app", "%")], True),
    (Who("app", "%"), [Who("app", "localhost")], False),
    (Who("app", "%"), [Who("", "localhost")], False),
    (Who("app", "%"), [Who("other", "localhost")], True),
    (Who("app", "10.0.0.%"), [], False),
])
def test_which_accounts_the_socket_reaches(who, others, reached):
    assert grants.reachable_by_socket(who, [who, *others]) is reached


@given(st.text(min_size=1, max_size=40))
def test_a_password_is_never_shown(password):
    account = Desired(Who("app", "%"), password, {})
    plan = grants.decide(Server(), [], [account])
    marked = Desired(Who("app", "%"), f"<{password}>", {})
    assert f"<{password}>" not in repr(grants.decide(Server(), [], [marked])) + str(marked)
    assert statements(plan)[0].count(grants.MASK) == 1
    assert grants.quote_text(password) in plan.statements[0].text


@pytest.mark.parametrize(("text", "quoted"), [
    ("plain", "'plain'"), ("it's", "'it''s'"), ("back\\slash", "'back\\\\slash'"), ("\\'", "'\\\\'''"),
])
def test_string_literals(text, quoted):
    assert grants.quote_text(text) == quoted
