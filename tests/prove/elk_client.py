#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What asks Elasticsearch as a component does. Runs in a container of the platform network.

    elk_client.py ask      each line of the input is a request as JSON (method, path, body, user, password); its
                           answer is one line: [status, body]
    elk_client.py write    the first line of the input is such a request, sent again and again until the input ends;
                           prints the id of each document that was acknowledged
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import sys
import threading
import typing as t

HOST, PORT, SECONDS = "elasticsearch", 9200, 30


def answer(request: dict[str, t.Any]) -> tuple[int, t.Any]:
    """Status and body; status 0 and the reason where there was no answer. A request is sent once only."""
    headers = {"Content-Type": "application/json"}
    if request.get("user"):
        login = f"{request['user']}:{request['password']}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    body = None if request.get("body") is None else json.dumps(request["body"]).encode()
    # A connection each, because the server may have been killed since the last one.
    with contextlib.closing(http.client.HTTPConnection(HOST, PORT, timeout=SECONDS)) as connection:
        try:
            connection.request(request["method"], request["path"], body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}"
    return response.status, json.loads(content) if content else None


def ask() -> None:
    """Until there are no more requests."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def write() -> None:
    """Until the input ends. A document whose fate is not known is not counted and not sent again."""
    request = json.loads(sys.stdin.readline())
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        status, document = answer(request)
        if status == 201:
            print(document["_id"], flush=True)
        else:
            ended.wait(0.2)


if __name__ == "__main__":
    {"ask": ask, "write": write}[sys.argv[1]]()
