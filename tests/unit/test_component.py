# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several steps in one call: their order, their arguments, their failures, their secrets."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import subprocess
import sys
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _component as component
from ansible_collections.mooring.stack.plugins.module_utils._component import Step, converge, joined, named, parse
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import HeldBack, MooringError, domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._files import make_directory
from ansible_collections.mooring.stack.plugins.plugin_utils import _steps

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGIN = {"login_user": "health", "login_password": "h", "record": "/nowhere/record"}
REDIS = {"redis_server": {"socket": "/nowhere/redis.sock", "accounts": [], **LOGIN}}


def difference(name: str) -> dict:
    return Difference(name, "presence", "present", None).as_dict()


MODULE = types.SimpleNamespace(no_log_values=set())


def steps(ran: list[str], **endings: Exception | None) -> list[Step]:
    """Steps that note in ``ran`` that they ran, and end as told; each has one difference."""

    def code(name: str, ending: Exception | None) -> types.ModuleType:
        module = types.ModuleType(name)

        def converge(_module: object, params: dict) -> dict:
            ran.append(name)
            if ending:
                raise ending
            return {"changed": True, "differences": [difference(name)], "notices": [f"look at {name}"], **params}

        module.converge = converge
        module.ARGUMENT_SPEC = {"given": {"type": "str"}, "stop": {"type": "bool"}, "plan": {"type": "dict"}}
        return module

    return [Step(name, code(name, ending), {"given": name}) for name, ending in endings.items()]


def test_steps_run_in_their_order_and_their_results_are_joined():
    ran: list[str] = []
    result = converge(MODULE, steps(ran, one=None, two=None))
    assert ran == ["one", "two"]
    assert result["changed"]
    assert result["differences"] == [difference("one"), difference("two")]
    assert result["notices"] == ["look at one", "look at two"]
    assert [(step["step"], step["given"]) for step in result["steps"]] == [("one", "one"), ("two", "two")]


def test_a_step_that_fails_ends_the_call_and_keeps_what_was_decided():
    ran: list[str] = []
    failure = MooringError("It broke.", differences=[difference("two")], logs="last words")
    with pytest.raises(MooringError, match="^It broke.$") as caught:
        converge(MODULE, steps(ran, one=None, two=failure, three=None))
    assert ran == ["one", "two"]
    assert not isinstance(caught.value, HeldBack)
    details = caught.value.details
    assert details["differences"] == [difference("one"), difference("two")]
    assert details["changed"], "what the first step did is not undone"
    assert details["logs"] == "last words"
    assert [step["step"] for step in details["steps"]] == ["one", "two"]


def test_a_restart_that_is_held_back_does_not_keep_the_others_waiting():
    ran: list[str] = []
    held = HeldBack("mysql would have to be restarted.", changed=True, differences=[difference("mysql")])
    with pytest.raises(HeldBack, match="^mysql would have to be restarted.$") as caught:
        converge(MODULE, steps(ran, one=held, two=None))
    assert ran == ["one", "two"]
    assert caught.value.details["differences"] == [difference("mysql"), difference("two")]


def test_a_step_can_end_the_call_without_a_failure():
    ran: list[str] = []
    (first, second) = steps(ran, one=None, two=None)
    first.arguments["stop"] = True
    assert [step["step"] for step in converge(MODULE, [first, second])["steps"]] == ["one"]
    assert ran == ["one"]


@pytest.mark.parametrize(("stops", "ran"), [
    ((), ["ask 1", "do 1", "ask 2", "do 2", "ask 3"]),
    ((0,), ["ask 1", "ask 2", "do 2", "ask 3"]),
    ((0, 2), ["ask 1", "ask 2", "ask 3"]),
    ((2, 4), ["ask 1", "do 1", "ask 2", "ask 3"]),
])
def test_a_chain_that_ends_early_leaves_the_next_one_alone(stops, ran):
    did: list[str] = []
    chain = steps(did, ask=None, do=None, ask2=None, do2=None, ask3=None)
    given = ("ask 1", "do 1", "ask 2", "do 2", "ask 3")
    found = [Step(word.split()[0], one.code, {"given": word, "stop": index in stops})
             for index, (word, one) in enumerate(zip(given, chain, strict=True))]
    for step in found:
        step.code.OFFERS = {"given": "a sample"}
        step.arguments["plan"] = {"told": "__ask.given__"}
    result = converge(MODULE, found)
    assert [step["given"] for step in result["steps"]] == ran
    assert [step["step"] for step in result["steps"]] == [word.split()[0] for word in ran]
    # Each is told what its own chain said.
    told = {step["given"]: step["plan"]["told"] for step in result["steps"] if step["step"] == "do"}
    assert told == {word: word.replace("do", "ask") for word in ran if word.startswith("do")}


def test_a_step_is_told_what_an_earlier_one_offers():
    ran: list[str] = []
    first, second = steps(ran, one=None, two=None)
    first.code.OFFERS = {"given": "a sample"}
    second.arguments["given"] = "x-__one.given__, but not __one.plan__ and __two.given__"
    assert converge(MODULE, [first, second])["steps"][1]["given"] == "x-one, but not __one.plan__ and __two.given__"
    nested = {"__one.given__": [("__one.given__", 1)], "none": None}
    assert component.filled(nested, {"one": {"given": "blue"}}) == {"blue": [["blue", 1]], "none": None}


def test_arguments_that_an_earlier_step_fills_are_checked_with_a_sample():
    decide = {"release_info": {"name": "demo", "release": "1", "image": "demo:1", "stop_if_due": True}}
    switch = {"name": "demo", "release": "1", "image": "demo:1", "seal": "__release_info.seal__"}
    parse([decide, {"release_switch": {"colour": "__release_info.target__", **switch}}], set())
    with pytest.raises(MooringError, match="Step 2, release_switch: value of colour must be one of: blue, green"):
        parse([decide, {"release_switch": {"colour": "__release_info.reason__", **switch}}], set())


def test_both_messages_are_heard_when_something_else_fails_after_it():
    ran: list[str] = []
    with pytest.raises(MooringError, match=r"^It broke\.\nA restart waits\.$"):
        converge(MODULE, steps(ran, one=HeldBack("A restart waits."), two=MooringError("It broke."), three=None))
    assert ran == ["one", "two"]


def test_projects_of_one_call_have_objects_of_the_same_name():
    app = Difference("service app", "presence", "present", None)
    health = Difference("service app", "health", "healthy", "unhealthy")
    shop, crm = ({"step": "compose_project", "name": name, "differences": [app.as_dict(), health.as_dict()]}
                 for name in ("shop-blue", "crm-blue"))
    later = {"step": "release_switch", "differences": [app.as_dict(), difference("application crm")]}
    assert [(one["object"], one["field"]) for one in joined([shop, crm, later])["differences"]] == [
        ("service app of shop-blue", "presence"), ("service app of shop-blue", "health"),
        ("service app of crm-blue", "presence"), ("service app of crm-blue", "health"),
        ("application crm", "presence")]
    assert [one["object"] for one in joined([shop, later])["differences"]] == [
        "service app", "service app", "application crm"]
    again = joined([later, shop, crm])["differences"]
    assert [one["object"] for one in again] == ["service app", "application crm"], "an object of the whole call"


def test_an_object_that_an_earlier_step_mends_is_named_once():
    mode, presence = Difference("file a", "mode", "0400", "0644"), Difference("file a", "owner", "0:0", "1:1")
    other = Difference("file b", "mode", "0400", "0644")
    result = joined([{"differences": [mode.as_dict(), presence.as_dict()]},
                     {"differences": [mode.as_dict(), other.as_dict()]}])
    assert result["differences"] == [mode.as_dict(), presence.as_dict(), other.as_dict()]


def test_a_step_after_services_hears_what_happens_to_them():
    heard: list[object] = []
    first, last = steps([], one=None, two=None)
    first.arguments["plan"] = {"services": {"redis": "reload"}}
    last.code.AFTER_SERVICES = True
    last.code.converge = lambda _module, _params, planned: heard.append(planned) or {}
    converge(MODULE, [first, last])
    assert heard == [{"redis": "reload"}]


def test_a_diff_shows_only_what_differs():
    part = {"before": "a", "after": "b"}
    result = joined([{"diff": part}, {"diff": [part, {"before": "", "after": ""}]}, {"diff": []}, {}])
    assert result["diff"] == [part, part]
    assert "diff" not in joined([{"diff": {"before": {}, "after": {}}}])


@pytest.mark.parametrize(("given", "says"), [
    ([{"redis_server": {}, "mysql_grants": {}}], "Step 1 has to be one name"),
    (["redis_server"], "Step 1 has to be one name"),
    ([REDIS, {"shell": {}}], "Step 2: 'shell' is no step. Steps are: acme_root_certificate"),
    ([{"redis_server": "socket"}], "Step 1, redis_server: the arguments have to be a mapping."),
])
def test_what_is_no_step_is_refused(given, says):
    with pytest.raises(MooringError, match=says.replace(".", r"\.")):
        named(given)


@pytest.mark.parametrize(("given", "says"), [
    ({"redis_server": {}}, "Step 2, redis_server: missing required arguments: login_password"),
    ({"redis_server": {"socket": "/s", "port": 1, **LOGIN}}, "Step 2, redis_server: unsupported parameters: port"),
    ({"docker_network": {"name": "n", "state": "gone"}}, "Step 2, docker_network: value of state must be one of"),
    ({"mysql_grants": {"socket": "/s", "login_password": "p", "accounts": [{}]}},
     "Step 2, mysql_grants: missing required arguments: name found in accounts"),
    # What AnsibleModule is told beside the specification counts as well.
    ({"certbot_certificate": {"certificates": [], "certificates_dir": "/c"}},
     "Step 2, certbot_certificate: state is present but all of the following are missing: letsencrypt_dir"),
    ({"release_info": {"name": "demo", "release": "1"}},
     "Step 2, release_info: missing parameter\\(s\\) required by 'release': image"),
])
def test_a_mistake_names_its_step_and_its_option(given, says):
    with pytest.raises(MooringError, match=says):
        parse([REDIS, given], set())


def test_every_mistake_is_named_at_once():
    with pytest.raises(MooringError, match=r"Step 1, redis_server: .*Step 2, docker_network: .*name"):
        parse([{"redis_server": {}}, {"docker_network": {}}], set())


def test_arguments_are_completed_and_secrets_known_also_when_another_step_is_wrong():
    secrets: set[str] = set()
    with pytest.raises(MooringError):
        parse([{"redis_server": {}}, {"mysql_grants": {"socket": "/s", "login_password": "sesame-open"}}], secrets)
    assert secrets == {"sesame-open"}
    (step,) = parse([{"docker_network": {"name": "n"}}], secrets)
    assert step.params({}, secrets) == {
        "name": "n", "subnet": "", "labels": {}, "state": "present", "driver": "bridge", "encrypted": True}


@pytest.mark.parametrize("name", component.NAMES)
def test_every_step_is_there_and_its_module_too(name):
    code = component.load(name)
    assert callable(code.converge)
    assert isinstance(code.ARGUMENT_SPEC, dict)
    assert (ROOT / "plugins" / "modules" / f"{name}.py").exists()


def run(*given: dict) -> dict:
    """The module as Ansible runs it, in check mode."""
    arguments = {"ANSIBLE_MODULE_ARGS": {"steps": list(given), "_ansible_check_mode": True}}
    source = (
        "import json, sys\n"
        "from ansible.module_utils import basic\n"
        "basic._ANSIBLE_ARGS = sys.stdin.buffer.read()\n"
        "basic._ANSIBLE_PROFILE = 'legacy'\n"
        "from ansible_collections.mooring.stack.plugins.modules import component\n"
        "component.main()\n")
    done = subprocess.run(
        [sys.executable, "-c", source], input=json.dumps(arguments), capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".collections")})
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_the_module_shows_no_secret(tmp_path):
    socket = str(tmp_path / "none" / "redis.sock")
    secret = {"redis_server": {
        "socket": socket, "accounts": [{"name": "demo", "password": "sesame-open"}], **LOGIN}}
    result = run(secret)
    assert result["changed"] is False
    assert result["invocation"]["module_args"] == {"steps": ["redis_server"]}
    assert "sesame-open" not in json.dumps(result)
    # Nor where the message about a mistake would quote it.
    wrong = {"docker_network": {"name": "n", "state": "sesame-open"}}
    result = run(secret, wrong)
    assert result["failed"]
    assert "Step 2, docker_network: value of state must be one of" in result["msg"]
    assert "sesame-open" not in json.dumps(result)


def test_what_is_no_secret_is_not_hidden():
    result = run({"docker_network": {"name": "n", "subnet": "somewhere"}})
    assert result["failed"]
    assert "somewhere" in result["msg"]


@pytest.fixture
def printed(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_steps.display, "display", lines.append)
    return lines


@pytest.mark.parametrize(("result", "lines"), [
    ({"changed": False, "differences": []}, []),
    ({"changed": True, "differences": [], "changes": ["service a: start"]}, ["  label: service a: start"]),
    ({"changed": True, "differences": [difference("it")], "changes": [{"subject": "it"}]}, ["  label: it: missing"]),
    ({"changed": False, "differences": [difference("it")]}, ["  label: it: missing"]),
])
def test_what_is_done_is_printed(printed, result, lines):
    _steps.print_changes("label", result)
    assert printed == lines


class Action:
    """What the helpers need of an action plugin."""

    def __init__(self, answer: dict) -> None:
        self.answer, self.calls = answer, []

    def _execute_module(self, **call: object) -> dict:
        self.calls.append(call)
        return dict(self.answer)


def test_one_step_alone_answers_like_its_module():
    action = Action({"changed": True, "differences": [], "steps": [{"step": "docker_network", "subnet": "s"}],
                     "invocation": {}})
    result = _steps.run_one(action, "docker_network", {"name": "n"}, {})
    assert result == {"changed": True, "differences": [], "subnet": "s"}
    (call,) = action.calls
    assert call["module_name"] == "mooring.stack.component"
    assert call["module_args"] == {"steps": [{"docker_network": {"name": "n"}}]}


def test_one_step_that_never_ran_keeps_its_failure():
    assert _steps.run_one(Action({"failed": True, "msg": "gone"}), "docker_network", {}, {}) == {
        "failed": True, "msg": "gone"}


class Failing:
    """A module that notes why it failed."""

    said = ""

    def fail_json(self, msg: str) -> None:
        self.said = msg


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_nothing_more_is_no_bug(number):
    module = Failing()
    with domain_errors(module):
        raise OSError(number, os.strerror(number), "/opt/mooring/x")
    assert os.strerror(number) in module.said and "/opt/mooring/x" in module.said


def test_another_error_of_the_system_keeps_its_traceback():
    with pytest.raises(PermissionError), domain_errors(Failing()):
        raise PermissionError(errno.EACCES, "Permission denied", "/opt/mooring/x")


def test_a_directory_that_is_right_is_not_touched(tmp_path):
    path = tmp_path / "data"
    make_directory(str(path), 0o750, os.geteuid(), os.getegid())
    before = path.stat().st_ctime_ns
    make_directory(str(path), 0o750, os.geteuid(), os.getegid())
    assert path.stat().st_ctime_ns == before
    make_directory(str(path), 0o700, os.geteuid(), os.getegid())
    assert path.stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_directory_is_never_changed_through_a_link(tmp_path, kind):
    """A container that may write in a directory could put a link to anywhere there."""
    target, path = tmp_path / "target", tmp_path / "data"
    target.mkdir(mode=0o700)
    path.symlink_to(target) if kind == "link" else path.write_text("")
    with pytest.raises(MooringError, match="is not a directory"):
        make_directory(str(path), 0o755, os.geteuid(), os.getegid())
    assert target.stat().st_mode & 0o7777 == 0o700


def test_what_was_said_of_an_earlier_step_is_not_said_again(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(_steps.display, "display", lines.append)
    one, said = {"changed": True, "changes": ["a: missing"]}, set()
    _steps.print_changes("certbot_certificate", one, said)
    _steps.print_changes("certbot_certificate", {"changed": True, "changes": ["a: missing", "b: missing"]}, said)
    _steps.print_changes("other", one, said)
    assert lines == ["  certbot_certificate: a: missing", "  certbot_certificate: b: missing", "  other: a: missing"]
