#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves convergence: every kind of drift is named by check mode, healed by one run, and stays healed.

    drift.py [--only TEXT ...] [--skip kinds|peers|combined|kills|promises ...] [--keep] [--reuse] [--write-docs]

Converges inventories/local of the last commit on a bare Debian 13 node with
systemd, breaks it in one way at a time (drift_kinds.py), then in ten ways at
once, and kills runs half-way while a client polls (drift_kills.py). The same
faults are given to `docker compose up -d` and to a playbook with a task per file
(tests/lab/naive.py). Ends with one line of figures; status 0 only if all are good.
``--keep`` leaves the node, ``--reuse`` works on one that was left.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import re
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/lab"), str(ROOT / "tests/prove")]

import drift_kills  # noqa: E402
import drift_promises  # noqa: E402
import lab  # noqa: E402
from drift_kinds import CERTIFICATE, KINDS, NOTICES, PEBBLE, Kind, Sees  # noqa: E402
from drift_site import Difference, Failed, Run, Site, parser, say, scratch  # noqa: E402
from naive import IDLE  # noqa: E402

KINDS_WANTED, KILLS_WANTED, COMBINED_WANTED = 40, 12, 10
DOCS = ROOT / "docs/drift.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
# What `docker compose up` says of an object that it does something to.
COMPOSE_ACTS = re.compile(rf"(Container|Network|Volume) \S+ +(?!{'|'.join(IDLE)})\w")


@dataclasses.dataclass
class Row:
    """What the three did about one kind; ``why`` says what ours did wrong."""

    name: str
    seen: bool = False
    healed: bool = False
    stable: bool = False
    compose_seen: bool = False
    compose_healed: bool = False
    baseline_seen: bool = False
    baseline_healed: bool = False
    why: list[str] = dataclasses.field(default_factory=list)

    def cells(self) -> list[str]:
        """The row of the table."""
        def word(seen: bool, healed: bool) -> str:
            return f"{'seen' if seen else '-'}, {'healed' if healed else '-'}".replace("-, -", "-")
        ours = word(self.seen, self.healed) + ("" if self.stable else ", not stable")
        return [self.name, ours, word(self.compose_seen, self.compose_healed),
                word(self.baseline_seen, self.baseline_healed)]


def arguments(kind: Kind) -> list[str]:
    """Of the runs for a kind. The check of the whole inventory, which has nothing to do with it, is left out."""
    return [*(["--tags", kind.component, "--skip-tags", "always"] if kind.component else []), *kind.also]


def missing(sees: t.Iterable[Sees], differences: list[Difference]) -> list[str]:
    """What was to be named and is not."""
    return [str(one) for one in sees if not any(one.matches(found) for found in differences)]


def flat(run: Run) -> list[Difference]:
    """All differences of a run."""
    return [item for items in run.differences.values() for item in items]


def short(differences: t.Iterable[Difference]) -> str:
    """Differences in one line."""
    lines = [f"{one['object']}: {one['field']} {one['expected']} <- {one['found']}"[:160] for one in differences]
    return "; ".join(lines) or "nothing"


def inject(site: Site, kind: Kind, good: str) -> None:
    """Break it, and see on the host that it is broken."""
    site.sh(kind.inject)
    if kind.settle:
        site.wait(kind.settle)
    if site.sh(kind.look, check=False) == good:
        raise Failed(f"{kind.name}: the fault was not injected")


def peers(site: Site, kind: Kind, row: Row, good: str) -> None:
    """What Compose and the naive playbook see and heal; what they heal is broken again."""
    def healed() -> bool:
        with contextlib.suppress(Failed):
            site.wait("! docker ps --format '{{.Status}}' | grep -q starting", 30)
        return site.sh(kind.look, check=False) == good

    up = f"docker compose --project-directory /opt/mooring/{kind.directory} up --detach"
    row.compose_seen = bool(COMPOSE_ACTS.search(site.sh(f"{up} --dry-run", check=False)))
    row.baseline_seen = bool(site.run_naive(kind.naive_tags, "--check").changed_tasks)
    site.sh(up, check=False)
    row.compose_healed = healed()
    if row.compose_healed:
        inject(site, kind, good)
    site.run_naive(kind.naive_tags)
    row.baseline_healed = healed()
    if row.baseline_healed:
        inject(site, kind, good)


def ours(site: Site, kind: Kind, row: Row, good: str) -> None:
    """Check mode, the run, and the run after it."""
    before, started = site.state(), site.started()
    predicted = site.run(*arguments(kind), "--check")
    after = site.state()
    if before != after:
        row.why.append(f"check mode changed the host: {sorted(set(before) ^ set(after))[:4]}")
    unnamed = missing(kind.sees, flat(predicted))
    if unnamed:
        row.why.append(f"check mode does not name {', '.join(unnamed)}; it names {short(flat(predicted))}")
    if predicted.changed < 0:
        row.why.append(f"check mode failed: {reason(predicted)}")
    healing = site.run(*arguments(kind))
    if expected_plan(kind, healing) != predicted.differences:
        row.why.append(f"the run's plan is another: {short(flat(predicted))} / {short(flat(healing))}")
    row.seen = not row.why
    if healing.changed < 0:
        row.why.append(f"the run failed: {reason(healing)}")
    now = site.sh(kind.look, check=False)
    row.healed = healing.changed > 0 and now == good
    if now != good:
        row.why.append(f"not healed: {now.strip()[-300:]!r}, before {good.strip()[-300:]!r}")
    running = site.started()
    restarted = sorted(name for name, line in started.items()
                       if name not in kind.touches and name in good_names(started) and running.get(name) != line)
    if restarted:
        row.healed = False
        row.why.append(f"restarted without need: {', '.join(restarted)}")
    again = site.run(*arguments(kind))
    row.stable = again.changed == 0
    if not row.stable:
        row.why.append(f"the run after changes {again.changed}: {short(flat(again))} {reason(again)}")


def expected_plan(kind: Kind, healing: Run) -> dict[str, list[Difference]]:
    """The plan of a run without what only a started CA can tell.

    The test CA has a new root after each start, and no check knows to what a root
    leads that does not exist yet. Other authorities keep theirs.
    """
    if PEBBLE not in kind.touches:
        return healing.differences
    kept = {host: [one for one in found if one["object"] != CERTIFICATE or one["field"] != "issuer"]
            for host, found in healing.differences.items()}
    return {host: found for host, found in kept.items() if found}


def good_names(started: dict[str, str]) -> set[str]:
    """Containers of the platform; what a fault added may go."""
    return {name for name in started if re.fullmatch(r"mooring-\S+-1", name)}


def reason(run: Run) -> str:
    """Why a run failed, from its output."""
    found = re.findall(r'(?:fatal|failed): .*|"msg": ".*"|^\[ERROR\].*', run.output, re.MULTILINE)
    return " ".join(found)[:600] if run.changed < 0 else ""


def prove_kind(site: Site, kind: Kind, with_peers: bool) -> Row:
    """One kind, from the fault to the converged host."""
    row = Row(kind.name)
    started = time.monotonic()
    try:
        good = site.sh(kind.look, check=False)
        inject(site, kind, good)
        if with_peers:
            peers(site, kind, row, good)
        ours(site, kind, row, good)
    except (Failed, subprocess.SubprocessError) as error:
        row.why.append(str(error))
    if kind.after:
        site.sh(kind.after, check=False)
    if kind.after or row.why or PEBBLE in kind.touches:
        # The next kind starts from a converged host, whatever became of this one. A CA that
        # was started anew has a new root, to which the proxy's certificate has to lead.
        tags = f"{kind.component},nginx_certbot" if kind.component else "all"
        site.run("--tags", tags, "-e", "mooring_allow_stateful_restart=true")
    mark = "ok" if row.seen and row.healed and row.stable else "NOT OK"
    say(f"{mark:<6} {' | '.join(row.cells())} ({time.monotonic() - started:.0f} s)")
    for why in row.why:
        say(f"       {why[:700]}")
    return row


def prove_notice(site: Site, kind: Kind) -> bool:
    """What is reported, and never counts as a change or goes away."""
    site.sh(kind.inject)
    there = site.sh(kind.look, check=False)
    runs = [site.run(*arguments(kind), "--check"), site.run(*arguments(kind))]
    good = all(run.changed == 0 and any(kind.notice in text for text in run.notices) for run in runs)
    good = good and site.sh(kind.look, check=False) == there
    site.sh(kind.after)
    say(f"{'ok' if good else 'NOT OK':<6} notice: {kind.name}")
    return good


def prove_combined(site: Site) -> bool:
    """Ten kinds at once: all named, one run heals all, the next changes nothing."""
    kinds = [kind for kind in KINDS if kind.combined]
    looks = [site.sh(kind.look, check=False) for kind in kinds]
    for kind in kinds:
        site.sh(kind.inject)
    predicted, healing = site.run("--check"), site.run()
    unnamed = [kind.name for kind in kinds if missing(kind.sees, flat(predicted))]
    unhealed = [kind.name for kind, look in zip(kinds, looks, strict=True) if site.sh(kind.look, check=False) != look]
    again = site.run()
    good = (len(kinds) >= COMBINED_WANTED and not unnamed and not unhealed and again.changed == 0
            and predicted.differences == healing.differences)
    say(f"{'ok' if good else 'NOT OK':<6} {len(kinds)} kinds at once: not named {unnamed}, not healed {unhealed}, "
        f"the run after changes {again.changed} {short(flat(again))}; plans "
        f"{'equal' if predicted.differences == healing.differences else 'differ'} {reason(healing)}")
    return good


def table(rows: list[Row]) -> list[list[str]]:
    """The table with its head."""
    return [["kind of drift", "mooring.stack", "docker compose up -d", "task-per-file playbook"],
            *(row.cells() for row in rows)]


def write_docs(rows: list[Row]) -> None:
    """Put the table into docs/drift.md, between its marks."""
    head, *body = table(rows)
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *body)]
    text = DOCS.read_text()
    before, rest = text.split(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{rest.split(END)[1]}")


def prove(site: Site, args: argparse.Namespace) -> tuple[list[Row], int, list[str]]:
    """Every part that was asked for: rows, good kill points, broken promises."""
    rows: list[Row] = []
    kills, broken = 0, []
    if "kinds" not in args.skip:
        for kind in KINDS:
            if not args.only or any(word in kind.name for word in args.only):
                rows.append(prove_kind(site, kind, "peers" not in args.skip))
        broken += [kind.name for kind in NOTICES if not args.only and not prove_notice(site, kind)]
    if "combined" not in args.skip and not args.only and not prove_combined(site):
        broken.append("ten at once")
    if "kills" not in args.skip:
        kills, failed = drift_kills.prove(site)
        broken += failed
    if "promises" not in args.skip:
        broken += drift_promises.prove(site)
    return rows, kills, broken


def main() -> int:
    """Parse, prove, clean up."""
    asked = parser(__doc__ or "", "kinds whose names contain this")
    asked.add_argument("--skip", nargs="*", default=[], choices=("kinds", "peers", "combined", "kills", "promises"))
    asked.add_argument("--write-docs", action="store_true", help="write the table to docs/drift.md")
    args = asked.parse_args()
    started = time.monotonic()
    with scratch("drift", args) as directory:
        site = Site(directory)

        def again() -> None:
            site.run("-e", "mooring_allow_stateful_restart=true").good("converging the site")

        try:
            with site.standing(args, site.start, again):
                site.keep_declared()
                rows, kills, broken = prove(site, args)
        except (Failed, lab.LabError) as error:
            print(f"prove-drift: not proved: {error}\nThe whole output is in {site.log}.")
            return 1
    width = [max(map(len, column)) for column in zip(*table(rows), strict=True)]
    for cells in table(rows):
        print("  ".join(f"{cell:<{size}}" for cell, size in zip(cells, width, strict=True)).rstrip())
    if args.write_docs:
        write_docs(rows)
    if broken:
        print(f"prove-drift: not kept: {', '.join(broken)}")
    print(f"prove-drift: {(time.monotonic() - started) / 60:.1f} minutes", file=sys.stderr)
    figures = {name: sum(getattr(row, name) for row in rows) for name in (
        "seen", "healed", "stable", "compose_seen", "compose_healed", "baseline_seen", "baseline_healed")}
    first = " ".join(f"{name}={figures[name]}" for name in ("seen", "healed", "stable"))
    last = " ".join(f"{name}={figures[name]}" for name in list(figures)[3:])
    print(f"prove-drift: kinds={len(rows)} {first} kills={kills} {last}")
    good = (len(rows) >= KINDS_WANTED and {figures[name] for name in ("seen", "healed", "stable")} == {len(rows)}
            and kills >= KILLS_WANTED and not broken)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
