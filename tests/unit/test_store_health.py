# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health checks of MySQL and Redis, with programs in place of their clients: what counts as healthy."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/lab"))

import templates  # noqa: E402

PROJECT = pathlib.Path(__file__).resolve().parents[2] / "roles/data_stores/templates/project"
# Writes down how it was called, and succeeds if the password that it was given is the server's.
CLIENT = """#!{python}
import json, os, pathlib, sys
here = pathlib.Path({here!r})
files = [one.partition("=")[2] for one in sys.argv if one.startswith("--defaults-extra-file=")]
given = pathlib.Path(files[0]).read_text() if files else os.environ["REDISCLI_AUTH"] + chr(10)
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + chr(10))
server = here / "server"
if not server.exists():
    sys.exit("cannot connect: a server that is being made listens on its socket only")
if server.read_text() != given:
    sys.exit("access denied")
"""


def render(text: str, **variables: str) -> str:
    """As a run does it."""
    return Templar(loader=DataLoader(), variables=variables).template(
        templates.trust_as_template(text), escape_backslashes=False)


class Container:
    """Directories in place of those that the check knows, and what it called."""

    def __init__(self, place: pathlib.Path, program: str) -> None:
        self.place = place
        for name in ("bin", "data", "secrets", "run", "log"):
            (place / name).mkdir()
        client = place / "bin" / program
        client.write_text(CLIENT.format(python=sys.executable, here=str(place)))
        client.chmod(0o755)

    def check(self, path: str, *arguments: str) -> bool:
        """Whether the check says healthy."""
        text = (PROJECT / path).read_text()
        script = render(text, data_stores_mysql_slow_log_size="16m")
        here = {"/var/lib/mysql": "data", "/run/secrets": "secrets", "/var/run/mysqld": "run", "/var/log/mysql": "log",
                "/tmp": "run"}
        script = re.sub("|".join(here), lambda found: str(self.place / here[found[0]]), script)
        # The first process here is not MySQL.
        assert script.count("kill -USR1 1") <= 1
        (self.place / "check.sh").write_text(script.replace("kill -USR1 1", "exit 99"))
        environment = {**os.environ, "PATH": f"{self.place / 'bin'}:{os.environ['PATH']}"}
        return subprocess.run(["sh", self.place / "check.sh", *arguments], env=environment, capture_output=True,
                              check=False, timeout=30).returncode == 0

    def calls(self) -> list[list[str]]:
        """Arguments of each call."""
        return [json.loads(line) for line in (self.place / "calls").read_text().splitlines()]


@pytest.fixture
def mysql(tmp_path: pathlib.Path) -> Container:
    container = Container(tmp_path, "mysql")
    (tmp_path / "log/slow.log").write_text("")
    (tmp_path / "secrets/health.cnf").write_text("one")
    return container


MYSQL, REDIS = "mysql/bin/health.sh.j2", "redis/bin/redis.sh"


# defect 29
@pytest.mark.parametrize(("server", "healthy"), [(None, False), ("another", False), ("one", True)],
                         ids=["being made", "access denied", "answers"])
def test_mysql_is_healthy_when_it_answers_a_query(mysql: Container, server: str | None, healthy: bool) -> None:
    if server:
        (mysql.place / "server").write_text(server)
    assert mysql.check(MYSQL) == healthy
    for call in mysql.calls():
        assert call[0].startswith("--defaults-extra-file=") and call[-1] == "--execute=SELECT 1"
        assert not any("one" in word.partition("=")[2].split("/")[-1] for word in call)


# defect 29
def test_mysql_is_asked_through_the_network() -> None:
    text = (PROJECT / "secrets/mysql/health.cnf.j2").read_text()
    given = render(text, data_stores_mysql_health_password='a"\\b').splitlines()
    assert {"host=127.0.0.1", "protocol=tcp", "ssl-mode=REQUIRED", 'password="a\\"\\\\b"'} <= set(given)


@pytest.mark.parametrize("mark", [".mooring-first-start", ".mooring-initialising"])
def test_a_directory_that_was_never_completed_is_not_healthy(mysql: Container, mark: str) -> None:
    (mysql.place / "server").write_text("one")
    (mysql.place / "data" / mark).write_text("")
    assert not mysql.check(MYSQL)
    assert not (mysql.place / "calls").exists()


def test_a_password_of_mysql_that_is_being_changed_is_healthy(mysql: Container) -> None:
    (mysql.place / "server").write_text("one")
    assert mysql.check(MYSQL)
    (mysql.place / "secrets/health.cnf").write_text("two")
    assert mysql.check(MYSQL)
    (mysql.place / "server").write_text("three")
    assert not mysql.check(MYSQL)


# defects 33, 35
@pytest.mark.parametrize(("server", "healthy"), [(None, False), ("another\n", False), ("one\n", True)],
                         ids=["absent", "access denied", "answers"])
def test_redis_is_healthy_when_it_answers_to_a_login(tmp_path: pathlib.Path, server: str | None, healthy: bool) -> None:
    redis = Container(tmp_path, "redis-cli")
    (tmp_path / "secrets/health_password").write_text("one\n")
    if server:
        (tmp_path / "server").write_text(server)
    assert redis.check(REDIS, "PING") == healthy
    expected: list[t.Any] = ["-h", "127.0.0.1", "--user", "health", "--no-auth-warning", "-e", "PING"]
    assert all(call == expected for call in redis.calls())
