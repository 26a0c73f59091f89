# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of the collection may follow which on a host."""

from __future__ import annotations

import itertools
import json
import pathlib
import types

import pytest
import yaml
from ansible_collections.mooring.stack.plugins.module_utils import _collection_version as versions
from ansible_collections.mooring.stack.plugins.module_utils import _formats, _step_collection_version
from ansible_collections.mooring.stack.plugins.module_utils._collection_version import (
    Acknowledged,
    Collection,
    Note,
    Version,
    judge,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.plugin_utils import _collection

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTES = (Note("0.2.0", ("kafka - topics moved.", "redis_login - is gone.")), Note("0.4.0", ("data_stores - renamed.",)))


def facts(version="", text=None, prefix="mooring", containers=()):
    """Of a host where a version worked last."""
    if version:
        text = versions.render(version)
    return {"platforms": {} if text is None else {prefix: text}, "prefixes": list(containers)}


def told(now, found, elsewhere=(), **acknowledged):
    """Which variable a refusal names; "" for none."""
    refusal = judge(Collection(now, NOTES), found, "mooring", elsewhere, Acknowledged(**acknowledged))
    return refusal.variable if refusal else ""


def test_versions_are_ordered_as_semantic_versioning_says():
    ordered = ["0.2.0", "0.9.0", "0.10.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2",
               "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-dev", "1.0.1"]
    for lower, higher in itertools.combinations(map(Version.parse, ordered), 2):
        assert lower < higher and higher > lower and lower != higher
    assert Version.parse("1.0.0+build.1") == Version.parse("1.0.0")
    assert len({Version.parse("1.0.0+build.1"), Version.parse("1.0.0")}) == 1


@pytest.mark.parametrize("text", ["", "1", "1.2", "v1.2.3", "1.2.3.4", "latest"])
def test_what_is_no_version(text):
    with pytest.raises(MooringError, match="is not a version"):
        Version.parse(text)


@pytest.mark.parametrize(("now", "found", "variable"), [
    ("0.2.0", facts(), ""),
    ("0.2.0", facts("0.2.0"), ""),
    ("0.3.0", facts("0.2.0"), ""),
    ("0.2.0", facts("0.3.0"), versions.DOWNGRADE),
    ("0.3.0-dev", facts("0.3.0"), versions.DOWNGRADE),
    ("0.3.0", facts("0.3.0-dev"), ""),
    ("0.3.0", facts("0.1.0"), versions.UPGRADE),
    ("0.4.0-dev", facts("0.2.0"), ""),
    ("0.4.0", facts("0.2.0"), versions.UPGRADE),
    ("0.9.0", facts("0.4.0"), ""),
    # 0.1.0 left no record, but containers.
    ("0.2.0", facts(containers=["mooring"]), versions.UPGRADE),
    ("0.1.0", facts(containers=["mooring"]), ""),
    # Another platform on the same host.
    ("0.2.0", facts("0.3.0", prefix="two"), ""),
    ("0.2.0", facts(containers=["two", "mooring-two"]), ""),
])
def test_which_may_follow_which(now, found, variable):
    assert told(now, found) == variable


@pytest.mark.parametrize(("acknowledged", "variable"), [
    ({"upgrade": "0.2.0"}, versions.UPGRADE),
    ({"upgrade": "0.4.0"}, ""),
    ({"upgrade": "0.9.0"}, ""),
    ({"upgrade": "yes"}, versions.UPGRADE),
    ({"downgrade": "0.1.0"}, versions.UPGRADE),
])
def test_notes_are_read_up_to_a_version(acknowledged, variable):
    assert told("0.5.0", facts("0.1.0"), **acknowledged) == variable


@pytest.mark.parametrize(("acknowledged", "variable"), [
    ({"downgrade": "0.5.0"}, ""),
    ({"downgrade": "0.6.0"}, versions.DOWNGRADE),
    ({"upgrade": "0.5.0"}, versions.DOWNGRADE),
])
def test_going_back_is_permitted_for_one_version_only(acknowledged, variable):
    assert told("0.4.0", facts("0.5.0"), **acknowledged) == variable


def test_a_refusal_tells_what_changed_and_only_about_components_that_are_here():
    mine = Collection("0.5.0", NOTES, "somewhere/CHANGELOG.rst")
    refusal = judge(mine, facts("0.1.0"), "mooring", (), Acknowledged())
    for words in ("0.1.0 worked here last", "0.2.0: kafka - topics moved.", "0.4.0: data_stores - renamed.",
                  "somewhere/CHANGELOG.rst", f"{versions.UPGRADE} to 0.4.0, in"):
        assert words in str(refusal)
    refusal = judge(mine, facts("0.1.0"), "mooring", {"kafka", "data_stores"}, Acknowledged())
    assert "redis_login" in str(refusal) and "kafka" not in str(refusal) and " to 0.2.0, in" in str(refusal)
    assert not told("0.5.0", facts("0.2.0"), {"data_stores"})


def test_an_older_one_names_both_versions_the_file_and_the_ways_out():
    refusal = str(judge(Collection("0.2.0"), facts("0.3.0"), "mooring", (), Acknowledged()))
    for words in ("0.3.0 worked here last", "/etc/mooring/platforms/mooring.json", "this is 0.2.0",
                  "Install 0.3.0 or newer", "-e mooring_downgrade_acknowledged=0.3.0"):
        assert words in refusal


@pytest.mark.parametrize("text", [
    "", "{", "[]", "7", "{}", '{"version": 2}', '{"version": "two"}', '{"version": null}'])
def test_a_damaged_record_is_no_missing_one(text):
    refusal = judge(Collection("0.2.0"), facts(text=text), "mooring", (), Acknowledged())
    assert "mooring.json is damaged" in refusal.problem and "Put the version" in refusal.remedy


def test_a_record_of_a_newer_format_is_refused():
    found = facts(text='{"format": 2, "collection": "1.0.0"}')
    refusal = judge(Collection("0.2.0"), found, "mooring", (), Acknowledged())
    assert "is in format 2, and this version of mooring.stack knows 1" in refusal.problem


def run(version, check_mode=False):
    return _step_collection_version.converge(
        types.SimpleNamespace(check_mode=check_mode), {"prefix": "mooring", "version": version})


@pytest.fixture()
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(_formats, "RECORDED", str(tmp_path / "platforms"))
    return tmp_path / "platforms" / "mooring.json"


def test_it_is_recorded_once(record):
    predicted = run("0.2.0", check_mode=True)
    assert not record.exists()
    assert run("0.2.0") == predicted
    assert predicted["differences"] == [
        {"object": "mooring.stack", "field": "version", "expected": "0.2.0", "found": "none"}]
    assert json.loads(record.read_text()) == {"format": 1, "version": "0.2.0"}
    assert (record.stat().st_mode & 0o777, record.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    before = record.stat().st_ino
    assert not run("0.2.0")["changed"]
    assert record.stat().st_ino == before
    changed = run("0.3.0")
    assert (changed["changed"], changed["before"]) == (True, "0.2.0")
    assert list(record.parent.iterdir()) == [record]


def test_what_cannot_be_a_version_is_not_recorded(record):
    with pytest.raises(MooringError, match="is not a version"):
        run("next")
    record.parent.mkdir()
    record.write_text("{")
    with pytest.raises(MooringError, match="is damaged"):
        run("0.2.0")


def test_notes_are_what_the_changelog_says():
    changelog = yaml.safe_load("""
        releases:
          0.10.0: {changes: {breaking_changes: ["nginx_certbot -\\n  ``late``."]}}
          0.9.0: {changes: {minor_changes: [a - b.], removed_features: [x - gone.], breaking_changes: [y - other.]}}
          0.8.0: {changes: {minor_changes: [a - b.]}}
          0.7.0: {}
        """)
    assert versions.notes_of(changelog) == (
        Note("0.9.0", ("y - other.", "x - gone.")), Note("0.10.0", ("nginx_certbot - 'late'.",)))
    assert versions.notes_of({}) == ()


def test_this_collection_says_its_version_and_has_its_notes():
    mine = _collection.collection()
    Version.parse(mine.version)
    assert mine.version == yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert all(Version.parse(note.version) <= Version.parse(mine.version) for note in mine.notes)
    # An installed collection has no galaxy.yml, and the notes only if they are in the artifact.
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    assert not {"changelogs", "changelogs/changelog.yaml"} & set(ignored)


def test_an_installed_collection_says_its_version_in_its_manifest(tmp_path):
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "3.4.5"}}')
    (tmp_path / "galaxy.yml").write_text("version: 9.9.9")
    assert _collection.version(tmp_path) == "3.4.5"


@pytest.mark.parametrize("files", [{}, {"galaxy.yml": "name: stack"}, {"galaxy.yml": "- ["}, {"MANIFEST.json": "{"},
                                   {"MANIFEST.json": "[]"}])
def test_a_collection_that_does_not_say_its_version(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(MooringError, match="does not say which version"):
        _collection.version(tmp_path)


@pytest.mark.parametrize("text", [None, "- [", "[]"])
def test_a_collection_without_its_notes(tmp_path, text):
    (tmp_path / "galaxy.yml").write_text("version: 1.0.0")
    if text is not None:
        (tmp_path / "changelogs").mkdir()
        (tmp_path / "changelogs" / "changelog.yaml").write_text(text)
    with pytest.raises(MooringError, match="nobody knows what changed"):
        _collection.collection(tmp_path)
