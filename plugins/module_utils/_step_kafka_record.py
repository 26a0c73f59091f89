# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that proves that a record passes through a broker."""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._kafka import session
from ansible_collections.mooring.stack.plugins.module_utils._step_kafka_topics import BROKER

ARGUMENT_SPEC: dict[str, t.Any] = {
    **{name: value for name, value in BROKER.items() if name != "service"},
    "topic": {"type": "str", "required": True},
}


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Produce a record and read it back; nothing in check mode. Raises :class:`MooringError`."""
    result: dict[str, t.Any] = {"changed": False, "differences": [], "notices": [], "record": ""}
    if not module.check_mode:
        with session(Docker(module.run_command), params["container"], params["address"]) as broker:
            result["record"] = broker.passes(params["topic"], f"mooring.stack {secrets.token_hex(8)}".encode())
    return result
