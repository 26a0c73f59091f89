# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx configuration as a list of directives, and the platform's without its release switch."""

from __future__ import annotations

import dataclasses
import re
import typing as t

# Space and comments are not kept; what is quoted is, with its quotes.
TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<token>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[;{}]|(?:\$\{\w+\}|\\.|[^\s;{}"'\\])+)""", re.DOTALL)
# What a location of an application says about who is to answer.
CHOICE = re.compile(r"set|if|proxy_pass|proxy_next_upstream\w*|error_page|proxy_intercept_errors|recursive_error_pages")

# What the switch sets while two colours get requests; what follows from it goes with it.
SHARED = "$mooring_shared"


@dataclasses.dataclass
class Directive:
    """``name argument ...;`` or ``name argument ... { directives }``."""

    words: list[str]
    block: list[Directive] | None = None

    @property
    def name(self) -> str:
        return self.words[0]

    def has(self, name: str) -> bool:
        """Whether its block has a directive of this name."""
        return any(one.name == name for one in self.block or ())

    def __str__(self) -> str:
        if self.block is None:
            return " ".join(self.words) + ";\n"
        return " ".join(self.words) + " {\n" + dump(self.block) + "}\n"


def parse(text: str) -> list[Directive]:
    """The directives of a file; ValueError where it is none of nginx's."""
    stack: list[list[Directive]] = [[]]
    words: list[str] = []
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"no configuration of nginx: {text[position:position + 40]!r}")
        position = match.end()
        token = match["token"]
        if token is None:
            continue
        if token == "}" and not words and len(stack) > 1:
            stack.pop()
        elif token == ";" and words:
            stack[-1].append(Directive(words))
            words = []
        elif token == "{" and words:
            block: list[Directive] = []
            stack[-1].append(Directive(words, block))
            stack.append(block)
            words = []
        elif token in (";", "{", "}"):
            raise ValueError(f"no configuration of nginx: '{token}' before {text[position:position + 40]!r}")
        else:
            words.append(token)
    if words or len(stack) > 1:
        raise ValueError("no configuration of nginx: it ends within a directive")
    return stack[0]


def dump(directives: t.Iterable[Directive]) -> str:
    """The file again."""
    return "".join(map(str, directives))


def kept(directives: t.Iterable[Directive], name: str, server: str) -> list[Directive]:
    """The same with an ``upstream`` of this name, to which connections are kept."""
    upstream = Directive(["upstream", name], [Directive(["server", server]), Directive(["keepalive", "64"])])
    return [Directive(one.words, [upstream, *one.block]) if one.name == "http" and one.block is not None else one
            for one in directives]


def plain(directives: t.Iterable[Directive], upstream: str) -> list[Directive]:
    """The same proxy without the release switch: its JavaScript is gone, and locations lead to ``upstream``.

    Everything else stays: TLS, headers, limits, compression, the log's format. Variables that the switch's JavaScript
    sets are empty. The JavaScript that chooses certificates and the one that counts requests for Prometheus stay too,
    since they are none of the switch's.
    """
    made = []
    for one in directives:
        others = any(word in text for text in one.words for word in ("certificates", "metrics", "measured"))
        if one.name.startswith("js_") and one.name != "js_path" and not others:
            if one.name == "js_set":
                made.append(Directive(["map", '""', one.words[1]], [Directive(["default", '""'])]))
            continue
        if one.name == "map" and one.words[1] == SHARED:
            made.append(Directive(["map", '""', one.words[2]], [Directive(["default", '""'])]))
        elif one.block is None:
            made.append(one)
        elif one.name == "location" and one.has("proxy_pass"):
            rest = [inner for inner in one.block
                    if inner.block is None and not CHOICE.fullmatch(inner.name) and not inner.name.startswith("js_")]
            made.append(Directive(one.words, [*rest, Directive(["proxy_pass", upstream])]))
        elif one.name == "location" and one.has("js_content"):
            made.append(Directive(one.words, [Directive(["return", "404"])]))
        else:
            made.append(Directive(one.words, plain(one.block, upstream)))
    return made
