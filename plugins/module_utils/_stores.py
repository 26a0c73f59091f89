# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what the steps share that converge a data store through its socket."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

S = t.TypeVar("S")


def server_expected(socket: str) -> bool:
    """Whether there ever was a server here: its socket's directory exists."""
    return os.path.isdir(os.path.dirname(socket))


def apply_all(statements: t.Sequence[S], apply: t.Callable[[S], None]) -> None:
    """Run every statement; one that fails does not keep the others from being run.

    Raises :class:`MooringError` naming those that failed, also as its detail ``failed_statements``.
    """
    failures = []
    for statement in statements:
        try:
            apply(statement)
        except MooringError as error:
            failures.append(str(error))
    if failures:
        done = len(statements) - len(failures)
        raise MooringError(f"{len(failures)} of {len(statements)} statements failed, the other {done} are in "
                           "effect. " + " ".join(failures), failed_statements=failures)


def prove_nothing_is_left(store: str, statements: t.Iterable[t.Any]) -> None:
    """After all were run, none may be needed any more; raises :class:`MooringError`."""
    left = [str(statement) for statement in statements]
    if left:
        raise MooringError(f"{store} took every statement, and yet these are still needed: " + "; ".join(left))
