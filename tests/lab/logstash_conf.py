# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logstash's pipelines without Logstash: read strictly, and their filters carried out.

The syntax is that of Logstash's grammar (logstash-core, lscl_grammar.treetop); plugins and their options are those
that we use, out of the reference (elastic.co/docs/reference/logstash/plugins); what a filter does follows its source.
What is not known here is refused, so that a filter which is new has to be learned first. Backslashes stay as they are
(config.support_escapes: false).
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
import re
import typing as t
import zoneinfo

import grok
import onigurumacffi


class Wrong(ValueError):
    """Logstash would not read it, or this does not know it."""


# ---------------------------------------------------------------- syntax


@dataclasses.dataclass
class Plugin:
    """``name { option => value }``."""

    name: str
    line: int
    options: list[tuple[str, t.Any]] = dataclasses.field(default_factory=list)

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """The value of an option; hashes that are given more than once are one."""
        values = [value for key, value in self.options if key == name]
        if not values:
            return default
        return [pair for value in values for pair in value] if isinstance(values[0], list) and len(values) > 1 \
            else values[0]


@dataclasses.dataclass
class Branch:
    """``if condition { } else if condition { } else { }``; the condition of else is None."""

    arms: list[tuple[t.Any, list[t.Any]]]


@dataclasses.dataclass(frozen=True)
class Selector:
    """A field in a condition."""

    text: str


@dataclasses.dataclass(frozen=True)
class Regex:
    """A regular expression in a condition."""

    text: str


class Hash(list):
    """Pairs of a hash, in order."""


class _Reader:
    """Recursive descent, rule by rule as in the grammar."""

    SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*\r?\n)*")
    WHITE = re.compile(r"[ \t\r\n]")
    NAME = re.compile(r"[A-Za-z0-9_-]+")
    BAREWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
    STRING = re.compile(r'"((?:\\"|[^"])*)"|\'((?:\\\'|[^\'])*)\'')
    NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
    REGEX = re.compile(r"/((?:\\/|[^/])*)/")
    SELECTOR = re.compile(r"(?:\[[^\]\[,]+\])+")
    COMPARE = re.compile(r"==|!=|<=|>=|<|>|=~|!~")

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name, self.at = text, name, 0

    def fail(self, wanted: str) -> t.NoReturn:
        line = self.text.count("\n", 0, self.at) + 1
        raise Wrong(f"{self.name}:{line}: expected {wanted} before {self.text[self.at:self.at + 30]!r}")

    def space(self) -> bool:
        found = self.SPACE.match(self.text, self.at)
        blank = bool(found[0]) and bool(self.WHITE.match(found[0]))
        self.at = found.end()
        return blank

    def take(self, what: str | re.Pattern[str], wanted: str = "") -> t.Any:
        found = self.maybe(what)
        if found is None:
            self.fail(wanted or repr(what))
        return found

    def maybe(self, what: str | re.Pattern[str]) -> t.Any:
        if isinstance(what, str):
            if not self.text.startswith(what, self.at):
                return None
            self.at += len(what)
            return what
        found = what.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found

    def config(self) -> list[tuple[str, list[t.Any]]]:
        sections = []
        self.space()
        while self.at < len(self.text):
            kind = self.take(re.compile("input|filter|output"), "input, filter or output")[0]
            sections.append((kind, self.body(kind)))
            self.space()
        return sections

    def body(self, kind: str) -> list[t.Any]:
        self.space()
        self.take("{")
        items: list[t.Any] = []
        self.space()
        while not self.maybe("}"):
            if self.text.startswith("if", self.at) and re.match(r"if[\s\[(!\"']", self.text[self.at:]):
                items.append(self.branch(kind))
            else:
                items.append(self.plugin())
            self.space()
        return items

    def branch(self, kind: str) -> Branch:
        self.take("if")
        self.space()
        arms = [(self.condition(), self.body(kind))]
        while True:
            before = self.at
            self.space()
            if not self.maybe("else"):
                self.at = before
                return Branch(arms)
            self.space()
            if self.maybe("if"):
                self.space()
                arms.append((self.condition(), self.body(kind)))
            else:
                arms.append((None, self.body(kind)))
                return Branch(arms)

    def plugin(self) -> Plugin:
        line = self.text.count("\n", 0, self.at) + 1
        plugin = Plugin(self.take(self.NAME, "the name of a plugin")[0], line)
        self.space()
        self.take("{")
        self.space()
        while not self.maybe("}"):
            name = self.take(self.NAME, "an option or '}'")[0]
            self.space()
            self.take("=>")
            self.space()
            plugin.options.append((name, self.value()))
            if not self.space() and not self.text.startswith("}", self.at):
                self.fail("white space")
        return plugin

    def string(self) -> str | None:
        found = self.maybe(self.STRING)
        return None if found is None else found[1] if found[1] is not None else found[2]

    def value(self) -> t.Any:
        if (text := self.string()) is not None:
            return text
        if self.maybe("["):
            values = []
            self.space()
            while not self.maybe("]"):
                values.append(self.value())
                self.space()
                if not self.maybe(","):
                    self.take("]")
                    break
                self.space()
            return values
        if self.maybe("{"):
            pairs = Hash()
            self.space()
            while not self.maybe("}"):
                key = self.string()
                if key is None:
                    key = (self.maybe(self.NUMBER) or self.take(self.BAREWORD, "a key or '}'"))[0]
                self.space()
                self.take("=>")
                self.space()
                pairs.append((key, self.value()))
                if not self.space() and not self.text.startswith("}", self.at):
                    self.fail("white space")
            return pairs
        if found := self.maybe(self.NUMBER):
            return float(found[0]) if "." in found[0] else int(found[0])
        found = self.take(self.BAREWORD, "a value")
        before = self.at
        self.space()
        if self.text.startswith("{", self.at):
            self.at = found.start()
            return self.plugin()
        self.at = before
        return {"true": True, "false": False}.get(found[0], found[0])

    def condition(self) -> t.Any:
        left = self.expression()
        operators = set()
        while True:
            before = self.at
            self.space()
            found = self.maybe(re.compile(r"(and|or|xor|nand)\b"))
            if not found:
                self.at = before
                return left
            operators.add(found[0])
            if len(operators) > 1:
                self.fail("parentheses where operators are mixed")
            self.space()
            left = (found[0], left, self.expression())

    def expression(self) -> t.Any:
        if self.maybe("("):
            self.space()
            inner = self.condition()
            self.space()
            self.take(")")
            return inner
        if self.maybe("!"):
            self.space()
            if self.maybe("("):
                self.space()
                inner = self.condition()
                self.space()
                self.take(")")
                return ("not", inner)
            return ("not", Selector(self.take(self.SELECTOR, "a field")[0]))
        left = self.rvalue()
        before = self.at
        self.space()
        if self.maybe(re.compile(r"not +in\b")):
            self.space()
            return ("not", ("in", left, self.rvalue()))
        if self.maybe(re.compile(r"in\b")):
            self.space()
            return ("in", left, self.rvalue())
        if found := self.maybe(self.COMPARE):
            self.space()
            right = self.rvalue()
            if "~" in found[0] and isinstance(right, str):
                right = Regex(right)
            return (found[0], left, right)
        self.at = before
        return left

    def rvalue(self) -> t.Any:
        if found := self.maybe(self.SELECTOR):
            return Selector(found[0])
        if (text := self.string()) is not None:
            return text
        if found := self.maybe(self.REGEX):
            return Regex(found[1])
        if found := self.maybe(self.NUMBER):
            return float(found[0]) if "." in found[0] else int(found[0])
        if self.text.startswith("[", self.at):
            return self.value()
        return self.fail("a value")


def parse(text: str, name: str = "pipeline") -> list[tuple[str, list[t.Any]]]:
    """Sections of a configuration file: what they are, and their plugins and branches. Raises Wrong."""
    return _Reader(text, name).config()


# ---------------------------------------------------------------- plugins

COMMON = {"id": "string", "enable_metric": "boolean"}
INPUT = {**COMMON, "codec": "plugin", "tags": "array", "type": "string", "add_field": "hash"}
FILTER = {**COMMON, "add_field": "hash", "remove_field": "array", "add_tag": "array", "remove_tag": "array",
          "periodic_flush": "boolean"}
OUTPUT = {**COMMON, "codec": "plugin"}
# Name: options and the type of each, and those that are required. Obsolete ones are not here, so they are refused.
PLUGINS: dict[str, dict[str, tuple[dict[str, str], set[str]]]] = {
    "input": {
        "beats": ({**INPUT, "port": "number", "host": "string", "client_inactivity_timeout": "number",
                   "enrich": "string", "executor_threads": "number", "event_loop_threads": "number",
                   "add_hostname": "boolean", "include_codec_tag": "boolean", "ssl_enabled": "boolean",
                   "ssl_certificate": "string", "ssl_certificate_authorities": "array",
                   "ssl_cipher_suites": "array", "ssl_client_authentication": "string",
                   "ssl_handshake_timeout": "number", "ssl_key": "string", "ssl_key_passphrase": "string",
                   "ssl_supported_protocols": "array", "ecs_compatibility": "string"}, {"port"}),
        "dead_letter_queue": ({**INPUT, "path": "string", "pipeline_id": "string", "commit_offsets": "boolean",
                               "clean_consumed": "boolean", "sincedb_path": "string", "start_timestamp": "string"},
                              {"path"}),
    },
    "filter": {
        "grok": ({**FILTER, "match": "hash", "patterns_dir": "array", "patterns_files_glob": "string",
                  "pattern_definitions": "hash", "break_on_match": "boolean", "named_captures_only": "boolean",
                  "keep_empty_captures": "boolean", "overwrite": "array", "tag_on_failure": "array",
                  "tag_on_timeout": "string", "target": "string", "timeout_millis": "number",
                  "timeout_scope": "string", "ecs_compatibility": "string"}, {"match"}),
        "date": ({**FILTER, "match": "array", "target": "string", "timezone": "string", "locale": "string",
                  "tag_on_failure": "array"}, {"match"}),
        "json": ({**FILTER, "source": "string", "target": "string", "skip_on_invalid_json": "boolean",
                  "tag_on_failure": "array", "ecs_compatibility": "string"}, {"source"}),
        "mutate": ({**FILTER, **dict.fromkeys(("coerce", "rename", "replace", "update", "convert", "split", "join",
                                               "merge", "copy"), "hash"),
                    **dict.fromkeys(("gsub", "uppercase", "lowercase", "capitalize", "strip"), "array"),
                    "tag_on_failure": "string"}, set()),
        "prune": ({**FILTER, "interpolate": "boolean", "whitelist_names": "array", "blacklist_names": "array",
                   "whitelist_values": "hash", "blacklist_values": "hash"}, set()),
        "drop": ({**FILTER, "percentage": "number"}, set()),
    },
    "output": {
        # With data_stream => true it takes the connection's options and these (data_stream_support.rb).
        "elasticsearch": ({**OUTPUT, "hosts": "array", "user": "string", "password": "string", "api_key": "string",
                           "ssl_enabled": "boolean", "ssl_verification_mode": "string",
                           "ssl_certificate_authorities": "array", "ssl_supported_protocols": "array",
                           "ca_trusted_fingerprint": "array", "compression_level": "number", "timeout": "number",
                           "pool_max": "number", "pool_max_per_route": "number", "resurrect_delay": "number",
                           "retry_initial_interval": "number", "retry_max_interval": "number",
                           "silence_errors_in_log": "array", "dlq_custom_codes": "array",
                           "dlq_on_failed_indexname_interpolation": "boolean", "data_stream": "string",
                           "data_stream_type": "string", "data_stream_dataset": "string",
                           "data_stream_namespace": "string", "data_stream_sync_fields": "boolean",
                           "data_stream_auto_routing": "boolean"}, {"hosts"}),
    },
}
TYPES = {"string": str, "number": (int, float), "boolean": bool, "array": list, "hash": Hash, "plugin": (str, Plugin)}
CHOICES = {"enrich": {"none", "all", "source_metadata", "codec_metadata", "ssl_peer_metadata"},
           "data_stream": {"true", "false", "auto"}, "ssl_verification_mode": {"full", "none"}}
FIELD = re.compile(r"(?:\[[^\[\],]+\])+|[^\[\],]+")
CONVERSIONS = {"integer", "float", "string", "boolean"}


def walk(items: list[t.Any]) -> t.Iterator[Plugin]:
    """The plugins of a section, those in branches too."""
    for item in items:
        if isinstance(item, Branch):
            for _condition, inner in item.arms:
                yield from walk(inner)
        else:
            yield item


def conditions(items: list[t.Any]) -> t.Iterator[t.Any]:
    """The conditions of a section."""
    for item in items:
        if isinstance(item, Branch):
            for condition, inner in item.arms:
                if condition is not None:
                    yield condition
                yield from conditions(inner)


def problems(text: str, patterns: dict[str, str], name: str = "pipeline") -> list[str]:
    """What Logstash would not accept, or would make something else of."""
    try:
        sections = parse(text, name)
    except Wrong as error:
        return [str(error)]
    found: list[str] = []
    for kind, items in sections:
        for plugin in walk(items):
            found += [f"{name}:{plugin.line}: {plugin.name}: {one}" for one in _plugin(kind, plugin, patterns)]
        found += [f"{name}: {one}" for condition in conditions(items) for one in _regexes(condition)]
    return found


def _regexes(condition: t.Any) -> list[str]:
    if isinstance(condition, Regex):
        try:
            onigurumacffi.compile(condition.text)
        except onigurumacffi.OnigError as error:
            return [f"{error}: {condition.text}"]
    if isinstance(condition, tuple):
        return [one for part in condition for one in _regexes(part)]
    return []


def _plugin(kind: str, plugin: Plugin, patterns: dict[str, str]) -> list[str]:
    if plugin.name not in PLUGINS[kind]:
        return [f"no such {kind} here"]
    known, required = PLUGINS[kind][plugin.name]
    found = []
    for option, value in plugin.options:
        if option not in known:
            found.append(f"no option {option}")
        elif not isinstance(value, TYPES[known[option]]) or (known[option] == "number" and isinstance(value, bool)):
            found.append(f"{option} has to be of type {known[option]}")
        elif option in CHOICES and value not in CHOICES[option]:
            found.append(f"{option} cannot be {value}")
    names = [option for option, _value in plugin.options]
    found += [f"{option} is there twice" for option in sorted({one for one in names if names.count(one) > 1})]
    found += [f"{option} is missing" for option in sorted(required - set(names))]
    return found or [*_fields(plugin, known), *_special(plugin, patterns)]


def _fields(plugin: Plugin, known: dict[str, str]) -> list[str]:
    """References to fields that are not well formed, or that are given twice."""
    fields = []
    for option in ("match", "add_field", "rename", "replace", "update", "convert", "copy"):
        value = plugin.get(option)
        if isinstance(value, Hash):
            keys = [key for key, _value in value]
            fields += keys
            if option in ("rename", "copy"):
                fields += [target for _key, target in value]
            fields += [f",{key} is there twice" for key in keys if keys.count(key) > 1]
    for option in ("source", "target"):
        fields += [plugin.get(option)] if option in known and plugin.get(option) else []
    for option in ("overwrite", "remove_field", "strip"):
        fields += plugin.get(option, [])
    return [f"not a field: {field}" for field in fields if not FIELD.fullmatch(field)]


def _special(plugin: Plugin, patterns: dict[str, str]) -> list[str]:
    found = []
    if plugin.name == "grok":
        for _field, text in plugin.get("match"):
            try:
                expression = grok.Expression(text, patterns)
            except grok.Wrong as error:
                found.append(str(error))
                continue
            found += [f"not a field: {one.field}" for one in expression.captures if not FIELD.fullmatch(one.field)]
    if plugin.name == "date" and not set(plugin.get("match")[1:]) <= {"ISO8601", "UNIX"}:
        found.append(f"formats are not known here: {plugin.get('match')[1:]}")
    if plugin.name == "mutate":
        if len(plugin.get("gsub", [])) % 3:
            found.append("gsub takes a field, a pattern and a text each")
        found += [f"cannot convert to {kind}" for _field, kind in plugin.get("convert", []) if kind not in CONVERSIONS]
    if plugin.name == "elasticsearch" and plugin.get("data_stream") != "true":
        found.append("data_stream is not true")
    return found


# ---------------------------------------------------------------- what filters do


class Dropped(Exception):
    """By the filter `drop`."""


class Event:
    """An event: its fields, and those of @metadata, which are not sent."""

    def __init__(self, fields: dict[str, t.Any]) -> None:
        self.fields = copy.deepcopy(fields)
        self.metadata: dict[str, t.Any] = {}

    def _path(self, reference: str) -> tuple[dict[str, t.Any], list[str]]:
        if not FIELD.fullmatch(reference):
            raise Wrong(f"not a field: {reference}")
        names = re.findall(r"\[([^\[\],]+)\]", reference) or [reference]
        return (self.metadata, names[1:]) if names[0] == "@metadata" else (self.fields, names)

    def get(self, reference: str) -> t.Any:
        """Its value, or None."""
        at, names = self._path(reference)
        value: t.Any = at
        for name in names:
            if not isinstance(value, dict) or name not in value:
                return None
            value = value[name]
        return value

    def set(self, reference: str, value: t.Any) -> None:
        """Gives it a value; what it lies in is made."""
        at, names = self._path(reference)
        for name in names[:-1]:
            at = at.setdefault(name, {})
            if not isinstance(at, dict):
                raise Wrong(f"{reference}: {name} holds a value")
        at[names[-1]] = value

    def remove(self, reference: str) -> t.Any:
        """Takes it away, and says what it was."""
        at, names = self._path(reference)
        for name in names[:-1]:
            at = at.get(name)
            if not isinstance(at, dict):
                return None
        return at.pop(names[-1], None)

    def tag(self, name: str) -> None:
        """Adds a tag, once."""
        tags = self.fields.setdefault("tags", [])
        if name not in tags:
            tags.append(name)

    def text(self, template: str) -> str:
        """With the values of fields for %{field}, and what has no value as it is."""
        def put(found: re.Match[str]) -> str:
            value = self.get(found[1])
            return found[0] if value is None else json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        return re.sub(r"%\{([^}]+)\}", put, template)


class Pipeline:
    """The filters of a pipeline's files, in the order in which Logstash would read them."""

    def __init__(self, texts: list[str], patterns: dict[str, str]) -> None:
        self.patterns = patterns
        self.items = [item for text in texts for kind, items in parse(text) if kind == "filter" for item in items]
        self.expressions: dict[str, grok.Expression] = {}
        self.tried: set[int] = set()

    def run(self, fields: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """The event that comes out; None if it was dropped."""
        event = Event(fields)
        try:
            self._items(self.items, event)
        except Dropped:
            return None
        return event.fields

    def _items(self, items: list[t.Any], event: Event) -> None:
        for item in items:
            if isinstance(item, Branch):
                for condition, inner in item.arms:
                    if condition is None or self._holds(condition, event):
                        self._items(inner, event)
                        break
            elif getattr(self, f"_{item.name}")(item, event):
                self._decorate(item, event)

    def _decorate(self, plugin: Plugin, event: Event) -> None:
        """What all filters do when they have succeeded."""
        for field, value in plugin.get("add_field", []):
            text = event.text(value)
            before = event.get(field)
            event.set(field, text if before is None else [*(before if isinstance(before, list) else [before]), text])
        for field in plugin.get("remove_field", []):
            event.remove(field)
        for tag in plugin.get("add_tag", []):
            event.tag(tag)

    # conditions

    def _value(self, part: t.Any, event: Event) -> t.Any:
        return event.get(part.text) if isinstance(part, Selector) else part

    def _holds(self, condition: t.Any, event: Event) -> bool:
        if not isinstance(condition, tuple):
            return bool(self._value(condition, event) is not None and self._value(condition, event) is not False)
        operator = condition[0]
        if operator == "not":
            return not self._holds(condition[1], event)
        if operator in ("and", "or"):
            left, right = (self._holds(part, event) for part in condition[1:])
            return left and right if operator == "and" else left or right
        left, right = (self._value(part, event) for part in condition[1:])
        if operator in ("=~", "!~"):
            matched = isinstance(left, str) and onigurumacffi.compile(right.text).search(left) is not None
            return matched == (operator == "=~")
        if operator == "in":
            return left in right if right is not None else False
        if operator in ("==", "!="):
            return (left == right) == (operator == "==")
        if left is None or right is None:
            return False
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]

    # filters: whether they succeeded

    def _grok(self, plugin: Plugin, event: Event) -> bool:
        matched = False
        for field, text in plugin.get("match"):
            expression = self.expressions.setdefault(text, grok.Expression(text, self.patterns))
            value = event.get(field)
            found = None if value is None else expression.match(str(value))
            if found is None:
                continue
            self.tried.add(plugin.line)
            matched = True
            for name, new in found:
                old = event.get(name)
                if name in plugin.get("overwrite", []) or old is None:
                    event.set(name, new)
                else:
                    event.set(name, [*(old if isinstance(old, list) else [old]), new])
            break
        for tag in [] if matched else plugin.get("tag_on_failure", ["_grokparsefailure"]):
            event.tag(tag)
        return matched

    def _date(self, plugin: Plugin, event: Event) -> bool:
        source, *formats = plugin.get("match")
        value = event.get(source)
        if value is None:
            return False
        for one in formats:
            moment = self._moment(str(value), one, plugin.get("timezone", "UTC"))
            if moment:
                event.set(plugin.get("target", "@timestamp"), moment)
                return True
        for tag in plugin.get("tag_on_failure", ["_dateparsefailure"]):
            event.tag(tag)
        return False

    @staticmethod
    def _moment(text: str, form: str, zone: str) -> str | None:
        """In UTC and milliseconds, which is what the filter keeps."""
        try:
            if form == "UNIX":
                moment = datetime.datetime.fromtimestamp(int(text), datetime.UTC)
            else:
                # As long a fraction as there is; Python takes six digits.
                moment = datetime.datetime.fromisoformat(re.sub(r"[.,](\d{1,6})\d*", r".\1", text))
                if moment.tzinfo is None:
                    moment = moment.replace(tzinfo=zoneinfo.ZoneInfo(zone))
        except ValueError:
            return None
        return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _json(self, plugin: Plugin, event: Event) -> bool:
        text = event.get(plugin.get("source"))
        try:
            value = json.loads(text)
        except (TypeError, ValueError):
            for tag in plugin.get("tag_on_failure", ["_jsonparsefailure"]):
                event.tag(tag)
            return False
        target = plugin.get("target")
        if target is None:
            raise Wrong("json without a target lets a line write any field")
        event.set(target, value)
        return True

    def _drop(self, _plugin: Plugin, _event: Event) -> t.NoReturn:
        raise Dropped

    def _prune(self, plugin: Plugin, event: Event) -> bool:
        kept = plugin.get("whitelist_names")
        for name in list(event.fields):
            if not any(onigurumacffi.compile(one).search(name) for one in kept):
                del event.fields[name]
        return True

    def _mutate(self, plugin: Plugin, event: Event) -> bool:
        """In the filter's own order, whatever the order in the file."""
        for old, new in plugin.get("rename", []):
            if event.get(old) is not None:
                event.set(new, event.remove(old))
        for field, text in plugin.get("replace", []):
            event.set(field, event.text(text))
        for field, kind in plugin.get("convert", []):
            value = event.get(field)
            if value is not None:
                event.set(field, self._converted(value, kind))
        parts = plugin.get("gsub", [])
        for field, pattern, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            value = event.get(field)
            if isinstance(value, str):
                event.set(field, _gsub(value, pattern, text))
        for field in plugin.get("strip", []):
            value = event.get(field)
            if isinstance(value, str):
                event.set(field, value.strip())
        for source, target in plugin.get("copy", []):
            value = event.get(source)
            if value is not None:
                event.set(target, copy.deepcopy(value))
        return True

    @staticmethod
    def _converted(value: t.Any, kind: str) -> t.Any:
        if kind == "integer" and isinstance(value, str):
            if re.match(r"[+-]?0\d", value):
                # Ruby's Integer(), which the filter has used since it knows hexadecimal numbers, reads octal ones.
                raise Wrong(f"an octal number: {value}")
            return int(value)
        return {"integer": int, "float": float, "string": str}[kind](value)


def _gsub(text: str, pattern: str, new: str) -> str:
    """Every match of it replaced, from left to right."""
    if "\\" in new:
        raise Wrong(f"no newline, but a backslash and what follows: {new}")
    expression, done, at = onigurumacffi.compile(pattern), [], 0
    while (found := expression.search(text, at)) is not None:
        done.append(text[at:found.start()] + new)
        if found.end() == found.start():
            raise Wrong(f"matches nothing at all: {pattern}")
        at = found.end()
    return "".join(done) + text[at:]
