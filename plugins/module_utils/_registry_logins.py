# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides to which container registries this host logs in, and out of.

Logins lie in ``config.json`` of the docker command (Docker documentation, "docker login", "Credential stores"): below
``auths`` by the registry's address, user and password in base64 unless a credential store keeps them elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import json
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import HIDDEN, Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import REGISTRIES

# Where this collection notes to which registries it has logged in.
NOTE = "/etc/mooring/registry_logins.json"
DOCKER_HUB = "https://index.docker.io/v1/"


@dataclasses.dataclass(frozen=True)
class Login:
    """User and password at a registry; ``stored_elsewhere`` where a credential store has them."""

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    stored_elsewhere: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    log_in: tuple[str, ...] = ()
    log_out: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def changes_anything(self) -> bool:
        return bool(self.differences)


def noted(text: str | None) -> list[str]:
    """The registries of a note; one that cannot be read says nothing.

    Raises :class:`MooringError` for one of a newer format.
    """
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        return [str(one) for one in REGISTRIES.current(json.loads(text or "{}"), NOTE).get("addresses") or ()]
    return []


def key_of(address: str) -> str:
    """What the docker command calls a registry: Docker Hub has a name of its own."""
    return DOCKER_HUB if address in ("docker.io", "index.docker.io") else address


def logins(text: str | None, path: str) -> dict[str, Login]:
    """The logins of ``config.json`` by the registry's key; raises :class:`MooringError` where nobody can read it."""
    try:
        document = json.loads(text or "{}")
        entries = document.get("auths") or {}
        stores = document.get("credHelpers") or {}
        everywhere = bool(document.get("credsStore"))
        found = {}
        for key, entry in entries.items():
            if everywhere or key in stores:
                found[key] = Login(stored_elsewhere=True)
            elif (entry or {}).get("auth"):
                user, _colon, password = base64.b64decode(entry["auth"]).decode().partition(":")
                found[key] = Login(user, password.rstrip("\0"))
    except (ValueError, AttributeError, TypeError, binascii.Error) as error:
        raise MooringError(f"{path} cannot be read as what docker login writes ({type(error).__name__}). Repair it, or "
                           "move it away and run again.") from error
    return found


def decide(found: t.Mapping[str, Login], noted: t.Collection[str], wished: t.Mapping[str, Login]) -> Plan:
    """Log in where user or password is another; out of what this collection logged in to and is not declared now."""
    differences: list[Difference] = []
    log_in = []
    for address, login in sorted(wished.items()):
        now = found.get(key_of(address))
        name = f"registry {address}"
        if now is None:
            differences.append(Difference(name, "login", login.username, None))
        elif now.stored_elsewhere:
            continue
        elif now.username != login.username:
            differences.append(Difference(name, "login", login.username, now.username))
        elif now.password != login.password:
            differences.append(Difference(name, "password", HIDDEN, HIDDEN))
        else:
            continue
        log_in.append(address)
    log_out = [address for address in sorted(noted) if address not in wished and key_of(address) in found]
    differences += [Difference(f"registry {address}", "presence", None, "present") for address in log_out]
    return Plan(tuple(log_in), tuple(log_out), tuple(differences))
