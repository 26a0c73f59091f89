# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that allows a restart which was held back."""

from __future__ import annotations

import os

import pytest
from ansible_collections.mooring.stack.plugins.plugin_utils._compose_controller import permitting_command

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
