# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that containers of several projects share."""

from __future__ import annotations

import os
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._step_shared_directory import Directory, converge, decide

OWNER = os.geteuid()
DECLARED = Directory("7:7", "0750")


@pytest.mark.parametrize(("found", "fields"), [
    (None, [("presence", "present", None)]),
    (DECLARED, []),
    (Directory("0:0", "0750"), [("owner", "7:7", "0:0")]),
    (Directory("7:0", "0777"), [("owner", "7:7", "7:0"), ("mode", "0750", "0777")]),
])
def test_what_is_not_as_declared(found, fields):
    differences = decide("/log", found, DECLARED)
    assert [(one.field, one.expected, one.found) for one in differences] == fields
    assert {one.object for one in differences} <= {"directory /log"}


def run(path, check_mode=False, mode="0750", owner=OWNER):
    return converge(types.SimpleNamespace(check_mode=check_mode), {"path": str(path), "owner": owner, "mode": mode})


def test_it_is_made_once_with_what_is_above_it(tmp_path):
    path = tmp_path / "shop" / "log"
    predicted = run(path, check_mode=True)
    assert predicted["changed"] and not path.parent.exists()
    assert run(path) == predicted
    assert path.stat().st_mode & 0o7777 == 0o750
    assert run(path) == {"changed": False, "differences": [], "notices": []}


def test_what_is_in_it_is_left_alone(tmp_path):
    path = tmp_path / "log"
    path.mkdir(mode=0o777)
    (path / "shop.log").write_text("a line")
    path.chmod(0o777)
    assert [one["found"] for one in run(path)["differences"]] == ["0777"]
    assert (path / "shop.log").read_text() == "a line"


@pytest.mark.parametrize("kind", ["link", "file"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_what_is_no_directory_is_refused(tmp_path, kind, check_mode):
    path = tmp_path / "log"
    path.symlink_to(tmp_path) if kind == "link" else path.write_text("")
    with pytest.raises(MooringError, match="is not a directory"):
        run(path, check_mode)


def test_a_mode_that_is_none_is_refused(tmp_path):
    with pytest.raises(MooringError, match="mode is 'rwx', which is not octal"):
        run(tmp_path / "log", mode="rwx")
    assert not (tmp_path / "log").exists()
