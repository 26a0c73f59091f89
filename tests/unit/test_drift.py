# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift report: from results of tasks to table, JSON, page, metrics and exit code."""

from __future__ import annotations

import contextlib
import json
import math
import pathlib
import stat
import types

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.mooring.stack.plugins.action.drift_metrics import (
    ActionBase,
    ActionModule,
    AnsibleActionFail,
)
from ansible_collections.mooring.stack.plugins.callback.drift import CallbackModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.modules.drift_metrics import leave
from ansible_collections.mooring.stack.plugins.plugin_utils._drift import (
    COLLECTOR,
    Collector,
    build,
    findings,
    message,
    metrics,
    shown,
    summary,
    table,
    to_json,
)
from ansible_collections.mooring.stack.plugins.plugin_utils._drift_page import page
from prometheus_client.parser import text_string_to_metric_families

STOPPED = {"object": "service proxy", "field": "state", "expected": "running", "found": "exited"}
LOOSE = {"object": "file compose.yml", "field": "mode", "expected": "0644", "found": "0666"}
ABOUT = {"playbook": "playbooks/drift.yml", "inventory": ["inventories/prod"], "limit": "", "tags": [],
         "check_mode": True, "began": "2026-11-22T09:00:00+01:00", "ended": "2026-11-22T09:00:20+01:00"}


def would_change(task, found="would change"):
    return {"object": f"task {task}", "field": "state", "expected": "nothing to do", "found": found}


@pytest.mark.parametrize("result, differences, notices", [
    pytest.param({"changed": False}, [], [], id="nothing"),
    pytest.param({"changed": True}, [would_change("T")], [], id="changed without a word"),
    pytest.param({"changed": True, "differences": []}, [would_change("T")], [], id="changed with an empty list"),
    pytest.param({"changed": True, "differences": [STOPPED, LOOSE]}, [STOPPED, LOOSE], [], id="named"),
    pytest.param({"changed": False, "notices": ["look"]}, [], ["look"], id="a notice is no difference"),
    pytest.param({"changed": False, "skipped": True}, [], [], id="skipped"),
    pytest.param({"changed": True, "differences": ["driver is local"]}, [would_change("T", "driver is local")], [],
                 id="a bare text"),
    pytest.param({"changed": True, "differences": [{"field": "mode"}]},
                 [{"object": "task T", "field": "mode", "expected": None, "found": None}], [], id="half a difference"),
    pytest.param({"changed": False, "differences": "no list", "notices": None}, [], [], id="no lists"),
    pytest.param({"changed": True, "results": [{"changed": True, "differences": [STOPPED]}, {"changed": False},
                                               {"changed": True}, {"changed": False, "notices": ["look"]}]},
                 [STOPPED, would_change("T")], ["look"], id="a loop counts by item"),
    pytest.param({"changed": True, "results": ["Get:1 ..."]}, [would_change("T")], [], id="results that are no loop"),
    pytest.param({"changed": True, "censored": "hidden by no_log"}, [would_change("T")], [], id="no_log"),
])
def test_what_a_result_says(result, differences, notices):
    assert findings("T", result) == (differences, notices)


def test_values_are_those_of_json():
    found, _notices = findings("T", {"differences": [
        {"object": "o", "field": "f", "expected": pathlib.PurePath("/a"), "found": (1, {"b": None})}]})
    assert found[0]["expected"] == "/a" and found[0]["found"] == [1, {"b": None}]


@pytest.mark.parametrize("result, text", [
    ({"msg": "No."}, "No."),
    ({}, "no reason was given"),
    ({"msg": "2 problems", "problems": ["one", "two"]}, "2 problems\none\ntwo"),
    ({"msg": "One or more items failed", "results": [{"failed": True, "msg": "No."}, {"msg": "fine"}]},
     "One or more items failed\nNo."),
])
def test_why_a_task_failed(result, text):
    assert message(result) == text


def collected(*events):
    collector = Collector()
    for method, *args in events:
        getattr(collector, method)(*args)
    return collector


def took(host, role, result, play="Play"):
    return ("took", host, role, play, "T", result)


def failed(host, role, result, play="Play"):
    return ("failed", host, role, play, "T", result)


def test_a_task_that_carries_out_what_another_named_is_no_difference_of_its_own():
    silent = took("a", "nginx", {"changed": True})
    other = took("a", "mysql", {"changed": True})
    found = collected(DRIFTED, silent, other).hosts["a"]
    assert found["nginx"].differences == [STOPPED]
    assert found["mysql"].differences == [would_change("T")]


CLEAN = took("a", "kafka", {"changed": False})
DRIFTED = took("a", "nginx", {"changed": True, "differences": [STOPPED]})
NOTED = took("a", "mysql", {"changed": False, "notices": ["look"]})
BROKEN = failed("b", "mysql", {"msg": "No."})


@pytest.mark.parametrize("events, failed_hosts, status, code, totals", [
    pytest.param([CLEAN], [], "in sync", 0, (1, 1, 0, 0, 0, 0), id="in sync"),
    pytest.param([CLEAN, NOTED], [], "in sync", 0, (1, 2, 0, 0, 1, 0), id="notices alone"),
    pytest.param([CLEAN, DRIFTED], [], "drift", 2, (1, 2, 1, 1, 0, 0), id="drift"),
    pytest.param([CLEAN, DRIFTED, BROKEN], ["b"], "error", 1, (2, 3, 1, 1, 0, 1), id="an error outweighs drift"),
    pytest.param([CLEAN, BROKEN], [], "in sync", 0, (2, 2, 0, 0, 0, 0), id="rescued"),
    pytest.param([CLEAN], ["b"], "error", 1, (2, 2, 0, 0, 0, 1), id="failed without a result"),
    pytest.param([], [], "error", 1, (0, 0, 0, 0, 0, 1), id="nothing was checked"),
    pytest.param([took("a", "preflight", {}), took("a", "", {})], [], "error", 1, (0, 0, 0, 0, 0, 1),
                 id="preflight is no component"),
    pytest.param([failed("a", "mysql", {"msg": "Held back.", "changed": True, "differences": [LOOSE]})], ["a"],
                 "error", 1, (1, 1, 1, 1, 0, 1), id="held back"),
    pytest.param([failed("a", "mysql", {"msg": "No.", "changed": True})], ["a"], "error", 1, (1, 1, 0, 0, 0, 1),
                 id="a failure is no change"),
])
def test_status_and_totals(events, failed_hosts, status, code, totals):
    report = build(collected(*events), set(failed_hosts), ABOUT)
    assert (report["status"], report["exit_code"]) == (status, code)
    assert tuple(report["totals"].values()) == totals


def test_a_lost_result_is_an_error():
    report = build(collected(CLEAN), set(), ABOUT, lost=2)
    assert report["exit_code"] == 1 and "2 results could not be read" in table(report, 100)


def test_a_task_without_a_role_counts_for_its_play():
    report = build(collected(CLEAN, took("a", "", {"changed": True}, play="Firewall")), set(), ABOUT)
    assert set(report["hosts"]["a"]["components"]) == {"kafka", "Firewall"}


def test_the_same_notice_is_said_once():
    assert collected(NOTED, NOTED).hosts["a"]["mysql"].notices == ["look"]


def test_json_holds_what_was_collected():
    report = json.loads(to_json(build(collected(CLEAN, DRIFTED), set(), ABOUT)))
    assert report["version"] == 1 and report["inventory"] == ["inventories/prod"]
    assert report["hosts"]["a"]["components"]["nginx"] == {
        "status": "drift", "differences": [STOPPED], "notices": [], "errors": []}
    assert report["hosts"]["a"]["components"]["kafka"]["status"] == "in sync"


@pytest.mark.parametrize("value, text", [
    (None, "nothing"), ("", ""), ("é", "é"), (True, "true"), (["é", 1], '["é", 1]'),
])
def test_values_for_people(value, text):
    assert shown(value) == text


# ---------------------------------------------------------------- table


def test_the_table():
    report = build(collected(CLEAN, DRIFTED, NOTED, took("a", "nginx", {"changed": True, "differences": [LOOSE]}),
                             failed("b", "mysql", {"msg": "No.\nNever."})), {"b"}, ABOUT)
    assert table(report, 100).splitlines() == [
        "",
        "a: drift",
        "  component  object            field  expected  found",
        "  nginx      service proxy     state  running   exited",
        "  nginx      file compose.yml  mode   0644      0666",
        "  notice, mysql: look",
        "",
        "b: error",
        "  error, mysql: T: No.",
        "    Never.",
        "",
        "Error: 2 differences, 1 notice, 1 error in 4 components on 2 hosts.",
    ]


def test_hosts_without_anything_to_say_are_not_in_the_table():
    assert table(build(collected(CLEAN), set(), ABOUT), 80).split("\n") == [
        "", "In sync: 0 differences in 1 component on 1 host."]


@pytest.mark.parametrize("width", [50, 80, 120, 200])
def test_the_table_fits_the_terminal(width):
    long = {"object": "file " + "x" * 90, "field": "content", "expected": "a" * 300, "found": "b" * 64}
    report = build(collected(took("a", "nginx", {"differences": [long, STOPPED]})), set(), ABOUT)
    rows = table(report, width).split("\n")[2:5]
    assert max(map(len, rows)) <= width
    assert "…" in rows[1]
    assert "nginx" in rows[1] and "content" in rows[1]  # short columns stay whole


def test_a_very_narrow_terminal_still_gets_a_table():
    assert "nginx" in table(build(collected(DRIFTED), set(), ABOUT), 1)


def test_values_cannot_steer_the_terminal():
    evil = {**STOPPED, "found": "\x1b[2Jgone\nsecond"}
    text = table(build(collected(took("a", "n", {"differences": [evil], "notices": ["\x07ring"]})), set(), ABOUT), 200)
    assert "\x1b" not in text and "\x07" not in text
    assert "\\x1b[2Jgone\\nsecond" in text


# ---------------------------------------------------------------- page


def test_the_page_escapes_what_it_shows():
    script = "<script>alert(1)</script>\"'"
    evil = {"object": script, "field": script, "expected": script, "found": [script]}
    events = [("took", script, script, "", script, {"differences": [evil], "notices": [script]}),
              ("failed", script, script, "", script, {"msg": script})]
    about = {**ABOUT, "inventory": [script], "limit": script, "tags": [script]}
    text = page(build(collected(*events), {script}, about))
    assert "<script" not in text and script not in text
    assert text.count("&lt;script&gt;") >= 10


def test_the_page_says_what_was_checked():
    about = {**ABOUT, "limit": "web", "tags": ["kafka"], "check_mode": False}
    text = page(build(collected(CLEAN, DRIFTED), set(), about))
    for part in ("inventories/prod", "2026-11-22 09:00:20, UTC+01:00", "kafka, nginx", "hosts web; tags kafka",
                 "not in check mode", "Drift", "The others are as declared: kafka."):
        assert part in text, part


def test_a_long_value_is_folded_and_an_absent_one_is_named():
    found = {**STOPPED, "expected": "a" * 1000, "found": None}
    text = page(build(collected(took("a", "n", {"differences": [found]})), set(), ABOUT))
    assert "<details>" in text and "1000 characters" in text and "nothing</span>" in text


# ---------------------------------------------------------------- metrics


def test_metrics_are_what_prometheus_reads():
    odd = 'a "play" \\ with\nlines'
    collector = collected(CLEAN, DRIFTED, NOTED, ("took", "a", odd, "", "T", {"changed": True}))
    text = metrics(collector.hosts["a"], 1795338000.4)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {
        name: {sample.labels.get("component", ""): sample.value for sample in family.samples}
        for name, family in families.items()
    }
    assert values == {
        "mooring_drift_items": {"kafka": 0, "nginx": 1, "mysql": 0, odd: 1},
        "mooring_drift_notices": {"kafka": 0, "nginx": 0, "mysql": 1, odd: 0},
        "mooring_drift_last_check_timestamp_seconds": {"": 1795338000},
    }
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    assert text.endswith("\n") and math.isfinite(values["mooring_drift_last_check_timestamp_seconds"][""])


def test_metrics_are_left_for_others_to_read(tmp_path):
    directory = tmp_path / "root" / "metrics"
    assert leave(str(directory), "one 1\n") == ""  # nothing of the platform is there
    assert not directory.exists()
    directory.parent.mkdir()
    path = pathlib.Path(leave(str(directory), "one 1\n"))
    assert path == directory / "mooring_drift.prom" and path.read_text() == "one 1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and stat.S_IMODE(directory.stat().st_mode) == 0o755
    leave(str(directory), "one 2\n")
    assert path.read_text() == "one 2\n" and [entry.name for entry in directory.iterdir()] == [path.name]


def test_metrics_that_cannot_be_written_are_an_error(tmp_path):
    (tmp_path / "metrics" / "mooring_drift.prom").mkdir(parents=True)
    with pytest.raises(MooringError, match="could not be written"):
        leave(str(tmp_path / "metrics"), "one 1\n")


def test_the_action_sends_the_metrics_of_its_host(monkeypatch):
    plugin = ActionModule.__new__(ActionModule)
    plugin._task = types.SimpleNamespace(args={"directory": "/metrics"})
    sent = {}
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {})
    monkeypatch.setattr(plugin, "_execute_module", lambda name, **options: sent.update(options) or {}, raising=False)
    COLLECTOR.start(active=False)
    with pytest.raises(AnsibleActionFail, match="callbacks_enabled"):
        plugin.run(task_vars={"inventory_hostname": "a"})
    COLLECTOR.start(active=True)
    COLLECTOR.took("a", "nginx", "", "T", {"differences": [STOPPED]})
    COLLECTOR.took("b", "kafka", "", "T", {"differences": [STOPPED]})
    plugin.run(task_vars={"inventory_hostname": "a"})
    COLLECTOR.start(active=False)
    assert sent["module_args"]["directory"] == "/metrics"
    assert 'mooring_drift_items{component="nginx"} 1' in sent["module_args"]["content"]
    assert "kafka" not in sent["module_args"]["content"]


# ---------------------------------------------------------------- callback


@pytest.fixture()
def run(monkeypatch, tmp_path, capfd):
    """Plays the events of a run to the callback; the exit code, None where Ansible's own stays."""
    plugin = CallbackModule()
    options = {"directory": str(tmp_path / "drift"), "report_file": ""}
    monkeypatch.setattr(plugin, "get_option", options.__getitem__)
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(inventory=("hosts.yml",), check=True, tags=("all",)))
    monkeypatch.chdir(tmp_path)

    def play(results, playbook="playbooks/drift.yml", failures=(), dark=(), **changes):
        options.update(changes)
        plugin.v2_playbook_on_start(types.SimpleNamespace(_file_name=playbook))
        plugin.v2_playbook_on_play_start(types.SimpleNamespace(get_name=lambda: "Play"))
        for event, host, role, result, *extra in results:
            owner = types.SimpleNamespace(get_name=lambda include_role_fqcn, role=role: role) if role else None
            task = types.SimpleNamespace(name="T", action="a", resolved_action=play.action, _role=owner)
            with contextlib.suppress(ValueError):  # Ansible makes a warning of an exception and goes on
                getattr(plugin, f"v2_runner_on_{event}")(types.SimpleNamespace(
                    _host=types.SimpleNamespace(get_name=lambda host=host: host), _result=result, _task=task),
                    *extra)
        hosts = {host for _event, host, *_rest in results}
        try:
            plugin.v2_playbook_on_stats(types.SimpleNamespace(
                processed=dict.fromkeys(hosts, 1), failures=dict.fromkeys(failures, 1), dark=dict.fromkeys(dark, 1)))
        except SystemExit as end:
            return end.code
        finally:
            play.said = capfd.readouterr()
        return None

    play.action = "mooring.stack.component"
    yield play
    COLLECTOR.start(active=False)


OK = ("ok", "a", "nginx", {"changed": False})
DRIFT = ("ok", "a", "nginx", {"changed": True, "differences": [STOPPED]})


@pytest.mark.parametrize("results, stats, code", [
    pytest.param([OK], {}, None, id="in sync"),
    pytest.param([OK, DRIFT], {}, 2, id="drift"),
    pytest.param([OK, ("failed", "a", "nginx", {"msg": "No."})], {"failures": ["a"]}, 1, id="failed"),
    pytest.param([OK, ("unreachable", "a", "nginx", {"msg": "Gone."})], {"dark": ["a"]}, 1, id="unreachable"),
    pytest.param([OK, ("failed", "a", "nginx", {"msg": "No."}, True)], {}, None, id="ignored"),
    pytest.param([OK, ("skipped", "a", "nginx", {"skipped": True})], {}, None, id="skipped"),
    pytest.param([], {}, 1, id="nothing"),
])
def test_exit_codes_of_the_drift_playbook(run, tmp_path, results, stats, code):
    assert run(results, **stats) == code
    report = json.loads((tmp_path / "drift" / "report.json").read_text())
    assert report["exit_code"] == (code or 0)
    assert summary(report) in run.said.out
    for name in ("report.json", "report.html"):
        assert stat.S_IMODE((tmp_path / "drift" / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "drift").iterdir()) == ["report.html", "report.json"]


def test_arguments_in_order_are_no_sign_that_a_component_was_checked(run):
    run.action = "ansible.builtin.validate_argument_spec"
    assert run([OK]) == 1 and "no component was checked" in run.said.out
    assert run([("failed", "a", "nginx", {"msg": "missing required arguments"})], failures=["a"]) == 1
    assert "missing required arguments" in run.said.out


def test_other_playbooks_are_left_alone(run, tmp_path):
    assert run([DRIFT], playbook="site.yml") is None
    assert list(tmp_path.iterdir()) == [] and run.said.out == ""


def test_a_real_run_can_be_recorded(run, tmp_path):
    assert run([DRIFT], playbook="site.yml", report_file=str(tmp_path / "deep" / "run.json")) is None
    assert json.loads((tmp_path / "deep" / "run.json").read_text())["totals"]["differences"] == 1
    assert run.said.out == "" and not (tmp_path / "drift").exists()


def test_a_run_knows_nothing_of_the_one_before(run):
    assert run([DRIFT]) == 2
    assert run([OK]) is None


def test_a_report_that_cannot_be_written_is_an_error(run, tmp_path):
    (tmp_path / "drift").write_text("a file")
    assert run([OK]) == 1
    assert "could not be written" in run.said.err


def test_a_report_that_cannot_be_made_is_an_error(run, monkeypatch):
    monkeypatch.setattr(f"{CallbackModule.__module__}.build", lambda *args: 1 / 0)
    assert run([OK]) == 1


def test_a_result_that_cannot_be_read_is_an_error(run, monkeypatch):
    def lose(*args):
        raise ValueError("odd")

    monkeypatch.setattr(COLLECTOR, "failed", lose)
    assert run([OK, ("failed", "a", "nginx", {}, False)]) == 1
    assert "1 result could not be read" in run.said.out
