# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a host logs in to a registry, out of one, or leaves things alone."""

from __future__ import annotations

import base64
import json
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _step_registry_logins as step
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._registry_logins import (
    DOCKER_HUB,
    Login,
    decide,
    logins,
)

OURS = "registry.example.com"
ANN, BEN = Login("ann", "sesame"), Login("ben", "sesame")


def config(**entries: Login) -> str:
    """What docker login writes."""
    return json.dumps({"auths": {
        key: {"auth": base64.b64encode(f"{one.username}:{one.password}".encode()).decode()}
        for key, one in entries.items()}})


@pytest.mark.parametrize(("text", "expected"), [
    (None, {}),
    ("", {}),
    ('{"HttpHeaders": {}}', {}),
    (config(a=ANN), {"a": ANN}),
    (config(a=Login("ann", "se:same")), {"a": Login("ann", "se:same")}),
    ('{"auths": {"a": {}}}', {}),
    ('{"auths": {"a": {}}, "credsStore": "pass"}', {"a": Login(stored_elsewhere=True)}),
    ('{"auths": {"a": {}, "b": {}}, "credHelpers": {"a": "ecr-login"}}', {"a": Login(stored_elsewhere=True)}),
])
def test_logins(text, expected):
    assert logins(text, "config.json") == expected


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"a": {"auth": "x"}}}', '{"auths": [1]}'])
def test_a_file_that_cannot_be_read_is_named(text):
    with pytest.raises(MooringError, match=r"/root/\.docker/config\.json cannot be read"):
        logins(text, "/root/.docker/config.json")


@pytest.mark.parametrize(("found", "noted", "wished", "log_in", "log_out"), [
    pytest.param({}, [], {OURS: ANN}, (OURS,), (), id="new"),
    pytest.param({OURS: ANN}, [OURS], {OURS: ANN}, (), (), id="as declared"),
    pytest.param({OURS: BEN}, [OURS], {OURS: ANN}, (OURS,), (), id="another user"),
    pytest.param({OURS: Login("ann", "old")}, [OURS], {OURS: ANN}, (OURS,), (), id="another password"),
    pytest.param({OURS: Login(stored_elsewhere=True)}, [], {OURS: ANN}, (), (), id="in a credential store"),
    pytest.param({OURS: ANN}, [OURS], {}, (), (OURS,), id="no longer declared"),
    pytest.param({OURS: ANN}, [], {}, (), (), id="somebody's own"),
    pytest.param({}, [OURS], {}, (), (), id="gone already"),
    pytest.param({DOCKER_HUB: ANN}, [], {"docker.io": ANN}, (), (), id="Docker Hub has another name"),
])
def test_decide(found, noted, wished, log_in, log_out):
    plan = decide(found, noted, wished)
    assert (plan.log_in, plan.log_out) == (log_in, log_out)
    assert plan.changes_anything == bool(log_in or log_out)
    assert "sesame" not in repr(plan) and "old" not in repr(plan)


def converge(monkeypatch, tmp_path, registries, check_mode=False, refuses=False):
    said = []

    class Docker:
        def __init__(self, _run):
            pass

        def run(self, *args, data=None):
            if refuses:
                raise CommandFailed(["docker", *args], 1, "", "unauthorized: authentication required")
            said.append((args, data))

    monkeypatch.setattr(step, "Docker", Docker)
    monkeypatch.setattr(step, "NOTE", str(tmp_path / "etc" / "registry_logins.json"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    result = step.converge(types.SimpleNamespace(check_mode=check_mode, run_command=None), {"registries": registries})
    return result, said


DECLARED = {"name": OURS, "username": "ann", "password": "sesame"}


def test_the_password_is_no_argument(monkeypatch, tmp_path):  # defect 8
    result, said = converge(monkeypatch, tmp_path, [DECLARED])
    assert said == [(("login", "--username", "ann", "--password-stdin", OURS), "sesame")]
    assert result["changed"] and step.ours() == [OURS]
    assert "sesame" not in json.dumps(result)


def test_check_mode_asks_nobody(monkeypatch, tmp_path):
    result, said = converge(monkeypatch, tmp_path, [DECLARED], check_mode=True)
    assert result["changed"] and not said and step.ours() == []


def test_what_is_not_declared_any_more_is_left(monkeypatch, tmp_path):
    converge(monkeypatch, tmp_path, [DECLARED])
    (tmp_path / "config.json").write_text(config(**{OURS: ANN, "elsewhere.example.com": BEN}))
    result, said = converge(monkeypatch, tmp_path, [])
    assert said == [(("logout", OURS), None)] and result["changed"]
    assert step.ours() == []


def test_who_is_not_let_in_is_named_without_the_password(monkeypatch, tmp_path):
    with pytest.raises(MooringError, match="does not let ann in: unauthorized.*docker_engine_registries") as raised:
        converge(monkeypatch, tmp_path, [DECLARED], refuses=True)
    assert "sesame" not in str(raised.value)


def test_a_damaged_note_says_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(step, "NOTE", str(tmp_path / "note"))
    for text in ("", "{", "[]", '{"addresses": null}'):
        (tmp_path / "note").write_text(text)
        assert step.ours() == []
