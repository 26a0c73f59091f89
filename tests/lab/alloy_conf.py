# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana Alloy's configuration, read strictly: its syntax, its components and what they are given.

Alloy's own ``validate`` needs its image, which is not everywhere to be had. This knows the
components that we use and nothing else; names, types and what is required are facts of the
reference (grafana.com/docs/alloy/latest/reference/components, and .../get-started/syntax).
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

TOKEN = re.compile(
    r"""[ \t\r]+|//[^\n]*|/\*.*?\*/|(?P<newline>\n)|(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)"""
    r"""|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[{}\[\](),.=])""", re.DOTALL)
DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|ms|s|m|h))+")


class Wrong(ValueError):
    """It is not what Alloy reads."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """A name of something else, such as ``loki.write.loki.receiver``."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclasses.dataclass
class Block:
    """``name "label" { attributes and blocks }``."""

    name: str
    label: str
    line: int
    attributes: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    blocks: list[Block] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return f'{self.name} "{self.label}"' if self.label else self.name

    def walk(self) -> t.Iterator[Block]:
        """It, and those in it."""
        yield self
        for one in self.blocks:
            yield from one.walk()


class _Reader:
    """Recursive descent over the tokens; a newline ends a statement."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        position, line = 0, 1
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None:
                raise Wrong(f"line {line}: {text[position:position + 20]!r} is no token")
            if match.lastgroup:
                self.tokens.append((match.lastgroup, match[0], line))
            line += match[0].count("\n")
            position = match.end()
        self.tokens.append(("end", "", line))
        self.place = 0

    @property
    def line(self) -> int:
        return self.tokens[self.place][2]

    def take(self, kind: str, text: str = "") -> str:
        """The next token, which has to be this one."""
        got, found, line = self.tokens[self.place]
        if got != kind or (text and found != text):
            raise Wrong(f"line {line}: {found!r} where {text or kind} is expected")
        self.place += 1
        return found

    def next_is(self, kind: str, text: str = "") -> bool:
        got, found, _line = self.tokens[self.place]
        return got == kind and (not text or found == text)

    def skip_newlines(self) -> None:
        while self.next_is("newline"):
            self.place += 1

    def path(self) -> tuple[str, ...]:
        names = [self.take("name")]
        while self.next_is("mark", "."):
            self.take("mark", ".")
            names.append(self.take("name"))
        return tuple(names)

    def body(self, block: Block, end: tuple[str, str]) -> Block:
        """Statements up to ``end``."""
        while True:
            self.skip_newlines()
            if self.next_is(*end):
                self.place += 1
                return block
            line, path = self.line, self.path()
            if self.next_is("mark", "="):
                self.take("mark", "=")
                name = ".".join(path)
                if len(path) > 1 or name in block.attributes:
                    raise Wrong(f"line {line}: {name} cannot be set, or is set twice")
                block.attributes[name] = self.value()
            else:
                label = json.loads(self.take("string")) if self.next_is("string") else ""
                self.take("mark", "{")
                block.blocks.append(self.body(Block(".".join(path), label, line), ("mark", "}")))
            if not self.next_is(*end):
                self.take("newline")

    def value(self) -> t.Any:
        """A literal, a list, a map or a reference."""
        if self.next_is("string"):
            text = self.take("string")
            if text.startswith("`"):
                return text[1:-1]
            try:
                return json.loads(text)
            except ValueError as error:
                raise Wrong(f"line {self.line}: {text} has an escape that there is not") from error
        if self.next_is("number"):
            return float(self.take("number"))
        if self.next_is("mark", "["):
            return self.many("[", "]", self.value)
        if self.next_is("mark", "{"):
            pairs = self.many("{", "}", self.pair)
            if len(dict(pairs)) != len(pairs):
                raise Wrong(f"line {self.line}: a key occurs twice")
            return dict(pairs)
        path = self.path()
        return {"true": True, "false": False}.get(path[0]) if path in (("true",), ("false",)) else Reference(path)

    def pair(self) -> tuple[str, t.Any]:
        key = json.loads(self.take("string")) if self.next_is("string") else self.take("name")
        self.take("mark", "=")
        return key, self.value()

    def many(self, first: str, last: str, one: t.Callable[[], t.Any]) -> list[t.Any]:
        """Values with commas between them; at a line's end there has to be one as well."""
        self.take("mark", first)
        found = []
        self.skip_newlines()
        while not self.next_is("mark", last):
            found.append(one())
            if not self.next_is("mark", last):
                self.take("mark", ",")
                self.skip_newlines()
        self.take("mark", last)
        return found


def parse(text: str) -> Block:
    """The file; :class:`Wrong` where it is none."""
    return _Reader(text).body(Block("", "", 1), ("end", ""))


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a block may have. ``arguments`` are ``name:type``, with ``!`` if required."""

    arguments: str = ""
    blocks: dict[str, Kind] = dataclasses.field(default_factory=dict)
    exports: dict[str, str] = dataclasses.field(default_factory=dict)
    labelled: bool = False


_RULE = Kind("action:string modulus:number regex:regex replacement:string separator:string source_labels:strings "
             "target_label:string")
_STAGES = {
    "stage.json": Kind("expressions:map regex:regex drop_malformed:bool source:string"),
    "stage.structured_metadata": Kind("values:map regex:regex"),
    "stage.labels": Kind("values:map source_type:string"),
    "stage.label_drop": Kind("values:strings"),
    "stage.drop": Kind("expression:regex longer_than:string older_than:duration drop_counter_reason:string "
                       "separator:string source:string value:string"),
    "stage.multiline": Kind("firstline!:regex max_lines:number max_wait_time:duration trim_newlines:bool"),
}
_STAGES["stage.match"] = Kind("selector!:string action:string drop_counter_reason:string pipeline_name:string", _STAGES)
_FILES = "ignore_older_than:duration sync_period:duration"

KINDS = {
    "logging": Kind("level:string format:string write_to:receivers"),
    "discovery.docker": Kind("host!:string refresh_interval:duration match_first_network:bool port:number",
                             {"filter": Kind("name!:string values!:strings")}, {"targets": "targets"}, True),
    "discovery.relabel": Kind("targets!:targets", {"rule": _RULE}, {"output": "targets", "rules": "rules"}, True),
    "local.file_match": Kind(f"path_targets!:targets {_FILES}", {}, {"targets": "targets"}, True),
    "loki.source.docker": Kind("host!:string targets!:targets forward_to!:receivers labels!:map relabel_rules:rules "
                               "refresh_interval:duration", labelled=True),
    "loki.source.file": Kind("targets!:targets forward_to!:receivers encoding:string legacy_positions_file:string "
                             "on_positions_file_error:string tail_from_end:bool",
                             {"file_match": Kind(f"enabled:bool {_FILES}")}, labelled=True),
    "loki.source.journal": Kind("forward_to!:receivers format_as_json:bool labels:map matches:string "
                                "max_age:duration path:string relabel_rules:rules", labelled=True),
    "loki.process": Kind("forward_to!:receivers", _STAGES, {"receiver": "receiver"}, True),
    "loki.write": Kind("external_labels:map max_streams:number", {"endpoint": Kind(
        "url!:string batch_size:string batch_wait:duration max_backoff_period:duration max_backoff_retries:number "
        "min_backoff_period:duration name:string remote_timeout:duration retry_on_http_429:bool tenant_id:string")},
        {"receiver": "receiver"}, True),
}


def problems(text: str) -> list[str]:
    """What Alloy would refuse, or would never use; one sentence each."""
    try:
        config = parse(text)
    except Wrong as wrong:
        return [str(wrong)]
    found: list[str] = []
    exports = {f"{block.name}.{block.label}.{name}": kind for block in config.blocks
               for name, kind in KINDS.get(block.name, Kind()).exports.items()}
    names = [str(block) for block in config.blocks]
    found += [f"{name} is there twice" for name in sorted({one for one in names if names.count(one) > 1})]
    if config.attributes:
        found.append(f"{', '.join(config.attributes)}: only blocks stand at the top")
    uses: dict[str, set[str]] = {}
    for block in config.blocks:
        if block.name not in KINDS:
            found.append(f"line {block.line}: {block.name} is not a component that we know")
            continue
        used: set[str] = set()
        found += _block(block, KINDS[block.name], exports, used)
        uses[f"{block.name}.{block.label}"] = {one.rpartition(".")[0] for one in used}
    every = set().union(*uses.values())
    found += [f"{block}: nobody uses it" for block in config.blocks
              if block.name in KINDS and KINDS[block.name].exports and f"{block.name}.{block.label}" not in every]
    found += [f"{name}: it depends on itself" for name in uses if _reaches(uses, name, name, set())]
    return found


def _reaches(uses: dict[str, set[str]], start: str, goal: str, seen: set[str]) -> bool:
    for one in uses.get(start, set()) - seen:
        seen.add(one)
        if one == goal or _reaches(uses, one, goal, seen):
            return True
    return False


def _block(block: Block, kind: Kind, exports: dict[str, str], used: set[str]) -> t.Iterator[str]:
    where = f"line {block.line}: {block}"
    if kind.labelled != bool(block.label):
        yield f"{where}: it needs a label" if kind.labelled else f"{where}: it takes no label"
    if block.label and not re.fullmatch(r"[A-Za-z_]\w*", block.label):
        yield f"{where}: the label is not an identifier"
    types = dict(one.replace("!", "").split(":") for one in kind.arguments.split())
    required = {one.partition("!")[0] for one in kind.arguments.split() if "!" in one}
    for name in sorted(required - set(block.attributes)):
        yield f"{where}: {name} is required"
    for name, value in block.attributes.items():
        if name not in types:
            yield f"{where}: {name} is not an argument of it"
        else:
            for sentence in _value(value, types[name], exports, used):
                yield f"{where}: {name} {sentence}"
    for inner in block.blocks:
        if inner.name not in kind.blocks:
            yield f"{where}: {inner.name} is not a block of it"
        else:
            yield from _block(inner, kind.blocks[inner.name], exports, used)


def _value(value: t.Any, kind: str, exports: dict[str, str], used: set[str]) -> t.Iterator[str]:
    if isinstance(value, Reference):
        if str(value) not in exports:
            yield f"is {value}, which nothing exports"
        elif exports[str(value)] != kind:
            yield f"is {value}, which is {exports[str(value)]} and not {kind}"
        used.add(str(value))
    elif kind == "receivers":
        if not isinstance(value, list):
            yield "is not a list"
        else:
            for one in value:
                yield from (_value(one, "receiver", exports, used) if isinstance(one, Reference)
                            else ["has something that is not a receiver"])
    elif not _TYPES.get(kind, lambda _value: False)(value):
        yield f"is not a value of type {kind}"


def _is_regex(value: t.Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _is_map(value: t.Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


_TYPES: dict[str, t.Callable[[t.Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, float),
    "duration": lambda value: isinstance(value, str) and bool(DURATION.fullmatch(value)),
    "strings": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "map": _is_map,
    "targets": lambda value: isinstance(value, list) and all(_is_map(one) for one in value),
    "regex": _is_regex,
}
