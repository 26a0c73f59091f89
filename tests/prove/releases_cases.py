# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of releases, one function each; docstrings name it."""

from __future__ import annotations

import json
import re
import socket
import time
import typing as t

from drift_site import NAME, Failed, kill_group
from releases_load import KINDS
from releases_site import (
    APPLICATION,
    CLIENTS,
    CONTROL,
    DRAIN_SECONDS,
    FEWER,
    FILE,
    LOCK,
    PAUSED,
    PROXY,
    READINESS,
    RECORD,
    Case,
    Load,
    Place,
    Steps,
    wrong_closes,
)

ROUNDS, MORE, COLD = 10, 4, 6
SWITCHES, PLAIN_PORT = 12, 8444
CANARY = {"steps": [10, 50], "hold": 6, "errors": 0.02, "latency": 0.5, "minimum": 20}
PLAIN = "/root/plain"
# To its end: until then the old workers take connections, which they close soon after.
RELOAD = ("old=$(pgrep -d, -f '[n]ginx: worker process'); "
          f"docker exec {PROXY} nginx -s reload -c /etc/mooring/nginx.conf; "
          "timeout 30 sh -c \"while ps -p $old >/dev/null; do sleep 0.1; done\"")
# What is broken, how, and what the run says of it.
BROKEN = (
    ({"FAULT": "crash-at-start"}, "crash-at-start: no such host: mysql"),
    ({"FAULT": "never-ready"}, "did not become ready within 12 s"),
    ({"FAULT": "migration"}, "(?s)ended with status 1: .*table orders is locked"),
    ({"FAULT": "ready-then-failing"}, "after the switch .* answered status 503"),
    ({"FAULT": "crash-later"}, "after the switch .* ended with status 70"),
)
# An ordinary nginx: the release is an upstream in a file, and changes with a reload.
NGINX = f"""\
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    access_log off;
    map $http_upgrade $connection_header {{ "" ""; default upgrade; }}
    include /etc/plain/colour.conf;
    server {{
        listen {PLAIN_PORT} ssl;
        server_name {NAME};
        ssl_certificate /etc/plain/cert.pem;
        ssl_certificate_key /etc/plain/key.pem;
        client_max_body_size 20m;
        location / {{
            proxy_pass http://release;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_read_timeout 120s;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_header;
        }}
    }}
}}
"""


def load(place: Place) -> None:
    """Load: 30 deploys, 10 rollbacks and 5 failing deploys lose no request."""  # defect 15
    steps = Steps(place)
    with Load(place, CLIENTS) as clients:
        for turn in range(ROUNDS):
            steps.deploy(place.new())
            steps.deploy(place.new())
            steps.rollback()
            if turn % 2:
                _broken(place, steps, clients, turn // 2)
            seen = clients.ask("tally")
            place.say(f"       {seen['requests']} requests, {seen['failed']} failed, {len(steps.done)} runs")
        for _ in range(MORE):
            steps.deploy(place.new())
        place.declare_again(keep_warm=False)
        for _ in range(COLD):
            steps.deploy(place.new(), warm=False)
        place.declare_again()
        seen = clients.ask("tally")
    wrong = wrong_closes(seen["closes"], steps.done, seen["first_seen"], DRAIN_SECONDS)
    drained = {step.stopped for step in steps.done if step.stopped} & {one["release"] for one in seen["closes"]}
    served = {step.release for step in steps.done if not step.undone}
    place.say(f"       {seen['kinds']}, {seen['websockets']} WebSockets with {seen['frames']} echoes, of which "
              f"{len(seen['closes'])} were ended by the application")
    if seen["failed"] or seen["not_ready"]:
        raise Failed(f"{seen['failed']} requests failed, {seen['not_ready']} answers came of a release that was not "
                     f"ready: {seen['errors'][:8]}")
    if wrong:
        raise Failed(f"{len(wrong)} WebSockets were ended without need: {wrong[:5]}")
    if not drained:
        raise Failed("no WebSocket was there when a drain came to its limit")
    if served - set(seen["releases"]):
        raise Failed(f"nobody was served by {sorted(served - set(seen['releases']))}")


def _broken(place: Place, steps: Steps, clients: Load, number: int) -> None:
    environment, reason = BROKEN[number]
    release = place.new(**environment)
    if environment["FAULT"] != "crash-later":
        steps.broken(release, reason)
        return
    # What a process has taken in and nobody can ask again dies with it, whoever stands before it.
    with clients.paused(*PAUSED):
        steps.broken(release, reason)


def reloads(place: Place) -> None:
    """Reload: the same load on a plain nginx that is reloaded for each switch, for comparison."""
    for _ in ("blue", "green"):
        place.deploy(place.new()).good("a release")
    nginx = f"docker run --detach --name plain --network mooring --user 0:0 --publish {PLAIN_PORT}:{PLAIN_PORT} " \
            f"--volume {PLAIN}:/etc/plain:ro --entrypoint nginx mooring.local/nginx:1.26 " \
            "-c /etc/plain/nginx.conf -g 'daemon off;'"
    place.sh(f"mkdir -p {PLAIN} && cat > {PLAIN}/nginx.conf <<'END'\n{NGINX}END\n"
             f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={NAME} "
             f"-keyout {PLAIN}/key.pem -out {PLAIN}/cert.pem")
    try:
        _plain_switch(place, "blue")
        place.sh(nginx)
        place.wait(f"curl -ksf https://127.0.0.1:{PLAIN_PORT}/api/hello --resolve {NAME}:{PLAIN_PORT}:127.0.0.1", 20)
        with Load(place, CLIENTS, PLAIN_PORT, counted=False) as clients:
            clients.ask("tally")
            for turn in range(SWITCHES):
                time.sleep(2)
                _plain_switch(place, "green" if turn % 2 == 0 else "blue")
                place.sh("docker exec plain nginx -s reload -c /etc/plain/nginx.conf")
            time.sleep(2)
    finally:
        place.sh(f"docker rm --force plain; rm -r {PLAIN}", check=False)
    seen = clients.last
    place.figures.reload_failed = seen["failed"]
    place.say(f"       {seen['failed']} of {seen['requests']} requests failed in {SWITCHES} switches, the first with "
              f"'{(seen['errors'] or [{'error': 'nothing'}])[0]['error']}'")


def _plain_switch(place: Place, colour: str) -> None:
    place.sh(f"echo 'upstream release {{ server {APPLICATION}-{colour}:8080; }}' > {PLAIN}/colour.conf")


# -- shares -----------------------------------------------------------------------------


def canary(place: Place) -> None:
    """Canary: a release with replicas gets growing shares, one with errors or slow answers loses them, unnoticed."""
    place.declare_again(replicas=2, canary=CANARY)
    try:
        with Load(place, CLIENTS) as clients:
            good = place.new()
            place.deploy(good).good("a release with shares")
            place.expect_serving(good)
            shares = place.entries()[-1]["canary"]
            if [one["percent"] for one in shares] != CANARY["steps"] or any(
                    one["errors"] or one["requests"] < CANARY["minimum"] for one in shares):
                raise Failed(f"its shares were {shares}")
            place.say(f"       {shares}")
            if place.deploy(good).changed != 0:
                raise Failed("the next run changes something")
            with clients.paused("slow", *PAUSED):
                place.sh(f"docker kill -s KILL mooring-{APPLICATION}-{place.serving()}-app-2-1")
                time.sleep(5)
            if place.deploy(good).good("bringing back a replica").changed <= 0:
                raise Failed("nobody missed the replica")
            clients.expect_good("a canary, and a replica that was killed")
        for fault, reason in (("errors", "answers were errors"), ("slow", "95 % of its [0-9]+ answers took up to")):
            _taken_back(place, good, place.new(FAULT=fault), f"with 10 % of the requests .*{reason}")
    finally:
        place.declare_again()


def _taken_back(place: Place, good: str, release: str, reason: str) -> None:
    """A release that loses its share; what it answered badly until then is what it was asked with that."""
    with Load(place, {"hello": 44}, counted=False) as clients:
        run = place.deploy(release)
        place.expect_serving(good)
        seen = clients.ask("tally")
    if run.status == 0 or not re.search(reason, run.output):
        raise Failed(f"the run does not say '{reason}':\n{run.output[-2000:]}")
    shares = place.entries()[-1]["canary"]
    others = [error for error in seen["errors"] if error["error"] != f"status 500 of release {release}"]
    if others or seen["failed"] > 0.2 * seen["requests"] or len(shares) != 1:
        raise Failed(f"{seen['failed']} of {seen['requests']} failed, {others[:5]}, and its shares were {shares}")
    place.say(f"       {seen['failed']} of {seen['requests']} requests met an error of {release}; {shares}")


# -- the lock -----------------------------------------------------------------------------


def _locked(place: Place) -> dict[str, t.Any]:
    """Who holds the lock, once somebody does."""
    place.wait(f"test -s {LOCK}", 60)
    return json.loads(place.sh(f"cat {LOCK}"))


def two_at_once(place: Place) -> None:
    """Lock: of two deployments at once the second is told who holds the lock, and the first goes on."""
    # The second waits for a module call that is at work, 50 s at most, and would have its turn after a quick first.
    first, second = place.new(START_SECONDS=75), place.new()
    place.declare_again(readiness={**READINESS, "timeout": 120})
    process = place.start_deploy(first)
    holder = _locked(place)["holder"]
    refused = place.deploy(second)
    output = process.communicate()[0]
    place.declare_again()
    said = f"holds the deployment lock of '{APPLICATION}' since"
    told = (said, f"for release {first}", f"process {holder['pid']} on {socket.gethostname()}")
    if refused.status == 0 or any(words not in refused.output for words in told):
        raise Failed(f"the second run was not told {told}:\n{refused.output[-1500:]}")
    if process.returncode:
        raise Failed(f"the first run failed:\n{output[-1500:]}")
    place.expect_serving(first)
    place.deploy(second).good("the second, afterwards")


def stale_lock(place: Place) -> None:
    """Lock: that of a run that was killed here is taken over at once, that of another machine when its time is over."""
    release = place.new(START_SECONDS=8)
    process = place.start_deploy(release)
    holder = _locked(place)["holder"]
    kill_group(process)
    process.communicate()
    run = place.deploy(release).good("the run after a killed one")
    place.expect_serving(release)
    if place.sh(f"cat {LOCK}").strip():
        raise Failed("the lock was not given back")
    place.say(f"       taken over from process {holder['pid']}, the whole run took {run.seconds:.0f} s")

    elsewhere = {"token": "0" * 16, "by": "bob", "release": "r0", "since": time.time() - 60, "until": time.time() + 600,
                 "holder": {"machine": "elsewhere.example.com", "pid": 4711, "started": "1"}}
    release = place.new()
    _write_lock(place, elsewhere)
    refused = place.deploy(release)
    told = ("bob holds the deployment lock", "process 4711 on elsewhere.example.com", "wait until")
    if refused.status == 0 or any(words not in refused.output for words in told):
        raise Failed(f"a run was not told {told}:\n{refused.output[-1500:]}")
    _write_lock(place, {**elsewhere, "until": time.time() - 1})
    place.deploy(release).good("the run after the time is over")
    place.expect_serving(release)


def _write_lock(place: Place, claim: dict[str, t.Any]) -> None:
    place.sh(f"cat > {LOCK} <<'END'\n{json.dumps(claim)}\nEND")


# -- drift --------------------------------------------------------------------------------


def drift(place: Place) -> None:
    """Drift: a colour that is flipped by hand is named by check mode and healed, and survives restarts of the proxy."""
    with Load(place, FEWER) as clients:
        place.deploy(place.new()).good("a release")
        release = place.new()
        place.deploy(release).good("the next")
        colour = place.serving()
        flipped = place.idle()
        place.sh(f"printf '{flipped}\\n' > {FILE}; {CONTROL} --request POST")
        if place.serving() != flipped:
            raise Failed("the colour was not flipped")
        # Not all that the proxy says: a slow request from before the flip may end and be counted meanwhile.
        before = place.sh(f"cat {FILE} {RECORD}"), place.serving()
        predicted = place.deploy(release, "--check", "--diff")
        if predicted.changed <= 0 or (place.sh(f"cat {FILE} {RECORD}"), place.serving()) != before:
            raise Failed(f"check mode does not predict it, or changes something:\n{predicted.output[-1500:]}")
        for words in (f"the proxy serves {flipped}", f"the proxy's file says {flipped}"):
            if words not in predicted.output:
                raise Failed(f"check mode does not say '{words}':\n{predicted.output[-1500:]}")
        # What is flipped survives as well as what was declared: neither is a matter of chance.
        for one in (flipped, colour):
            with clients.paused(*KINDS):
                for how in (f"docker restart {PROXY}", RELOAD):
                    place.sh(how)
                    place.wait(f"{CONTROL} | grep -q '\"traffic\":\"{one}\"'", 30)
            if one == flipped:
                place.deploy(release).good("healing it")
                if place.serving() != colour or place.sh(f"cat {FILE}").strip() != colour:
                    raise Failed("it was not healed")
        if place.deploy(release).changed != 0:
            raise Failed("the run after changes something")
        place.expect_serving(release)
        clients.expect_good("all that")


CASES: tuple[Case, ...] = (load, reloads, canary, two_at_once, stale_lock, drift)
