#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_project
short_description: Converge one Docker Compose project, its files and its containers
version_added: "0.1.0"
description:
  - Renders a role's template tree on the controller, sends it to the host in one call, and makes the
    project's directory and containers equal to it.
  - Reads the files on disk, the containers and the manifest of the last run, decides what differs, and
    changes only that. What differs is named in the result, in check mode too.
  - The new tree is staged and checked before anything is replaced; files are replaced in one step each;
    if the new definition does not become healthy the previous one is put back.
  - The file C(compose.yml) of the tree holds C(services), C(volumes) and C(networks) that are external. The project
    name, the platform network as default network, the service defaults and a label with the digest of the files that
    a service mounts are added, so that the file on the host is the whole truth.
options:
  name:
    description:
      - Name of the project, its directory below O(root), and with O(prefix) its name on the engine.
      - Lower case letters, digits, C(_) and C(-).
    type: str
    required: true
  src:
    description:
      - The template tree, relative to the role's C(templates/), or an absolute path on the controller.
      - Files that end in C(.j2) are rendered and lose that ending; others are copied.
      - What lies under C(secrets/<service>/) is secret; see O(secrets).
    type: str
    default: project
  variables:
    description:
      - Variables for the templates of this tree, before those of the task. For several projects of one tree in one
        call of M(mooring.stack.component).
      - They stay on the controller.
    type: dict
    default: {}
  without:
    description:
      - Files and directories of the tree that are left out, as paths on the host relative to the project. For what
        belongs to a service that is optional.
    type: list
    elements: str
    default: []
  root:
    description: Directory on the host that holds the projects. The variable C(mooring_root) if not given.
    type: path
  prefix:
    description: Prefix of the project's name on the engine. The variable C(mooring_prefix) if not given.
    type: str
  network:
    description: >-
      Existing Docker network that services join by default. The variable C(mooring_network) if not given.
    type: str
  service_defaults:
    description: >-
      Compose keys merged into each service that does not have them. The variable
      C(mooring_service_defaults) if not given.
    type: dict
  secrets:
    description:
      - Secrets per service. Keys are service names; a value has C(owner), the numeric uid (and gid) that the
        container runs as, and C(files), a mapping of file name, or path below the directory, to content.
      - The files lie in C(secrets/<service>/) with mode 0400, next to what the tree has there; mount that
        directory at C(/run/secrets). Their content is never part of a result, a diff, or a label.
    type: dict
    default: {}
  directories:
    description:
      - Directories that services write to. Keys are paths relative to the project, values have C(owner)
        (numeric, default 0) and C(mode) (default C(0755)). What is in them is never touched.
    type: dict
    default: {}
  validators:
    description:
      - Commands run on the staged tree before it is put in place, each in a throwaway container of a service.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: The service whose image and mounts the command gets.
        type: str
        required: true
      command:
        description: Program and arguments.
        type: list
        elements: str
        required: true
  reload:
    description:
      - Files that a running service can read again. A change in them alone runs the command instead of
        recreating the service.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: The service that reloads.
        type: str
        required: true
      paths:
        description: Files or directories, relative to the project.
        type: list
        elements: str
        required: true
      command:
        description: Program and arguments, run in the service's container.
        type: list
        elements: str
        required: true
  stateful:
    description:
      - Services that are not restarted or recreated while they run, unless O(allow_stateful_restart). The rest
        of the project is converged, then the task fails and says how to allow it.
    type: list
    elements: str
    default: []
  allow_stateful_restart:
    description: >-
      Whether stateful services may be restarted. The variable C(mooring_allow_stateful_restart) if not given.
    type: bool
  wait_timeout:
    description: Seconds in which the services must become healthy.
    type: int
    default: 120
  tree:
    description: The rendered tree. Filled in by the controller half; not for playbooks.
    type: list
    elements: dict
  tree_secrets:
    description: Content of the secret files. Filled in by the controller half; not for playbooks.
    type: dict
  services:
    description: What the host must know of the services. Filled in by the controller half; not for playbooks.
    type: dict
  volumes:
    description: The named volumes of the project. Filled in by the controller half; not for playbooks.
    type: list
    elements: dict
    default: []
  permitting:
    description: >-
      The command that would allow O(allow_stateful_restart). Filled in by the controller half; not for playbooks.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Can run in check mode and predicts the plan of the run that follows, also where docker is missing.
  diff_mode:
    support: full
    description: Shows changed files and fields; secret content is masked.
  idempotent:
    support: full
    description: A second run changes nothing.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Converge the data stores project
  mooring.stack.compose_project:
    name: data_stores
    stateful: [mysql]
    secrets:
      mysql:
        owner: 999
        files:
          root_password: "{{ data_stores_mysql_root_password }}"

- name: Converge the proxy; a changed route reloads it, anything else recreates it
  mooring.stack.compose_project:
    name: nginx_certbot
    validators:
      - service: proxy
        command: [nginx, -t]
    reload:
      - service: proxy
        paths: [conf.d]
        command: [nginx, -s, reload]
"""

RETURN = r"""
changes:
  description: What differs and what is done about it, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["service redis: state is exited, declared running", "service redis: start"]
differences:
  description: Object, field, expected and found of everything that differs and that a run heals.
  returned: always
  type: list
  elements: dict
  sample:
    - {object: service redis, field: state, expected: running, found: exited}
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: always
  type: list
  elements: str
plan:
  description: The same for programs; equal in check mode and in the run that follows.
  returned: always
  type: dict
  contains:
    differences:
      description: Object, field, expected and found of everything that differs.
      type: list
      elements: dict
    write:
      description: Paths that are written.
      type: list
      elements: str
    delete:
      description: Paths that are removed because they are no longer declared.
      type: list
      elements: str
    services:
      description: >-
        Step per service; create, recreate, restart, start, unpause, remove duplicates, reload or remove.
      type: dict
    held:
      description: Steps that need O(allow_stateful_restart).
      type: dict
name:
  description: The project's name as declared.
  returned: always
  type: str
project:
  description: The project's name on the engine.
  returned: always
  type: str
directory:
  description: The project's directory on the host.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_compose_project import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
