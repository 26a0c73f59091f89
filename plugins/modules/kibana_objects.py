#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kibana_objects
short_description: Give Kibana its data views, searches and dashboards
version_added: "0.2.0"
description:
  - Imports saved objects when what is declared has changed since the last import, or one of them is missing. Then all
    of them are imported, and those that are there are replaced.
  - What users change in them stays until then. They are a start, to be copied and worked with.
attributes:
  check_mode:
    support: full
    description: Predicts the same result. A Kibana that does not answer is named in RV(notices).
  diff_mode:
    support: none
    description: RV(differences) has every missing object.
  idempotent:
    support: full
    description: Objects that are there and were declared like this at the last import are left alone.
options:
  container:
    description: Name of Kibana's container; the connection goes to its address, so no port needs publishing.
    type: str
    required: true
  network:
    description: Docker network on which that address is taken.
    type: str
    required: true
  port:
    description: Where Kibana listens.
    type: int
    default: 5601
  base_path:
    description: Its V(server.basePath), without a slash at the end.
    type: str
    default: ""
  login_user:
    description: An account that may write saved objects. Empty where Elasticsearch asks for no login.
    type: str
    default: ""
  login_password:
    description: Its password.
    type: str
  objects:
    description:
      - Saved objects with C(type), C(id), C(attributes) and C(references), as Kibana exports them, but with JSON where
        Kibana keeps JSON as text (C(panelsJSON), C(optionsJSON), C(searchSourceJSON)).
      - A reference leads to one of them. Without any, Kibana is not asked.
    type: list
    elements: dict
    required: true
  record:
    description: File on the host that says what was imported last.
    type: path
    required: true
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Let Kibana know the data streams of log lines
  mooring.stack.kibana_objects:
    container: mooring-elk-kibana-1
    network: mooring
    base_path: /kibana
    login_user: mooring
    login_password: "{{ elk_admin_password }}"
    objects:
      - type: index-pattern
        id: logs
        attributes: {title: "logs-*", timeFieldName: "@timestamp"}
        references: []
    record: /opt/mooring/elk/.kibana-objects.json
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: saved object index-pattern/logs, field: presence, expected: present, found: null}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_kibana_objects import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
