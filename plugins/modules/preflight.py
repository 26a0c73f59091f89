#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight
short_description: Report everything that is wrong with the inventory, before a host is touched
version_added: "0.1.0"
description:
  - Checks the variables of every host in the inventory, and the facts that P(mooring.stack.preflight_facts#module)
    registered, on the controller. Run it once.
  - Fails once with all problems, each a line of the form C(host - variable (file) - problem - remedy).
  - The limits are the variables C(preflight_...) of each host, see the role P(mooring.stack.preflight#role).
  - Refuses a version of ansible-core that C(meta/runtime.yml) does not allow, of which Ansible itself only warns.
  - A variable that no role has is refused where its name begins with that of a role of the host, or where it is nearly
    one that a role of the host has. What another variable refers to may have any name.
  - Variables are checked against the argument specification of each role whose name is a group of the host, and by
    the words of their names, for instance C(..._memory) must be a size.
options:
  facts:
    description: Name of the variable in which the facts of each host were registered.
    type: str
    required: true
  components:
    description: Check what these components need on the hosts that run them, and nothing else. Empty checks everything.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Runs the same in check mode.
    support: full
  diff_mode:
    description: Has no diff, because it changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Read the facts that decide whether the platform fits
  mooring.stack.preflight_facts:
  register: facts_of_host

- name: Check the whole inventory
  mooring.stack.preflight:
    facts: facts_of_host
  run_once: true
"""

RETURN = r"""
problems:
  description: One line for each problem.
  returned: always
  type: list
  elements: str
  sample:
    - "platform-1: mooring_domain (group_vars/all/platform.yml:2): 'x' is not a domain name. Write a full name."
"""
