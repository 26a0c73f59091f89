# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that finds out which colour serves and which is to run the declared release."""

from __future__ import annotations

import dataclasses
import secrets
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _release
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._release_host import (
    PLATFORM_ARGUMENTS,
    Host,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    **PLATFORM_ARGUMENTS,
    "release": {"type": "str"},
    "image": {"type": "str"},
    "definition": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "as_it_ran": {"type": "str", "default": ""},
    "wait_seconds": {"type": "float", "default": 0},
    "stop_if_due": {"type": "bool", "default": False},
}

RULES: dict[str, t.Any] = {"required_by": {"release": ["image"]}}

OFFERS: dict[str, t.Any] = {"active": "blue", "target": "blue", "seal": "1.00.00"}


def describe(host: Host, situation: _release.Situation) -> dict[str, t.Any]:
    """What the host says, as a module result."""
    claim = host.store.claim()
    active = situation.active
    return {
        "active": active,
        "release": situation.colours[active].release if active else None,
        "proxy": {"answers": situation.proxy_answers,
                  **{place: found and found.line()
                     for place, found in (("memory", situation.memory), ("file", situation.file))}},
        "recorded": situation.record,
        "colours": {name: colour.public() for name, colour in situation.colours.items()},
        "history": host.store.record().history[-10:],
        "lock": claim and {"by": claim.by, "release": claim.release, "since": claim.since,
                           "holder": dataclasses.asdict(claim.holder), "expired": claim.is_stale(time.time())},
    }


def plan(host: Host, situation: _release.Situation, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the declared release needs, as a module result."""
    definition = {"release": params["release"], "image": params["image"], "definition": params["definition"]}
    image_id = host.image_id(params["image"])

    def runs_declared(colour: _release.Colour) -> bool:
        if params["as_it_ran"]:
            return colour.definition == params["as_it_ran"]
        # A tag that points to another image than before is another release. An
        # image that is no longer on the host cannot be compared.
        same_image = image_id is None or colour.image_id == image_id
        return same_image and _release.is_sealed_by(colour.definition, definition, params["secrets"])

    decided = _release.decide(situation, params["release"], runs_declared)
    if decided.deploy and params["as_it_ran"]:
        raise MooringError(
            f"No colour of {host.name} has release {params['release']} as it ran any more: another run replaced it "
            "meanwhile. Run again.")
    seal = situation.colours[decided.target].definition
    if decided.deploy:
        seal = _release.seal(definition, params["secrets"], secrets.token_hex(8))
    return {"target": decided.target, "deploy": decided.deploy, "switch": decided.switch, "due": decided.due,
            "reason": decided.reason, "seal": seal}


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Look and decide; changes nothing. Raises :class:`MooringError`."""
    host = Host(params, module.run_command)
    host.store.wait_while_busy(params["wait_seconds"])
    situation = host.situation()
    result = {"changed": False, "differences": [], "notices": [], **describe(host, situation)}
    if params["release"]:
        result.update(plan(host, situation, params))
        if not situation.agrees:
            # Somebody or a killed run left it so; a plain rollback is no news.
            module.warn(result["reason"])
        result["stop"] = params["stop_if_due"] and result["due"]
    return result
