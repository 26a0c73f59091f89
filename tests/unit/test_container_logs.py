# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links to the log files of containers."""

from __future__ import annotations

import os
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _step_container_logs as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

BELOW = "/var/lib/docker/containers"


def container(name="mooring-shop-blue-app-1", number="a", project="mooring-shop-blue", driver="json-file", path=None):
    log = f"{BELOW}/{number}/{number}-json.log" if path is None else path
    return {"Id": number, "Name": f"/{name}", "LogPath": log, "Config": {"Labels": {step.PROJECT: project}},
            "HostConfig": {"LogConfig": {"Type": driver}}}


def test_links_have_the_names_of_containers():
    links, notices = step.wanted([container()], "mooring", BELOW)
    assert links == {"mooring-shop-blue-app-1.log": f"{BELOW}/a/a-json.log",
                     "mooring-shop-blue-app-1.log.1": f"{BELOW}/a/a-json.log.1"}
    assert notices == []


@pytest.mark.parametrize("other", [
    container(project="mooring2-shop"), container(project=""), container(path=""),
    {**container(), "Config": {"Labels": None}},
])
def test_what_is_not_ours_or_was_never_started_has_none(other):
    assert step.wanted([other], "mooring", BELOW) == ({}, [])


def test_another_driver_is_said():
    links, (notice,) = step.wanted([container(driver="local")], "mooring", BELOW)
    assert links == {}
    assert "mooring-shop-blue-app-1 logs with the driver local" in notice


def test_a_log_that_lies_elsewhere_is_refused():
    with pytest.raises(MooringError, match="/srv/docker/containers/a, which is not below"):
        step.wanted([container(path="/srv/docker/containers/a/a-json.log")], "mooring", BELOW)


def run(monkeypatch, path, containers, check_mode=False, installed=True):
    class Docker:
        def __init__(self, _run):
            pass

        def installed(self):
            return installed

        def containers(self, *labels):
            assert step.NO_ONE_OFF in labels
            return [one["Id"] for one in containers]

        def inspect(self, kind, ids):
            assert kind == "container"
            return [one for one in containers if one["Id"] in ids]

    monkeypatch.setattr(step, "Docker", Docker)
    module = types.SimpleNamespace(check_mode=check_mode, run_command=None)
    return step.converge(module, {"path": str(path), "prefix": "mooring", "labels": ["a", "b"], "below": BELOW + "/"})


def test_links_follow_the_containers(monkeypatch, tmp_path):
    path = tmp_path / "containers"
    predicted = run(monkeypatch, path, [container()], check_mode=True)
    assert predicted["changed"] and not path.exists()
    assert run(monkeypatch, path, [container()]) == predicted
    assert run(monkeypatch, path, [container()]) == {"changed": False, "differences": [], "notices": []}
    assert os.readlink(path / "mooring-shop-blue-app-1.log") == f"{BELOW}/a/a-json.log"
    # Made anew.
    changed = run(monkeypatch, path, [container(number="b")])
    assert [one["field"] for one in changed["differences"]] == ["target", "target"]
    assert os.readlink(path / "mooring-shop-blue-app-1.log.1") == f"{BELOW}/b/b-json.log.1"
    # Gone.
    gone = run(monkeypatch, path, [])
    assert [one["expected"] for one in gone["differences"]] == [None, None]
    assert os.listdir(path) == []


def test_a_run_that_was_killed_is_finished(monkeypatch, tmp_path):
    (tmp_path / ".mooring-shop-blue-app-1.log.new").symlink_to("/nowhere")
    run(monkeypatch, tmp_path, [container()])
    assert sorted(os.listdir(tmp_path)) == ["mooring-shop-blue-app-1.log", "mooring-shop-blue-app-1.log.1"]


def test_what_is_no_link_is_refused_and_what_is_none_of_ours_left_alone(monkeypatch, tmp_path):
    (tmp_path / "README").write_text("mine")
    run(monkeypatch, tmp_path, [])
    assert os.listdir(tmp_path) == ["README"]
    (tmp_path / "x.log").write_text("a file")
    with pytest.raises(MooringError, match="x.log is not a link"):
        run(monkeypatch, tmp_path, [])


def test_without_an_engine_there_is_nothing_to_do(monkeypatch, tmp_path):
    assert not run(monkeypatch, tmp_path, [container()], installed=False)["changed"]
