# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filebeat's configuration without Filebeat: read strictly, and what its parsers make of a file's lines.

Options are those of the reference that we use (elastic.co/docs/reference/beats/filebeat: filebeat-input-filestream,
multiline-examples, logstash-output, configuration-general-options, http-endpoint, drop-fields); what is not here is
refused. How lines become events follows libbeat/reader (multiline/pattern.go, multiline/message_buffer.go,
readjson/docker_json.go). Regular expressions are RE2's, as in Go.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import json
import re
import typing as t

import re2

DURATION = re.compile(r"\d+(ms|s|m|h)")
# What may stand where; "*" is a field name of the user's.
SHAPE: dict[str, t.Any] = {
    "filebeat.inputs": [{
        "type": {"filestream"}, "id": str, "paths": [str],
        "file_identity.fingerprint": None,
        "prospector.scanner": {
            "check_interval": DURATION, "exclude_files": ["re2"], "include_files": ["re2"], "recursive_glob": bool,
            "symlinks": bool, "resend_on_touch": bool,
            "fingerprint": {"enabled": bool, "offset": int, "length": int},
        },
        "parsers": [{
            "container": {"stream": {"all", "stdout", "stderr"}, "format": {"auto", "docker", "cri"}},
            "multiline": {"type": {"pattern", "count", "while_pattern"}, "pattern": "re2", "negate": bool,
                          "match": {"after", "before"}, "max_lines": int, "timeout": DURATION,
                          "flush_pattern": "re2", "skip_newline": bool},
            "include_message": {"patterns": ["re2"]},
        }],
        "exclude_lines": ["re2"], "include_lines": ["re2"], "fields": {"*": str}, "fields_under_root": bool,
        "message_max_bytes": int, "encoding": str, "ignore_older": DURATION, "close.on_state_change.inactive": DURATION,
        "close.on_state_change.removed": bool, "close.on_state_change.renamed": bool, "clean_removed": bool,
    }],
    "name": str,
    "processors": [{"drop_fields": {"fields": [str], "ignore_missing": bool}}],
    "output.logstash": {
        "hosts": [str], "worker": int, "loadbalance": bool, "compression_level": int, "ttl": DURATION,
        "bulk_max_size": int, "timeout": DURATION, "pipelining": int,
        "ssl": {"enabled": bool, "certificate_authorities": [str], "certificate": str, "key": str,
                "verification_mode": {"full", "strict", "certificate"}},
    },
    "path.data": str, "path.logs": str, "filebeat.shutdown_timeout": DURATION,
    "logging.level": {"debug", "info", "warning", "error"}, "logging.to_stderr": bool, "logging.to_files": bool,
    "logging.metrics.enabled": bool,
    "http": {"enabled": bool, "host": str, "port": int},
}
# The smallest block that the hash of a fingerprint works on (sha256.BlockSize, prospector.go).
SMALLEST_FINGERPRINT = 64


def problems(document: dict[str, t.Any]) -> list[str]:
    """What Filebeat 9 would refuse, ignore, or lose lines with."""
    found = _shape(document, SHAPE, "")
    if found:
        return found
    inputs = document["filebeat.inputs"]
    names = [one.get("id") for one in inputs]
    found += [f"input {name}: its id is not unique" for name in sorted({str(n) for n in names if names.count(n) > 1})]
    for one in inputs:
        found += [f"input {one.get('id')}: {problem}" for problem in _input(one)]
    if document.get("path.data") in (None, "/usr/share/filebeat/data"):
        found.append("path.data: in the container, so positions are lost with it")
    return found


def _shape(value: t.Any, shape: t.Any, where: str) -> list[str]:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where}: not a mapping"]
        unknown = [] if "*" in shape else [f"{where}.{key}: no such option" for key in value if key not in shape]
        return [one.lstrip(".") for one in unknown] + [
            one for key, inner in value.items() if "*" in shape or key in shape
            for one in _shape(inner, shape.get(key, shape.get("*")), f"{where}.{key}".lstrip("."))]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: not a list"]
        return [one for number, inner in enumerate(value) for one in _shape(inner, shape[0], f"{where}[{number}]")]
    if isinstance(shape, set):
        return [] if value in shape else [f"{where}: {value} is none of {', '.join(sorted(shape))}"]
    if isinstance(shape, re.Pattern):
        return [] if isinstance(value, str) and shape.fullmatch(value) else [f"{where}: {value} is no duration"]
    if shape == "re2":
        try:
            re2.compile(value)
        except (re2.error, TypeError) as error:
            return [f"{where}: {error}: {value}"]
        return []
    if shape is None:
        return [] if value is None else [f"{where}: takes nothing"]
    right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return [] if right else [f"{where}: not of type {shape.__name__}"]


def _input(one: dict[str, t.Any]) -> list[str]:
    found = [f"{key} is missing" for key in ("id", "paths", "parsers") if not one.get(key)]
    fingerprint = one.get("prospector.scanner", {}).get("fingerprint", {})
    if "file_identity.fingerprint" not in one or not fingerprint.get("enabled"):
        found.append("files are not told apart by a fingerprint")
    if not SMALLEST_FINGERPRINT <= fingerprint.get("length", 1024) < 1024:
        found.append("a file below 1024 bytes would not be read")
    for path in one.get("paths", []):
        if not path.startswith("/"):
            found.append(f"{path} is not absolute")
    kinds = []
    for parser in one.get("parsers", []):
        if len(parser) != 1:
            found.append("a parser is one key")
        kinds += parser
    if "container" in kinds and kinds.index("container") != 0:
        found.append("container has to be the first parser")
    return found


# ---------------------------------------------------------------- what becomes of lines


@dataclasses.dataclass
class Message:
    """An event on its way: its text, when it was if that is known, and what is to be kept with it."""

    text: str
    time: str | None = None
    flags: tuple[str, ...] = ()


def fingerprint(one: dict[str, t.Any], content: bytes) -> str | None:
    """What an input tells a file by; None for one that is too small to be read yet."""
    scanner = one["prospector.scanner"]["fingerprint"]
    part = content[scanner["offset"]:scanner["offset"] + scanner["length"]]
    return hashlib.sha256(part).hexdigest() if len(part) == scanner["length"] else None


def wants(one: dict[str, t.Any], path: str) -> bool:
    """Whether an input reads a file of that path; a star does not go beyond a slash."""
    def globs(pattern: str) -> bool:
        parts, wanted = path.split("/"), pattern.split("/")
        return len(parts) == len(wanted) and all(fnmatch.fnmatchcase(*pair) for pair in zip(parts, wanted, strict=True))
    excluded = one["prospector.scanner"].get("exclude_files", [])
    return any(globs(pattern) for pattern in one["paths"]) and not any(re2.search(rule, path) for rule in excluded)


def read(one: dict[str, t.Any], content: str, *, kept_newlines: bool = True) -> list[Message]:
    """The events of a file. ``kept_newlines``: whether a container's line keeps the newline that the engine wrote at
    its end, as docker_json.go has it; what comes out in the end must not depend on it."""
    messages = [Message(line) for line in content.removesuffix("\n").split("\n")]
    for parser in one["parsers"]:
        (kind, options), = parser.items()
        if kind == "container":
            messages = list(_container(messages, options, kept_newlines))
        elif kind == "multiline":
            messages = list(_multiline(messages, options))
        else:
            messages = [message for message in messages
                        if any(re2.search(pattern, message.text) for pattern in options["patterns"])]
    excluded = one.get("exclude_lines", [])
    return [message for message in messages
            if message.text and not any(re2.search(pattern, message.text) for pattern in excluded)]


def _container(messages: list[Message], options: dict[str, t.Any], kept_newlines: bool) -> t.Iterator[Message]:
    """Lines of Docker's json-file driver; a line of more than 16 KiB comes in parts, of which only the last ends."""
    waiting: Message | None = None
    for message in messages:
        line = json.loads(message.text)
        if waiting is None:
            waiting = Message("", line["time"])
        waiting.text += line["log"]
        if not line["log"].endswith("\n"):
            continue
        if options.get("stream", "all") in ("all", line["stream"]):
            yield Message(waiting.text if kept_newlines else waiting.text.removesuffix("\n"), waiting.time)
        waiting = None


def _multiline(messages: list[Message], options: dict[str, t.Any]) -> t.Iterator[Message]:
    """Events of several lines: with negate and after, a line that does not match belongs to what is before it."""
    current: list[str] = []
    first: Message | None = None
    last = ""

    def belongs(line: str) -> bool:
        matched = re2.search(options["pattern"], line if options["match"] == "after" else last) is not None
        return matched != options.get("negate", False)

    def whole() -> Message:
        lines = current[:options.get("max_lines", 500)]
        flags = (("multiline",) if len(lines) > 1 else ()) + (("truncated",) if len(lines) < len(current) else ())
        return Message("\n".join(lines), first.time, flags)

    for message in messages:
        if first is not None and not belongs(message.text):
            yield whole()
            first, current = None, []
        if first is None:
            first = message
        current.append(message.text)
        last = message.text
    if first is not None:
        yield whole()


def event(one: dict[str, t.Any], path: str, message: Message, host: str) -> dict[str, t.Any]:
    """As Filebeat sends it to Logstash, with what the pipelines use."""
    return {
        "@timestamp": message.time or "1970-01-01T00:00:00.000Z",
        "message": message.text,
        "fields": dict(one["fields"]),
        "log": {"file": {"path": path}, "offset": 0, **({"flags": list(message.flags)} if message.flags else {})},
        "host": {"name": host},
        "agent": {"type": "filebeat", "version": "9.5.2"},
        "ecs": {"version": "8.0.0"},
        "@version": "1",
    }
