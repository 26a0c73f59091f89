#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference: a page for each role and plugin, from argument specs and DOCUMENTATION.

    reference.py            write them
    reference.py --check    fail if what is committed is not what would be written
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import environments  # noqa: E402

REFERENCE = ROOT / "docs" / "reference"


def write(folder: pathlib.Path) -> None:
    """Generate the pages."""
    programs = environments.environment("docs")
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}",
           "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}
    # Without their version the pages change with what they document only.
    subprocess.run(
        [str(programs / "antsibull-docs"), "collection", "--use-current", "--squash-hierarchy", "--fail-on-error",
         "--no-add-antsibull-docs-version", "--output-format", "simplified-rst", "--cleanup", "everything",
         "--dest-dir", str(folder), "mooring.stack"], env=env, cwd=folder, check=True)
    names = {page.name for page in folder.glob("*.rst")}
    for page in folder.glob("*.rst"):
        # Templates leave runs of empty lines, and spaces at ends of lines, which diffs would show.
        # To what belongs to another collection it writes a link as if that had a page here as well.
        text = re.sub(r"`([^`<]+?) <([\w.]+\.rst)>`__?", lambda link: link[0] if link[2] in names else link[1],
                      page.read_text())
        lines = [line.rstrip() for line in text.splitlines()]
        page.write_text("\n".join(line for number, line in enumerate(lines) if line or (number and lines[number - 1]))
                        .rstrip() + "\n")


def pages(folder: pathlib.Path) -> dict[str, str]:
    """Their text by name."""
    return {page.name: page.read_text() for page in folder.iterdir()}


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        REFERENCE.mkdir(exist_ok=True)
        write(REFERENCE)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        write(pathlib.Path(temporary))
        wanted, committed = pages(pathlib.Path(temporary)), pages(REFERENCE) if REFERENCE.is_dir() else {}
    stale = sorted(name for name in wanted.keys() | committed.keys() if wanted.get(name) != committed.get(name))
    if stale:
        print(f"docs/reference is not what the documentation says now; run `make reference`: {', '.join(stale)}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
