# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments and containers that are killed under load, and what is left of them."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import time
import typing as t

from drift_kills import MODULES_GONE, WATCH
from drift_site import Failed, kill_group
from releases_site import (
    APPLICATION,
    FEWER,
    FILE,
    LOCK,
    PAUSED,
    PLATFORM,
    PROXY,
    RECORD,
    Case,
    Load,
    Place,
)

CONTROL_SOCKET = f"{PLATFORM}/nginx_certbot/run/control.sock"
# Of the releases that are killed: long enough for each moment to be seen, the start until after the migration.
SLOWER = {"START_SECONDS": 7, "MIGRATE_SECONDS": 1}
KILLS_WANTED = 10
# A restart policy of Docker waits 0.1 s, and twice as long after each failure.
RESTARTED_WITHIN = 20


@dataclasses.dataclass(frozen=True)
class Kill:
    """A moment of a deployment as drift_watch.py knows it; @ is the idle colour, ! the one that serves."""

    name: str
    moment: str
    what: str
    # The controller's process group, and the module with it unless it is to be left behind.
    module: bool = True
    warm: bool = True

    def watched(self, idle: str) -> str:
        """What is looked at, with the colours in their places."""
        return self.what.replace("@", idle).replace("!", "green" if idle == "blue" else "blue")


NEW, OLD, MIGRATE = (f"mooring-{APPLICATION}-{part}" for part in ("@-app-1", "!-app-1", "@-migrate"))
KILLS = (
    Kill("the lock is taken", "differs", LOCK),
    Kill("the new colour's files are staged", "exists", f"{PLATFORM}/{APPLICATION}-@/.mooring/staged"),
    Kill("its image is there and its container created", "container", NEW),
    Kill("its container is started", "runs", NEW),
    Kill("its migration is running", "runs", MIGRATE),
    Kill("it was asked and is not ready yet", "says", f"{NEW}:asked while not ready"),
    Kill("it is ready", "says", f"{NEW}:: ready"),
    Kill("the file is written and the proxy not told", "told", CONTROL_SOCKET),
    Kill("the proxy is told and nothing verified", "serves", f"{CONTROL_SOCKET}:{APPLICATION}"),
    Kill("it is watched after the switch", "says", f"{NEW}:asked while serving"),
    Kill("it is recorded", "differs", RECORD, module=False),
    Kill("the old colour's connections are waited for", "differs", RECORD, warm=False),
    Kill("the old colour is told to stop", "says", f"{OLD}:draining", warm=False),
    # The module on the host outlives its run.
    Kill("the new colour's container is started, of the run alone", "runs", NEW, module=False),
    Kill("the proxy is told, of the run alone", "serves", f"{CONTROL_SOCKET}:{APPLICATION}", module=False),
)


@contextlib.contextmanager
def watching(place: Place, moment: str, what: str, action: str) -> t.Iterator[t.Callable[[], str]]:
    """A watcher in the node; what it says when the moment has come."""
    with subprocess.Popen(
            ["docker", "exec", "-i", place.node.container, "python3", "-u", "-", moment, what, action],
            stdin=WATCH.open(), stdout=subprocess.PIPE, text=True) as watch:
        stdout = watch.stdout
        if stdout is None or stdout.readline().strip() != "ready":
            raise Failed("the watcher did not start")
        yield lambda: stdout.readline().strip()


def kill(place: Place, one: Kill, release: str) -> None:
    """Start the deployment, and kill it at the moment, until nothing of it works any more."""
    with watching(place, one.moment, one.watched(place.idle()), "module" if one.module else "say") as said:
        process = place.start_deploy(release)
        word = said()
        if word.startswith("reached"):
            kill_group(process)
        output = process.communicate()[0]
    place.write(f"$ killed when {one.name}: {word}\n{output}")
    if not word.startswith("reached"):
        raise Failed(f"the moment never came:\n{output[-1500:]}")
    if one.module and word == "reached 0":
        raise Failed("no module was at work")
    if process.returncode == 0:
        raise Failed("the run ended well before it was killed")
    place.expect_a_ready_colour()
    place.wait(MODULES_GONE, 120)


def prove_kill(place: Place, one: Kill, clients: Load) -> None:
    """One point: nobody notices, and the next run finishes what was begun."""
    place.declare_again(keep_warm=one.warm)
    release = place.new(**SLOWER)
    before = clients.ask("tally")
    kill(place, one, release)
    seen = clients.expect_good("after the kill", before)
    colour = place.expect_a_ready_colour()
    serving = place.release_of(colour)
    said = place.sh(f"cat {FILE}").strip()
    if one.moment == "told" and said == colour:
        raise Failed("the proxy was told")
    if ended := [close for close in seen["closes"][len(before["closes"]):] if close["release"] == serving]:
        raise Failed(f"{serving} serves and ended WebSockets: {ended[:3]}")
    place.deploy(release).good("the next run")
    place.expect_serving(release)
    again = place.deploy(release)
    if again.changed != 0:
        raise Failed(f"the run after changes {again.changed}: {again.differences or again.output[-1500:]}")
    clients.expect_good("after the next run", before)
    strays = [name for name in place.sh("docker ps -a --format '{{.Names}}'").split()
              if not name.startswith("mooring-") or not name.endswith("-1")]
    if strays:
        raise Failed(f"left behind: {', '.join(strays)}")
    place.say(f"       ok     killed when {one.name}; {colour} served then, and its file said {said}")


def kills(place: Place) -> None:
    """Kills: a deployment that is killed at any point costs no request, and the next run finishes it."""
    wrong = []
    with Load(place, FEWER) as clients:
        for one in KILLS:
            try:
                prove_kill(place, one, clients)
                place.figures.kills += 1
            except Failed as error:
                place.say(f"       NOT OK killed when {one.name}: {str(error)[-1500:]}")
                wrong.append(one.name)
                place.deploy(place.new()).good("going on after it")
        place.declare_again()
    if place.figures.kills < KILLS_WANTED or wrong:
        raise Failed(f"{place.figures.kills} of {len(KILLS)} points are good; not: {'; '.join(wrong)}")


# -- containers ---------------------------------------------------------------------------


def process_killed(place: Place, container: str) -> None:
    """Kill the first process of a container, as the kernel would for want of memory."""
    place.sh(f"kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {container})")


def outage(place: Place, clients: Load, act: t.Callable[[], object]) -> float:
    """For how many seconds requests failed after something serving was killed; those are excused."""
    before, begun = clients.ask("tally"), time.time()
    act()
    end = time.monotonic() + RESTARTED_WITHIN
    quiet, seen = 0, before
    while quiet < 6:
        if time.monotonic() > end:
            raise Failed(f"requests still fail after {RESTARTED_WITHIN} s: {seen['errors'][-3:]}")
        time.sleep(0.5)
        now = clients.ask("tally")
        quiet = quiet + 1 if now["failed"] == seen["failed"] and now["requests"] > seen["requests"] else 0
        seen = now
    clients.excused += seen["failed"] - before["failed"]
    return max([one["at"] for one in seen["errors"][before["failed"]:]] or [begun]) - begun


def new_colour_killed(place: Place) -> None:
    """Containers: the new colour is killed while it starts, by its process or by the engine, and nobody notices."""
    with Load(place, FEWER) as clients:
        for how in ("kill -9 $(docker inspect -f '{{.State.Pid}}' NAME)", "docker kill -s KILL NAME"):
            serving = place.release_of(place.serving())
            release = place.new(**SLOWER)
            name = place.container(place.idle())
            before = clients.ask("tally")
            with watching(place, "says", f"{name}:asked while not ready", "say") as said:
                process = place.start_deploy(release)
                word = said()
                place.sh(how.replace("NAME", name))
                output = process.communicate()[0]
            if not word.startswith("reached"):
                raise Failed(f"the moment never came:\n{output[-1500:]}")
            # The restart policy brings back what ends by itself, not what somebody stopped.
            place.expect_serving(serving if process.returncode else release)
            place.say(f"       {how.partition(' ')[0]}: the run {'undid it' if process.returncode else 'went on'}")
            place.deploy(release).good("the next run")
            place.expect_serving(release)
            clients.expect_good(how, before)


def idle_colour_killed(place: Place) -> None:
    """Containers: the idle colour is killed and nobody notices; the next deployment and a rollback work."""
    with Load(place, FEWER) as clients:
        place.deploy(place.new()).good("a release")
        before, was = clients.ask("tally"), place.release_of(place.idle())
        # It may still be at work for whoever came before the switch.
        with clients.paused("slow", *PAUSED):
            place.sh(f"docker kill -s KILL {place.container(place.idle())}")
        place.rollback().good("rolling back to what was killed")
        place.expect_serving(was)
        clients.expect_good("with the idle colour killed", before)


def serving_colour_killed(place: Place) -> None:
    """Containers: the colour that serves is killed, and serves again without a run."""
    with Load(place, FEWER) as clients, clients.paused(*PAUSED):
        colour = place.serving()
        release = place.release_of(colour)
        seconds = outage(place, clients, lambda: process_killed(place, place.container(colour)))
        place.expect_serving(release)
        place.say(f"       requests failed for {seconds:.1f} s")
        if place.serving() != colour:
            raise Failed("another colour serves")


def proxy_killed(place: Place) -> None:
    """Containers: the proxy is killed, and afterwards the same colour serves; its memory is new, its file is not."""
    # Not the first colour, which is what a proxy that knows nothing might take.
    if place.serving() == "blue":
        place.deploy(place.new()).good("a release in green")
    with Load(place, FEWER) as clients, clients.paused(*PAUSED):
        for how in (lambda: process_killed(place, PROXY), lambda: place.sh(f"docker restart {PROXY}"),
                    lambda: place.sh("systemctl restart docker")):
            colour = place.serving()
            release = place.release_of(colour)
            seconds = outage(place, clients, how)
            place.expect_serving(release)
            if place.serving() != colour:
                raise Failed("another colour serves")
            place.say(f"       requests failed for {seconds:.1f} s")
    if place.deploy(release).changed != 0:
        raise Failed("the next run changes something")


CASES: tuple[Case, ...] = (kills, new_colour_killed, idle_colour_killed, serving_colour_killed, proxy_killed)
