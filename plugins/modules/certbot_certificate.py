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
  - A certificate is renewed when a third of its own lifetime is left, and replaced when its names, its key type,
    its ACME directory or the trusted root are no longer the declared ones.
  - Before an order the challenge path is tried through the proxy, for each domain. The first order at the
    production directory of Let's Encrypt is rehearsed against its staging directory.
  - Every attempt is written down on the host. After 4 failed attempts for a name within an hour, or 4
    certificates for the same names within a week, no order is placed, and the message says when the next may be.
  - The old certificate serves until the new one is verified. nginx reloads only when the certificate changed,
    and a TLS handshake confirms what it serves.
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
        description: The names in it; the first is its subject. Wildcards are not supported.
        type: list
        elements: str
        required: true
      key_type:
        description: ECDSA on the curve P-256, or RSA with 2048 bits for very old clients.
        type: str
        choices: [ecdsa, rsa]
        default: ecdsa
  state:
    description:
      - V(placeholder) makes sure that nginx can start. Where there is no usable certificate it takes the one that
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
    description: Numeric uid that the proxy runs as, and that may read the keys.
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
    description: Program and arguments that, run in the proxy's container, let it read its certificates again.
    type: list
    elements: str
    default: [nginx, -s, reload]
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

- name: Serve the declared certificate
  mooring.stack.certbot_certificate:
    certificates:
      - name: platform
        domains: [platform.example.com, www.platform.example.com]
    certificates_dir: /opt/mooring/nginx_certbot/certificates
    letsencrypt_dir: /opt/mooring/nginx_certbot/letsencrypt
    webroot: /opt/mooring/nginx_certbot/webroot
    ledger: /opt/mooring/nginx_certbot/acme-ledger.json
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    image: certbot/certbot:v5.6.0
    network: mooring
    proxy_container: mooring-nginx_certbot-proxy-1
"""

RETURN = r"""
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
    action:
      description: What was done, or in check mode would be. V(deploy) takes what certbot already holds.
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

import dataclasses
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _certificates as certs
from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _x509 as x509
from ansible_collections.mooring.stack.plugins.module_utils._certificates_host import (
    PLACEHOLDER_LIFETIME,
    Certbot,
    Kept,
    Ledger,
    Mode,
    Proxy,
    Store,
    utcnow,
)
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors

ARGUMENT_SPEC: dict[str, t.Any] = {
    "certificates": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "required": True},
            "key_type": {"type": "str", "choices": [certs.ECDSA, certs.RSA], "default": certs.ECDSA, "no_log": False},
        },
    },
    "state": {"type": "str", "choices": ["placeholder", "present"], "default": "present"},
    "certificates_dir": {"type": "path", "required": True},
    "owner": {"type": "int", "default": 101},
    "letsencrypt_dir": {"type": "path"},
    "webroot": {"type": "path"},
    "ledger": {"type": "path"},
    "acme_directory": {"type": "str"},
    "acme_ca_bundle": {"type": "path"},
    "trusted_root": {"type": "path"},
    "acme_email": {"type": "str", "default": ""},
    "image": {"type": "str"},
    "network": {"type": "str"},
    "proxy_container": {"type": "str"},
    "reload_command": {"type": "list", "elements": "str", "default": ["nginx", "-s", "reload"]},
}

FOR_ORDERS = [
    "letsencrypt_dir", "webroot", "ledger", "acme_directory", "image", "network", "proxy_container",
]


@dataclasses.dataclass
class Work:
    """One certificate through a run: what is declared, found, decided, and finally there."""

    desired: certs.Desired
    before: certs.Found
    lineage: certs.Found
    decision: certs.Decision
    after: certs.Found
    wrong_modes: list[Mode]
    stale: bool = False
    error: str = ""

    @property
    def changes(self) -> bool:
        """Whether files change."""
        return self.decision.action != certs.NOTHING or bool(self.wrong_modes)

    @property
    def reloads(self) -> bool:
        """Whether nginx has to read the certificate again."""
        return self.stale or self.decision.action != certs.NOTHING

    def result(self) -> dict[str, t.Any]:
        """The entry of the module's result."""
        reason = self.decision.reason
        if self.stale:
            reason += " nginx served an older one."
        if self.wrong_modes:
            reason += f" Put right: {'; '.join(mode.after() for mode in self.wrong_modes)}."
        pair = self.after.pair
        return {
            "name": self.desired.name,
            "names": sorted(pair.names) if pair else [],
            "not_after": certs.stamp(pair.not_after) if pair else "",
            "fingerprint": pair.fingerprint if pair else "",
            "issuer": pair.issuer if pair else "",
            "action": self.decision.action,
            "reason": self.error or reason,
        }


class Run:
    """What the module's parameters point at, and the run's steps."""

    def __init__(self, params: dict[str, t.Any], docker: Docker) -> None:
        self.params = params
        self.serving = params["state"] == "present"
        # A root that is not there yet, as before the test CA's first start, is no reason to replace anything.
        root = params["trusted_root"] or ""
        self.roots = root if root and os.path.exists(root) else ""
        self.store = Store(params["certificates_dir"], params["owner"], self.roots)
        self.ledger = Ledger(params["ledger"] or "")
        self.proxy = Proxy(docker, params["proxy_container"] or "", params["network"] or "", params["reload_command"])
        self.address = self.proxy.address() if self.serving else ""
        self.certbot = Certbot(
            docker,
            image=params["image"] or "",
            network=params["network"] or "",
            directory=params["letsencrypt_dir"] or "",
            webroot=params["webroot"] or "",
            bundle=params["acme_ca_bundle"] or "",
            email=params["acme_email"],
        )

    def read(self) -> list[Work]:
        """Declared, found, decided, for every certificate."""
        root = x509.file_fingerprint(self.roots) if self.roots else ""
        works = [
            self._read_one(certs.Desired.parse(item, self.params["acme_directory"] or "", root))
            for item in self.params["certificates"]
        ]
        names = [work.desired.name for work in works]
        if len(set(names)) != len(names):
            raise certs.BadRequest(f"Two certificates have the same name: {', '.join(sorted(names))}.")
        return works

    def _read_one(self, desired: certs.Desired) -> Work:
        decide = certs.decide if self.serving else certs.decide_placeholder
        served = self.store.read(desired.name)
        lineage = self.certbot.lineage(desired.name, self.roots) if self.params["letsencrypt_dir"] else certs.Found()
        decision = decide(desired, served, lineage, utcnow())
        # The files can be right and nginx still serve others, after a run that was killed before the reload.
        stale = bool(
            self.address and decision.action == certs.NOTHING and served.pair
            and self.proxy.served(self.address, desired.domains[0]) != served.pair.fingerprint)
        return Work(desired, served, lineage, decision, served, self.store.wrong_modes(desired.name), stale)

    def apply(self, works: list[Work]) -> None:
        """Do what was decided. One certificate's failure is kept for the end: it must not stop the others."""
        if any(work.changes for work in works):
            os.makedirs(self.store.directory, mode=0o755, exist_ok=True)
            with files.lock(os.path.join(self.store.directory, ".lock"), "A certificate"):
                for work in works:
                    try:
                        self._apply_one(work)
                    except MooringError as error:
                        work.error = str(error)
                    work.after = self.store.read(work.desired.name)
        if not self.serving:
            return
        if not self.address:
            raise MooringError(
                f"The proxy's container {self.proxy.container} does not run; start it, then run this again.")
        new = [work for work in works if work.after.pair and (work.stale or work.after != work.before)]
        if new:
            self.proxy.reload()
        for work in new:
            self.proxy.confirm(self.address, work.desired, work.after.pair.fingerprint if work.after.pair else "")

    def _apply_one(self, work: Work) -> None:
        desired, action = work.desired, work.decision.action
        if action == certs.PLACEHOLDER:
            chain, key = x509.self_signed(list(desired.domains), desired.key_type, utcnow(), PLACEHOLDER_LIFETIME)
            self.store.put(desired.name, chain, key, "")
        elif action == certs.DEPLOY:
            origin = work.lineage.pair.directory if work.lineage.pair else ""
            self.store.put(desired.name, *self.certbot.files(desired.name), origin)
        elif action in certs.ORDERS:
            self._order(work)
        if work.wrong_modes:
            self.store.correct_modes(desired.name)

    def _order(self, work: Work) -> None:
        desired = work.desired
        if not self.address:
            raise MooringError(
                f"The proxy's container {self.proxy.container} does not run, so nothing answers the challenge "
                f"for the certificate '{desired.name}'.")
        self.proxy.check_challenge(self.address, self.certbot.webroot, desired.domains)
        certs.check_ledger(desired, self.ledger.read(), utcnow())
        try:
            self.certbot.order(desired, work.decision, self.ledger)
        except Kept as kept:
            if work.decision.action != certs.RENEW:
                raise
            work.decision = certs.Decision(certs.NOTHING, str(kept))
            return
        lineage = self.certbot.lineage(desired.name, self.roots)
        problem = lineage.problem or certs.rejected(desired, lineage.pair, utcnow())
        if problem:
            raise MooringError(f"The certificate '{desired.name}' is not put in place. {problem}")
        self.store.put(desired.name, *self.certbot.files(desired.name), desired.directory)


def diff(works: list[Work], check_mode: bool) -> dict[str, str]:
    """Before and after of what changes."""
    sides: dict[str, str] = {"before": "", "after": ""}
    for work in works:
        sides["before"] += "".join(f"{mode.before()}\n" for mode in work.wrong_modes)
        sides["after"] += "".join(f"{mode.after()}\n" for mode in work.wrong_modes)
        if work.decision.action == certs.NOTHING:
            continue
        sides["before"] += _described(work.desired.name, work.before)
        if check_mode:
            domains = ", ".join(sorted(work.desired.domains))
            sides["after"] += f"{work.desired.name}: {work.decision.action}\n  names: {domains}\n"
        else:
            sides["after"] += _described(work.desired.name, work.after)
    return sides


def _described(name: str, found: certs.Found) -> str:
    pair = found.pair
    if pair is None:
        return f"{name}: {found.problem or 'absent'}\n"
    return (
        f"{name}: {'placeholder' if pair.placeholder else 'certificate'}\n  names: {', '.join(sorted(pair.names))}\n"
        f"  key: {pair.key_type}\n  issuer: {pair.issuer}\n  ends: {certs.stamp(pair.not_after)}\n"
        f"  fingerprint: {pair.fingerprint}\n"
    )


def main() -> None:
    """Parse, read, decide, apply, report."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=[("state", "present", FOR_ORDERS)])
    with domain_errors(module):
        run = Run(module.params, Docker(module.run_command))
        works = run.read()
        if not module.check_mode:
            run.apply(works)
        result = {
            "changed": any(work.changes or work.stale for work in works),
            "certificates": [work.result() for work in works],
            "reloaded": run.serving and any(work.reloads for work in works),
        }
        if module._diff:
            result["diff"] = diff(works, module.check_mode)
        errors = [work.error for work in works if work.error]
        if errors:
            raise MooringError(" ".join(errors), **result)
        module.exit_json(**result)


if __name__ == "__main__":
    main()
