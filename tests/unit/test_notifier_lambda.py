# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notifier as a function of AWS Lambda, with events of both payload formats."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
from notifier import aws_lambda
from notifier.aws_lambda import Function
from notifier.mattermost import Closed, Delivered, Later, Refused
from notifier.settings import SettingsError
from notifier_parts import DEPLOY, IMAGE, TOKEN, declared, listener, request

NOW = 1_800_000_000.0


class Mattermost:
    """Answers as it is told, and time passes only by waiting."""

    def __init__(self, *answers) -> None:
        self.answers, self.posts, self.now, self.timeouts = list(answers), [], NOW, []

    def send(self, url, post, timeout):
        assert url == "https://mattermost.example.com/hooks/sentinel"
        self.posts.append(post)
        self.timeouts.append(timeout)
        return self.answers.pop(0) if self.answers else Delivered()

    def wait(self, seconds):
        self.now += seconds

    def function(self, **settings) -> Function:
        return Function(declared(**settings), self.send, lambda: self.now, self.wait)


def url_event(body=None, path="/", encoded=False, method="POST", **headers):
    """Payload format 2.0: function URLs and HTTP APIs."""
    text = body if isinstance(body, str) else json.dumps(request() if body is None else body)
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "isBase64Encoded": encoded,
        "headers": {"x-gitlab-event": "Merge Request Hook", "x-gitlab-token": TOKEN, **headers},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.7"}, "stage": "$default"},
        "body": base64.b64encode(text.encode()).decode() if encoded else text}


def gateway_event(multiple=False, **changes):
    """Payload format 1.0: REST APIs and load balancers."""
    headers = {"X-Gitlab-Event": "Merge Request Hook", "X-Gitlab-Token": TOKEN}
    return {"resource": "/", "path": "/", "httpMethod": "POST", "isBase64Encoded": False, "body": json.dumps(request()),
            "headers": None if multiple else headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()} if multiple else None, **changes}


@pytest.mark.parametrize("event", [
    url_event(), url_event(encoded=True), url_event(path="/hooks/gitlab/"), gateway_event(),
    gateway_event(multiple=True)])
def test_both_formats_are_understood(event):
    there = Mattermost()
    answer = there.function()(event)
    assert answer["statusCode"] == 200 and json.loads(answer["body"]) == {"message": "told"}
    assert "!7 Add a till" in there.posts[0]["text"]


def test_a_load_balancer_gets_its_headers_back_as_it_sends_them():
    function = Mattermost().function()
    assert function(gateway_event(multiple=True))["multiValueHeaders"] == {"Content-Type": ["application/json"]}
    assert "multiValueHeaders" not in function(gateway_event()) and "headers" in function(url_event())


@pytest.mark.parametrize(("event", "status"), [
    (url_event(**{"x-gitlab-token": "x"}), 401), (url_event("["), 400), (url_event(method="GET"), 405),
    (url_event(**{"x-gitlab-event": "Push Hook"}), 200), ({}, 405), (gateway_event(httpMethod="GET"), 405),
    (gateway_event(body=None), 400), (gateway_event(body="\u00fc", isBase64Encoded=True), 400),
    (gateway_event(body={"a": 1}), 400), (gateway_event(headers=[1]), 400), (gateway_event(requestContext="x"), 200),
    (url_event({"result": "deployed", "application": "a", "release": "1"}, "/hooks/deploys", **{
        "x-mooring-token": DEPLOY}), 200),
    (url_event({"result": "deployed", "application": "a", "release": "1"}, "/hooks/deploys"), 401),
])
def test_whatever_comes_gets_an_answer(event, status):
    answer = Mattermost().function()(event)
    assert answer["statusCode"] == status and TOKEN not in json.dumps(answer)


def test_mattermost_is_asked_again_within_what_gitlab_waits():  # defect 83
    there = Mattermost(Later("status 503"), Later("status 503"))
    assert there.function()(url_event())["statusCode"] == 200
    assert len(there.posts) == 3 and there.now - NOW < 8
    there = Mattermost(*[Later("status 503")] * 20)
    answer = there.function()(url_event())
    assert answer["statusCode"] == 503 and "status 503" in answer["body"] and there.now - NOW < 8
    assert all(1.0 <= one <= 8.0 for one in there.timeouts)


def test_what_failed_may_come_again_and_what_was_told_may_not():
    there = Mattermost(Refused("status 404"), Delivered())
    function = there.function()
    event = url_event(**{"x-gitlab-event-uuid": "one"})
    assert [function(event)["statusCode"] for _number in range(3)] == [503, 200, 200]
    assert len(there.posts) == 2


def test_what_came_before_has_to_be_believed_again():
    function = Mattermost().function()
    assert function(url_event(**{"x-gitlab-event-uuid": "one"}))["statusCode"] == 200
    assert function(url_event(**{"x-gitlab-event-uuid": "one", "x-gitlab-token": "x"}))["statusCode"] == 401


def test_what_nobody_was_told_may_come_again():
    there = Mattermost()
    function = there.function(routes=[{"branches": ["other"]}])
    event = url_event(**{"x-gitlab-event-uuid": "one"})
    assert "no route" in function(event)["body"]
    function._settings = declared()
    assert "told" in function(event)["body"] and len(there.posts) == 1


@pytest.mark.parametrize("answer", [Refused("status 400"), Closed("status 403")])
def test_what_would_be_refused_again_is_not_asked_again(answer):
    there = Mattermost(answer)
    assert there.function()(url_event())["statusCode"] == 503
    assert len(there.posts) == 1 and there.now == NOW


def test_what_an_instance_needs_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(aws_lambda, "__file__", str(tmp_path / "notifier" / "aws_lambda.py"))
    monkeypatch.delenv("NOTIFIER_SECRETS", raising=False)
    with pytest.raises(SettingsError, match="notifier.json is missing"):
        aws_lambda._function()
    (tmp_path / "notifier.json").write_text("{}")
    with pytest.raises(SettingsError, match="NOTIFIER_SECRETS is missing"):
        aws_lambda._function()


def test_an_instance_knows_whether_pipelines_failed(monkeypatch):
    there = Mattermost()
    function = there.function()
    for status in ("success", "failed", "success"):
        function(url_event({"object_attributes": {"id": 1, "status": status, "ref": "main"}}, **{
            "x-gitlab-event": "Pipeline Hook"}))
    assert ["failed" in post["text"] for post in there.posts] == [True, False]


def test_what_an_instance_knows_has_a_limit(monkeypatch):
    monkeypatch.setattr("notifier.aws_lambda._KNOWN", 5)
    function = Mattermost().function()
    for number in range(9):
        function(url_event(request(number), **{"x-gitlab-event-uuid": str(number)}))
    assert len(function._seen) == 5


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """AWS Lambda's side of a function: hands out events, and is told the answers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        event = self.server.events.pop(0) if self.server.events else None
        if event is None:
            self.server.done.set()
            # As AWS keeps an instance that has nothing to do.
            self.server.ended.wait(30)
            return
        self.send_response(200)
        for name, value in (
                ("Aws-Request-Id", f"request-{len(self.server.events)}"), ("Deadline-Ms", "9999999999999"),
                ("Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:notifier")):
            self.send_header(f"Lambda-Runtime-{name}", value)
        # Without it the client is ended by a signal.
        self.send_header("Content-Type", "application/json")
        body = json.dumps(event).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.answers.append((self.path.rsplit("/", 1)[-1], body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if self.path.endswith("error"):
            self.server.done.set()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def aws(*events):
    """A runtime API with these events."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi) as server:
        server.daemon_threads = True
        server.events, server.answers = list(events), []
        server.done, server.ended = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.ended.set()
        server.shutdown()


def run_under_the_runtime(place, server, secrets):
    """The function as AWS unpacks and starts it, by AWS's own runtime interface client."""
    pytest.importorskip("awslambdaric", reason="AWS's runtime interface client has no package for this Python")
    shutil.copytree(IMAGE / "notifier", place / "notifier", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "notifier.json").write_text(json.dumps({"language": "ko"}))
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", "notifier.aws_lambda.lambda_handler"], cwd=place, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={
            **environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}", "PYTHONPATH": str(place),
            "AWS_LAMBDA_FUNCTION_NAME": "notifier",
            "NOTIFIER_SECRETS": json.dumps(secrets)})


def test_it_runs_as_aws_runs_it(tmp_path):
    with listener() as there, aws(url_event(), gateway_event(), url_event(**{"x-gitlab-token": "x"})) as server:
        process = run_under_the_runtime(
            tmp_path, server, {"gitlab_tokens": [TOKEN], "webhooks": {"default": there.url}})
        ended = server.done.wait(10)
        process.kill()
        said = process.communicate()[0]
        assert ended, said
        assert [(kind, body["statusCode"]) for kind, body in server.answers] == [
            ("response", 200), ("response", 200), ("response", 401)], said
        assert ["리뷰해" in text for text in there.texts()] == [True, True] and TOKEN not in said


def test_bad_settings_are_an_error_that_aws_shows(tmp_path):
    with aws(url_event()) as server:
        process = run_under_the_runtime(tmp_path, server, {"gitlab_tokens": [TOKEN], "webhooks": {}})
        ended = server.done.wait(10)
        process.kill()
        said = process.communicate()[0]
        assert ended, said
        ((kind, body),) = server.answers
        assert kind == "error" and "webhooks has to be an object with" in body["errorMessage"] and TOKEN not in said
