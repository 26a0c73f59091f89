# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commit the proof of upgrades starts from."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("lab", "prove")]

import drift_site  # noqa: E402
import upgrade_cases  # noqa: E402


@pytest.fixture()
def clone(tmp_path):
    """A repository, and a function that commits a version with the releases of its changelog."""
    def commit(version, *releases):
        (tmp_path / "changelogs").mkdir(exist_ok=True)
        (tmp_path / "galaxy.yml").write_text(f"---\nversion: {version}\n")
        changelog = {"ancestor": None, "releases": {one: {"changes": {"release_summary": one}} for one in releases}}
        (tmp_path / "changelogs/changelog.yaml").write_text(yaml.safe_dump(changelog))
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "--message", version)
        return git("rev-parse", "HEAD")

    def git(*arguments):
        return subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@mooring.test",
                               *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    return tmp_path, commit


def test_the_previous_release_is_the_commit_that_entered_it_into_the_changelog(clone):
    root, commit = clone
    commit("0.1.0")
    with pytest.raises(drift_site.Failed, match=r"no release before 0\.1\.0"):
        upgrade_cases.previous_release(root)
    first = commit("0.1.0", "0.1.0")
    commit("0.2.0-dev", "0.1.0")
    assert upgrade_cases.previous_release(root) == first
    second = commit("0.2.0", "0.1.0", "0.2.0")
    assert upgrade_cases.previous_release(root) == first
    commit("0.3.0-dev", "0.1.0", "0.2.0")
    assert upgrade_cases.previous_release(root) == second
    commit("0.9.0", "0.1.0", "0.2.0", "0.9.0")
    tenth = commit("0.10.0", "0.1.0", "0.2.0", "0.9.0", "0.10.0")
    commit("0.11.0-dev", "0.1.0", "0.2.0", "0.9.0", "0.10.0")
    assert upgrade_cases.previous_release(root) == tenth


def test_the_figures_are_good_only_if_every_container_is_accounted_for():
    good = upgrade_cases.Figures(containers=3, untouched=2, recreated=1, rerun_changed=0)
    assert good.good and not upgrade_cases.Figures().good
    for name in ("untouched", "restarted_without_need", "lost", "rerun_changed", "failed"):
        assert not dataclasses.replace(good, **{name: 1}).good
