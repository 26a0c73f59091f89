# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitLab, as the notifier knows it: sends deliveries, and says how each was answered.

    notifier_client.py send              each of the given deliveries, one after the other
    notifier_client.py fuzz COUNT        bodies that almost are events
    notifier_client.py write             events until the input ends; prints those that were accepted
    notifier_client.py flood COUNT       so many events as fast as they are accepted

The first line of the input is JSON: ``token``, ``run`` (another one each time), and for send and fuzz ``deliveries``.
"""

from __future__ import annotations

import collections
import http.client
import json
import random
import re
import sys
import threading
import time
import typing as t

# As short as a deployment's own network makes it; GitLab waits 10 s.
TIMEOUT = 10
REQUESTS = 20
# A text that is a value, with what comes before it.
TEXT = re.compile(rb'": "(?:[^"\\]|\\.)*"')
THREADS = 8


class Hook:
    """A connection that is opened anew when it is gone."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.connection = http.client.HTTPConnection("notifier", 8080, timeout=TIMEOUT)

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        """The status; 0 where there was no answer."""
        try:
            self.connection.request("POST", "/hooks/gitlab", body, {
                "Content-Type": "application/json", "X-Gitlab-Token": self.token, **headers})
            answer = self.connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return 0


def event(run: str, request: int, number: int) -> tuple[bytes, dict[str, str]]:
    """One of many about a merge request. The same of another run is another event."""
    body = {
        "object_kind": "merge_request", "user": {"id": 4, "name": "Kim", "username": "kim"},
        "project": {"id": 1, "path_with_namespace": "shop/backend"},
        "object_attributes": {
            "iid": request, "title": f"event {number}", "action": "update", "oldrev": "0" * 40, "author_id": 4,
            "source_branch": "till", "target_branch": "main",
            "url": f"https://gitlab.example.com/shop/backend/-/merge_requests/{request}"}}
    headers = {"X-Gitlab-Event": "Merge Request Hook", "Idempotency-Key": f"{run} {request} {number}"}
    return json.dumps(body).encode(), headers


def send(hook: Hook, deliveries: list[dict[str, t.Any]]) -> None:
    """Statuses, in order."""
    print(json.dumps([hook.post(json.dumps(one["body"]).encode(), one["headers"]) for one in deliveries]))


def fuzz(hook: Hook, count: int, deliveries: list[dict[str, t.Any]]) -> None:
    """How often each status came."""
    chance, statuses = random.Random(9), collections.Counter()
    bodies = [json.dumps(one["body"]).encode() for one in deliveries]
    events = [one["headers"].get("X-Gitlab-Event", "") for one in deliveries]
    for _number in range(count):
        body = bytearray(chance.choice(bodies))
        way = chance.randrange(5)
        if way == 0:  # cut short
            del body[chance.randrange(len(body)):]
        elif way == 1:  # anything
            body = bytearray(chance.randbytes(chance.randrange(2000)))
        elif way == 2:  # a piece of another
            other = chance.choice(bodies)
            at = chance.randrange(len(body))
            body[at:at + 200] = other[chance.randrange(len(other)):][:200]
        elif way == 3:  # a value of another kind
            values = (b"null", b"[]", b"{}", b"-1e999", b"true", b'"\\ud800"', b'"https://x/\\ud800"', b"1" * 5000)
            for value in chance.sample(texts := list(TEXT.finditer(body)), min(len(texts), 3)):
                body = body.replace(value[0], b'": ' + chance.choice(values))
        else:  # flipped bits
            for _flip in range(chance.randrange(1, 10)):
                body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        # Some are longer than a body may be.
        if chance.randrange(500) == 0:
            body = bytearray(b" " * (2**20 + 10))
        statuses[hook.post(bytes(body), {"X-Gitlab-Event": chance.choice(events)})] += 1
    print(json.dumps(statuses))


def write(hook: Hook, run: str) -> None:
    """One line for each event that was accepted, until the input ends."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    number = 0
    while not ended.is_set():
        request = number % REQUESTS + 1
        if hook.post(*event(run, request, number)) == 202:
            print(f"{request}-{number}", flush=True)
        number += 1
        time.sleep(0.005)


def flood(token: str, run: str, count: int) -> None:
    """How many were accepted in which time, and what became of the others."""
    statuses: collections.Counter[int] = collections.Counter()

    def work(thread: int) -> None:
        hook = Hook(token)
        for number in range(count // THREADS):
            statuses[hook.post(*event(run, 1000 + thread, number))] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    begin = time.monotonic()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    seconds = time.monotonic() - begin
    print(json.dumps({"accepted": statuses.pop(202, 0), "others": dict(statuses), "seconds": seconds}))


def main() -> None:
    """Do what the arguments say."""
    given = json.loads(sys.stdin.readline())
    action, *rest = sys.argv[1:]
    hook = Hook(given["token"])
    if action == "send":
        send(hook, given["deliveries"])
    elif action == "fuzz":
        fuzz(hook, int(rest[0]), given["deliveries"])
    elif action == "write":
        write(hook, given["run"])
    else:
        flood(given["token"], given["run"], int(rest[0]))


if __name__ == "__main__":
    main()
