# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a machine, a controller or a name stops the platform, and what does not."""

from __future__ import annotations

import pathlib
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _preflight_facts as facts
from ansible_collections.mooring.stack.plugins.module_utils import _preflight_host as host
from ansible_collections.mooring.stack.plugins.module_utils import _preflight_names as names
from ansible_collections.mooring.stack.plugins.module_utils import _preflight_types as types_of
from ansible_collections.mooring.stack.plugins.module_utils import _step_preflight_facts as step
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._redis import refused_rule
from bad_inventories import FACTS

# ---------------------------------------------------------------- the controller


@pytest.mark.parametrize("ansible, required, python, expected", [
    ("2.18.0", ">=2.18.0", (3, 11), []),
    ("2.19.14", ">=2.18.0", (3, 13), []),
    ("2.18.0rc1", ">=2.18.0", (3, 11), []),
    ("2.21.1", ">=2.18.0,<2.22", (3, 12), []),
    ("", ">=2.18.0", (3, 12), []),
    ("2.19.14", "", (3, 12), []),
    ("2.20.0", ">2.19,<=2.20,!=2.20.1", (3, 12), []),
    ("2.18", "==2.18.0", (3, 12), []),
    ("2.17.14", ">=2.18.0", (3, 12), [
        ("ansible-core", "2.17.14 is not supported; this collection needs >=2.18.0",
         "Install one that is, for instance with: python3 -m pip install 'ansible-core>=2.18.0'")]),
    ("2.9.27", ">=2.18.0", (3, 12), [
        ("ansible-core", "2.9.27 is not supported; this collection needs >=2.18.0",
         "Install one that is, for instance with: python3 -m pip install 'ansible-core>=2.18.0'")]),
    ("2.22.0", ">=2.18.0,<2.22", (3, 12), [
        ("ansible-core", "2.22.0 is not supported; this collection needs >=2.18.0,<2.22",
         "Install one that is, for instance with: python3 -m pip install 'ansible-core>=2.18.0,<2.22'")]),
    ("2.18.1", ">=2.18.0", (3, 9), [
        ("python", "Ansible runs on Python 3.9; 3.11 is the oldest supported",
         "Install ansible-core for Python 3.11 or newer on the controller")]),
])
def test_the_controller(ansible, required, python, expected):
    assert list(host.check_controller(ansible, required, python)) == expected


# ---------------------------------------------------------------- the kernel


@pytest.mark.parametrize("kernel, answers, map_count, expected", [
    ({}, False, 262144, ""),
    ({"memory_controller": None}, False, 0, ""),
    ({"memory_controller": False}, True, 0, "has no memory controller"),
    ({"overlay": False, "modules": True}, False, 0, ""),  # Docker loads it
    ({"overlay": False, "modules": None}, False, 0, ""),
    ({"overlay": True, "modules": False}, False, 0, ""),
    ({"overlay": False, "modules": False}, True, 0, ""),  # an engine of another storage driver
    ({"overlay": False, "modules": False, "release": "6.1.0-9"}, False, 0, "the modules of 6.1.0-9, which runs"),
    ({"max_map_count": 65530, "max_map_count_writable": True}, False, 262144, ""),  # host_limits raises it
    ({"max_map_count": 65530, "max_map_count_writable": False}, False, 0, ""),
    ({"max_map_count": 262144, "max_map_count_writable": False}, False, 262144, ""),
    ({"max_map_count": 65530, "max_map_count_writable": False}, False, 262144, "vm.max_map_count is 65530"),
])
def test_the_kernel(kernel, answers, map_count, expected):
    found = list(host.check_kernel({"kernel": kernel, "docker": {"answers": answers}}, map_count))
    assert bool(found) == bool(expected)
    assert all(expected in one.problem and one.remedy for one in found), found


# ---------------------------------------------------------------- the engine

RUNS = {"installed": True, "answers": True, "daemon": True, "version": "27.0.1", "compose": "v2.30.0"}


@pytest.mark.parametrize("docker, source, expected", [
    ({}, "upstream", ""),
    ({}, "distro", ""),
    ({"packages": ["runc", "containerd.io"]}, "nonsense", ""),
    ({**RUNS, "packages": ["docker-ce", "docker-ce-cli", "containerd.io"]}, "distro", ""),  # adopted
    ({**RUNS, "packages": ["docker.io", "containerd", "runc"]}, "upstream", ""),
    ({**RUNS, "answers": False, "version": "", "packages": ["docker.io", "containerd", "runc"]}, "upstream", ""),
    ({"packages": ["containerd", "docker-compose"]}, "distro", ""),
    ({"packages": ["containerd.io"]}, "upstream", ""),
    ({"packages": ["docker-compose"]}, "upstream", ""),  # Compose v1 of Debian 12 is in nobody's way
    ({"packages": ["containerd", "runc"], "marker": {"engine": "installed", "source": "distro"}}, "distro", ""),
    ({"packages": ["runc"]}, "upstream", "runc of another source is installed"),
    ({"packages": ["docker-ce-cli", "docker-compose-plugin"]}, "distro", "docker-ce-cli, docker-compose-plugin of"),
    ({**RUNS, "snap": True}, "upstream", "is the snap"),
    ({"podman": "/usr/bin/docker"}, "upstream", "/usr/bin/docker is a wrapper of Podman"),
    ({"packages": ["podman-docker"]}, "upstream", "/usr/bin/docker is a wrapper of Podman"),
    ({"packages": ["docker-ce", "docker.io"]}, "upstream", "two engines for one socket"),
    ({**RUNS, "version": "19.3.1"}, "upstream", "is 19.3.1; 20.10 is the oldest"),
    ({**RUNS, "compose": "2.17.3"}, "upstream", "its Compose plugin is 2.17.3; 2.20 is needed"),
    ({**RUNS, "marker": {"engine": "installed", "source": "distro"}}, "upstream", "was installed from 'distro'"),
])
def test_the_engine(docker, source, expected):
    found = list(host.check_engine({**FACTS, "docker": {**FACTS["docker"], **docker}}, source, "2.20"))
    assert bool(found) == bool(expected), found
    assert all(one.subject == "docker" and expected in one.problem and one.remedy for one in found), found


def test_an_engine_on_a_system_that_is_refused_anyway():
    there = {**FACTS, "os": {"id": "fedora", "version": "44", "codename": ""}}
    assert list(host.check_engine(there, "upstream", "2.20")) == []
    assert list(host.check_engine(FACTS, "upstream", "new")) == []


# ---------------------------------------------------------------- names and addresses

PRIVATE, PUBLIC = "10.20.0.10", "8.8.8.8"


@pytest.mark.parametrize("answers, own, seen_at, allowed, expected", [
    ([PRIVATE], [PRIVATE], [PRIVATE], [], []),
    ([PUBLIC], [PUBLIC, "172.17.0.1"], [PUBLIC], [], []),
    ([PUBLIC], [PRIVATE], [PUBLIC], [], []),  # one-to-one translation: it is reached there
    ([PUBLIC], [PRIVATE], [PRIVATE], [], []),  # nothing is known of what translates
    ([PUBLIC], [], [], [], []),
    (["10.20.0.99"], [PRIVATE], [PRIVATE], [], ["10.20.0.99"]),
    (["10.20.0.99"], [PRIVATE, PUBLIC], [PUBLIC], [], []),  # a name that means something else inside
    (["9.9.9.9"], [PUBLIC], [PUBLIC], [], ["9.9.9.9"]),
    ([PUBLIC, "2606:4700::1111"], [PUBLIC], [PUBLIC], [], ["2606:4700::1111"]),  # an old AAAA
    (["127.0.1.1", "::1"], [PUBLIC], [PUBLIC], [], []),
    (["fe80::1"], [PRIVATE], [PRIVATE], [], []),
    (["10.40.0.5"], [PRIVATE], [PRIVATE], ["10.40.0.0/24"], []),
    (["10.40.0.5", "10.41.0.5"], [PRIVATE], [PRIVATE], ["10.40.0.0/24", "nonsense"], ["10.41.0.5"]),
    ([PUBLIC], [PRIVATE], [PRIVATE], ["9.9.9.9"], [PUBLIC]),
    ([PUBLIC], [PRIVATE], [PRIVATE], ["nonsense"], []),
])
def test_addresses_that_lead_elsewhere(answers, own, seen_at, allowed, expected):
    assert host.elsewhere(answers, own, seen_at, allowed) == expected


@pytest.mark.parametrize("address, own, anywhere, expected", [
    ("0.0.0.0", [PRIVATE], False, True), ("::", [PRIVATE], False, True), ("127.0.0.1", [PRIVATE], False, True),
    (PRIVATE, [PRIVATE], False, True), ("10.20.0.99", [PRIVATE], False, False), ("10.20.0.99", [PRIVATE], True, True),
    ("10.20.0.99", [], False, True),
])
def test_addresses_that_can_be_bound(address, own, anywhere, expected):
    assert host.can_be_bound(address, {"addresses": own, "kernel": {"nonlocal_bind": anywhere}}) is expected


@pytest.mark.parametrize("variables, expected", [
    ({"mooring_domain": []}, {}),
    ({"mooring_domian": []}, {"mooring_domian": "mooring_domain"}),
    ({"stores_mysql_image": []}, {"stores_mysql_image": "store_mysql_image"}),
    ({"store_backup": []}, {"store_backup": ""}),
    ({"store_backup": [], "store_mysql_image": ["{{ store_backup }}"]}, {}),
    ({"kafka_topic": []}, {}),  # nothing of Kafka runs here
    ({"shop_port": [], "ansible_hots": [], "vault_mooring_domian": [], "__own": []}, {}),
])
def test_variables_that_nobody_reads(variables, expected):
    known = {"mooring_domain", "store_mysql_image", "kafka_topics"}
    assert names.unread(variables, known, known - {"kafka_topics"}, {"store", "mooring"}) == expected


@pytest.mark.parametrize("name, expected", [
    ("data_store", "data_stores"), ("web", ""), ("kafka_1", ""), ("platform1", "platform-1"), ("platform-2", ""),
    ("kafka", ""), ("data_stores_2", ""),
])
def test_names_that_are_nearly_others(name, expected):
    assert names.slip(name, ["data_stores", "kafka", "platform-1", "kafka_2"], names.HINT) == expected


# ---------------------------------------------------------------- rules of Redis


@pytest.mark.parametrize("rules, expected", [
    ("~demo:* +@all -@admin -@dangerous", None),
    ("+ping +info +config|get +slowlog|len +client|setname", None),
    ("%R~in:* %RW~out:* &events.* resetkeys allchannels -@all +GET +acl|cat +ft.search +@json", None),
    ("~a:* (+get ~b:*) ( +set  ~c:* )", None),
    ("", None),
    ("demo:* +@all", "'demo:*' is no rule of Redis"),
    ("~demo:* @read", "'@read' is no rule of Redis"),
    ("~demo:* read", "'read' is no rule of Redis"),
    ("+@dangerus", "Redis has no category 'dangerus'"),
    ("-@ADMN", "Redis has no category 'admn'"),
    ("~* nopass", "has a rule about passwords"),
    ("~* RESET", "has a rule about passwords"),
    ("~* >hunter2", "has a rule about passwords"),
])
def test_rules_of_redis(rules, expected):
    found = refused_rule(rules)
    assert (found is None) if expected is None else (expected in found[0] and found[1] and "hunter2" not in str(found))


# ---------------------------------------------------------------- types

SPEC = {"type": "list", "elements": "dict", "options": {
    "name": {"type": "str", "required": True}, "size": {"type": "int"}, "on": {"type": "bool"},
    "kind": {"type": "str", "choices": ["a", "b"]}, "tags": {"type": "list", "elements": "int"},
    "password": {"type": "int"},
    "inner": {"type": "dict", "options": {"port": {"type": "int", "required": True}, "host": {"type": "str"}}}}}


@pytest.mark.parametrize("value, expected", [
    ([{"name": "x", "size": 1, "on": True, "kind": "a", "tags": [1], "inner": {"port": 1}}], []),
    ({"name": "x"}, [("", "is a dictionary, not a list", "")]),
    (["x"], [("[0]", "is a text, not a dictionary", "")]),
    ([None], [("[0]", "is empty, not a dictionary", "")]),
    ([{"name": "x"}, {}], [("[1]", "has no name", "Add name")]),
    ([{"name": "x", "size": "big"}], [("[0].size", "'big' is not a whole number", "")]),
    ([{"name": "x", "on": "perhaps"}], [("[0].on", "'perhaps' is not true or false", "")]),
    ([{"name": "x", "kind": "c"}], [("[0].kind", "'c' is not one of a, b", "")]),
    ([{"name": "x", "tags": ["one"]}], [("[0].tags", "has an item that is not a whole number", "")]),
    ([{"name": "x", "tags": {"a": 1}}], [("[0].tags", "is a dictionary, not a list", "")]),
    ([{"name": "x", "inner": {}}], [("[0].inner", "has no port", "Add port")]),
    ([{"name": "x", "inner": {"port": "web"}}], [("[0].inner.port", "'web' is not a whole number", "")]),
    ([{"name": "x", "inner": {"port": 1, "hots": "y"}}],
     [("[0].inner", "has the unknown key hots", "Did you mean host")]),
    ([{"name": "x", "inner": {"port": 1, "host": ["y"]}}], [("[0].inner.host", "is a list, not a text", "")]),
    ([{"name": "x", "siez": 1, "colour": "red"}],
     [("[0]", "has the unknown key colour", "Known are inner, kind, name, on, password, size, tags"),
      ("[0]", "has the unknown key siez", "Did you mean size")]),
    ([{"name": ["x"]}], [("[0].name", "is a list, not a text", "")]),
    ([{"name": "x", "password": "hunter2"}], [("[0].password", "is a text, not a whole number", "")]),
])
def test_types(value, expected):
    found = types_of.check("things", SPEC, value, lambda name: "password" in name)
    assert [tuple(one) for one in found] == expected


@pytest.mark.parametrize("spec, value, expected", [
    ({"type": "str"}, ["x"], [("", "is a list, not a text", "")]),
    ({"type": "int"}, "many", [("", "'many' is not a whole number", "")]),
    ({"type": "bool"}, "maybe", [("", "'maybe' is not true or false", "")]),
    ({"type": "dict"}, "x", [("", "is a text, not a dictionary", "")]),
    ({"type": "str", "choices": ["a", "b"]}, "c", [("", "'c' is not one of a, b", "")]),
    ({"type": "list", "elements": "str"}, "a,b", []),
    ({"type": "jsonarg"}, "x", []),
])
def test_types_of_one_value(spec, value, expected):
    assert [tuple(one) for one in types_of.check("thing", spec, value, lambda _name: False)] == expected


def test_a_message_that_is_not_known_keeps_no_secret():
    found = list(types_of._translate("thing", SPEC, "thing cannot be\n'hunter2'.", "[0]", {"password": "hunter2"},
                                     lambda name: "password" in name))
    assert [tuple(one) for one in found] == [("[0]", "thing cannot be '********'", "")]


# ---------------------------------------------------------------- what a host says


@pytest.mark.parametrize("controllers, cgroups, expected", [
    ("cpuset cpu io memory pids\n", "", True),
    ("cpuset cpu io pids\n", "#subsys_name\nmemory\t4\t362\t1\n", False),
    ("", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t362\t1\n", True),
    ("", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t9\t1\nmemory\t0\t362\t0\n", False),
    ("", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t9\t1\n", False),
    ("", "", None),
])
def test_the_memory_controller(controllers, cgroups, expected):
    assert facts.memory_controller(controllers, cgroups) is expected


@pytest.mark.parametrize("text, expected", [
    ("max\n", 0), ("", 0), ("9223372036854771712\n", 0), ("536870912\n", 512 * 1024**2),
])
def test_the_limit_of_a_container(text, expected):
    assert facts.parse_limit(text) == expected


def test_addresses_of_a_host():
    trie = """\
Main:
  +-- 0.0.0.0/0 3 0 4
     |-- 0.0.0.0
        /0 universe UNICAST
        |-- 10.20.0.0
           /24 link UNICAST
        |-- 10.20.0.10
           /32 host LOCAL
        |-- 10.20.0.255
           /32 link BROADCAST
        |-- 10.21.0.4
           /31 link UNICAST
           /32 host LOCAL
"""
    assert facts.parse_fib_trie(trie) == {"10.20.0.10", "10.21.0.4"}
    assert facts.parse_fib_trie("") == set()
    table = "00000000000000000000000000000001 01 80 10 80       lo\nfd000000000000000000000000000002 04 40 00 82 eth0\n"
    assert facts.parse_if_inet6(table) == {"::1", "fd00::2"}
    assert facts.parse_if_inet6("") == set()


def test_installed_packages():
    status = """\
Package: containerd
Status: install ok installed
Priority: optional

Package: docker.io
Status: deinstall ok config-files

Package: runc
Status: hold ok installed

Package: vim
Status: install ok installed
"""
    assert facts.parse_packages(status, {"containerd", "docker.io", "runc"}) == ["containerd", "runc"]
    assert facts.parse_packages("", {"runc"}) == []


@pytest.mark.parametrize("text, expected", [
    ("#!/usr/bin/sh\nexec /usr/bin/podman \"$@\"\n", True), ("#!/bin/sh\nexec /opt/docker \"$@\"\n", False),
    ("\x7fELF podman", False), ("", False),
])
def test_a_wrapper_of_podman(text, expected):
    assert facts.wraps_podman(text) is expected


def module(answers):
    """A module whose commands answer by their first words, and that knows no dockerd."""
    def run_command(argv, **_more):
        return answers.get(tuple(argv[1:3]), (1, "", "no such command"))
    return types.SimpleNamespace(run_command=run_command, get_bin_path=lambda _name: None)


@pytest.fixture()
def docker_command(tmp_path, monkeypatch):
    """A ``docker`` on the path, with this text; the engine's socket is not asked."""
    def make(text):
        path = tmp_path / "bin"
        path.mkdir(exist_ok=True)
        (path / "docker").write_text(text)
        (path / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", str(path))
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
        return str(path / "docker")
    return make


def test_an_engine_is_read(docker_command):
    docker_command("#!/bin/sh\n")
    run = module({("version", "--format"): (0, "27.0.1\n", ""), ("compose", "version"): (0, "v2.30.0\n", ""),
                  ("ps", "--all"): (0, "", "")}).run_command
    found, published = step.read_docker(Docker(run), daemon=True)
    assert (found["answers"], found["version"], found["compose"], found["daemon"]) == (True, "27.0.1", "v2.30.0", True)
    assert (found["podman"], published) == ("", [])


def test_an_engine_without_compose_is_read(docker_command):
    docker_command("#!/bin/sh\n")
    found, _published = step.read_docker(Docker(module({}).run_command), daemon=False)
    assert (found["installed"], found["answers"], found["compose"]) == (True, False, "")


def test_a_wrapper_of_podman_is_not_asked(docker_command):
    path = docker_command("#!/bin/sh\nexec podman \"$@\"\n")
    found, published = step.read_docker(Docker(module({("version", "--format"): (0, "5.4.2", "")}).run_command), False)
    assert (found["podman"], found["answers"], published) == (path, False, [])


def test_a_host_is_read_with_nothing_but_python(monkeypatch):
    """No program of the host is needed: the facts of this machine, with nothing on the path."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")

    def no_command(argv, **_more):
        raise AssertionError(f"'{argv}' was started")

    answer = step.converge(types.SimpleNamespace(run_command=no_command, get_bin_path=lambda _name: None), {})
    found = answer["host"]
    assert not answer["changed"] and set(found) >= set(FACTS)
    assert set(found["docker"]) == set(FACTS["docker"]) and set(found["kernel"]) == set(FACTS["kernel"])
    assert not found["docker"]["installed"] and found["memory"] > 0
    assert set(found["mounts"]) == set(found["sizes"]) and all(
        free <= found["sizes"][mount] for mount, free in found["mounts"].items())
    assert "127.0.0.1" in found["addresses"] or not pathlib.Path("/proc/net/fib_trie").exists()


def test_the_memory_of_a_container_is_what_it_was_given(monkeypatch):
    texts = {"/sys/fs/cgroup/memory.max": "536870912\n", "/proc/meminfo": "MemTotal:        2097152 kB\n"}
    monkeypatch.setattr(step, "read", lambda path: texts.get(path, ""))
    assert step.memory() == 512 * 1024**2
    texts["/sys/fs/cgroup/memory.max"] = "max\n"
    assert step.memory() == 2 * 1024**3
