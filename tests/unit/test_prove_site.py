# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the proofs read what a run of a playbook printed, and how they start one."""

from __future__ import annotations

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("lab", "prove")]

from drift_site import Failed, Outcome, Runner  # noqa: E402

RECAP = """\
PLAY RECAP *********************************************************************
data-1                     : ok=9    changed=2    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0
app-1                      : ok=7    changed=1    unreachable=0    failed=0    skipped=3    rescued=0    ignored=0
"""


def test_a_good_run():
    run = Outcome(RECAP, 0)
    assert run.recap == {"data-1": (2, 0, 0), "app-1": (1, 0, 0)}
    assert run.changed == 3
    assert run.good("a run") is run


@pytest.mark.parametrize(("output", "status", "changed"), [
    (RECAP, 4, 3), ("", 0, -1), (RECAP.replace("unreachable=0", "unreachable=1", 1), 0, -1),
    (RECAP.replace("failed=0", "failed=1", 1), 2, -1),
])
def test_a_run_that_did_not_end_well(output, status, changed):
    run = Outcome(output, status)
    assert run.changed == changed
    with pytest.raises(Failed, match=f"a run ended with status {status}"):
        run.good("a run")


def test_a_run_is_started_where_the_clone_is_and_can_be_stopped(tmp_path, monkeypatch):
    program = tmp_path / "ansible-playbook"
    program.write_text('#!/bin/sh\necho "$PWD $* $WORD $ANSIBLE_NOCOLOR"\nexec sleep 60\n')
    program.chmod(0o755)
    monkeypatch.setattr("drift_site.PLAYBOOK", program)
    runner = Runner(tmp_path, "nothing")
    runner.code.mkdir()
    process = runner.launch("-i", "here", "site.yml", WORD="said")
    assert process.stdout.readline() == f"{runner.code} -i here site.yml said 1\n"
    runner.stop()
    assert process.wait(10) == -9
    process.stdout.close()
    runner.stop()
