"""mysql_grants against a real MySQL server: what is read is what the server answers, and what is converged holds."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import sys
import typing as t

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

import mysql  # noqa: E402
import pymysql  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils import _grants as grants  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils import _mysql  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._grants import Level, Who  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._grants_proof import expectations, same  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._mysql import Mysql  # noqa: E402

APP = Who("app", "%")
ROLE = Who("reader", "%")
SCHEMAS = ("s1", "s2", "s_1", "sx1")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[mysql.Server]:
    """One server for all tests of this file."""
    with mysql.Server(tmp_path_factory.mktemp("mysql")) as server:
        yield server


@pytest.fixture
def server(running: mysql.Server) -> mysql.Server:
    """The server, with a few schemas and no accounts."""
    begin(running)
    return running


def begin(server: mysql.Server, partial_revokes: bool = False) -> None:
    """Nothing but schemas with something in them."""
    server.forget()
    server.sql(f"SET GLOBAL partial_revokes = {'ON' if partial_revokes else 'OFF'}",
               *(f"CREATE DATABASE {name}" for name in SCHEMAS), "CREATE TABLE s1.t (a INT, b INT)",
               "CREATE TABLE s1.u (a INT)", "CREATE PROCEDURE s1.close_day() SELECT 1",
               "CREATE FUNCTION s1.twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2")


@contextlib.contextmanager
def client(server: mysql.Server) -> t.Iterator[Mysql]:
    """The module's own client, as root."""
    session = Mysql(str(server.socket), "root", mysql.PASSWORD)
    try:
        yield session
    finally:
        session.close()


def account(name: str = "app", **params: t.Any) -> dict[str, t.Any]:
    """A declared account."""
    return {"name": name, "password": "a pass'word\\", **params}


def held(server: mysql.Server, who: Who) -> dict[Level, frozenset[str]]:
    """What the tables say, which has to be what the server honours."""
    with client(server) as session:
        found = session.read([])
        assert same(session.honoured(who, found), found.accounts[who].grants)
        return dict(found.accounts[who].grants)


def stable(server: mysql.Server, *accounts: dict[str, t.Any], **params: t.Any) -> None:
    """The next run changes nothing, and check mode knows."""
    for check in (True, False):
        result = server.converge(accounts, check, **params).good()
        assert (result["changed"], result["statements"], result["differences"]) == (False, [], [])


# Each privilege that ALL stands for, on each level, by plain SQL. The server's own list is the table.
@pytest.mark.parametrize(("kind", "level"), [
    ("global", "*.*"), ("schema", "s1.*"), ("schema", "s_1.*"), ("table", "s1.t"),
    ("procedure", "PROCEDURE s1.close_day"), ("function", "FUNCTION s1.twice"),
])
def test_every_privilege_of_a_level_is_read_compared_and_taken(server, kind, level):
    with client(server) as session:
        names = sorted(session.read([]).privileges[kind])
    assert len(names) >= 2
    at = grants.parse_level(level)
    for name in names:
        server.sql("CREATE USER app IDENTIFIED BY 'x' REQUIRE SSL", f"GRANT {name} ON {at.sql} TO app")
        assert held(server, APP) == {at: frozenset({name})}
        declared = account(grants={level: [name]}, administrator=True, password="x")
        stable(server, declared)
        result = server.converge([{**declared, "grants": {}}]).good()
        assert [(one["field"], one["expected"], one["found"]) for one in result["differences"]] == [
            (str(at), None, name)]
        assert held(server, APP) == {}
        server.sql("DROP USER app")


def test_a_whole_declaration_is_predicted_made_and_proved(server):
    accounts = [
        account(grants={"s1.*": ["SELECT", "INSERT"], "s1.t": ["UPDATE (a, b)", "SELECT"], "s_1.*": ["ALL"],
                        "PROCEDURE s1.close_day": ["EXECUTE"], "*.*": ["PROCESS"]},
                roles=["reader"], max_user_connections=3),
        account("chief", administrator=True, grants={"*.*": ["ALL", "GRANT OPTION"]}, proxy_for=["app"]),
        account("idle", locked=True, max_queries_per_hour=1000), {"name": "gone", "state": "absent"},
        {"name": "reader", "role": True, "grants": {"s2.*": ["SELECT"]}}]
    params = {"schemas": ["s2", "new"], "verify": True, "container": server.name}
    server.sql("CREATE USER gone IDENTIFIED BY 'x'")
    predicted = server.converge(accounts, True, **params).good()
    done = server.converge(accounts, **params).good()
    assert predicted["statements"] == done["statements"] and predicted["differences"] == done["differences"]
    assert done["proven"] == ["'app'@'%'", "'chief'@'%'"] and done["refused_probes"] > 20
    assert done["equivalent"] == ["'app'@'%': SELECT on `s1`.`t` follows from what it has at a broader level"]
    stable(server, *accounts, **params)
    assert held(server, APP)[Level("table", "s1", "t")] == {"UPDATE (`a`)", "UPDATE (`b`)"}
    assert held(server, APP)[Level("schema", "s\\_1")] > {"DROP", "EVENT"}
    assert held(server, Who("chief", "%"))[Level("proxy", "app", "%")] == {"PROXY"}
    assert server.sql("SELECT COUNT(*) FROM mysql.user WHERE User = 'gone'") == [(0,)]


PRIVILEGES = {
    "*.*": ["SELECT", "INSERT", "CREATE", "PROCESS", "FILE", "BACKUP_ADMIN", "XA_RECOVER_ADMIN", "GRANT OPTION"],
    "s1.*": ["SELECT", "DELETE", "DROP", "EXECUTE", "EVENT", "LOCK TABLES", "GRANT OPTION"],
    "s_1.*": ["SELECT", "UPDATE", "ALTER", "CREATE VIEW"],
    "`s%`.*": ["INSERT", "INDEX", "CREATE TEMPORARY TABLES"],
    "s1.t": ["SELECT", "INSERT", "SELECT (a)", "UPDATE (a, b)", "REFERENCES (b)", "GRANT OPTION"],
    "PROCEDURE s1.close_day": ["EXECUTE", "ALTER ROUTINE", "GRANT OPTION"],
    "FUNCTION s1.twice": ["EXECUTE"],
}
sets = st.fixed_dictionaries({}, optional={
    level: st.lists(st.sampled_from(names), unique=True, min_size=1) for level, names in PRIVILEGES.items()})
RESTRICTABLE = ("SELECT", "INSERT", "CREATE")


@st.composite
def holdings(draw: st.DrawFn) -> dict[str, t.Any]:
    """Grants of an account and of its role, and whether the role is active and may be passed on."""
    partial = draw(st.booleans())
    own, of_role = draw(sets), draw(sets)
    given = [name for name in own.get("*.*", ()) if name in RESTRICTABLE] if partial else []
    return {"partial_revokes": partial, "own": own, "of_role": of_role,
            "except": draw(st.lists(st.sampled_from(given), unique=True)) if given else [],
            "member": draw(st.booleans()), "active": draw(st.booleans()), "admin": draw(st.booleans())}


def by_hand(server: mysql.Server, case: dict[str, t.Any]) -> None:
    """The accounts with plain SQL, as somebody would type it."""
    statements = ["CREATE USER app IDENTIFIED BY 'x' REQUIRE SSL", "CREATE ROLE reader"]
    for who, levels in (("app", case["own"]), ("reader", case["of_role"])):
        for level, names in levels.items():
            option = " WITH GRANT OPTION" if "GRANT OPTION" in names else ""
            listed = ", ".join(name for name in names if name != "GRANT OPTION") or "USAGE"
            statements.append(f"GRANT {listed} ON {level} TO {who}{option}")
    if case["except"]:
        statements.append(f"REVOKE {', '.join(case['except'])} ON s2.* FROM app")
    if case["member"]:
        statements.append(f"GRANT reader TO app{' WITH ADMIN OPTION' if case['admin'] else ''}")
        if case["active"]:
            statements.append("SET DEFAULT ROLE reader TO app")
    server.sql(*statements)


# Without shrinking, which would run for minutes against a server.
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
          phases=[Phase.explicit, Phase.generate])
@given(before=holdings(), wanted=holdings())
def test_what_is_read_is_what_the_server_answers(running, before, wanted):
    begin(running, partial_revokes=before["partial_revokes"])
    by_hand(running, before)
    for who in (APP, ROLE):
        held(running, who)
    with client(running) as session:
        found = session.read([])
        expected = expectations(found, APP, SCHEMAS)
        answers = session.tries(APP, "x", running.address, [probe for probe, _where, _may in expected])
    assert [(where, sorted(probe.privileges)) for (probe, where, may), no in zip(expected, answers, strict=True)
            if may == no] == []

    # From there to something else, exactly. Where names are taken literally there are no patterns.
    for given_to in ("own", "of_role") if before["partial_revokes"] else ():
        wanted[given_to].pop("`s%`.*", None)
    declared = account(grants=wanted["own"], administrator=True, password="x",
                       roles=["reader"] if wanted["member"] else [])
    if before["partial_revokes"]:
        declared["without"] = {"s2.*": wanted["except"]}
    role = {"name": "reader", "role": True, "grants": wanted["of_role"], "administrator": True}
    predicted = running.converge([declared, role], True).good()
    done = running.converge([declared, role], verify=True, address=running.address).good()
    assert predicted["statements"] == done["statements"]
    stable(running, declared, role, verify=True)
    for who in (APP, ROLE):
        held(running, who)


@pytest.mark.parametrize(("statements", "field"), [
    # Each of them leaves the server with something else in mind than its tables say (9.7).
    (["INSERT INTO mysql.db (Host, Db, User, Select_priv) VALUES ('%', 's2', 'app', 'Y')"], "grants in force"),
    (["GRANT reader TO app WITH ADMIN OPTION", "GRANT reader TO app"], "role 'reader'@'%'"),
    (["GRANT BACKUP_ADMIN ON *.* TO app WITH GRANT OPTION", "REVOKE GRANT OPTION ON *.* FROM app"], "grants on *.*"),
    (["GRANT PROXY ON reader TO app WITH GRANT OPTION"], "grants on *.*"),
])
def test_tables_that_are_not_what_the_server_honours(server, statements, field):
    declared = [account(grants={"s1.*": ["SELECT"]}), {"name": "reader", "role": True}]
    params = {"verify": True, "container": server.name}
    server.converge(declared, **params).good()
    server.sql(*statements)
    assert field in [one["field"] for one in server.converge(declared, True, **params).good()["differences"]]
    server.converge(declared, **params).good()
    stable(server, *declared, **params)
    assert held(server, APP) == {Level("schema", "s1"): {"SELECT"}}


def test_a_statement_that_fails_leaves_the_rest_in_effect_and_is_named(server):
    broken = account("broken", grants={"s1.t": ["SELECT (nowhere)"]})
    outcome = server.converge([broken, account(grants={"s1.*": ["SELECT"]})])
    assert outcome.error.startswith("1 of 4 statements failed, the other 3 are in effect. GRANT SELECT (`nowhere`)")
    assert "Unknown column" in outcome.error and len(outcome.result["failed_statements"]) == 1
    assert held(server, APP) == {Level("schema", "s1"): {"SELECT"}}


@pytest.mark.parametrize("password", ["größer als €", "x" * 256, "ß" * 128, "\U0001f6a2'\\`\""])
def test_a_password_of_any_characters(server, password):
    declared = account(password=password, grants={"s1.*": ["SELECT"]})
    params = {"verify": True, "container": server.name}
    assert server.converge([declared], **params).good()["proven"] == ["'app'@'%'"]
    stable(server, declared, **params)


def test_exclusive_drops_who_is_not_declared_and_nobody_else(server):
    server.sql("CREATE USER stranger IDENTIFIED BY 'x'", "CREATE ROLE used, unused", "CREATE USER ''@'localhost'")
    declared = account(roles=["used"])
    result = server.converge([declared], exclusive=True).good()
    assert {one["object"] for one in result["differences"] if one["expected"] is None} == {
        "account ''@'localhost'", "account 'stranger'@'%'", "account 'unused'@'%'"}
    assert server.sql("SELECT User FROM mysql.user WHERE User NOT LIKE 'mysql.%' ORDER BY User") == [
        ("app",), ("root",), ("used",)]
    stable(server, declared, exclusive=True)


def test_the_account_that_this_runs_as_keeps_its_rights(server):
    server.sql("CREATE USER chief@localhost IDENTIFIED BY 'x'", "GRANT ALL ON *.* TO chief@localhost WITH GRANT OPTION")
    chief = {"name": "chief", "host": "localhost", "password": "x", "require_tls": False}
    login = {"login_user": "chief", "login_password": "x"}
    assert server.converge([chief], exclusive=True, **login).good()["statements"] == []
    assert "cannot be absent" in server.converge([{**chief, "state": "absent"}], **login).error
    assert held(server, Who("chief", "localhost"))[grants.GLOBAL] > {"SUPER"}


def accepts(server: mysql.Server, password: str, name: str = "app") -> bool:
    """Whether a login over TCP succeeds."""
    try:
        server.session(name, password, server.address).close()
    except pymysql.err.OperationalError as error:
        assert error.args[0] == 1045
        return False
    return True


def test_a_password_is_rotated_without_an_outage(server, tmp_path):
    params = {"record": str(tmp_path / "record.json")}
    server.converge([account(password="first")], **params).good()
    assert (tmp_path / "record.json").stat().st_mode & 0o777 == 0o600
    second = account(password="second")
    result = server.converge([second], **params).good()
    assert result["statements"] == ["ALTER USER 'app'@'%' IDENTIFIED WITH caching_sha2_password BY '********' RETAIN "
                                    "CURRENT PASSWORD"]
    assert accepts(server, "first") and accepts(server, "second")
    stable(server, second, **params)
    # A day later.
    server.sql("UPDATE mysql.user SET password_last_changed = NOW() - INTERVAL 25 HOUR WHERE User = 'app'",
               "FLUSH PRIVILEGES")
    result = server.converge([second], **params).good()
    assert [(one["field"], one["found"]) for one in result["differences"]] == [("old password", "still accepted")]
    assert not accepts(server, "first") and accepts(server, "second")
    stable(server, second, **params)


def test_a_password_that_somebody_changed_does_not_stay_valid(server, tmp_path):
    params = {"record": str(tmp_path / "record.json")}
    server.converge([account(password="declared")], **params).good()
    for statement in ("ALTER USER app IDENTIFIED BY 'by-hand'",
                      "ALTER USER app IDENTIFIED BY 'by-hand' RETAIN CURRENT PASSWORD"):
        server.sql(statement, "UPDATE mysql.user SET password_last_changed = NOW() - INTERVAL 25 HOUR "
                              "WHERE User = 'app'", "FLUSH PRIVILEGES")
        server.converge([account(password="declared")], **params).good()
        assert accepts(server, "declared") and not accepts(server, "by-hand")
    stable(server, account(password="declared"), **params)


def test_a_password_that_nobody_can_try_here_is_changed_when_its_declaration_is(server, tmp_path):
    params = {"record": str(tmp_path / "record.json")}
    far = account(host="192.0.2.%", password="first")
    outcome = server.converge([far], **params)
    assert outcome.good()["unproven"] == ["'app'@'192.0.2.%'"] and "No login from here" in outcome.warnings[-1]
    stable(server, far, **params)
    result = server.converge([{**far, "password": "second"}], **params).good()
    assert [one["field"] for one in result["differences"]] == ["password"]
    stable(server, {**far, "password": "second"}, **params)


def test_what_is_not_there_yet_is_granted_when_it_is(server):
    declared = account(grants={"s1.orders": ["SELECT"], "PROCEDURE s1.open_day": ["EXECUTE"]})
    outcome = server.converge([declared])
    assert outcome.good()["suspicious"] == [
        "grant on `s1`.`orders` for 'app'@'%', but there is no such table. A run grants it when it is there",
        "grant on PROCEDURE `s1`.`open_day` for 'app'@'%', but there is no such procedure; the closest is "
        "`close_day`. A run grants it when it is there"]
    assert held(server, APP) == {}
    server.sql("CREATE TABLE s1.orders (a INT)")
    assert server.converge([declared]).good()["statements"] == ["GRANT SELECT ON `s1`.`orders` TO 'app'@'%'"]


def test_the_runbooks_case(server):  # defect 24
    server.sql("CREATE DATABASE Taken", "CREATE USER Taken IDENTIFIED BY 'x' REQUIRE SSL",
               "GRANT ALL ON TAKEN.* TO Taken")
    assert "grant on `TAKEN`.* for 'Taken'@'%', but the schema is `Taken`" in server.converge().good()["suspicious"]
    declared = account("Taken", password="x", grants={"TAKEN.*": ["ALL"]})
    assert server.converge([declared]).error == (
        "grant on `TAKEN`.* for 'Taken'@'%', but the schema is `Taken`: schema names are case-sensitive. Correct the "
        "declared grant.")
    declared["grants"] = {"Taken.*": ["ALL"]}
    assert server.converge([declared], verify=True, container=server.name).good()["changed"]
    stable(server, declared)


def test_mandatory_roles_count(server):
    declared = account(grants={"s1.*": ["SELECT"]})
    server.sql("CREATE ROLE master", "GRANT DROP ON s1.* TO master", "SET GLOBAL mandatory_roles = 'master'",
               "SET GLOBAL activate_all_roles_on_login = ON")
    try:
        server.converge([declared], schemas=["s1"], verify=True, container=server.name).good()
        stable(server, declared, exclusive=True)
    finally:
        server.sql("SET GLOBAL mandatory_roles = ''", "SET GLOBAL activate_all_roles_on_login = OFF")


def test_an_account_that_may_more_than_its_tables_say_fails_the_proof(server, monkeypatch):
    declared = account(grants={"s1.*": ["SELECT", "DROP"]})
    everything = mysql.step.expectations

    def without_drop(*arguments: t.Any) -> list[t.Any]:
        return [(probe, where, may and probe.privileges != {"DROP"}) for probe, where, may in everything(*arguments)]

    monkeypatch.setattr(mysql.step, "expectations", without_drop)
    server.sql("CREATE USER odd IDENTIFIED BY ''")
    outcome = server.converge([declared], schemas=["s1"], verify=True, container=server.name)
    assert outcome.error == "The server does not answer as its tables say: 'app'@'%' is allowed DROP on `s1`.*."
    # What was done and what is odd is said all the same.
    assert outcome.result["statements"] and any("'odd'@'%'" in line for line in outcome.warnings)


def test_a_read_only_server_is_no_false_alarm(server):
    declared = account(grants={"s1.*": ["SELECT"]})
    server.converge([declared]).good()
    server.sql("SET GLOBAL read_only = ON")
    try:
        server.converge([declared], schemas=["s1"], verify=True, container=server.name).good()
    finally:
        server.sql("SET GLOBAL read_only = OFF")


def test_the_proof_writes_nothing_and_uses_up_nothing(server):
    declared = [account("chief", administrator=True, grants={"*.*": ["ALL"]}),
                account(grants={"s1.*": ["SELECT"]}, max_connections_per_hour=2, max_queries_per_hour=3)]
    params = {"schemas": ["s1"], "verify": True, "container": server.name}
    server.converge(declared, **params).good()
    place = server.sql("SHOW BINARY LOG STATUS")
    for _turn in range(3):
        outcome = server.converge(declared, **params)
        assert outcome.good()["unproven"] == ["'app'@'%'"] and "use up their limits" in outcome.warnings[-1]
    assert server.sql("SHOW BINARY LOG STATUS") == place
    assert accepts(server, declared[1]["password"])


def test_a_try_does_not_lock_an_account(server, tmp_path):
    params = {"record": str(tmp_path / "record.json")}
    server.converge([account(password="first")], **params).good()
    server.sql("ALTER USER app FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 1")
    second = account(password="second")
    for check in (True, True, False):
        assert server.converge([second], check, **params).good()["changed"]
    assert accepts(server, "second") and accepts(server, "first")
    stable(server, second, **params)


def test_a_rotation_that_is_taken_back_locks_nobody_out(server, tmp_path):
    params = {"record": str(tmp_path / "record.json")}
    for password in ("first", "second"):
        server.converge([account(password=password)], **params).good()
    server.sql("UPDATE mysql.user SET password_last_changed = NOW() - INTERVAL 30 HOUR WHERE User = 'app'",
               "FLUSH PRIVILEGES")
    server.converge([account(password="first")], **params).good()
    assert accepts(server, "first") and accepts(server, "second")
    stable(server, account(password="first"), **params)


def test_a_failed_proof_does_not_repeat_a_rotation(server, tmp_path):
    params = {"record": str(tmp_path / "record.json")}
    far = account(host="172.%", password="first")
    server.converge([far], **params).good()
    # A login as 'other' ends at the account without a name.
    server.sql("CREATE USER ''@'local%'")
    both = [{**far, "password": "second"}, account("other", host="%", password="x")]
    for _turn in range(2):
        outcome = server.converge(both, **params)
        assert outcome.good()["unproven"] == ["'app'@'172.%'", "'other'@'%'"]
        assert any("has no name" in line for line in outcome.warnings)
    assert accepts(server, "first") and accepts(server, "second")


@pytest.mark.parametrize(("host", "unproven"), [("localhost", []), ("192.0.2.1", ["'app'@'192.0.2.1'"])])
def test_an_account_of_another_host_does_not_fail_the_proof(server, host, unproven):
    declared = account(host=host, grants={"s1.*": ["SELECT"]})
    result = server.converge([declared], schemas=["s1"], verify=True, container=server.name).good()
    assert result["unproven"] == unproven


def test_an_account_that_the_socket_does_not_reach_is_tried_over_tcp(server):
    server.sql("CREATE USER app@localhost IDENTIFIED BY 'x'", "CREATE USER app IDENTIFIED BY 'by-hand' REQUIRE SSL")
    declared = account(password="declared")
    result = server.converge([declared], verify=True, container=server.name, old_password_hours=0).good()
    assert [one["field"] for one in result["differences"]] == ["password"]
    assert accepts(server, "declared") and not accepts(server, "by-hand")
    stable(server, declared, verify=True, container=server.name)


def test_an_account_without_a_password_gets_one_wherever_it_comes_from(server, tmp_path):
    server.sql("CREATE USER app@'172.%' IDENTIFIED BY ''")
    declared = account(host="172.%", password="x")
    assert server.converge([declared], record=str(tmp_path / "record.json")).good()["changed"]
    assert accepts(server, "x") and not accepts(server, "")


def test_a_container_without_an_address_stops_a_run_and_no_check(server):
    # As when somebody took the platform's network away, which the run makes anew before it gets here.
    params = {"verify": True, "container": f"{server.name}-that-is-none"}
    assert server.converge([account()], True, **params).good()["changed"]
    assert "has no address at which accounts could be tried" in server.converge([account()], **params).error
    assert server.sql("SELECT COUNT(*) FROM mysql.user WHERE User = 'app'") == [(0,)]


def test_two_runs_at_once_rotate_once(server, tmp_path):
    params = {"record": str(tmp_path / "record.json")}
    server.converge([account(password="first")], **params).good()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda _one: server.converge([account(password="second")], **params), range(3)))
    assert [outcome.error for outcome in outcomes] == ["", "", ""]
    assert sum(outcome.result["changed"] for outcome in outcomes) == 1
    assert accepts(server, "first") and accepts(server, "second")


def test_a_run_waits_for_another_and_then_gives_up(server, monkeypatch):
    monkeypatch.setattr(_mysql, "LOCK_SECONDS", 1)
    with client(server) as session:
        session.lock()
        assert "Another run has been changing accounts for 1 s" in server.converge([account()]).error
    assert server.converge([account()]).good()["changed"]


def test_who_may_not_look_is_told_what_it_needs(server):
    server.sql("CREATE USER small@localhost IDENTIFIED BY 'x'")
    outcome = server.converge([account()], login_user="small", login_password="x")
    assert "needs SELECT on `mysql`.*" in outcome.error


def test_what_runs_with_the_rights_of_an_account_keeps_it(server):
    server.sql("CREATE USER owner IDENTIFIED BY 'x'", "CREATE DEFINER = owner VIEW s1.v AS SELECT 1 AS a")
    outcome = server.converge([account()], exclusive=True)
    assert "view `s1`.`v` run with its rights" in outcome.good()["suspicious"][0]
    assert "cannot be dropped" in server.converge([{"name": "owner", "state": "absent"}]).error
