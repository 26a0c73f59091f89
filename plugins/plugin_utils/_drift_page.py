# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the drift report as one HTML page that needs nothing but itself.

Pure, and on the controller only. Without scripts; on a narrow screen each row of
a table becomes a card.
"""

from __future__ import annotations

import datetime
import html
import typing as t

from ansible_collections.mooring.stack.plugins.plugin_utils._drift import COLUMNS, DRIFT, ERROR, IN_SYNC, count, shown

MARKS = {IN_SYNC: "✓", DRIFT: "≠", ERROR: "!"}
CLASSES = {IN_SYNC: "good", DRIFT: "drift", ERROR: "bad"}
# A value of more characters is folded: whoever looks for the others shall find them.
FOLD = 400

STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f9; --paper: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d5dae0;
  --good: #116329; --drift: #8a4600; --bad: #a40e26; --good-tint: #dafbe1; --drift-tint: #fff1d6; --bad-tint: #ffe7e5; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f1216; --paper: #181c22; --ink: #e8ebef; --soft: #a3adb8;
  --line: #343b44; --good: #6fdd8b; --drift: #f2b866; --bad: #ff9a94; --good-tint: #12301c; --drift-tint: #38290f;
  --bad-tint: #40191b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 72rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.2rem; display: flex; flex-wrap: wrap; gap: .25rem .75rem;
  align-items: center; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; }
p { margin: .5rem 0; }
.verdict { padding: 1rem 1.25rem; border-left: .4rem solid; border-radius: .4rem; }
.verdict strong { display: block; font-size: 1.5rem; line-height: 1.3; }
.verdict > span { color: var(--ink); }
.badge { padding: .1rem .6rem; border-radius: 1rem; font-size: .875rem; font-weight: 600; }
.good { color: var(--good); background: var(--good-tint); }
.drift { color: var(--drift); background: var(--drift-tint); }
.bad { color: var(--bad); background: var(--bad-tint); }
.about { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1.25rem; margin: 1.25rem 0 0; }
dt, .soft { color: var(--soft); }
dd { margin: 0; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; background: var(--paper); font-size: .925rem; }
table, .said { border: 1px solid var(--line); }
th, td { padding: .5rem .75rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; border-top: 0; }
col.object { width: 26%; } col.field { width: 18%; }
code { font: .875em/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; }
.said { margin: .5rem 0; padding: .5rem .75rem; background: var(--paper); border-left: .3rem solid var(--soft);
  white-space: pre-wrap; }
.said.error { border-left-color: var(--bad); }
.said b { display: block; font-size: .875rem; }
.error b { color: var(--bad); }
.quiet { margin-top: 1.25rem; }
footer { margin-top: 2.5rem; font-size: .875rem; }
@media (max-width: 40rem) {
  body { padding: .9rem; }
  .about { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .5rem; }
  table, tbody, tr, td { display: block; }
  table { border: 0; background: none; }
  thead, colgroup { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { margin-bottom: .75rem; padding: .35rem 0; background: var(--paper); border: 1px solid var(--line);
    border-radius: .4rem; }
  td { padding: .25rem .75rem; border: 0; }
  td::before { content: attr(data-name); display: block; color: var(--soft); font-size: .8125rem; }
  td.object { font-weight: 600; }
}
@media print { body { max-width: none; background: none; } tr, .said { break-inside: avoid; } }
"""


def page(report: dict[str, t.Any]) -> str:
    """The report as one HTML document."""
    totals = report["totals"]
    title = f"{report['status'].capitalize()}: drift report"
    return "\n".join([
        '<!DOCTYPE html>', '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Whatever a value may hold: nothing is loaded and nothing runs.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">',
        '<meta name="robots" content="noindex">',
        f"<title>{_text(title)}</title>", f"<style>{STYLE}</style>", "</head>", "<body>",
        "<header>", "<h1>Drift report</h1>",
        f'<p class="verdict {CLASSES[report["status"]]}"><strong>{_status(report["status"])}</strong> '
        f"<span>{_text(_sentence(totals))}</span></p>",
        *_about(report), "</header>", "<main>",
        *(_said("error", "Error", problem) for problem in report["problems"]),
        *(line for name, host in report["hosts"].items() for line in _host(name, host)),
        "</main>",
        '<footer class="soft">A difference is a field that is not as declared; a run of site.yml heals it. '
        "A notice is for people: no run heals it.</footer>",
        "</body>", "</html>", ""])


def _text(value: str) -> str:
    return html.escape(value, quote=True)


def _status(status: str) -> str:
    return f'<span aria-hidden="true">{MARKS[status]}</span> {_text(status.capitalize())}'


def _sentence(totals: dict[str, int]) -> str:
    where = f"{count(totals['components'], 'component')} on {count(totals['hosts'], 'host')}"
    found = [count(totals[key], key[:-1]) for key in ("differences", "notices", "errors") if totals[key]]
    return f"{', '.join(found) or 'No differences'} in {where}."


def _about(report: dict[str, t.Any]) -> list[str]:
    checked = sorted({name for host in report["hosts"].values() for name in host["components"]})
    facts = {
        "Inventory": ", ".join(report["inventory"]),
        "Checked": _when(report["ended"]),
        "Components": ", ".join(checked) or "none",
        "Hosts": ", ".join(report["hosts"]) or "none",
        "Limited to": "; ".join([
            *([f"hosts {report['limit']}"] if report["limit"] else []),
            *([f"tags {', '.join(report['tags'])}"] if report["tags"] else [])]),
        "Mode": "" if report["check_mode"] else "not in check mode: what is listed was changed",
    }
    return ['<dl class="about">',
            *(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts.items() if value), "</dl>"]


def _when(moment: str) -> str:
    when = datetime.datetime.fromisoformat(moment)
    offset = when.strftime("%z")
    return f"{when:%Y-%m-%d %H:%M:%S}, UTC{offset[:3]}:{offset[3:5]}"


def _host(name: str, host: dict[str, t.Any]) -> list[str]:
    badge = f'<span class="badge {CLASSES[host["status"]]}">{_status(host["status"])}</span>'
    lines = [f"<section><h2>{_text(name)} {badge}</h2>"]
    quiet = []
    for component, found in host["components"].items():
        if not found["differences"] and not found["notices"] and not found["errors"]:
            quiet.append(component)
            continue
        lines.append(f"<h3>{_text(component)}</h3>")
        lines += [_said("error", f"Error: {one['task']}" if one["task"] else "Error", one["message"])
                  for one in found["errors"]]
        lines += _table(f"{name}, {component}", found["differences"])
        lines += [_said("notice", "Notice", one) for one in found["notices"]]
    if quiet:
        lines.append(f'<p class="soft quiet">{"As declared" if len(lines) == 1 else "The others are as declared"}: '
                     f"{_text(', '.join(quiet))}.</p>")
    return [*lines, "</section>"]


def _table(name: str, differences: list[dict[str, t.Any]]) -> list[str]:
    if not differences:
        return []
    columns = COLUMNS[1:]
    # The roles are repeated because a table that is laid out as cards loses them.
    return [
        f'<table role="table" aria-label="{_text(f"Differences of {name}")}">',
        f"<colgroup>{''.join(f'<col class={column}>' for column in columns)}</colgroup>",
        '<thead role="rowgroup"><tr role="row">',
        *(f'<th role="columnheader" scope="col">{column.capitalize()}</th>' for column in columns),
        '</tr></thead><tbody role="rowgroup">',
        *('<tr role="row">' + "".join(
            f'<td role="cell" class="{column}" data-name="{column.capitalize()}">{_value(column, one[column])}</td>'
            for column in columns) + "</tr>" for one in differences),
        "</tbody></table>"]


def _value(column: str, value: t.Any) -> str:
    if value is None:
        return '<span class="soft">nothing</span>'
    text = shown(value)
    if column in ("object", "field"):
        return _text(text)
    if text == "":
        return '<span class="soft">empty</span>'
    if len(text) > FOLD:
        return (f"<details><summary><code>{_text(text[:FOLD // 4])}…</code> "
                f'<span class="soft">({len(text)} characters)</span></summary><code>{_text(text)}</code></details>')
    return f"<code>{_text(text)}</code>"


def _said(kind: str, head: str, text: str) -> str:
    return f'<div class="said {kind}"><b>{_text(head)}</b>{_text(text)}</div>'
