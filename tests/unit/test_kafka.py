# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a broker's topics and users need to be as declared, and what is sent to a host that has no client library."""

from __future__ import annotations

import collections
import contextlib
import subprocess
import sys
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import (
    _docker,
    _kafka,
    _kafka_topics,
    _kafka_users,
    _library,
)
from ansible_collections.mooring.stack.plugins.module_utils import _step_kafka_record as record_step
from ansible_collections.mooring.stack.plugins.module_utils import _step_kafka_topics as topics_step
from ansible_collections.mooring.stack.plugins.module_utils import _step_kafka_users as users_step
from ansible_collections.mooring.stack.plugins.module_utils._errors import HeldBack, MooringError
from ansible_collections.mooring.stack.plugins.module_utils._kafka_topics import Topic
from ansible_collections.mooring.stack.plugins.module_utils._kafka_users import Acl, Users
from ansible_collections.mooring.stack.plugins.plugin_utils import _library as library_of_the_controller

# -- topics ---------------------------------------------------------------------


def topic(name, partitions=1, replication=1, config=None, state="present"):
    return {"name": name, "partitions": partitions, "replication": replication, "config": config or {}, "state": state}


def plan(found, *declared):
    return _kafka_topics.decide(found, _kafka_topics.parse(declared))


@pytest.mark.parametrize(("value", "text"), [
    (True, "true"), (False, "false"), (604800000, "604800000"), (0.5, "0.5"), ("compact", "compact"),
    (["compact", "delete"], "compact,delete"), (-1, "-1"),
])
def test_a_value_is_written_as_the_broker_writes_it(value, text):
    assert _kafka_topics.text_of(value) == text


@pytest.mark.parametrize(("found", "declared", "changes"), [
    ({}, topic("a", 3), ["create topic a with 3 partitions"]),
    ({}, topic("a"), ["create topic a with 1 partition"]),
    ({"a": Topic(3)}, topic("a", 3), []),
    ({"a": Topic(3)}, topic("a", 6), ["bring topic a to 6 partitions"]),
    ({"a": Topic(1, 1, {"x": "1"})}, topic("a", config={"x": 1}), []),
    ({"a": Topic(1, 1, {"x": "1"})}, topic("a", config={"x": 2}), ["topic a: set x to 2"]),
    ({"a": Topic(1, 1, {"x": "1"})}, topic("a"), ["topic a: take x back"]),
    ({"a": Topic()}, topic("a", config={"y": True}), ["topic a: set y to true"]),
    ({"a": Topic()}, topic("a", state="absent"), ["delete topic a"]),
    ({}, topic("a", state="absent"), []),
])
def test_what_has_to_happen_to_a_topic(found, declared, changes):
    decided = plan(found, declared)
    assert decided.changes == changes
    assert len(decided.differences) == len(changes)
    assert not decided.unknown


def test_a_topic_that_nobody_declares_is_named_and_left_alone():
    decided = plan({"a": Topic(), "b": Topic()}, topic("a"))
    assert (decided.changes, decided.unknown) == ([], ["b"])


@pytest.mark.parametrize(("found", "declared", "said"), [
    (Topic(6), topic("orders", 3), "topic orders has 6 partitions, and 3 are declared"),
    (Topic(1, 3), topic("orders"), "topic orders has replication 3, and 1 is declared"),
])
def test_what_would_cost_records_is_refused_with_the_reason(found, declared, said):
    with pytest.raises(MooringError, match=f"Nothing was changed: {said}.*Declare|declare"):
        plan({"orders": found}, declared, topic("other"))


@pytest.mark.parametrize(("declared", "said"), [
    ([topic("a b")], "'a b' is no name of a topic"),
    ([topic("..")], "'..' is no name of a topic"),
    ([topic("x" * 250)], "is no name of a topic"),
    ([topic("__mine")], "__mine begins with two underscores"),
    ([topic("a"), topic("a")], "a is declared twice"),
    ([topic("a", 0)], "a needs at least one partition"),
    ([topic("a", config={"retention.ms": None})], "a: retention.ms has no value"),
])
def test_a_wrong_declaration_is_refused(declared, said):
    with pytest.raises(MooringError, match=said):
        _kafka_topics.parse(declared)


# -- users ----------------------------------------------------------------------


def user(name="shop", password="secret", acls=(), state="present"):
    return {"name": name, "password": password, "acls": list(acls), "state": state}


READ = {"resource": "topic:orders", "operations": ["read"]}
ACL = Acl("User:shop", "topic", "orders", "literal", "read")


@pytest.mark.parametrize(("resource", "expected"), [
    ("topic:orders", ("topic", "orders", "literal")),
    ("topic:orders-*", ("topic", "orders-", "prefixed")),
    ("topic:*", ("topic", "*", "literal")),
    ("group:shop", ("group", "shop", "literal")),
    ("transactional_id:shop*", ("transactional_id", "shop", "prefixed")),
    ("cluster", ("cluster", "kafka-cluster", "literal")),
])
def test_what_a_resource_stands_for(resource, expected):
    declared = _kafka_users.parse([user(acls=[{"resource": resource, "operations": ["describe"]}])])
    (acl,) = declared["shop"].acls
    assert (acl.kind, acl.name, acl.pattern) == expected


@pytest.mark.parametrize(("declared", "said"), [
    ([user(), user()], "shop is declared twice"),
    ([user(password=None)], "shop has no password"),
    ([user(acls=[{"resource": "orders", "operations": ["read"]}])], "shop: 'orders' is no resource"),
    ([user(acls=[{"resource": "topic", "operations": ["read"]}])], "shop: 'topic' is no resource"),
    ([user(acls=[{"resource": "cluster:x", "operations": ["describe"]}])], "is no resource"),
    ([user(acls=[{"resource": "group:x", "operations": ["write"]}])], "'write' is nothing that can be done to a group"),
])
def test_a_wrong_user_is_refused(declared, said):
    with pytest.raises(MooringError, match=said):
        _kafka_users.parse(declared)


@pytest.mark.parametrize(("found", "declared", "refused", "differences"), [
    (Users(), user(acls=[READ]), (), ["user shop: missing", "user shop, allow read on topic orders: missing"]),
    (Users(frozenset({"shop"}), frozenset({ACL})), user(acls=[READ]), (), []),
    (Users(frozenset({"shop"}), frozenset({ACL})), user(acls=[READ]), ["shop"],
     ["user shop: password is (secret), declared (secret)"]),
    (Users(frozenset({"shop"}), frozenset({ACL})), user(), (),
     ["user shop, allow read on topic orders: no longer declared"]),
    (Users(frozenset({"shop"}), frozenset({ACL._replace(host="192.0.2.1")})), user(acls=[READ]), (),
     ["user shop, allow read on topic orders: missing",
      "user shop, allow read on topic orders from 192.0.2.1: no longer declared"]),
    (Users(frozenset({"shop"}), frozenset({ACL._replace(permission="deny")})), user(), (),
     ["user shop, deny read on topic orders: no longer declared"]),
    (Users(frozenset({"shop"}), frozenset({ACL})), user(state="absent"), (),
     ["user shop: no longer declared", "user shop, allow read on topic orders: no longer declared"]),
    (Users(), user(state="absent"), (), []),
])
def test_what_has_to_happen_to_a_user(found, declared, refused, differences):
    decided = _kafka_users.decide(found, _kafka_users.parse([declared]), refused)
    assert [str(one) for one in decided.differences] == differences
    assert not decided.unknown


def test_a_user_that_nobody_declares_is_named_and_left_alone():
    found = Users(frozenset({"old"}), frozenset({ACL._replace(principal="User:other")}))
    decided = _kafka_users.decide(found, {}, ())
    assert (decided.differences, decided.unknown) == ([], ["User:old", "User:other"])


# -- steps ----------------------------------------------------------------------


@pytest.fixture
def host(monkeypatch):
    """A host with a container or without; the broker in it is what the test puts there."""
    found = types.SimpleNamespace(process=0, broker=None)

    class Docker(_docker.Docker):
        def __init__(self, run):
            pass

        def process(self, container):
            assert container == "mooring-kafka-broker-1"
            return found.process

    for step in (topics_step, users_step, record_step):
        monkeypatch.setattr(step, "Docker", Docker)
    monkeypatch.setattr(_kafka, "Broker", lambda address: found.broker)
    monkeypatch.setattr(_docker, "network_of", lambda process: contextlib.nullcontext())
    return found


def call(step, check=False, planned=None, **params):
    module = types.SimpleNamespace(run_command=None, check_mode=check)
    arguments = {"container": "mooring-kafka-broker-1", "address": "localhost:19092", "service": "broker",
                 "login_address": "localhost:9094", "login_protocol": "SASL_SSL", **params}
    return step.converge(module, arguments, *([planned] if planned is not None else []))


@pytest.mark.parametrize(("step", "params"), [
    (topics_step, {"topics": [topic("a")]}), (users_step, {"users": [user()]}), (record_step, {"topic": "a"}),
])
def test_a_broker_that_does_not_run_is_an_error_of_a_run(host, step, params):
    with pytest.raises(MooringError, match="mooring-kafka-broker-1 does not run; start it"):
        call(step, **params)


@pytest.mark.parametrize(("step", "params", "what"), [
    (topics_step, {"topics": [topic("a")]}, "topics"), (users_step, {"users": [user()]}, "users"),
])
def test_check_mode_says_that_a_stopped_broker_was_not_compared(host, step, params, what):
    result = call(step, check=True, planned={"broker": "start"}, **params)
    assert result["changed"] is False
    assert result["notices"] == [f"Its {what} were not compared: The container mooring-kafka-broker-1 does not run; "
                                 "start it, then run this again."]


@pytest.mark.parametrize(("step", "params", "object"), [
    (topics_step, {"topics": [topic("a")]}, "topic a"), (users_step, {"users": [user()]}, "user shop"),
])
def test_check_mode_predicts_what_a_new_broker_gets(host, step, params, object):
    result = call(step, check=True, planned={"broker": "create"}, **params)
    assert result["changed"] is True
    assert [one["object"] for one in result["differences"]] == [object]


class Took:
    """A broker with topics, which says what it was told, and may refuse or forget."""

    def __init__(self, topics, refuses=(), forgets=False):
        self.found, self.refusals, self.forgets, self.told = dict(topics), list(refuses), forgets, []

    def topics(self):
        return dict(self.found)

    def create(self, topics, only_validate=False):
        if not only_validate:
            self.told += [f"create {name}" for name in topics]
            self.found.update({} if self.forgets else topics)
        return self.refusals if topics else []

    def grow(self, counts, only_validate=False):
        return []

    def configure(self, changes, only_validate=False):
        return []

    def delete(self, topics):
        self.told += [f"delete {name}" for name in topics]
        for name in topics:
            del self.found[name]
        return []

    def wait_for(self, topics):
        self.told.append(f"wait for {' '.join(topics)}")

    def close(self):
        self.told.append("close")


def test_a_run_does_what_check_mode_said_and_the_next_one_nothing(host):
    host.process, host.broker = 7, Took({"old": Topic()})
    declared = [topic("a"), topic("old", state="absent")]
    ahead = call(topics_step, check=True, topics=declared)
    assert host.broker.told == ["close"]
    assert call(topics_step, topics=declared) == ahead
    assert host.broker.told[1:] == ["create a", "delete old", "wait for a", "close"]
    assert call(topics_step, topics=declared)["changed"] is False


def test_what_the_broker_would_refuse_changes_nothing(host):
    host.process, host.broker = 7, Took({"old": Topic()}, refuses=["a: Invalid value"])
    for check in (True, False):
        with pytest.raises(MooringError, match="Nothing was changed, because Kafka refuses: a: Invalid value"):
            call(topics_step, check=check, topics=[topic("a"), topic("old", state="absent")])
    assert set(host.broker.told) == {"close"}


def test_what_the_broker_took_and_does_not_show_is_an_error(host, monkeypatch):
    host.process, host.broker = 7, Took({}, forgets=True)
    monkeypatch.setattr(topics_step, "SETTLE_SECONDS", 0.2)
    with pytest.raises(MooringError, match="still needed: create topic a with 1 partition"):
        call(topics_step, topics=[topic("a")])


class Door:
    """A broker with users, which believes the passwords that it was given last."""

    def __init__(self, users=None, forgets=False):
        self.passwords, self.acls, self.forgets = dict(users or {}), set(), forgets

    def users(self):
        return Users(frozenset(self.passwords), frozenset(self.acls))

    def refuses(self, name, password, address, protocol):
        assert (address, protocol) == ("localhost:9094", "SASL_SSL")
        return "" if self.passwords[name] == password else "Authentication failed"

    def set_passwords(self, passwords, gone):
        self.passwords.update({} if self.forgets else passwords)
        for name in gone:
            del self.passwords[name]

    def allow(self, acls):
        self.acls |= set(acls)

    def disallow(self, acls):
        self.acls -= set(acls)

    def close(self):
        pass


def test_a_user_gets_its_password_and_its_rights_and_loses_them(host):
    host.process, host.broker = 7, Door({"shop": "another"})
    declared = [user(acls=[READ])]
    assert call(users_step, check=True, users=declared)["changed"] is True
    assert host.broker.passwords == {"shop": "another"}
    result = call(users_step, users=declared)
    assert (result["changed"], result["proven"]) == (True, ["shop"])
    assert (host.broker.passwords, host.broker.acls) == ({"shop": "secret"}, {ACL})
    assert call(users_step, users=declared)["changed"] is False
    assert call(users_step, users=[user(state="absent")])["changed"] is True
    assert (host.broker.passwords, host.broker.acls) == ({}, set())


def test_a_password_that_does_not_arrive_is_an_error(host, monkeypatch):
    host.process, host.broker = 7, Door({"shop": "another"}, forgets=True)
    monkeypatch.setattr(users_step, "SETTLE_SECONDS", 0.2)
    with pytest.raises(MooringError, match="took every change, and yet: user shop: password is .secret."):
        call(users_step, users=[user()])


def test_users_wait_for_a_restart_that_is_held_back(host):
    """The broker knows no rights yet, and what comes after this step does not wait for that."""
    host.process, host.broker = 7, Door()
    host.broker.users = lambda: (_ for _ in ()).throw(_kafka.NoAuthorizer("Its users follow."))
    with pytest.raises(HeldBack, match="Its users follow"):
        call(users_step, users=[user()])
    assert call(users_step, check=True, users=[user()])["notices"] == [
        "Its users were not compared: Its users follow."]


def test_a_broker_without_an_authorizer_is_told_from_one_that_fails():
    class SecurityDisabled(Exception):
        pass

    broker = object.__new__(_kafka.Broker)
    errors = types.SimpleNamespace(KafkaError=OSError, SecurityDisabledError=SecurityDisabled)
    some = collections.defaultdict(lambda: None)
    admin = types.SimpleNamespace(
        ACLFilter=lambda **_: None, ACLOperation=types.SimpleNamespace(ANY=0), ACLPermissionType=types.SimpleNamespace(
            ANY=0), ResourcePatternFilter=lambda *_: None, ResourceType=types.SimpleNamespace(ANY=0),
        ACLResourcePatternType=types.SimpleNamespace(ANY=0), ScramMechanism=some)
    broker._kafka = types.SimpleNamespace(errors=errors, admin=admin)
    broker._client = types.SimpleNamespace(
        describe_user_scram_credentials=dict, describe_acls=lambda _filter: (_ for _ in ()).throw(SecurityDisabled()))
    with pytest.raises(_kafka.NoAuthorizer, match="its users follow once it was restarted"):
        broker.users()


def test_check_mode_writes_no_record(host):
    assert call(record_step, check=True, topic="a")["record"] == ""


def test_without_users_nobody_is_asked(host):
    assert call(users_step, users=[])["changed"] is False


# -- the library ----------------------------------------------------------------


def test_the_library_of_the_controller_can_be_imported_elsewhere(tmp_path):
    libraries = library_of_the_controller.needed(["compose_project", "kafka_topics", "kafka_record"])
    assert list(libraries) == ["kafka-python"]
    before = list(sys.path)
    try:
        _library.bring(libraries, str(tmp_path))
        added = [path for path in sys.path if path not in before]
    finally:
        sys.path[:] = before
    assert added == [str(tmp_path / "kafka-python.zip")]
    # -I and -S: nothing but this archive and the standard library.
    code = f"import sys; sys.path.insert(0, {added[0]!r}); import kafka.admin, kafka.errors; print(kafka.__file__)"
    said = subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith(added[0])


def test_who_needs_no_library_gets_none():
    assert library_of_the_controller.needed(["compose_project"]) == {}


def test_a_controller_without_the_library_is_told_where_it_is_named(monkeypatch):
    monkeypatch.setitem(library_of_the_controller.NEEDS, "kafka_topics", "no-such-library")
    with pytest.raises(MooringError, match="no-such-library is missing where ansible-playbook runs.*requirements.txt"):
        library_of_the_controller.needed(["kafka_topics"])



def test_a_host_without_the_library_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "kafka", None)
    with pytest.raises(MooringError, match="kafka-python .3 or newer. is missing on this host"):
        _kafka.Broker("localhost:19092")
