# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of jenkins_dood is built and used, with images of our own where the official ones come from a registry:
one that has Debian's Docker command where that has it, and one with an installer of plugins that writes down which."""

from __future__ import annotations

import os
import pathlib
import re
import secrets
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPE = ROOT / "roles/jenkins_dood/files/image"
CA_BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
NAME = f"mooringtest{secrets.token_hex(3)}"
JENKINS = """\
FROM mooring.lab/base:trixie
RUN useradd --uid 1000 --create-home --home-dir /var/jenkins_home jenkins
ENV JENKINS_VERSION=2.568.2
COPY jenkins-plugin-cli /bin/jenkins-plugin-cli
USER jenkins
"""
INSTALLER = """\
#!/bin/sh
set -eu
test "$*" = "--war /usr/share/jenkins/jenkins.war --plugin-file plugins.txt --plugin-download-directory ref/plugins \
--latest=false"
mkdir -p ref/plugins
grep '^[a-z]' plugins.txt | while IFS=: read -r id version; do echo "$version" >"ref/plugins/$id.jpi"; done
"""
DOCKER = """\
FROM mooring.lab/node:trixie-engine AS engine
FROM mooring.lab/base:trixie
COPY --from=engine /usr/bin/docker /usr/local/bin/docker
COPY --from=engine /usr/libexec/docker/cli-plugins/ /usr/local/libexec/docker/cli-plugins/
"""


def build(place, tag, **arguments):
    """Build a directory; what the engine said if it could not."""
    proxies = {name: value for name, value in os.environ.items() if re.fullmatch(r"(?i)(https?|no)_proxy", name)}
    words = [word for name, value in {**proxies, **arguments}.items() for word in ("--build-arg", f"{name}={value}")]
    done = subprocess.run(
        ["docker", "build", "--quiet", "--force-rm", "--label", "mooring.test=1", "--label", f"{NAME}=1", "--tag",
         f"{NAME}/{tag}:1", *words, str(place)], capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "DOCKER_BUILDKIT": "0"})
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The recipe as distro_images sends it, beside the two images that it is built of."""
    place = tmp_path_factory.mktemp("jenkins")
    for name, files in (("jenkins", {"Dockerfile": JENKINS, "jenkins-plugin-cli": INSTALLER}),
                        ("docker", {"Dockerfile": DOCKER})):
        (place / name).mkdir()
        for file, text in files.items():
            (place / name / file).write_text(text)
            (place / name / file).chmod(0o755)
        assert not build(place / name, name)
    shutil.copytree(RECIPE, place / "recipe")
    shutil.copy(CA_BUNDLE, place / "recipe/host-ca-certificates.crt")
    yield place / "recipe"
    # What others are made of goes after them only, and some take their parents along.
    for _round in range(4):
        left = subprocess.run(["docker", "images", "--all", "--quiet", "--filter", f"label={NAME}=1"],
                              capture_output=True, text=True, check=True).stdout.split()
        if left:
            subprocess.run(["docker", "rmi", "--force", *set(left)], capture_output=True, check=False)


def images(plugins):
    return {"JENKINS_IMAGE": f"{NAME}/jenkins:1", "DOCKER_IMAGE": f"{NAME}/docker:1", "PLUGINS": plugins}


# defect 10, 11
def test_the_image_can_do_what_pipelines_need(recipe):
    assert not build(recipe, "out", **images("matrix-auth:3.3 git:9.9"))
    asked = ("id -u; cd /usr/share/jenkins/ref; cat jenkins.install.UpgradeWizard.state plugins/git.jpi "
             "plugins/matrix-auth.jpi; ls plugins | wc -l; docker compose version --short; docker buildx version;"
             " ansible-playbook --version | head -n 1; git version; "
             "/opt/ansible/bin/python -c 'import bcrypt, jmespath, kafka'")
    said = subprocess.run(
        ["docker", "run", "--rm", "--label", "mooring.test=1", "--read-only", "--tmpfs", "/tmp", "--env", "HOME=/tmp",
         "--network", "none", f"{NAME}/out:1", "sh", "-ec", asked],
        capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    known = len(re.findall(r"^[a-z]", (RECIPE / "plugins.txt").read_text(), re.MULTILINE))
    assert said[:5] == ["1000", "2.568.2", "9.9", "3.3", str(known + 1)]
    wanted = re.search(r"^ansible-core==(\S+)$", (RECIPE / "requirements.txt").read_text(), re.MULTILINE)[1]
    assert f"ansible-playbook [core {wanted}]" in said
    assert re.fullmatch(r"v?2\.\d+\.\S+", said[5])


def test_a_plugin_without_a_version_is_no_image(recipe):
    assert "'matrix-auth' is no plugin with a version" in build(recipe, "none", **images("matrix-auth"))
