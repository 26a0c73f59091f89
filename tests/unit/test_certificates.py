# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about a certificate, the attempt ledger, certbot's words, and x509 on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import fractions
import json
import os
import subprocess
import sys
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _certificates as certs
from ansible_collections.mooring.stack.plugins.module_utils import _certificates_host as host
from ansible_collections.mooring.stack.plugins.module_utils import _x509 as x509
from ansible_collections.mooring.stack.plugins.module_utils._certificates_host import Certbot, Ledger, Proxy, Store
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._files import Busy, lock
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
CA = "https://ca.example.com/directory"
DESIRED = certs.Desired("platform", ("a.example.com", "b.example.com"), certs.ECDSA, CA)
GOOD = certs.Pair(
    names=frozenset(DESIRED.domains),
    key_type=certs.ECDSA,
    not_before=NOW - dt.timedelta(days=10),
    not_after=NOW + dt.timedelta(days=80),
    issuer="Example CA",
    fingerprint="f" * 64,
    directory=CA,
)
NONE = certs.Found()


def found(**changes):
    return certs.Found(dataclasses.replace(GOOD, **changes))


def lived(lifetime: dt.timedelta, left: dt.timedelta) -> dict:
    return {"not_before": NOW + left - lifetime, "not_after": NOW + left}


DAYS, HOURS, SECOND = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(seconds=1)

DECISIONS = [
    # what nginx has, what certbot has, what follows, words of the reason
    (found(), NONE, certs.NOTHING, "as declared"),
    (NONE, NONE, certs.ISSUE, "no certificate yet"),
    (found(placeholder=True), NONE, certs.ISSUE, "only a placeholder"),
    (certs.Found(problem="The key does not belong."), NONE, certs.ISSUE, "does not belong"),
    (found(names=frozenset({"a.example.com"})), NONE, certs.REPLACE, "It names a.example.com, declared are"),
    (found(names=GOOD.names | {"c.example.com"}), NONE, certs.REPLACE, "c.example.com"),
    (found(key_type=certs.RSA), NONE, certs.REPLACE, "RSA, declared is ECDSA"),
    (found(directory="https://other.example.com/d"), NONE, certs.REPLACE, "other.example.com"),
    (found(directory=""), NONE, certs.NOTHING, "as declared"),
    (found(complete=False), NONE, certs.REPLACE, "chain is broken"),
    (found(trusted=False), NONE, certs.REPLACE, "does not lead to the declared root"),
    (found(trusted=True), NONE, certs.NOTHING, "as declared"),
    # Due by a third of its own lifetime, whatever that is: 90 days, 45 days, six days, a minute.
    (found(**lived(90 * DAYS, 30 * DAYS)), NONE, certs.RENEW, "33% of its lifetime"),
    (found(**lived(90 * DAYS, 30 * DAYS + SECOND)), NONE, certs.NOTHING, "as declared"),
    (found(**lived(45 * DAYS, 20 * DAYS)), NONE, certs.NOTHING, "as declared"),
    (found(**lived(45 * DAYS, 15 * DAYS)), NONE, certs.RENEW, "33%"),
    # Half is left of what lives for ten days at most.
    (found(**lived(160 * HOURS, 81 * HOURS)), NONE, certs.NOTHING, "as declared"),
    (found(**lived(160 * HOURS, 80 * HOURS)), NONE, certs.RENEW, "50%"),
    (found(**lived(10 * DAYS, 5 * DAYS)), NONE, certs.RENEW, "50%"),
    (found(**lived(10 * DAYS + SECOND, 5 * DAYS)), NONE, certs.NOTHING, "as declared"),
    (found(profile="shortlived"), NONE, certs.REPLACE, "Its profile is shortlived, declared is the default"),
    (found(profile=""), NONE, certs.NOTHING, "as declared"),
    (NONE, found(profile="shortlived"), certs.ISSUE, "no certificate yet"),
    (found(**lived(60 * SECOND, 10 * SECOND)), NONE, certs.RENEW, "17%"),
    (found(**lived(90 * DAYS, -1 * SECOND)), NONE, certs.RENEW, "expired at 2026-11-22T11:59:59Z"),
    # A run killed after certbot's success spends no second order.
    (NONE, found(), certs.DEPLOY, "certbot already holds"),
    (found(placeholder=True), found(), certs.DEPLOY, "certbot already holds"),
    (found(**lived(90 * DAYS, 5 * DAYS)), found(), certs.DEPLOY, "6% of its lifetime left. certbot already"),
    (found(**lived(90 * DAYS, 5 * DAYS)), found(**lived(90 * DAYS, 5 * DAYS)), certs.RENEW, "6%"),
    (found(key_type=certs.RSA), found(key_type=certs.RSA), certs.REPLACE, "RSA"),
    (NONE, found(directory="https://other.example.com/d"), certs.ISSUE, "no certificate yet"),
    (NONE, certs.Found(problem="damaged"), certs.ISSUE, "no certificate yet"),
]


@pytest.mark.parametrize(("served", "lineage", "action", "words"), DECISIONS)
def test_decide(served, lineage, action, words):
    decision = certs.decide(DESIRED, served, lineage, NOW)
    assert decision.action == action
    assert words in decision.reason


@pytest.mark.parametrize(("renew_at", "left", "action", "insist"), [
    (None, 31, certs.NOTHING, False),
    (None, 30, certs.RENEW, False),
    ("1/2", 46, certs.NOTHING, False),
    # Earlier than certbot would: it has to be told.
    ("1/2", 45, certs.RENEW, True),
    ("1/2", 30, certs.RENEW, False),
    # Later than certbot has in mind is not to be had.
    ("1/10", 31, certs.NOTHING, False),
    ("1/10", 30, certs.RENEW, False),
])
def test_when_to_renew_can_be_declared(renew_at, left, action, insist):
    desired = dataclasses.replace(DESIRED, renew_at=renew_at and fractions.Fraction(renew_at))
    served = found(**lived(90 * DAYS, left * DAYS))
    decision = certs.decide(desired, served, NONE, NOW)
    assert (decision.action, decision.insist) == (action, insist)
    assert bool(certs.differences(desired, served, NOW, serving=True)) == (action != certs.NOTHING)
    arguments = certs.certbot_arguments(desired, decision, "")
    assert ("--force-renewal" in arguments) is insist


def test_what_is_asked_for_is_part_of_the_order():
    order = certs.Decision(certs.ISSUE, "")
    line = " ".join(certs.certbot_arguments(DESIRED, order, ""))
    assert "--authenticator webroot" in line and "--config" not in line and "profile" not in line
    wild = dataclasses.replace(
        DESIRED, domains=("example.com", "*.example.com"), challenge=certs.DNS_01, profile="shortlived")
    line = " ".join(certs.certbot_arguments(wild, order, "", options=True))
    assert "--config /etc/certbot/cli.ini --preferred-challenges dns" in line and "webroot" not in line
    assert "--required-profile shortlived" in line and "--domain *.example.com" in line


@pytest.mark.parametrize(("served", "lineage", "action"), [
    (NONE, NONE, certs.PLACEHOLDER),
    (certs.Found(problem="damaged"), NONE, certs.PLACEHOLDER),
    (NONE, found(), certs.DEPLOY),
    # An expired certificate lets nginx start; replacing it by a placeholder would help nobody. # defect 38
    (found(**lived(90 * DAYS, -9 * DAYS)), NONE, certs.NOTHING),
    (found(names=frozenset({"old.example.com"})), NONE, certs.NOTHING),
    (found(placeholder=True), NONE, certs.NOTHING),
    (found(placeholder=True, names=frozenset({"old.example.com"})), NONE, certs.PLACEHOLDER),
    (found(placeholder=True, **lived(90 * DAYS, 10 * DAYS)), NONE, certs.PLACEHOLDER),
    (NONE, found(names=frozenset({"other.example.com"})), certs.PLACEHOLDER),
])
def test_decide_placeholder(served, lineage, action):
    assert certs.decide_placeholder(DESIRED, served, lineage, NOW).action == action


@pytest.mark.parametrize(("changes", "words"), [
    ({}, ""),
    ({"names": frozenset({"*.example.com"})}, ""),
    ({"names": frozenset({"a.example.com"})}, "names a.example.com"),
    ({"key_type": certs.RSA}, "RSA"),
    ({"complete": False}, "chain"),
    ({"trusted": False}, "declared root"),
    ({"not_after": NOW}, "compare the clocks"),
])
def test_new_files_are_judged_before_they_serve(changes, words):
    problem = certs.rejected(DESIRED, dataclasses.replace(GOOD, **changes), NOW)
    assert words in problem and bool(problem) == bool(words)


def test_success_without_a_certificate_is_no_success():
    assert "left no certificate" in certs.rejected(DESIRED, None, NOW)


@pytest.mark.parametrize(("more", "words"), [
    ({"domains": ["*.example.com"], "challenge": "dns-01"}, ""),
    ({"domains": ["a.*.example.com"], "challenge": "dns-01"}, "no domain name"),
    ({"domains": ["*.*.example.com"], "challenge": "dns-01"}, "no domain name"),
    ({"profile": "short lived"}, "no name of one"),
    ({"renew_at": 0.5}, ""),
    ({"renew_at": 0.0}, "between 0.01 and 0.99"),
    ({"renew_at": 0.9999999}, "between 0.01 and 0.99"),
    ({"renew_at": float("nan")}, "between 0.01 and 0.99"),
])
def test_what_more_can_be_declared_is_checked(more, words):
    params = {"name": "platform", "domains": ["a.example.com"], "key_type": certs.ECDSA, **more}
    if words:
        with pytest.raises(certs.BadRequest, match=words):
            certs.Desired.parse(params, CA)
    else:
        certs.Desired.parse(params, CA)


def test_a_third_is_a_third():
    params = {"name": "platform", "domains": ["a.example.com"], "key_type": certs.ECDSA, "renew_at": 0.3333}
    assert certs.Desired.parse(params, CA).renew_at == fractions.Fraction(1, 3)


@pytest.mark.parametrize(("name", "domains", "words"), [
    ("platform", ["a.example.com"], ""),
    ("../etc", ["a.example.com"], "directory name"),
    ("a.d", ["a.example.com"], "directory name"),
    ("", ["a.example.com"], "directory name"),
    ("platform", [], "no domains"),
    ("platform", ["*.example.com"], "challenge dns-01"),
    ("platform", ["a..example.com"], "no domain name"),
    ("platform", ["-a.example.com"], "no domain name"),
    ("platform", ["a.example.com/x"], "no domain name"),
    ("platform", ["a" * 64 + ".example.com"], "no domain name"),
    ("platform", ["a.example.com", "A.example.com."], "twice"),
])
def test_declarations_are_checked(name, domains, words):
    params = {"name": name, "domains": domains, "key_type": certs.ECDSA}
    if words:
        with pytest.raises(certs.BadRequest, match=words):
            certs.Desired.parse(params, CA)
    else:
        assert certs.Desired.parse(params, CA).domains == ("a.example.com",)


# The ledger


def attempts(outcome: str, ages: list[dt.timedelta], **changes) -> list[certs.Attempt]:
    plain = certs.Attempt(NOW, CA, frozenset(DESIRED.domains), outcome)
    return [dataclasses.replace(plain, **{"time": NOW - age, **changes}) for age in ages]


MINUTES = [dt.timedelta(minutes=n) for n in (50, 40, 30, 20, 10)]
DAYS_AGO = [dt.timedelta(days=n) for n in (6, 5, 4, 3, 2)]


@pytest.mark.parametrize(("ledger", "allowed"), [
    ([], None),
    (attempts(certs.FAILED, MINUTES[:3]), None),
    (attempts(certs.FAILED, MINUTES[:4]), NOW + dt.timedelta(minutes=10)),
    (attempts(certs.FAILED, MINUTES), NOW + dt.timedelta(minutes=20)),
    # A killed run is a failed one, for all anybody knows.
    (attempts(certs.STARTED, MINUTES[:4]), NOW + dt.timedelta(minutes=10)),
    (attempts(certs.NOT_ASKED, MINUTES), None),
    (attempts(certs.FAILED, MINUTES[:4], directory="https://other.example.com/d"), None),
    # The CA counts per name, whatever certificate it was for.
    (attempts(certs.FAILED, MINUTES[:4], domains=frozenset({"b.example.com"})), NOW + dt.timedelta(minutes=10)),
    (attempts(certs.FAILED, MINUTES[:4], domains=frozenset({"c.example.com"})), None),
    (attempts(certs.FAILED, [HOURS, *MINUTES[:3]]), None),
    # Five identical certificates in a week are the CA's limit, four are ours. # defect 39
    (attempts(certs.ISSUED, DAYS_AGO[:3]), None),
    (attempts(certs.ISSUED, DAYS_AGO[:4]), NOW + DAYS),
    (attempts(certs.ISSUED, DAYS_AGO), NOW + 2 * DAYS),
    (attempts(certs.ISSUED, DAYS_AGO[:4], domains=frozenset({"a.example.com"})), None),
    (attempts(certs.ISSUED, DAYS_AGO[:4], root="another root"), None),
    (attempts(certs.ISSUED, DAYS_AGO[:4]) + attempts(certs.FAILED, MINUTES[:4]), NOW + DAYS),
])
def test_ledger(ledger, allowed):
    wait = certs.next_allowed(DESIRED, ledger, NOW)
    assert (wait and wait[0]) == allowed
    if allowed:
        with pytest.raises(certs.TooSoon, match=certs.stamp(allowed)):
            certs.check_ledger(DESIRED, ledger, NOW)
    else:
        certs.check_ledger(DESIRED, ledger, NOW)


def test_ledger_survives_its_file():
    ledger = attempts(certs.ISSUED, DAYS_AGO, root="r") + attempts(certs.FAILED, [8 * DAYS])
    assert certs.parse_ledger(certs.render_ledger(ledger, NOW)) == ledger[:-1]


@pytest.mark.parametrize("data", [None, [], {}, {"attempts": 1}, {"attempts": [{}]}, {"attempts": [{"time": "x"}]}])
def test_a_damaged_ledger_is_no_empty_ledger(data):
    with pytest.raises(MooringError, match="damaged"):
        certs.parse_ledger(data)


def test_only_the_first_order_at_the_public_ca_is_rehearsed():
    public = dataclasses.replace(DESIRED, directory=certs.LETSENCRYPT)
    assert certs.needs_rehearsal(public, [])
    assert certs.needs_rehearsal(public, attempts(certs.FAILED, MINUTES, directory=certs.LETSENCRYPT))
    assert not certs.needs_rehearsal(public, attempts(certs.ISSUED, DAYS_AGO, directory=certs.LETSENCRYPT))
    assert not certs.needs_rehearsal(DESIRED, [])


# certbot


def test_certbot_is_not_forced_to_issue_or_renew():  # defect 39
    for action in (certs.ISSUE, certs.RENEW):
        arguments = certs.certbot_arguments(DESIRED, certs.Decision(action, ""), "")
        assert "--force-renewal" not in arguments and "--keep-until-expiring" in arguments


def test_certbot_arguments():
    arguments = certs.certbot_arguments(DESIRED, certs.Decision(certs.REPLACE, ""), "ops@example.com")
    line = " ".join(arguments)
    assert line.startswith("certonly --non-interactive --agree-tos --authenticator webroot ")
    assert "--domain a.example.com --domain b.example.com" in line
    assert "--email ops@example.com" in line and "--key-type ecdsa --elliptic-curve secp256r1" in line
    rehearsal = certs.certbot_arguments(DESIRED, certs.Decision(certs.REPLACE, ""), "", dry_run=True)
    assert rehearsal[-1] == "--dry-run" and "--force-renewal" not in rehearsal
    assert "--register-unsafely-without-email" in rehearsal


REFUSED = """\
Saving debug log to /etc/letsencrypt/logs/letsencrypt.log
Requesting a certificate for a.example.com and b.example.com

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: a.example.com
  Type:   connection
  Detail: 192.0.2.1: Fetching http://a.example.com/.well-known/acme-challenge/x: Connection refused

  Domain: b.example.com
  Type:   unauthorized
  Detail: 192.0.2.9: Invalid response from http://b.example.com/.well-known/acme-challenge/y: 404

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

Some challenges have failed.
Ask for help or search for solutions at https://community.example.org.
"""


@pytest.mark.parametrize(("output", "words", "not_words"), [
    (REFUSED, ["a.example.com: 192.0.2.1", "Connection refused", "check DNS, firewall",
               "b.example.com: 192.0.2.9", "Another machine answers"], ["Hint", "Saving", "community"]),
    ("Saving debug log to x\nAn unexpected error occurred:\nrequests.exceptions.ConnectionError: "
     "HTTPSConnectionPool(host='ca', port=443): Max retries exceeded", ["cannot be reached"], ["Saving"]),
    ("requests.exceptions.SSLError: CERTIFICATE_VERIFY_FAILED", ["set the CA bundle"], ["cannot be reached"]),
    ("An unexpected error occurred:\nError creating new order :: too many certificates (5) already issued for this "
     "exact set", ["refuses for a while", "exact set"], []),
    ("urn:ietf:params:acme:error:externalAccountRequired :: ACME server requires external account binding",
     ["eab-kid and eab-hmac-key"], []),
    ("something new", ["certbot said: something new"], []),
    ("", ["It said nothing"], []),
])
def test_certbot_is_translated(output, words, not_words):
    said = certs.explain(output)
    assert all(word in said for word in words), said
    assert not any(word in said for word in not_words), said
    assert "\n" not in said


@pytest.mark.parametrize(("output", "expected"), [
    ("ConnectionError: Max retries exceeded with url: /dir", True),
    ("requests.exceptions.SSLError: CERTIFICATE_VERIFY_FAILED", True),
    ("Requesting a certificate for a.example.com\nConnectionError: reset", False),
    (REFUSED, False),
    ("", False),
])
def test_what_the_ca_never_saw_is_no_failed_attempt(output, expected):
    assert certs.not_asked(output) is expected


@pytest.mark.parametrize(("output", "unknown"), [
    ("urn:ietf:params:acme:error:accountDoesNotExist :: Account \"https://ca/my-account/1\" not found", True),
    ("urn:ietf:params:acme:error:malformed :: Account https://ca/my-account/1 not found.", True),
    (REFUSED, False),
])
def test_a_forgotten_account_is_recognised(output, unknown):
    assert certs.account_unknown(output) is unknown


# x509 on disk


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "certificates"), owner=tmp_path.stat().st_uid)


@pytest.mark.parametrize("key_type", [certs.ECDSA, certs.RSA])
def test_a_placeholder_is_what_it_says(store, key_type):
    chain, key = x509.self_signed(["a.example.com", "b.example.com"], key_type, NOW, 90 * DAYS)
    fingerprint = store.put("platform", chain, key, CA)
    pair = store.read("platform").pair
    assert pair.placeholder and pair.key_type == key_type and pair.complete and pair.directory == CA
    assert pair.names == {"a.example.com", "b.example.com"} and pair.fingerprint == fingerprint
    assert pair.not_after == NOW + 90 * DAYS
    assert store.wrong_modes("platform") == []


def test_a_long_first_name_still_makes_a_placeholder(store):
    name = "a" * 60 + ".example.com"
    store.put("platform", *x509.self_signed([name], certs.ECDSA, NOW, DAYS), "")
    assert store.read("platform").pair.names == {name}


def test_versions_are_switched_and_old_ones_pruned(store, tmp_path):
    for _round in range(5):
        last = store.put("platform", *x509.self_signed(["a.example.com"], certs.ECDSA, NOW, DAYS), "")
    link = tmp_path / "certificates" / "platform"
    assert link.is_symlink() and link.resolve().name == last
    assert len(list((tmp_path / "certificates" / "platform.d").iterdir())) == 3


@pytest.mark.parametrize(("file", "content", "words"), [
    ("privkey.pem", None, "cannot be read"),
    ("privkey.pem", b"", "no usable private key"),
    ("fullchain.pem", b"", "holds no certificate"),
    ("fullchain.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"),
    ("privkey.pem", "other", "does not belong"),
])
def test_damage_is_named_and_put_right(store, tmp_path, file, content, words):
    chain, key = x509.self_signed(["a.example.com"], certs.ECDSA, NOW, DAYS)
    store.put("platform", chain, key, "")
    path = tmp_path / "certificates" / "platform" / file
    path.unlink()
    if content == "other":
        content = x509.self_signed(["a.example.com"], certs.ECDSA, NOW, DAYS)[1]
    if content is not None:
        path.write_bytes(content)
    assert words in store.read("platform").problem
    store.put("platform", chain, key, "")
    assert store.read("platform").pair is not None


FIELDS = [
    (found(), True, {}),
    (NONE, True, {"presence": ("present", None)}),
    # What a client takes it for; and what a run finds that check mode on a bare host cannot see yet.
    (found(placeholder=True), True, {"presence": ("present", None)}),
    (certs.Found(problem="The key does not belong."), True, {"files": ("usable", "The key does not belong.")}),
    (found(names=frozenset({"a.example.com"})), True,
     {"names": (["a.example.com", "b.example.com"], ["a.example.com"])}),
    (found(key_type=certs.RSA), True, {"key type": ("ecdsa", "rsa")}),
    (found(directory="https://other.example.com/d"), True, {"ACME directory": (CA, "https://other.example.com/d")}),
    (found(complete=False), True, {"chain": ("complete", "broken")}),
    (found(trusted=False), True, {"issuer": ("one that leads to the declared root", "Example CA")}),
    (found(**lived(90 * DAYS, 30 * DAYS)), True,
     {"end": ("more than a third of its lifetime ahead", "2026-12-22T12:00:00Z")}),
    (NONE, False, {"files": ("a pair that nginx can load", None)}),
    (found(placeholder=True, names=frozenset({"c.example.com"})), False,
     {"names": (["a.example.com", "b.example.com"], ["c.example.com"])}),
]


@pytest.mark.parametrize(("served", "serving", "expected"), FIELDS)
def test_each_field_is_named(served, serving, expected):
    named = certs.differences(DESIRED, served, NOW, serving)
    assert {one.field: (one.expected, one.found) for one in named} == expected
    assert {one.object for one in named} <= {"certificate platform"}


@pytest.mark.parametrize(("served", "lineage", "action", "_words"), DECISIONS)
def test_there_is_a_difference_exactly_if_something_is_done(served, lineage, action, _words):
    assert bool(certs.differences(DESIRED, served, NOW, serving=True)) == (action != certs.NOTHING)


def test_a_changed_mode_is_found_and_put_right(store, tmp_path):
    store.put("platform", *x509.self_signed(["a.example.com"], certs.ECDSA, NOW, DAYS), "")
    key = tmp_path / "certificates" / "platform" / "privkey.pem"
    key.chmod(0o644)
    assert [mode.path for mode in store.wrong_modes("platform")] == [str(key)]
    assert "mode 0644" in store.wrong_modes("platform")[0].before()
    (one,) = store.wrong_modes("platform")[0].differences()
    assert (one.object, one.field, one.expected, one.found) == (f"file {key}", "mode", "0400", "0644")
    store.correct_modes("platform")
    assert store.wrong_modes("platform") == []


def test_a_chain_is_trusted_only_by_its_root(store, tmp_path):
    chain, key = x509.self_signed(["a.example.com"], certs.ECDSA, NOW, DAYS)
    other, _key = x509.self_signed(["a.example.com"], certs.ECDSA, NOW, DAYS)
    store.put("platform", chain, key, "")
    for pem, trusted in ((chain, True), (other, False)):
        roots = tmp_path / "root.pem"
        roots.write_bytes(pem)
        assert Store(store.directory, store.owner, str(roots)).read("platform").pair.trusted is trusted


@pytest.mark.parametrize(("action", "rehearsed"), [(certs.ISSUE, True), (certs.REPLACE, True), (certs.RENEW, False)])
def test_only_a_first_order_is_rehearsed(tmp_path, monkeypatch, action, rehearsed):
    """The ledger forgets after a week; a renewal after that is no first order all the same."""
    desired = dataclasses.replace(DESIRED, directory=certs.LETSENCRYPT)
    ran = []
    certbot = Certbot(None, image="", network="", directory=str(tmp_path), webroot="", bundle="", email="")
    monkeypatch.setattr(certbot, "_run", lambda arguments, *_unused: ran.append("--dry-run" in arguments))
    monkeypatch.setattr(certbot, "lineage", lambda *_unused: certs.Found())
    ledger = Ledger(str(tmp_path / "ledger.json"), tmp_path.stat().st_uid)
    certbot.order(desired, certs.Decision(action, "because"), ledger)
    assert ran == ([True, False] if rehearsed else [False])


def issued(store, names=("a.example.com",), days=90):
    return store.put("platform", *x509.self_signed(list(names), certs.ECDSA, NOW, days * DAYS), CA, "")


@pytest.mark.parametrize("file", ["cert.pem", "chain.pem"])
def test_a_part_of_the_chain_that_is_missing_or_other_is_made_anew(store, tmp_path, file):
    fingerprint = issued(store)
    path = tmp_path / "certificates" / "platform" / file
    whole = path.read_bytes()
    aside = tmp_path / "aside.pem"
    aside.write_bytes(whole)
    damages = (path.unlink, lambda: (path.chmod(0o600), path.write_bytes(b"x")), lambda: (path.unlink(), path.mkdir()),
               lambda: (path.unlink(), path.symlink_to(path)), lambda: (path.unlink(), path.symlink_to(aside)))
    for damage in damages:
        damage()
        assert store.wrong_parts("platform") == [str(path)]
        assert store.read("platform").pair.fingerprint == fingerprint
        store.renew_version("platform")
        assert path.read_bytes() == whole and not path.is_symlink()
        assert store.wrong_parts("platform") == [] and store.wrong_modes("platform") == []
        assert (store.read("platform").pair.directory, store.read("platform").pair.profile) == (CA, "")


@pytest.mark.parametrize("file", ["fullchain.pem", "privkey.pem"])
def test_a_link_where_a_file_belongs_is_no_certificate(store, tmp_path, file):
    issued(store)
    path = tmp_path / "certificates" / "platform" / file
    path.rename(tmp_path / file)
    path.symlink_to(tmp_path / file)
    assert f"{file} is a link" in store.read("platform").problem


def test_a_note_from_before_there_were_profiles_says_that_none_was_asked_for(store, tmp_path):
    issued(store)
    origin = tmp_path / "certificates" / "platform" / "origin.json"
    origin.chmod(0o600)
    origin.write_text(f'{{"acme_directory": "{CA}"}}')
    assert store.read("platform").pair.profile == ""


@pytest.mark.parametrize(("line", "hidden"), [
    ("eab-hmac-key = sesame-open", True), ('eab-hmac-key="sesame-open"', True), ("eab_hmac_kex: sesame-open", True),
    ("authenticator = sesame-open", False),
])
def test_values_of_options_are_not_quoted_in_messages(tmp_path, line, hidden):
    (tmp_path / "cli.ini").write_text(f"# options\n{line}\n")
    certbot = Certbot(None, image="", network="", directory="", webroot="", bundle="", email="", options=str(tmp_path))
    said = certbot._without_secrets("certbot: error: unrecognized arguments: --x=sesame-open")
    assert ("sesame-open" not in said) is hidden


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"', ""])
def test_a_note_that_is_damaged_says_as_little_as_none(store, tmp_path, text):
    issued(store)
    origin = tmp_path / "certificates" / "platform" / "origin.json"
    assert (store.read("platform").pair.directory, store.read("platform").pair.profile) == (CA, "")
    origin.chmod(0o600)
    origin.write_text(text)
    assert (store.read("platform").pair.directory, store.read("platform").pair.profile) == ("", None)


def test_a_link_that_leads_elsewhere_is_not_followed(store, tmp_path):
    issued(store)
    outside = tmp_path / "outside"
    (tmp_path / "certificates" / "platform").resolve().rename(outside)
    link = tmp_path / "certificates" / "platform"
    (tmp_path / "certificates" / "platform.d" / "inner").symlink_to(outside)
    link.unlink()
    link.symlink_to("platform.d/inner")
    assert "inner is a link" in store.read("platform").problem
    (outside / "privkey.pem").chmod(0o604)
    store.correct_modes("platform")
    assert (outside / "privkey.pem").stat().st_mode & 0o777 == 0o604
    for target in ("../outside", str(outside), "platform.d/../../outside", "platform.d/.hidden"):
        link.unlink()
        link.symlink_to(target)
        assert f"leads to {target}" in store.read("platform").problem
        # Nothing behind it is looked at, let alone changed.
        (outside / "privkey.pem").chmod(0o604)
        assert all("outside" not in mode.path for mode in store.wrong_modes("platform"))
        store.correct_modes("platform")
        assert (outside / "privkey.pem").stat().st_mode & 0o777 == 0o604


def test_whoever_renews_as_the_owner_has_to_be_able_to_write(store, tmp_path):
    """A tree from before, when all of it was root's: the versions' directory is looked at too."""
    issued(store)
    versions = tmp_path / "certificates" / "platform.d"
    versions.chmod(0o700)
    assert [mode.path for mode in store.wrong_modes("platform")] == [str(versions)]
    store.correct_modes("platform")
    assert store.wrong_modes("platform") == []


def test_what_vanishes_while_it_is_looked_at_is_nobody_s(tmp_path, monkeypatch):
    """certbot makes and removes its lock while others look."""
    tree = tmp_path / "letsencrypt"
    (tree / "live").mkdir(parents=True)
    (tree / "live" / ".certbot.lock").touch()
    certbot = Certbot(None, image="", network="", directory=str(tree), webroot=str(tmp_path / "none"), bundle="",
                      email="", owner=tmp_path.stat().st_uid + 1)
    true_stat = os.stat

    def stat(path, **more):
        if path == ".certbot.lock":
            os.unlink(tree / "live" / ".certbot.lock")
        return true_stat(path, **more)

    monkeypatch.setattr(os, "stat", stat)
    assert certbot.foreign() == {str(tree): [str(tree / "live")]}


def test_the_lock_is_waited_for(store, tmp_path):
    with store.lock():
        assert (tmp_path / "certificates" / ".lock").stat().st_mode & 0o777 == 0o600
        with pytest.raises(Busy, match=r"is being changed by process \d+ on \S+ since"), \
                lock(str(tmp_path / "certificates" / ".lock"), "A certificate", 0.3):
            pass
    with store.lock():
        pass


def test_the_tables_walk_every_branch_of_the_decisions(tmp_path):
    """Run again under coverage.py: a branch that is added without a row in a table fails here."""
    data, report = tmp_path / "data", tmp_path / "report.json"
    tables = "test_decide or test_when_to_renew or test_new_files or test_success_without or test_ledger"
    run = [sys.executable, "-m", "coverage", "run", "--branch", f"--data-file={data}", "-m", "pytest", "-q",
           "-p", "no:cacheprovider", "-k", tables, __file__]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
    subprocess.run([sys.executable, "-m", "coverage", "json", f"--data-file={data}", "-o", str(report), "--include",
                    "*/module_utils/_certificates.py"], check=True, capture_output=True, timeout=60)
    ((_path, file),) = json.loads(report.read_text())["files"].items()
    for function in ("decide", "decide_placeholder", "flaw", "_wrong", "rejected", "next_allowed", "check_ledger",
                     "renewal_time", "is_due", "covers"):
        seen = file["functions"][function]
        assert seen["executed_lines"] and not seen["missing_lines"] and not seen["missing_branches"], (function, seen)


def lineage(tree):
    """certbot's, as it lies on the disk."""
    for folder in ("live/platform", "archive/platform", "renewal"):
        (tree / folder).mkdir(parents=True)
    names = ("cert", "privkey", "chain", "fullchain")
    for name in names:
        (tree / f"archive/platform/{name}1.pem").write_text(name)
        (tree / f"live/platform/{name}.pem").symlink_to(f"../../archive/platform/{name}1.pem")
    lines = [f"{name} = /etc/letsencrypt/live/platform/{name}.pem\n" for name in names]
    (tree / "renewal/platform.conf").write_text("".join(lines) + "[renewalparams]\n")


@pytest.mark.parametrize("damage", [
    None, "renewal/platform.conf", "live/platform/chain.pem", "archive/platform/privkey1.pem", "empty",
])
def test_a_lineage_that_certbot_cannot_read_is_set_aside(tmp_path, damage):
    tree = tmp_path / "letsencrypt"
    lineage(tree)
    certbot = Certbot(None, image="", network="", directory=str(tree), webroot="", bundle="", email="",
                      owner=tmp_path.stat().st_uid)
    if damage == "empty":
        (tree / "renewal/platform.conf").write_text("")
    elif damage:
        (tree / damage).unlink()
    certbot.set_aside("platform")
    left = {path for path in ("live/platform", "archive/platform", "renewal/platform.conf") if (tree / path).exists()}
    assert len(left) == (0 if damage else 3)
    assert (tree / "damaged").exists() is bool(damage)
    if damage:
        (place,) = (tree / "damaged").iterdir()
        assert "live-platform" in {path.name for path in place.iterdir()}, "nothing is lost"
    certbot.set_aside("other")


class Answers:
    """A proxy: what it answers one time after the other, the last for good; None is no answer."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, _url, address):
        assert address == "192.0.2.1"
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise Unreachable("it hangs up.")
        return types.SimpleNamespace(status=answer, body=b"0" * 32 if answer == 200 else b"a page")


@pytest.mark.parametrize(("answers", "says"), [
    ((200,), ""),
    # It was reloaded a moment ago.
    ((None, 404, 200), ""),
    ((404,), r"gave status 404 and 'a page' instead of the token\. No order was placed\."),
    ((None,), r"for a\.example\.com: it hangs up\. No order was placed\."),
])
def test_the_challenge_is_tried_before_an_order(tmp_path, monkeypatch, answers, says):
    near = types.SimpleNamespace(inside=lambda container: contextlib.nullcontext())
    proxy = Proxy(near, "proxy", "mooring", [])
    monkeypatch.setattr(host.secrets, "token_hex", lambda _size: "0" * 32)
    monkeypatch.setattr(host, "CHALLENGE_SECONDS", 0.6)
    monkeypatch.setattr(host, "ask", given := Answers(*answers))

    def check():
        proxy.check_challenge("192.0.2.1", str(tmp_path / "webroot"), ("a.example.com",), tmp_path.stat().st_uid)

    if says:
        with pytest.raises(MooringError, match=says):
            check()
    else:
        check()
        assert given.asked == len(answers)
    assert not list((tmp_path / "webroot/.well-known/acme-challenge").iterdir()), "nothing is left there"
