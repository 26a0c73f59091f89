# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of MySQL's accounts, one function each, against a server of the proof's own; docstrings name it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import secrets
import threading
import time
import typing as t

import lab
import mysql
import pymysql
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    GLOBAL,
    GRANT_OPTION,
    PASSED_ON,
    Level,
    Who,
    desired_account,
    parse_level,
    parse_privileges,
)
from ansible_collections.mooring.stack.plugins.module_utils._grants_decide import decide
from ansible_collections.mooring.stack.plugins.module_utils._grants_proof import same
from ansible_collections.mooring.stack.plugins.module_utils._show_grants import parse
from drift_site import Failed, Threads, expect, say
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_mysql_grants import begin, client, holdings, stable, test_what_is_read_is_what_the_server_answers
from test_show_grants import CORPUS, test_any_mutation

EXAMPLES = 300
FUZZED = 2000
THREADS = 50
# For the server's own files, in the directory that the test and the server share.
LOGS = ("general.log", "slow.log")
WRITABLE = ("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")


@dataclasses.dataclass
class Figures:
    """What the last line says; -1 is what was not measured."""

    corpus: int = -1
    accounts: int = -1
    audit_seconds: float = -1
    lost_writes: int = -1
    failed_logins: int = -1


class Place:
    """The server that all of these cases use, one after the other."""

    def __init__(self, server: mysql.Server, scratch: pathlib.Path, figures: Figures) -> None:
        self.server = server
        self.scratch = scratch
        self.figures = figures

    def say(self, text: str) -> None:
        """Progress, plain."""
        say(text, "grants")


Case = t.Callable[[Place], None]


# -- every privilege of every level ------------------------------------------------------------


class Holder(t.NamedTuple):
    """An account or role of the matrix."""

    who: Who
    role: bool

    def declared(self, level: str, names: t.Sequence[str]) -> dict[str, t.Any]:
        """It with these privileges, and nothing else."""
        facts = {"role": True} if self.role else {"password": "x", "host": self.who.host}
        return {"name": self.who.user, "grants": {level: list(names)}, "administrator": True, **facts}


def matrix(kind: str, level: str) -> Case:
    """A case: each privilege that a level of this kind can have."""
    at = parse_level(level)

    def case(place: Place) -> None:
        server = place.server
        begin(server)
        with client(server) as session:
            known = session.read([])
        if kind not in known.privileges:
            place.say(f"       this server has no level {kind}")
            return
        if kind == "library":
            server.sql("CREATE LIBRARY s1.tools LANGUAGE JAVASCRIPT AS 'export function one() { return 1; }'")
        names = [*sorted(known.privileges[kind]), GRANT_OPTION]
        if kind == "table":
            names += [f"{name} ({column})" for name in ("SELECT", "INSERT", "UPDATE", "REFERENCES") for column in "ab"]
        holders = [[Holder(Who(f"any{number}", "%"), False), Holder(Who(f"local{number}", "localhost"), False),
                    Holder(Who(f"role{number}", "%"), True)] for number in range(len(names))]
        every = [holder for several in holders for holder in several]
        _by_hand(server, at, names, holders)
        expected = {holder.who: _meant(known, at, [name])
                    for name, several in zip(names, holders, strict=True) for holder in several}
        _compare(server, at, expected)
        stable(server, *(holder.declared(level, [name]) for name, several in zip(names, holders, strict=True)
                         for holder in several))

        # To two other privileges each, exactly.
        others = [[names[(number + step) % len(names)] for step in (1, 2)] for number in range(len(names))]
        declared = [holder.declared(level, wanted) for wanted, several in zip(others, holders, strict=True)
                    for holder in several]
        done = server.converge(declared).good()
        expect({one["object"].split()[-1] for one in done["differences"]} == {str(holder.who) for holder in every},
               "not every account was told to differ:", done["differences"][:3])
        _compare(server, at, {holder.who: _meant(known, at, wanted) for wanted, several in zip(
            others, holders, strict=True) for holder in several})
        stable(server, *declared)
        place.say(f"       {len(names)} privileges x {len(holders[0])} kinds of account, on {level}")

    case.__doc__ = f"Every privilege on {level} is read, compared, and converged to exactly others."
    return case


def _by_hand(server: mysql.Server, at: Level, names: t.Sequence[str], holders: t.Sequence[list[Holder]]) -> None:
    """The accounts, each with one privilege, as somebody would type it."""
    every = [holder for several in holders for holder in several]
    users = ", ".join(f"{one.who.sql} IDENTIFIED BY 'x'" for one in every if not one.role)
    statements = [f"CREATE USER {users} REQUIRE SSL",
                  f"CREATE ROLE {', '.join(one.who.sql for one in every if one.role)}"]
    for name, several in zip(names, holders, strict=True):
        to = ", ".join(holder.who.sql for holder in several)
        statements.append(f"GRANT USAGE ON {at.sql} TO {to} WITH GRANT OPTION" if name == GRANT_OPTION
                          else f"GRANT {name} ON {at.sql} TO {to}")
    server.sql(*statements)


def _meant(known: t.Any, at: Level, names: t.Sequence[str]) -> dict[Level, frozenset[str]]:
    """What an account holds with these privileges: dynamic ones have an option each."""
    held = parse_privileges(names)
    if at == GLOBAL and GRANT_OPTION in held:
        held |= {name + PASSED_ON for name in held & known.dynamic}
    return {at: held}


def _compare(server: mysql.Server, at: Level, expected: dict[Who, dict[Level, frozenset[str]]]) -> None:
    """What is read is what was given, and what the server itself prints."""
    with client(server) as session:
        found = session.read([])
        for who, held in expected.items():
            read = found.accounts[who].grants
            expect(same(read, held), f"{who} was given {held} and is read with", read)
            expect(same(read, session.honoured(who, found)), f"{who} is read with {read}, and SHOW GRANTS says",
                   session.honoured(who, found))


# -- anything ----------------------------------------------------------------------------------


def reading(place: Place) -> None:
    """Random grants: what is read is what the server answers to probes, before and after converging."""
    counted = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], report_multiple_bugs=False,
              suppress_health_check=list(HealthCheck))
    @given(before=holdings(), wanted=holdings())
    def example(before: dict[str, t.Any], wanted: dict[str, t.Any]) -> None:
        nonlocal counted
        counted += 1
        test_what_is_read_is_what_the_server_answers.hypothesis.inner_test(place.server, before, wanted)
        if counted % 100 == 0:
            place.say(f"       {counted} random sets of grants")

    try:
        example()
    finally:
        place.server.sql("SET GLOBAL partial_revokes = OFF")
    expect(counted >= EXAMPLES, "too few were tried:", counted)


def corpus(place: Place) -> None:
    """Lines of SHOW GRANTS mean what they mean, and damaged ones raise the module's own error only."""
    wrong = [number for number, _version, ansi, text, expected in CORPUS if parse(text, ansi) != expected]
    expect(not wrong, "lines of the corpus are read as something else:", wrong)
    counted = 0

    @settings(max_examples=FUZZED, deadline=None, database=None, phases=[Phase.generate], report_multiple_bugs=False,
              suppress_health_check=list(HealthCheck))
    @given(entry=st.sampled_from(CORPUS), data=st.data())
    def example(entry: t.Any, data: st.DataObject) -> None:
        nonlocal counted
        counted += 1
        test_any_mutation.hypothesis.inner_test(entry, data)

    example()
    expect(counted >= FUZZED, "too few were tried:", counted)
    place.figures.corpus = len(CORPUS)


def runbook(place: Place) -> None:
    """The runbook's case, a schema Taken and grants on TAKEN, is one readable line."""
    begin(place.server)
    place.server.sql("CREATE DATABASE Taken", "CREATE USER Taken IDENTIFIED BY 'x' REQUIRE SSL",
                     "GRANT ALL ON TAKEN.* TO Taken")
    line = "grant on `TAKEN`.* for 'Taken'@'%', but the schema is `Taken`"
    found = place.server.converge().good()["suspicious"]
    expect(line in found, "what somebody granted by hand is not named:", found)
    declared = {"name": "Taken", "password": "x", "grants": {"TAKEN.*": ["ALL"]}}
    said = place.server.converge([declared]).error
    expect(said.startswith(f"{line}: schema names are case-sensitive.") and "\n" not in said, "it is refused with",
           said)
    place.say(f"       {said}")
    done = place.server.converge([{**declared, "grants": {"Taken.*": ["ALL"]}}], verify=True,
                                 container=place.server.name).good()
    expect(done["changed"] and done["proven"] == ["'Taken'@'%'"], "corrected, it is not proved:", done)


# -- many --------------------------------------------------------------------------------------


def audit(place: Place) -> None:
    """1,000 accounts with 20 grants each are audited in one call, which names the three that differ."""
    server = place.server
    server.forget()
    declared = mysql.many(server)
    expect({len(one["grants"]) for one in declared} == {20}, "an account has not 20 levels")
    outcome = server.converge(declared)
    result = outcome.good()
    expect((result["changed"], result["statements"], result["suspicious"]) == (False, [], []), "something differs:",
           result["statements"][:5])
    place.figures.accounts = len(result["proven"])
    place.figures.audit_seconds = round(outcome.seconds, 2)
    _parts(place, declared)
    server.sql("GRANT DROP ON many7.* TO many0", "REVOKE DELETE ON many0.t0 FROM many500",
               "ALTER USER many999 REQUIRE NONE")
    found = server.converge(declared, True).good()["differences"]
    expect([(one["object"], one["field"]) for one in found] == [
        ("account 'many0'@'%'", "grants on `many7`.*"), ("account 'many500'@'%'", "grants on `many0`.`t0`"),
        ("account 'many999'@'%'", "TLS")], "three accounts were changed by hand, and these are named:", found)


def _parts(place: Place, declared: t.Sequence[dict[str, t.Any]]) -> None:
    """Where the time of an audit goes."""
    accounts = [desired_account(one) for one in place.server.given(declared)["accounts"]]
    with client(place.server) as session:
        began, asked = time.monotonic(), _questions(session)
        session.read([])
        read, statements = time.monotonic() - began, _questions(session) - asked - 1
        began = time.monotonic()
        found = session.read(accounts)
        logins = time.monotonic() - began - read
        began = time.monotonic()
        decide(found, [], accounts)
        deciding = time.monotonic() - began
    place.say(f"       {len(accounts)} accounts in {place.figures.audit_seconds} s, none of whose passwords the server "
              f"had seen; now that it has, reading takes {statements} statements and {read:.2f} s, as many logins "
              f"{logins:.2f} s, deciding {deciding:.2f} s")


def _questions(session: t.Any) -> int:
    ((_name, number),) = session._rows("SHOW SESSION STATUS LIKE 'Questions'")
    return int(number)


# -- passwords ---------------------------------------------------------------------------------


class Logins(Threads):
    """Clients that log in over TCP with TLS, again and again, with the passwords that are valid at the moment."""

    def __init__(self, server: mysql.Server, user: str, *passwords: str) -> None:
        self._server, self._user, self._address = server, user, server.address
        self._offered = (0, passwords)
        self._seen = [0] * THREADS
        self._made = [0] * THREADS
        super().__init__(functools.partial(self._log_in, number) for number in range(THREADS))
        self.errors: list[str] = []

    @property
    def made(self) -> int:
        """How many were tried."""
        return sum(self._made)

    def offer(self, *passwords: str) -> None:
        """Use these from now on, half of the clients each; no other is in use when this returns."""
        turn = self._offered[0] + 1
        self._offered = (turn, passwords)
        lab.wait_for("the clients use other passwords", 60, lambda: min(self._seen) == turn, lambda: "")

    def go_on(self, logins: int) -> None:
        """Until that many more were tried."""
        target = self.made + logins
        lab.wait_for(f"{logins} logins", 120, lambda: self.made >= target, lambda: str(self.errors[:3]))

    def _log_in(self, number: int) -> None:
        while not self._stop.is_set():
            turn, passwords = self._offered
            self._seen[number] = turn
            which = number % len(passwords)
            try:
                self._server.session(self._user, passwords[which], self._address).close()
            except pymysql.err.MySQLError as error:
                self.errors.append(f"password {which + 1} of {len(passwords)}: {error}")
            self._made[number] += 1


def rotation(place: Place) -> None:
    """Passwords change under 50 connections that open and close, and no login fails."""
    server = place.server
    begin(server)
    params = {"record": str(place.scratch / "rotation.json")}
    words = [f"{secrets.token_hex(8)}'\\ {number}" for number in range(4)]

    def declared(number: int) -> dict[str, t.Any]:
        return {"name": "app", "password": words[number], "grants": {"s1.*": ["SELECT"]}}

    server.converge([declared(0)], **params).good()
    with Logins(server, "app", words[0]) as clients:
        for number in range(1, len(words)):
            old, new = words[number - 1], words[number]
            clients.go_on(150)
            before = clients.made
            done = server.converge([declared(number)], **params).good()
            during = clients.made - before
            expect(len(done["statements"]) == 1 and done["statements"][0].endswith("RETAIN CURRENT PASSWORD"),
                   "it is not one statement that keeps the old password:", done["statements"])
            clients.offer(old, new)
            clients.go_on(150)
            # Everybody has the new one, and a day goes by.
            clients.offer(new)
            server.sql("UPDATE mysql.user SET password_last_changed = NOW() - INTERVAL 25 HOUR WHERE User = 'app'",
                       "FLUSH PRIVILEGES")
            done = server.converge([declared(number)], **params).good()
            expect(done["statements"][-1:] == ["ALTER USER 'app'@'%' DISCARD OLD PASSWORD"],
                   "the old password is not discarded:", done["statements"])
            clients.go_on(150)
            place.say(f"       rotation {number}: {during} logins during it, {clients.made} so far, "
                      f"{len(clients.errors)} failed")
            with contextlib.suppress(pymysql.err.OperationalError):
                server.session("app", old, server.address).close()
                raise Failed("the old password is accepted after it was discarded")
    place.figures.failed_logins = len(clients.errors)
    expect(not clients.errors, f"{len(clients.errors)} of {clients.made} logins failed:", clients.errors[:3])


class Watch(Threads):
    """Sessions that keep asking what the server shows of others' statements."""

    QUERIES: t.ClassVar[dict[str, str]] = {
        "SHOW PROCESSLIST": "SHOW FULL PROCESSLIST",
        "the process list of the performance schema": "SELECT INFO FROM performance_schema.processlist",
        "threads": "SELECT PROCESSLIST_INFO FROM performance_schema.threads",
        "current statements": "SELECT SQL_TEXT, DIGEST_TEXT FROM performance_schema.events_statements_current",
        "past statements": "SELECT SQL_TEXT, DIGEST_TEXT FROM performance_schema.events_statements_history",
        "long past statements": "SELECT SQL_TEXT, MESSAGE_TEXT FROM performance_schema.events_statements_history_long",
        "digests": "SELECT DIGEST_TEXT, QUERY_SAMPLE_TEXT FROM performance_schema.events_statements_summary_by_digest",
        "errors": "SELECT DATA FROM performance_schema.error_log",
    }

    def __init__(self, server: mysql.Server) -> None:
        self._server = server
        super().__init__(functools.partial(self._look, name) for name in self.QUERIES)
        self.shown: dict[str, set[str]] = {name: set() for name in self.QUERIES}
        self.turns = dict.fromkeys(self.QUERIES, 0)

    def saw(self, name: str, words: str) -> bool:
        """Whether a text that was shown there has these words."""
        return any(words in text for text in list(self.shown[name]))

    def _look(self, name: str) -> None:
        with contextlib.closing(self._server.session()) as session, session.cursor() as cursor:
            while not self._stop.is_set():
                cursor.execute(self.QUERIES[name])
                self.shown[name].update(str(value) for row in cursor.fetchall() for value in row if value)
                self.turns[name] += 1


def secrecy(place: Place) -> None:
    """No password is shown by the server to anybody, nor written by it to any file."""
    server = place.server
    begin(server)
    core = [secrets.token_hex(12) for _number in range(4)]
    accounts = [{"name": f"app{number}", "password": f"{core[0]}{number}'\\", "grants": {"s1.*": ["SELECT"]}}
                for number in range(20)]
    params = {"record": str(place.scratch / "secrecy.json")}
    server.sql("SET GLOBAL general_log_file = '/var/run/mysqld/general.log'", "SET GLOBAL general_log = ON",
               "SET GLOBAL slow_query_log_file = '/var/run/mysqld/slow.log'", "SET GLOBAL slow_query_log = ON",
               "SET GLOBAL long_query_time = 0", "SET GLOBAL log_slow_admin_statements = ON",
               "UPDATE performance_schema.setup_consumers SET ENABLED = 'YES'")
    try:
        with Watch(server) as watch:
            outcomes = [_held_up(server, watch, "CREATE USER", accounts, params)]
            accounts = [{**one, "password": one["password"].replace(core[0], core[1])} for one in accounts]
            outcomes.append(_held_up(server, watch, "ALTER USER", accounts, params))
            # What fails: by the server, and by us, before the server's parser would quote it.
            server.sql("SET GLOBAL super_read_only = ON")
            outcomes.append(server.converge([{"name": "late", "password": core[2]}]))
            server.sql(*WRITABLE)
            expect("1 of 1 statements failed" in outcomes[-1].error, "a server that is read-only took an account:",
                   outcomes[-1].error)
            outcomes += [server.converge([{"name": "a" * 33, "password": core[3]}]),
                         server.converge([{"name": "less", "password": core[3], "max_user_connections": -1}])]
            expect(all(outcome.error for outcome in outcomes[-2:]), "what the parser refuses was taken", outcomes[-2:])
            # And one after somebody changed it by hand, which makes the run set it anew.
            server.sql("ALTER USER app0 IDENTIFIED BY 'by hand'")
            outcomes.append(server.converge(accounts, **params))
        for outcome in (*outcomes[:2], outcomes[-1]):
            expect(outcome.good()["changed"], "a run changed nothing")
    finally:
        server.sql(*WRITABLE, "SET GLOBAL general_log = OFF", "SET GLOBAL slow_query_log = OFF",
                   "SET GLOBAL long_query_time = 10")
    places = {**{name: "\n".join(texts) for name, texts in watch.shown.items()},
              **{name: (server.socket.parent / name).read_text(errors="replace") for name in LOGS},
              "what the module returned": repr(outcomes), "docker logs": lab.docker("logs", server.name),
              "docker inspect": lab.docker("inspect", server.name),
              "the record": pathlib.Path(params["record"]).read_text()}
    for name in ("SHOW PROCESSLIST", "past statements", *LOGS):
        expect("IDENTIFIED WITH" in places[name], "nothing of what was to be hidden was seen in", name)
    shown = [f"password {number} in {name}" for name, text in places.items()
             for number, word in enumerate(core) if word in text]
    files = lab.run("docker", "exec", "-i", server.name, "grep", "-rlaFf", "-", "/var/lib/mysql", "/var/run/mysqld",
                    "/tmp", "/var/log", data="".join(f"{word}\n" for word in core).encode(), check=False)
    shown += [f"a password in {line}" for line in (files.stdout + files.stderr).decode().splitlines()]
    expect(files.returncode == 1 and not shown, "passwords are shown, or not everything could be looked at:", shown)
    binlogs = server.sql("SHOW BINARY LOGS")
    place.say(f"       looked {min(watch.turns.values())} to {max(watch.turns.values())} times; {len(binlogs)} binary "
              f"logs, {len(places['general.log'].splitlines())} lines of the general log")


def _held_up(
    server: mysql.Server, watch: Watch, words: str, accounts: list[dict[str, t.Any]], params: dict[str, t.Any],
) -> mysql.Outcome:
    """A run whose first statement waits for a lock until everybody has seen it."""
    outcomes: list[mysql.Outcome] = []
    runner = threading.Thread(target=lambda: outcomes.append(server.converge(accounts, **params)))
    with contextlib.closing(server.session()) as session, session.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        runner.start()
        try:
            lab.wait_for(f"{words} is seen waiting", 60, lambda: watch.saw("SHOW PROCESSLIST", words)
                         and watch.saw("current statements", words), lambda: "")
        finally:
            cursor.execute("UNLOCK TABLES")
            runner.join()
    return outcomes[0]


CASES: tuple[Case, ...] = (
    corpus, matrix("global", "*.*"), matrix("schema", "s1.*"), matrix("schema", "s_1.*"), matrix("schema", "`s%`.*"),
    matrix("table", "s1.t"), matrix("procedure", "PROCEDURE s1.close_day"), matrix("function", "FUNCTION s1.twice"),
    matrix("library", "LIBRARY s1.tools"), runbook, reading, rotation, secrecy, audit,
)
