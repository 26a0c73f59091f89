# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: a difference is one field of one object that is not as declared.

Every module that compares returns a list of them, in check mode the same as in
the run that follows, and is ``changed`` exactly if there is one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

HIDDEN = "(secret)"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One field of one object that is not as declared."""

    object: str
    field: str
    expected: t.Any
    found: t.Any

    def __str__(self) -> str:
        if self.found is None and self.field == "presence":
            return f"{self.object}: missing"
        if self.expected is None and self.field == "presence":
            return f"{self.object}: no longer declared"
        if self.field == "content":
            return f"{self.object}: content differs"
        return f"{self.object}: {self.field} is {_short(self.found)}, declared {_short(self.expected)}"

    def as_dict(self) -> dict[str, t.Any]:
        """The difference as part of a module's result."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class File:
    """A file as it lies there, or is to; what is no file has no mode of four digits."""

    content: bytes
    mode: str = "0644"
    owner: int = 0


def file_differences(path: str, declared: File | None, found: File | None) -> list[Difference]:
    """What of a file is not as declared; None is no file."""
    name = f"file {path}"
    if declared is None:
        return [Difference(name, "presence", None, "present")] if found else []
    if found is None:
        return [Difference(name, "presence", "present", None)]
    fields = (("content", _digest(declared.content), _digest(found.content)),
              ("mode", declared.mode, found.mode), ("owner", declared.owner, found.owner))
    return [Difference(name, *field) for field in fields if field[1] != field[2]]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _short(value: t.Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
