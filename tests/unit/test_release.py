"""The decision which colour runs a release, and what a switch has to do."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import socket
import subprocess
import sys

import pytest
from ansible_collections.mooring.stack.plugins.action.release_lock import is_gone, started
from ansible_collections.mooring.stack.plugins.module_utils import _release as release
from ansible_collections.mooring.stack.plugins.module_utils._release import (
    Claim,
    Colour,
    Holder,
    Readiness,
    Record,
    Situation,
)
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic

SALT = "00112233445566ff"


def colour(of: str, status: str = "running", image_id: str = "") -> Colour:
    return Colour(container=f"id-{of}", name=f"demo-{of}", status=status, release=of, definition=of,
                  image_id=image_id or f"sha256:{of}")


def situation(blue=None, green=None, memory=None, file=None, recorded=None, answers=True) -> Situation:
    """Colours by the release that they run; places by the colour that they say."""
    runs = {"blue": blue, "green": green}
    colours = {name: of if isinstance(of, Colour) else colour(of) if of else Colour() for name, of in runs.items()}
    there = colours.get(recorded, Colour())
    record = {"colour": recorded, "release": there.release, "image_id": there.image_id}
    said = [None if place is None else Traffic.from_line(place) for place in (memory, file)]
    return Situation(colours=colours, proxy_answers=answers, memory=said[0] if answers else None, file=said[1],
                     record=record if recorded else None)


def decide(found: Situation, wanted: str) -> release.Plan:
    return release.decide(found, wanted, lambda one: one.definition == wanted)


# situation, declared release -> active, target, deploy, switch
DECISIONS = {
    "bare host": (situation(answers=False), "1", None, "blue", True, True),
    "first deployment": (situation(), "1", None, "blue", True, True),
    "first deployment was killed before the switch": (situation(blue="1"), "1", None, "blue", False, True),
    "first deployment was killed before the switch, another release now":
        (situation(blue="1"), "2", None, "blue", True, True),
    "nothing to do": (situation("1", None, "blue", "blue", "blue"), "1", "blue", "blue", False, False),
    "nothing to do with a warm colour": (situation("1", "2", "green", "green", "green"), "2", "green", "green",
                                         False, False),
    "new release": (situation("1", None, "blue", "blue", "blue"), "2", "blue", "green", True, True),
    "new release over the warm one": (situation("1", "2", "green", "green", "green"), "3", "green", "blue", True, True),
    "rollback to the warm colour": (situation("1", "2", "green", "green", "green"), "1", "green", "blue", False, True),
    "both run it": (situation("2", "2", "green", "green", "green"), "2", "green", "green", False, False),
    "serving colour is stopped": (situation(colour("1", "exited"), None, "blue", "blue", "blue"), "1", "blue", "blue",
                                  False, False),
    "serving colour is gone": (situation(None, None, "blue", "blue", "blue"), "1", "blue", "green", True, True),
    "killed between container and switch": (situation("1", "2", "blue", "blue", "blue"), "2", "blue", "green",
                                            False, True),
    "killed between file and memory": (situation("1", "2", "blue", "green", "blue"), "2", "blue", "green", False, True),
    "killed between file and memory, the old release declared":
        (situation("1", "2", "blue", "green", "blue"), "1", "blue", "blue", False, True),
    "killed between memory and record": (situation("1", "2", "green", "green", "blue"), "2", "green", "green",
                                         False, True),
    "memory flipped by hand": (situation("1", "2", "blue", "green", "green"), "2", "blue", "green", False, True),
    "file flipped by hand": (situation("1", "2", "green", "blue", "green"), "2", "green", "green", False, True),
    "file deleted": (situation("1", "2", "green", None, "green"), "2", "green", "green", False, True),
    "file and memory flipped by hand": (situation("1", "2", "blue", "blue", "green"), "2", "blue", "green",
                                        False, True),
    "record lost": (situation("1", None, "blue", "blue", None), "1", "blue", "blue", False, True),
    "proxy down, file right": (situation("1", None, None, "blue", "blue", answers=False), "1", "blue", "blue",
                               False, False),
    "proxy down, file gone": (situation("1", None, None, None, "blue", answers=False), "1", "blue", "blue",
                              False, True),
    "proxy forgot, new release goes to the colour that does not serve":
        (situation("1", "2", None, None, "green"), "3", "green", "blue", True, True),
    "new release while file and memory differ: what serves is spared":
        (situation("1", "2", "blue", "green", "green"), "3", "blue", "green", True, True),
}


@pytest.mark.parametrize(("found", "wanted", "active", "target", "deploy", "switch"), DECISIONS.values(), ids=DECISIONS)
def test_decide(found, wanted, active, target, deploy, switch):
    plan = decide(found, wanted)
    assert (plan.active, plan.target, plan.deploy, plan.switch) == (active, target, deploy, switch)
    assert plan.due == (deploy or switch)
    assert plan.reason.endswith(".")


@pytest.mark.parametrize(("found", "wanted", "_a", "_t", "_d", "_s"), DECISIONS.values(), ids=DECISIONS)
def test_what_serves_is_never_replaced(found, wanted, _a, _t, _d, _s):
    plan = decide(found, wanted)
    assert not plan.deploy or plan.target != found.active


@pytest.mark.parametrize(("found", "wanted", "words"), [
    (situation(), "1", "Nothing serves yet: release 1 is deployed to blue"),
    (situation("1", None, "blue", "blue", "blue"), "2", "blue serves and runs release 1: release 2 is deployed"),
    (situation("1", None, "blue", "green", "blue"), "2",
     "blue serves and runs release 1 (although the proxy's file says green): release 2 is deployed to green"),
    (situation("1", "2", "blue", "green", "green"), "2", "but the proxy serves blue:"),
    (situation("1", "2", "green", None, "green"), "2", "but the proxy's file says no colour:"),
    (situation("1", None, "blue", "blue", "blue"), "1", "serves release 1 as declared"),
])
def test_the_reason_names_what_was_found(found, wanted, words):
    assert words in decide(found, wanted).reason


def test_a_change_of_configuration_is_named_as_such():
    found = situation("1", None, "blue", "blue", "blue")
    assert "another image or configuration" in release.decide(found, "1", lambda _one: False).reason


def steps(found: Situation, target: str, wanted: str, **options) -> release.Steps:
    given = {"image_id": f"sha256:{wanted}", "has_migration": False, "migrated": (), "keep_warm": True, **options}
    return release.steps(found, target, wanted, **given)


# situation, target, release, options -> what is done, in order
STEPS = {
    "settled": (situation("1", None, "blue", "blue", "blue"), "blue", "1", {}, ""),
    "first": (situation(blue="1"), "blue", "1", {}, "write_file tell_proxy record"),
    "next": (situation("1", "2", "blue", "blue", "blue"), "green", "2", {}, "write_file tell_proxy record"),
    "next, old one stopped": (situation("1", "2", "blue", "blue", "blue"), "green", "2", {"keep_warm": False},
                              "write_file tell_proxy stop_previous record"),
    "next, with migration": (situation("1", "2", "blue", "blue", "blue"), "green", "2", {"has_migration": True},
                             "migrate write_file tell_proxy record"),
    "killed after the migration": (situation("1", "2", "blue", "blue", "blue"), "green", "2",
                                   {"has_migration": True, "migrated": ["sha256:2"]}, "write_file tell_proxy record"),
    "image not here yet, in check mode": (situation("1", None, "blue", "blue", "blue"), "green", "2",
                                          {"has_migration": True, "image_id": None},
                                          "migrate write_file tell_proxy record"),
    "migration declared for what serves already": (situation("1", None, "blue", "blue", "blue"), "blue", "1",
                                                   {"has_migration": True}, ""),
    "killed after the file": (situation("1", "2", "blue", "green", "blue"), "green", "2", {}, "tell_proxy record"),
    "killed after the memory": (situation("1", "2", "green", "green", "blue"), "green", "2", {}, "record"),
    "file deleted": (situation("1", "2", "green", None, "green"), "green", "2", {}, "write_file"),
    "memory flipped": (situation("1", "2", "blue", "green", "green"), "green", "2", {}, "tell_proxy"),
    "same tag, other image": (situation("1", colour("1", image_id="sha256:new"), "blue", "blue", "blue"), "green", "1",
                              {"image_id": "sha256:new"}, "write_file tell_proxy record"),
    "warm one no longer wanted": (situation("1", "2", "green", "green", "green"), "green", "2", {"keep_warm": False},
                                  "stop_previous"),
    "old one is stopped already": (situation(colour("1", "exited"), "2", "green", "green", "green"), "green", "2",
                                   {"keep_warm": False}, ""),
    "proxy down, file right, in check mode": (situation("1", None, None, "blue", "blue", answers=False), "blue", "1",
                                              {}, ""),
    "bare host": (situation(answers=False), "blue", "1", {"image_id": None}, "write_file tell_proxy record"),
    "back to a warm one as it ran": (situation("1", "2", "green", "green", "green"), "blue", "1", {"start": True},
                                     "write_file tell_proxy record"),
    "back to a stopped one as it ran": (situation(colour("1", "exited"), "2", "green", "green", "green"), "blue", "1",
                                        {"start": True}, "start write_file tell_proxy record"),
    "what is restarted now needs no start": (situation(colour("1", "restarting"), "2", "green", "green", "green"),
                                             "blue", "1", {"start": True}, "write_file tell_proxy record"),
    "another step starts it": (situation(colour("1", "exited"), None, "blue", "blue", "blue"), "blue", "1", {}, ""),
}


@pytest.mark.parametrize(("found", "target", "wanted", "options", "expected"), STEPS.values(), ids=STEPS)
def test_steps(found, target, wanted, options, expected):
    todo = steps(found, target, wanted, **options)
    assert [name for name, due in todo.public().items() if due] == expected.split()
    assert todo.changes_anything == bool(expected)


FIELDS = {
    "nothing": (situation("1", None, "blue", "blue", "blue"), "blue", "1", {}, {}),
    "memory flipped": (situation("1", "2", "blue", "green", "green"), "green", "2", {},
                       {"colour in the proxy's memory": ("green", "blue")}),
    "file deleted": (situation("1", "2", "green", None, "green"), "green", "2", {},
                     {"colour in the proxy's file": ("green", None)}),
    "killed before the record": (situation("1", "2", "green", "green", "blue"), "green", "2", {},
                                 {"record": ("green, release 2", "blue, release 1")}),
    "another image of the release": (situation("1", None, "blue", "blue", "blue"), "blue", "1",
                                     {"image_id": "sha256:new"},
                                     {"recorded image": ("the one that runs", "sha256:1")}),
    "stopped one is taken as it ran": (situation(colour("1", "exited"), "2", "blue", "blue", "blue"), "blue", "1",
                                       {"start": True}, {"state of blue": ("running", "exited")}),
    "old one still runs": (situation("1", "2", "green", "green", "green"), "green", "2", {"keep_warm": False},
                           {"state of blue": ("exited", "running")}),
    # A proxy that does not answer yet and one that knows nothing are the same: check mode sees the first.
    "bare host": (situation(answers=False), "blue", "1", {"has_migration": True, "image_id": None},
                  {"colour in the proxy's memory": ("blue", None), "colour in the proxy's file": ("blue", None),
                   "record": ("blue, release 1", None), "migration of this image": ("run", "not run")}),
}


@pytest.mark.parametrize(("found", "target", "wanted", "options", "expected"), FIELDS.values(), ids=FIELDS)
def test_what_a_switch_puts_right_is_named_field_by_field(found, target, wanted, options, expected):
    todo = steps(found, target, wanted, **options)
    named = release.differences(found, todo, application="demo", target=target, release=wanted)
    assert {one.field: (one.expected, one.found) for one in named} == expected
    assert {one.object for one in named} <= {"application demo"}


@pytest.mark.parametrize(("found", "target", "wanted", "options", "_expected"), STEPS.values(), ids=STEPS)
def test_there_is_a_difference_exactly_if_something_is_done(found, target, wanted, options, _expected):
    todo = steps(found, target, wanted, **options)
    named = release.differences(found, todo, application="demo", target=target, release=wanted)
    assert bool(named) == todo.changes_anything


def test_the_previous_colour_is_the_one_that_served():
    assert steps(situation("1", "2", "blue", "blue", "blue"), "green", "2").previous == "blue"
    assert steps(situation("1", "2", "green", "green", "green"), "green", "2").previous is None
    assert steps(situation(blue="1"), "blue", "1").previous is None


def run(found: Situation, wanted: str, stop_after: int) -> Situation:
    """What the host is like after a run that was killed after so many steps."""
    plan = decide(found, wanted)
    state = dataclasses.replace(found, proxy_answers=True)

    def put(**fields):
        nonlocal state, stop_after
        if stop_after > 0:
            state, stop_after = dataclasses.replace(state, **fields), stop_after - 1

    if plan.deploy and plan.active and (
            state.share is not None or state.file is None or state.file.colour != plan.active):
        # The lock pins the proxy to what serves before anything is replaced.
        pinned = state.alone(plan.active)
        put(file=pinned)
        put(memory=pinned)
    if plan.deploy:
        put(colours={**state.colours, plan.target: Colour()})
        put(colours={**state.colours, plan.target: colour(wanted)})
    todo = steps(state, plan.target, wanted, canary=True)
    shares = [state.alone(plan.target)]
    if todo.previous:
        shares.insert(0, Traffic(plan.target, percent=0))
    if todo.canary:
        shares.insert(0, Traffic(plan.active, percent=10))
    for share in shares if todo.switches else ():
        put(file=share)
        put(memory=share)
    if todo.record:
        put(record={"colour": plan.target, "release": wanted, "image_id": f"sha256:{wanted}"})
    return state


PLACES = (None, "blue", "green", "blue green=10", "green blue=0")
ANYTHING = [
    situation(blue, green, memory, file, recorded)
    for blue, green in itertools.product((None, "1", "2"), repeat=2)
    for memory, file, recorded in itertools.product(PLACES, PLACES, (None, "blue", "green"))]


def reach(found: Situation, place: Traffic | None) -> bool:
    """Whether everybody who gets requests is there."""
    colours = [] if place is None else [place.colour] + [release.other(place.colour)] * bool(place.percent)
    return all(found.colours[one].exists for one in colours)


@pytest.mark.parametrize("wanted", ["1", "2", "3"])
def test_from_anywhere_one_run_settles_and_the_next_finds_nothing(wanted):
    for found in ANYTHING:
        after = run(found, wanted, 99)
        assert not decide(after, wanted).due, found
        assert after.memory == after.file == Traffic(after.memory.colour)
        assert after.colours[after.memory.colour].release == wanted


@pytest.mark.parametrize("killed_after", range(12))
def test_a_run_killed_anywhere_keeps_traffic_and_is_ended_by_the_next(killed_after):
    for found, first, second in itertools.product(ANYTHING, "23", "123"):
        between = run(found, first, killed_after)
        if found.memory and reach(found, found.memory):
            assert reach(between, between.memory), (found, between)
            # A proxy that restarts now reads the file.
            assert between.file in (None, found.file) or reach(between, between.file), (found, between)
        after = run(between, second, 99)
        assert not decide(after, second).due
        assert after.colours[after.memory.colour].release == second


DEFINITION = {"service": {"image": "demo:1", "environment": {"A": "1"}}, "defaults": {"restart": "always"}}


def test_a_seal_recognises_its_definition_and_no_other():
    label = release.seal(DEFINITION, {"password": "hunter2"}, SALT)
    reordered = dict(reversed(list(DEFINITION.items())))
    assert release.is_sealed_by(label, reordered, {"password": "hunter2"})
    assert not release.is_sealed_by(label, DEFINITION, {"password": "hunter3"})
    assert not release.is_sealed_by(label, {**DEFINITION, "defaults": {}}, {"password": "hunter2"})


def test_a_seal_shows_nothing_and_differs_from_deployment_to_deployment():
    first, second = (release.seal(DEFINITION, {"password": "hunter2"}, salt) for salt in (SALT, "00" * 8))
    assert first != second
    assert "hunter2" not in first
    # Compose would take a dollar sign for a variable.
    assert "$" not in first


@pytest.mark.parametrize("label", [None, "", "none", "1.zz.00", "2.00.00", "1.00", f"1.{SALT}.00"])
def test_a_foreign_label_is_no_seal(label):
    assert not release.is_sealed_by(label, DEFINITION, {})


def test_a_colour_is_read_from_inspect():
    document = {
        "Id": "abc", "Name": "/h-demo-blue-app-1", "Image": "sha256:1",
        "State": {"Status": "running", "Pid": 42, "StartedAt": "t", "Health": {"Status": "healthy"}},
        "Config": {"Image": "demo:1", "Labels": {"mooring.release": "1", "mooring.release.definition": "x"}},
        "NetworkSettings": {"Networks": {"h": {"IPAddress": "192.0.2.7"}, "other": {"IPAddress": "198.51.100.7"}}},
    }
    assert Colour.from_inspect(document, "h") == Colour(
        container="abc", name="h-demo-blue-app-1", status="running", health="healthy", release="1", definition="x",
        image="demo:1", image_id="sha256:1", address="192.0.2.7", pid=42, started="t")
    document["State"].update(Status="restarting", ExitCode=137, OOMKilled=True)
    killed = Colour.from_inspect({**document, "RestartCount": 4}, "h")
    assert (killed.restarts, killed.exit_code, killed.out_of_memory) == (4, 137, True)
    bare = {"Id": "abc", "Name": "x", "State": {"Status": "exited"}, "Config": {"Labels": None},
            "NetworkSettings": {"Networks": None}}
    assert not Colour.from_inspect(bare, "h").runs


WELL = Colour(container="a", status="running", health="healthy", started="then")


@pytest.mark.parametrize(("now", "what"), [
    ({}, None),
    ({"health": ""}, None),
    ({"health": "starting"}, None),
    ({"container": "b"}, "was replaced by another container"),
    ({"container": ""}, "was removed"),
    ({"status": "exited", "exit_code": 1}, "ended with status 1"),
    ({"status": "restarting", "exit_code": 139}, "was ended by signal 11 (status 139)"),
    ({"status": "exited", "exit_code": 137, "out_of_memory": True},
     "ran out of the memory that its limit allows and was killed (status 137)"),
    ({"status": "exited", "exit_code": 137},
     "was killed (status 137), as a process is that needs more memory than its limit allows"),
    ({"status": "paused"}, "is paused"),
    ({"started": "now"}, "was restarted"),
    ({"health": "unhealthy"}, "turned unhealthy"),
])
def test_what_befalls_a_colour_that_was_well(now, what):
    assert WELL.went_wrong(dataclasses.replace(WELL, **now)) == what


def test_only_what_was_in_service_counts_as_proved():
    record = Record()
    record.deployed({"definition": "a"})
    record.failed({"definition": "b"}, "never ready")
    assert record.has_served("a")
    assert not record.has_served("b") and not record.has_served("c")


@pytest.mark.parametrize(("why", "kept"), [
    ("green did not become ready.", "green did not become ready."),
    ("Not up.\nshop-1 is exited; its last lines:\nhunter2", "Not up. shop-1 is exited; its last lines"),
    ("x" * 700, "x" * 600),
    ("", ""),
])
def test_the_record_keeps_the_reason_and_no_log_lines(why, kept):
    assert release.brief(why) == kept


def test_the_history_is_cut_at_its_old_end():
    record = Record()
    for number in range(release.HISTORY_LIMIT + 5):
        record.deployed({"release": str(number)})
    record.failed({"release": "x"}, "never ready")
    assert len(record.history) == release.HISTORY_LIMIT
    assert record.history[-1] == {"result": "undone", "release": "x", "why": "never ready"}
    assert record.active == {"release": str(release.HISTORY_LIMIT + 4)}


@pytest.mark.parametrize(("keep", "needed", "gone"), [
    (2, [], [("id-2", "shop:2"), ("id-1", "shop:1")]),
    (2, ["id-1"], [("id-2", "shop:2")]),
    (4, [], []),
])
def test_images_that_no_rollback_needs(keep, needed, gone):  # defect 17
    record = Record()
    # Release 4 was rolled back to 3 and deployed again: an image counts where it was used last.
    for number in (1, 2, 3, 4, 3, 4):
        record.deployed({"image_id": f"id-{number}", "image": f"shop:{number}"})
    record.failed({"image": "shop:5"}, "It never had a container.")
    assert record.superseded(keep, needed) == gone


def test_a_record_survives_its_file():
    record = Record()
    record.deployed({"colour": "blue", "release": "1"})
    record.ran_migration("sha256:1")
    record.ran_migration("sha256:1")
    again = Record.from_document(json.loads(json.dumps(record.document("demo"))))
    assert again == record
    assert again.migrated == ["sha256:1"]


HOLDER = Holder("laptop", 42, "7")
CLAIM = Claim(token="t", by="alice", release="2", since=100.0, until=200.0, holder=HOLDER)


@pytest.mark.parametrize(("now", "gone", "stale"), [
    (150, [], False),
    (150, [HOLDER], True),
    (150, [Holder("laptop", 42, "8")], False),
    (150, [Holder("other", 42, "7")], False),
    (201, [], True),
])
def test_a_claim_is_stale_when_nobody_stands_behind_it(now, gone, stale):
    assert CLAIM.is_stale(now, gone) is stale


def test_a_claim_survives_its_file():
    assert Claim.from_text(CLAIM.text()) == CLAIM
    for text in ("", "{}", "[]", "null", "no json", '{"token": "t", "holder": [1]}', '{"holder": {}}'):
        assert Claim.from_text(text) is None


def test_a_claim_of_an_older_version_is_read():
    older = {key: value for key, value in json.loads(CLAIM.text()).items() if key not in ("colour", "image", "address")}
    assert Claim.from_text(json.dumps(older)) == CLAIM


def test_a_claim_tells_the_history_of_its_deployment():
    claim = dataclasses.replace(CLAIM, colour="green", image="shop:2", address="192.0.2.7")
    entry = claim.entry(107.25)
    assert entry == {
        "colour": "green", "release": "2", "image": "shop:2", "by": "alice", "machine": "laptop",
        "address": "192.0.2.7", "started": "1970-01-01T00:01:40Z", "ended": "1970-01-01T00:01:47Z", "seconds": 7.2}
    assert "address" not in CLAIM.entry(107.25)
    record = Record()
    record.failed(entry, "It did not come up.")
    assert record.has_entry(claim.started, "2")
    assert not record.has_entry(claim.started, "3")


def test_a_run_on_this_machine_is_seen_to_be_gone():
    here, me = socket.gethostname(), os.getpid()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_gone({"machine": here, "pid": ended.pid, "started": ""})
    assert not is_gone({"machine": here, "pid": me, "started": started(me)})
    assert is_gone({"machine": here, "pid": me, "started": "an earlier process of this number"})
    assert not is_gone({"machine": f"not-{here}", "pid": ended.pid, "started": ""})


def search(expression, document):
    """Stands for jmespath.search: the condition is a key."""
    return document.get(expression)


@pytest.mark.parametrize(("readiness", "status", "body", "why"), [
    (Readiness(), 200, b"", None),
    (Readiness(), 503, b'{"status":\n"DOWN"}', 'answered status 503 instead of 200: {"status": "DOWN"}'),
    (Readiness(status=204), 204, b"", None),
    (Readiness(condition="up"), 200, b'{"up": true}', None),
    (Readiness(condition="up"), 200, b'{"up": false}', "the condition up does not hold for its answer"),
    (Readiness(condition="up"), 200, b"<html>", "answered something that is not JSON: <html>"),
    (Readiness(condition="up"), 503, b'{"up": true}', "answered status 503"),
])
def test_readiness(readiness, status, body, why):
    refusal = readiness.refusal(status, body, search)
    assert refusal is None if why is None else why in refusal


@pytest.mark.parametrize(("readiness", "url"), [
    (Readiness(), "http://192.0.2.7:8080/readyz"),
    (Readiness(path="/actuator/health/readiness", port=8081), "http://192.0.2.7:8081/actuator/health/readiness"),
])
def test_readiness_is_asked_at_a_port_of_its_own_where_one_is_declared(readiness, url):
    assert readiness.url("192.0.2.7", 8080) == url


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 1 1
   1: 0201A8C0:1F90 0301A8C0:C350 01 00000000:00000000 00:00000000 00000000 10001        0 2 1
   2: 0201A8C0:1F90 0301A8C0:C352 06 00000000:00000000 00:00000000 00000000     0        0 0 3
   3: 0201A8C0:C3F0 0301A8C0:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4 3
"""


def test_only_established_connections_to_the_port_count():
    assert release.established(TCP, 8080) == 1
    assert release.established(TCP, 80) == 0
    assert release.established("", 8080) == 0
