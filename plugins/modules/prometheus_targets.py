#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_targets
short_description: Prove that Prometheus has read its configuration and reaches its targets
version_added: "0.2.0"
description:
  - Asks a Prometheus in a container whether it has read the configuration that lies on the host, and whether it
    reaches everything that it is to look at. Waits until both are so.
  - Says in its notices which optional targets are not reached, which rules cannot be evaluated, and whether
    Alertmanager failed to deliver alerts.
  - Changes nothing.
options:
  container:
    description: Name of Prometheus' container; the connection goes to its address, so no port needs publishing.
    type: str
    required: true
  network:
    description: Docker network on which that address is taken.
    type: str
    required: true
  path:
    description: The path of its external URL, which stands before C(/api/).
    type: str
    default: /
  configuration:
    description: >-
      Directory on the host that holds its configuration and rules. If a file is younger than what Prometheus has
      read, the notices say so.
    type: path
    required: true
  optional:
    description: Jobs whose targets may be down. They are named in the notices.
    type: list
    elements: str
    default: []
  must_be_one:
    description:
      - Metrics by which exporters say whether they reach what they look at, such as C(mysql_up). An exporter that
        cannot log in is up itself.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for all others.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Can run in check mode, looks once and fails for nothing.
  diff_mode:
    support: none
    description: Has no diff, because it changes nothing.
  idempotent:
    support: full
    description: Never changes anything.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Prove that every target is up
  mooring.stack.prometheus_targets:
    container: mooring-monitoring-prometheus-1
    network: mooring
    path: /prometheus/
    configuration: /opt/mooring/monitoring/prometheus
    optional: [application]
"""

RETURN = r"""
differences:
  description: Always empty.
  returned: success
  type: list
  elements: dict
notices:
  description: What a person should look at, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["monitoring: application mooring-shop-blue-app-1 (connection refused) is not reached."]
targets:
  description: How many targets there are.
  returned: always
  type: int
up:
  description: How many of them are reached.
  returned: always
  type: int
rules:
  description: How many rules are loaded.
  returned: always
  type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_prometheus_targets import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
