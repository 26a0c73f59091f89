# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the formats of the files in which a host keeps what later runs need to know.

Another shape of such a file is a higher number here and one function that takes a document from the number
before; readers only ever see the present shape. What an older collection can go on reading (a new key that may be
missing) is no new format.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

Document = dict[str, t.Any]
# One file per platform, see _collection_version.
RECORDED = "/etc/mooring/platforms"


@dataclasses.dataclass(frozen=True)
class Format:
    """One kind of file: ``version`` is what is written today, ``key`` where the file says its own.

    A file that says none is of 1. ``forward`` has for each earlier version the function that makes the next one of it.
    """

    what: str
    version: int = 1
    key: str = "format"
    forward: t.Mapping[int, t.Callable[[Document], Document]] = dataclasses.field(default_factory=dict)

    def current(self, document: t.Any, path: str) -> t.Any:
        """A document in today's format; ``path`` is for the message.

        Raises :class:`MooringError` for a newer one. What is no such document stays what it is, for the reader knows
        whether damage counts as nothing.
        """
        if not isinstance(document, dict):
            return document
        found = document.get(self.key, 1)
        if not isinstance(found, int):
            return document
        if found > self.version:
            raise MooringError(
                f"The {self.what} {path} is in format {found}, and this version of mooring.stack knows {self.version}: "
                f"a newer one has written it. Use that one or a later one; {RECORDED} says which one worked here last.")
        for version in range(found, self.version):
            if version not in self.forward:
                return document
            document = {**self.forward[version](document), self.key: version + 1}
        return document


MANIFEST = Format("manifest", key="version")
RELEASES = Format("release record", key="version")
DATA = Format("record of a data directory")
ACCOUNTS = Format("record of accounts")
LEDGER = Format("attempt ledger")
ORIGIN = Format("note of a certificate's origin")
ENGINE = Format("note of docker_engine")
REGISTRIES = Format("note of logins of registries")
IMAGES = Format("note of replaced images")
SAVED_OBJECTS = Format("record of Kibana's saved objects")
COLLECTION = Format("record of the collection's version")
