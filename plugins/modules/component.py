#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: component
short_description: Converge what belongs together in one module call
version_added: "0.2.0"
description:
  - Runs several modules of this collection as steps of one call, in the order given. To reach a host and to
    start Python there costs more than most of these modules do, and every step shares it.
  - All arguments are checked before the first step runs.
  - A step may be told what an earlier one found, where that module's documentation says how.
  - A step that asks for it ends its own chain of steps without a failure, as M(mooring.stack.release_info) does with
    O(mooring.stack.release_info#module:stop_if_due); the call goes on with the next step of the same name.
  - A step that fails ends the call. A restart that M(mooring.stack.compose_project) holds back does not; the
    later steps run, and the call fails at the end and says how to allow it.
options:
  steps:
    description:
      - The steps. Each is a mapping with one key, the name of a module, and that module's options.
      - Steps are M(mooring.stack.acme_root_certificate), M(mooring.stack.certbot_certificate),
        M(mooring.stack.certificate_renewal), M(mooring.stack.collection_version),
        M(mooring.stack.compose_project), M(mooring.stack.container_logs),
        M(mooring.stack.data_directory), M(mooring.stack.docker_daemon), M(mooring.stack.docker_engine_info),
        M(mooring.stack.docker_network), M(mooring.stack.elasticsearch_objects), M(mooring.stack.engine_socket),
        M(mooring.stack.host_limits), M(mooring.stack.kafka_record), M(mooring.stack.kafka_topics),
        M(mooring.stack.kafka_users), M(mooring.stack.kibana_objects), M(mooring.stack.mysql_grants),
        M(mooring.stack.postgres_databases), M(mooring.stack.preflight_facts), M(mooring.stack.prometheus_targets),
        M(mooring.stack.redis_server), M(mooring.stack.release_info), M(mooring.stack.release_switch),
        M(mooring.stack.schedule) and M(mooring.stack.shared_directory).
      - The modules M(mooring.stack.distro_image) and M(mooring.stack.platform_status) use this one themselves.
    type: list
    elements: dict
    required: true
  libraries:
    description:
      - Python libraries that steps need and no distribution has, by name, each as a ZIP archive in base64. The
        controller's half fills this with what it has itself.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: >-
      Can run in check mode. Each step predicts what it would do on the host as it is, which for a step that
      depends on an earlier one is what that module says where the other has not run yet.
  diff_mode:
    support: full
    description: Shows what each step shows.
  idempotent:
    support: full
    description: A second run changes nothing.
seealso:
  - module: mooring.stack.compose_project
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Converge Redis and prove that each account can log in
  mooring.stack.component:
    steps:
      - compose_project:
          name: data_stores
          stateful: [redis]
      - redis_server:
          socket: /opt/mooring/data_stores/run/redis/redis.sock
          accounts: "{{ accounts }}"
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: always
  type: list
  elements: dict
  sample: [{object: service redis, field: state, expected: running, found: exited}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: always
  type: list
  elements: str
steps:
  description: >-
    The result of each step that ran, in their order, with its name as C(step). The last one of a call that failed
    has what was known when it failed.
  returned: always
  type: list
  elements: dict
  sample: [{step: redis_server, changed: false, proven: [demo], refused: []}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._component import converge, parse
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._library import bring

# Everything in them is secret until each step's own specification has said what really is.
ARGUMENT_SPEC: dict[str, t.Any] = {
    "steps": {"type": "list", "elements": "dict", "required": True, "no_log": True},
    # Filled by the controller's half.
    "libraries": {"type": "dict", "default": {}, "no_log": True},
}


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    given = module.params["steps"]
    bring(module.params["libraries"], module.tmpdir)
    # They are part of every result as the invocation; whole file trees, and secrets among them.
    module.params = {"steps": [name for entry in given for name in entry]}
    module.no_log_values.clear()
    with domain_errors(module):
        module.exit_json(**converge(module, parse(given, module.no_log_values)))


if __name__ == "__main__":
    main()
