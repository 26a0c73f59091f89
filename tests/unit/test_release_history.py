# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollback goes back to, and how the record of deployments is shown."""

from __future__ import annotations

import dataclasses
import pathlib
import sys

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.mooring.stack.plugins.action.release_previous import still_declared
from ansible_collections.mooring.stack.plugins.module_utils import _release_history as history
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._preflight import Setting
from ansible_collections.mooring.stack.plugins.module_utils._release import Colour, Record, Situation
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic
from ansible_collections.mooring.stack.plugins.plugin_utils._origin import resolve, without_extra_variables

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

import templates  # noqa: E402


def colour(of: str) -> Colour:
    """``of`` is the release, with a quote for each change of nothing but its configuration."""
    release = of.rstrip("'")
    return Colour(container=f"id-{of}", status="running", release=release, definition=f"seal-{of}",
                  image_id=f"sha256:{release}")


def entry(of: str, **changes) -> dict:
    release = of.rstrip("'")
    return {"release": release, "image": f"shop:{release}", "image_id": f"sha256:{release}",
            "definition": f"seal-{of}", **changes}


def situation(blue: str, green: str, active: str = "green") -> Situation:
    colours = {name: colour(of) if of else Colour() for name, of in (("blue", blue), ("green", green))}
    return Situation(colours=colours, proxy_answers=True, memory=Traffic(active), file=Traffic(active),
                     record={"colour": active})


def recorded(*deployed: str, undone: tuple[str, ...] = ()) -> Record:
    record = Record()
    for of in deployed:
        record.deployed(entry(of))
    for of in undone:
        record.failed(entry(of), "It was never ready.")
    return record


def here(*releases: str) -> dict[str, list[str]]:
    return {f"sha256:{release}": [f"shop:{release}"] for release in releases}


ALL = here("1", "2", "3")

# situation, record, wanted, images -> release, image, seal
BACK = {
    "the one before, warm": (situation("1", "2"), recorded("1", "2"), "", ALL, ("1", "shop:1", "seal-1")),
    "and forward again": (situation("1", "2", "blue"), recorded("1", "2", "1"), "", ALL, ("2", "shop:2", "seal-2")),
    "the one before, gone from its colour":
        (situation("", "2"), recorded("1", "2"), "", ALL, ("1", "shop:1", "")),
    "what else serves while another one has a share": (
        dataclasses.replace(situation("1", "2"), memory=Traffic("green", percent=10)), recorded("1", "2"), "", {},
        ("2", "", "seal-2")),
    "another one by name although one has a share": (
        dataclasses.replace(situation("1", "2"), file=Traffic("green", percent=10)), recorded("1", "2"), "1", ALL,
        ("1", "shop:1", "seal-1")),
    "what was undone never served": (situation("", "2"), recorded("1", "2", undone=("3",)), "", ALL,
                                     ("1", "shop:1", "")),
    "an older one by name": (situation("2", "3"), recorded("1", "2", "3"), "1", ALL, ("1", "shop:1", "")),
    "the warm one by name": (situation("2", "3"), recorded("1", "2", "3"), "2", ALL, ("2", "shop:2", "seal-2")),
    "a warm one needs no image by its name": (situation("1", "2"), recorded("1", "2"), "1", {},
                                              ("1", "shop:1", "seal-1")),
    "the one that serves": (situation("1", "2"), recorded("1", "2"), "2", ALL, ("2", "shop:2", "seal-2")),
    "the one that serves, with another configuration since":
        (situation("2'", "2"), recorded("2", "2'", "2"), "2", ALL, ("2", "shop:2", "seal-2")),
    "another configuration of the same release, warm":
        (situation("2", "2'"), recorded("1", "2", "2'"), "", ALL, ("2", "shop:2", "seal-2")),
    "another configuration of the same release, gone":
        (situation("", "2'"), recorded("1", "2", "2'"), "", ALL, ("1", "shop:1", "")),
    "the colour holds the release with another configuration than ran":
        (situation("1'", "2"), recorded("1", "2"), "", ALL, ("1", "shop:1", "")),
    "its tag means another image now":
        (situation("", "2"), recorded("1", "2"), "", {"sha256:1": [], "sha256:new": ["shop:1"]}, ("1", "sha256:1", "")),
    "switched by hand: what serves counts, not the record":
        (situation("1", "2", "blue"), recorded("1", "2"), "", ALL, ("2", "shop:2", "seal-2")),
    "the serving colour has no container: the record counts":
        (situation("1", ""), recorded("1", "2"), "", ALL, ("1", "shop:1", "seal-1")),
}


@pytest.mark.parametrize(("found", "record", "wanted", "images", "expected"), BACK.values(), ids=BACK)
def test_what_is_rolled_back_to(found, record, wanted, images, expected):
    back = history.decide(found, record, wanted, images)
    assert (back.release, back.image, back.seal) == expected
    assert back.reason.endswith(".")


def test_a_record_of_an_older_version_knows_no_definition():
    record = recorded("1", "2")
    for one in record.history:
        del one["definition"]
    assert history.decide(situation("1", "2"), record, "", ALL).seal == "seal-1"
    assert history.decide(situation("", "2"), record, "", ALL).seal == ""


REFUSED = {
    "nothing recorded": (situation("", ""), Record(), "", {}, "nothing to roll back to.*Nothing is on record"),
    "only one": (situation("", "2"), recorded("2"), "", ALL, r"nothing to roll back to.*On record: 2 \(serves\)\."),
    "only failures before": (situation("", "2"), recorded("2", undone=("3",)), "", ALL, "nothing to roll back to"),
    "unknown by name": (situation("1", "2"), recorded("1", "2"), "9", ALL,
                        r"does not know release 9\. On record: 2 \(serves\), 1 \(blue still has it\)\."),
    "never served": (situation("", "2"), recorded("2", undone=("3",)), "3", ALL, "does not know release 3"),
    "image gone": (situation("2", "3"), recorded("1", "2", "3"), "1", here("2", "3"),
                   r"image shop:1 is gone from this host\. On record: 3 \(serves\), 2 \(blue still has it\), "
                   r"1 \(image is gone\)\..*deploy\.yml -e app_blue_green_release=1"),
}


@pytest.mark.parametrize(("found", "record", "wanted", "images", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_rolled_back_to_is_refused_with_what_can(found, record, wanted, images, said):
    with pytest.raises(MooringError, match=said):
        history.decide(found, record, wanted, images)


OLD = {"result": "serving", "colour": "blue", "release": "1", "image": "shop:1", "by": "alice from 192.0.2.7",
       "at": "2026-11-25T10:01:08Z", "seconds": 68.0, "ready_ms": 3.0, "image_id": "sha256:" + "a" * 64}
NEW = {"result": "undone", "colour": "green", "release": "2", "image": "shop:2", "by": "bob", "machine": "laptop",
       "address": "192.0.2.9", "started": "2026-11-25T11:00:00Z", "ended": "2026-11-25T11:00:05Z", "seconds": 5.2,
       "image_id": "sha256:" + "b" * 64, "digest": "sha256:" + "c" * 64, "definition": "1.00.00",
       "why": "It was never ready."}


def test_entries_of_both_formats_have_the_same_keys():
    old, new = history.readable(OLD), history.readable(NEW)
    assert list(old) == list(new)
    assert (old["by"], old["address"], old["machine"]) == ("alice", "192.0.2.7", None)
    assert (old["started"], old["ended"]) == ("2026-11-25T10:00:00Z", "2026-11-25T10:01:08Z")
    assert {key: new[key] for key in NEW} == NEW
    assert history.readable({"result": "serving"})["started"] is None


def test_the_table():
    head, *lines = history.table([OLD, NEW])
    assert head.split() == ["ENDED", "RELEASE", "COLOUR", "BY", "IMAGE", "TOOK", "RESULT", "WHY"]
    assert lines[0].split() == ["2026-11-25", "10:01:08", "1", "blue", "alice@192.0.2.7", "a" * 12, "68", "s",
                                "serving", "-"]
    assert lines[1].split()[4:6] == ["bob@laptop", "c" * 12]
    assert lines[1].endswith("undone   It was never ready.")
    assert "WHY" not in history.table([OLD])[0]
    assert history.table([]) == ["Nothing was deployed here yet."]


@pytest.mark.parametrize(("name", "release", "place", "said"), [
    ("crm", "2", "f.yml:7", None),
    ("crm", "1", "f.yml:7", "still declares release 2 of crm, and the next run of site.yml brings that back: "
                            "set app_blue_green_applications[1].release: 1 in f.yml:7."),
    ("crm", "1", "", "in the inventory."),
    ("shop", "1", "f.yml:7", None),
    ("mail", "1", "f.yml:7", None),
])
def test_the_inventory_that_declares_another_release_is_named(name, release, place, said):
    declared = Setting([{"name": "shop"}, {"name": "crm", "release": 2}], "", {"[1].release": place} if place else {})
    lines = still_declared(name, release, declared)
    assert not lines if said is None else said in lines[0]


@pytest.mark.parametrize("value", [None, "everything", ["shop"], [{"name": "crm", "release": None}]])
def test_an_inventory_that_declares_no_release_has_none_to_bring_back(value):
    assert still_declared("crm", "1", Setting(value)) == []


def test_where_a_release_stands_is_found_inside_of_the_list(tmp_path):
    (tmp_path / "vars.yml").write_text(
        "crm: {name: crm, release: '{{ \"2\" }}'}\napplications:\n  - name: shop\n    release: 1\n  - '{{ crm }}'\n")
    values = templates.load(tmp_path / "vars.yml")
    setting = resolve(Templar(loader=DataLoader(), variables=values), values["applications"])
    assert setting.value == [{"name": "shop", "release": 1}, {"name": "crm", "release": "2"}]
    # 2.18 keeps the place of the list, not that of a number or a template in it.
    places = [setting.source_of(f"[{index}].release").rpartition(":")[2] for index in (0, 1)]
    assert places == (["4", "1"] if templates.MARKED else ["3", "3"])


def test_what_the_command_line_hides_is_found(tmp_path):
    (tmp_path / "hosts").write_text("[app]\none\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "app.yml").write_text("release: 1.4.2\nother: x\n")
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(tmp_path / "hosts")])
    variables = VariableManager(loader=loader, inventory=inventory)
    variables._extra_vars = {"release": "1.4.1"}
    hostvars = HostVars(inventory=inventory, variable_manager=variables, loader=loader)
    assert hostvars.raw_get("one")["release"] == "1.4.1"
    assert without_extra_variables(hostvars, "one")["release"] == "1.4.2"
    assert hostvars.raw_get("one")["release"] == "1.4.1"
