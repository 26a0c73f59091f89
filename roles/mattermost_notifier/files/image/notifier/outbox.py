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
CREATE TABLE IF NOT EXISTS seen (
    id INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL UNIQUE, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS memory (
    id INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL UNIQUE, value TEXT NOT NULL);
"""
# How much is known of deliveries, and of branches whose pipelines failed, however many come.
SEEN_LIMIT, MEMORY_LIMIT = 100_000, 10_000

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
        """All of it, or where the disk is sick none; a job that finds no room is undone alone."""
        execute, complete = self._database.execute, False
        try:
            execute("BEGIN IMMEDIATE")
            for job in jobs:
                execute("SAVEPOINT job")
                try:
                    job.result = job.work()
                except Full as error:
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

    def is_new(self, identity: str, now: float, window: float) -> bool:
        """Whether a delivery did not come before; from now on it did."""
        execute = self._database.execute
        found = execute("SELECT at FROM seen WHERE identity = ?", (identity,)).fetchone()
        if found and found[0] > now - window:
            return False
        execute("INSERT OR REPLACE INTO seen (identity, at) VALUES (?, ?)", (identity, now))
        execute("DELETE FROM seen WHERE id <= (SELECT max(id) FROM seen) - ?", (SEEN_LIMIT,))
        return True

    def recall(self, subject: str) -> str:
        """What is remembered; "" for nothing."""
        row = self._database.execute("SELECT value FROM memory WHERE subject = ?", (subject,)).fetchone()
        return str(row[0]) if row else ""

    def remember(self, subject: str, value: str) -> None:
        """Remember it, or with "" forget it."""
        execute = self._database.execute
        if value:
            execute("INSERT OR REPLACE INTO memory (subject, value) VALUES (?, ?)", (subject, value))
            execute("DELETE FROM memory WHERE id <= (SELECT max(id) FROM memory) - ?", (MEMORY_LIMIT,))
        else:
            execute("DELETE FROM memory WHERE subject = ?", (subject,))

    def add(self, webhook: str, kind: str, subject: str, post: t.Mapping[str, str], now: float, limit: int) -> None:
        """One more message, after all others; raises :class:`Full` if ``limit`` wait."""
        (waiting,) = self._database.execute("SELECT count(*) FROM outbox").fetchone()
        if waiting >= limit:
            raise Full(f"{limit} messages wait, and no more may")
        self._database.execute(
            "INSERT INTO outbox (webhook, channel, kind, subject, post, at) VALUES (?, ?, ?, ?, ?, ?)",
            (webhook, post.get("channel", ""), kind, subject, json.dumps(post, ensure_ascii=False), now))

    # What follows makes its own.

    def heads(self, webhook: str) -> list[Waiting]:
        """The first message of each channel, the oldest first."""
        def read() -> list[Waiting]:
            rows = self._database.execute(
                "SELECT id, webhook, channel, kind, subject, post, at, refusals FROM outbox WHERE id IN "
                "(SELECT min(id) FROM outbox WHERE webhook = ? GROUP BY channel) ORDER BY id", (webhook,))
            return [Waiting(*row[:5], json.loads(row[5]), *row[6:]) for row in rows]
        return self.transaction(read)

    def remove(self, id: int) -> None:
        """It was delivered, or never will be."""
        self.transaction(lambda: self._database.execute("DELETE FROM outbox WHERE id = ?", (id,)))

    def drop_others(self, webhooks: t.Collection[str]) -> list[str]:
        """Remove what is for none of these; for whom it was."""
        def drop() -> list[str]:
            others = [str(name) for (name,) in self._database.execute("SELECT DISTINCT webhook FROM outbox")
                      if name not in webhooks]
            self._database.executemany("DELETE FROM outbox WHERE webhook = ?", [(name,) for name in others])
            return others
        return self.transaction(drop)

    def refused(self, id: int) -> None:
        """Mattermost did not take it."""
        self.transaction(
            lambda: self._database.execute("UPDATE outbox SET refusals = refusals + 1 WHERE id = ?", (id,)))

    def state(self) -> dict[str, tuple[int, float]]:
        """How many messages of each webhook wait, and since when the first does."""
        return self.transaction(lambda: {str(row[0]): (int(row[1]), float(row[2])) for row in self._database.execute(
            "SELECT webhook, count(*), min(at) FROM outbox GROUP BY webhook")})
