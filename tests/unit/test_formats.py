# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of files that another version of the collection has left on a host."""

from __future__ import annotations

import json
import os
import pathlib
import re

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import (
    _certificates_host,
    _data_directory,
    _formats,
    _images,
    _project,
    _record,
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
    (_formats.SAVED_OBJECTS, lambda path, _text: _step_kibana_objects.recorded(path)),
], ids=lambda value: getattr(value, "what", ""))
def test_a_file_of_a_newer_version_is_refused_and_not_misread(tmp_path, kind, read):
    path = newer(tmp_path, kind)
    with pytest.raises(MooringError, match=r"is in format 2, .*/etc/mooring/platforms says which one"):
        read(path, pathlib.Path(path).read_text())


def test_a_record_of_accounts_may_say_its_format():
    assert _record.Record.from_json('{"format": 1, "salt": "s", "declared": "d"}', "new") == _record.Record("s", "d")
