# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the engine listens and whose group may ask it, and how a compose file is told."""

from __future__ import annotations

import os
import socket
import types
import typing as t

import pytest
import yaml
from ansible_collections.mooring.stack.plugins.module_utils import _component as component
from ansible_collections.mooring.stack.plugins.module_utils import _step_engine_socket as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._project import COMPOSE_FILE
from ansible_collections.mooring.stack.plugins.module_utils._step_compose_project import declaration
from ansible_collections.mooring.stack.plugins.plugin_utils import _compose_file as compose_file

GID = os.getegid()
MARK = "101:__engine_socket.gid__"


@pytest.fixture
def engine(tmp_path) -> t.Iterator[str]:
    """A socket that its group may use."""
    path = str(tmp_path / "engine.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        os.chmod(path, 0o660)
        yield path


def run(path: str, check_mode: bool = False) -> dict[str, t.Any]:
    return step.converge(types.SimpleNamespace(check_mode=check_mode), {"path": path})


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_group_of_the_socket(engine, check_mode):
    assert run(engine, check_mode) == {
        "changed": False, "differences": [], "notices": [], "gid": GID}


def test_a_host_without_an_engine_is_predicted_and_not_converged(tmp_path):
    path = str(tmp_path / "none.sock")
    assert run(path, check_mode=True) == {
        "changed": False, "differences": [], "notices": [], "gid": None}
    with pytest.raises(MooringError, match=f"There is no Docker socket at {path}. Run the docker_engine role first"):
        run(path)


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_no_socket_is_refused(tmp_path, kind, check_mode):
    path = tmp_path / "docker.sock"
    path.mkdir() if kind == "directory" else path.write_text("")
    with pytest.raises(MooringError, match=f"is not a socket. Something has put a {kind} where"):
        run(str(path), check_mode)


def test_a_socket_of_root_alone_is_refused(engine):
    os.chmod(engine, 0o600)
    with pytest.raises(MooringError, match=r"may not use it \(mode 0600\).*'group' in daemon.json"):
        run(engine)


def test_a_compose_file_is_told_the_group(engine):
    """The mark is still there when the controller has made the file, and gone before its digest is taken."""
    rendered = yaml.safe_load(f'services: {{engine: {{image: "nginx:1.30", user: "{MARK}"}}}}')
    project = compose_file.complete(rendered, name="x-monitoring", component="monitoring", network="x", defaults={})
    tree, secrets = compose_file.tree({COMPOSE_FILE: compose_file.dump(project, "monitoring")}, {}, {})
    arguments = {
        "name": "monitoring", "tree": tree, "tree_secrets": secrets, "services": compose_file.facts(project),
        "volumes": [], "reload": [], "stateful": []}
    assert MARK in tree[0]["content"]
    assert step.OFFERS.keys() <= run(engine).keys()

    def made(gid: int) -> tuple[str, str]:
        declared, contents = declaration(component.filled(arguments, {"engine_socket": {"gid": gid}}), b"key")
        return contents[COMPOSE_FILE].decode(), declared.entries[COMPOSE_FILE].digest

    (text, digest), (other, other_digest) = made(998), made(7)
    # Plain, which to Compose (YAML 1.2) is a string; PyYAML (1.1) would make 6067 of the second, to the base of 60.
    assert "user: 101:998\n" in text and "user: 101:7\n" in other
    assert digest != other_digest, "a host whose group has another number has another file"
    assert made(998)[1] == digest


def test_a_component_with_it_is_valid():
    owned = {"path": "/x", "owner": "__engine_socket.gid__"}
    steps = component.parse([{"engine_socket": {}}, {"shared_directory": owned}], set())
    assert [one.name for one in steps] == ["engine_socket", "shared_directory"]
    assert component.filled(MARK, {"engine_socket": {"gid": ""}}) == "101:"
