#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_certificate
short_description: Converge the certificates that a proxy in a container serves
version_added: "0.1.0"
description:
  - Reads the certificates on disk, decides, and unless in check mode acts. certbot, in a throwaway container,
    speaks ACME; this module decides when it may, guards it, and verifies what it got.
  - A certificate is renewed when a third of its own lifetime is left, or half of ten days or less, and replaced when
    its names, its key type, its profile, its ACME directory or the trusted root are no longer the declared ones.
  - Before an order by HTTP-01 the challenge path is tried through the proxy, for each domain. The first order at the
    production directory of Let's Encrypt is rehearsed against its staging directory.
  - Every attempt is written down on the host. After 4 failed attempts for a name within an hour, or 4
    certificates for the same names within a week, no order is placed, and the message says when the next may be.
  - The old certificate serves until the new one is verified. A link then leads to the new one, and a TLS handshake
    confirms what the proxy serves. nginx needs no reload for that if its C(ssl_certificate) holds a variable, because
    it then reads the file at each handshake (documentation of C(ngx_http_ssl_module)); the role
    C(nginx_certbot) does so.
options:
  certificates:
    description: The certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the certificate's directory and of certbot's lineage.
        type: str
        required: true
      domains:
        description: The names in it; the first is its subject. A wildcard needs O(certificates[].challenge=dns-01).
        type: list
        elements: str
        required: true
      key_type:
        description: ECDSA on the curve P-256, or RSA with 2048 bits for very old clients.
        type: str
        choices: [ecdsa, rsa]
        default: ecdsa
      challenge:
        description:
          - How the CA is shown that the names are ours. V(http-01) goes through the proxy.
          - V(dns-01) is done by an authenticator that O(certbot_options) names, one of certbot's plugins or hooks.
        type: str
        choices: [http-01, dns-01]
        default: http-01
      profile:
        description: >-
          Name of one of the kinds of certificates that the CA offers, such as V(shortlived). Empty is its default.
          Needs certbot 4.0.
        type: str
        default: ""
      renew_at:
        description:
          - Part of its lifetime that is left when it is renewed, between 0.01 and 0.99, if that is earlier than usual.
          - Usual are a third, and half for a certificate that lives ten days or less, as certbot has it too.
        type: float
  state:
    description:
      - V(placeholder) makes sure that clients get an answer. Where there is no usable certificate it takes the one that
        certbot holds, or else makes a self-signed one.
      - V(present) makes sure that the declared certificate is served. The proxy has to run.
    type: str
    choices: [placeholder, present]
    default: present
  certificates_dir:
    description: >-
      Directory that nginx reads. It has a link C(<name>) to C(<name>.d/<fingerprint>/), in which C(fullchain.pem),
      C(cert.pem), C(chain.pem) and C(privkey.pem) lie.
    type: path
    required: true
  owner:
    description: Numeric uid that proxy and certbot run as. Certificates, keys and certbot's tree belong to it.
    type: int
    default: 101
  letsencrypt_dir:
    description: certbot's own tree. It is created.
    type: path
  webroot:
    description: Directory that the proxy serves C(/.well-known/acme-challenge/) from.
    type: path
  ledger:
    description: File in which attempts are written down.
    type: path
  metrics:
    description:
      - File for metrics in the text format of Prometheus. They tell begin and end of each certificate, and when this
        module looked last and last did well. It is written in each run and counts as no change. Empty writes none.
    type: path
  acme_directory:
    description: URL of the CA's ACME directory.
    type: str
  acme_ca_bundle:
    description: >-
      File on the host with the CA certificates that certbot trusts when it speaks to the ACME directory.
      Empty means those of its image.
    type: path
  trusted_root:
    description:
      - File on the host with the only roots that clients are told to trust. A certificate whose chain does not end
        there is replaced. Empty, the right value for a public CA, means that this is not looked at.
    type: path
  acme_email:
    description: Contact for the CA. Empty registers without one.
    type: str
    default: ""
  certbot_options:
    description:
      - Directory on the host with a file C(cli.ini) of options of certbot's own, and with what these name. certbot sees
        it as C(/etc/certbot). For an external account (C(eab-kid), C(eab-hmac-key)) and for DNS-01.
      - Empty is for none.
    type: path
  image:
    description: Image with certbot.
    type: str
  network:
    description: Docker network of the proxy and of certbot.
    type: str
  proxy_container:
    description: Name of the proxy's container.
    type: str
  reload_command:
    description:
      - Program and arguments that, run in the proxy's container after a certificate changed, let it read its
        certificates again, such as V([nginx, -s, reload]).
      - Empty is for a proxy that reads them at each handshake.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Can run in check mode and predicts what a run would do, also where docker is missing.
  diff_mode:
    support: full
    description: Shows names, issuer, expiry and fingerprint before and after. Check mode knows only the future names.
  idempotent:
    support: partial
    details:
      - A second run changes nothing until a certificate comes near its end.
    description: A second run changes nothing.
requirements:
  - python3-cryptography on the host
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Let nginx start without a certificate
  mooring.stack.certbot_certificate:
    state: placeholder
    certificates_dir: /opt/mooring/nginx_certbot/certificates
    certificates:
      - name: platform
        domains: [platform.example.com]

- name: Serve a certificate for every name of a zone, by hooks that set the records
  # In /etc/mooring-certbot/cli.ini:
  #   authenticator = manual
  #   manual-auth-hook = python3 /etc/certbot/set.py
  #   manual-cleanup-hook = python3 /etc/certbot/clear.py
  mooring.stack.certbot_certificate:
    certificates:
      - name: zone
        domains: [example.com, "*.example.com"]
        challenge: dns-01
    certbot_options: /etc/mooring-certbot
    certificates_dir: /opt/mooring/nginx_certbot/certificates
    letsencrypt_dir: /opt/mooring/nginx_certbot/letsencrypt
    webroot: /opt/mooring/nginx_certbot/webroot
    ledger: /opt/mooring/nginx_certbot/letsencrypt/ledger.json
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    image: certbot/certbot:v5.6.0
    network: mooring
    proxy_container: mooring-nginx_certbot-proxy-1

- name: Serve the declared certificate
  mooring.stack.certbot_certificate:
    certificates:
      - name: platform
        domains: [platform.example.com, www.platform.example.com]
    certificates_dir: /opt/mooring/nginx_certbot/certificates
    letsencrypt_dir: /opt/mooring/nginx_certbot/letsencrypt
    webroot: /opt/mooring/nginx_certbot/webroot
    ledger: /opt/mooring/nginx_certbot/letsencrypt/ledger.json
    metrics: /opt/mooring/nginx_certbot/metrics/certificates.prom
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
  sample: [{object: certificate platform, field: names, expected: [www.example.com], found: [example.com]}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
certificates:
  description: One entry per certificate, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: platform
    names:
      description: The domains in it, empty while there is none.
      type: list
      elements: str
    not_before:
      description: When it begins, in UTC, empty while there is none.
      type: str
      sample: "2026-11-25T10:00:00Z"
    not_after:
      description: When it ends, in UTC, empty while there is none.
      type: str
      sample: "2026-12-24T10:00:00Z"
    fingerprint:
      description: SHA-256 of the certificate in hexadecimal, empty while there is none.
      type: str
    issuer:
      description: Common name of the issuer, empty while there is none.
      type: str
    renewal:
      description: When it becomes due, in UTC, empty while there is none.
      type: str
      sample: "2027-01-24T10:00:00Z"
    action:
      description: >-
        What was done, or in check mode would be; V(nothing) where it failed. V(deploy) takes what certbot already
        holds.
      type: str
      sample: renew
    reason:
      description: Why, in one sentence or two.
      type: str
reloaded:
  description: Whether the proxy was reloaded, or in check mode would be.
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_certbot_certificate import (
    ARGUMENT_SPEC,
    RULES,
    converge,
)


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **RULES)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
