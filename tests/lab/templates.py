# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text and files as templates, with every ansible-core that meta/runtime.yml permits.

2.19 renders only what was marked as a template; 2.18 renders every string and knows no mark.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import jinja2
from ansible.parsing.dataloader import DataLoader

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core 2.18
    def trust_as_template(value: str) -> str:
        """The same text; every string may be a template."""
        return value

    MARKED: dict[str, bool] = {}
else:
    MARKED = {"trusted_as_template": True}

__all__ = ["MARKED", "load", "render_tree", "trust_as_template"]


def load(path: pathlib.Path) -> t.Any:
    """A YAML file whose strings are templates, as Ansible reads variables; None if it is empty."""
    return DataLoader().load_from_file(str(path), **MARKED)


def render_tree(directory: pathlib.Path, variables: t.Mapping[str, t.Any]) -> dict[str, str]:
    """What a tree of templates becomes: texts by their paths in it, without ``.j2``; what does not end so is copied.

    By Jinja alone, so of Ansible's filters there is ``to_json`` only.
    """
    jinja = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    jinja.filters["to_json"] = json.dumps
    found = {}
    for path in sorted(filter(pathlib.Path.is_file, directory.rglob("*"))):
        name, text = str(path.relative_to(directory)), path.read_text()
        found[name.removesuffix(".j2")] = jinja.from_string(text).render(variables) if path.suffix == ".j2" else text
    return found
