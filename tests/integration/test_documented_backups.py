# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands for backups in the documentation, as they stand there but for the prefix of names."""

from __future__ import annotations

import pathlib
import secrets
import subprocess
import sys
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/lab")]

import commands  # noqa: E402
import lab  # noqa: E402

PAGES = ("docs/operations.md", "roles/data_stores/README.md")
BACKUPS = [one.text for one in commands.commands() if one.page in PAGES]
NGINX = "mooring.local/nginx:1.26"
MYSQL = "mooring.local/mysql:9.7"
POSTGRESQL = "mooring.local/postgres:17"
COPIED = {"data_stores-redis-1": "redis-data", "kafka-broker-1": "kafka-data", "jenkins_dood-jenkins-1": "jenkins-data",
          "monitoring-grafana-1": "grafana-data"}


def documented(*beginnings: str) -> str:
    """The commands that begin so, in the page's order; each beginning has one."""
    found = [text for text in BACKUPS if text.startswith(beginnings)]
    assert all(any(text.startswith(begin) for text in found) for begin in beginnings), found
    return "\n".join(found)


@pytest.fixture
def prefix():
    """Begins the names of containers and volumes, which are removed."""
    name = f"mooringtest{secrets.token_hex(3)}"
    yield name
    for listed, remove in ((["ps", "--all"], ["rm", "--force"]), (["volume", "ls"], ["volume", "rm"])):
        if found := lab.docker(*listed, "--quiet", "--filter", f"name={name}").split():
            lab.docker(*remove, *found)


def shell(prefix: str, place: pathlib.Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run commands of the page, with names of the test."""
    script = script.replace("mooring-", f"{prefix}-")
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=place, capture_output=True, text=True,
                          check=False)


def inside(container: str, command: str) -> str:
    return lab.docker("exec", "--user", "0", container, "sh", "-c", command)


def wait(container: str, ask: t.Callable[[], str]) -> None:
    """Until a server answers."""
    def answers() -> bool:
        try:
            return ask().strip() == "1"
        except lab.LabError:
            return False

    lab.wait_for(f"{container} answers", 180, answers, lambda: lab.docker("logs", container, check=False))


def test_a_volume_is_copied_and_restored(prefix, tmp_path):
    lab.docker("run", "--detach", "--name", f"{prefix}-nginx_certbot-proxy-1", "--entrypoint", "sleep", NGINX, "600")
    for container, volume in COPIED.items():
        lab.docker("run", "--detach", "--name", f"{prefix}-{container}", "--volume", f"{prefix}-{volume}:/data",
                   "--stop-signal", "SIGKILL", "--entrypoint", "sleep", NGINX, "600")
        inside(f"{prefix}-{container}", f"cd /data && echo {volume} > kept && chown 999:998 kept && chmod 640 kept")

    functions = documented("image=", "copy()", "restore()")
    done = shell(prefix, tmp_path, "\n".join([functions, documented("copy mooring-", "tar -tf redis.tar")]))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"redis.tar", "kafka.tar", "jenkins.tar", "grafana.tar"}

    redis = f"{prefix}-data_stores-redis-1"
    inside(redis, "echo changed > /data/kept; echo new > /data/.new")
    done = shell(prefix, tmp_path, f"{functions}\nrestore mooring-data_stores-redis-1 mooring-redis-data < redis.tar")
    assert done.returncode == 0, done.stderr
    assert inside(redis, "stat -c '%n %a %u:%g' /data/* /data/.[!.]* 2>/dev/null; cat /data/kept").split() == [
        "/data/kept", "640", "999:998", "redis-data"]


def test_a_copy_that_fails_starts_the_service_again_and_a_restore_that_fails_does_not(prefix, tmp_path):
    lab.docker("run", "--detach", "--name", f"{prefix}-nginx_certbot-proxy-1", "--entrypoint", "sleep", NGINX, "600")
    redis = f"{prefix}-data_stores-redis-1"
    lab.docker("run", "--detach", "--name", redis, "--volume", f"{prefix}-redis-data:/data", "--stop-signal", "SIGKILL",
               "--entrypoint", "sleep", NGINX, "600")
    functions = documented("image=", "copy()", "restore()")
    running = ("inspect", "--format", "{{ .State.Running }}", redis)

    broken = functions.replace("-C /from -cf - .", "-C /nowhere -cf - .")
    assert broken != functions
    done = shell(prefix, tmp_path, f"{broken}\ncopy mooring-data_stores-redis-1 mooring-redis-data > redis.tar")
    assert done.returncode != 0
    assert lab.docker(*running) == "true"
    # No volume of this name: nothing is stopped for it, and Docker makes none.
    done = shell(prefix, tmp_path, f"{functions}\ncopy mooring-data_stores-redis-1 mooring-other-data > redis.tar")
    assert done.returncode != 0
    assert lab.docker("volume", "ls", "--quiet", "--filter", f"name={prefix}-other") == ""

    (tmp_path / "half.tar").write_bytes(b"no archive")
    done = shell(prefix, tmp_path, f"{functions}\nrestore mooring-data_stores-redis-1 mooring-redis-data < half.tar")
    assert done.returncode != 0
    assert lab.docker(*running) == "false"


def test_mysql_is_dumped_and_loaded(prefix, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets").chmod(0o755)
    (tmp_path / "secrets/root_password").write_text("root's \"password\" of the lab")
    name = f"{prefix}-data_stores-mysql-1"
    lab.docker("run", "--detach", "--name", name, "--memory", "1500m",
               "--volume", f"{prefix}-mysql-data:/var/lib/mysql",
               "--volume", f"{tmp_path}/secrets:/run/secrets:ro", "--env", "MYSQL_ROOT_HOST=localhost",
               "--env", "MYSQL_ROOT_PASSWORD_FILE=/run/secrets/root_password", "--env", "MYSQL_INITDB_SKIP_TZINFO=1",
               MYSQL, "mysqld", "--mysqlx=OFF")

    def sql(statements: str) -> str:
        return inside(name, "MYSQL_PWD=$(cat /run/secrets/root_password) mysql --user=root --batch --skip-column-names "
                            f"--execute \"{statements}\"")

    wait(name, lambda: sql("SELECT 1"))
    sql("CREATE DATABASE demo; CREATE TABLE demo.items (name VARCHAR(20)); INSERT INTO demo.items VALUES ('한글');"
        "CREATE DATABASE shop; CREATE PROCEDURE shop.nothing() SELECT 1;")

    dump = documented("docker exec mooring-data_stores-mysql-1 sh -c 'MYSQL_PWD", "tail -n 1 mysql.sql")
    done = shell(prefix, tmp_path, dump)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-- Dump completed")
    assert "password" not in done.stderr

    sql("DROP DATABASE demo; DROP DATABASE shop;")
    done = shell(prefix, tmp_path, documented("docker exec --interactive mooring-data_stores-mysql-1"))
    assert done.returncode == 0, done.stderr
    assert sql("SELECT HEX(name) FROM demo.items").strip() == "한글".encode().hex().upper()
    routines = "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'shop'"
    assert sql(routines).strip() == "nothing"


def test_postgresql_is_dumped_and_loaded(prefix, tmp_path):
    if not lab.docker("images", "--quiet", POSTGRESQL):
        pytest.skip(f"{POSTGRESQL} is not here; distro_images makes it where it is asked to")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets").chmod(0o755)
    (tmp_path / "secrets/admin_password").write_text("postgres's \"password\" of the lab")
    name = f"{prefix}-data_stores-postgres-1"
    lab.docker("run", "--detach", "--name", name, "--memory", "512m", "--volume", f"{tmp_path}/secrets:/run/secrets:ro",
               "--volume", f"{prefix}-postgres-data:/var/lib/postgresql/data",
               "--env", "POSTGRES_PASSWORD_FILE=/run/secrets/admin_password", POSTGRESQL)

    def sql(statement: str, database: str = "postgres") -> str:
        return inside(name, "PGPASSWORD=$(cat /run/secrets/admin_password) psql --username=postgres --tuples-only "
                            f"--no-align --dbname={database} --command \"{statement}\"")

    wait(name, lambda: sql("SELECT 1"))
    for statement in ("CREATE ROLE shop LOGIN PASSWORD 'secret'", "CREATE DATABASE shop OWNER shop"):
        sql(statement)
    sql("CREATE TABLE items AS SELECT '한글' AS name", "shop")

    done = shell(prefix, tmp_path, documented("docker exec mooring-data_stores-postgres-1 sh -c"))
    assert done.returncode == 0, done.stderr
    dump = (tmp_path / "postgres-17.sql").read_text()
    assert "-- PostgreSQL database cluster dump complete" in dump.splitlines()[-3:]

    sql("DROP TABLE items", "shop")
    done = shell(prefix, tmp_path, documented("docker exec --interactive mooring-data_stores-postgres-1"))
    assert done.returncode == 0, done.stderr
    assert sql("SELECT name FROM items", "shop").strip() == "한글"
