#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: schedule
short_description: Run a command again and again
version_added: "0.2.0"
description:
  - Keeps a timer of systemd and its service, or a file in C(/etc/cron.d) where systemd does not run.
  - Sees and heals a file that was edited or lost, a timer that was disabled, masked or stopped, and units that systemd
    has not read since they were changed. Names drop-ins of somebody else as notices.
  - Fails where neither systemd nor cron is there, and says what to do.
options:
  name:
    description: Name of the job, and of its units or its file. Lower-case letters, digits, C(-) and C(_).
    type: str
    required: true
  description:
    description: What it does, in one line.
    type: str
    required: true
  command:
    description: The command and its arguments. No shell reads them.
    type: list
    elements: str
    required: true
  directory:
    description: Directory that the command runs in.
    type: path
    default: /
  environment:
    description: Variables that the command gets. Everybody on the host can read them, so they hold no secrets.
    type: dict
    default: {}
  user:
    description: Who runs it.
    type: str
    default: root
  calendar:
    description: When, as C(OnCalendar) of systemd has it.
    type: str
    default: hourly
  cron:
    description: When, in the five fields of cron, for a host without systemd.
    type: str
    default: 17 * * * *
  jitter:
    description: C(RandomizedDelaySec) of systemd. cron has no such thing.
    type: str
    default: "0"
  success:
    description: Exit codes beside 0 that do not count as a failure. cron does not look at them.
    type: list
    elements: int
    default: []
  log_file:
    description: File for what the last run said under cron. The journal has it under systemd.
    type: path
    default: /dev/null
  state:
    description: Whether it is there.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Predicts the same differences.
    support: full
  diff_mode:
    description: Shows the files before and after.
    support: full
  idempotent:
    description: A job that is as declared is left alone.
    support: full
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Look for drift every hour
  mooring.stack.schedule:
    name: mooring-drift
    description: Drift check of the platform
    command: [/opt/ansible/bin/ansible-playbook, --check, playbooks/drift.yml]
    directory: /srv/platform
    user: deploy
    calendar: hourly
    jitter: 5min
    success: [2]

- name: Look no more
  mooring.stack.schedule:
    name: mooring-drift
    description: Drift check of the platform
    command: []
    state: absent
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: timer mooring-drift.timer, field: state, expected: active, found: inactive}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
manager:
  description: What starts it, V(systemd) or V(cron).
  returned: success
  type: str
  sample: systemd
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_schedule import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
