# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of files that another version of the collection has left on a host."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import (
    _certificates_host,
    _data_directory,
    _docker_engine,
    _formats,
    _images,
    _project,
    _record,
    _registry_logins,
    _release_host,
    _step_kibana_objects,
    _step_platform_status,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import Format

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMATS = {name: value for name, value in vars(_formats).items() if isinstance(value, Format)}
THIRD = Format("list", 3, forward={
    1: lambda document: {**document, "names": [document["name"]]},
    2: lambda document: {key: value for key, value in document.items() if key != "name"}})


def test_a_document_is_taken_forward_step_by_step():
    now = {"format": 3, "names": ["a"]}
    for old in ({"name": "a"}, {"format": 1, "name": "a"}, {"format": 2, "name": "a", "names": ["a"]}, now):
        assert THIRD.current(old, "/x") == now


@pytest.mark.parametrize("document", [None, [], 7, {"format": "x"}, {"format": None}, {"format": 0}])
def test_what_is_no_such_document_is_for_its_reader(document):
    assert THIRD.current(document, "/x") == document


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_every_format_comes_from_every_one_before_it_and_refuses_the_next(kind):
    assert set(kind.forward) == set(range(1, kind.version))
    with pytest.raises(MooringError, match=rf"The {kind.what} /x is in format {kind.version + 1}, and this version of "
                                           rf"mooring.stack knows {kind.version}"):
        kind.current({kind.key: kind.version + 1}, "/x")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_reader(name):
    users = [path.name for path in (ROOT / "plugins" / "module_utils").glob("*.py")
             if re.search(rf"\b{name}\.current\(", path.read_text())]
    assert users


def newer(tmp_path, kind):
    """A file of a format that nobody knows yet."""
    path = tmp_path / "newer.json"
    known = {"files": {}, "services": {}, "attempts": [], "history": [], "imported": "x"}
    path.write_text(json.dumps({**known, kind.key: kind.version + 1}))
    return str(path)


def application(path, _text):
    place = pathlib.Path(path).parent / "app_blue_green"
    place.mkdir()
    os.rename(path, place / "demo.json")
    _release_host.Store(str(place.parent), "demo").record()


def projects(path, _text):
    place = pathlib.Path(path).parent / "demo"
    (place / ".mooring").mkdir(parents=True)
    (place / "compose.yml").write_text("services: {}")
    os.rename(path, place / ".mooring" / "manifest.json")
    _step_platform_status.read_projects(place.parent, "mooring")


@pytest.mark.parametrize(("kind", "read"), [
    (_formats.MANIFEST, lambda path, text: _project.Manifest.from_json(text, path)),
    (_formats.MANIFEST, projects),
    (_formats.RELEASES, application),
    (_formats.DATA, lambda path, text: _data_directory.Record.from_json(text, path)),
    (_formats.ACCOUNTS, lambda path, text: _record.Record.from_json(text, "salt", path)),
    (_formats.LEDGER, lambda path, _text: _certificates_host.Ledger(path, 0).read()),
    (_formats.ORIGIN, lambda path, text: _certificates_host._noted(text.encode(), path)),
    (_formats.IMAGES, lambda _path, text: _images.noted(text)),
    (_formats.REGISTRIES, lambda _path, text: _registry_logins.noted(text)),
    (_formats.SAVED_OBJECTS, lambda path, _text: _step_kibana_objects.recorded(path)),
], ids=lambda value: getattr(value, "what", ""))
def test_a_file_of_a_newer_version_is_refused_and_not_misread(tmp_path, kind, read):
    path = newer(tmp_path, kind)
    with pytest.raises(MooringError, match=r"is in format 2, .*/etc/mooring/platforms says which one"):
        read(path, pathlib.Path(path).read_text())


def test_a_record_of_accounts_may_say_its_format():
    assert _record.Record.from_json('{"format": 1, "salt": "s", "declared": "d"}', "new") == _record.Record("s", "d")


# ---------------------------------------------------------------- what 0.1.0 left

LEFT = pathlib.Path(__file__).parent / "data" / "left_by_0.1.0"


def entry_of(path, stamp):
    """What lies at a path whose stamp a manifest has."""
    kind, mode, owner, *digest = stamp.split()
    uid, gid = map(int, owner.split(":"))
    return _project.Entry(path, "".join(digest), int(mode, 8), uid, gid, kind)


def test_the_containers_of_0_1_0_are_no_drift_and_need_no_restart():
    manifest = _project.Manifest.from_json((LEFT / "manifest.json").read_text(), "manifest.json")
    assert set(manifest.services) == {"web", "store"} and "web/conf/a.conf" in manifest.entries
    containers = [_project.read_container(one) for one in json.loads((LEFT / "containers.json").read_text())]
    entries = {path: entry_of(path, stamp) for path, stamp in manifest.entries.items()}
    assert {path: one.stamp() for path, one in entries.items()} == manifest.entries
    image = "mooring.lab/witness:1"
    reload = _project.Reload(("web/conf",), ("true",))
    declared = _project.Declared(entries, {
        "web": _project.Service("web", image, ("web/conf",), (reload,)),
        "store": _project.Service("store", image, stateful=True)})
    # Digests of what is reloadable have the host's key, which is not kept here.
    reloads = _project.reload_digests(b"key", declared.services["web"], entries.values())
    assert len(manifest.services["web"]["reloads"]) == len(reloads)
    manifest.services["web"]["reloads"] = reloads
    observed = _project.Observed(
        manifest, entries, {one.service: [one] for one in containers},
        {image: containers[0].image_id}, {name: facts["hash"] for name, facts in manifest.services.items()})
    plan = _project.decide(declared, observed, b"key", False)
    assert [str(one) for one in plan.differences] == []
    assert (plan.steps, plan.write, plan.delete, plan.notices) == ({}, (), (), ())
    # It does tell drift from what 0.1.0 recorded.
    edited = {**entries, "web/conf/a.conf": entry_of("web/conf/a.conf", "file 0644 0:0 edited")}
    plan = _project.decide(declared, dataclasses.replace(observed, entries=edited), b"key", False)
    assert str(plan.differences[0]) == "file web/conf/a.conf: content differs"
    assert plan.steps == {"web": "reload"}


def test_the_deployments_of_0_1_0_can_be_rolled_back(tmp_path):
    (tmp_path / "app_blue_green").mkdir()
    (tmp_path / "app_blue_green" / "demo.json").write_text((LEFT / "demo.json").read_text())
    store = _release_host.Store(str(tmp_path), "demo")
    record = store.record()
    assert (record.active["release"], record.active["colour"]) == ("1.1.0", "green")
    assert [(one["release"], one["result"]) for one in record.history] == [
        ("1.0.0", "serving"), ("1.1.0", "serving"), ("1.2.0", "undone")]
    assert record.kept(2) == ["sha256:" + "b" * 64, "sha256:" + "a" * 64]
    store.save(record)
    assert store.record() == record


def test_the_orders_of_0_1_0_count():
    attempts = _certificates_host.Ledger(str(LEFT / "ledger.json"), 0).read()
    assert [(one.outcome, one.root, sorted(one.domains)) for one in attempts] == [
        ("started", "aa", ["mooring.test"]), ("issued", "", ["mooring.test", "www.mooring.test"])]


def test_the_engine_of_0_1_0_is_still_ours():
    marker = _formats.ENGINE.current(json.loads((LEFT / "docker_engine.json").read_text()), "docker_engine.json")
    assert not _docker_engine.is_adopted(marker, daemon=True, engine=True)
    host = _docker_engine.Host("debian", "trixie", "amd64", mirror="http://mirror.mooring.test/debian", daemon=True,
                               marker=marker)
    plan = _docker_engine.decide(host, _docker_engine.Wish("distro", "2.20"))
    assert set(marker["packages"]) <= set(plan.marker["packages"]) and plan.marker["engine"] == "installed"
