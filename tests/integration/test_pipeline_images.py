# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of examples/pipeline with the machine's engine: tests in a stage, and an image named after its commit."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import shutil
import subprocess

import pytest

PIPELINE = pathlib.Path(__file__).resolve().parents[2] / "examples/pipeline"
IMAGE = f"mooringtest{secrets.token_hex(3)}/pipeline"
DOCKERFILE = """\
FROM scratch AS test
LABEL mooring.test=1 {image}
COPY app.txt /
{fails}
FROM scratch
ARG RELEASE=0.0.0
ENV RELEASE=${{RELEASE}}
LABEL mooring.test=1 {image}
COPY app.txt /
"""


def run(place, *argv, check=True, **environment):
    return subprocess.run(argv, cwd=place, capture_output=True, text=True, check=check, timeout=120, env={
        **os.environ, "IMAGE": IMAGE, "DOCKER_BUILDKIT": "0", **environment})


@pytest.fixture
def repository(tmp_path):
    """A function that makes a repository and tells its commit; its images are gone afterwards."""
    def make(fails=""):
        shutil.copytree(PIPELINE / "ci", tmp_path / "ci")
        (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(fails=fails, image=f"{IMAGE}=1"))
        (tmp_path / "app.txt").write_text("x")
        run(tmp_path, "git", "init", "--quiet")
        run(tmp_path, "git", "add", "--all")
        run(tmp_path, "git", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-m", "x")
        return tmp_path, run(tmp_path, "git", "rev-parse", "HEAD").stdout.strip()
    yield make
    # The legacy builder leaves the container of a step that failed.
    for kind, argv in (("rm", ["ps", "--all"]), ("rmi", ["images", "--all"])):
        left = run(tmp_path, "docker", *argv, "--quiet", "--filter", f"label={IMAGE}=1").stdout.split()
        if left:
            # One takes its parents along, which are named too.
            run(tmp_path, "docker", kind, "--force", *set(left), check=False)
    assert not run(tmp_path, "docker", "images", "--all", "--quiet", "--filter", f"label={IMAGE}=1").stdout


def test_an_image_is_named_after_its_commit(repository):
    place, commit = repository()
    (place / "left.txt").write_text("not committed")
    run(place, "ci/test.sh")
    run(place, "ci/build.sh")
    (image,) = json.loads(run(place, "docker", "inspect", f"{IMAGE}:{commit[:12]}").stdout)
    assert image["Config"]["Labels"]["org.opencontainers.image.revision"] == commit
    assert f"RELEASE={commit[:12]}" in image["Config"]["Env"]


# defect 17
def test_of_the_tests_images_one_is_kept(repository):
    place, _commit = repository()
    ids = set()
    for text in ("one", "two"):
        (place / "app.txt").write_text(text)
        run(place, "git", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-am", text)
        run(place, "ci/test.sh")
        ids.add(run(place, "docker", "images", "--quiet", "--no-trunc", f"{IMAGE}:test").stdout.strip())
    assert len(ids) == 2
    known = run(place, "docker", "images", "--all", "--quiet", "--no-trunc").stdout.split()
    assert len(ids & set(known)) == 1


# defect 16, 23
def test_a_stage_whose_tests_fail_ends_it(repository):
    place, _commit = repository(fails='RUN ["/tests"]')
    done = run(place, "ci/test.sh", check=False)
    assert done.returncode != 0
    assert "/tests" in done.stdout + done.stderr
