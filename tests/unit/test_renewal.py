# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewal without Ansible: the program that is made, what it tells Prometheus, and the files on the host."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import types

import pytest
import yaml
from ansible_collections.mooring.stack.plugins.module_utils import _certificates as certs
from ansible_collections.mooring.stack.plugins.module_utils import _renewal as renewal
from ansible_collections.mooring.stack.plugins.module_utils import _step_certbot_certificate as certificate
from ansible_collections.mooring.stack.plugins.module_utils import _step_certificate_renewal as step
from ansible_collections.mooring.stack.plugins.module_utils import _x509 as x509
from ansible_collections.mooring.stack.plugins.module_utils._certificates_host import Kept, Store
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def settings(tmp_path, **changes):
    """What a run is told, for a place of its own."""
    params = {
        "certificates": [{"name": "platform", "domains": ["a.example.com"], "key_type": "ecdsa"}],
        "state": "present", "certificates_dir": str(tmp_path / "certificates"), "owner": os.geteuid(),
        "letsencrypt_dir": str(tmp_path / "letsencrypt"), "webroot": str(tmp_path / "webroot"),
        "ledger": str(tmp_path / "ledger.json"), "acme_directory": "https://ca.example.com/directory",
        "acme_ca_bundle": None, "trusted_root": None, "acme_email": "", "image": "certbot/certbot:v5.6.0",
        "network": "mooring", "proxy_container": "no-such-proxy.invalid", "reload_command": [],
        "certbot_options": None, "metrics": str(tmp_path / "certificates.prom"), **changes}
    return {"certificate": params, "inside": True}


# ---------------------------------------------------------------- the program


def test_the_same_code_makes_the_same_bytes():
    assert renewal.program() == renewal.program()


def test_the_program_runs_without_ansible_and_says_what_is_wrong(tmp_path):
    program, config = tmp_path / "certificates.pyz", tmp_path / "certificates.json"
    program.write_bytes(renewal.program())
    config.write_text(json.dumps(settings(tmp_path)))
    # -I: no path of this process, so an import that is not packed fails; -S would hide cryptography too.
    argv = [sys.executable, "-I", str(program), str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "no-such-proxy.invalid does not run" in done.stderr
    assert "platform: nothing. " in done.stdout, "it was not done"
    assert re.search(r"^mooring_certificates_last_run_timestamp_seconds \d{10}$", (tmp_path / "certificates.prom")
                     .read_text(), re.MULTILINE)


def test_nothing_in_the_program_needs_ansible():
    for part in renewal.PARTS:
        text = (ROOT / "plugins/module_utils" / f"{part}.py").read_text()
        assert not re.search(r"(from|import) ansible[. ]", text), part
        used = set(re.findall(r"module_utils(?:\.| import )(_\w+)", text))
        assert used <= set(renewal.PARTS), f"{part} needs {used - set(renewal.PARTS)}"


def repeated(tmp_path, arguments, until):
    """What runs in the container, started with these arguments and told to stop when ``until`` says so."""
    code = (f"import sys\nfrom {renewal.PACKAGE} import _renewal as r\nr.ALIVE = {str(tmp_path / 'alive')!r}\n"
            f"raise SystemExit(r.repeat({arguments}))")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        while not until():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_again_and_again_until_it_is_told_to_stop(tmp_path):
    said = tmp_path / "said"
    repeated(tmp_path, f"['sh', '-c', 'echo round >> {said}; exit 1'], 0.05",
             lambda: said.exists() and len(said.read_text().split()) >= 3)
    assert (tmp_path / "alive").exists()


@pytest.mark.parametrize(("looked", "starts"), [(-3600, True), (0, False)])
def test_pauses_are_counted_from_the_last_look(tmp_path, looked, starts):
    """A machine that is never up for a whole pause gets its look all the same, and not one at each start."""
    said, metrics = tmp_path / "said", tmp_path / "certificates.prom"
    metrics.touch()
    os.utime(metrics, (0, metrics.stat().st_mtime + looked))
    repeated(tmp_path, f"['touch', {str(said)!r}], 1800, {str(metrics)!r}",
             (said if starts else tmp_path / "alive").exists)
    assert said.exists() is starts


def test_who_is_told_to_stop_lets_certbot_end_and_writes_that_down(tmp_path):
    """The program in the container: its own child runs certbot, which gets the signal and ends in its own time."""
    started, ended = tmp_path / "started", tmp_path / "ended"
    child = (f"import signal\nfrom {renewal.PACKAGE} import _renewal as r\ncaller = r.Caller()\n"
             "signal.signal(signal.SIGTERM, caller.stop)\n"
             f"caller.run_command(['sh', '-c', 'trap \"sleep 0.5; echo > {ended}; exit\" TERM; echo > {started}; "
             "while :; do sleep 0.1; done'])\n"
             f"caller.run_command(['touch', '{tmp_path}/another'])\n")
    repeated(tmp_path, f"[sys.executable, '-c', {child!r}], 0.05", started.exists)
    assert ended.exists() and not (tmp_path / "another").exists()


def test_who_is_told_to_stop_stops_what_it_has_started(tmp_path):
    started = tmp_path / "started"
    repeated(tmp_path, f"['sh', '-c', 'echo $$ > {started}; exec sleep 1000'], 0.05",
             lambda: started.exists() and started.read_text())
    assert not pathlib.Path(f"/proc/{started.read_text().strip()}").exists()


# ---------------------------------------------------------------- asking the CA


class AskedCertbot:
    """certbot that keeps what it has, or that the ledger holds back."""

    def __init__(self, answer):
        self.answer, self.orders = answer, 0

    def order(self, _desired, decision, _ledger):
        self.orders += 1
        assert decision.action == certs.RENEW
        raise self.answer


@pytest.mark.parametrize(("answer", "held"), [
    (Kept("kept"), True), (certs.TooSoon("too soon"), True),
    # Made by hand: certbot has nothing to ask about, and would order another one.
    (AssertionError("an order"), False),
])
def test_a_ca_that_wants_nothing_changes_nothing(tmp_path, monkeypatch, answer, held):
    """Every look asks the CA; what it does not want renewed is neither a change nor news."""
    given = settings(tmp_path)["certificate"]
    now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    monkeypatch.setattr(x509, "PLACEHOLDER", "no placeholder")
    chain, key = x509.self_signed(["a.example.com"], certs.ECDSA, now, dt.timedelta(days=90))
    monkeypatch.setattr(x509, "PLACEHOLDER", "placeholder")
    fingerprint = Store(given["certificates_dir"], os.geteuid()).put("platform", chain, key, given["acme_directory"])
    run = certificate.Run(given, types.SimpleNamespace(), inside=True, ask=True)
    run.address, run.certbot = "192.0.2.1", AskedCertbot(answer)
    run.certbot.webroot, run.certbot.foreign = given["webroot"], dict
    run.certbot.lineage = lambda *_unused: run.store.read("platform") if held else certs.Found()
    monkeypatch.setattr(run.proxy, "served", lambda *_unused: fingerprint)
    monkeypatch.setattr(run.proxy, "check_challenge", lambda *_unused: None)
    look = run.look()
    works = look.works
    assert works[0].asks is held
    run.apply(look)
    run.confirm(works)
    assert run.certbot.orders == held
    assert (works[0].error, works[0].kept, works[0].changes) == ("", "", False)
    assert works[0].after == works[0].before


# ---------------------------------------------------------------- metrics


def samples(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


NOW = dt.datetime.fromtimestamp(1795601150, dt.timezone.utc)
PAIR = certs.Pair(
    names=frozenset({"a.example.com"}), key_type=certs.ECDSA, issuer="Example CA", fingerprint="f" * 64,
    not_before=dt.datetime.fromtimestamp(1795600800, dt.timezone.utc),
    not_after=dt.datetime.fromtimestamp(1803376800, dt.timezone.utc))


def test_metrics_hold_begin_and_end():
    assert samples(certs.metrics({"platform": PAIR}, NOW, True, "")) == {
        'mooring_certificate_not_before_timestamp_seconds{name="platform"}': "1795600800",
        'mooring_certificate_not_after_timestamp_seconds{name="platform"}': "1803376800",
        'mooring_certificate_placeholder{name="platform"}': "0",
        "mooring_certificates_last_run_timestamp_seconds": "1795601150",
        "mooring_certificates_last_good_run_timestamp_seconds": "1795601150"}


@pytest.mark.parametrize("pair", [None, dataclasses.replace(PAIR, placeholder=True)])
def test_an_end_that_says_nothing_is_not_told(pair):
    found = samples(certs.metrics({"platform": pair}, NOW, True, ""))
    assert found['mooring_certificate_placeholder{name="platform"}'] == "1"
    assert not any("not_after" in name for name in found)


def test_a_failure_keeps_when_all_was_well():
    before = certs.metrics({"platform": PAIR}, NOW, True, "")
    found = samples(certs.metrics({"other": PAIR}, NOW + dt.timedelta(seconds=50), False, before))
    assert found["mooring_certificates_last_run_timestamp_seconds"] == "1795601200"
    assert found["mooring_certificates_last_good_run_timestamp_seconds"] == "1795601150"
    assert not any('"platform"' in name for name in found), "it is no longer declared"
    never = samples(certs.metrics({}, NOW, False, "damaged"))
    assert "mooring_certificates_last_good_run_timestamp_seconds" not in never


def test_metrics_that_cannot_be_written_hide_nothing(tmp_path):
    (tmp_path / "certificates.prom").mkdir()
    with pytest.raises(MooringError, match=r"does not run.* The metrics could not be written: .*certificates\.prom"):
        certificate.converge(renewal.Caller(), settings(tmp_path)["certificate"], inside=True)


def test_what_the_alerts_ask_for_is_told():
    path = ROOT / "roles/monitoring/templates/project/prometheus/rules/certificates.yml"
    rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    # A recorded one has a colon in its name.
    asked = {name for rule in rules for name in re.findall(r"(?<![\w:])mooring_\w+", rule["expr"])}
    assert asked == set(certs.HELP)


# ---------------------------------------------------------------- on the host


def module(check_mode=False):
    return types.SimpleNamespace(check_mode=check_mode, _diff=False, run_command=lambda argv: (0, "", ""))


def params(tmp_path):
    given = settings(tmp_path)
    return {"name": "mooring-nginx_certbot", "certificate": given["certificate"],
            "directory": str(tmp_path / "renewal"), "runs_on": step.CONTAINER, "calendar": "hourly",
            "cron": "17 * * * *", "jitter": "0"}


@pytest.fixture(autouse=True)
def no_schedule(monkeypatch):
    """What a schedule does is another test's business."""
    answer = {"changed": False, "differences": [], "notices": [], "diff": [], "manager": "cron"}
    monkeypatch.setattr(step.schedule, "converge", lambda *_unused: answer)


def test_the_files_are_written_once_and_put_right(tmp_path):
    given = params(tmp_path)
    predicted = step.converge(module(check_mode=True), given)
    assert not (tmp_path / "renewal").exists()
    made = step.converge(module(), given)
    assert made["differences"] == predicted["differences"] and made["changed"] and made["manager"] == "container"
    assert not step.converge(module(), given)["changed"]
    program = tmp_path / "renewal" / step.PROGRAM
    program.chmod(0o666)
    (tmp_path / "renewal" / step.SETTINGS).write_text("{}")
    found = step.converge(module(), given)["differences"]
    assert sorted((one["field"], one["expected"]) for one in found)[1] == ("mode", "0644")
    assert sorted(one["field"] for one in found) == ["content", "mode"]
    assert not step.converge(module(), given)["changed"]
    (tmp_path / "renewal").chmod(0o777)
    (one,) = step.converge(module(), given)["differences"]
    assert (one["object"], one["field"], one["found"]) == (f"directory {tmp_path / 'renewal'}", "mode", "0777")
    assert not step.converge(module(), given)["changed"]


def test_a_container_gets_copies_of_what_it_cannot_see(tmp_path, monkeypatch):
    given, bundle = params(tmp_path), tmp_path / "ca.pem"
    given["certificate"] = {**given["certificate"], "acme_ca_bundle": str(bundle)}
    predicted = step.converge(module(check_mode=True), given)
    with pytest.raises(MooringError, match=r"ca\.pem, the acme_ca_bundle of the certificates, does not exist"):
        step.converge(module(), given)
    bundle.write_text("a CA")
    assert step.converge(module(), given)["differences"] == predicted["differences"]
    copy = tmp_path / "renewal" / "bundle.pem"
    assert copy.read_text() == "a CA"
    assert json.loads((tmp_path / "renewal" / step.SETTINGS).read_text())["certificate"]["acme_ca_bundle"] == str(copy)
    bundle.write_text("another CA")
    assert [one["object"] for one in step.converge(module(), given)["differences"]] == [f"file {copy}"]
    given["runs_on"] = step.HOST
    monkeypatch.setattr(step.schedule, "cron_is_installed", lambda: True)
    step.converge(module(), given)
    assert not copy.exists()


def test_a_host_that_has_nothing_to_start_it_is_told_what_else_can(tmp_path, monkeypatch):
    monkeypatch.setattr(step.schedule, "RUNNING", str(tmp_path / "no-systemd"))
    monkeypatch.setattr(step.schedule, "cron_is_installed", lambda: False)
    with pytest.raises(MooringError, match="nginx_certbot_renewal: container"):
        step.converge(module(), {**params(tmp_path), "runs_on": step.HOST})
    assert not (tmp_path / "renewal").exists()


@pytest.mark.parametrize(("change", "words"), [
    ({"state": "sometimes"}, "sometimes"),
    ({"certificates": [{"name": "platform"}]}, "domains"),
    ({"certificats": []}, "certificats"),
])
def test_what_cannot_be_renewed_is_refused_before_a_file_is_written(tmp_path, change, words):
    given = params(tmp_path)
    given["certificate"] = {**given["certificate"], **change}
    with pytest.raises(MooringError, match=words):
        step.converge(module(), given)
    assert not (tmp_path / "renewal").exists()
