# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable's value for each item of a list."""

from __future__ import annotations

import pathlib
import sys

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.lookup.each import LookupModule

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

from templates import MARKED, trust_as_template  # noqa: E402

VARIABLES = {
    "name": "nobody",
    "home": trust_as_template("/srv/{{ name }}"),
    "account": {"homes": [trust_as_template("{{ home }}"), 1, None]},
}


@pytest.fixture(autouse=True)
def options(monkeypatch: pytest.MonkeyPatch) -> None:
    """The options as given; Ansible's loader, which completes them, does not run here."""
    monkeypatch.setattr(LookupModule, "set_options", lambda self, var_options, direct: setattr(self, "given", direct))
    monkeypatch.setattr(LookupModule, "get_option", lambda self, name: self.given[name])


def each(*items: object, value: str, variables: dict[str, object] | None = None) -> list[object]:
    variables = VARIABLES if variables is None else variables
    templar = Templar(loader=DataLoader(), variables=variables)
    return LookupModule(loader=DataLoader(), templar=templar).run(list(items), variables, item="name", value=value)


def test_every_part_of_the_value_is_made_of_the_item():
    assert each("ann", "bob", value="account") == [{"homes": [f"/srv/{name}", 1, None]} for name in ("ann", "bob")]
    assert each(value="account") == []
    assert each("ann", value="name") == ["ann"]
    assert VARIABLES["name"] == "nobody"


@pytest.mark.skipif(not MARKED, reason="ansible-core 2.18 renders every string")
def test_what_comes_out_is_data():
    (found,) = each("{{ home }}", value="home")
    assert found == "/srv/{{ home }}"
    assert type(found) is str


@pytest.mark.parametrize(("value", "says"), [("address", "the variable 'address' is not set"), ("lost", "undefined")])
def test_a_value_that_cannot_be_made_is_an_error(value, says):
    with pytest.raises(AnsibleError, match=says):
        each("ann", value=value, variables={"lost": trust_as_template("{{ nothing }}")})
