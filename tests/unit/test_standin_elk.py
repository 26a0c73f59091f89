# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as Kibana, Logstash and Filebeat, started on what the role elk renders."""

from __future__ import annotations

import contextlib
import json
import subprocess
import types

import pytest
import test_elk_kibana as role
import test_elk_pipelines as pipelines
from ansible_collections.mooring.stack.plugins.module_utils import _step_kibana_objects as step
from test_standin import PROGRAM, ask, command, port, run, running

__all__ = ["port"]


def logstash(tmp_path, port):
    """Everything where the start script looks for it, below a directory of the test's own."""
    home, etc = tmp_path / "home", tmp_path / "etc"
    for place in ("home/bin", "home/config", "home/data", "settings", "secrets", "etc/settings", "etc/pipelines/main",
                  "etc/pipelines/dead_letters"):
        (tmp_path / place).mkdir(parents=True)
    for name in ("logstash", "logstash-keystore"):
        (home / "bin" / name).write_text(f"#!/bin/sh\nexec python3 {tmp_path}/{name} \"$@\"\n")
        (home / "bin" / name).chmod(0o755)
        (tmp_path / name).symlink_to(PROGRAM)
    (home / "config/log4j2.properties").touch()
    (tmp_path / "secrets/elasticsearch_password").write_text("a $word 'with' \"quotes\"\\")

    def moved(text):
        return (text.replace("/usr/share/logstash", str(home)).replace("/etc/mooring", str(etc))
                .replace("/run/secrets", str(tmp_path / "secrets")).replace("/run/logstash", str(tmp_path / "settings"))
                .replace("9600", str(port)).replace("0.0.0.0", "127.0.0.1"))

    for name in ("logstash.yml", "pipelines.yml"):
        (etc / "settings" / name).write_text(moved(pipelines.render(f"logstash/settings/{name}.j2")))
    for directory in ("main", "dead_letters"):
        for name, text in pipelines.files(directory).items():
            (etc / "pipelines" / directory / name).write_text(text)
    script = tmp_path / "start.sh"
    script.write_text(moved((pipelines.PROJECT / "logstash/bin/start.sh").read_text()))
    return ["sh", str(script)]


# defect 65
def test_logstash_starts_with_a_password_out_of_its_keystore(tmp_path, port):
    with running(port, logstash(tmp_path, port)):
        for name in ("main", "dead_letters"):
            assert ask(port, "GET", f"/_node/pipelines/{name}")[0].status == 200
        assert ask(port, "GET", "/_node/pipelines/other")[0].status == 404
    store = tmp_path / "settings/logstash.keystore"
    assert json.loads(store.read_text()) == {"ELASTICSEARCH_PASSWORD": "a $word 'with' \"quotes\"\\"}
    assert store.stat().st_mode & 0o077 == 0
    assert (tmp_path / "home/data/dead_letter_queue/main").is_dir()


def test_logstash_checks_pipelines(tmp_path, port):
    argv = [*logstash(tmp_path, port), "--config.test_and_exit"]
    assert "Configuration OK" in subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    pipeline = tmp_path / "etc/pipelines/main/20-spring.conf"
    for text, problem in [("filter { drop { }", "is not closed"), ("filter { } }", "closes nothing"),
                          ('filter { drop { id => "x } }\n', "a string does not end")]:
        pipeline.write_text(text)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert problem in done.stderr
        assert "20-spring.conf:1" in done.stderr
    pipeline.unlink()
    (tmp_path / "secrets/elasticsearch_password").unlink()
    (tmp_path / "settings/logstash.keystore").unlink()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert "Cannot evaluate `${ELASTICSEARCH_PASSWORD}`" in done.stderr


# defect 70, 73
def test_filebeat(tmp_path, port):
    config = tmp_path / "filebeat.yml"
    text = pipelines.render("filebeat/filebeat.yml.j2").replace("5066", str(port))
    config.write_text(text.replace("/var/lib/mooring", str(tmp_path / "registry")))
    assert run(tmp_path, "filebeat", "test", "config", "-c", config).stdout == "Config OK\n"
    with running(port, command(tmp_path, "filebeat", "-c", config)):
        assert ask(port, "GET", "/")[0].status == 200
    assert (tmp_path / "registry/standin").exists()
    for old, new, problem in [("type: filestream", "type: log", "Log input is deprecated"),
                              ("id: containers", "id: mysql-slow-log", "unique ids"),
                              ("output.logstash", "output.other", "no output")]:
        config.write_text(text.replace(old, new))
        assert problem in run(tmp_path, "filebeat", "test", "config", "-c", config).stderr


# defect 69
def test_kibana_under_its_base_path_takes_the_objects_once(tmp_path, port, monkeypatch):
    files = []
    for name in ("kibana/kibana.yml.j2", role.SECRET):
        files += ["--config", tmp_path / name.replace("/", "-")]
        text = pipelines.render(name, **role.VARIABLES).replace("5601", str(port)).replace("0.0.0.0", "127.0.0.1")
        files[-1].write_text(text.replace("/usr/share/kibana/data", str(tmp_path / "data")))
    monkeypatch.setattr(step.Docker, "address", lambda *_args: "127.0.0.1")
    monkeypatch.setattr(step.Docker, "inside", lambda *_args: contextlib.nullcontext())
    params = {"container": "kibana", "network": "mooring", "port": port, "base_path": "/kibana",
              "login_user": "mooring", "login_password": "x", "objects": json.loads(role.SOURCE),
              "record": str(tmp_path / "record.json")}
    module = types.SimpleNamespace(check_mode=False, run_command=None)
    with running(port, command(tmp_path, "kibana", *files)):
        assert ask(port, "GET", "/kibana/api/status")[0].status == 200
        assert ask(port, "GET", "/api/status")[0].status == 404
        assert ask(port, "POST", "/kibana/api/saved_objects/_import", "{}")[0].status == 400
        assert step.converge(module, params)["changed"]
        assert not step.converge(module, params)["changed"]
    # They are in its volume.
    with running(port, command(tmp_path, "kibana", *files)):
        assert not step.converge(module, params)["changed"]


@pytest.mark.parametrize("key", ["xpack.security.encryptionKey", "xpack.reporting.encryptionKey"])
def test_kibana_refuses_a_key_that_is_too_short(tmp_path, key):
    (tmp_path / "kibana.yml").write_text(f"{key}: short\npath.data: {tmp_path}\n")
    done = run(tmp_path, "kibana", "--config", tmp_path / "kibana.yml")
    assert done.returncode == 1
    assert key in done.stderr
