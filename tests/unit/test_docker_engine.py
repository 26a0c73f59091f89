# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed, written and restarted on which host."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._docker_engine import (
    HOST_LIBRARIES,
    UPSTREAM_COMPOSE,
    UPSTREAM_ENGINE,
    Daemon,
    Host,
    Wish,
    decide,
    decide_daemon,
    find_mirror,
    is_adopted,
    version,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

MIRROR = "http://mirror.example.org/debian"
DISTRO = Wish("distro", "2.20")
UPSTREAM = Wish("upstream", "2.20", "https://repository.example.org/linux")
BARE = {
    "bookworm": Host("debian", "bookworm", "amd64", MIRROR),
    "trixie": Host("debian", "trixie", "arm64", MIRROR),
    "jammy": Host("ubuntu", "jammy", "amd64"),
    "noble": Host("ubuntu", "noble", "amd64"),
}
FOREIGN = dataclasses.replace(BARE["trixie"], daemon=True, client=True, engine="26.1.5", compose="2.26.1-4",
                              packages=frozenset(HOST_LIBRARIES))
PINNED = {"/etc/apt/sources.list.d/mooring-trixie.sources", "/etc/apt/preferences.d/mooring-compose"}


def after(host: Host, wish: Wish, compose: str = "2.26.1-4") -> Host:
    """The host after the plan for it was carried out."""
    plan = decide(host, wish)
    names = frozenset(name.partition("=")[0] for name in plan.packages)
    return dataclasses.replace(host, daemon=True, client=True, engine="26.1.5", compose=compose,
                               packages=host.packages | names, files={**host.files, **plan.files}, marker=plan.marker)


@pytest.mark.parametrize(("codename", "engine"), [
    ("bookworm", {"docker.io", "iptables", "docker-compose=2.*"}),
    ("trixie", {"docker.io", "docker-cli", "docker-buildx", "iptables", "docker-compose"}),
    ("jammy", {"docker.io", "docker-buildx", "iptables", "docker-compose-v2"}),
    ("noble", {"docker.io", "docker-buildx", "iptables", "docker-compose-v2"}),
])
def test_a_bare_host_gets_the_packages_of_its_distribution(codename: str, engine: set[str]) -> None:
    plan = decide(BARE[codename], DISTRO)
    assert set(plan.packages) == engine | set(HOST_LIBRARIES)
    assert not plan.adopted
    assert set(plan.files) == (PINNED if codename == "bookworm" else set())
    assert plan.marker["engine"] == "installed"
    assert {"/etc/docker/daemon.json", "/var/log/mooring-dockerd.log", *plan.files} == set(plan.marker["files"])
    assert set(plan.marker["packages"]) == {name.partition("=")[0] for name in plan.packages}


@pytest.mark.parametrize("codename", BARE)
@pytest.mark.parametrize("wish", [DISTRO, UPSTREAM], ids=["distro", "upstream"])
def test_a_second_run_has_nothing_to_do(codename: str, wish: Wish) -> None:
    host = after(BARE[codename], wish)
    again = decide(host, wish)
    assert not again.changes_anything
    assert again.marker == host.marker


def test_upstream_source_file() -> None:
    plan = decide(BARE["noble"], UPSTREAM)
    assert plan.files == {"/etc/apt/sources.list.d/docker.sources": (
        "# Managed by mooring.stack, role docker_engine.\n"
        "Types: deb\n"
        "URIs: https://repository.example.org/linux/ubuntu\n"
        "Suites: noble\n"
        "Components: stable\n"
        "Architectures: amd64\n"
        "Signed-By: /etc/apt/keyrings/docker.asc\n"
    )}
    assert plan.key_url == "https://repository.example.org/linux/ubuntu/gpg"
    assert {*UPSTREAM_ENGINE, UPSTREAM_COMPOSE} <= set(plan.packages)
    assert "/etc/apt/keyrings/docker.asc" in plan.marker["files"]


def test_only_compose_is_taken_from_the_newer_release() -> None:
    files = decide(BARE["bookworm"], DISTRO).files
    assert f"URIs: {MIRROR}\nSuites: trixie\n" in files["/etc/apt/sources.list.d/mooring-trixie.sources"]
    assert files["/etc/apt/preferences.d/mooring-compose"].endswith(
        "Package: *\nPin: release n=trixie\nPin-Priority: -1\n\n"
        "Package: docker-compose\nPin: release n=trixie\nPin-Priority: 900\n")


def test_an_edited_pin_is_healed() -> None:
    host = after(BARE["bookworm"], DISTRO)
    host = dataclasses.replace(host, files={**host.files, "/etc/apt/preferences.d/mooring-compose": "edited"})
    assert set(decide(host, DISTRO).files) == {"/etc/apt/preferences.d/mooring-compose"}


@pytest.mark.parametrize("wish", [DISTRO, UPSTREAM], ids=["distro", "upstream"])
def test_a_foreign_engine_is_adopted_untouched(wish: Wish) -> None:
    plan = decide(FOREIGN, wish)
    assert plan.adopted
    assert not plan.changes_anything
    assert plan.key_url == ""


def test_a_foreign_engine_that_does_not_run_is_adopted_too() -> None:
    assert decide(dataclasses.replace(FOREIGN, engine=""), DISTRO).adopted


def test_an_adopted_engine_still_gets_the_libraries() -> None:
    plan = decide(dataclasses.replace(FOREIGN, packages=frozenset()), UPSTREAM)
    assert plan.packages == HOST_LIBRARIES
    assert plan.marker == {"engine": "adopted", "source": "upstream", "packages": list(HOST_LIBRARIES), "files": []}


@pytest.mark.parametrize("compose", ["", "2.17.2"])
def test_an_adopted_engine_without_compose_gets_the_plugin_of_the_distribution(compose: str) -> None:
    assert decide(dataclasses.replace(FOREIGN, compose=compose), DISTRO).packages == ("docker-compose",)
    borrower = dataclasses.replace(FOREIGN, codename="bookworm", engine="20.10.24+dfsg1", compose=compose)
    plan = decide(borrower, DISTRO)
    assert plan.packages == ("docker-compose=2.*",)
    assert set(plan.files) == PINNED


def test_compose_v1_of_debian_12_does_not_count() -> None:
    host = dataclasses.replace(FOREIGN, codename="bookworm", compose="",
                               packages=frozenset({*HOST_LIBRARIES, "docker-compose"}))
    assert decide(host, DISTRO).packages == ("docker-compose=2.*",)


def test_an_adopted_daemon_without_client_gets_one() -> None:
    assert decide(dataclasses.replace(FOREIGN, client=False), DISTRO).packages == ("docker-cli",)


def test_an_interrupted_installation_is_still_ours() -> None:
    """The marker is written first; the packages were only half installed."""
    host = dataclasses.replace(BARE["trixie"], daemon=True, packages=frozenset({"docker.io"}),
                               marker=decide(BARE["trixie"], DISTRO).marker)
    plan = decide(host, DISTRO)
    assert not plan.adopted
    assert "docker-cli" in plan.packages
    assert "docker.io" in plan.marker["packages"]


@pytest.mark.parametrize(("host", "wish", "says"), [
    (dataclasses.replace(FOREIGN, compose=""), UPSTREAM, "docker_engine_source to distro"),
    (dataclasses.replace(FOREIGN, compose="2.17.2", packages=frozenset({"docker-compose"})), DISTRO, "Upgrade"),
    (dataclasses.replace(FOREIGN, engine="19.03.15"), DISTRO, "20.10 is the oldest"),
    (dataclasses.replace(BARE["bookworm"], mirror=""), DISTRO, "sources.list"),
    (dataclasses.replace(BARE["trixie"], codename="bullseye"), DISTRO, "debian bullseye is not supported"),
    (after(BARE["trixie"], DISTRO), UPSTREAM, "never mix"),
    (FOREIGN, Wish("distro", "two"), "'two' is not a version"),
])
def test_what_cannot_be_done_is_said(host: Host, wish: Wish, says: str) -> None:
    with pytest.raises(MooringError, match=says):
        decide(host, wish)


@pytest.mark.parametrize(("text", "pair"), [
    ("2.26.1-4", (2, 26)), ("v2.20.0", (2, 20)), ("20.10.24+dfsg1", (20, 10)), ("28.2.2\n", (28, 2)),
])
def test_version(text: str, pair: tuple[int, int]) -> None:
    assert version(text) == pair


def test_a_version_that_is_none() -> None:
    with pytest.raises(MooringError, match="'dev' is not a version"):
        version("dev")


@pytest.mark.parametrize(("text", "mirror"), [
    (f"deb {MIRROR} bookworm main\n", MIRROR),
    (f"# deb http://old.example.org/ bookworm main\ndeb [signed-by=/a.gpg arch=amd64] {MIRROR} bookworm main", MIRROR),
    (f"deb {MIRROR} bookworm-updates main\n", ""),
    (f"deb-src {MIRROR} bookworm main\n", ""),
    (f"Types: deb\n# note\nURIs: {MIRROR}\nSuites: bookworm bookworm-updates\nComponents: main\n", MIRROR),
    (f"Types: deb\nURIs: {MIRROR}\nSuites: bookworm\nEnabled: no\n", ""),
    (f"Types: deb\nURIs: http://other.example.org/\nSuites: trixie\n\nTypes: deb\nURIs: {MIRROR}\nSuites: bookworm\n",
     MIRROR),
    ("", ""),
])
def test_find_mirror(text: str, mirror: str) -> None:
    assert find_mirror([text], "bookworm") == mirror


CONFIG = {"log-driver": "json-file", "live-restore": True}
TEXT = json.dumps(CONFIG)


@pytest.mark.parametrize(("now", "config", "expected"), [
    # (writes, starts, restarts)
    pytest.param(Daemon(False), CONFIG, (True, True, False), id="bare"),
    pytest.param(Daemon(False), None, (False, True, False), id="foreign, stopped"),
    pytest.param(Daemon(True), None, (False, False, False), id="foreign, running"),
    pytest.param(Daemon(True, "{", True), None, (False, False, False), id="foreign, its file is its own business"),
    pytest.param(Daemon(True, TEXT), CONFIG, (False, False, False), id="converged"),
    pytest.param(Daemon(True, json.dumps(CONFIG, indent=8)), CONFIG, (False, False, False), id="other formatting"),
    pytest.param(Daemon(True, "{}"), CONFIG, (True, False, True), id="changed"),
    pytest.param(Daemon(True, "no json"), CONFIG, (True, False, True), id="broken"),
    pytest.param(Daemon(True, None), CONFIG, (True, False, True), id="removed"),
    pytest.param(Daemon(True, ""), {}, (False, False, False), id="an empty file is an empty configuration"),
    pytest.param(Daemon(True, TEXT, True), CONFIG, (False, False, True), id="killed before the restart"),
    pytest.param(Daemon(False, TEXT, True), CONFIG, (False, True, False), id="killed before the start"),
    pytest.param(Daemon(True, "{}", live_restore=True, containers=3), CONFIG, (True, False, True), id="live restore"),
])
def test_daemon(now: Daemon, config: dict[str, object] | None, expected: tuple[bool, bool, bool]) -> None:
    plan = decide_daemon(now, config, allow_restart=False)
    assert (plan.write is not None, plan.start, plan.restart) == expected
    assert plan.changes_anything == any(expected) == bool(plan.differences)
    if plan.write is not None:
        assert json.loads(plan.write) == config


@pytest.mark.parametrize(("now", "expected"), [
    (Daemon(True, '{"log-driver": "journald", "live-restore": true, "mtu": 1400}'),
     [("/etc/docker/daemon.json", "log-driver", "json-file", "journald"),
      ("/etc/docker/daemon.json", "mtu", None, 1400)]),
    # null is a value; only the key that is there twice with it is none.
    (Daemon(True, '{"log-driver": "json-file", "live-restore": true, "mtu": null}'),
     [("/etc/docker/daemon.json", "mtu", None, None)]),
    (Daemon(True, "[]"), [("/etc/docker/daemon.json", "content", "a JSON object", "something else")]),
    (Daemon(True, None), [("/etc/docker/daemon.json", "presence", "present", None)]),
    (Daemon(True, TEXT, True), [("Docker daemon", "configuration", "as in daemon.json", "an older one")]),
    (Daemon(False, TEXT), [("Docker daemon", "state", "running", "not answering")]),
    (Daemon(True, TEXT, at_boot=False), [("Docker daemon", "start at boot", "enabled", "disabled")]),
    (Daemon(True, TEXT, at_boot=True), []),
])
def test_the_daemon_is_compared_key_by_key(now: Daemon, expected: list[tuple[object, ...]]) -> None:
    plan = decide_daemon(now, CONFIG, allow_restart=False)
    assert [(one.object, one.field, one.expected, one.found) for one in plan.differences] == expected
    assert plan.changes_anything == bool(expected)
    assert plan.enable == (now.at_boot is False)


@pytest.mark.parametrize(("marker", "daemon", "engine", "adopted"), [
    ({}, False, False, False), ({}, True, False, True), ({}, False, True, True),
    ({"engine": "adopted"}, True, True, True), ({"engine": "installed"}, True, True, False),
])
def test_an_engine_of_others_is_adopted(marker: dict[str, str], daemon: bool, engine: bool, adopted: bool) -> None:
    assert is_adopted(marker, daemon, engine) is adopted


def test_what_a_host_lacks_is_named() -> None:
    bare = BARE["bookworm"]
    names = [(one.object, one.field) for one in decide(bare, DISTRO).differences(bare)]
    # The version that the plan pins is no part of the name.
    assert ("package docker-compose", "presence") in names
    assert ("file /etc/apt/preferences.d/mooring-compose", "presence") in names
    host = after(bare, DISTRO)
    assert decide(host, DISTRO).differences(host) == []
    edited = dataclasses.replace(host, files={**host.files, "/etc/apt/preferences.d/mooring-compose": "mine"})
    (one,) = decide(edited, DISTRO).differences(edited)
    assert (one.object, one.field) == ("file /etc/apt/preferences.d/mooring-compose", "content")


@pytest.mark.parametrize(("now", "config"), [
    (Daemon(True, "{}", containers=3), CONFIG),
    (Daemon(True, TEXT, live_restore=True, containers=3), {"live-restore": False}),
    (Daemon(True, TEXT, True, containers=1), CONFIG),
])
def test_a_restart_that_stops_containers_is_refused_unless_allowed(now: Daemon, config: dict[str, object]) -> None:
    with pytest.raises(MooringError, match="docker_engine_allow_restart=true") as raised:
        decide_daemon(now, config, allow_restart=False)
    assert raised.value.details["differences"]
    assert decide_daemon(now, config, allow_restart=True).restart
