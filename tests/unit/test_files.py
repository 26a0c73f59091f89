# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are never seen half-written."""

from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _files as files


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch):
    """What fails to write to an open file does not know its name."""
    path = tmp_path / "nginx.conf"
    path.write_text("old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device: .*nginx.conf") as raised:
        files.write_file(str(path), b"new", 0o644, os.getuid(), os.getgid())
    assert raised.value.filename == str(path)
    assert path.read_text() == "old"


def test_a_file_is_there_with_its_mode_from_the_start(tmp_path):
    path = tmp_path / "secret"
    files.write_file(str(path), b"new", 0o400, os.getuid(), os.getgid())
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"new", 0o400)
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]
