#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that a commit becomes a release that serves, by examples/pipeline, without a lost request.

    ci.py [--only TEXT ...] [--keep] [--reuse]

The pipeline's own commands, in the order and under the conditions of its Jenkinsfile, in a
container that has what Jenkins' container has: the host's Docker socket, a workspace at the
same path as on the host, Ansible and SSH. Jenkins itself is in no package repository: this
program calls the commands in its place, builds with the classic builder and not with BuildKit,
and never comes to `post`. Ends with one line of figures; status 0 only if all are good.
Skipped, with the reason, where Maven reaches no repository.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

sys.path[0:1] = [str(ROOT / ".collections"), *(str(ROOT / "tests" / part) for part in ("lab", "prove"))]

import ci_cases as cases  # noqa: E402
import lab  # noqa: E402
from drift_site import Failed, chosen, parser, promised, scratch  # noqa: E402


def main() -> int:
    """Parse, prove, clean up."""
    args = parser(__doc__ or "", "cases whose first line contains this").parse_args()
    figures, passed, total = cases.Figures(), 0, 0
    try:
        for topic, place_of, all_cases in cases.PLACES:
            wanted = chosen(all_cases, args.only)
            if not wanted:
                continue
            with scratch(topic, args) as directory:
                place = place_of(directory, figures)
                with place.standing(args, place.begin, place.again), place.loaded():
                    passed += sum(promised(place, case, lambda case=case, place=place: case(place)) for case in wanted)
            total += len(wanted)
    except (cases.Unreachable, cases.jenkins_conf.NoGroovy) as error:
        print(f"SKIPPED prove-ci: {error}")
        return 0
    except (Failed, lab.LabError) as error:
        print(f"prove-ci: not proved: {error}\nThe whole output is in {ROOT / '.cache'}/prove-ci*.log.")
        return 1
    print(f"prove-ci: {figures} cases={total} passed={passed} standins=jenkins")
    return 0 if passed == total and figures.failed_requests == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
