#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_objects
short_description: Give an Elasticsearch its declared policies, templates, data streams, roles and users
version_added: "0.2.0"
description:
  - Compares snapshot repositories, lifecycle policies, component templates, index templates, data streams, roles and
    users with what is declared, by one question per kind, and changes what differs, field by field. What the server
    adds by itself (defaults, texts for numbers, whole names of settings) is no difference.
  - Tries each declared user's password, and sets it where it is refused.
  - Where a template changes, or one of its parts, the data streams made from it go on in a new index, at the next
    document that is written to them.
  - Objects that nobody declares are left alone and named in the notices, those aside that Elasticsearch and Kibana
    bring themselves, and data streams of a declared template. Only kinds of which something is declared are looked at.
  - An object that the server refuses does not keep the others from being made; the error names each, and why.
options:
  container:
    description: Name of Elasticsearch's container; the connection goes to its address, so no port needs publishing.
    type: str
    required: true
  network:
    description: Docker network on which that address is taken.
    type: str
    required: true
  service:
    description: >-
      Name of its Compose service. In check mode, a server that a step before this one in M(mooring.stack.component)
      would make counts as empty.
    type: str
    default: ""
  login_user:
    description: An account that may do all this, best one of the file realm, which works without any index.
    type: str
    required: true
  login_password:
    description: Its password.
    type: str
    required: true
  repositories:
    description: Snapshot repositories.
    type: list
    elements: dict
    default: []
    suboptions:
      name: &name
        description: Its name.
        type: str
        required: true
      body:
        description: >-
          C(type) and C(settings). Required unless it is to be absent.
        type: dict
      state: &state
        description: Whether it exists.
        type: str
        choices: [present, absent]
        default: present
  policies:
    description: Lifecycle policies.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      body:
        description: >-
          C(phases), and C(_meta) if needed. Required unless it is to be absent.
        type: dict
      state: *state
  component_templates:
    description: Component templates.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      body:
        description: >-
          C(template), and C(version) or C(_meta) if needed. Required unless it is to be absent.
        type: dict
      state: *state
  index_templates:
    description: Index templates.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      body:
        description: >-
          C(index_patterns), C(composed_of), C(priority), C(data_stream), C(template) and so on. Required unless it is
          to be absent.
        type: dict
      state: *state
  data_streams:
    description: Data streams. One that is to be absent is removed with its documents.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
  roles:
    description: Roles.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      body:
        description: >-
          C(cluster), C(indices) and so on. Required unless it is to be absent.
        type: dict
      state: *state
  users:
    description: >-
      Users. Of those that are part of Elasticsearch, such as V(kibana_system), only the password can be declared.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      password:
        description: The password, at least six characters. Required unless the user is to be absent.
        type: str
      roles:
        description: Names of the user's roles.
        type: list
        elements: str
        default: []
      full_name:
        description: Who it is.
        type: str
      enabled:
        description: Whether the user may log in.
        type: bool
        default: true
      state: *state
attributes:
  check_mode:
    support: full
    description: >-
      Predicts what a run would change. A server that does not run, or does not know the login yet, is a notice.
  diff_mode:
    support: none
    description: The differences are part of the result.
  idempotent:
    support: full
    description: A second run changes nothing.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Let logs be kept for thirty days
  mooring.stack.elasticsearch_objects:
    container: mooring-elk-elasticsearch-1
    network: mooring
    login_user: mooring
    login_password: "{{ vault_elk_admin_password }}"
    policies:
      - name: logs
        body:
          phases:
            hot:
              actions:
                rollover: {max_age: 1d, max_primary_shard_size: 5gb}
            delete:
              min_age: 30d
              actions:
                delete: {}
    index_templates:
      - name: logs-shop
        body:
          index_patterns: ["logs-shop-*"]
          priority: 200
          data_stream: {}
          template:
            settings:
              index.lifecycle.name: logs
              number_of_replicas: 0
            mappings:
              properties:
                "@timestamp": {type: date}
                message: {type: text}
    roles:
      - name: shop_writer
        body:
          indices:
            - names: ["logs-shop-*"]
              privileges: [auto_configure, create_doc]
    users:
      - name: shop
        password: "{{ vault_elk_shop_password }}"
        roles: [shop_writer]
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that differs.
  type: list
  elements: dict
  returned: always
  sample: [{object: lifecycle policy logs, field: phases.delete.min_age, expected: 30d, found: 3d}]
notices:
  description: What a person should look at, one sentence each.
  type: list
  elements: str
  returned: always
  sample: ["elk: nobody declares the index template old-logs, the user trial."]
unknown:
  description: What nobody declares, each with its kind.
  type: list
  elements: str
  returned: always
rolled_over:
  description: Data streams that go on in a new index because their template changed.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_elasticsearch_objects import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
