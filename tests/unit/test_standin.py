# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in behaves as the programs do whose names it is started by, as far as a deployment can tell."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "roles/distro_images/files/standin/standin.py"
LOKI = "server: {{http_listen_port: {port}}}\ncommon: {{path_prefix: {path}}}\n"
# RFC 6455, section 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.fixture
def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def command(tmp_path, name, *arguments):
    link = tmp_path / name
    if not link.exists():
        link.symlink_to(PROGRAM)
    return [sys.executable, str(link), *map(str, arguments)]


def run(tmp_path, name, *arguments, **options):
    return subprocess.run(command(tmp_path, name, *arguments), capture_output=True, text=True, timeout=30, check=False,
                          **options)


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer, b"" if answer.status == 101 else answer.read()


@contextlib.contextmanager
def running(port, argv, **options):
    """The program while it answers; it has to end well when it is told to."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **options)
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert time.monotonic() < deadline and process.poll() is None, process.stdout.read()
        process.send_signal(signal.SIGHUP)
        yield
    finally:
        process.terminate()
        said = process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert "this is not" in said


@pytest.mark.parametrize(("program", "arguments", "text", "why"), [
    ("loki", ["-verify-config", "-config.file={}"], "a: 1\n", ""),
    ("loki", ["-verify-config", "-config.file={}"], "a: [\n", "expected"),
    ("loki", ["-verify-config=true", "-config.file={}"], "a: 1\na: 2\n", "occurs twice"),
    ("loki", ["-verify-config", "-config.file={}"], "text", "not a mapping"),
    # defect 60
    ("loki", ["-verify-config", "-config.file={}"], "table_manager: {}\n", "table_manager not found"),
    ("promtail", ["-check-syntax", "-config.file={}"], "a: 1\n", ""),
    ("promtail", ["-check-syntax", "-config.file={}"], "- a\n", "not a mapping"),
    ("alloy", ["validate", "{}"], 'a "b" {\n  c = ["}", `{`] // {\n}\n', ""),
    ("alloy", ["fmt", "{}"], "a {", "is not closed"),
    ("alloy", ["validate", "{}"], "a { ]", ":1: ] closes nothing"),
    ("alloy", ["validate", "{}"], '\na = "x', ":2: a string does not end"),
    ("alloy", ["check", "{}"], "", "usage"),
    ("grafana", ["server", "{}"], "", "usage"),
    ("something", ["{}"], "", "start it as one of"),
])
def test_a_configuration_is_checked(tmp_path, program, arguments, text, why):
    file = tmp_path / "file"
    file.write_text(text)
    done = run(tmp_path, program, *(one.format(file) for one in arguments))
    assert (done.returncode == 0) == (why == "")
    assert why in done.stderr
    assert run(tmp_path, program, *(one.format(tmp_path / "missing") for one in arguments)).returncode == 1


def test_loki(tmp_path, port):
    config = tmp_path / "loki.yml"
    config.write_text(LOKI.format(port=port, path=tmp_path / "data"))
    health = ["-health", f"-health.url=http://127.0.0.1:{port}/ready"]
    assert run(tmp_path, "loki", *health).returncode == 1
    with running(port, command(tmp_path, "loki", f"-config.file={config}")):
        assert run(tmp_path, "loki", *health).returncode == 0
        assert ask(port, "POST", "/loki/api/v1/push", "{}")[0].status == 204
        assert b"standin_info" in ask(port, "GET", "/metrics")[1]
        assert ask(port, "GET", "/nowhere")[0].status == 404
    assert (tmp_path / "data/standin").exists()


def test_a_volume_that_cannot_be_written_to_is_an_error(tmp_path, port):
    (tmp_path / "data").write_text("")
    (tmp_path / "loki.yml").write_text(LOKI.format(port=port, path=tmp_path / "data"))
    done = run(tmp_path, "loki", f"-config.file={tmp_path / 'loki.yml'}")
    assert done.returncode == 1 and str(tmp_path / "data") in done.stderr


def test_kafka_exporter(tmp_path, port):
    secret = tmp_path / "arguments"
    secret.write_text("--sasl.password=a 'password'\n")
    argv = ["--kafka.server=kafka:9092", "--sasl.enabled", f"--web.listen-address=127.0.0.1:{port}"]
    assert "no password" in run(tmp_path, "kafka_exporter", *argv).stderr
    assert "unknown long flag '--sasl.passwort'" in run(tmp_path, "kafka_exporter", "--sasl.passwort=x").stderr
    with running(port, command(tmp_path, "kafka_exporter", *argv, f"@{secret}")):
        assert ask(port, "GET", "/healthz")[0].status == 200
        assert b"\nkafka_brokers 1\n" in ask(port, "GET", "/metrics")[1]


def test_alloy(tmp_path, port):
    (tmp_path / "config.alloy").write_text("logging {\n}\n")
    argv = ["run", f"--storage.path={tmp_path / 'data'}", f"--server.http.listen-addr=127.0.0.1:{port}",
            tmp_path / "config.alloy"]
    with running(port, command(tmp_path, "alloy", *argv)):
        assert ask(port, "GET", "/-/ready")[0].status == 200
        assert ask(port, "POST", "/-/reload")[0].status == 200


# defect 56
def test_grafana(tmp_path, port):
    (tmp_path / "password").write_text("first\n")
    (tmp_path / "provisioning/datasources").mkdir(parents=True)
    (tmp_path / "provisioning/datasources/one.yml").write_text("apiVersion: 1\n")
    environment = {
        "GF_PATHS_DATA": str(tmp_path), "GF_PATHS_PROVISIONING": str(tmp_path / "provisioning"),
        "GF_SERVER_HTTP_PORT": str(port), "GF_SERVER_ROOT_URL": "https://platform.test/grafana/",
        "GF_SERVER_SERVE_FROM_SUB_PATH": "true", "GF_SECURITY_ADMIN_PASSWORD__FILE": str(tmp_path / "password")}

    def login(password):
        body = json.dumps({"user": "admin", "password": password})
        return ask(port, "POST", "/grafana/login", body)[0].status

    with running(port, command(tmp_path, "run.sh"), env=environment):
        assert json.loads(ask(port, "GET", "/grafana/api/health")[1])["database"] == "ok"
        assert b"not Grafana" in ask(port, "GET", "/grafana/")[1]
        assert ask(port, "GET", "/login")[0].headers["Location"] == "https://platform.test/grafana/"
        assert (login("first"), login("second")) == (200, 401)
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY}
        answer, _body = ask(port, "GET", "/grafana/api/live/ws", None, **upgrade)
        assert (answer.status, answer.headers["Sec-WebSocket-Accept"]) == (101, ACCEPT)
        assert ask(port, "GET", "/grafana/api/live/ws")[0].status == 400

    # Another password in the file changes nothing, as with Grafana; its command does.
    (tmp_path / "password").write_text("second\n")
    with running(port, command(tmp_path, "run.sh"), env=environment):
        assert (login("first"), login("second")) == (200, 401)
    reset = ["cli", "--homepath", "/usr/share/grafana", "admin", "reset-admin-password", "--password-from-stdin"]
    assert run(tmp_path, "grafana", *reset, input="second\n", env=environment).returncode == 0
    with running(port, command(tmp_path, "run.sh"), env=environment):
        assert (login("first"), login("second")) == (401, 200)


def test_grafana_refuses_what_is_no_provisioning(tmp_path, port):
    (tmp_path / "password").write_text("first")
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards/one.json").write_text("{")
    (tmp_path / "provisioning/dashboards").mkdir(parents=True)
    (tmp_path / "provisioning/dashboards/one.yml").write_text(
        json.dumps({"providers": [{"options": {"path": str(tmp_path / "dashboards")}}]}))
    environment = {"GF_PATHS_DATA": str(tmp_path), "GF_PATHS_PROVISIONING": str(tmp_path / "provisioning"),
                   "GF_SERVER_HTTP_PORT": str(port), "GF_SECURITY_ADMIN_PASSWORD__FILE": str(tmp_path / "password")}
    assert run(tmp_path, "run.sh", env=environment).returncode == 1
