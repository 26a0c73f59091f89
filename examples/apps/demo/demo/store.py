# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MySQL, where the items are, and Redis, which counts visits and caches the list."""

from __future__ import annotations

import contextlib
import json
import pathlib
import queue
import ssl
import typing as t

import pymysql
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.app import Unavailable
from demo.settings import Settings

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""
POOL_SIZE = 8
CONNECT_SECONDS = 3
ANSWER_SECONDS = 10
CACHE_KEY = "demo:items"
CACHE_SECONDS = 5
VISITS_KEY = "demo:visits"


def read_secret(path: pathlib.Path) -> str:
    """Read at each connection, so that a rotated password needs no restart."""
    return path.read_text(encoding="utf-8").rstrip("\n")


class Database:
    """The items in MySQL, behind a pool of a few connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: queue.LifoQueue[pymysql.connections.Connection | None] = queue.LifoQueue()
        for _slot in range(POOL_SIZE):
            self._pool.put(None)
        # MySQL makes its own certificate unless it is given one: encrypt always,
        # verify where the CA is known.
        self._tls = ssl.create_default_context(cafile=settings.mysql_ca_file or None)
        if not settings.mysql_ca_file:
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    def _connect(self) -> pymysql.connections.Connection:
        settings = self._settings
        return pymysql.connect(
            host=settings.mysql_host,
            port=settings.mysql_port,
            database=settings.mysql_database,
            user=settings.mysql_user,
            password=read_secret(settings.mysql_password_file),
            ssl=self._tls,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            write_timeout=ANSWER_SECONDS,
        )

    @contextlib.contextmanager
    def _cursor(self) -> t.Iterator[pymysql.cursors.Cursor]:
        try:
            connection = self._pool.get(timeout=CONNECT_SECONDS)
        except queue.Empty:
            raise Unavailable("mysql", f"all {POOL_SIZE} connections are busy") from None
        healthy = False
        try:
            if connection is not None and not _alive(connection):
                connection = None
            connection = connection or self._connect()
            with connection.cursor() as cursor:
                yield cursor
            healthy = True
        except (pymysql.MySQLError, OSError) as error:
            raise Unavailable("mysql", str(error)) from error
        finally:
            # What failed is not used again; its slot is.
            if connection is not None and not healthy:
                with contextlib.suppress(pymysql.MySQLError, OSError):
                    connection.close()
            self._pool.put(connection if healthy else None)

    def migrate(self) -> None:
        with self._cursor() as cursor:
            cursor.execute(SCHEMA)

    def check(self) -> None:
        """Raises Unavailable unless the table can be read."""
        with self._cursor() as cursor:
            cursor.execute("SELECT 1 FROM items LIMIT 1")

    def items(self) -> list[dict[str, t.Any]]:
        with self._cursor() as cursor:
            cursor.execute("SELECT id, name FROM items ORDER BY id DESC LIMIT 100")
            return [{"id": row[0], "name": row[1]} for row in cursor.fetchall()]

    def add(self, name: str) -> dict[str, t.Any]:
        with self._cursor() as cursor:
            cursor.execute("INSERT INTO items (name) VALUES (%s)", (name,))
            return {"id": cursor.lastrowid, "name": name}

    def count(self) -> int:
        with self._cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM items")
            return cursor.fetchone()[0]


def _alive(connection: pymysql.connections.Connection) -> bool:
    """False for a connection that the server closed, for instance by a restart."""
    try:
        connection.ping(reconnect=False)
    except (pymysql.MySQLError, OSError):
        return False
    return True


class _FileCredentials(redis.CredentialProvider):
    def __init__(self, user: str, path: pathlib.Path) -> None:
        self._user, self._path = user, path

    def get_credentials(self) -> tuple[str, str]:
        return self._user, read_secret(self._path)


class Cache:
    """The counter and the cached list in Redis."""

    def __init__(self, settings: Settings) -> None:
        self._redis = redis.Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            credential_provider=_FileCredentials(settings.redis_user, settings.redis_password_file),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=CONNECT_SECONDS,
            decode_responses=True,
            # One more try, at once: enough for a connection that Redis closed in the meantime.
            retry=Retry(NoBackoff(), 1),
        )

    @contextlib.contextmanager
    def _errors(self) -> t.Iterator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise Unavailable("redis", str(error)) from error

    def check(self) -> None:
        """Raises Unavailable unless Redis answers."""
        with self._errors():
            self._redis.ping()

    def visit(self) -> int:
        with self._errors():
            return self._redis.incr(VISITS_KEY)

    def items(self) -> list[dict[str, t.Any]] | None:
        with self._errors():
            cached = self._redis.get(CACHE_KEY)
        return json.loads(cached) if cached else None

    def keep(self, items: list[dict[str, t.Any]]) -> None:
        with self._errors():
            self._redis.set(CACHE_KEY, json.dumps(items), ex=CACHE_SECONDS)

    def forget(self) -> None:
        with self._errors():
            self._redis.delete(CACHE_KEY)
