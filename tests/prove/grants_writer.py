#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write to MySQL or Redis until it is gone, and say what it acknowledged. Runs on the node, as an application would.

    grants_writer.py write mysql|redis ADDRESS PASSWORD_FILE ROUND     prints "KEY SECONDS" for each acknowledged write
    grants_writer.py take mysql|redis ADDRESS PASSWORD_FILE ROUND      prints each KEY that is there, and removes it
    grants_writer.py watch                                             reads words from standard input and prints in
                                                                       whose arguments they are, until the input ends

SECONDS are those of the monotonic clock, which all containers of a machine share.
"""

from __future__ import annotations

import json
import pathlib
import socket
import ssl
import sys
import threading
import time
import typing as t

CONNECTIONS = 8
TABLE = "demo.acknowledged"
FILLER = "x" * 100


class MysqlStore:
    """One connection over TCP with TLS; every statement is a transaction of its own."""

    def __init__(self, address: str, password: str) -> None:
        import pymysql  # the node's own; Redis is written to without it

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.gone = (OSError, pymysql.err.MySQLError)
        self._session = pymysql.connect(host=address, user="demo", password=password, ssl=context, autocommit=True)
        self._cursor = self._session.cursor()
        self._cursor.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (name VARCHAR(40) PRIMARY KEY, filler TEXT)")

    def write(self, key: str) -> None:
        """Return when the server has said that it is done."""
        self._cursor.execute(f"INSERT INTO {TABLE} VALUES (%s, %s)", [key, FILLER])

    def take(self, turn: str) -> list[str]:
        """What is there of a round, until now."""
        self._cursor.execute(f"SELECT name FROM {TABLE} WHERE name LIKE %s", [f"{turn}-%"])
        keys = [row[0] for row in self._cursor.fetchall()]
        self._cursor.execute(f"DELETE FROM {TABLE} WHERE name LIKE %s", [f"{turn}-%"])
        return keys


class RedisStore:
    """One connection, in the plain protocol."""

    gone = (OSError,)

    def __init__(self, address: str, password: str) -> None:
        self._connection = socket.create_connection((address, 6379), timeout=30)
        self._answers = self._connection.makefile("rb")
        self._ask("AUTH", "demo", password)

    def _ask(self, *words: str) -> t.Any:
        parts = [f"*{len(words)}\r\n"]
        parts += [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        self._connection.sendall("".join(parts).encode())
        return self._answer()

    def _answer(self) -> t.Any:
        line = self._answers.readline()
        kind, text = line[:1], line[1:].strip().decode()
        if kind == b"+":
            return text
        if kind == b":":
            return int(text)
        if kind == b"$":
            return self._answers.read(int(text) + 2)[:-2].decode()
        if kind == b"*":
            return [self._answer() for _item in range(int(text))]
        raise ConnectionError(f"Redis says {line!r}")

    def write(self, key: str) -> None:
        """Return when the server has said that it is done."""
        self._ask("SET", f"demo:{key}", FILLER)

    def take(self, turn: str) -> list[str]:
        """What is there of a round, until now."""
        cursor, keys = "0", set()
        while True:
            cursor, found = self._ask("SCAN", cursor, "MATCH", f"demo:{turn}-*", "COUNT", "1000")
            keys.update(found)
            if cursor == "0":
                break
        for key in keys:
            self._ask("DEL", key)
        return [key.removeprefix("demo:") for key in keys]


STORES = {"mysql": MysqlStore, "redis": RedisStore}


def write(store: t.Any, turn: str, number: int) -> None:
    """Until the server is gone."""
    written = 0
    while True:
        key = f"{turn}-{number}-{written}"
        try:
            store.write(key)
        except store.gone as error:
            print(f"# {type(error).__name__}: {error}", flush=True)
            return
        print(f"{key} {time.monotonic()}", flush=True)
        written += 1


def watch() -> None:
    """Which words are in the arguments of a process."""
    words = json.loads(sys.stdin.readline())
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    looked, seen = 0, set()
    while not ended.wait(0.005):
        looked += 1
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                # It has ended.
                continue
            seen |= {f"password {number} in the arguments of {text[:60]}" for number, word in enumerate(words)
                     if word in text}
    print(json.dumps({"looked": looked, "seen": sorted(seen)}))


def main() -> int:
    """Parse, do."""
    if sys.argv[1] == "watch":
        watch()
        return 0
    what, kind, address, password_file, turn = sys.argv[1:]
    password = pathlib.Path(password_file).read_text(encoding="utf-8").strip()
    if what == "take":
        print("\n".join(STORES[kind](address, password).take(turn)))
        return 0
    stores = [STORES[kind](address, password) for _number in range(CONNECTIONS)]
    threads = [threading.Thread(target=write, args=(store, turn, number)) for number, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
