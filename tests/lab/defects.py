#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The defects of the manual: what docs/defects.md says of each, and whether the tests that it names are there.

    defects.py      prints defects=<checked>/<all>; ends with 1 if the table names a test that is not there

A test says of itself which defects it is about, by a comment such as ``# defect 14``.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs/defects.md"
# Beginnings of the last column where it names no test; the reason follows.
REASONS = ("not by a machine: ", "not yet: ")

COMMENT = re.compile(r"(?:#|//) defects? (\d+(?:(?:, | and )\d+)*)")
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


@dataclasses.dataclass(frozen=True)
class Row:
    """One defect: ``tests`` are names and paths relative to the table, ``reason`` why there are none."""

    number: int
    defect: str
    now: str
    tests: tuple[tuple[str, str], ...]
    reason: str


def rows(text: str) -> list[Row]:
    """The rows of all chapters; one that is no row of four cells, or no number, raises ValueError."""
    found = []
    for line in text.splitlines():
        if re.match(r"\| *\d", line):
            number, defect, now, proof = (cell.strip() for cell in line.strip().strip("|").split(" | "))
            found.append(Row(int(number), defect, now, tuple(LINK.findall(proof)),
                             proof if proof.startswith(REASONS) else ""))
    return found


def numbers(text: str) -> set[int]:
    """The defects that comments in a text name."""
    return {int(number) for listed in COMMENT.findall(text) for number in re.findall(r"\d+", listed)}


def part(path: pathlib.Path, name: str) -> str | None:
    """The text of a test with the comments above it: a function with its cases, a play or task, a method of Java.

    None if there is no such test.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    find = {".py": _function, ".yml": _task, ".java": _method}.get(path.suffix)
    found = find(lines, name) if find else None
    if found is None:
        return None
    begin, end = found
    while begin > 0 and lines[begin - 1].lstrip().startswith(("#", "//")):
        begin -= 1
    text = "\n".join(lines[begin:end])
    return f"{text}\n{_cases(lines, text)}" if path.suffix == ".py" else text


@functools.cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def _function(lines: list[str], name: str) -> tuple[int, int] | None:
    for node in ast.walk(_tree("\n".join(lines))):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1, node.end_lineno or node.lineno
    return None


def _cases(lines: list[str], text: str) -> str:
    """The tables of the module from which the function's decorators take its cases."""
    (function, *_more) = ast.parse(textwrap.dedent(text)).body
    named = {node.id for one in getattr(function, "decorator_list", []) for node in ast.walk(one)
             if isinstance(node, ast.Name)}
    return "\n".join(
        "\n".join(lines[node.lineno - 1:node.end_lineno]) for node in _tree("\n".join(lines)).body
        if isinstance(node, ast.Assign) and named & {one.id for one in node.targets if isinstance(one, ast.Name)})


def _task(lines: list[str], name: str) -> tuple[int, int] | None:
    for begin, line in enumerate(lines):
        found = re.fullmatch(r"( *)- name: (.*?)(?:  #.*)?", line)
        if found and found[2] == name:
            ends = re.compile(rf" {{0,{len(found[1])}}}[^ #]")
            return begin, next((at for at in range(begin + 1, len(lines)) if ends.match(lines[at])), len(lines))
    return None


def _method(lines: list[str], name: str) -> tuple[int, int] | None:
    for at, line in enumerate(lines):
        if re.search(rf"\bvoid {re.escape(name)}\(", line):
            begin = next((before for before in range(at, 0, -1) if not lines[before - 1].strip()), 0)
            return begin, next((after for after in range(at, len(lines)) if lines[after] == "    }"), len(lines))
    return None


def problems(row: Row, table: pathlib.Path) -> list[str]:
    """What is wrong with the tests that a row of the file ``table`` names."""
    found = []
    for name, target in row.tests:
        path = table.parent / target
        text = part(path, name) if path.is_file() else None
        if text is None:
            found.append(f"{row.number}: {target} has no '{name}'")
        elif row.number not in numbers(text):
            found.append(f"{row.number}: '{name}' in {target} has no comment '# defect {row.number}'")
    if bool(row.tests) == bool(row.reason):
        found.append(f"{row.number}: names neither a test nor a reason, or both")
    return found


def main() -> int:
    """Print the count, and what is wrong."""
    table = rows(TABLE.read_text(encoding="utf-8"))
    wrong = {row.number: found for row in table if (found := problems(row, TABLE))}
    for found in wrong.values():
        print("\n".join(found), file=sys.stderr)
    print(f"defects={sum(bool(row.tests) and row.number not in wrong for row in table)}/{len(table)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
