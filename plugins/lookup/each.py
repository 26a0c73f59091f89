# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The each lookup."""

from __future__ import annotations

DOCUMENTATION = r"""
name: each
author:
  - The mooring.stack authors (@mooring)
version_added: "0.2.0"
short_description: The value of a variable for each item of a list
description:
  - Templates one variable as often as there are items, each time with another variable set to the item. So what is
    made of one item is written once, in plain YAML, and serves a loop of tasks and a single task for all items alike.
  - What comes out is data; no expression that may stand in it is evaluated.
options:
  _terms:
    description: The items.
    type: list
    elements: raw
    required: true
  item:
    description: Name of the variable that is the item.
    type: str
    required: true
  value:
    description: Name of the variable whose value is wanted.
    type: str
    required: true
"""

EXAMPLES = r"""
# vars/main.yml
__example_accounts: "{{ query('mooring.stack.each', *names, item='__example_name', value='__example_account') }}"
__example_account:
  name: "{{ __example_name }}"
  home: "/srv/{{ __example_name }}"
"""

RETURN = r"""
_list:
  description: One value for each item, in their order.
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.mooring.stack.plugins.plugin_utils._compose_file import plain


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """One value for each term; raises :class:`AnsibleError` for a variable that nobody has set."""
        self.set_options(var_options=variables, direct=kwargs)
        item, wanted = self.get_option("item"), self.get_option("value")
        found = []
        for term in terms:
            known = {**(variables or {}), item: term}
            if wanted not in known:
                raise AnsibleError(f"each: the variable '{wanted}' is not set.")
            templar = self._templar.copy_with_new_env(available_variables=known)
            # A container resolves its parts when they are read, so they are read here, where the item is known.
            found.append(plain(templar.template(known[wanted])))
        return found
