# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad inventories as people write them, through ansible-playbook: all that is wrong is said at once, and no more."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from ansible.release import __version__ as version
from bad_inventories import BAD, INVENTORY, NAMES, ROOT, Bad

SOUND = Bad("sound", [], [])
# Some fronts of a host are no reason to refuse it.
GOOD = [
    SOUND,
    Bad("behind a firewall that translates", [], [], names={"platform.mooring.test": ["8.8.8.8"]}),
    Bad("behind a load balancer", [("group_vars/all/preflight.yml", "", "preflight_domain_addresses: [10.40.0.0/24]")],
        [], names={"platform.mooring.test": ["10.40.0.5", "10.40.0.6"]}),
    Bad("behind another proxy", [("group_vars/nginx_certbot/bind.yml", "", "nginx_certbot_http_bind: 127.0.0.1:8080")],
        [], names={"platform.mooring.test": ["10.50.0.5"]}),
    Bad("a name that nobody is to look up", [("group_vars/all/preflight.yml", "", "preflight_check_dns: false")], [],
        names={"platform.mooring.test": []}),
    Bad("a name in the hosts file of this machine", [], [], names={"platform.mooring.test": ["127.0.1.1"]}),
    Bad("an engine of Docker that was there", [], [], host={"docker": {
        "installed": True, "answers": True, "daemon": True, "version": "27.0.1", "compose": "v2.30.0",
        "packages": ["containerd.io", "docker-ce", "docker-ce-cli", "docker-compose-plugin"]}}),
    Bad("an engine of the distribution that was there", [], [], host={"docker": {
        "installed": True, "answers": True, "daemon": True, "version": "26.1.5", "compose": "2.26.1",
        "packages": ["containerd", "docker-compose", "docker.io", "runc"]}}),
    Bad("an installation that was interrupted", [], [], host={"docker": {
        "packages": ["containerd.io"], "marker": {"engine": "installed", "source": "upstream"}}}),
    Bad("a host that says little", [], [], host={"addresses": [], "kernel": {
        "memory_controller": None, "overlay": None, "modules": None, "max_map_count": None}}),
    Bad("variables of one's own", [
        ("group_vars/all/own.yml", "", "shop_port: 8080\nkafka_topic: shop\nmonitoring_of_us: our\n"
         "shop_text: \"{{ monitoring_of_us }}\"\nvault_of_nobody: x"),
        ("hosts.yml", "", "backups:\n  hosts:\n    archive:\n      ansible_host: 10.20.0.12\n"
         "monitoring_2:\n  hosts:\n    archive:")], []),
    Bad("hosts with numbers", [
        ("hosts.yml", "      ansible_user: deploy\n", "      ansible_user: deploy\n    platform-2:\n"),
        ("hosts.yml", "", "docker_engine_2:\n  hosts:\n    platform-2:"),
        ("host_vars/platform-3.yml", "", "data_stores_mysql_memory: 2g")], []),
]
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - mooring.stack.preflight:
        facts: __facts
      run_once: true
"""


def problems_of(output):
    """The report: one list, each problem on a line of its own."""
    found = re.search(r"FAILED! => (\{\n.*?\n\})", output, re.DOTALL)
    return json.loads(found[1])["problems"] if found else []


@pytest.fixture(scope="session")
def outcomes(request, tmp_path_factory):
    """Status, output and directory of each inventory whose test is to run; one process loads Ansible for all."""
    wanted = {item.callspec.params["inventory"].name for item in request.session.items
              if "inventory" in getattr(getattr(item, "callspec", None), "params", {})}
    root = tmp_path_factory.mktemp("inventories")
    (root / "play.yml").write_text(PLAY)
    runs = {}
    for number, one in enumerate([*GOOD, *BAD]):
        if one.name not in wanted:
            continue
        directory = root / str(number)
        one.write(directory)
        arguments = ["-i", INVENTORY, str(root / "play.yml"), "-e", "@facts.json"]
        runs[one.name] = {"directory": str(directory), "arguments": arguments, "names": {**NAMES, **one.names},
                          "host": one.facts()}
    done = subprocess.run(
        [sys.executable, str(pathlib.Path(__file__).with_name("inventory_runs.py"))], text=True,
        input=json.dumps([*runs.values()]), capture_output=True, timeout=1800, check=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"})
    found = json.loads(done.stdout)
    return {name: (*answer, pathlib.Path(one["directory"]))
            for (name, one), answer in zip(runs.items(), found, strict=True)}


def named(one):
    return one.name


@pytest.mark.parametrize("inventory", GOOD, ids=named)
def test_no_false_alarm(outcomes, inventory):
    status, output, _directory = outcomes[inventory.name]
    assert problems_of(output) == []
    assert status == 0, output


# What 2.18 says otherwise: it keeps no line of a number, and has other words for an expression that it cannot read.
ONLY_SINCE_219 = {"an expression that cannot be read", "a size without a unit", "a port without an address",
                  "a port of metrics that is none"}


@pytest.mark.parametrize("inventory", BAD, ids=named)
def test_a_bad_inventory(outcomes, inventory):
    if inventory.name in ONLY_SINCE_219 and version.startswith("2.18"):
        pytest.skip("ansible-core 2.18 keeps no line of a number, and words an unreadable expression otherwise")
    status, output, directory = outcomes[inventory.name]
    found = problems_of(output)
    assert sorted(found) == sorted(inventory.lines(directory)), output
    assert status == 2
    count = f"{len(found)} problem{'s' if len(found) > 1 else ''} in the inventory; nothing was changed."
    assert count in output
    # Once each, on a line of its own.
    assert [output.count(json.dumps(line, ensure_ascii=False)) for line in found] == [1] * len(found)
    assert "Traceback" not in output and "hunter2" not in output


def test_the_table_is_one_of_many_mistakes():
    assert len(BAD) >= 60
    assert len({one.name for one in [*GOOD, *BAD]}) == len(GOOD) + len(BAD)
    assert max(len(one.said) for one in BAD) >= 8


# ---------------------------------------------------------------- before any change

RECORDER = """\
from __future__ import annotations

DOCUMENTATION = '''
name: recording
short_description: this machine, and a note of everything that is asked of it
description: [Like local.]
version_added: "0.1.0"
author: [nobody]
options: {}
'''

import os

from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    transport = "recording"

    def _note(self, text):
        with open(os.environ["RECORD"], "a", encoding="utf-8") as stream:
            stream.write(text.replace(chr(10), " ") + chr(10))

    def exec_command(self, cmd, in_data=None, sudoable=True):
        # The module and its arguments are read from standard input.
        self._note("command " + cmd[-200:] + " input " + (in_data or b"").decode("utf-8", "replace"))
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)

    def put_file(self, in_path, out_path):
        self._note("file " + out_path)
        return super().put_file(in_path, out_path)

    def fetch_file(self, in_path, out_path):
        self._note("fetch " + in_path)
        return super().fetch_file(in_path, out_path)
"""


def converge(tmp_path, inventory, play):
    """A run on a host that notes what it is asked; status, output and the notes."""
    directory = inventory.write(tmp_path / "run")
    (directory / "host_vars").mkdir()
    (directory / "host_vars" / "platform-1.yml").write_text(
        f"ansible_connection: recording\nansible_become: false\nansible_python_interpreter: {sys.executable}\n")
    plugins = tmp_path / "connection_plugins"
    plugins.mkdir()
    (plugins / "recording.py").write_text(RECORDER)
    record = tmp_path / "record"
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(directory), str(play)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "RECORD": str(record),
             "ANSIBLE_CONNECTION_PLUGINS": str(plugins)})
    return done.returncode, done.stdout + done.stderr, record.read_text().splitlines()


def test_a_refused_host_is_only_read(tmp_path):
    """The whole platform, on a host that notes each call and each file: the facts are read, and that was all."""
    (several,) = [one for one in BAD if one.name == "many things at once"]
    status, output, record = converge(tmp_path, several, ROOT / "site.yml")
    assert status == 2 and problems_of(output)
    asked = [line for line in record if "input " in line and not line.endswith("input ")]
    assert len(asked) == 1, [line[:300] for line in record]
    assert "preflight_facts" in asked[0]
    assert [line[:200] for line in record if not line.startswith("command ")] == []


def test_the_notes_of_that_host_show_a_change(tmp_path):
    """What the test above looks for is there where something is changed."""
    play = tmp_path / "change.yml"
    play.write_text("- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.file:\n"
                    f"        {{path: {tmp_path / 'touched'}, state: touch, mode: '0644'}}\n")
    status, output, record = converge(tmp_path, SOUND, play)
    assert status == 0, output
    assert (tmp_path / "touched").exists()
    assert any(str(tmp_path / "touched") in line for line in record if not line.endswith("input "))
