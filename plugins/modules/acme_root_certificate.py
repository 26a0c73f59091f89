#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_root_certificate
short_description: Keep a file equal to the root certificate of a test CA in a container
version_added: "0.1.0"
description:
  - Fetches the root certificate of Pebble over its management interface, which is reachable from the host only,
    and writes it to a file. Pebble makes a new root at each start.
options:
  url:
    description: Where the root is, with the name that the CA's own TLS certificate has.
    type: str
    required: true
  container:
    description: Name of the CA's container; the connection goes to its address.
    type: str
    required: true
  network:
    description: Docker network on which that address is taken.
    type: str
    required: true
  ca_file:
    description: File with the certificate that the CA's own TLS is verified with.
    type: path
    required: true
  path:
    description: File to write.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Can run in check mode. Where the CA does not run yet it predicts a new root.
  diff_mode:
    support: full
    description: Shows the fingerprint before and after.
  idempotent:
    support: full
    description: Changes nothing until the CA is started again.
requirements:
  - python3-cryptography on the host
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Fetch the root that clients have to trust
  mooring.stack.acme_root_certificate:
    url: https://acme-ca:15000/roots/0
    container: mooring-acme_test_ca-pebble-1
    network: mooring
    ca_file: /opt/mooring/acme_test_ca/tls/cert.pem
    path: /opt/mooring/acme_test_ca/root.pem
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: file /srv/ca/root.pem, field: root, expected: that of the running CA, found: 0f1e2d3c4b5a6978}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
fingerprint:
  description: SHA-256 of the root in hexadecimal, empty in check mode while the CA does not run.
  returned: always
  type: str
message:
  description: What a change means, in one sentence.
  returned: changed
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_acme_root_certificate import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
