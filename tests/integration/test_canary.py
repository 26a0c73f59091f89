# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares of the requests and several replicas, by deploy.yml and rollback.yml with real containers.

The proxy is its control socket alone, which says of the colours what a test lets it
say; that a real one shares and counts so is shown in test_proxy_traffic.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import typing as t

import pytest
from conftest import ROOT, docker
from test_releases import PLAYBOOK, SECRET, Platform, platform  # noqa: F401 (a fixture)

CANARY = {"steps": [10, 50], "hold": 1.5, "errors": 0.05, "latency": 0.5, "minimum": 20}
# Bucket 20 ends at 87 ms, bucket 40 at 7.5 s.
WELL = {"requests": 60, "errors": 1, "20": 60}


@pytest.fixture
def shop(platform: Platform) -> t.Iterator[Platform]:  # noqa: F811
    """Release 1 serves; ``told`` begins with the first change to that."""
    platform.proxy.seen = {}
    assert platform.deploy("1").ok
    platform.proxy.told.clear()
    yield platform
    platform.proxy.seen = {}


def lines(shop: Platform) -> list[str | None]:
    """What the proxy was told, one after the other; the same again is left out."""
    told = [line for _name, line in shop.proxy.told]
    return [line for number, line in enumerate(told) if number == 0 or line != told[number - 1]]


def colours(shop: Platform) -> tuple[str, str]:
    """Who serves, and the other one."""
    return ("blue", "green") if shop.serves()[1].startswith("blue") else ("green", "blue")


def test_a_new_release_gets_its_shares_one_after_the_other(shop):
    old, new = colours(shop)
    shop.image("2")
    shop.proxy.seen = {new: WELL}
    predicted = shop.deploy("2", "--check", **shop.with_shop(canary=CANARY))
    assert predicted.ok and '"canary": true' in predicted.out and not shop.proxy.told
    done = shop.deploy("2", **shop.with_shop(canary=CANARY))
    assert done.ok, done.said
    assert lines(shop) == [f"{old} {new}=10", f"{old} {new}=50", f"{new} {old}=0", new]
    entry = shop.record()[-1]
    assert [share["percent"] for share in entry["canary"]] == [10, 50]
    assert all(share["requests"] == 60 and share["errors"] == 1 and share["seconds"] >= 1 for share in entry["canary"])
    assert "too few" not in done.said
    assert "changed=0 " in shop.deploy("2", **shop.with_shop(canary=CANARY)).out
    shop.proxy.told.clear()
    assert shop.play("rollback", **shop.with_shop(canary=CANARY)).ok
    assert lines(shop) == [old], "what served before needs no canary"


@pytest.mark.parametrize(("seen", "reason"), [
    ({"begun": 80, "requests": 30, "20": 30}, r"with 10 % of the requests it answered 30 of its 80 requests"),
    ({"requests": 40, "errors": 12, "20": 40}, r"with 10 % of the requests 12 of its 40 answers were errors \(30\.0%"),
    ({"requests": 40, "20": 20, "40": 20}, r"with 10 % of the requests 95 % of its 40 answers took up to 7\.52 s"),
])
def test_a_share_is_taken_back_from_a_release_that_does_worse(shop, seen, reason):
    old, new = colours(shop)
    shop.image("worse")
    shop.proxy.seen = {new: seen}
    failed = shop.deploy("worse", **shop.with_shop(canary=CANARY))
    assert not failed.ok and re.search(reason, failed.said), failed.said
    assert SECRET not in failed.said
    assert lines(shop) == [f"{old} {new}=10", old]
    assert shop.serves()[:2] == (old, old) and shop.container(new) == ""
    entry = shop.record()[-1]
    assert entry["result"] == "undone" and re.search(reason, entry["why"])
    assert entry["canary"][0]["requests"] == seen["requests"]


def test_a_release_that_dies_with_a_share_is_taken_back(shop):
    old, new = colours(shop)
    shop.image("dies", "crash-later")
    failed = shop.deploy("dies", **shop.with_shop(canary={**CANARY, "hold": 30}))
    assert not failed.ok
    assert re.search(r"with 10 % of the requests \S+ ended with status 70", failed.said), failed.said
    assert lines(shop) == [f"{old} {new}=10", old]


def test_too_few_requests_are_said(shop):
    new = colours(shop)[1]
    shop.image("quiet")
    shop.proxy.seen = {new: {"requests": 3, "errors": 3, "20": 3}}
    done = shop.deploy("quiet", **shop.with_shop(canary={**CANARY, "steps": [5]}))
    assert done.ok, done.said
    assert "got 3 requests in 1.5 s with 5 % of them, which is too few to judge it by (20 are needed)" in done.said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_share_ends_with_its_run(shop, number):
    old, new = colours(shop)
    release = f"left-{number.name.lower()}"
    shop.image(release)
    shop.proxy.seen = {new: WELL}
    run = start(shop, release, hold=60)
    wait_for(lambda: shop.proxy.told)
    if number == signal.SIGINT:  # which a terminal sends to both
        for pid in holders(shop.directory / "root" / "app_blue_green" / "shop.lock"):
            os.kill(pid, number)
    os.killpg(run.pid, number)
    run.wait()
    wait_for(lambda: lines(shop)[-1] == old)
    assert lines(shop) == [f"{old} {new}=10", old]
    wait_for(lambda: shop.container(new) == "")
    wait_for(lambda: "the run that gave them to it has ended" in str(shop.record()[-1].get("why")))


def start(shop: Platform, release: str, hold: float) -> subprocess.Popen[bytes]:
    """A deployment under way, in a process group of its own."""
    variables = {**shop.with_shop(canary={**CANARY, "hold": hold}), "app_blue_green_release": release}
    return subprocess.Popen(
        [str(PLAYBOOK), "-i", str(shop.directory / "inventory"), "playbooks/deploy.yml", "-e", json.dumps(variables)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        start_new_session=True)


def wait_for(condition: t.Callable[[], t.Any]) -> None:
    """Until it holds, at most 90 seconds."""
    limit = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)


def holders(path: pathlib.Path) -> list[int]:
    """Processes that have this file open."""
    found = []
    for descriptor in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if descriptor.readlink() == path:
                found.append(int(descriptor.parts[2]))
    return found


@pytest.mark.parametrize("ends", ["completed", "undone", "rolled-back"])
def test_a_run_that_was_killed_with_a_share_is_ended_by_the_next(shop, ends):
    old, new = colours(shop)
    release = f"killed-{ends}"
    shop.image(release)
    run = start(shop, release, hold=60)
    wait_for(lambda: shop.proxy.told)
    # The module's process too: it would notice that its run is gone.
    for pid in holders(shop.directory / "root" / "app_blue_green" / "shop.lock"):
        os.kill(pid, signal.SIGKILL)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert lines(shop) == [f"{old} {new}=10"]
    changed = shop.with_shop(canary={**CANARY, "steps": [20]})
    if ends == "completed":
        shop.proxy.seen = {new: WELL}
        done = shop.deploy(release, **changed)
        assert f"{old} and {new} with 10 % of the requests" in done.said
        assert lines(shop)[1:] == [f"{old} {new}=20", f"{new} {old}=0", new]
    elif ends == "rolled-back":
        done = shop.play("rollback")
        assert "serves, and gets all requests again" in done.said
        assert lines(shop)[1:] == [old]
    else:
        shop.image("next")
        shop.proxy.seen = {new: WELL}
        done = shop.deploy("next", **changed)
        assert lines(shop)[1] == old, "it loses its share before it is replaced"
        assert lines(shop)[-1] == new
    assert done.ok, done.said
    last = {"completed": release, "undone": "next", "rolled-back": "1"}[ends]
    assert "changed=0 " in shop.deploy(last, **(changed if ends != "rolled-back" else {})).out


def containers(shop: Platform, colour: str) -> list[str]:
    """Names of a colour's replicas."""
    return sorted(docker("ps", "--all", "--format", "{{.Names}}", "--filter",
                         f"label=com.docker.compose.project={shop.prefix}-shop-{colour}").split())


def test_a_colour_has_as_many_replicas_as_declared(shop):
    old, new = colours(shop)
    shop.image("many")
    two = shop.with_shop(replicas=2)
    predicted = shop.deploy("many", "--check", "--diff", **two)
    assert predicted.ok and f"proxy serves: {new}*2" in predicted.said
    done = shop.deploy("many", **two)
    assert done.ok, done.said
    assert lines(shop) == [f"{new}*2 {old}=0", f"{new}*2"]
    names = [f"{shop.prefix}-shop-{new}-{service}-1" for service in ("app", "app-2")]
    assert containers(shop, new) == sorted(names)
    assert "changed=0 " in shop.deploy("many", **two).out

    # One that is gone comes back; the proxy is not told anything.
    shop.proxy.told.clear()
    docker("rm", "--force", names[1])
    assert "changed=0 " not in shop.deploy("many", "--check", **two).out
    assert shop.deploy("many", **two).ok
    assert containers(shop, new) == sorted(names) and not shop.proxy.told

    # Back to one and forward to two: by what the containers say, not by what is declared today.
    assert shop.play("rollback").ok
    assert lines(shop) == [old]
    docker("stop", names[1])
    shop.proxy.told.clear()
    forward = shop.play("rollback")
    assert forward.ok, forward.said
    assert lines(shop) == [f"{new}*2 {old}=0", f"{new}*2"]
    assert docker("inspect", "--format", "{{.State.Running}}", names[1]) == "true"


def test_of_a_broken_release_no_replica_is_left(shop):
    old, new = colours(shop)
    shop.image("broken", "never-ready")
    failed = shop.deploy("broken", **shop.with_shop(replicas=3))
    assert not failed.ok
    assert all(f"{shop.prefix}-shop-{new}-{service}-1" in failed.said for service in ("app", "app-2", "app-3")), \
        "the last lines of each"
    assert containers(shop, new) == [] and shop.serves()[:2] == (old, old)
