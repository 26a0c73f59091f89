# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller half of compose_project makes of its arguments."""

from __future__ import annotations

import os
import pathlib
import types

import jinja2
import pytest
from ansible_collections.mooring.stack.plugins.plugin_utils import _compose_controller
from ansible_collections.mooring.stack.plugins.plugin_utils._compose_controller import Controller, permitting_command

PERMISSION = "-e mooring_allow_stateful_restart=true"


@pytest.mark.parametrize(("options", "tags", "words"), [
    ({"args": ("site.yml",)}, [], "site.yml"),
    ({"args": ("site.yml",), "inventory": [os.path.join(os.getcwd(), "inventories/prod")], "tags": ["all"]},
     ["data_stores"], "-i inventories/prod site.yml --tags data_stores"),
    ({"args": ("mooring.stack.site",), "inventory": ["/etc/platform", "a,b"]}, [],
     "-i /etc/platform -i a,b mooring.stack.site"),
    ({"args": ("site.yml",), "subset": "db 1", "ask_vault_pass": True, "become_ask_pass": True}, [],
     "site.yml --limit 'db 1' --ask-vault-pass --ask-become-pass"),
    ({"args": ("site.yml",), "vault_ids": ["prod@prompt"], "vault_password_files": ["/run/password"]}, [],
     "site.yml --vault-id prod@prompt --vault-password-file /run/password"),
    ({"args": ("site.yml",), "extra_vars": ["password=hush"]}, [], "site.yml"),
], ids=["short", "inventory and tag", "installed", "limit", "vault", "extra variables"])
def test_the_command_repeats_the_run_for_the_component(options, tags, words):
    assert permitting_command(options, tags, "data_stores") == f"ansible-playbook {words} {PERMISSION}"


@pytest.mark.parametrize(("without", "left_out"), [
    ([], set()),
    (["optional", "secrets/optional"], {"optional/settings.conf", "optional/bin/start.sh", "secrets/optional/key"}),
    (["optional/bin/"], {"optional/bin/start.sh"}),
    (["opt", "absent"], set()),
])
def test_parts_of_a_tree_are_left_out(tmp_path, without, left_out):
    compose = "services: {web: {image: 'web:1', volumes: ['./web:/web']}}"
    everything = {"compose.yml": compose, "web/page": "x", "optional/settings.conf": "x", "optional/bin/start.sh": "x",
                  "secrets/optional/key": "x"}
    for path, text in everything.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    action = types.SimpleNamespace(
        _loader=None, _templar=None, _task=types.SimpleNamespace(tags=[], _role=None))
    arguments = Controller(action, {}).arguments({
        "name": "trial", "src": str(tmp_path), "without": without, "root": "/srv", "prefix": "p", "network": "n",
        "service_defaults": {}, "allow_stateful_restart": False, "secrets": {"optional": {"owner": 1}}})
    files = {entry["path"] for entry in arguments["tree"] if entry["kind"] == "file"}
    assert files == set(everything) - left_out
    assert set(arguments["tree_secrets"]) == {path for path in files if path.startswith("secrets/")}


class Template:
    """The template lookup; Ansible's loader, which finds it, does not run here."""

    def run(self, paths, variables):
        return [jinja2.Template(pathlib.Path(path).read_text()).render(variables) for path in paths]


def test_variables_of_a_tree_come_before_the_task_s_and_stay_here(tmp_path, monkeypatch):
    monkeypatch.setattr(_compose_controller.lookup_loader, "get", lambda *_names, **_options: Template())
    (tmp_path / "compose.yml.j2").write_text(
        "services: {web: {image: '{{ application.image }}', user: '{{ user }}'}}")
    variables = {"application": {"image": "task:1"}, "user": "one"}
    action = types.SimpleNamespace(
        _loader=None, _templar=None, _task=types.SimpleNamespace(tags=[], _role=None))
    arguments = Controller(action, variables).arguments({
        "name": "trial", "src": str(tmp_path), "root": "/srv", "prefix": "p", "network": "n", "service_defaults": {},
        "allow_stateful_restart": False, "variables": {"application": {"image": "own:2", "password": "sesame-open"}}})
    (file,) = [entry["content"] for entry in arguments["tree"] if entry["path"] == "compose.yml"]
    assert "image: own:2" in file and "user: one" in file
    assert "variables" not in arguments and "sesame-open" not in str(arguments)


def test_a_part_that_is_left_out_is_named_as_it_would_lie_on_the_host(tmp_path, monkeypatch):
    monkeypatch.setattr(_compose_controller.lookup_loader, "get", lambda *_names, **_options: Template())
    (tmp_path / "compose.yml").write_text("services: {web: {image: 'web:1'}}")
    (tmp_path / "own.conf.j2").write_text("{{ nobody_has_set_it.at_all }}")
    action = types.SimpleNamespace(
        _loader=None, _templar=None, _task=types.SimpleNamespace(tags=[], _role=None))
    arguments = Controller(action, {}).arguments({
        "name": "trial", "src": str(tmp_path), "without": ["own.conf"], "root": "/srv", "prefix": "p", "network": "n",
        "service_defaults": {}, "allow_stateful_restart": False})
    assert {entry["path"] for entry in arguments["tree"]} == {"compose.yml"}
