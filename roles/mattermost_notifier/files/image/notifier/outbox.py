# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be told, on disk: what was accepted survives a kill, and is told once it can be.

Many threads write, and each waits for the disk. So one commits for all that came while the
disk was busy with the commit before.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import threading
import typing as t

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, channel TEXT NOT NULL, kind TEXT NOT NULL,
    subject TEXT NOT NULL, post TEXT NOT NULL, at REAL NOT NULL, refusals INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS lanes ON outbox (webhook, channel, id);
CREATE TABLE IF NOT EXISTS accepted (
    id INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL UNIQUE, at REAL NOT NULL, message INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS messages ON accepted (message);
CREATE TABLE IF NOT EXISTS memory (
    id INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL UNIQUE, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trial (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
"""
# How much is known of deliveries, and of branches' pipelines, however many come.
ACCEPTED_LIMIT, MEMORY_LIMIT = 100_000, 10_000
# Bytes; about what a message may have.
_TRIAL = 16384
_COLUMNS = "id, webhook, channel, kind, subject, post, at, refusals"

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A message that was not delivered yet. ``at`` is when it was accepted, in seconds since the epoch."""

    id: int
    webhook: str
    channel: str
    kind: str
    subject: str
    post: dict[str, str]
    at: float
    refusals: int


class Full(Exception):
    """As many messages wait as may."""


class _Job(t.Generic[T]):
    """Something to do in a transaction, and what came of it."""

    def __init__(self, work: t.Callable[[], T]) -> None:
        self.work = work
        self.done = False
        self.result: T
        self.error: Exception | None = None


class Outbox:
    """The database. Every method may be called by any thread, and raises :class:`sqlite3.Error` for a sick disk."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._database.executescript(_SCHEMA)
        self._busy = threading.Lock()
        self._jobs: list[_Job[t.Any]] = []

    def close(self) -> None:
        """Write everything into one file."""
        with self._busy:
            self._database.close()

    def transaction(self, work: t.Callable[[], T]) -> T:
        """Do it in a transaction, together with what others want done now; what it returns."""
        job = _Job(work)
        # Of a list, append is one step.
        self._jobs.append(job)
        with self._busy:
            if not job.done:
                jobs, self._jobs = self._jobs, []
                self._do(jobs)
        if job.error is not None:
            raise job.error
        return job.result

    def _do(self, jobs: list[_Job[t.Any]]) -> None:
        """All of it, or where the disk is sick none; a job that fails for a reason of its own is undone alone."""
        execute, complete = self._database.execute, False
        try:
            execute("BEGIN IMMEDIATE")
            for job in jobs:
                execute("SAVEPOINT job")
                try:
                    job.result = job.work()
                except sqlite3.Error:
                    raise
                except Exception as error:  # noqa: BLE001 - it is raised again, by whoever waits for this job
                    job.error = error
                    execute("ROLLBACK TO job")
                execute("RELEASE job")
            execute("COMMIT")
            complete = True
        except sqlite3.Error as error:
            for job in jobs:
                job.error = error
        finally:
            if not complete:
                with contextlib.suppress(sqlite3.Error):
                    execute("ROLLBACK")
            for job in jobs:
                if not complete and job.error is None:
                    job.error = sqlite3.OperationalError("what was to be written with it could not be")
                job.done = True

    # What follows is for use in a transaction.

    def accepted(self, identity: str, since: float) -> bool:
        """Whether a delivery became a message, after ``since``, that was not lost."""
        return self._database.execute(
            "SELECT 1 FROM accepted WHERE identity = ? AND at > ?", (identity, since)).fetchone() is not None

    def recall(self, subject: str) -> str:
        """What is remembered; "" for nothing."""
        row = self._database.execute("SELECT value FROM memory WHERE subject = ?", (subject,)).fetchone()
        return str(row[0]) if row else ""

    def remember(self, subject: str, value: str) -> None:
        """For :meth:`recall`."""
        execute = self._database.execute
        execute("INSERT OR REPLACE INTO memory (subject, value) VALUES (?, ?)", (subject, value))
        execute("DELETE FROM memory WHERE id <= (SELECT max(id) FROM memory) - ?", (MEMORY_LIMIT,))

    def add(self, webhook: str, kind: str, subject: str, post: t.Mapping[str, str], now: float, limit: int,
            identity: str = "") -> None:
        """One more message, after all others, and of which delivery; raises :class:`Full` if ``limit`` wait."""
        execute = self._database.execute
        (waiting,) = execute("SELECT count(*) FROM outbox").fetchone()
        if waiting >= limit:
            raise Full(f"{limit} messages wait, and no more may")
        message = execute(
            "INSERT INTO outbox (webhook, channel, kind, subject, post, at) VALUES (?, ?, ?, ?, ?, ?)",
            (webhook, post.get("channel", ""), kind, subject, json.dumps(post, ensure_ascii=False), now)).lastrowid
        if identity:
            execute("INSERT OR REPLACE INTO accepted (identity, at, message) VALUES (?, ?, ?)",
                    (identity, now, message))
            execute("DELETE FROM accepted WHERE id <= (SELECT max(id) FROM accepted) - ?", (ACCEPTED_LIMIT,))

    def _lose(self, messages: t.Iterable[Waiting]) -> None:
        """Remove them as if they had not come, so that they may come again."""
        execute = self._database.execute
        for one in messages:
            execute("DELETE FROM outbox WHERE id = ?", (one.id,))
            execute("DELETE FROM accepted WHERE message = ?", (one.id,))
            execute("DELETE FROM memory WHERE subject = ?", (one.subject,))

    def _read(self, where: str, *values: t.Any) -> list[Waiting]:
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM outbox WHERE {where} ORDER BY id", values)
        return [Waiting(*row[:5], json.loads(row[5]), *row[6:]) for row in rows]

    # What follows makes its own.

    def heads(self, webhook: str) -> list[Waiting]:
        """The first message of each channel, the oldest first."""
        return self.transaction(lambda: self._read(
            "id IN (SELECT min(id) FROM outbox WHERE webhook = ? GROUP BY channel)", webhook))

    def delivered(self, message: Waiting) -> None:
        """Mattermost has it."""
        self.transaction(lambda: self._database.execute("DELETE FROM outbox WHERE id = ?", (message.id,)))

    def lose(self, message: Waiting) -> None:
        """It never will be delivered, unless it comes again."""
        self.transaction(lambda: self._lose([message]))

    def lose_others(self, webhooks: t.Collection[str]) -> list[Waiting]:
        """Lose what is for none of these."""
        def lose() -> list[Waiting]:
            others = self._read(f"webhook NOT IN ({', '.join('?' * len(webhooks))})", *webhooks)
            self._lose(others)
            return others
        return self.transaction(lose)

    def refused(self, message: Waiting) -> None:
        """Mattermost did not take it."""
        self.transaction(
            lambda: self._database.execute("UPDATE outbox SET refusals = refusals + 1 WHERE id = ?", (message.id,)))

    def try_to_write(self) -> None:
        """Write what a message needs, and remove it; each is on disk before this returns."""
        execute = self._database.execute
        self.transaction(lambda: execute(
            "INSERT OR REPLACE INTO trial (id, content) VALUES (1, zeroblob(?))", (_TRIAL,)))
        self.transaction(lambda: execute("DELETE FROM trial"))

    def state(self) -> dict[str, tuple[int, float]]:
        """How many messages of each webhook wait, and since when the first does."""
        return self.transaction(lambda: {str(row[0]): (int(row[1]), float(row[2])) for row in self._database.execute(
            "SELECT webhook, count(*), min(at) FROM outbox GROUP BY webhook")})
