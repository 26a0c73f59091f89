# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what a host remembers of accounts that it was given, as digests."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._formats import ACCOUNTS


@dataclasses.dataclass(frozen=True)
class Record:
    """A declaration, and something of each account, that a later run compares with.

    ``declared`` and the values of ``accounts`` are digests keyed with ``salt``.
    """

    salt: str
    declared: str = ""
    accounts: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str | None, salt: str, path: str = "") -> Record:
        """The record of a file; one that cannot be read counts as none, with the new ``salt``.

        Raises :class:`MooringError` for one of a newer format.
        """
        try:
            document = ACCOUNTS.current(json.loads(text or ""), path)
            record = cls(**{key: value for key, value in document.items() if key != ACCOUNTS.key})
        except (ValueError, TypeError, AttributeError):
            return cls(salt)
        good = isinstance(record.salt, str) and isinstance(record.declared, str) and isinstance(record.accounts, dict)
        return record if good else cls(salt)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True) + "\n"

    def digest(self, text: str) -> str:
        return hmac.new(self.salt.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]

    def of(self, declared: t.Any, accounts: t.Mapping[str, str]) -> Record:
        """The record of a declaration and of a text for each account."""
        return Record(self.salt, self.digest(json.dumps(declared, sort_keys=True)),
                      {name: self.digest(text) for name, text in accounts.items()})
