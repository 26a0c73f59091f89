"""The complete compose file and the tree around it."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.plugin_utils import _compose_file as compose_file

DEFAULTS = {"restart": "unless-stopped", "cap_drop": ["ALL"]}


def complete(definition):
    return compose_file.complete(
        definition, name="mooring-demo", component="demo", network="mooring", defaults=DEFAULTS)


def test_a_service_gets_the_defaults_it_does_not_have_itself():
    project = complete({"services": {"one": {"image": "a:1", "restart": "no"}}})
    assert project["services"]["one"] == {
        "image": "a:1", "restart": "no", "cap_drop": ["ALL"],
        "labels": {"mooring.component": "demo", "mooring.digest": "@mooring.digest:one@"}}
    assert project["name"] == "mooring-demo"
    assert project["networks"] == {"default": {"name": "mooring", "external": True}}


def test_networks_of_others_stand_beside_the_platform_s():
    partner = {"partner": {"external": True, "name": "partner"}}
    project = complete({"services": {"one": {"image": "a:1"}}, "networks": partner})
    assert project["networks"] == {"default": {"name": "mooring", "external": True}, **partner}


def test_the_defaults_are_not_shared_between_services():
    project = complete({"services": {"one": {"image": "a:1"}, "two": {"image": "a:1"}}})
    project["services"]["one"]["cap_drop"].append("X")
    assert project["services"]["two"]["cap_drop"] == ["ALL"]
    assert "*" not in compose_file.dump(complete({"services": {"one": {"image": "a"}, "two": {"image": "a"}}}), "demo")


@pytest.mark.parametrize(("definition", "message"), [
    (None, "needs a mapping 'services'"),
    ({"services": []}, "needs a mapping 'services'"),
    ({"services": {}, "version": "3"}, "not version"),
    ({"services": {}, "networks": {"mine": None}}, "The network 'mine' of compose.yml has to be external"),
    ({"services": {}, "networks": {"default": {"external": True}}}, "The network 'default' of compose.yml"),
    ({"services": {"one": {"build": "."}}}, "service 'one' needs an image"),
    ({"services": {"one": {"image": "a:1", "labels": ["a=b"]}}}, "labels of service 'one' must be a mapping"),
])
def test_a_definition_that_cannot_be_completed_is_refused(definition, message):
    with pytest.raises(MooringError, match=message):
        complete(definition)


def test_the_dump_is_yaml_in_the_authors_order():
    text = compose_file.dump(complete({"services": {"z": {"image": "a:1"}, "a": {"image": "a:1"}}}), "demo")
    assert list(yaml.safe_load(text)["services"]) == ["z", "a"]
    assert text.startswith("# Component demo of mooring.stack.")


def test_facts_name_the_project_paths_of_a_service():
    project = {"services": {"one": {"image": "a:1", "env_file": "./env/one", "volumes": [
        "./conf:/conf:ro", "data:/data", "/var/log:/host",
        {"type": "bind", "source": "./secrets/one", "target": "/x"}]}}}
    assert compose_file.facts(project) == {
        "one": {"image": "a:1", "paths": ["conf", "env/one", "secrets/one"]}}


@pytest.mark.parametrize("source", ["./.", "./../x"])
def test_a_service_must_not_mount_the_project_itself(source):
    with pytest.raises(MooringError, match="must mount directories below the project"):
        compose_file.facts({"services": {"one": {"image": "a:1", "volumes": [f"{source}:/x"]}}})


def test_the_tree_has_every_parent_and_closes_the_secrets():
    secrets = compose_file.Secrets.parse({"one": {"owner": 999, "files": {"password": "p"}}})
    tree, contents = compose_file.tree(
        {"conf/d/a": "a", "secrets/one/b.cnf": "b"}, secrets, {"run/one": {"owner": 7, "mode": "0750"}})
    assert [(e["path"], e["kind"], e["mode"], e["uid"], e["secret"]) for e in tree] == [
        ("conf", "directory", "0755", 0, False),
        ("conf/d", "directory", "0755", 0, False),
        ("conf/d/a", "file", "0644", 0, False),
        ("run", "directory", "0755", 0, False),
        ("run/one", "directory", "0750", 7, False),
        ("secrets", "directory", "0755", 0, False),
        ("secrets/one", "directory", "0500", 999, False),
        ("secrets/one/b.cnf", "file", "0400", 999, True),
        ("secrets/one/password", "file", "0400", 999, True),
    ]
    assert contents == {"secrets/one/b.cnf": "b", "secrets/one/password": "p"}
    assert not any("content" in e for e in tree if e["secret"])


@pytest.mark.parametrize(("secrets", "message"), [
    ({"one": {"files": {"a": "b"}}}, "need an 'owner'"),
    ({"one": {"owner": "mysql"}}, "need an 'owner'"),
    ({"one": "x"}, "need an 'owner'"),
    ({"one": {"owner": 1, "files": {"../a": "b"}}}, "is no name for a secret file"),
    ({"one": {"owner": 1, "files": {"/a": "b"}}}, "is no name for a secret file"),
    ({"one": {"owner": 1, "files": {"a//b": "b"}}}, "is no name for a secret file"),
    ({"one": {"owner": 1, "files": {"a/../b": "b"}}}, "is no name for a secret file"),
    ({"one": {"owner": 1, "files": {"": "b"}}}, "is no name for a secret file"),
    ({"one": {"owner": 1, "files": {"a": ""}}}, "The secret 'a' of service 'one' is empty"),
    ({"one": {"owner": 1, "files": {"a": None}}}, "The secret 'a' of service 'one' is empty"),
])
def test_secrets_that_cannot_be_right_are_refused(secrets, message):
    with pytest.raises(MooringError, match=message):
        compose_file.Secrets.parse(secrets)


def test_a_secret_file_may_lie_in_a_directory_of_its_own():
    secrets = compose_file.Secrets.parse({"one": {"owner": 7, "files": {"d/a.sql": "x"}}})
    tree, contents = compose_file.tree({}, secrets, {})
    assert [(e["path"], e["mode"], e["uid"]) for e in tree] == [
        ("secrets", "0755", 0), ("secrets/one", "0500", 7), ("secrets/one/d", "0500", 7),
        ("secrets/one/d/a.sql", "0400", 7)]
    assert contents == {"secrets/one/d/a.sql": "x"}


def test_a_secret_file_without_an_owner_is_refused():
    with pytest.raises(MooringError, match="names no owner for 'two'"):
        compose_file.tree({"secrets/two/a": "x"}, {}, {})


def test_a_secret_that_is_declared_twice_is_refused():
    secrets = compose_file.Secrets.parse({"one": {"owner": 1, "files": {"a": "b"}}})
    with pytest.raises(MooringError, match="Keep one"):
        compose_file.tree({"secrets/one/a": "x"}, secrets, {})


def test_plain_turns_marked_values_into_pythons_own():
    class Marked(str):
        pass

    value = compose_file.plain({Marked("k"): [Marked("v"), 1, True, None, 1.5]})
    assert value == {"k": ["v", 1, True, None, 1.5]}
    assert type(next(iter(value))) is str
    assert type(value["k"][0]) is str
