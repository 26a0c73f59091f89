# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what the collection on the controller says of itself."""

from __future__ import annotations

import json
import pathlib
import typing as t

import yaml
from ansible_collections.mooring.stack.plugins.module_utils._collection_version import Collection, notes_of
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.plugin_utils._origin import short

ROOT = pathlib.Path(__file__).resolve().parents[2]


def version(root: pathlib.Path = ROOT) -> str:
    """The collection's version: of an installed one by MANIFEST.json, of a clone by galaxy.yml."""
    try:
        if (root / "MANIFEST.json").exists():
            return str(json.loads((root / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
        return str(_yaml(root / "galaxy.yml")["version"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise MooringError(
            f"{root} does not say which version of mooring.stack it is ({error!r}). Install the collection with "
            "ansible-galaxy, or use a clone.") from error


def collection(root: pathlib.Path = ROOT) -> Collection:
    """With the notes of its releases."""
    path = root / "changelogs" / "changelog.yaml"
    try:
        notes = notes_of(_yaml(path))
    except (OSError, AttributeError, yaml.YAMLError) as error:
        raise MooringError(f"{path} cannot be read ({error!r}), so nobody knows what changed since another version. "
                           "Install the collection anew.") from error
    return Collection(version(root), notes, short(str(root / "CHANGELOG.rst")))


def _yaml(path: pathlib.Path) -> dict[str, t.Any]:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
