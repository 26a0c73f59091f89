# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jenkins filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: jenkins
author:
  - The mooring.stack authors (@mooring)
version_added: "0.2.0"
short_description: Configuration as Code, secret files and jobs of a declared Jenkins
description:
  - Makes of the variables of the role C(jenkins_dood) what its files hold.
  - Secrets come out apart; the configuration only names their files. Texts are escaped, so that C(${) in them is no
    reference to a secret.
  - What Jenkins would refuse is refused here, all of it at once.
options:
  _input:
    description: The role's variables, without C(jenkins_dood_).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Look at the configuration of a Jenkins with one job
  ansible.builtin.debug:
    msg: "{{ (settings | mooring.stack.jenkins).configuration }}"
  vars:
    settings:
      admin_password: "{{ vault_jenkins_admin_password }}"
      executors: 2
      url: https://platform.example.com
      jobs:
        - {name: shop, repository: "https://gitlab.example.com/shop/backend.git"}
"""

RETURN = r"""
_value:
  description: >-
    C(configuration), what the plugin configuration-as-code reads; C(secrets), content of the files in
    C(/run/secrets) by name; C(jobs), what the script of the jobs reads.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mooring.stack.plugins.module_utils import _jenkins


def jenkins(settings: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the files of the role hold."""
    found = [f"jenkins_dood_{one.variable}{one.path}: {one.text}. {one.remedy}." for one in _jenkins.problems(settings)]
    if found:
        raise AnsibleFilterError(" ".join(found))
    return {"configuration": _jenkins.configuration(settings), "secrets": _jenkins.secret_files(settings),
            "jobs": _jenkins.jobs(settings)}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, object]:
        """The filters of this file."""
        return {"jenkins": jenkins}
