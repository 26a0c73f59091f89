# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of the notifier, one function each, on a node of the proof's own; the docstrings name it."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import random
import re
import subprocess
import time
import typing as t

import lab
from component_site import ComponentSite
from drift_site import ROOT, expect

IMAGE, BASE = "mooring.local/mattermost-notifier:1", "mooring.lab/base:trixie"
NOTIFIER = "mooring-mattermost_notifier-notifier-1"
TOKEN, HOOK = "sentinel-of-a-gitlab-token", "/hooks/sentinel-of-a-webhook"
SAMPLES = ROOT / "tests/unit/data/notifier"
ROUTES = [{"drafts": True}]
# Not as many as may wait.
FUZZED, KILLS, FLOOD = 10_000, 8, 6_000
WANTED_PER_SECOND = 200
# For a case to say something.
ENOUGH = 100


@dataclasses.dataclass
class Figures:
    """What the last line says; -1 is what was not measured."""

    samples: int = -1
    fuzzed: int = -1
    errors: int = -1
    lost: int = -1
    duplicates: int = -1
    events_per_second: int = -1

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in dataclasses.asdict(self).items())

    def good(self) -> bool:
        """Nothing went wrong of what was measured; one message may come twice for each kill."""
        return self.errors <= 0 and self.lost <= 0 and self.duplicates <= KILLS


class Place(ComponentSite):
    """The node with an engine, the notifier and a listener."""

    server, title, client_image = NOTIFIER, "the notifier", IMAGE

    def __init__(self, directory: pathlib.Path, figures: Figures) -> None:
        super().__init__(directory, "mattermost_notifier", {
            "mattermost_notifier_base_image": BASE, "mattermost_notifier_language": "ko",
            "mattermost_notifier_webhooks": {"default": f"http://mattermost:8065{HOOK}"},
            "mattermost_notifier_gitlab_tokens": [TOKEN], "mattermost_notifier_routes": ROUTES}, (BASE,), "notifier")
        self.figures = figures

    def need_images(self) -> None:
        """The base alone: the role builds its image on the node."""
        lab.need_base("trixie")

    def client_files(self) -> dict[str, bytes]:
        """With the listener."""
        files = {"mattermost_notifier_client.py": ROOT / "tests/prove/notifier_client.py",
                 "mattermost.py": ROOT / "tests/lab/mattermost.py"}
        return {name: path.read_bytes() for name, path in files.items()}

    def begin(self) -> None:
        """And a Mattermost."""
        super().begin()
        self.sh("docker run --detach --name mattermost --user 0 --network mooring --volume /root/client:/client:ro "
                f"--volume /root/posts:/posts {IMAGE} python3 /client/mattermost.py 8065 /posts/posts")
        self.sh("touch /root/posts/posts")

    # -- GitLab ---------------------------------------------------------------------

    def ask(self, action: str, *arguments: t.Any, **given: t.Any) -> t.Any:
        """What a client that ends by itself says."""
        given = {"token": TOKEN, "run": str(time.time()), **given}
        done = subprocess.run(self.client_argv(action, *map(str, arguments)), input=json.dumps(given) + "\n",
                              capture_output=True, text=True, check=True)
        self.write(f"$ {action}\n{done.stdout[-2000:]}{done.stderr}")
        return json.loads(done.stdout)

    def accepted_while(self, meanwhile: t.Callable[[], None]) -> list[str]:
        """Names of the events that were accepted while something happened."""
        given = {"token": TOKEN, "run": str(time.time())}
        accepted = self.acknowledged_while(self.client_argv("write"), given, meanwhile)
        expect(len(accepted) > ENOUGH, "hardly any events were accepted:", len(accepted))
        return accepted

    # -- Mattermost -------------------------------------------------------------------

    def posts(self) -> list[str]:
        """What it was told, as text."""
        return [json.loads(line)["text"] for line in self.sh("cat /root/posts/posts").splitlines()]

    def forget(self) -> None:
        """As if it had been told nothing."""
        self.sh(": > /root/posts/posts")

    def answers(self, status: int) -> None:
        """What it answers from now on."""
        self.sh("curl -sS -X PUT -d '" + json.dumps({"status": status}) + "' http://$(docker inspect -f "
                "'{{.NetworkSettings.Networks.mooring.IPAddress}}' mattermost):8065/")

    def waiting(self) -> int:
        """How many messages the notifier has still to tell."""
        said = self.sh(f"docker exec {NOTIFIER} python3 -c 'import urllib.request; print(urllib.request.urlopen("
                       "\"http://127.0.0.1:8080/metrics\").read().decode())'")
        return int(float(re.search(r'^mooring_notifier_waiting\{webhook="default"\} (\S+)', said, re.MULTILINE)[1]))

    def until_told(self, seconds: float = 180) -> None:
        """Until nothing waits."""
        limit = time.monotonic() + seconds
        while self.waiting():
            expect(time.monotonic() < limit, f"messages still wait after {seconds} s:", self.waiting())
            time.sleep(1)

    def count(self, accepted: list[str]) -> tuple[int, int]:
        """Accepted events that it was not told, and messages that came twice; each merge request's are in order."""
        told = [f"{found[1]}-{found[2]}" for text in self.posts()
                if (found := re.search(r"\[!(\d+) event (\d+)\]", text))]
        times = collections.Counter(told)
        for request in {one.split("-")[0] for one in told}:
            once = list(dict.fromkeys(int(one.split("-")[1]) for one in told if one.split("-")[0] == request))
            expect(once == sorted(once), f"merge request {request} was told out of order:", once)
        return len(set(accepted) - set(times)), sum(times.values()) - len(times)

    def process(self) -> str:
        """Number of the notifier's process, and when the container was started."""
        return self.sh(f"docker inspect -f '{{{{.State.Pid}}}} {{{{.State.StartedAt}}}}' {NOTIFIER}").strip()


def samples() -> dict[str, dict[str, t.Any]]:
    """Deliveries by name, each with what is to become of it."""
    expected = json.loads((SAMPLES / "messages.json").read_text())
    return {name: {**json.loads((SAMPLES / "samples" / f"{name}.json").read_text()), **wanted}
            for name, wanted in expected.items()}


def nothing_at_first(place: Place) -> None:
    """A bare host gets a notifier as check mode had said, and a second run changes nothing."""
    if place.bare is not None:
        expect(place.bare.changed > 0 and "mooring.local/mattermost-notifier" in place.bare.output,
               "check mode on the bare host did not name the image")
    place.expect_still()
    listening = [line.split()[3] for line in place.sh("ss -Hltn").splitlines()]
    exposed = {one.rpartition(":")[2] for one in listening if not one.startswith(("127.", "[::1]"))}
    expect(exposed == {"22"}, "ports are open:", exposed)


def documented_events(place: Place) -> None:
    """Each documented event becomes exactly its message, in Korean and in English; what is not told is answered well"""
    known = samples()
    wrong = []
    for language in ("ko", "en"):
        # It is to know of no pipeline that failed.
        place.sh(f"docker rm --force {NOTIFIER}; docker volume rm mooring-notifier-data")
        place.converge(mattermost_notifier_language=language)
        place.forget()
        statuses = place.ask("send", deliveries=[
            # Another name each time, or it came before.
            {"headers": {**one["headers"], "Idempotency-Key": f"{language} {name}"}, "body": one["body"]}
            for name, one in known.items()])
        place.until_told()
        told = place.posts()
        for (name, one), status in zip(known.items(), statuses, strict=True):
            text = one.get(language)
            if status != (202 if text else 200) or (text and (not told or told.pop(0) != text)):
                wrong.append(f"{language} {name}: {status}")
        wrong += told
    place.converge()
    expect(not wrong, "not as expected:", wrong)
    place.figures.samples = len(known)


def fuzzed(place: Place) -> None:
    """10,000 broken bodies cost no answer of 500 and above, no memory to speak of, and no event after them"""
    place.forget()
    before = place.process()
    statuses = place.ask("fuzz", FUZZED, deliveries=[
        {"headers": one["headers"], "body": one["body"]} for one in samples().values()])
    place.figures.fuzzed = sum(statuses.values())
    place.figures.errors = sum(number for status, number in statuses.items() if not 200 <= int(status) < 500)
    place.say(f"       {statuses}")
    place.until_told()
    expect(place.process() == before, "the notifier was started anew")
    peak = int(re.search(r"VmHWM:\s+(\d+)", place.sh(f"cat /proc/{before.split()[0]}/status"))[1])
    place.say(f"       the most memory it ever had: {peak // 1024} MiB")
    expect(peak < 100 * 1024, "kB of memory:", peak)
    expect(place.figures.errors == 0, "answers of 500 and above, or none:", statuses)
    expect(set(statuses) >= {"202", "200", "400", "413"}, "not every kind of answer came:", statuses)
    accepted = place.accepted_while(lambda: place.until_acknowledged(ENOUGH))
    place.until_told()
    expect(place.count(accepted) == (0, 0), "after it, events are not told")


def mattermost_is_gone(place: Place) -> None:
    """Mattermost answers 503, then not at all, then everything: each message comes once, in order"""
    place.forget()

    def outage() -> None:
        time.sleep(2)
        place.answers(503)
        time.sleep(20)
        place.sh("docker kill mattermost")
        time.sleep(40)
        place.sh("docker start mattermost")
        time.sleep(2)

    accepted = place.accepted_while(outage)
    place.until_told()
    lost, twice = place.count(accepted)
    place.say(f"       {len(accepted)} events")
    # A post that Mattermost had when it was killed, but had not answered, comes again.
    expect(lost == 0 and twice <= 1, "lost, and twice:", (lost, twice))
    place.figures.lost = max(place.figures.lost, lost)


def killed(place: Place) -> None:
    """SIGKILL for the notifier again and again loses nothing that was accepted, and repeats one message each at most"""
    place.forget()
    choose = random.Random(9)

    def kills() -> None:
        for _turn in range(KILLS):
            time.sleep(choose.uniform(1, 3))
            place.sh(f"kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {NOTIFIER})")
            place.wait(f"docker exec {NOTIFIER} python3 -m notifier probe", 60)
        time.sleep(1)

    accepted = place.accepted_while(kills)
    place.until_told()
    lost, twice = place.count(accepted)
    place.say(f"       {len(accepted)} events, {KILLS} kills, {twice} twice")
    place.figures.lost = max(place.figures.lost, lost)
    place.figures.duplicates = twice
    expect(lost == 0 and twice <= KILLS, "lost, and twice:", (lost, twice))


def many_at_once(place: Place) -> None:
    """On one core, more than 200 events a second are accepted"""
    place.forget()
    place.sh(f"docker update --cpus 1 {NOTIFIER}")
    found = place.ask("flood", FLOOD)
    place.figures.events_per_second = int(found["accepted"] / found["seconds"])
    expect(not found["others"], "not all were accepted:", found["others"])
    expect(place.figures.events_per_second >= WANTED_PER_SECOND, "events a second:", place.figures.events_per_second)
    place.until_told(600)
    expect(len(place.posts()) == found["accepted"], "told:", (len(place.posts()), found["accepted"]))
    expect(place.converge().changed == 1, "the limit that was set by hand was not taken back")


def changed_meanwhile(place: Place) -> None:
    """Another language and another token cost no delivery and no restart; wrong settings are refused"""
    place.forget()
    before = place.process()

    def change() -> None:
        place.converge(mattermost_notifier_language="en",
                       mattermost_notifier_gitlab_tokens=[TOKEN, "another-token-of-the-proof"])

    accepted = place.accepted_while(change)
    place.until_told()
    texts = "\n".join(place.posts())
    expect(place.process() == before, "the notifier was started anew")
    expect("새 커밋" in texts and "pushed new commits" in texts, "it did not change while events came")
    numbers = sorted(int(one.split("-")[1]) for one in accepted)
    missing = sorted(set(range(len(numbers))) - set(numbers))
    expect(not missing, "events were not accepted:", missing)
    expect(place.count(accepted) == (0, 0), "lost, and twice:", place.count(accepted))
    refused = place.attempt(mattermost_notifier_routes=[{"events": ["merge"]}])
    expect(refused.status != 0 and "no event is called 'merge'" in refused.output, "wrong settings were not refused",
           refused.output[-1500:])
    place.converge()


def secrets(place: Place) -> None:
    """A token and a webhook's address are in one file of mode 0400, and nowhere else on the host"""
    run = place.converge("-vvv", "--diff", mattermost_notifier_language="en")
    place.converge()
    for secret in (TOKEN, HOOK):
        expect(secret not in run.output, f"{secret} shows in the output of a run")
        files = place.sh(f"grep -rlF -e {secret} /opt /etc /var/log /root /run 2>/dev/null", check=False).split()
        expect(files == ["/opt/mooring/mattermost_notifier/secrets/notifier/notifier.json"], f"{secret} lies in", files)
        seen = place.sh(f"docker inspect {NOTIFIER}; docker logs {NOTIFIER}; ps -eo args; tr '\\0' '\\n' < /proc/"
                        f"{place.process().split()[0]}/environ")
        lines = [line for line in seen.splitlines() if secret in line]
        expect(not lines, f"{secret} shows:", lines[:3])


CASES = (nothing_at_first, documented_events, fuzzed, mattermost_is_gone, killed, many_at_once, changed_meanwhile,
         secrets)
