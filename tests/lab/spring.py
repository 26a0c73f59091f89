# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The group_vars that the README of examples/apps/spring-backend shows: what it promises is what tests run."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import jinja2
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
APPLICATION = ROOT / "examples" / "apps" / "spring-backend"
# What Maven says where its repository is out of reach; a certificate that is not trusted is none of it.
UNREACHABLE = re.compile(
    r"(Could not transfer|Could not resolve|Non-resolvable).*?"
    r"(Unknown host|name resolution|Connect to|onnection refused|timed out|Network is unreachable|No route to host)",
    re.DOTALL)


def variables(**secrets: str) -> dict[str, t.Any]:
    """Every variable of the README's YAML blocks, with these secrets."""
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined)
    jinja.filters["to_json"] = json.dumps
    values = {"inventory_dir": str(ROOT / "inventories" / "local"), **secrets}
    found: dict[str, t.Any] = {}
    for block in re.findall(r"^```yaml\n(.*?)^```$", (APPLICATION / "README.md").read_text(), re.DOTALL | re.MULTILINE):
        found.update(rendered(yaml.safe_load(block), lambda text: jinja.from_string(text).render(values)))
    return found


def rendered(value: t.Any, render: t.Callable[[str], str]) -> t.Any:
    """The value with every text rendered, as Ansible does it."""
    if isinstance(value, dict):
        return {name: rendered(item, render) for name, item in value.items()}
    if isinstance(value, list):
        return [rendered(item, render) for item in value]
    return render(value) if isinstance(value, str) else value
