# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notifier as it is started: it says what is wrong, takes new settings, and ends well whenever it is told to."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t

import pytest
from notifier_parts import IMAGE, TOKEN, delivery, listener, request

URL = "http://127.0.0.1:{}/hooks/x"


class Program:
    """The command line in a directory of its own, with a port that is free."""

    def __init__(self, place: pathlib.Path, webhook: str) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.place, self.webhook = place, webhook
        self.declare()

    def declare(self, secret: dict[str, t.Any] | None = None, **public: t.Any) -> None:
        (self.place / "settings.json").write_text(json.dumps(public))
        (self.place / "secrets.json").write_text(json.dumps(
            {"gitlab_tokens": [TOKEN], "webhooks": {"default": self.webhook}, **(secret or {})}))

    def argv(self, command: str, *more: str) -> list[str]:
        start = f"import notifier.__main__ as program, sys; program.PORT = {self.port}; sys.exit(program.main())"
        return [sys.executable, "-c", start, command, "--settings", str(self.place / "settings.json"), "--secrets",
                str(self.place / "secrets.json"), "--data", str(self.place), *more]

    def run(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(command, *more), cwd=IMAGE, capture_output=True, text=True, check=False,
                              timeout=60, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    @contextlib.contextmanager
    def serving(self) -> t.Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(self.argv("serve"), cwd=IMAGE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            deadline = time.monotonic() + 30
            while self.run("probe").returncode:
                assert time.monotonic() < deadline and process.poll() is None
            yield process
        finally:
            process.kill()
            process.wait()

    def send(self, number: int) -> int:
        one = delivery(request(number))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/hooks/gitlab", one.body, {"Content-Type": "application/json", **one.headers})
        return connection.getresponse().status


@pytest.fixture
def program(tmp_path):
    with listener() as there:
        made = Program(tmp_path, there.url)
        made.there = there
        yield made


def test_bad_settings_end_it_with_all_reasons(program):
    program.declare(language="de", routes=[{"events": ["merge"]}])
    for command in ("check", "serve", "reload", "probe"):
        done = program.run(command)
        assert done.returncode == 2
        assert "mattermost_notifier_language is 'de'" in done.stderr and "no event is called 'merge'" in done.stderr
    assert TOKEN not in done.stderr


def test_who_is_not_there_is_said(program):
    for command in ("probe", "reload"):
        done = program.run(command, "--process", "0")
        assert done.returncode == 1 and "does not answer" in done.stderr


def test_what_cannot_be_read_is_said(program):
    (program.place / "outbox.sqlite").write_bytes(b"no database" * 1000)
    (program.place / "ca.pem").write_text("no certificate")
    for more, reason in (
            ((), "outbox.sqlite in the volume notifier-data cannot be used (file is not a database)"),
            (("--ca-file", "/nowhere/ca.pem"), "mattermost_notifier_ca_file: /nowhere/ca.pem has no certificates"),
            (("--ca-file", str(program.place / "ca.pem")), "ca.pem has no certificates that can be read"),
            (("--settings", "/nowhere/settings.json"), "No such file or directory: '/nowhere/settings.json'")):
        done = program.run("serve", *more)
        assert done.returncode == 2 and reason in done.stderr and "Traceback" not in done.stderr, done.stderr


class Other(http.server.BaseHTTPRequestHandler):
    """A program that is no notifier."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"message": "' + TOKEN.encode() + b'"}')

    def log_message(self, *_arguments: object) -> None:
        pass


def test_another_program_is_not_taken_for_the_notifier(program):
    with http.server.ThreadingHTTPServer(("127.0.0.1", program.port), Other) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        done = program.run("reload", "--process", "0")
        assert done.returncode == 1 and done.stderr == "The notifier does not answer: ValueError\n", done.stderr
        server.shutdown()


def test_a_token_that_no_header_can_have_is_refused_and_not_quoted(program):
    program.declare({"gitlab_tokens": [TOKEN + "\n"]})
    for command in ("check", "probe"):
        done = program.run(command)
        assert done.returncode == 2 and "mattermost_notifier_gitlab_tokens: token 1 has white space" in done.stderr
        assert TOKEN not in done.stdout + done.stderr


def test_the_probe_signs_its_event_where_there_is_a_key(program):
    key = "whsec_" + base64.b64encode(b"sixteen bytes and a few more").decode()
    program.declare({"gitlab_tokens": [], "signing_tokens": [key]})
    with program.serving():
        other = "whsec_" + base64.b64encode(b"another key of some length").decode()
        program.declare({"gitlab_tokens": [], "signing_tokens": [other]})
        done = program.run("probe")
        assert done.returncode == 1 and "no signature by a declared token" in done.stderr
    assert program.there.posts == []


def test_new_settings_are_taken_by_the_running_one(program):
    with program.serving() as process:
        program.declare(language="ko")
        assert program.run("reload", "--process", str(process.pid)).returncode == 0
        assert program.send(1) == 202
        deadline = time.monotonic() + 20
        while not program.there.posts:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "리뷰해" in program.there.texts()[0]


def test_it_ends_well_in_the_middle_of_work(program):
    with program.serving() as process:
        ended, accepted = threading.Event(), []

        def work(first: int) -> None:
            number = first
            while not ended.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if program.send(number) == 202:
                        accepted.append(number)
                number += 4

        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for one in threads:
            one.start()
        while len(accepted) < 50:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
        ended.set()
        for one in threads:
            one.join()
    assert process.returncode == 0 and '"ended"' in said and "Traceback" not in said, said
    # What was accepted is told by the next one.
    with program.serving():
        deadline = time.monotonic() + 60
        while len(program.there.posts) < len(accepted):
            assert time.monotonic() < deadline, (len(program.there.posts), len(accepted))
            time.sleep(0.1)
    told = [text.split("!")[1].split()[0] for text in program.there.texts()]
    assert {str(number) for number in accepted} <= set(told)
