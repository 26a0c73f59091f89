#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: platform_status
short_description: Say what runs on a host
version_added: "0.1.0"
description:
  - Reads the projects below O(root), their containers, the certificates that the proxy shows, the colour that serves
    each application, and what alerts fire. Changes nothing.
  - Prints one table, and after it what a user needs next, as far as it is given here.
options:
  root:
    description: Directory that holds the components, C(mooring_root).
    type: path
    required: true
  prefix:
    description: Prefix of the Compose projects, C(mooring_prefix).
    type: str
    required: true
  network:
    description: The platform network, C(mooring_network), on which Prometheus is asked for alerts.
    type: str
    required: true
  declared:
    description:
      - The components that are declared for this host, by the names of their directories. Each colour of an application
        is one.
      - What is here and not among them is named, with how to remove it. Empty compares nothing.
    type: list
    elements: str
    default: []
    version_added: "0.3.0"
  host:
    description: What the inventory calls this host, for that command.
    type: str
    default: HOST
    version_added: "0.3.0"
  url:
    description: Where users reach the proxy, without a path.
    type: str
    default: ""
  routes:
    description: Routes of the proxy, each with C(path), C(application) or C(upstream), and C(access).
    type: list
    elements: dict
    default: []
  ca_file:
    description: Root certificate of a test CA on the host. Empty for a CA that everybody trusts.
    type: str
    default: ""
  connect:
    description: Address to connect to where the name in O(url) does not resolve.
    type: str
    default: ""
  credentials:
    description: Where the credentials lie, in words.
    type: str
    default: ""
  example:
    description: Path for the example of a request. Empty takes the first public route.
    type: str
    default: ""
  format:
    description:
      - V(table) prints text.
      - V(json) prints one JSON document. With P(mooring.stack.progress#callback) it is all that standard output gets,
        for all hosts together.
    type: str
    choices: [table, json]
    default: table
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
- name: Say what runs here
  mooring.stack.platform_status:
    root: /opt/mooring
    prefix: mooring
    network: mooring
    url: https://platform.example.com
"""

RETURN = r"""
differences:
  description: Empty; this module heals nothing.
  returned: success
  type: list
  elements: dict
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
status:
  description: What runs here.
  returned: always
  type: dict
  contains:
    engine:
      description: Version of the Docker engine; empty where none answers.
      type: str
    collection:
      description: Version of this collection that worked there last; empty where none is recorded.
      type: str
    undeclared:
      description: Components that are here and not in O(declared).
      type: list
      elements: str
    containers:
      description: One entry for each container that runs or should run.
      type: list
      elements: dict
      sample:
        - {component: data_stores, container: mooring-data_stores-mysql-1, health: healthy, version: 8.4.11, url: "",
           certificate: "", release: ""}
    certificates:
      description: The certificates that the proxy shows.
      type: list
      elements: dict
      sample: [{name: platform, not_after: "2027-02-20", issuer: R12, placeholder: false}]
    releases:
      description: Which colour serves each application.
      type: list
      elements: dict
      sample: [{application: demo, colour: blue, release: 1.0.0}]
    monitoring:
      description: >-
        Targets of Prometheus, those of them that are up, its rules, and the alerts that fire, the worst first. Null
        where there is no monitoring or it does not answer.
      type: dict
      sample:
        targets: 11
        up: 11
        rules: 58
        alerts:
          - {name: MySQLDown, severity: critical, summary: MySQL does not answer., since: "2027-02-20 10:15:30"}
text:
  description: The table, and what a user needs next.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_platform_status import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
