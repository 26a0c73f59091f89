# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dns_label filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dns_label
author:
  - The mooring.stack authors (@mooring)
version_added: "0.2.0"
short_description: The name of a host as part of a service's name
description:
  - Names in an inventory may have dots and capitals. A service of Compose takes neither into the DNS of its network.
options:
  _input:
    description: The name of a host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show how the door to the engine of each host is called
  ansible.builtin.debug:
    msg: "engine-{{ inventory_hostname | mooring.stack.dns_label }}"
"""

RETURN = r"""
_value:
  description: The name in lower-case letters, digits and hyphens, such as V(data-1-example-com).
  type: str
"""

from ansible_collections.mooring.stack.plugins.module_utils._names import dns_label


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, object]:
        """The filters of this file."""
        return {"dns_label": dns_label}
