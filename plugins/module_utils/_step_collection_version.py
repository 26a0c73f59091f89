# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that records which version of the collection works on a host."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _collection_version as versions
from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference

ARGUMENT_SPEC: dict[str, t.Any] = {
    "prefix": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
}


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, record; the result. Raises :class:`MooringError`."""
    path = versions.path_of(params["prefix"])
    versions.Version.parse(params["version"])
    before = versions.recorded(files.read_text(path), path)
    differences = []
    if before != params["version"]:
        differences.append(Difference("mooring.stack", "version", params["version"], before or "none"))
    if differences and not module.check_mode:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        files.write_file(path, versions.render(params["version"]).encode(), 0o644, os.geteuid(), os.getegid(),
                         shared=True)
    return {"changed": bool(differences), "differences": [one.as_dict() for one in differences], "notices": [],
            "before": before}
