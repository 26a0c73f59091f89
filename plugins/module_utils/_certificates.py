# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what to do about a certificate. Pure: no files, no clock, no commands."""

from __future__ import annotations

import dataclasses
import datetime as dt
import fractions
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ECDSA, RSA = "ecdsa", "rsa"

# Where certbot's container has its tree and the challenge directory. certbot writes
# these paths into its lineages, so they are the same wherever it runs.
CONFIG_DIRECTORY, WEBROOT = "/etc/letsencrypt", "/var/www/acme"
# Options of certbot's own in cli.ini, and what they name. Not certbot's default place, which anybody may have filled.
OPTIONS_DIRECTORY = "/etc/certbot"

HTTP_01, DNS_01 = "http-01", "dns-01"

NOTHING = "nothing"
PLACEHOLDER = "placeholder"
DEPLOY = "deploy"
ISSUE = "issue"
RENEW = "renew"
REPLACE = "replace"

ORDERS = frozenset({ISSUE, RENEW, REPLACE})

# The one CA whose limits are worth a rehearsal against its staging directory.
LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

# One below what Let's Encrypt allows: 5 failed validations per name and hour,
# 5 certificates for the same names in 7 days. One attempt stays for a human.
FAILURES_PER_HOUR = 4
IDENTICAL_PER_WEEK = 4
HOUR = dt.timedelta(hours=1)
WEEK = dt.timedelta(days=7)

# The part of its lifetime that a certificate has left when it is renewed, for one that lives this long at
# most and for any other. certbot does the same (changelog of certbot 4.0.0).
SHORT_LIVED = dt.timedelta(days=10)
LEFT_OF_SHORT, LEFT = fractions.Fraction(1, 2), fractions.Fraction(1, 3)

# The last one is no failure: it ended before the CA was asked for any name.
STARTED, FAILED, ISSUED, NOT_ASKED = "started", "failed", "issued", "not asked"

BEGIN, END, SELF_SIGNED = (
    "mooring_certificate_not_before_timestamp_seconds", "mooring_certificate_not_after_timestamp_seconds",
    "mooring_certificate_placeholder")
LAST_RUN = "mooring_certificates_last_run_timestamp_seconds"
LAST_GOOD = "mooring_certificates_last_good_run_timestamp_seconds"
HELP = {
    BEGIN: "When the certificate that is served begins.",
    END: "When the certificate that is served ends.",
    SELF_SIGNED: "Whether nothing better than a self-signed placeholder is served.",
    LAST_RUN: "When a playbook or the renewal looked at the certificates last.",
    LAST_GOOD: "When it last did so without a failure.",
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


class BadRequest(MooringError):
    """The declaration of a certificate makes no sense."""


class TooSoon(MooringError):
    """Another order would come too close to the CA's limits."""


@dataclasses.dataclass(frozen=True)
class Desired:
    """A certificate as declared.

    ``root`` is the fingerprint of the declared root, "" without one; ``profile``
    the CA's name for a kind of certificate, "" for its default; ``renew_at`` the
    part of the lifetime that is left when it is renewed, if that is more than usual.
    """

    name: str
    domains: tuple[str, ...]
    key_type: str
    directory: str
    root: str = ""
    challenge: str = HTTP_01
    profile: str = ""
    renew_at: fractions.Fraction | None = None

    @classmethod
    def parse(cls, params: dict[str, t.Any], directory: str, root: str = "") -> Desired:
        """Check one entry of the module's ``certificates``."""
        name = params["name"]
        if not _NAME.fullmatch(name) or name.endswith(".d"):
            raise BadRequest(
                f"The certificate name '{name}' cannot be a directory name: use letters, digits, dots, "
                "dashes and underscores, and do not end it in '.d'."
            )
        domains = tuple(domain.strip().lower().rstrip(".") for domain in params["domains"])
        if not domains:
            raise BadRequest(f"The certificate '{name}' has no domains.")
        challenge = params.get("challenge") or HTTP_01
        for domain in domains:
            if domain.startswith("*.") and challenge != DNS_01:
                raise BadRequest(
                    f"The certificate '{name}' asks for '{domain}': a wildcard needs the challenge dns-01.")
            if not _DOMAIN.fullmatch(domain.removeprefix("*.")):
                raise BadRequest(f"The certificate '{name}' asks for '{domain}', which is no domain name.")
        if len(set(domains)) != len(domains):
            raise BadRequest(f"The certificate '{name}' names a domain twice: {', '.join(domains)}.")
        profile, left = params.get("profile") or "", params.get("renew_at")
        if profile and not _NAME.fullmatch(profile):
            raise BadRequest(f"The certificate '{name}' asks for the profile '{profile}', which is no name of one.")
        if left is not None and not 0.01 <= left <= 0.99:
            raise BadRequest(
                f"The certificate '{name}' has renew_at {left:g}: write the part of its lifetime that is left then, "
                "between 0.01 and 0.99, such as 0.5.")
        return cls(
            name=name, domains=domains, key_type=params["key_type"], directory=directory, root=root,
            challenge=challenge, profile=profile,
            # 0.3333 is written for a third.
            renew_at=None if left is None else fractions.Fraction(left).limit_denominator(1000))


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key as found on disk, known to belong together.

    ``complete`` says whether each certificate of the chain signed the one
    before it. ``trusted`` says whether the chain ends at a declared root, None
    where no root is declared. ``directory`` is the ACME directory that issued
    it, "" where nobody wrote it down, and ``profile`` the one it was asked for
    there, None where nobody did.
    """

    names: frozenset[str]
    key_type: str
    not_before: dt.datetime
    not_after: dt.datetime
    issuer: str
    fingerprint: str
    placeholder: bool = False
    complete: bool = True
    trusted: bool | None = None
    directory: str = ""
    profile: str | None = None

    def remaining(self, now: dt.datetime) -> float:
        """The part of its lifetime that is left: 1 when new, 0 or less when expired."""
        lifetime = (self.not_after - self.not_before).total_seconds()
        return (self.not_after - now).total_seconds() / lifetime if lifetime > 0 else 0.0


@dataclasses.dataclass(frozen=True)
class Found:
    """What lies in one place: a pair, nothing (``pair`` None, no ``problem``), or files nginx cannot use."""

    pair: Pair | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Decision:
    """What to do, and why in words for the operator; ``insist`` where certbot would find it too early."""

    action: str
    reason: str
    insist: bool = False


def covers(pair: Pair, domains: t.Iterable[str]) -> bool:
    """Whether every domain is among the pair's names, directly or by a wildcard one label deep."""
    return all(domain in pair.names or f"*.{domain.partition('.')[2]}" in pair.names for domain in domains)


def part_left(pair: Pair, part: fractions.Fraction | None = None) -> fractions.Fraction:
    """The part of its lifetime that a certificate has left when it is renewed, ``part`` or the usual if that is more.

    Never less, because certbot, asked whether the CA wants one renewed early, has the usual one in mind as well.
    """
    usual = LEFT_OF_SHORT if pair.not_after - pair.not_before <= SHORT_LIVED else LEFT
    return usual if part is None else max(part, usual)


def renewal_time(pair: Pair, part: fractions.Fraction | None = None) -> dt.datetime:
    """When a certificate becomes due: a part of its own lifetime is left, whatever that is."""
    left = part_left(pair, part)
    # In seconds: a certificate without an end lives until 9999, and a multiple of that is no timedelta.
    lifetime = max(0, int((pair.not_after - pair.not_before).total_seconds()))
    return pair.not_after - dt.timedelta(seconds=lifetime * left.numerator // left.denominator)


def is_due(pair: Pair, now: dt.datetime, part: fractions.Fraction | None = None) -> bool:
    """Whether a certificate is to be renewed now."""
    return now >= renewal_time(pair, part)


def flaw(desired: Desired, pair: Pair, now: dt.datetime) -> Decision | None:
    """Why a real certificate has to go, and how; None if it can stay.

    No lifetime is assumed: a certificate is due when a part of its own is left.
    """
    if pair.names != frozenset(desired.domains):
        return Decision(REPLACE, f"It names {_listed(pair.names)}, declared are {_listed(desired.domains)}.")
    if pair.key_type != desired.key_type:
        return Decision(REPLACE, f"Its key is {pair.key_type.upper()}, declared is {desired.key_type.upper()}.")
    # An unknown directory is no reason: a certificate made by hand is adopted as it is.
    if pair.directory and pair.directory != desired.directory:
        return Decision(REPLACE, f"It was issued by {pair.directory}, declared is {desired.directory}.")
    if pair.profile is not None and pair.profile != desired.profile:
        return Decision(REPLACE, f"Its profile is {pair.profile or 'the default'}, declared is "
                                 f"{desired.profile or 'the default'}.")
    if not pair.complete:
        return Decision(REPLACE, "Its chain is broken: a certificate in it did not sign the one before.")
    # Only asked where a root is declared. A test CA makes a new root at each
    # start: until then its certificates stay, afterwards no client can trust them.
    if pair.trusted is False:
        return Decision(REPLACE, f"Its issuer '{pair.issuer}' does not lead to the declared root.")
    left = pair.remaining(now)
    if left <= 0:
        return Decision(RENEW, f"It expired at {stamp(pair.not_after)}.")
    if is_due(pair, now, desired.renew_at):
        reason = f"It ends at {stamp(pair.not_after)}, with {left:.0%} of its lifetime left."
        return Decision(RENEW, reason, insist=not is_due(pair, now))
    return None


def differences(desired: Desired, found: Found, now: dt.datetime, serving: bool) -> list[Difference]:
    """Field by field why the pair that nginx reads is not the declared one.

    With ``serving`` a placeholder counts as no certificate, which is what a
    client takes it for; without it any pair that nginx can load would do.
    """
    name, pair = f"certificate {desired.name}", found.pair
    if pair is None and found.problem:
        return [Difference(name, "files", "usable", found.problem)]
    if not serving:
        if pair is None:
            return [Difference(name, "files", "a pair that nginx can load", None)]
    elif pair is None or pair.placeholder:
        return [Difference(name, "presence", "present", None)]
    fields = []
    if pair.names != frozenset(desired.domains):
        fields.append(Difference(name, "names", sorted(desired.domains), sorted(pair.names)))
    if serving and pair.key_type != desired.key_type:
        fields.append(Difference(name, "key type", desired.key_type, pair.key_type))
    if serving and pair.directory and pair.directory != desired.directory:
        fields.append(Difference(name, "ACME directory", desired.directory, pair.directory))
    if serving and pair.profile is not None and pair.profile != desired.profile:
        fields.append(Difference(name, "profile", desired.profile or "default", pair.profile or "default"))
    if serving and not pair.complete:
        fields.append(Difference(name, "chain", "complete", "broken"))
    if serving and pair.trusted is False:
        fields.append(Difference(name, "issuer", "one that leads to the declared root", pair.issuer))
    if is_due(pair, now, desired.renew_at):
        part = part_left(pair, desired.renew_at)
        words = {LEFT: "a third", LEFT_OF_SHORT: "half"}.get(part, f"{float(part):.0%}")
        fields.append(Difference(name, "end", f"more than {words} of its lifetime ahead", stamp(pair.not_after)))
    return fields


def decide(desired: Desired, served: Found, lineage: Found, now: dt.datetime) -> Decision:
    """What makes the certificate that nginx serves the declared one.

    ``served`` is where nginx reads, ``lineage`` what certbot holds. Usable
    files of certbot are taken before a new order is spent: a run killed between
    certbot's success and ours leaves exactly that.
    """
    wrong = _wrong(desired, served, now)
    if wrong is None:
        return Decision(NOTHING, "It is as declared.")
    if lineage.pair is not None and flaw(desired, lineage.pair, now) is None:
        return Decision(DEPLOY, f"{wrong.reason} certbot already holds the right one.")
    return wrong


def decide_placeholder(desired: Desired, served: Found, lineage: Found, now: dt.datetime) -> Decision:
    """What lets nginx answer: any pair it can load will do, even an expired one.

    A placeholder of ours is kept fresh, because for the test CA's own TLS it is
    the certificate for good.
    """
    if served.pair is not None and not served.pair.placeholder:
        return Decision(NOTHING, "There is a certificate.")
    if served.pair is not None:
        if served.pair.names == frozenset(desired.domains) and not is_due(served.pair, now):
            return Decision(NOTHING, "There is a placeholder.")
        return Decision(PLACEHOLDER, "The placeholder is old or names other domains.")
    reason = served.problem or "There is no certificate yet."
    if lineage.pair is not None and covers(lineage.pair, desired.domains):
        return Decision(DEPLOY, f"{reason} certbot holds one that covers the domains.")
    return Decision(PLACEHOLDER, reason)


def _wrong(desired: Desired, served: Found, now: dt.datetime) -> Decision | None:
    if served.pair is None:
        return Decision(ISSUE, served.problem or "There is no certificate yet.")
    if served.pair.placeholder:
        return Decision(ISSUE, "There is only a placeholder.")
    return flaw(desired, served.pair, now)


def rejected(desired: Desired, pair: Pair | None, now: dt.datetime) -> str:
    """Why newly issued files must not be served; "" if they may."""
    if pair is None:
        return "certbot reported success, but left no certificate."
    if not covers(pair, desired.domains):
        return f"The new certificate names {_listed(pair.names)}, not {_listed(desired.domains)}."
    if pair.key_type != desired.key_type:
        return f"The new certificate's key is {pair.key_type.upper()}, not {desired.key_type.upper()}."
    if not pair.complete:
        return "The new certificate's chain is broken."
    if pair.trusted is False:
        return f"The new certificate's issuer '{pair.issuer}' does not lead to the declared root."
    if pair.not_after <= now:
        return f"The new certificate expired at {stamp(pair.not_after)}; compare the clocks of this host and the CA."
    return ""


# The attempt ledger -------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One order: ``outcome`` stays "started" when the run was killed."""

    time: dt.datetime
    directory: str
    domains: frozenset[str]
    outcome: str
    root: str = ""


def parse_ledger(data: t.Any) -> list[Attempt]:
    """Attempts from the ledger's JSON; a damaged ledger is an error, never an empty one."""
    try:
        return [
            Attempt(
                time=dt.datetime.fromisoformat(entry["time"]),
                directory=str(entry["directory"]),
                domains=frozenset(entry["domains"]),
                outcome=str(entry["outcome"]),
                root=str(entry.get("root", "")),
            )
            for entry in data["attempts"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise MooringError(
            f"The attempt ledger is damaged ({error!r}). Look at it; delete it if no order was placed this week."
        ) from error


def render_ledger(attempts: t.Iterable[Attempt], now: dt.datetime) -> dict[str, t.Any]:
    """The ledger's JSON, without what no longer counts."""
    return {
        "attempts": [
            {
                "time": attempt.time.isoformat(),
                "directory": attempt.directory,
                "domains": sorted(attempt.domains),
                "outcome": attempt.outcome,
                "root": attempt.root,
            }
            for attempt in attempts
            if now - attempt.time <= WEEK
        ]
    }


def next_allowed(desired: Desired, attempts: t.Iterable[Attempt], now: dt.datetime) -> tuple[dt.datetime, str] | None:
    """When the next order may be placed and what holds it back; None if it may be placed now."""
    ours = [attempt for attempt in attempts if attempt.directory == desired.directory]
    waits: list[tuple[dt.datetime, str]] = []
    for domain in desired.domains:
        # A killed run counts as failed: nobody knows what the CA saw of it.
        failed = [
            a.time for a in ours
            if domain in a.domains and a.outcome in (STARTED, FAILED) and now - a.time < HOUR
        ]
        if len(failed) >= FAILURES_PER_HOUR:
            waits.append((
                sorted(failed)[-FAILURES_PER_HOUR] + HOUR,
                f"{len(failed)} attempts for {domain} failed within the last hour",
            ))
    # A test CA with a new root is a new CA, whatever its address: it counts from nothing.
    identical = [
        a.time for a in ours
        if a.outcome == ISSUED and a.domains == frozenset(desired.domains) and a.root == desired.root
        and now - a.time < WEEK
    ]
    if len(identical) >= IDENTICAL_PER_WEEK:
        waits.append((
            sorted(identical)[-IDENTICAL_PER_WEEK] + WEEK,
            f"{len(identical)} certificates for {_listed(desired.domains)} were issued within the last 7 days",
        ))
    return max(waits) if waits else None


def check_ledger(desired: Desired, attempts: t.Iterable[Attempt], now: dt.datetime) -> None:
    """Raise :class:`TooSoon` when an order now would come too close to the CA's limits."""
    wait = next_allowed(desired, attempts, now)
    if wait:
        raise TooSoon(
            f"No certificate is ordered for '{desired.name}': {wait[1]}, and the CA locks out who insists. "
            f"The next attempt is allowed at {stamp(wait[0])}."
        )


def needs_rehearsal(desired: Desired, attempts: t.Iterable[Attempt]) -> bool:
    """Whether a dry run against staging comes first: the first order for these names at Let's Encrypt."""
    return desired.directory == LETSENCRYPT and not any(
        a.outcome == ISSUED and a.directory == desired.directory and a.domains == frozenset(desired.domains)
        for a in attempts
    )


# certbot ------------------------------------------------------------------------


def certbot_arguments(
    desired: Desired, decision: Decision, email: str, dry_run: bool = False, options: bool = False,
) -> list[str]:
    """certbot's own arguments for one order, as run inside its container; ``options`` if there is a cli.ini."""
    arguments = [
        "certonly", "--non-interactive", "--agree-tos",
        *(["--config", f"{OPTIONS_DIRECTORY}/cli.ini"] if options else []),
        # Who answers DNS-01 is among the options.
        *(["--preferred-challenges", "dns"] if desired.challenge == DNS_01
          else ["--authenticator", "webroot", "--webroot-path", WEBROOT]),
        "--logs-dir", f"{CONFIG_DIRECTORY}/logs", "--max-log-backups", "10",
        "--work-dir", "/tmp",
        "--server", desired.directory,
        "--cert-name", desired.name,
        "--key-type", desired.key_type,
        *(["--elliptic-curve", "secp256r1"] if desired.key_type == ECDSA else ["--rsa-key-size", "2048"]),
        "--renew-with-new-domains",
        *(["--required-profile", desired.profile] if desired.profile else []),
        *(["--email", email] if email else ["--register-unsafely-without-email"]),
    ]
    for domain in desired.domains:
        arguments += ["--domain", domain]
    if dry_run:
        return [*arguments, "--dry-run"]
    # certbot knows nothing of a changed CA or root, nor of a renewal that is declared for earlier, and would
    # keep its certificate. Only these insist, and the ledger has counted them before; everything else leaves
    # certbot its own judgement (defect 39).
    insist = decision.insist or decision.action == REPLACE
    return [*arguments, "--force-renewal" if insist else "--keep-until-expiring"]


def account_unknown(output: str) -> bool:
    """Whether the CA no longer knows certbot's account: a test CA forgets all at a restart."""
    return "accountDoesNotExist" in output or "unable to find existing account" in output.lower() or bool(
        re.search(r"account .{0,80}not found", output, re.IGNORECASE)
    )


def not_asked(output: str) -> bool:
    """Whether certbot failed before it placed an order, so that no limit of the CA is touched."""
    return bool(_UNREACHABLE.search(output) or _UNTRUSTED.search(output)) and not re.search(
        r"^(Requesting a certificate|Renewing an existing certificate|Simulating )", output, re.MULTILINE
    )


_UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectionError|Max retries exceeded|Connection refused|Name or service not known|"
    r"Temporary failure in name resolution|timed out"
)
_UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError")
_PROBLEM = re.compile(
    r"^ +Domain: *(?P<domain>\S+)\n +Type: *(?P<type>\S+)\n +Detail: *(?P<detail>.+?)(?=\n *\n|\n +Domain:|\nHint|\Z)",
    re.MULTILINE | re.DOTALL,
)
_ADVICE = {
    "connection": "The CA cannot reach port 80 of the name: check DNS, firewall and router.",
    "dns": "The name does not resolve for the CA: check its A and AAAA records.",
    "unauthorized": "Another machine answers for the name: check that DNS points to this host, for AAAA records too.",
    "caa": "A CAA record of the domain forbids this CA.",
    "ratelimited": "The CA refuses for a while because there were too many orders.",
    "account": "The CA wants an external account: give certbot the options eab-kid and eab-hmac-key.",
}
_NOISE = re.compile(
    r"^(Saving debug log|Ask for help|Some challenges have failed|Account registered|Requesting a certificate|"
    r"Renewing an existing|Simulating|Hint:|- - -|Certbot failed to authenticate|An unexpected error occurred|"
    r"Unable to register an account|See the logfile)|^\s*$"
)


def explain(output: str) -> str:
    """certbot's output as one message that an operator can act on."""
    problems = [
        f"{found['domain']}: {' '.join(found['detail'].split())}"
        + (f" {_ADVICE[found['type'].lower()]}" if found["type"].lower() in _ADVICE else "")
        for found in _PROBLEM.finditer(output)
    ]
    if problems:
        return "The CA could not validate " + " ".join(problems)
    if "rateLimited" in output or "too many certificates" in output.lower():
        kind = _ADVICE["ratelimited"]
    elif "externalAccountRequired" in output or "eab-kid" in output:
        kind = _ADVICE["account"]
    elif _UNTRUSTED.search(output):
        kind = "The TLS certificate of the ACME directory is not trusted: set the CA bundle for it."
    elif _UNREACHABLE.search(output):
        kind = "The ACME directory cannot be reached."
    else:
        kind = ""
    said = [" ".join(line.split()) for line in output.splitlines() if not _NOISE.search(line)]
    # The last lines name the cause; a traceback before them helps nobody.
    detail = " ".join(said[-3:])[:600] or "It said nothing."
    return f"{kind} certbot said: {detail}".strip()


def metrics(
    pairs: t.Mapping[str, Pair | None], now: dt.datetime, good: bool, before: str,
) -> str:
    """What Prometheus is told, in its text format. ``before`` is the file of the last run.

    ``pairs`` are what is served, by name. Begin and end of each, because no
    lifetime can be assumed: what is left of it is a fraction. A placeholder has
    an end that says nothing, so it is told apart. When all was well for the
    last time is kept over a failure; there is no such time on a host where it
    never was.
    """
    samples = {}
    for name, pair in pairs.items():
        label = f'{{name="{name}"}}'
        samples[SELF_SIGNED + label] = int(pair is None or pair.placeholder)
        if pair is not None and not pair.placeholder:
            samples |= {BEGIN + label: int(pair.not_before.timestamp()), END + label: int(pair.not_after.timestamp())}
    looked = int(now.timestamp())
    samples[LAST_RUN] = looked
    last_good = re.search(rf"^{LAST_GOOD} (\d+)$", before, re.MULTILINE)
    if good or last_good:
        samples[LAST_GOOD] = looked if good or last_good is None else int(last_good[1])
    lines = []
    for metric, text in HELP.items():
        lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge"]
        lines += [f"{key} {value}" for key, value in sorted(samples.items()) if key.partition("{")[0] == metric]
    return "\n".join(lines) + "\n"


def stamp(moment: dt.datetime) -> str:
    """A moment as operators read it, in UTC."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _listed(names: t.Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
