"""What the kernel allows, and the room on a disk."""

from __future__ import annotations

import os
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _step_host_limits as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

NAME = "vm.max_map_count"


class Module:
    def __init__(self, check_mode=False):
        self.check_mode = check_mode
        self.run_command = None


@pytest.fixture
def host(tmp_path, monkeypatch):
    (tmp_path / "proc/vm").mkdir(parents=True)
    monkeypatch.setattr(step, "SETTINGS", str(tmp_path / "proc"))
    monkeypatch.setattr(step.Docker, "info", lambda _docker: {"DockerRootDir": str(tmp_path / "docker")})
    return types.SimpleNamespace(now=tmp_path / "proc/vm/max_map_count", later=tmp_path / "sysctl.d/60-x.conf")


def converge(host, check_mode=False, **given):
    return step.converge(Module(check_mode), {
        "kernel": {NAME: "262144"}, "file": str(host.later), "disk_free": 0, "purpose": "Elasticsearch",
        "container": "", "setting": "", **given})


def test_what_is_too_low_is_raised_now_and_for_later(host):  # defect 68
    host.now.write_text("65530\n")
    planned = converge(host, check_mode=True)
    assert host.now.read_text() == "65530\n"
    assert not host.later.exists()
    result = converge(host)
    assert result["differences"] == planned["differences"]
    assert result["differences"][0] == {
        "object": f"kernel parameter {NAME}", "field": "value", "expected": 262144, "found": 65530}
    assert host.now.read_text() == "262144\n"
    assert f"{NAME} = 262144\n" in host.later.read_text()
    assert not converge(host)["changed"]


@pytest.mark.parametrize("value", ["262144\n", "1048576\n"])
def test_what_is_high_enough_is_left_alone(host, value):
    host.now.write_text(value)
    assert not converge(host)["changed"]
    assert not host.later.exists()


def test_a_file_that_would_bring_back_less_is_healed_and_one_that_brings_more_is_not(host):
    host.now.write_text("1048576\n")
    host.later.parent.mkdir()
    host.later.write_text(f"{NAME} = 65530\n")
    assert [one["object"] for one in converge(host)["differences"]] == ["kernel parameters after a restart"]
    assert not converge(host)["changed"]
    host.later.write_text(f"# Written by mooring.stack.\n{NAME} = 1048576\n")
    assert not converge(host)["changed"]


def test_what_cannot_be_set_is_refused_with_the_command(host, monkeypatch):
    host.now.write_text("65530\n")

    def refuse(path, mode="r", **others):
        if mode == "w":
            raise OSError(30, "Read-only file system")
        return open(path, mode, **others)

    monkeypatch.setattr(step, "open", refuse, raising=False)
    with pytest.raises(MooringError, match="Read-only file system.*run 'sysctl --write vm.max_map_count=262144'"):
        converge(host)
    assert not host.later.exists()


@pytest.mark.parametrize(("kernel", "message"), [
    ({NAME: "many"}, "whole number"), ({"../x": 1}, "no parameter of the kernel"),
    ({"vm.nosuch": 1}, "has no parameter"),
])
def test_what_is_no_parameter_is_refused(host, kernel, message):
    with pytest.raises(MooringError, match=message):
        converge(host, kernel=kernel)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_changed(host, monkeypatch):
    host.now.write_text("65530\n")
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(
        f_bavail=2**18, f_blocks=2**20, f_frsize=4096))
    with pytest.raises(MooringError, match="1.0 GiB are free below .*docker, and Elasticsearch needs 2.0 GiB"):
        converge(host, disk_free=2 * 2**30)
    assert host.now.read_text() == "65530\n"
    assert converge(host, disk_free=2**30)["changed"]


@pytest.mark.parametrize("runs", [True, False])
def test_what_runs_already_goes_on_with_a_full_disk(host, monkeypatch, runs):
    """A shorter retention is what makes room, and comes by the same run."""
    host.now.write_text("262144\n")
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(
        f_bavail=2**18, f_blocks=2**20, f_frsize=4096))
    monkeypatch.setattr(step.Docker, "process", lambda _docker, name: 7 if runs and name == "elasticsearch" else 0)
    given = {"disk_free": 2 * 2**30, "container": "elasticsearch", "setting": "elk_disk_reserve"}
    if runs:
        (notice,) = converge(host, **given)["notices"]
        assert "1.0 GiB are free" in notice and "ask for less with elk_disk_reserve." in notice
    else:
        with pytest.raises(MooringError, match="ask for less with elk_disk_reserve"):
            converge(host, **given)
    # More than there is at all.
    with pytest.raises(MooringError, match="needs 5.0 GiB to start"):
        converge(host, **{**given, "disk_free": 5 * 2**30})
