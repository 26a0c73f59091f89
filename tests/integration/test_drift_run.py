# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-playbook makes of the drift callback: exit codes, recap, and nothing left behind."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
CONNECTIONS = {"here": "ansible_connection=local", "gone": "ansible_host=192.0.2.1 ansible_ssh_common_args='-F none'"}

QUIET = "ansible.builtin.command: {cmd: 'true'}, changed_when: false, check_mode: false"
CHANGED = "ansible.builtin.command: {cmd: 'true'}, changed_when: true, check_mode: false"
FAILED = "ansible.builtin.fail: {msg: It broke.}"


@pytest.fixture()
def run(tmp_path):
    """Runs tasks of a role on hosts, in a project of their own."""
    tmp_path.joinpath("ansible.cfg").write_text(
        f"[defaults]\ncollections_path = {ROOT / '.collections'}\nlocal_tmp = {tmp_path / 'tmp'}\n"
        "callbacks_enabled = mooring.stack.progress, mooring.stack.drift\n")
    (tmp_path / "roles" / "part" / "tasks").mkdir(parents=True)

    def play(*tasks, hosts=("here",), playbook="drift.yml", arguments=("--check",)):
        (tmp_path / "hosts").write_text("".join(
            f"{host} {CONNECTIONS[host]} ansible_python_interpreter={sys.executable}\n" for host in hosts))
        (tmp_path / "roles" / "part" / "tasks" / "main.yml").write_text("".join(
            f"- {{name: Step {number}, {task}}}\n" for number, task in enumerate(tasks)))
        (tmp_path / playbook).write_text("- {hosts: all, gather_facts: false, roles: [part]}\n")
        return subprocess.run(
            [str(PLAYBOOK), "-i", "hosts", playbook, *arguments], cwd=tmp_path, capture_output=True, text=True,
            check=False, timeout=120, stdin=subprocess.DEVNULL,
            env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
                 "ANSIBLE_SSH_ARGS": "-o ProxyCommand=false", "ANSIBLE_TIMEOUT": "5"})

    return play


@pytest.mark.parametrize("tasks, options, code, said", [
    pytest.param([QUIET], {}, 0, "In sync: 0 differences in 1 component on 1 host.", id="in sync"),
    pytest.param([QUIET, CHANGED], {}, 2, "task Step 1", id="drift"),
    pytest.param([CHANGED, FAILED], {}, 1, "error, part: Step 1: It broke.", id="error"),
    pytest.param([QUIET], {"hosts": ("gone",)}, 1, "error, part: Step 0:", id="unreachable"),
    pytest.param([CHANGED], {"hosts": ("here", "gone")}, 1, "gone: error", id="one of two is unreachable"),
    pytest.param([f"block: [{{{FAILED}}}], rescue: [{{{QUIET}}}]"], {}, 0, "In sync", id="rescued"),
    pytest.param([QUIET], {"arguments": ("--check", "--tags", "none")}, 1, "no component was checked", id="nothing"),
])
def test_exit_codes(run, tmp_path, tasks, options, code, said):
    done = run(*tasks, **options)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert done.stdout.index("PLAY RECAP") < done.stdout.index(said)
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / ".cache/drift/report.json").read_text())["exit_code"] == code
    assert list((tmp_path / "tmp").iterdir()) == []  # Ansible cleaned up behind itself


def test_a_playbook_that_cannot_be_read_is_no_drift(run, tmp_path):
    done = run("no_such_module_at_all: {}")
    assert done.returncode not in (0, 2), done.stdout
    assert not (tmp_path / ".cache").exists()


def test_a_run_of_another_playbook_keeps_its_exit_code(run, tmp_path):
    assert run(CHANGED, playbook="site.yml", arguments=()).returncode == 0
    assert run(FAILED, playbook="site.yml", arguments=()).returncode == 2  # Ansible's own for a failed host
    assert not (tmp_path / ".cache").exists()


@pytest.mark.parametrize("arguments, environment", [
    pytest.param([], {}, id="not in check mode"),
    pytest.param(["--check"], {"ANSIBLE_CALLBACKS_ENABLED": "mooring.stack.progress"}, id="without the callback"),
])
def test_the_playbook_refuses_first(tmp_path, arguments, environment):
    (tmp_path / "hosts").write_text("[docker_engine]\nhere ansible_connection=local\n")
    done = subprocess.run(
        [str(PLAYBOOK), "-i", str(tmp_path / "hosts"), "playbooks/drift.yml", *arguments], cwd=ROOT, text=True,
        capture_output=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "MOORING_DRIFT_DIRECTORY": str(tmp_path / "drift"), **environment})
    assert "compares and changes nothing" in done.stdout + done.stderr
    assert "preflight" not in done.stdout
    assert done.returncode == (2 if environment else 1)
