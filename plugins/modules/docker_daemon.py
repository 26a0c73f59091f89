#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon
short_description: The Docker daemon runs with the declared daemon.json
version_added: "0.1.0"
description:
  - Writes C(/etc/docker/daemon.json), starts the daemon, restarts it when the file changed, and waits until it answers.
  - Uses systemd where it is the first process of the host, and C(start-stop-daemon) everywhere else.
  - A file that the daemon refuses (C(dockerd --validate), Docker 23 and newer) is not written. When the daemon does
    not come back with a new file, the old one is restored and the module fails with the last lines of the log.
  - A restart that an earlier, interrupted run owes is made up for.
  - Where it manages C(daemon.json) and systemd runs, it also has the daemon started at boot.
attributes:
  check_mode:
    support: full
    description: Predicts the same result. A host without Docker counts as one whose daemon does not run.
  diff_mode:
    support: full
    description: Shows the text of daemon.json before and after.
  idempotent:
    support: full
    description: A daemon that answers and has the declared file is left alone.
options:
  config:
    description: Content of daemon.json. Without it the file is left alone, whether it exists or not.
    type: dict
  leave_adopted:
    description: >-
      Whether to leave C(daemon.json) alone where the role P(mooring.stack.docker_engine#role) did not install the
      engine, as if O(config) were not given.
    type: bool
    default: false
    version_added: "0.2.0"
  allow_restart:
    description:
      - Whether a restart may stop running containers. A restart that stops none, because none run or because
        C(live-restore) is on, is always allowed.
    type: bool
    default: false
  wait_timeout:
    description: Seconds until the daemon must answer.
    type: int
    default: 60
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Run the daemon with rotated logs
  mooring.stack.docker_daemon:
    config:
      log-driver: json-file
      log-opts:
        max-size: 10m
        max-file: "3"

- name: Start the daemon of an engine that others configure
  mooring.stack.docker_daemon:
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: /etc/docker/daemon.json, field: log-driver, expected: json-file, found: journald}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
written:
  description: Whether daemon.json was written.
  type: bool
  returned: success
started:
  description: Whether the daemon was started.
  type: bool
  returned: success
restarted:
  description: Whether the daemon was restarted.
  type: bool
  returned: success
log:
  description: The daemon's last log lines.
  type: str
  returned: when the daemon does not answer
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_docker_daemon import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
