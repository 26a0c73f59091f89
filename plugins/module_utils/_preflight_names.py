# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: names that nobody reads, and which one was meant. No I/O."""

from __future__ import annotations

import difflib
import re
import typing as t

# How alike a slip of the finger is to what was meant, of difflib's ratio: one letter of twelve.
SLIP = 0.9
# Of the few and short names that groups and hosts have.
SHORT_SLIP = 0.85
# How alike a name has to be to be worth a question, where it is wrong already.
HINT = 0.75


def nearest(name: str, known: t.Iterable[str], cutoff: float = HINT) -> str:
    """The most similar of the known names; empty where none is similar."""
    return (difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff) or [""])[0]


def slip(name: str, known: t.Iterable[str], cutoff: float = SLIP) -> str:
    """The name that was certainly meant, where it is another; names with other digits are numbered on purpose."""
    found = nearest(name, known, cutoff)
    return found if found != name and re.sub(r"\D", "", found) == re.sub(r"\D", "", name) else ""


def unread(
    variables: t.Mapping[str, t.Iterable[str]], known: t.Collection[str], here: t.Collection[str],
    prefixes: t.Collection[str],
) -> dict[str, str]:
    """Variables that no role reads, each with the name that was perhaps meant.

    ``variables`` are an inventory's, each with the texts in its value;
    ``known`` those of all roles, ``here`` those of the roles of this host.
    ``prefixes`` belong to the collection alone on this host, without the
    underscore: behind one of them every name has to be known. Elsewhere a name
    is only wrong where it is nearly one that is read here. Whatever another
    variable refers to is somebody's helper, and read.
    """
    mentioned = {word for name, texts in variables.items() for text in texts
                 for word in re.findall(r"\w+", text) if word != name}
    found = {}
    for name in variables:
        if name in known or name in mentioned or name.startswith(("ansible_", "vault_", "_")):
            continue
        owned = any(name.startswith(f"{prefix}_") for prefix in prefixes)
        meant = nearest(name, known) if owned else slip(name, here)
        if owned or meant:
            found[name] = meant
    return found
