# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of the role data_stores on a host, one function each; its docstring names it."""

from __future__ import annotations

import json
import pathlib
import secrets
import subprocess
import threading
import time
import typing as t

import lab
from drift_site import ROOT, Failed, Site, expect
from grants_cases import Figures

WRITER = ROOT / "tests/prove/grants_writer.py"
P = "/opt/mooring/data_stores"
CONTAINERS = {"mysql": "mooring-data_stores-mysql-1", "redis": "mooring-data_stores-redis-1"}
IMAGES = ("mooring.local/mysql:9.7", "mooring.local/redis:8")
TAGS = ("--tags", "data_stores", "--skip-tags", "always")
KILLS = 3
# Seconds of acknowledged writes that Redis may lose. With appendfsync everysec it hands the append-only file to the
# kernel before it answers, but waits with that for up to 2 s while a flush is under way (redis.conf, "appendfsync").
BOUND = {"mysql": 0.0, "redis": 2.0}
# The credentials that worked last, which the health check keeps while its password changes.
KEPT = f"600 {P}/run/mysqld/health.cnf"
# What the proof's own clients log in with.
OWN = ("/root/mysql", "/root/redis", "/root/help.sh")
DEMO = {"name": "demo", "password": "{{ vault_demo_mysql_password }}",
        "grants": {"demo.*": ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX"]}}
REPORT = {"name": "report", "password": "{{ vault_operator_password }}", "max_user_connections": 5,
          "grants": {"archive.*": ["SELECT", "INSERT"]}, "roles": ["reader"]}
READER = {"name": "reader", "role": True, "grants": {"archive.*": ["SHOW VIEW"]}}
REDIS_DEMO = {"name": "demo", "password": "{{ vault_demo_redis_password }}",
              "rules": "~demo:* +@all -@admin -@dangerous"}
EXTRA: dict[str, dict[str, t.Any]] = {
    "all": {"ansible_connection": "ssh", "ansible_user": "root"},
    "data_stores": {
        "data_stores_mysql_schemas": ["demo", "archive"],
        "data_stores_mysql_accounts": [DEMO, REPORT, READER],
        "data_stores_redis_accounts": [REDIS_DEMO]},
}


class Place(Site):
    """The node with the two stores."""

    tags = TAGS

    def __init__(self, scratch: pathlib.Path, figures: Figures) -> None:
        super().__init__(scratch, "grants", EXTRA, IMAGES)
        self.figures = figures

    def prepare(self) -> None:
        """Put the program that writes into the node, and the password that it logs in with."""
        for path, text in (("/root/writer.py", WRITER.read_text()),
                           ("/root/mysql", self.secret("demo_mysql_password")),
                           ("/root/redis", self.secret("demo_redis_password"))):
            lab.docker("exec", "-i", self.node.container, "tee", path, data=text.encode())

    def expect_stable(self, **values: t.Any) -> None:
        """One more run, and it has nothing to do."""
        again = self.converge(**values)
        expect(again.changed == 0, "the run after changes something:", again.differences)

    def address(self, store: str) -> str:
        """Where a store listens on the platform's network."""
        return self.sh("docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "
                       f"{CONTAINERS[store]}").split()[0]

    def sql(self, *statements: str) -> str:
        """Statements as root, as an operator would type them."""
        done = lab.run("docker", "exec", "-i", "-e", "BASH_ENV=/root/help.sh", self.node.container, "bash", "-c",
                       "set -o pipefail; sql", data="".join(f"{one};\n" for one in statements).encode(), check=False)
        said = done.stdout.decode()
        self.write(f"$ sql {statements}\n{said}")
        if done.returncode:
            raise Failed(f"'{statements}' failed: {said}")
        return said.strip()

    def as_account(self, name: str, password: str, statement: str) -> str:
        """What a client in a container of its own, on the platform's network, is told."""
        network = self.sh("docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "
                          f"{CONTAINERS['mysql']}").split()[0]
        done = lab.run("docker", "exec", "-i", self.node.container, "bash", "-c",
                       f"MYSQL_PWD=$(cat) docker run --rm --env MYSQL_PWD --network {network} --entrypoint mysql "
                       f"{IMAGES[0]} --host=mysql --user={name} --ssl-mode=REQUIRED --batch --skip-column-names "
                       f"--execute '{statement}' 2>&1", data=password.encode(), check=False)
        return done.stdout.decode().strip()


Case = t.Callable[[Place], None]


# -- what was acknowledged ---------------------------------------------------------------------


class Writer:
    """Eight connections that write on the node, and when each write was acknowledged."""

    def __init__(self, place: Place, store: str, turn: str) -> None:
        self._process = subprocess.Popen(
            ["docker", "exec", place.node.container, "python3", "/root/writer.py", "write", store,
             place.address(store), f"/root/{store}", turn],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.acknowledged: dict[str, float] = {}
        self.said: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            key, _space, seconds = line.strip().rpartition(" ")
            if "-" in key and not line.startswith("#") and seconds.replace(".", "").isdigit():
                self.acknowledged[key] = float(seconds)
            else:
                self.said.append(line.strip())

    def wait(self, writes: int, seconds: float) -> None:
        """Until that many were acknowledged, the first of them that long ago."""
        def enough() -> bool:
            first = next(iter(self.acknowledged.values()), time.monotonic())
            return len(self.acknowledged) >= writes and time.monotonic() - first >= seconds

        lab.wait_for(f"{writes} writes", 60, enough, lambda: "\n".join(self.said))

    def end(self) -> None:
        """Until every connection has noticed that the server is gone."""
        self._process.wait(60)
        self._thread.join()


def killed(store: str, writes: int) -> Case:
    """A case: SIGKILL to a store under load, several times."""
    container = CONTAINERS[store]

    def case(place: Place) -> None:
        if store == "mysql":
            settings = place.sql("SELECT @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@innodb_doublewrite")
            expect(settings.split() == ["1", "1", "ON"], "MySQL is not set to keep what it acknowledges:", settings)
        else:
            said = place.sh(f"docker exec {container} sh /etc/mooring/bin/redis.sh CONFIG GET append*").split()
            expect({"appendonly", "yes", "appendfsync", "everysec"} <= set(said), "Redis does not append:", said)
        for turn in range(1, KILLS + 1):
            lost, late, total = _kill(place, store, f"{turn}{secrets.token_hex(4)}", writes)
            place.figures.lost_writes = max(place.figures.lost_writes, 0) + len(lost)
            place.say(f"       kill {turn} of {KILLS}: {total} acknowledged writes, {len(lost)} lost"
                      + (f"; {len(late)} of those of the last {BOUND[store]:.0f} s" if BOUND[store] else ""))
            expect(not lost, f"{len(lost)} of {total} acknowledged writes are lost:", lost[:3])
        place.expect_stable()

    bound = f" older than {BOUND[store]:.0f} s" if BOUND[store] else ""
    case.__doc__ = f"{store} is killed under load {KILLS} times: one run, healthy, no acknowledged write{bound} lost."
    return case


def _kill(place: Place, store: str, turn: str, writes: int) -> tuple[list[str], list[str], int]:
    """The acknowledged writes that are missing, those within the bound apart, and how many were acknowledged."""
    container = CONTAINERS[store]
    process = place.sh(f"docker inspect -f '{{{{.State.Pid}}}}' {container}").strip()
    restarts = place.started()[container]
    writer = Writer(place, store, turn)
    writer.wait(writes, BOUND[store] + 2)
    killed_at = time.monotonic()
    place.sh(f"kill -KILL {process}")
    writer.end()
    place.converge()
    place.wait(f"[ \"$(docker inspect -f '{{{{.State.Health.Status}}}}' {container})\" = healthy ]")
    expect(place.started()[container] != restarts, f"{store} was not killed")
    there = set(place.sh(f"python3 /root/writer.py take {store} {place.address(store)} /root/{store} {turn}").split())
    missing = sorted(set(writer.acknowledged) - there)
    lost = [key for key in missing if writer.acknowledged[key] <= killed_at - BOUND[store]] if BOUND[store] else missing
    return lost, [key for key in missing if key not in lost], len(writer.acknowledged)


# -- secrets -----------------------------------------------------------------------------------


class Arguments:
    """Looks at the arguments of every process of the node, all the time."""

    def __init__(self, place: Place, words: t.Sequence[str]) -> None:
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", place.node.container, "nice", "python3", "/root/writer.py", "watch"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin
        self._process.stdin.write(json.dumps(list(words)) + "\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, t.Any]:
        """How often it looked, and what it saw."""
        return json.loads(self._process.communicate()[0])


def secrecy(place: Place) -> None:
    """With accounts made and rotated at -vvv --diff, no password is anywhere but in its secret file."""
    # Ones with what shells, YAML, SQL and JSON quote: a hex core is what is looked for.
    core = [secrets.token_hex(12) for _number in range(6)]
    first = {"data_stores_mysql_accounts": [{**DEMO, "password": f"{core[0]}'\\$"}, REPORT, READER,
                                            {"name": "made", "password": f"\"{core[1]}", "grants": {}}],
             "data_stores_redis_accounts": [{**REDIS_DEMO, "password": core[2]}]}
    rotated = {"data_stores_mysql_accounts": [{**DEMO, "password": core[3]}, REPORT, READER,
                                              {"name": "made", "password": core[4], "grants": {}}],
               "data_stores_redis_accounts": [{**REDIS_DEMO, "password": core[5]}]}
    generated = [place.secret(name) for name in ("mysql_root_password", "mysql_health_password",
                                                 "redis_health_password", "operator_password",
                                                 "demo_mysql_password", "demo_redis_password")]
    words = [*core, *generated]
    watching = Arguments(place, words)
    runs = [place.attempt("-vvv", "--diff", *arguments, **values) for values in (first, rotated)
            for arguments in (("--check",), ())]
    arguments = watching.end()
    for run in runs:
        expect(run.good("a run at -vvv --diff").changed > 0, "a run changed nothing")
    expect("BY '********'" in runs[0].output and "BY '********'" in runs[-1].output, "no statement is shown masked")
    expect(arguments["looked"] > 20, "the arguments of processes were hardly looked at:", arguments)
    places = {
        "the output": "".join(run.output for run in runs),
        "the reports": "".join(path.read_text() for path in place.scratch.glob("report-*.json")),
        "docker inspect": place.sh("docker inspect $(docker ps -aq)"),
        "docker logs": place.sh("docker ps -q | xargs -n1 docker logs 2>&1"),
        "environments": place.sh("for p in /proc/[0-9]*; do tr '\\0' '\\n' <$p/environ 2>/dev/null; done; true"),
        "the journal": place.sh("journalctl --no-pager --output cat"),
        "compose.yml": place.sh(f"cat {P}/compose.yml {P}/.mooring/manifest.json")}
    shown = [f"password {number} in {name}" for name, text in places.items() for number, word in enumerate(words)
             if word in text] + arguments["seen"]
    found = _files_with(place, words)
    secret = [line for line in found if line.split()[1].startswith(f"{P}/secrets/")]
    expect(bool(secret), "not even the secret files were found")
    shown += [f"a password in {line}" for line in found if line not in (*secret, KEPT)
              and line.split()[1] not in OWN]
    shown += [f"{line} is not 0400" for line in secret if not line.startswith("400 ")]
    expect(not shown, "passwords are shown:", shown)
    place.say(f"       {len(words)} passwords, {len(places['the output'])} characters of output, {arguments['looked']} "
              f"looks at all arguments; only {len(secret)} secret files have one")
    gone = {"data_stores_mysql_accounts": [DEMO, REPORT, READER, {"name": "made", "state": "absent"}]}
    place.converge(**gone)
    place.expect_stable(**gone)


def _files_with(place: Place, words: t.Sequence[str]) -> list[str]:
    """Mode and path of each file of the node, the stores' volumes included, that has one of these words."""
    script = ("umask 077; cat >/run/words; "
              "grep -rlaFsf /run/words --exclude-dir=proc --exclude-dir=sys --exclude-dir=overlay2 --exclude=words / "
              "| xargs -r -d '\\n' stat -c '%a %n'; rm /run/words")
    done = lab.run("docker", "exec", "-i", place.node.container, "bash", "-c", script,
                   data="".join(f"{word}\n" for word in words).encode())
    return done.stdout.decode().splitlines()


# -- drift -------------------------------------------------------------------------------------


def drifted(what: str, statements: t.Sequence[str], account: str, field: str) -> Case:
    """A case: an account is changed by hand."""
    def case(place: Place) -> None:
        place.sql(*statements)
        named = {(one["object"], one["field"]) for one in place.converge("--check", "--diff").differences.get(
            "data_stores", [])}
        expect((account, field) in named, "check mode names only", named)
        healed = place.converge("--diff")
        expect({(one["object"], one["field"]) for one in healed.differences.get("data_stores", [])} == named,
               "the run says something else than check mode:", healed.differences)
        place.expect_stable()

    case.__doc__ = f"By hand {what}: named by check mode, healed by one run."
    return case


def dropping(place: Place) -> None:
    """The application's account works in its schema and cannot DROP another, asked from a container of its own."""
    password = place.secret("demo_mysql_password")
    said = place.as_account("demo", password, "CREATE TABLE IF NOT EXISTS demo.mine (a INT); SELECT 42")
    expect(said == "42", "in its own schema it is told:", said)
    for statement in ("DROP DATABASE archive", "DROP DATABASE demo", "CREATE TABLE archive.mine (a INT)",
                      "SELECT User FROM mysql.user"):
        said = place.as_account("demo", password, statement)
        expect("Access denied" in said or "command denied" in said, f"{statement} is answered with", said)
    expect({"demo", "archive"} <= set(place.sql("SHOW DATABASES").split()), "a schema is gone")


CASES: tuple[Case, ...] = (
    dropping,
    drifted("an account gets one grant more", ["GRANT DROP ON archive.* TO report"], "account 'report'@'%'",
            "grants on `archive`.*"),
    drifted("a password is changed", ["ALTER USER report IDENTIFIED BY 'by hand'"], "account 'report'@'%'",
            "password"),
    drifted("a role is taken, and another given", ["CREATE ROLE other", "REVOKE reader FROM report",
                                                   "GRANT other TO report"], "account 'report'@'%'",
            "role 'other'@'%'"),
    drifted("somebody writes into the server's tables and does not flush",
            ["INSERT INTO mysql.db (Host, Db, User, Drop_priv) VALUES (\"%\", \"archive\", \"demo\", \"Y\")"],
            "account 'demo'@'%'", "grants in force"),
    killed("mysql", 2000), killed("redis", 20000), secrecy,
)
