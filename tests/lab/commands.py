#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that the documentation tells people to run, and who has run them.

    commands.py                     prints docs_commands=<with a test>/<all>; ends with 1 if one is nobody's
    commands.py list [--looks]      all of them, as JSON: where, command, how; or those that only look at a host
    commands.py look NODE [NODE...] runs those that only look, in the containers of converged nodes

tests/shape/commands.yml says of each command what runs it, or why nothing does. One that only looks (``looks``) is run
by ``look`` on the hosts of a platform: it is good if it ends with 0 on one of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import pathlib
import re
import subprocess
import sys
import textwrap
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "shape" / "commands.yml"
PAGES = ("README.md", "docs/*.md", "roles/*/README.md", "examples/**/README.md")
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# A line for a program that the command before it has started.
PROMPT = re.compile(r"\w+(>|=#) ")
SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Command:
    """One command as a page shows it, without its comment; ``line`` is that of the page."""

    page: str
    line: int
    text: str

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is known of the commands that match: one of ``runs`` (with ``essential``), ``looks`` and ``reason``."""

    pattern: str
    runs: str = ""
    essential: str = ""
    looks: bool = False
    reason: str = ""

    def matches(self, command: Command) -> bool:
        """From the beginning to the end of the command, or of the page's name and the command."""
        return any(re.fullmatch(self.pattern, text, re.DOTALL)
                   for text in (command.text, f"{command.page}: {command.text}"))


def rules(path: pathlib.Path = TABLE) -> list[Rule]:
    """The table; the first rule that matches counts. A key that a rule has not raises TypeError."""
    return [Rule(pattern=entry.pop("command"), **entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]


def complete(text: str) -> bool:
    """Whether the shell would begin to work and not wait for another line."""
    return not text.endswith("\\") and subprocess.run(
        ["bash", "-n"], input=text, text=True, check=False, stderr=subprocess.DEVNULL).returncode == 0


def split(block: str) -> list[tuple[int, str]]:
    """The commands of a block, each with the number of its first line in it, from 0.

    A block that ends in the middle of a command raises ValueError.
    """
    found, lines, first = [], [], 0
    for number, line in enumerate(block.splitlines()):
        bare = re.sub(r"(^|\s{2,})#\s.*$", "", line).rstrip()
        if not lines and (not bare.strip() or PROMPT.match(bare)):
            continue
        first = first if lines else number
        lines.append(bare)
        if complete("\n".join(lines)):
            found.append((first, "\n".join(lines)))
            lines = []
    if lines:
        raise ValueError(f"the shell would wait for more after: {lines[0]}")
    return found


@functools.cache
def commands(root: pathlib.Path = ROOT) -> tuple[Command, ...]:
    """Those of all pages, in their order."""
    found = []
    for path in (path for pattern in PAGES for path in sorted(root.glob(pattern))):
        text = path.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            begin = text.count("\n", 0, block.start()) + 2
            found += [Command(str(path.relative_to(root)), begin + number, command)
                      for number, command in split(textwrap.dedent(block[2]))]
    return tuple(found)


def rule_of(command: Command, known: t.Iterable[Rule]) -> Rule | None:
    """The first rule that is about a command."""
    return next((rule for rule in known if rule.matches(command)), None)


def problem(command: Command, rule: Rule | None, root: pathlib.Path = ROOT) -> str | None:
    """What is wrong with what is known of a command; None if it is true."""
    if rule is None:
        return (f"{command.where}: nobody runs this command: {command.text}\n"
                f"  Add a rule to {TABLE.relative_to(ROOT)}: 'runs' and 'essential' if a test or a proof runs it, "
                "'looks' if it reads and changes nothing on a host, else 'reason'.")
    if bool(rule.runs) + rule.looks + bool(rule.reason) != 1 or bool(rule.runs) != bool(rule.essential):
        return f"{command.where}: '{rule.pattern}' has none or more than one of runs with essential, looks, reason"
    if rule.runs and not (root / rule.runs).is_file():
        return f"{command.where}: {rule.runs}, which is to run it, is not there: {command.text}"
    if rule.runs and rule.essential not in (root / rule.runs).read_text(encoding="utf-8"):
        return f"{command.where}: {rule.runs} has no '{rule.essential}' any more, so it does not run: {command.text}"
    return None


def looks(known: t.Iterable[Rule]) -> list[Command]:
    """The commands that can be run on any converged host, each text once."""
    known = list(known)
    found = {command.text: command for command in commands() if (rule := rule_of(command, known)) and rule.looks}
    return list(found.values())


def in_container(node: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run it as root of a node, as somebody does who is logged in, but for the terminal."""
    argv = ["docker", "exec", "--workdir", "/root", node, "timeout", str(SECONDS), "bash", "-c"]
    return subprocess.run([*argv, command], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def look(nodes: list[str], run: t.Callable[[str, str], subprocess.CompletedProcess[str]] = in_container) -> list[str]:
    """Run those that only look; what is wrong with those that end well on no node."""
    found = []
    for command in looks(rules()):
        said = {}
        for node in nodes:
            done = run(node, command.text)
            if done.returncode == 0:
                break
            said[node] = f"{done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}"
        else:
            answers = "\n".join(f"  {node}: {text}" for node, text in said.items())
            found.append(f"{command.where}: {command.text}\n{answers}")
    return found


def main() -> int:
    """Count, list, or run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(dest="do")
    sub.add_parser("list").add_argument("--looks", action="store_true")
    sub.add_parser("look").add_argument("nodes", nargs="+", metavar="NODE")
    args = parser.parse_args()
    known = rules()
    if args.do == "list":
        print(json.dumps([
            {"where": one.where, "command": one.text, **{
                key: value for key, value in dataclasses.asdict(rule_of(one, known) or Rule("")).items() if value}}
            for one in (looks(known) if args.looks else commands())], indent=2))
        return 0
    if args.do == "look":
        wrong = look(args.nodes)
        print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
        print(f"docs_looks={len(looks(known)) - len(wrong)}/{len(looks(known))}")
        return 1 if wrong else 0
    found = {one: rule_of(one, known) for one in commands()}
    wrong = [said for one, rule in found.items() if (said := problem(one, rule))]
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    print(f"docs_commands={sum(bool(rule and not rule.reason) for rule in found.values()) - len(wrong)}/{len(found)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
