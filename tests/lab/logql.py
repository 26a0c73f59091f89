# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LogQL by Grafana's own grammar of the language.

The grammar is a package for Node.js. It is installed once, from tests/logql with its lock file.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE, PLACE = ROOT / "tests/logql", ROOT / ".cache/logql"
FILES = ("package.json", "package-lock.json", "parse.js")


class Missing(Exception):
    """The grammar cannot be had here."""


def install() -> None:
    """The grammar into .cache, unless it is there; raises :class:`Missing`."""
    absent = [program for program in ("node", "npm") if not shutil.which(program)]
    if absent:
        raise Missing(f"{' and '.join(absent)} missing: LogQL is not parsed")
    wanted = [(SOURCE / name).read_bytes() for name in FILES]
    if [(PLACE / name).read_bytes() if (PLACE / name).exists() else b"" for name in FILES] == wanted:
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    unfinished = PLACE.with_name("logql.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(SOURCE, unfinished)
    got = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=unfinished, check=False,
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if got.returncode:
        raise Missing(f"npm cannot get the grammar of LogQL: {got.stderr.strip().splitlines()[-1:]}")
    unfinished.rename(PLACE)


def verdicts(expressions: t.Sequence[str]) -> list[str]:
    """What is wrong with each of these, "" for nothing; raises :class:`Missing`."""
    install()
    answer = subprocess.run(["node", "parse.js"], cwd=PLACE, check=True, input=json.dumps(list(expressions)),
                            capture_output=True, text=True, timeout=60)
    return json.loads(answer.stdout)
