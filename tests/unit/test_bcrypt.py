# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bcrypt filter."""

from __future__ import annotations

import bcrypt as library
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mooring.stack.plugins.filter.bcrypt import FilterModule, bcrypt

SALT = "abcdefghijklmnopqrstuvwx"


def test_the_hash_is_one_and_stays_the_same():
    hashed = bcrypt("a password", SALT, rounds=4)
    assert hashed.startswith("$2b$04$abcdefghijklmnopqrstuO")
    assert library.checkpw(b"a password", hashed.encode())
    assert not library.checkpw(b"another", hashed.encode())
    assert bcrypt("a password", SALT, rounds=4) == hashed


def test_another_salt_makes_another_hash():
    assert bcrypt("a password", SALT, rounds=4) != bcrypt("a password", SALT[::-1], rounds=4)


@pytest.mark.parametrize("password, salt, why", [
    ("", SALT, "1 to 72 bytes"),
    ("x" * 73, SALT, "1 to 72 bytes"),
    ("ä" * 37, SALT, "1 to 72 bytes"),
    ("a password", "short", "at least 22 characters"),
    ("a password", "abcdefghijklmnopqrstu$", "at least 22 characters"),
])
def test_what_is_refused(password, salt, why):
    with pytest.raises(AnsibleFilterError, match=why):
        bcrypt(password, salt, rounds=4)


def test_ansible_finds_it():
    assert FilterModule().filters()["bcrypt"] is bcrypt
