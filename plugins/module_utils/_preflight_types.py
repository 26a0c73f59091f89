# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: whether a value is what an argument specification asks for. No I/O.

Ansible's own validator judges; what it says is told by place and in few words,
entry by entry of a list, because it does not say which entry it means.
"""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mooring.stack.plugins.module_utils import _preflight_names

_NAMES = {"str": "a text", "path": "a text", "list": "a list", "dict": "a dictionary", "int": "a whole number",
          "float": "a number", "bool": "true or false"}
# How alike an unknown key has to be to one of the few that there are.
_LIKE = 0.65
_CLASS = r"(?:<class '[^']+'>|\w+)"
_TYPE = re.compile(
    rf"argument '(?P<name>[^']+)' is of type {_CLASS}(?: found in '(?P<within>[^']+)'\.)? and we were unable to "
    r"convert to (?P<kind>\w+)")
_ELEMENT = re.compile(
    rf"Elements value for option '(?P<name>[^']+)'(?: found in '(?P<within>[^']+)')? is of type {_CLASS} and we were "
    r"unable to convert to (?P<kind>\w+)")
_CHOICE = re.compile(
    r"value of (?P<name>\w+) must be one(?: or more)? of: (?P<choices>.*?)[,.] (?:got|Got no match for): (?P<got>.*?)"
    r"(?: found in (?P<within>[^']+))?", re.DOTALL)
_MISSING = re.compile(r"missing required arguments: (?P<names>.*?)(?: found in (?P<within>.+))?")
_UNKNOWN = re.compile(r"(?P<names>\S+(?:, \S+)*)\. Supported parameters include: .*", re.DOTALL)


class Wrong(t.NamedTuple):
    """What is wrong with the part of a value at ``path``; without a remedy its description is one."""

    path: str
    problem: str
    remedy: str = ""


def check(variable: str, spec: t.Mapping[str, t.Any], value: t.Any, hide: t.Callable[[str], bool]) -> list[Wrong]:
    """Each thing that the specification of ``variable`` does not allow; ``hide`` says which names are secrets."""
    kind = spec.get("type") or "str"
    if kind in ("str", "path") and isinstance(value, (list, dict)):  # which Ansible would turn into a text
        return [Wrong("", f"is {_kind_of(value)}, not {_NAMES['str']}")]
    if kind == "list" and isinstance(value, list) and spec.get("elements") == "dict" and spec.get("options"):
        return [one for index, entry in enumerate(value) for one in _check_entry(variable, spec, index, entry, hide)]
    return _check(variable, spec, value, "", value, hide)


def _check_entry(
    variable: str, spec: t.Mapping[str, t.Any], index: int, entry: t.Any, hide: t.Callable[[str], bool],
) -> list[Wrong]:
    if not isinstance(entry, dict):
        return [Wrong(f"[{index}]", f"is {_kind_of(entry)}, not {_NAMES['dict']}")]
    return [*_check(variable, spec, [entry], f"[{index}]", entry, hide), *_no_texts(spec, f"[{index}]", entry)]


def _no_texts(spec: t.Mapping[str, t.Any], place: str, part: t.Mapping[str, t.Any]) -> t.Iterator[Wrong]:
    """Lists and dictionaries where a text has to be: Ansible would make one of them."""
    for name, option in (spec.get("options") or {}).items():
        value = part.get(name)
        if option.get("type", "str") in ("str", "path") and isinstance(value, (list, dict)):
            yield Wrong(f"{place}.{name}", f"is {_kind_of(value)}, not {_NAMES['str']}")
        elif option.get("type") == "dict" and isinstance(value, dict):
            yield from _no_texts(option, f"{place}.{name}", value)


def _check(
    variable: str, spec: t.Mapping[str, t.Any], value: t.Any, place: str, part: t.Any, hide: t.Callable[[str], bool],
) -> list[Wrong]:
    errors = ArgumentSpecValidator({variable: {**_bare(spec), "required": False}}).validate({variable: value})
    found = [one for text in errors.error_messages for one in _translate(variable, spec, text, place, part, hide)]
    # What is of another kind as a whole is not looked into.
    whole = [one for one in found if not one.path and not one.remedy]
    if whole:
        return whole[:1]
    # What could not be converted is none of the choices either.
    first: dict[tuple[str, str], Wrong] = {}
    for one in found:
        first.setdefault((one.path, one.remedy), one)
    return list(first.values())


def _bare(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An option's spec without defaults (they were applied) and texts."""
    kept = {key: value for key, value in spec.items() if key not in ("default", "description", "version_added")}
    if isinstance(kept.get("options"), dict):
        kept["options"] = {name: _bare(option) for name, option in kept["options"].items()}
    return kept


def option_at(spec: t.Mapping[str, t.Any], path: str) -> t.Mapping[str, t.Any]:
    """The specification of the part of a value at a path; of the whole where it says nothing of the part."""
    for step in re.findall(r"[^.\[\]]+", re.sub(r"\[\d+\]", "", path)):
        inner = (spec.get("options") or {}).get(step)
        if inner is None:
            break
        spec = inner
    return spec


def _options(spec: t.Mapping[str, t.Any], steps: list[str]) -> list[str]:
    """The keys that may be there, below these."""
    for step in steps:
        spec = (spec.get("options") or {}).get(step) or {}
    return list(spec.get("options") or ())


def _translate(
    variable: str, spec: t.Mapping[str, t.Any], text: str, place: str, part: t.Any, hide: t.Callable[[str], bool],
) -> t.Iterator[Wrong]:
    """One message of the validator, told by place."""

    def path(said: re.Match[str], name: str = "") -> str:
        """``[0].readiness.port`` of a name and of what the validator says that it is in: the list, then its keys."""
        steps = (said["within"] or "").split(" -> ")[1:]
        own = name if said["within"] or name != variable else ""
        return ".".join(filter(None, [place, *steps, own]))

    if said := _TYPE.match(text):
        where, wanted = path(said, said["name"]), _NAMES.get(said["kind"], said["kind"])
        value = _at(part, where.removeprefix(place))
        shown = isinstance(value, (str, int, float)) and said["kind"] not in ("list", "dict") and not hide(
            f"{variable} {where}")
        yield Wrong(where, f"'{value}' is not {wanted}" if shown else f"is {_kind_of(value)}, not {wanted}")
    elif said := _ELEMENT.match(text):
        wanted = _NAMES.get(said["kind"], said["kind"])
        yield Wrong(path(said, said["name"]), f"has an item that is not {wanted}")
    elif said := _CHOICE.fullmatch(text):
        yield Wrong(path(said, said["name"]), f"'{said['got']}' is not one of {said['choices']}")
    elif said := _MISSING.fullmatch(text):
        names = said["names"].split(", ")
        yield Wrong(path(said), f"has no {' and no '.join(names)}", f"Add {' and '.join(names)}")
    elif said := _UNKNOWN.fullmatch(text):
        for full in said["names"].split(", "):
            *steps, name = full.removeprefix(f"{variable}.").split(".")
            known = _options(spec, steps)
            near = _preflight_names.nearest(name, known, _LIKE)
            yield Wrong(".".join(filter(None, [place, *steps])), f"has the unknown key {name}",
                        f"Did you mean {near}" if near else f"Known are {', '.join(sorted(known))}")
    else:
        # Ansible quotes what it does not like.
        for secret in sorted(_secrets(variable, part, hide), key=len, reverse=True):
            text = text.replace(secret, "********").replace(repr(secret)[1:-1], "********")
        yield Wrong(place, " ".join(text.split()).rstrip("."))


def _secrets(name: str, part: t.Any, hide: t.Callable[[str], bool]) -> set[str]:
    if isinstance(part, dict):
        return {one for key, item in part.items() for one in _secrets(f"{name} {key}", item, hide)}
    if isinstance(part, (list, tuple)):
        return {one for item in part for one in _secrets(name, item, hide)}
    return {str(part)} if part and hide(name) else set()


def _at(part: t.Any, path: str) -> t.Any:
    """The value at a path of keys; a list on the way is not looked into."""
    for step in filter(None, path.split(".")):
        part = part.get(step) if isinstance(part, dict) else None
    return part


def _kind_of(value: t.Any) -> str:
    for kind, name in ((bool, "true or false"), (dict, "a dictionary"), (list, "a list"), (tuple, "a list"),
                       (str, "a text"), (type(None), "empty")):
        if isinstance(value, kind):
            return name
    return "a number"
