#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: collection_version
short_description: Record which version of this collection works on a host
version_added: "0.2.0"
description:
  - Keeps a file C(/etc/mooring/platforms/<prefix>.json) with the version of the collection that worked on a platform
    last. P(mooring.stack.preflight#module) reads it, and refuses a version that is older, or one whose release notes
    nobody has read, before anything is changed.
  - Records what it is told; that it may is what preflight has decided.
options:
  prefix:
    description: Prefix of the platform's Compose projects, C(mooring_prefix).
    type: str
    required: true
  version:
    description: Version of the collection.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Predicts the same result.
  diff_mode:
    support: none
    description: RV(differences) has both versions.
  idempotent:
    support: full
    description: A version that is recorded is left alone.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Say that 0.2.0 has left what a platform with a hand-made record has
  mooring.stack.collection_version:
    prefix: mooring
    version: 0.2.0
"""

RETURN = r"""
before:
  description: The version that was recorded, empty for none.
  returned: success
  type: str
  sample: 0.1.0
differences:
  description: Object, field, expected and found of a version that is not recorded.
  returned: success
  type: list
  elements: dict
  sample: [{object: mooring.stack, field: version, expected: 0.2.0, found: 0.1.0}]
notices:
  description: Empty.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_collection_version import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
