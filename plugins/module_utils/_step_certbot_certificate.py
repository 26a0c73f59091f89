# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps the certificates that nginx serves as declared."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import typing as t

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
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._files import Busy

ARGUMENT_SPEC: dict[str, t.Any] = {
    "certificates": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "required": True},
            "key_type": {"type": "str", "choices": [certs.ECDSA, certs.RSA], "default": certs.ECDSA, "no_log": False},
            "challenge": {"type": "str", "choices": [certs.HTTP_01, certs.DNS_01], "default": certs.HTTP_01},
            "profile": {"type": "str", "default": ""},
            "renew_at": {"type": "float"},
        },
    },
    "state": {"type": "str", "choices": ["placeholder", "present"], "default": "present"},
    "certificates_dir": {"type": "path", "required": True},
    "owner": {"type": "int", "default": 101},
    "letsencrypt_dir": {"type": "path"},
    "webroot": {"type": "path"},
    "ledger": {"type": "path"},
    "metrics": {"type": "path"},
    "acme_directory": {"type": "str"},
    "acme_ca_bundle": {"type": "path"},
    "trusted_root": {"type": "path"},
    "acme_email": {"type": "str", "default": ""},
    "certbot_options": {"type": "path"},
    "image": {"type": "str"},
    "network": {"type": "str"},
    "proxy_container": {"type": "str"},
    "reload_command": {"type": "list", "elements": "str", "default": []},
}

FOR_ORDERS = [
    "letsencrypt_dir", "webroot", "ledger", "acme_directory", "image", "network", "proxy_container",
]

RULES: dict[str, t.Any] = {"required_if": [("state", "present", FOR_ORDERS)]}


@dataclasses.dataclass
class Work:
    """One certificate through a run: what is declared, found, decided, and finally there."""

    desired: certs.Desired
    before: certs.Found
    lineage: certs.Found
    decision: certs.Decision
    after: certs.Found
    wrong_modes: list[Mode]
    wrong_parts: list[str]
    now: dt.datetime
    served: str = ""
    stale: bool = False
    error: str = ""
    kept: str = ""
    # Not due by its age; certbot asks whether the CA wants it renewed early all the same.
    asks: bool = False

    @property
    def changes(self) -> bool:
        """Whether files change."""
        return self.decision.action != certs.NOTHING or bool(self.wrong_modes or self.wrong_parts)

    @property
    def reloads(self) -> bool:
        """Whether a proxy that keeps what it has read has to read the certificate again."""
        return self.stale or self.decision.action != certs.NOTHING

    def differences(self, serving: bool) -> list[Difference]:
        """What is not as declared; empty exactly if nothing changes."""
        found: list[Difference] = []
        if self.decision.action != certs.NOTHING:
            found = certs.differences(self.desired, self.before, self.now, serving)
        for mode in self.wrong_modes:
            found += mode.differences()
        found += [Difference(f"file {path}", "part of the chain", "as in fullchain.pem", "missing or other")
                  for path in self.wrong_parts]
        if self.stale:
            found.append(Difference(
                f"certificate {self.desired.name}", "served fingerprint",
                self.before.pair.fingerprint[:16] if self.before.pair else None, self.served[:16] or None))
        return found

    def result(self) -> dict[str, t.Any]:
        """The entry of the result."""
        reason = self.decision.reason
        if self.stale:
            reason += " nginx served an older one."
        wrong = [*(mode.after() for mode in self.wrong_modes), *self.wrong_parts]
        if wrong:
            reason += f" Put right: {'; '.join(wrong)}."
        pair = self.after.pair
        return {
            "name": self.desired.name,
            "names": sorted(pair.names) if pair else [],
            "not_before": certs.stamp(pair.not_before) if pair else "",
            "not_after": certs.stamp(pair.not_after) if pair else "",
            "fingerprint": pair.fingerprint if pair else "",
            "issuer": pair.issuer if pair else "",
            "renewal": certs.stamp(certs.renewal_time(pair, self.desired.renew_at)) if pair else "",
            "action": certs.NOTHING if self.error else self.decision.action,
            "reason": self.error or reason,
        }


@dataclasses.dataclass
class Look:
    """What a run found: the certificates, and what certbot could not use of its own."""

    works: list[Work]
    foreign: list[Difference]

    @property
    def changes(self) -> bool:
        """Whether files change."""
        return bool(self.foreign) or any(work.changes for work in self.works)


class Run:
    """What the step's parameters point at, and the run's steps.

    ``inside`` is for a run in a container beside the proxy: certbot is a program
    there, and the proxy has a name. ``ask`` lets certbot ask the CA about every
    certificate, because one may have to go long before its end (RFC 9773).
    """

    def __init__(
        self, params: dict[str, t.Any], docker: Docker, *, inside: bool = False, ask: bool = False,
    ) -> None:
        self.params = params
        self.ask = ask
        self.serving = params["state"] == "present"
        # A root that is not there yet, as before the test CA's first start, is no reason to replace anything.
        # Nor has a bare host, of which check mode reads, the library yet; where there is a certificate, that is told.
        root = params["trusted_root"] or ""
        self.roots = root if root and os.path.exists(root) and x509.IMPORT_ERROR is None else ""
        self.store = Store(params["certificates_dir"], params["owner"], self.roots)
        self.ledger = Ledger(params["ledger"] or "", params["owner"])
        self.proxy = Proxy(docker, params["proxy_container"] or "", params["network"] or "", params["reload_command"],
                           inside)
        self.address = self.proxy.address() if self.serving else ""
        self.certbot = Certbot(
            docker,
            image=params["image"] or "",
            network=params["network"] or "",
            directory=params["letsencrypt_dir"] or "",
            webroot=params["webroot"] or "",
            bundle=params["acme_ca_bundle"] or "",
            email=params["acme_email"],
            options=params["certbot_options"] or "",
            owner=params["owner"],
            inside=inside,
        )

    def foreign(self) -> list[Difference]:
        """What certbot's user could not use of its own."""
        return [Difference(f"directory {root}", "owner of all in it", self.params["owner"],
                           f"others, of {len(paths)}: {', '.join(sorted(paths)[:3])}{' ...' if paths[3:] else ''}")
                for root, paths in self.certbot.foreign().items()]

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
        now = utcnow()
        decision = decide(desired, served, lineage, now)
        work = Work(desired, served, lineage, decision, served, self.store.wrong_modes(desired.name),
                    # Damaged files are made anew as a whole.
                    self.store.wrong_parts(desired.name) if decision.action == certs.NOTHING else [], now)
        # The files can be right and a proxy that keeps what it has read still serve others.
        if self.address and decision.action == certs.NOTHING and served.pair:
            work.served = self.proxy.served(self.address, desired.domains[0])
            work.stale = work.served != served.pair.fingerprint
        # Only what certbot holds: for one that was made by hand it would place an order.
        held = served.pair and lineage.pair and served.pair.fingerprint == lineage.pair.fingerprint
        if self.ask and held and decision.action == certs.NOTHING and not work.stale:
            work.asks = True
            work.decision = certs.Decision(certs.RENEW, "certbot or the CA finds it due before its time.")
        return work

    def look(self) -> Look:
        """Everything that decides a run."""
        return Look(self.read(), self.foreign())

    def apply(self, look: Look) -> None:
        """Do what was decided, with the lock held. One certificate's failure is kept for the end."""
        if look.foreign:
            self.certbot.own()
        for work in look.works:
            if not work.changes:
                continue
            try:
                self._apply_one(work)
            except MooringError as error:
                work.error = str(error)
            except OSError as error:
                # A full disk, a file system that is read-only: what served before still serves.
                work.error = f"The certificate '{work.desired.name}' could not be written: {error}."
            work.after = self.store.read(work.desired.name)

    def confirm(self, works: list[Work]) -> None:
        """See what clients get of that which is new."""
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
        # First: what may fail comes after it, and a key that others can read must not wait for that.
        self.store.correct_modes(desired.name)
        if action == certs.PLACEHOLDER:
            chain, key = x509.self_signed(list(desired.domains), desired.key_type, utcnow(), PLACEHOLDER_LIFETIME)
            self.store.put(desired.name, chain, key, "")
        elif action == certs.DEPLOY:
            pair = work.lineage.pair
            self.store.put(desired.name, *self.certbot.files(desired.name), pair.directory if pair else "",
                           pair.profile if pair else None)
        elif action in certs.ORDERS:
            self._order(work)
        if work.wrong_parts:
            self.store.renew_version(desired.name)

    def _order(self, work: Work) -> None:
        desired = work.desired
        if desired.challenge == certs.HTTP_01:
            if not self.address:
                raise MooringError(
                    f"The proxy's container {self.proxy.container} does not run, so nothing answers the challenge "
                    f"for the certificate '{desired.name}'.")
            self.proxy.check_challenge(self.address, self.certbot.webroot, desired.domains, self.params["owner"])
        try:
            certs.check_ledger(desired, self.ledger.read(), utcnow())
            self.certbot.order(desired, work.decision, self.ledger)
        except certs.TooSoon:
            if not work.asks:
                raise
            work.decision = certs.Decision(certs.NOTHING, "It is as declared; the CA was asked often enough.")
            return
        except Kept as kept:
            if work.decision.action != certs.RENEW:
                raise
            work.decision = certs.Decision(certs.NOTHING, "It is as declared." if work.asks else str(kept))
            work.kept = "" if work.asks else str(kept)
            return
        lineage = self.certbot.lineage(desired.name, self.roots)
        problem = lineage.problem or certs.rejected(desired, lineage.pair, utcnow())
        if problem:
            raise MooringError(f"The certificate '{desired.name}' is not put in place. {problem}")
        self.store.put(desired.name, *self.certbot.files(desired.name), desired.directory, desired.profile)


def tell(path: str, owner: int, works: list[Work], good: bool) -> str:
    """Write the metrics, which say when this looked last and so are another each time; why that failed, or ""."""
    pairs = {work.desired.name: work.after.pair for work in works}
    try:
        text = certs.metrics(pairs, utcnow(), good, files.read_text(path) or "")
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        files.write_file(path, text.encode(), 0o644, owner, owner, shared=True)
    except OSError as error:
        return f"The metrics could not be written: {error}."
    return ""


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


def converge(
    module: t.Any, params: dict[str, t.Any], *, inside: bool = False, ask: bool = False,
) -> dict[str, t.Any]:
    """Read, decide, apply; the result. ``inside`` and ``ask`` as in :class:`Run`. Raises :class:`MooringError`."""
    run = Run(params, Docker(module.run_command), inside=inside, ask=ask)
    try:
        look = run.look()
    except OSError as error:
        raise MooringError(f"The certificates cannot be looked at: {error}.") from error
    errors = []
    if not module.check_mode:
        try:
            if look.changes:
                with run.store.lock():
                    # Again, because another run may have ended in between.
                    look = run.look()
                    run.apply(look)
            run.confirm(look.works)
        except Busy as error:
            for work in look.works:
                work.error = str(error) if work.changes else ""
            errors.append(str(error))
        except MooringError as error:
            errors.append(str(error))
        except OSError as error:
            errors.append(f"The certificates cannot be worked on: {error}.")
    works = look.works
    result = {
        "changed": look.changes or any(work.stale for work in works),
        "differences": [one.as_dict() for one in (
            *look.foreign, *(one for work in works for one in work.differences(run.serving)))],
        "notices": [f"Certificate {work.desired.name}: {work.kept}" for work in works if work.kept],
        "certificates": [work.result() for work in works],
        "reloaded": run.serving and bool(params["reload_command"]) and any(work.reloads for work in works),
    }
    if module._diff:
        result["diff"] = diff(works, module.check_mode)
    errors = [*(work.error for work in works if work.error), *errors]
    if params["metrics"] and not module.check_mode:
        errors += filter(None, [tell(params["metrics"], params["owner"], works, not errors)])
    if errors:
        raise MooringError(" ".join(dict.fromkeys(errors)), **result)
    return result
