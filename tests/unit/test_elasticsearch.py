"""What an Elasticsearch is compared with, and the client and step against a server that speaks just enough of it."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import urllib.parse

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _elasticsearch as client
from ansible_collections.mooring.stack.plugins.module_utils import _elasticsearch_objects as objects
from ansible_collections.mooring.stack.plugins.module_utils import _step_elasticsearch_objects as step
from ansible_collections.mooring.stack.plugins.module_utils._elasticsearch import Elasticsearch, NoAnswer, Refused
from ansible_collections.mooring.stack.plugins.module_utils._elasticsearch_objects import (
    COMPONENT,
    POLICY,
    REPOSITORY,
    ROLE,
    STREAM,
    TEMPLATE,
    USER,
    Found,
    Object,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

DELETE = {"delete_searchable_snapshot": True}


# ---------------------------------------------------------------- pure

@pytest.mark.parametrize(("kind", "declared", "answered"), [
    # As 9.5.2 answered.
    (POLICY, {"phases": {"hot": {"actions": {"rollover": {"max_age": "7d"}}},
                         "delete": {"min_age": "30d", "actions": {"delete": {}}}}, "_meta": {"a": "b"}},
     {"phases": {"hot": {"min_age": "0ms", "actions": {"rollover": {"max_age": "7d"}}},
                 "delete": {"min_age": "30d", "actions": {"delete": DELETE}}}, "_meta": {"a": "b"}}),
    (POLICY, {"phases": {"hot": {"actions": {"rollover": {"max_age": "24h", "max_docs": 5,
                                                          "max_primary_shard_size": "1gb"}}}}},
     {"phases": {"hot": {"min_age": "0ms", "actions": {"rollover": {"max_age": "1d", "max_docs": 5,
                                                                    "max_primary_shard_size": "1024mb"}}}}}),
    (POLICY, {"phases": {"warm": {"actions": {"readonly": {}}}}},
     {"phases": {"warm": {"min_age": "0ms", "actions": {"readonly": {}}}}}),
    (COMPONENT, {"template": {"settings": {"number_of_replicas": 0, "index": {"codec": "x"},
                                           "index.lifecycle.name": "p", "analysis": {"a": {"stop": ["E", 1]}}}}},
     {"template": {"settings": {"index": {"lifecycle": {"name": "p"}, "codec": "x", "number_of_replicas": "0",
                                          "analysis": {"a": {"stop": ["E", "1"]}}}}},
      "created_date_millis": 1, "modified_date_millis": 2}),
    (COMPONENT, {"template": {"mappings": {"dynamic": False, "properties": {"a.b": {"type": "long", "index": False}}},
                              "aliases": {}}, "version": 3},
     {"template": {"mappings": {"_doc": {"dynamic": "false", "properties": {"a.b": {"index": "false",
                                                                                    "type": "long"}}}}}, "version": 3}),
    (TEMPLATE, {"index_patterns": "logs-*", "priority": 200, "data_stream": {}, "composed_of": []},
     {"index_patterns": ["logs-*"], "composed_of": [], "priority": 200,
      "data_stream": {"hidden": False, "allow_custom_routing": False}, "created_date_millis": 1}),
    (TEMPLATE, {"index_patterns": ["a"], "template": {"lifecycle": {"data_retention": "7d"}}},
     {"index_patterns": ["a"], "template": {"lifecycle": {"enabled": True, "data_retention": "7d"}}}),
    (ROLE, {"cluster": ["monitor", "all"], "indices": [{"names": "a-*", "privileges": ["read", "index"]}]},
     {"cluster": ["all", "monitor"], "indices": [{"names": ["a-*"], "privileges": ["index", "read"],
                                                  "allow_restricted_indices": False}],
      "applications": [], "run_as": [], "metadata": {}, "transient_metadata": {"enabled": True}}),
    (USER, {"roles": ["b", "a"], "enabled": True},
     {"username": "x", "roles": ["a", "b"], "full_name": None, "email": None, "metadata": {}, "enabled": True}),
    (REPOSITORY, {"type": "fs", "settings": {"location": "/x", "compress": True}},
     {"type": "fs", "uuid": "q", "settings": {"location": "/x", "compress": "true"}}),
    (STREAM, {}, {"name": "x", "template": "t"}),
])
def test_what_the_server_adds_is_no_difference(kind, declared, answered):
    assert objects.decide([Object(kind, "x", declared)], Found({kind: {"x": answered}})).differences == ()


@pytest.mark.parametrize(("kind", "declared", "answered", "differences"), [
    (POLICY, {"phases": {"delete": {"min_age": "30d", "actions": {"delete": {}}}}},
     {"phases": {"delete": {"min_age": "3d", "actions": {"delete": DELETE}}}},
     ["phases.delete.min_age is 3d, declared 30d"]),
    (POLICY, {"phases": {"delete": {"min_age": "30d", "actions": {"delete": {}}}}}, {"phases": {}},
     ["phases is {}, declared null", "phases.delete.actions.delete.delete_searchable_snapshot is null, declared true",
      "phases.delete.min_age is null, declared 30d"]),
    # A field that somebody added counts as much as one that somebody took away.
    (COMPONENT, {"template": {"settings": {"codec": "x"}}},
     {"template": {"settings": {"index": {"codec": "x", "number_of_replicas": "1"}}}},
     ["template.settings.index.number_of_replicas is 1, declared null"]),
    (TEMPLATE, {"index_patterns": ["a", "b"], "priority": 2}, {"index_patterns": ["a"], "priority": 2},
     ['index_patterns is ["a"], declared ["a", "b"]']),
    (ROLE, {"cluster": ["monitor"]}, {"cluster": ["all"]}, ['cluster is ["all"], declared ["monitor"]']),
    (USER, {"roles": [], "enabled": True}, {"roles": ["superuser"], "enabled": False},
     ["enabled is false, declared true", 'roles is ["superuser"], declared []']),
    (USER, {"roles": []}, None, ["missing"]),
    (STREAM, {}, None, ["missing"]),
    (STREAM, None, {"name": "x"}, ["no longer declared"]),
    (ROLE, None, None, []),
])
def test_what_somebody_changed_is_named_field_by_field(kind, declared, answered, differences):
    plan = objects.decide([Object(kind, "x", declared)], Found({kind: {"x": answered} if answered else {}}))
    assert [str(one).partition(": ")[2] for one in plan.differences] == differences
    assert {one.object for one in plan.differences} <= {f"{kind} x"}
    assert len(plan.put) + len(plan.delete) == bool(differences)


def test_a_password_that_is_refused_is_a_difference_and_never_shown():
    one = Object(USER, "x", {"roles": []}, "secret-of-x")
    plan = objects.decide([one], Found({USER: {"x": {"roles": []}}}, ("x",)))
    assert [str(difference) for difference in plan.differences] == ["user x: password is refused, declared accepted"]
    assert "secret-of-x" not in repr(plan)


RESERVED = {"metadata": {"_reserved": True}, "roles": ["kibana_system"]}


@pytest.mark.parametrize(("one", "answered", "message"), [
    (Object(USER, "x", {"roles": ["superuser"]}, "secret"), RESERVED, "its password can be declared, its roles cannot"),
    (Object(USER, "x", None), RESERVED, "user x is part of Elasticsearch and cannot be absent"),
    (Object(ROLE, "x", {"cluster": ["all"]}), RESERVED, "role x is part of Elasticsearch and cannot be declared"),
    (Object(POLICY, "x", {"phases": {}}), {"_meta": {"managed": True}, "phases": {}}, "policy x is part of"),
])
def test_what_elasticsearch_brings_itself_cannot_be_declared(one, answered, message):
    with pytest.raises(MooringError, match=message):
        objects.decide([one], Found({one.kind: {"x": answered}}))
    assert objects.decide([Object(USER, "x", {"roles": []}, "p")], Found({USER: {"x": RESERVED}})).put == ()


def test_the_order_in_which_objects_name_each_other():
    declared = [Object(kind, "x", {"a": 1}) for kind in objects.OPTIONS]
    assert [one.kind for one in objects.decide(declared, Found({})).put] == list(objects.OPTIONS)
    gone = [Object(kind, "x", None) for kind in objects.OPTIONS]
    plan = objects.decide(gone, Found({kind: {"x": {}} for kind in objects.OPTIONS}))
    assert [one.kind for one in plan.delete] == list(reversed(objects.OPTIONS))


def test_what_nobody_declares_is_named_and_what_is_built_in_is_not():
    found = Found({
        POLICY: {"mine": {"phases": {}}, "other": {"phases": {}}, "logs": {"phases": {}, "_meta": {"managed": True}}},
        USER: {"elastic": {"metadata": {"_reserved": True}}, "trial": {"metadata": {}}},
        TEMPLATE: {".kibana": {"index_patterns": []}},
        STREAM: {"a": {"template": "declared"}, "b": {"template": "other"}, "c": {"template": "x", "hidden": True}},
    })
    declared = [Object(POLICY, "mine", {"phases": {}}), Object(TEMPLATE, "declared", {"index_patterns": ["a"]})]
    assert objects.decide(declared, found).unknown == ("lifecycle policy other", "user trial", "data stream b")


def test_streams_of_a_changed_template_go_on_in_a_new_index():
    parts = {"template": {"settings": {"index": {"codec": "x"}}}}
    declared = [Object(COMPONENT, "part", {"template": {"settings": {"codec": "y"}}}),
                Object(COMPONENT, "same", {"template": {"settings": {"codec": "x"}}}),
                Object(TEMPLATE, "one", {"index_patterns": ["a"], "composed_of": ["part"]}),
                Object(TEMPLATE, "two", {"index_patterns": ["b"], "composed_of": ["same"]}),
                Object(TEMPLATE, "new", {"index_patterns": ["c"], "composed_of": ["same"]})]
    found = Found({COMPONENT: {"part": parts, "same": parts},
                   TEMPLATE: {"one": {"index_patterns": ["a"], "composed_of": ["part"]},
                              "two": {"index_patterns": ["b"], "composed_of": ["same"]}},
                   STREAM: {"s1": {"template": "one"}, "s2": {"template": "two"}, "s3": {"template": "one"},
                            "s4": {"template": "new"}}})
    assert objects.decide(declared, found).roll_over == ("s1", "s3")


def entry(**given):
    return {"name": "x", "state": "present", "body": None, "password": None, "roles": [], "full_name": None,
            "enabled": True, **given}


@pytest.mark.parametrize(("option", "entries", "message"), [
    ("policies", [entry()], "lifecycle policy x needs a body"),
    ("users", [entry()], "user x needs a password"),
    ("users", [entry(password="12345")], "shorter than the six characters"),
    ("roles", [entry(name="a/b", body={"a": 1})], "'a/b' is no name for a role"),
    ("roles", [entry(name=" ", body={"a": 1})], "' ' is no name"),
    ("data_streams", [entry(), entry(state="absent")], "data stream x is declared twice"),
])
def test_what_contradicts_itself_is_refused(option, entries, message):
    with pytest.raises(MooringError, match=message):
        objects.parse({**dict.fromkeys(objects.OPTIONS.values(), ()), option: entries})


@pytest.mark.parametrize(("one", "other", "same"), [
    ("30d", "720h", True), ("1gb", "1024mb", True), ("1d", "1h", False), ("10", "10", True), ("10", "10ms", False),
    ("1000ms", "1s", True), ("1m", "1mb", False), (None, "", False), (["a"], ["a"], True),
])
def test_quantities(one, other, same):
    assert objects.same(one, other) == same


@pytest.mark.parametrize(("document", "said"), [
    ({"error": {"reason": "outer", "caused_by": {"reason": "middle", "caused_by": {"reason": "inner"}}}}, "inner"),
    ({"error": "Incorrect HTTP method"}, "Incorrect HTTP method"),
    ({"error": {"reason": "outer", "caused_by": {"type": "x"}}}, "outer"),
    ({}, "status 500"), ([], "status 500"),
])
def test_the_innermost_cause_is_the_reason(document, said):
    assert client.reason(document, 500) == said


# ---------------------------------------------------------------- a server

class Server:
    """Keeps what it is told, and answers with it; ``statuses`` are given once for a path instead."""

    def __init__(self):
        self.kept = {path: {} for path in step.PATHS.values()}
        self.passwords = {"mooring": "right-password"}
        self.statuses = {}
        self.asked = []
        self.closes = False
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, document = server.answer(self.command, self.path, self.headers["Authorization"],
                                                 json.loads(body) if body else None)
                said = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                # Without saying so, as a server does that was idle for long.
                self.close_connection = server.closes

            do_GET = do_PUT = do_POST = do_DELETE = handle_one

            def log_message(self, *_arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, method, path, authorization, body):
        self.asked.append((method, path, body))
        if path in self.statuses:
            return self.statuses.pop(path)
        if authorization not in [client.basic(*one) for one in self.passwords.items()]:
            return 401, {"error": {"reason": "unable to authenticate"}}
        kind = next((one for one in self.kept if path == one or path.startswith(f"{one}/")), None)
        if kind is None:
            return 200, {}
        name = urllib.parse.unquote(path[len(kind) + 1:].partition("/")[0])
        if method == "PUT":
            if kind == "/_security/user":
                self.passwords[name] = body.pop("password")
            if not path.endswith("/_password"):
                self.kept[kind][name] = body or {}
        elif method == "DELETE":
            del self.kept[kind][name]
        elif kind == step.PATHS[POLICY]:
            return 200, self.kept[kind]
        elif kind in (step.PATHS[COMPONENT], step.PATHS[TEMPLATE]):
            one = kind[2:]
            return 200, {f"{one}s": [{"name": name, one: body} for name, body in self.kept[kind].items()]}
        elif kind == step.PATHS[STREAM]:
            return 200, {"data_streams": [{"name": name, **body} for name, body in self.kept[kind].items()]}
        else:
            return 200, self.kept[kind]
        return 200, {"acknowledged": True}


@pytest.fixture
def server(monkeypatch):
    one = Server()
    monkeypatch.setattr(step.Docker, "address", lambda _docker, _container, _network: "127.0.0.1")
    monkeypatch.setattr(step.Docker, "inside", lambda _docker, _container: contextlib.nullcontext())
    monkeypatch.setattr(step, "Elasticsearch", lambda *login: Elasticsearch(*login, port=one.port))
    monkeypatch.setattr(step, "LOGIN_SECONDS", 0.2)
    monkeypatch.setattr(step, "INTERVAL", 0.05)
    monkeypatch.setattr(client, "INTERVAL", 0.05)
    yield one
    one.http.shutdown()
    one.http.server_close()


class Module:
    def __init__(self, check_mode):
        self.check_mode = check_mode
        self.run_command = None


def converge(check_mode=False, planned=None, **given):
    params = {"container": "c", "network": "n", "service": "elasticsearch", "login_user": "mooring",
              "login_password": "right-password", **dict.fromkeys(objects.OPTIONS.values(), [])}
    return step.converge(Module(check_mode), {**params, **given}, planned)


def declared():
    return {"policies": [entry(body={"phases": {"hot": {"min_age": "1d"}}})],
            "index_templates": [entry(name="t", body={"index_patterns": ["a"]})],
            "data_streams": [entry(name="a b")],
            "users": [entry(password="secret", roles=["r"])]}


def test_everything_is_made_and_then_nothing_is_left_to_do(server):
    planned = converge(check_mode=True, **declared())
    assert [path for method, path, _body in server.asked if method != "GET"] == []
    result = converge(**declared())
    assert result["changed"]
    assert result["differences"] == planned["differences"]
    assert [path for method, path, _body in server.asked if method == "PUT"] == [
        "/_ilm/policy/x", "/_index_template/t", "/_data_stream/a%20b", "/_security/user/x"]
    assert "secret" not in json.dumps(result)
    server.asked.clear()
    assert not converge(**declared())["changed"]
    # One question per kind, and for each user whether it may log in.
    assert len(server.asked) == 2 + 4


def test_only_kinds_of_which_something_is_declared_are_asked_for(server):
    converge(roles=[entry(state="absent")])
    assert [path for _method, path, _body in server.asked] == ["/_security/_authenticate", "/_security/role"]


def test_the_password_of_a_built_in_user_is_all_that_is_set(server):
    server.kept["/_security/user"]["kibana_system"] = dict(RESERVED)
    converge(users=[entry(name="kibana_system", password="secret-of-kibana")])
    assert ("PUT", "/_security/user/kibana_system/_password", {}) in server.asked
    assert server.passwords["kibana_system"] == "secret-of-kibana"


def test_a_changed_template_rolls_its_streams_over(server):
    converge(**declared())
    server.kept["/_data_stream"]["a b"]["template"] = "t"
    server.kept["/_index_template"]["t"] = {"index_patterns": ["other"]}
    assert converge(**declared())["rolled_over"] == ["a b"]
    assert ("POST", "/a%20b/_rollover?lazy=true", None) in server.asked


def test_a_refusal_names_the_object_and_keeps_nothing_else_from_being_made(server):
    server.statuses["/_ilm/policy/x"] = (400, {"error": {"reason": "outer", "caused_by": {"reason": "why"}}})
    with pytest.raises(MooringError, match="Elasticsearch refuses the lifecycle policy x: why[.]") as failed:
        converge(**declared())
    assert "t" in server.kept["/_index_template"]
    assert failed.value.details["changed"]


def test_what_the_server_forgets_is_not_taken_for_done(server):
    server.statuses["/_ilm/policy/x"] = (200, {"acknowledged": True})
    with pytest.raises(MooringError, match="took every change, and yet: lifecycle policy x: missing"):
        converge(**declared())


@pytest.mark.parametrize("status", [400, 405])
def test_a_server_without_such_a_kind_is_named(server, status):
    server.statuses["/_ilm/policy"] = (status, {"error": "no handler found"})
    with pytest.raises(MooringError, match="does not tell its policies: no handler found.*module missing"):
        converge(**declared())


def test_a_busy_server_is_asked_again(server):
    server.statuses["/_ilm/policy"] = (503, {"error": {"reason": "not ready"}})
    assert converge(**declared())["changed"]


def test_a_server_that_stays_busy_is_an_error(server, monkeypatch):
    monkeypatch.setattr(client, "BUSY_SECONDS", -1)
    server.statuses["/_ilm/policy"] = (429, {"error": {"reason": "too many requests"}})
    with pytest.raises(MooringError, match="too many requests"):
        converge(**declared())


def test_a_wrong_login_is_an_error_that_does_not_tell_the_password(server):
    with pytest.raises(MooringError, match="refuses the declared password of mooring") as failed:
        converge(login_password="wrong-password", **declared())
    assert "wrong-password" not in str(failed.value)
    # In check mode the run before it may be what brings the new password.
    assert "not compared" in converge(True, {"elasticsearch": "reload"}, login_password="wrong-password",
                                      **declared())["notices"][0]
    with pytest.raises(MooringError):
        converge(True, {}, login_password="wrong-password", **declared())


def test_a_login_that_the_server_has_yet_to_read_is_waited_for(server, monkeypatch):
    server.passwords["mooring"] = "old-password"
    monkeypatch.setattr(step, "LOGIN_SECONDS", 20)
    timer = threading.Timer(0.3, server.passwords.update, [{"mooring": "right-password"}])
    timer.start()
    assert converge(**declared())["changed"]
    timer.join()


def test_a_server_that_is_not_there(server, monkeypatch):
    monkeypatch.setattr(step.Docker, "address", lambda _docker, _container, _network: "")
    with pytest.raises(MooringError, match="The container c does not run"):
        converge(**declared())
    assert not converge(True, **declared())["changed"]
    # One that a run would make has nothing in it.
    assert len(converge(True, {"elasticsearch": "create"}, **declared())["differences"]) == 4


def test_an_idle_connection_that_was_closed_is_opened_again(server):
    with Elasticsearch("127.0.0.1", "mooring", "right-password", server.port) as one:
        server.closes = True
        assert one.ask("GET", "/_ilm/policy") == {}
        assert one.ask("GET", "/_ilm/policy") == {}


def test_what_is_no_elasticsearch_is_named(server):
    server.statuses["/_ilm/policy"] = (200, b"<html>")
    with Elasticsearch("127.0.0.1", "mooring", "right-password", server.port) as one:
        with pytest.raises(NoAnswer, match="is not Elasticsearch"):
            one.ask("GET", "/_ilm/policy")
        with pytest.raises(Refused):
            server.statuses["/x"] = (404, {})
            one.ask("GET", "/x")
    answers = pytest.raises(NoAnswer, match="does not answer at 127.0.0.1:1")
    with Elasticsearch("127.0.0.1", "a", "b", 1) as one, answers:
        one.ask("GET", "/")
