# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grok: pattern files and expressions, matched by Oniguruma, which is what Logstash's own engine is a port of.

RE2 reads the same patterns and is asked the same questions; where the two differ, a pattern says something that depends
on the engine (elastic.co/docs/reference/logstash/plugins/plugins-filters-grok).
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

import onigurumacffi
import re2

REFERENCE = re.compile(r"%\{(?P<name>\w+)(?::(?P<field>[^:{}]+))?(?::(?P<kind>[a-z]+))?\}")
KINDS = {"int": int, "float": float, None: str}


class Wrong(ValueError):
    """It is not grok, or names a pattern that there is not."""


@dataclasses.dataclass(frozen=True)
class Capture:
    """What is kept of a match: the field, as written, and what becomes of its text."""

    field: str
    kind: str | None


def patterns(path: pathlib.Path) -> dict[str, str]:
    """The patterns of a file, by name."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, blank, text = line.partition(" ")
        if not blank or not text or not re.fullmatch(r"\w+", name):
            raise Wrong(f"{path.name}:{number}: not a name and a pattern")
        if name in found:
            raise Wrong(f"{path.name}:{number}: {name} is there twice")
        found[name] = text
    return found


class Expression:
    """A grok expression, ready to be matched."""

    def __init__(self, text: str, known: dict[str, str]) -> None:
        self.captures: list[Capture] = []
        self.used: set[str] = set()
        source = self._expand(text, known, ())
        if re.search(r"(?<!\\)\((?!\?:|\?P?<g\d+>|\?=)", source):
            raise Wrong(f"a group that is counted and has no name: {text}")
        self.source = source
        try:
            self._oniguruma = onigurumacffi.compile(source)
            self._re2 = None if "(?=" in source else re2.compile(source.replace("(?<g", "(?P<g"))
        except (onigurumacffi.OnigError, re2.error) as error:
            raise Wrong(f"{error}: {text}") from error

    def _expand(self, text: str, known: dict[str, str], above: tuple[str, ...]) -> str:
        def put(found: re.Match[str]) -> str:
            name, field, kind = found["name"], found["field"], found["kind"]
            if name not in known:
                raise Wrong(f"no pattern {name}")
            if name in above:
                raise Wrong(f"{name} names itself")
            if kind not in KINDS:
                raise Wrong(f"{kind} is no type: {found[0]}")
            self.used.add(name)
            if field is None:
                return f"(?:{self._expand(known[name], known, (*above, name))})"
            self.captures.append(Capture(field, kind))
            number = len(self.captures)
            return f"(?<g{number}>{self._expand(known[name], known, (*above, name))})"

        expanded = REFERENCE.sub(put, text)
        if "%{" in expanded:
            raise Wrong(f"not a reference: {text}")
        return expanded

    def match(self, text: str) -> list[tuple[str, object]] | None:
        """Fields and values of a match anywhere in the text; None where there is none. What is empty is left out, as
        keep_empty_captures has it."""
        found = self._oniguruma.search(text)
        numbers = range(1, len(self.captures) + 1)
        texts = None if found is None else [found.group(number) or "" for number in numbers]
        if self._re2 is not None:
            other = self._re2.search(text)
            others = None if other is None else [other.group(number) or "" for number in numbers]
            if others != texts:
                raise Wrong(f"Oniguruma and RE2 differ: {texts} and {others}")
        if texts is None:
            return None
        return [(one.field, KINDS[one.kind](text)) for one, text in zip(self.captures, texts, strict=True) if text]
