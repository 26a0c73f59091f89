# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nobody would write: whatever is declared, found on disk or said by certbot, no error is but our own."""

from __future__ import annotations

import contextlib
import datetime as dt
import fractions
import json
import os
import tempfile

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mooring.stack.plugins.module_utils import _certificates as certs
from ansible_collections.mooring.stack.plugins.module_utils import _step_certbot_certificate as step
from ansible_collections.mooring.stack.plugins.module_utils import _x509 as x509
from ansible_collections.mooring.stack.plugins.module_utils._certificates_host import Certbot, Ledger, Store
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Derandomized, so that a run of CI tells the same as the one before it.
THOROUGH = settings(max_examples=1000, derandomize=True, deadline=None, database=None,
                    suppress_health_check=list(HealthCheck))
BRIEF = settings(THOROUGH, max_examples=300)

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.timezone.utc)
CHAIN, KEY = x509.self_signed(["a.example.com"], certs.ECDSA, NOW, dt.timedelta(days=90))

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(
        ["*.example.com", "a.example.com", "..", "a" * 300, "\0", "platform", "dns-01"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=8)
declared = st.fixed_dictionaries(
    {"name": anything, "domains": st.lists(anything, max_size=4) | anything},
    optional={"key_type": anything, "challenge": anything, "profile": anything, "renew_at": anything})
moments = st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30),
                       timezones=st.just(dt.timezone.utc))
names = st.frozensets(st.sampled_from(["a.example.com", "*.example.com", "b.example.com", "", "ä"]), max_size=4)
pairs = st.builds(
    certs.Pair, names=names, key_type=st.sampled_from(["ecdsa", "rsa", ""]), not_before=moments, not_after=moments,
    issuer=st.text(), fingerprint=st.text(), placeholder=st.booleans(), complete=st.booleans(),
    trusted=st.none() | st.booleans(), directory=st.text(), profile=st.none() | st.text())
found = st.builds(certs.Found, pair=st.none() | pairs, problem=st.text())
desired = st.builds(
    certs.Desired, name=st.just("platform"), domains=names.map(tuple), key_type=st.sampled_from(["ecdsa", "rsa"]),
    directory=st.text(), challenge=st.sampled_from(["http-01", "dns-01"]), profile=st.text(),
    renew_at=st.none() | st.fractions(fractions.Fraction(1, 1000), fractions.Fraction(999, 1000)))
# PEM and JSON with something changed in them, or nothing like it.
damaged = st.builds(
    lambda whole, at, put: whole[:at % len(whole)] + put + whole[at % len(whole) + len(put):],
    st.sampled_from([CHAIN, KEY, CHAIN + KEY, b"{}", b'{"attempts": []}']), st.integers(0, 5000),
    st.binary(max_size=40),
) | st.binary(max_size=200)


@THOROUGH
@given(declared)
def test_a_declaration_is_read_or_refused(item):
    """As Ansible hands it over: through the argument specification, which may turn one type into another."""
    spec = step.ARGUMENT_SPEC["certificates"]
    checked = ArgumentSpecValidator({"certificates": spec}).validate({"certificates": [item]})
    if not checked.error_messages:
        with contextlib.suppress(MooringError):
            made = certs.Desired.parse(checked.validated_parameters["certificates"][0], "https://ca.example.com/dir")
            assert made.domains and "/" not in made.name and not made.name.startswith(".")


@THOROUGH
@given(desired, found, found, moments)
def test_every_situation_has_a_decision(wanted, served, lineage, now):
    decision = certs.decide(wanted, served, lineage, now)
    assert decision.action in {certs.NOTHING, certs.DEPLOY, *certs.ORDERS} and decision.reason
    if decision.action == certs.NOTHING:
        assert served.pair is not None and not served.pair.placeholder
        assert not certs.differences(wanted, served, now, serving=True)
    else:
        assert certs.differences(wanted, served, now, serving=True)
    first = certs.decide_placeholder(wanted, served, lineage, now)
    assert first.action in {certs.NOTHING, certs.DEPLOY, certs.PLACEHOLDER} and first.reason
    if decision.action in certs.ORDERS:
        assert certs.certbot_arguments(wanted, decision, "")
    certs.metrics({"platform": served.pair}, NOW, True, "")


@THOROUGH
@given(damaged, damaged, damaged, damaged)
def test_files_are_a_pair_or_a_problem(chain, key, origin, conf):
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(f"{scratch}/certificates", 0)
        lineage = f"{scratch}/letsencrypt"
        for directory in (f"{scratch}/certificates/platform", f"{lineage}/live/platform", f"{lineage}/renewal"):
            os.makedirs(directory)
        for directory in (f"{scratch}/certificates/platform", f"{lineage}/live/platform"):
            for name, content in (("fullchain.pem", chain), ("privkey.pem", key), ("origin.json", origin)):
                with open(f"{directory}/{name}", "wb") as stream:
                    stream.write(content)
        with open(f"{lineage}/renewal/platform.conf", "wb") as stream:
            stream.write(conf)
        certbot = Certbot(None, image="", network="", directory=lineage, webroot="", bundle="", email="")
        for read in (store.read("platform"), certbot.lineage("platform", "")):
            assert read.problem or read.pair
        store.wrong_parts("platform")


@BRIEF
@given(damaged | anything.map(lambda value: json.dumps({"attempts": value}, default=str).encode()))
def test_a_ledger_is_read_or_refused(content):
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with contextlib.suppress(MooringError):
            for attempt in Ledger(file.name, 0).read():
                certs.next_allowed(
                    certs.Desired("platform", ("a.example.com",), certs.ECDSA, attempt.directory), [attempt], NOW)


@BRIEF
@given(st.text() | st.lists(st.sampled_from(
    ["  Domain: a.example.com\n", "  Type:   connection\n", "  Detail: x\n", "\n", "Hint", "Requesting a certificate",
     "rateLimited", "Max retries exceeded", "CERTIFICATE_VERIFY_FAILED"]), max_size=12).map("".join))
def test_whatever_certbot_says_is_one_line(output):
    assert certs.explain(output) and "\n" not in certs.explain(output)
    certs.not_asked(output)
    certs.account_unknown(output)
