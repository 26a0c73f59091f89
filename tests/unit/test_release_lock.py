# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What taking the lock puts right, and waits for, before a colour is replaced."""

from __future__ import annotations

import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._release import Colour, Situation, moment
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic
from ansible_collections.mooring.stack.plugins.modules.release_lock import drain, to_pin

NOW = 1_800_000_000.0
RUNS, STOPPED = Colour(container="a", status="running"), Colour(container="a", status="exited")


def situation(green=RUNS, ended: float | None = 5, **places) -> Situation:
    """Blue serves, since a deployment that ended so many seconds ago."""
    record = {"colour": "blue", **({} if ended is None else {"ended": moment(NOW - ended)})}
    said = {"memory": Traffic("blue"), "file": Traffic("blue"), **places}
    return Situation(colours={"blue": RUNS, "green": green}, proxy_answers=True, record=record, **said)


@pytest.mark.parametrize(("found", "waits"), [
    (situation(), [25.0]),
    (situation(ended=29), [1.0]),
    (situation(ended=31), []),
    (situation(green=STOPPED), []),
    (situation(green=Colour()), []),
    # Before 0.2 nobody wrote when.
    (situation(ended=None), []),
    (Situation(colours={"blue": RUNS, "green": RUNS}, record={"ended": moment(NOW)}), []),
])
def test_what_is_replaced_may_finish_what_it_began_before_it_lost_the_requests(found, waits):
    waited = []
    host = types.SimpleNamespace(wait_until_drained=lambda _colour, _port, seconds: waited.append(seconds))
    drain(host, found, {"port": 8080, "drain_seconds": 30.0}, NOW)
    assert waited == waits


@pytest.mark.parametrize(("found", "pins"), [
    (situation(), False),
    (situation(file=None), True),
    (situation(file=Traffic("green")), True),
    (situation(memory=Traffic("blue", percent=10)), True),
    (situation(file=Traffic("blue", percent=0)), True),
    (Situation(), False),
])
def test_what_is_replaced_gets_no_request(found, pins):
    assert to_pin(found, {"replace": True}) == pins
    assert not to_pin(found, {"replace": False})
