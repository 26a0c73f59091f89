# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a network is created, replaced, left alone or refused."""

from __future__ import annotations

import dataclasses
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _step_docker_network as step
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed
from ansible_collections.mooring.stack.plugins.module_utils._docker_network import Network, canonical, decide
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

WISH = Network("mooring", "198.51.100.0/24", {"mooring.platform": "mooring"})
# docker 20.10.24, shortened
INSPECTED = {
    "Name": "mooring",
    "Driver": "bridge",
    "IPAM": {"Driver": "default", "Options": {}, "Config": [{"Subnet": "198.51.100.0/24"}]},
    "Containers": {"52af": {"Name": "mooring-data_stores-mysql-1", "IPv4Address": "198.51.100.2/24"}},
    "Options": {},
    "Labels": {"mooring.platform": "mooring", "other": "theirs"},
}


def test_from_inspect() -> None:
    network = Network.from_inspect(INSPECTED)
    assert (network.subnet, network.containers) == ("198.51.100.0/24", ("mooring-data_stores-mysql-1",))
    assert not decide(network, WISH, present=True).changes_anything


@pytest.mark.parametrize("found", [
    {"IPAM": {"Config": None}, "Labels": None, "Containers": None},
    {"IPAM": {"Config": [{"Subnet": "2001:db8::/64"}]}, "Labels": {}, "Containers": {}},
])
def test_from_inspect_with_nothing_set(found: dict[str, object]) -> None:
    network = Network.from_inspect({**INSPECTED, **found})
    assert (network.subnet, network.labels, network.containers) == ("", {}, ())


@pytest.mark.parametrize(("current", "desired", "present", "expected"), [
    # (removes, creates)
    pytest.param(None, WISH, True, (False, True), id="missing"),
    pytest.param(None, WISH, False, (False, False), id="absent already"),
    pytest.param(WISH, WISH, True, (False, False), id="as declared"),
    pytest.param(WISH, WISH, False, (True, False), id="remove"),
    pytest.param(WISH, dataclasses.replace(WISH, subnet=""), True, (False, False), id="any subnet"),
    pytest.param(WISH, dataclasses.replace(WISH, subnet="203.0.113.0/24"), True, (True, True), id="other subnet"),
    pytest.param(WISH, dataclasses.replace(WISH, labels={"a": "b"}), True, (True, True), id="missing label"),
    pytest.param(dataclasses.replace(WISH, driver="overlay"), WISH, True, (True, True), id="other driver"),
])
def test_decide(current: Network | None, desired: Network, present: bool, expected: tuple[bool, bool]) -> None:
    plan = decide(current, desired, present)
    assert (plan.remove, plan.create) == expected
    assert plan.changes_anything == any(expected) == bool(plan.differences)


def test_each_field_is_named() -> None:
    found = dataclasses.replace(WISH, driver="overlay", subnet="", labels={"other": "theirs"})
    assert [(one.object, one.field, one.expected, one.found) for one in decide(found, WISH, present=True).differences] \
        == [("network mooring", "driver", "bridge", "overlay"), ("network mooring", "subnet", "198.51.100.0/24", None),
            ("network mooring", "label mooring.platform", "mooring", None)]
    (missing,) = decide(None, WISH, present=True).differences
    assert (missing.field, missing.expected, missing.found) == ("presence", "present", None)
    (superfluous,) = decide(WISH, WISH, present=False).differences
    assert (superfluous.field, superfluous.expected, superfluous.found) == ("presence", None, "present")


@pytest.mark.parametrize(("present", "says"), [(True, "its subnet is 198.51.100.0/24, not 203.0.113.0/24"),
                                               (False, "cannot be removed")])
def test_a_network_in_use_is_never_replaced(present: bool, says: str) -> None:
    used = dataclasses.replace(WISH, containers=("web-1", "web-2"))
    with pytest.raises(MooringError, match=says) as raised:
        decide(used, dataclasses.replace(WISH, subnet="203.0.113.0/24"), present)
    assert "web-1, web-2" in str(raised.value)
    assert raised.value.details["differences"], "what cannot be healed is still named"


def test_canonical() -> None:
    assert canonical("") == ""
    assert canonical("198.51.100.0/24") == "198.51.100.0/24"
    for wrong in ("198.51.100.7/24", "198.51.100.0/33", "anything"):
        with pytest.raises(MooringError, match="CIDR"):
            canonical(wrong)


@pytest.mark.parametrize(("installed", "changed", "notices"), [(False, True, 0), (True, False, 1)])
def test_check_mode_without_an_engine(
    monkeypatch: pytest.MonkeyPatch, installed: bool, changed: bool, notices: int,
) -> None:
    """On a bare host the network will be made; a stopped engine has its networks, and nobody can see which."""
    silent = types.SimpleNamespace(answers=lambda: False, installed=lambda: installed)
    monkeypatch.setattr(step, "Docker", lambda _run: silent)
    params = {"name": "mooring", "subnet": "", "labels": {}, "state": "present", "driver": "bridge", "encrypted": True}
    result = step.converge(types.SimpleNamespace(check_mode=True, run_command=None), params)
    assert (result["changed"], len(result["notices"])) == (changed, notices)
    with pytest.raises(MooringError, match="No Docker engine answers"):
        step.converge(types.SimpleNamespace(check_mode=False, run_command=None), params)


# docker 26.1.5, shortened
OVERLAY = {
    "Name": "mooring", "Driver": "overlay", "Attachable": True, "IPAM": {"Config": [{"Subnet": "172.30.1.0/24"}]},
    "Containers": {"e9d0": {"Name": "mooring-demo-blue-app-1"}, "lb-mooring": {"Name": "mooring-endpoint"}},
    "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4097", "encrypted": ""},
    "Labels": {"mooring.platform": "mooring"},
}


def test_an_overlay() -> None:
    found = Network.from_inspect(OVERLAY)
    assert found.containers == ("mooring-demo-blue-app-1",), "the network's own end is nobody's container"
    wish = Network("mooring", "", {"mooring.platform": "mooring"}, driver="overlay", attachable=True, encrypted=True)
    assert not decide(found, wish, present=True).changes_anything
    unused = dataclasses.replace(found, containers=())
    (plain,) = decide(unused, dataclasses.replace(wish, encrypted=False), present=True).differences
    assert (plain.field, plain.expected, plain.found) == ("encrypted", False, True)
    with pytest.raises(MooringError, match="its driver is overlay, not bridge"):
        decide(found, dataclasses.replace(WISH, subnet=""), present=True)


@pytest.mark.parametrize(("driver", "there", "fails"), [
    ("overlay", True, False), ("overlay", False, True), ("bridge", True, True)])
def test_another_host_may_be_faster(driver: str, there: bool, fails: bool) -> None:
    def refuse(*_args: str) -> str:
        raise CommandFailed(["docker", "network", "create"], 1, "", "network with name mooring already exists")

    docker = types.SimpleNamespace(run=refuse, inspect=lambda _kind, _names: [OVERLAY] if there else [])
    wish = Network("mooring", driver=driver, attachable=driver == "overlay")
    plan = decide(None, wish, present=True)
    if fails:
        with pytest.raises(CommandFailed):
            step.apply(docker, plan, wish)
    else:
        step.apply(docker, plan, wish)
