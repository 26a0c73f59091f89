# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the swarm, who joins it, and which memberships are refused."""

from __future__ import annotations

import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _step_docker_swarm as step
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._docker_swarm import (
    Member,
    Swarm,
    Wish,
    decide,
    left_behind,
    unlike,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.modules import docker_swarm_invitation as invitation

HOSTS = {"data-1": "192.0.2.11", "app-1": "192.0.2.12", "watch-1": "192.0.2.13"}
WISH = Wish(HOSTS, "data-1")
EVERYBODY = tuple(Member(f"id-{name}", name, address, True) for name, address in HOSTS.items())
GOOD = Swarm("active", True, "192.0.2.11", known=frozenset(HOSTS.values()), members=EVERYBODY)

# docker 26.1.5, shortened
INFO = {"Swarm": {
    "NodeID": "w7433", "NodeAddr": "192.0.2.11", "LocalNodeState": "active", "ControlAvailable": True, "Error": "",
    "RemoteManagers": [{"NodeID": "w7433", "Addr": "192.0.2.11:2377"}, {"NodeID": "g0o0j", "Addr": "192.0.2.12:2377"}],
    "Cluster": {"ID": "l7eu7", "Spec": {"Name": "default", "Labels": {"mooring.platform": "mooring"}}}}}
NODES = [
    {"ID": "w7433", "Description": {"Hostname": "data-1"}, "Status": {"State": "ready", "Addr": "0.0.0.0"},
     "ManagerStatus": {"Leader": True, "Reachability": "reachable", "Addr": "192.0.2.11:2377"}},
    {"ID": "g0o0j", "Description": {"Hostname": "app-1"}, "Status": {"State": "unknown", "Addr": "192.0.2.12"},
     "ManagerStatus": {"Reachability": "reachable", "Addr": "192.0.2.12:2377"}},
    {"ID": "old01", "Description": {"Hostname": "app-1"}, "Status": {"State": "down", "Addr": "192.0.2.12"},
     "ManagerStatus": {"Reachability": "unreachable", "Addr": "192.0.2.12:2377"}},
    {"ID": "work1", "Description": {"Hostname": "build-1"}, "Status": {"State": "ready", "Addr": "192.0.2.14"}},
]


def test_from_what_the_engine_says() -> None:
    swarm = Swarm.from_info(INFO, NODES)
    assert (swarm.state, swarm.manager, swarm.address) == ("active", True, "192.0.2.11")
    assert swarm.known == {"192.0.2.11", "192.0.2.12"}
    assert [(one.id, one.address, one.answers) for one in swarm.members] == [
        ("w7433", "192.0.2.11", True), ("g0o0j", "192.0.2.12", True), ("old01", "192.0.2.12", False),
        ("work1", "192.0.2.14", True)]
    assert [one.id for one in left_behind(swarm, "192.0.2.12")] == ["old01"], "not the one that is there"
    assert Swarm.from_info({}) == Swarm.from_info({"Swarm": {"LocalNodeState": "inactive"}}) == Swarm()


@pytest.mark.parametrize(("now", "wish", "found", "invited", "expected"), [
    pytest.param(Swarm(), Wish({}, "data-1"), True, True, "", id="one host needs no swarm"),
    pytest.param(Swarm(), Wish({"data-1": "192.0.2.11"}, "data-1"), True, True, "", id="a list of one neither"),
    pytest.param(Swarm(), WISH, True, False, "found", id="the first makes it"),
    pytest.param(Swarm(), WISH, False, True, "join", id="others join"),
    pytest.param(Swarm(), WISH, False, False, "wait", id="nobody has said whom to join"),
    pytest.param(GOOD, WISH, True, False, "", id="a member stays"),
    pytest.param(Swarm("active", True, "192.0.2.11", known=frozenset({"192.0.2.11"}), members=EVERYBODY), WISH,
                 True, False, "", id="alone until the others come"),
])
def test_decide(now: Swarm, wish: Wish, found: bool, invited: bool, expected: str) -> None:
    plan = decide(now, wish, found, invited)
    assert plan.step == expected
    assert plan.changes_anything == bool(expected) == bool(plan.differences)


@pytest.mark.parametrize(("now", "says"), [
    (Swarm("error", error="no route to host"), "'error': no route to host. Look at the engine's log"),
    (Swarm("locked"), "is 'locked'. Look"),
    (Swarm("active", False, "192.0.2.11"), "docker node promote"),
    (Swarm("active", True, "198.51.100.7"), "as 198.51.100.7, but docker_engine_swarm says 192.0.2.11"),
    (Swarm("active", True, "192.0.2.11", known=frozenset({"192.0.2.11", "203.0.113.5"})),
     "in a swarm with 203.0.113.5, none of which"),
])
def test_a_membership_that_a_person_has_to_judge(now: Swarm, says: str) -> None:
    with pytest.raises(MooringError, match=says):
        decide(now, WISH, found=True, invited=True)


@pytest.mark.parametrize(("engines", "good"), [
    ({"a": "26.1.5", "b": "28.0.1"}, True), ({"a": "20.10.24", "b": "20.10.5"}, True), ({"a": "20.10.24"}, True),
    ({"a": "20.10.24", "b": "26.1.5+dfsg1"}, False), ({"a": "20.10", "b": "23.0.0"}, False),
    ({"a": "20.10", "b": ""}, True), ({"a": "dev", "b": "26.1"}, True),
])
def test_engines_of_two_ages_are_not_in_one_swarm(engines, good) -> None:
    """An older leader answers those who ask for its volumes with "unknown method ListVolumes"."""
    assert (unlike(engines) == "") is good
    if not good:
        members = tuple(Member(name, name, f"192.0.2.{number}", True, version)
                        for number, (name, version) in enumerate(engines.items(), start=11))
        now = Swarm("active", True, "192.0.2.11", known=frozenset(HOSTS.values()), members=members)
        with pytest.raises(MooringError, match="cannot be in one swarm.*docker_engine_source: upstream"):
            decide(now, WISH, found=True, invited=False)


def test_who_is_missing_is_said_and_no_difference() -> None:
    gone = (EVERYBODY[0], Member("id-app-1", "app-1", "192.0.2.12", False))
    plan = decide(Swarm("active", True, "192.0.2.11", known=frozenset(HOSTS.values()), members=gone), WISH, True, False)
    assert not plan.changes_anything
    assert [notice.split(" is ")[0] for notice in plan.notices] == [
        "watch-1 (192.0.2.13)", "The host app-1 (192.0.2.12)"]
    assert "docker node demote id-app-1" in plan.notices[1]


class Engine(Docker):
    """Answers as an engine does, and notes what it is asked to do."""

    def __init__(self, info: dict, nodes: tuple[int, object] = (200, NODES), swarm: tuple[int, object] = (200, {})):
        self.documents = {"/nodes": nodes, "/swarm": swarm}
        self.said, self.asked = info, []

    def answers(self):
        return True

    def info(self):
        return self.said

    def get(self, question):
        return self.documents[question]

    def post(self, path, body):
        self.asked.append((path, body))

    def run(self, *args, data=None):
        self.asked.append(args)
        return ""


def converge(monkeypatch, engine, check_mode=False, **params):
    monkeypatch.setattr(step, "Docker", lambda _run: engine)
    module = types.SimpleNamespace(check_mode=check_mode, run_command=None)
    values = {"hosts": HOSTS, "host": "data-1", "pool": "172.30.0.0/16", "labels": {"mooring.platform": "mooring"},
              "found": False, "join": "", "token": "", "stop": True}
    return step.converge(module, {**values, **params})


def test_the_first_makes_a_swarm_at_its_own_address_only(monkeypatch) -> None:
    engine = Engine({})
    result = converge(monkeypatch, engine, found=True)
    assert (result["changed"], result["member"], result["stop"]) == (True, False, False)
    ((path, body),) = engine.asked
    assert path == "/swarm/init"
    assert body["ListenAddr"] == "192.0.2.11:2377" and body["AdvertiseAddr"] == "192.0.2.11"
    assert body["DefaultAddrPool"] == ["172.30.0.0/16"]
    assert body["Spec"] == {"Labels": {"mooring.platform": "mooring"}}


def test_the_token_goes_to_the_engine_and_into_no_command(monkeypatch) -> None:  # defect 8
    engine = Engine({})
    result = converge(monkeypatch, engine, host="app-1", join="192.0.2.11", token="sesame")
    assert result["changed"]
    ((path, body),) = engine.asked
    assert (path, body["RemoteAddrs"], body["JoinToken"]) == ("/swarm/join", ["192.0.2.11:2377"], "sesame")
    assert step.ARGUMENT_SPEC["token"]["no_log"]


def test_who_has_to_wait_ends_the_call_and_changes_nothing(monkeypatch) -> None:
    engine = Engine({})
    result = converge(monkeypatch, engine, host="app-1")
    assert (result["changed"], result["stop"], engine.asked) == (False, True, [])
    predicted = converge(monkeypatch, engine, check_mode=True, host="app-1")
    assert (predicted["changed"], predicted["stop"], engine.asked) == (True, False, [])


def test_a_swarm_without_a_leader_says_what_to_do(monkeypatch) -> None:
    engine = Engine(INFO, nodes=(503, {"message": "The swarm does not have a leader."}))
    with pytest.raises(MooringError, match="does not have a leader.*More than half.*--force-new-cluster"):
        converge(monkeypatch, engine)


def test_a_host_that_the_list_gives_no_address(monkeypatch) -> None:
    with pytest.raises(MooringError, match="docker_engine_swarm gives build-1 no address"):
        converge(monkeypatch, Engine({}), host="build-1")


def test_an_invitation_forgets_an_earlier_life_of_the_host() -> None:
    engine = Engine(INFO, swarm=(200, {"JoinTokens": {"Manager": "sesame", "Worker": "no"}}))
    assert invitation.invite(engine, "192.0.2.12", forget=True) == {"token": "sesame", "forgotten": ["old01"]}
    assert engine.asked == [("node", "demote", "old01"), ("node", "rm", "--force", "old01")]
    engine.asked.clear()
    assert invitation.invite(engine, "192.0.2.12", forget=False)["forgotten"] == ["old01"]
    assert engine.asked == []


@pytest.mark.parametrize(("engine", "says"), [
    (Engine({}), "manages no swarm. Run the play docker_engine for all hosts"),
    (Engine(INFO, swarm=(500, {"message": "context deadline exceeded"})), "context deadline exceeded"),
    (Engine(INFO, swarm=(500, None)), "answers 500"),
])
def test_who_cannot_invite_says_why(engine: Engine, says: str) -> None:
    with pytest.raises(MooringError, match=says):
        invitation.invite(engine, "192.0.2.12", forget=True)
