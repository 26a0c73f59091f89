#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_renewal
short_description: Keep certificates renewed without Ansible
version_added: "0.2.0"
description:
  - Puts a program on the host that does what M(mooring.stack.certbot_certificate) does, and lets a timer of systemd,
    or cron where systemd does not run, start it several times a day. It is the same code with the same ledger and the
    same lock. Whoever comes second waits, and finds done what the other did; a CA is never asked too often.
  - The program also lets certbot ask the CA whether a certificate is to be renewed before its time (RFC 9773, from
    certbot 4.1 on).
  - With O(runs_on=container) nothing on the host starts it. A container beside the proxy does, for hosts that have
    neither systemd nor cron; it needs Python, python3-cryptography and certbot, as every image of certbot has them, and
    the directories of O(certificate) and O(directory) at the same paths. CA bundle and trusted root are copied into
    O(directory) for it, as C(bundle.pem) and C(root.pem).
options:
  name:
    description: Name of the job, unique on the host.
    type: str
    required: true
  certificate:
    description: What is to be kept as declared. Takes the options of M(mooring.stack.certbot_certificate).
    type: dict
    required: true
  directory:
    description: Directory for C(certificates.pyz), the program, and C(certificates.json), its settings. It is created.
    type: path
    required: true
  runs_on:
    description: Who starts the program, the host or a container.
    type: str
    choices: [host, container]
    default: host
  calendar:
    description: When, as systemd writes it (man systemd.time).
    type: str
    default: "*-*-* 00/8:00:00"
  cron:
    description: When, as cron writes it.
    type: str
    default: "29 */8 * * *"
  jitter:
    description: Longest random delay under systemd.
    type: str
    default: 2h
attributes:
  check_mode:
    description: Predicts the same differences.
    support: full
  diff_mode:
    description: Shows the files of the timer before and after.
    support: partial
    details:
      - Program and settings show as a difference of their content only.
  idempotent:
    description: What is as declared is left alone.
    support: full
requirements:
  - python3-cryptography on the host, unless a container runs it
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Renew what is due, three times a day
  mooring.stack.certificate_renewal:
    name: mooring-nginx_certbot
    directory: /opt/mooring/nginx_certbot/renewal
    certificate:
      certificates:
        - name: platform
          domains: [platform.example.com]
      certificates_dir: /opt/mooring/nginx_certbot/certificates
      letsencrypt_dir: /opt/mooring/nginx_certbot/letsencrypt
      webroot: /opt/mooring/nginx_certbot/webroot
      ledger: /opt/mooring/nginx_certbot/letsencrypt/ledger.json
      acme_directory: https://acme-v02.api.letsencrypt.org/directory
      image: certbot/certbot:v5.6.0
      network: mooring
      proxy_container: mooring-nginx_certbot-proxy-1
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: timer mooring-nginx_certbot.timer, field: state, expected: active, found: inactive}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
manager:
  description: What starts it, V(systemd), V(cron) or V(container).
  returned: success
  type: str
  sample: systemd
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_certificate_renewal import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
