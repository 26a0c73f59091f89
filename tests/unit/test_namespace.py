# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entering a container's network, and what keeps one out."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._namespace import Gone, network_of


class Libc:
    """setns(2) as a test wants it."""

    def __init__(self, answer: int = 0) -> None:
        self.entered: list[int] = []
        self.answer = answer

    def setns(self, namespace: int, kind: int) -> int:
        assert kind == 0x40000000, "the network and nothing else"
        self.entered.append(os.fstat(namespace).st_ino)
        ctypes.set_errno(errno.EPERM)
        return self.answer


def test_there_and_back(monkeypatch):
    libc = Libc()
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: libc)
    here = os.stat("/proc/self/ns/net").st_ino
    with pytest.raises(ZeroDivisionError), network_of(os.getpid()):
        assert libc.entered == [here]
        raise ZeroDivisionError
    assert libc.entered == [here, here], "back, whatever happened there"


def test_a_process_that_has_ended():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(Gone, match="cannot be entered: .*Did it just stop"), network_of(ended.pid):
        pytest.fail("nobody is there")


def test_a_network_that_may_not_be_entered(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Libc(-1))
    with pytest.raises(MooringError, match="entered: Operation not permitted"), network_of(os.getpid()):
        pytest.fail("it was let in")


def test_a_container_that_does_not_run_is_named(monkeypatch):
    monkeypatch.setattr(Docker, "process", lambda _docker, _container: 0)
    with pytest.raises(Gone, match="The container proxy does not run; start it"), Docker(None).inside("proxy"):
        pytest.fail("nobody is there")
