# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: speak from where a container speaks.

A host has a way to a bridge network of its own, but none to an overlay that it shares with other hosts. So whoever asks
a container something enters the container's network for as long as that takes: its addresses are right from there, on
either kind, and nothing has to be published.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

# <sched.h>
CLONE_NEWNET = 0x40000000


class Gone(MooringError):
    """The process whose network was to be entered has ended."""


@contextlib.contextmanager
def network_of(process: int) -> t.Iterator[None]:
    """This thread, and the threads that it starts, in the network of another process (setns(2)); takes root.

    Raises :class:`MooringError`, for a process that is gone :class:`Gone`.
    """
    with contextlib.ExitStack() as open_files:
        home = open_files.enter_context(open("/proc/thread-self/ns/net", "rb"))
        try:
            there = open_files.enter_context(open(f"/proc/{process}/ns/net", "rb"))
        except OSError as error:
            raise Gone(f"The container's network cannot be entered: {error.strerror}. Did it just stop?") from error
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(namespace: int) -> None:
    # os.setns came with Python 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET):
        raise MooringError(f"The container's network cannot be entered: {os.strerror(ctypes.get_errno())}.")
