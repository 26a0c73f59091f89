# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the one way a module reports that it cannot go on."""

from __future__ import annotations

import contextlib
import errno
import typing as t


class MooringError(Exception):
    """Something the operator can act on.

    The message is one or more complete sentences that name what is wrong and
    what to do about it. ``details`` become keys of the module's result.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = details


class HeldBack(MooringError):
    """Something waits for permission; everything else is converged, and what comes next may go on."""


def problem_and_remedy(error: MooringError | str) -> tuple[str, str]:
    """The first sentence of an error and what follows it, without full stops; "" where nothing follows.

    For those who put both into a sentence of their own.
    """
    problem, _stop, remedy = str(error).rstrip(".").partition(". ")
    return problem, remedy


@contextlib.contextmanager
def domain_errors(module: t.Any) -> t.Iterator[None]:
    """Turn every :class:`MooringError` of the block into ``module.fail_json``.

    The only place where modules fail on purpose; anything else that escapes is
    a bug and keeps its traceback. Only a disk that takes nothing more is neither.
    """
    try:
        yield
    except MooringError as error:
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        module.fail_json(msg=f"{error.strerror}: {error.filename or 'a file'} could not be written. Make room, or the "
                             "file system writable, and run again; the next run goes on from what it finds.")
