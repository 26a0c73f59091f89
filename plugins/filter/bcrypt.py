# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bcrypt filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bcrypt
author:
  - The mooring.stack authors (@mooring)
version_added: "0.1.0"
short_description: Hash a password with bcrypt and a given salt
description:
  - The same password and salt always give the same hash, so that a run that changes nothing stays one.
  - Needs the Python library bcrypt on the controller. ansible-core's P(ansible.builtin.password_hash#filter) needs
    passlib, which is not maintained and does not work with current versions of bcrypt.
positional: salt
options:
  _input:
    description: The password, at most 72 bytes long, which is the limit of bcrypt.
    type: str
    required: true
  salt:
    description: At least 22 characters out of V(A-Za-z0-9./); the first 22 count. Generate it once and keep it.
    type: str
    required: true
  rounds:
    description: Cost, as a power of two.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Keep the hash of an operator's password stable
  ansible.builtin.set_fact:
    operator_hash: "{{ vault_operator_password | mooring.stack.bcrypt(vault_operator_salt) }}"
"""

RETURN = r"""
_value:
  description: The hash, as nginx and most password files read it.
  type: str
"""

import functools
import re

from ansible.errors import AnsibleFilterError

try:
    import bcrypt as bcrypt_library
except ImportError:
    bcrypt_library = None


@functools.lru_cache(maxsize=256)
def _hash(password: bytes, setting: bytes) -> str:
    return bcrypt_library.hashpw(password, setting).decode()


def bcrypt(password: str, salt: str, rounds: int = 10) -> str:
    """The bcrypt hash of ``password``; cached, because a hash is slow on purpose."""
    if bcrypt_library is None:
        raise AnsibleFilterError("The filter mooring.stack.bcrypt needs the Python library bcrypt on the controller.")
    secret = str(password).encode()
    if not secret or len(secret) > 72:
        raise AnsibleFilterError("A password for bcrypt has 1 to 72 bytes.")
    if not re.fullmatch(r"[A-Za-z0-9./]{22,}", str(salt)):
        raise AnsibleFilterError("A salt for bcrypt has at least 22 characters out of A-Z, a-z, 0-9, '.' and '/'.")
    # The last character carries 2 bits only; 'O' is one that every library accepts.
    return _hash(secret, f"$2b${rounds:02d}${str(salt)[:21]}O".encode())


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, object]:
        """The filters of this file."""
        return {"bcrypt": bcrypt}
