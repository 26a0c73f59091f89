# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a colour and watching it, with containers and answers that change as told."""

from __future__ import annotations

import dataclasses
import itertools
import json
import stat

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _release, _release_host
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._release import Colour, Readiness

WELL = Colour(container="a", name="shop-green-app-1", status="running", address="192.0.2.7", started="1")
AGAIN = dataclasses.replace(WELL, started="2", restarts=1)
DIED = dataclasses.replace(WELL, status="restarting", address="", exit_code=3, restarts=1)
OVER = dataclasses.replace(WELL, status="exited", address="", exit_code=3)
QUICK = Readiness(successes=2, interval=0.001, timeout=0.05, watch=0.05)
EVENT = json.dumps({"Action": "die", "Actor": {"Attributes": {"exitCode": "70"}}})


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host on which green is found so, one look after the other, and answers so; the last of each stays."""

    def make(looks, refusals=(None,)):
        found = itertools.chain(looks, itertools.repeat(looks[-1]))
        answers = itertools.chain(refusals, itertools.repeat(refusals[-1]))
        made = _release_host.Host(
            {"name": "shop", "prefix": "h", "network": None, "root": str(tmp_path), "proxy": None},
            lambda _argv: (0, EVENT, ""))
        monkeypatch.setattr(made, "colour", lambda _colour: next(found))
        monkeypatch.setattr(_release_host, "_refusal", lambda *_arguments: next(answers))
        return made

    return make


@pytest.mark.parametrize(("looks", "refusals", "ready"), [
    ([WELL], [None], WELL),
    ([WELL], ["answered status 503", None], WELL),
    ([WELL], [None, "answered status 503", None], WELL),
    # Two answers of the first process do not count for the second.
    ([WELL, AGAIN], [None], AGAIN),
    ([DIED, DIED, WELL], [None], WELL),
])
def test_a_colour_is_ready_when_one_process_said_so_in_a_row(host, looks, refusals, ready):
    assert host(looks, refusals).wait_until_ready("green", 8080, QUICK) == ready


@pytest.mark.parametrize(("looks", "refusals", "said"), [
    ([WELL], ["answered status 503"], "within 0.05 s: shop-green-app-1 answered status 503."),
    ([WELL], [None, "answered status 503"] * 5000, "within 0.05 s: shop-green-app-1 answered status 503."),
    ([DIED], [None], r"within 0.05 s: shop-green-app-1 ended with status 3. It was restarted once: its process ended "
                     r"with status 3\."),
    ([AGAIN], ["does not answer"], "does not answer. It was restarted once: its process ended with status 70."),
    ([OVER], [None], "green did not become ready: shop-green-app-1 ended with status 3."),
    ([Colour()], [None], "within 0.05 s: it has no address on the network h"),
])
def test_why_a_colour_is_not_ready(host, looks, refusals, said):
    with pytest.raises(MooringError, match=said):
        host(looks, refusals).wait_until_ready("green", 8080, QUICK)


@pytest.mark.parametrize(("looks", "refusals"), [
    ([WELL], [None]),
    ([WELL], [None, "answered status 503", None]),
])
def test_a_colour_that_stays_well_is_watched_to_the_end(host, looks, refusals):
    host(looks, refusals).watch("green", 8080, QUICK, WELL, seconds=0.05, when="after the switch")


@pytest.mark.parametrize(("looks", "refusals", "said"), [
    ([WELL, DIED], [None], "ended with status 70"),
    ([WELL, AGAIN], [None], "ended with status 70"),
    ([WELL], [None, "answered status 503"], "answered status 503, 2 times in a row"),
])
def test_what_befalls_a_colour_after_the_switch(host, looks, refusals, said):
    with pytest.raises(MooringError, match=f"green was ready, but after the switch shop-green-app-1 {said}."):
        host(looks, refusals).watch("green", 8080, QUICK, WELL, seconds=0.05, when="after the switch")


def test_who_holds_the_lock_is_named_with_the_address():
    claim = _release_host._release.Claim(
        "t", "alice", "2", 100.0, 200.0, _release_host._release.Holder("laptop", 42), address="192.0.2.7")
    assert "alice from 192.0.2.7 holds" in str(_release_host.held("shop", claim))
    assert "alice holds" in str(_release_host.held("shop", dataclasses.replace(claim, address="")))


def test_the_record_is_root_s_and_the_way_to_the_logs_beside_it_everybody_s(tmp_path):
    store = _release_host.Store(str(tmp_path / "mooring"), "shop")
    store.path.parent.mkdir(parents=True, mode=0o700)
    store.save(_release.Record())
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o711
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
