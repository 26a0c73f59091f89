# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the line that tells the proxy which containers of an application get its requests.

Pure. The line is what lies in the proxy's file and memory, and what the proxy's
``releases.js`` reads with the same grammar::

    green                      one colour gets everything
    green*3                    it has three replicas
    blue green=10 sticky       of new requests 10 % go to the other colour; a client keeps its colour
    green blue=0               the other colour gets what the first cannot be asked
"""

from __future__ import annotations

import dataclasses
import re

COLOURS = ("blue", "green")
REPLICAS_LIMIT = 9

_LINE = re.compile(
    r"(?P<colour>blue|green)(?:\*(?P<replicas>[1-9]))?"
    r"(?: (?!(?P=colour))(?:blue|green)(?:\*(?P<others>[1-9]))?=(?P<percent>[1-9]?[0-9]))?(?P<sticky> sticky)?")


def other(colour: str) -> str:
    """The colour that is not ``colour``."""
    return COLOURS[1 - COLOURS.index(colour)]


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Who gets an application's requests.

    ``percent`` (0-99) is the other colour's share of new requests, None where
    it gets nothing at all; with 0 it gets only what the first cannot be asked.
    """

    colour: str
    replicas: int = 1
    percent: int | None = None
    others: int = 1
    sticky: bool = False

    @classmethod
    def from_line(cls, line: str | None) -> Traffic | None:
        """The traffic that a line says; None where it says none."""
        found = _LINE.fullmatch((line or "").strip())
        if found is None:
            return None
        percent = found["percent"]
        return cls(found["colour"], int(found["replicas"] or 1), None if percent is None else int(percent),
                   int(found["others"] or 1), bool(found["sticky"]))

    def line(self) -> str:
        """What is written into the proxy's file."""
        parts = [_colour(self.colour, self.replicas)]
        if self.percent is not None:
            parts.append(f"{_colour(other(self.colour), self.others)}={self.percent}")
        return " ".join(parts + ["sticky"] * self.sticky)

    def words(self) -> str:
        """The same for people."""
        if self.percent is None:
            return self.colour
        second = other(self.colour)
        return f"{self.colour} and, where that fails, {second}" if self.percent == 0 else (
            f"{self.colour} and {second} with {self.percent} % of the requests")


def _colour(colour: str, replicas: int) -> str:
    return colour if replicas == 1 else f"{colour}*{replicas}"
