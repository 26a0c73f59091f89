# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python environments beside .venv, for programs whose pins do not agree with its own.

Each is a pinned tree in ``tests/environments/<name>.txt``, made once per content of that file in ``.cache``.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "environments"
# What pip says where it finds no index, or an index without a package. A conflict of pins is neither.
UNREACHABLE = re.compile(
    r"^ERROR: No matching distribution found for .*$"
    r"|^.*(?:ConnectionError|Temporary failure in name resolution|Max retries exceeded|ProxyError|Read timed out).*$",
    re.MULTILINE)


class UnreachableError(Exception):
    """A package cannot be downloaded here; says what pip said."""


def pins(path: pathlib.Path) -> dict[str, str]:
    """``name: name==version`` of a file and of those that it includes; of two lines for a name the later one counts."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            found.update(pins(path.parent / line.removeprefix("-r ").strip()))
        elif line and not line.startswith("#"):
            found[line.partition("==")[0].lower()] = line
    return found


def environment(name: str) -> pathlib.Path:
    """The folder of an environment's programs.

    Raises :class:`UnreachableError` where packages cannot be had, :class:`subprocess.CalledProcessError` for pins
    that do not agree.
    """
    wanted = "\n".join(pins(pathlib.Path(__file__).with_name(f"{name}.txt")).values()) + "\n"
    digest = hashlib.sha256(f"{sys.version}\n{wanted}".encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    complete = folder / "complete"
    if not complete.exists():
        for old in CACHE.glob(f"{name}-*"):
            shutil.rmtree(old)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        (folder / "requirements.txt").write_text(wanted)
        argv = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                "--no-deps", "-r", str(folder / "requirements.txt")]
        # Without dependencies: the tree is complete, as `pip check` confirms, and to find that out anew takes long.
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            if reason := UNREACHABLE.search(done.stderr):
                raise UnreachableError(reason[0])
            raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
        subprocess.run([str(folder / "bin/python"), "-m", "pip", "check", "--disable-pip-version-check"], check=True)
        complete.touch()
    return folder / "bin"
