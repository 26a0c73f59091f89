# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline of examples/pipeline: read as Jenkins reads it, and its own commands carried out, stage by stage."""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import jenkins_conf  # noqa: E402

PIPELINE = ROOT / "examples/pipeline"
SCRIPTS = sorted((PIPELINE / "ci").glob("*.sh"))
DEMO = ROOT / "examples/apps/demo"
SPRING = ROOT / "examples/apps/spring-backend"
# Programs that a machine with an engine has; here each writes down how it was called, and what it read.
PROGRAM = """\
#!{python}
import json, os, pathlib, sys
name = pathlib.Path(sys.argv[0]).name
given = sys.stdin.buffer.read() if name == "docker" and not sys.stdin.isatty() else b""
with open({log!r}, "a") as log:
    print(json.dumps([name, *sys.argv[1:]]), file=log)
pathlib.Path({log!r} + "-" + name + "-stdin").write_bytes(given)
sys.exit(int(os.environ.get("FAIL_" + name.replace("-", "_"), "0")))
"""
ENVIRONMENT = {
    "APPLICATION": "shop", "IMAGE": "registry.example.com/shop", "INVENTORY": "inventories/prod",
    "REGISTRY_USER": "jenkins", "REGISTRY_PASSWORD": "a-registry-secret", "VAULT_PASSWORD_FILE": "/run/x/vault",
    "SSH_KEY_FILE": "/run/x/key", "SSH_USER": "deploy", "KNOWN_HOSTS_FILE": "/run/x/known_hosts",
}
GOOD = "import unittest\n\nfrom demo.settings import Faults\n\n\nclass Test(unittest.TestCase):\n" \
       "    def test(self):\n        self.assertTrue(Faults)\n"


@pytest.fixture(scope="module")
def pipeline():
    try:
        return jenkins_conf.declarative(jenkins_conf.groovy("parse", PIPELINE / "Jenkinsfile"))
    except jenkins_conf.NoGroovy as reason:
        pytest.skip(str(reason))


class Desk:
    """A repository with an application and the pipeline, its checkout, and programs that write down their calls."""

    def __init__(self, place, application):
        self.origin, self.workspace, self.log = place / "origin", place / "workspace", place / "calls"
        shutil.copytree(application, self.origin)
        shutil.copytree(PIPELINE / "ci", self.origin / "ci")
        shutil.copy(PIPELINE / "Jenkinsfile", self.origin)
        self.git("init", "--quiet", "--initial-branch", "main")
        (place / "bin").mkdir()
        (place / "tmp/platform").mkdir(parents=True)
        for name in ("docker", "ansible-playbook"):
            program = place / "bin" / name
            program.write_text(PROGRAM.format(python=sys.executable, log=str(self.log)))
            program.chmod(0o755)
        self.environment = {
            **os.environ, **ENVIRONMENT, "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
            "WORKSPACE_TMP": str(place / "tmp"), "TMPDIR": str(place / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
        self.said = ""

    def git(self, *argv):
        return subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *argv], cwd=self.origin,
                              capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, **files):
        for path, text in files.items():
            place = self.origin / path.replace("__", "/").replace("_py", ".py")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")
        shutil.rmtree(self.workspace, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", self.origin, self.workspace], check=True)
        return self.git("rev-parse", "HEAD")

    def sh(self, command, **environment):
        """As the step sh does it: a shell that ends at the first error."""
        done = subprocess.run(["sh", "-xe", "-c", command], cwd=self.workspace, capture_output=True, text=True,
                              check=False, env={**self.environment, **environment}, timeout=120)
        self.said += done.stdout + done.stderr
        return done.returncode

    def build(self, pipeline, **environment):
        """The stages in order up to one that fails: (those carried out, whether all went well)."""
        done = []
        for name, stage in pipeline["stages"].items():
            if not jenkins_conf.wanted(stage, {**self.environment, **environment}):
                continue
            done.append(name)
            for command in jenkins_conf.commands(stage["steps"]):
                if self.sh(command, **environment):
                    return done, False
        return done, True

    def calls(self, program):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [call[1:] for call in map(json.loads, lines) if call[0] == program]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, DEMO)


# ---------------------------------------------------------------- the Jenkinsfile


def test_the_jenkinsfile_is_what_declarative_pipeline_takes(pipeline):
    assert list(pipeline["stages"]) == ["Checkout", "Test", "Build", "Scan", "Push", "Deploy"]
    assert {call["name"] for call in pipeline["options"]} == {
        "disableConcurrentBuilds", "timeout", "timestamps", "buildDiscarder", "skipDefaultCheckout"}
    assert set(pipeline["post"]) == {"success", "unsuccessful", "always"}


def test_every_step_is_one_that_a_plugin_of_the_image_has(pipeline):
    calls = [pipeline["options"], *pipeline["post"].values()] + [
        stage["steps"] for stage in pipeline["stages"].values()]
    names = {name for call in calls for name in jenkins_conf.steps(call)}
    assert names - {""} <= set(jenkins_conf.STEPS)
    assert {jenkins_conf.STEPS[name] for name in names - {""}} - {"core"} <= set(jenkins_conf.plugins())


@pytest.mark.parametrize(("text", "said"), [
    ("pipeline { agent any\n stages { stage('a') { steps { } } } }", "has no steps"),
    ("pipeline { stages { stage('a') { steps { sh 'x' } } } }", "lacks agent"),
    ("pipeline { agent any\n stages { stage('a') { sh 'x' } } }", "stage cannot have sh"),
    ("pipeline { agent any\n steps { sh 'x' } }", "pipeline cannot have steps"),
    ("node { sh 'x' }", "is one call of pipeline"),
    ("pipeline { agent any\n stages { stage('a') { steps { sh 'x' } }", "expecting '}'"),
])
def test_one_that_is_not_is_refused(tmp_path, text, said):
    (tmp_path / "Jenkinsfile").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)):
        try:
            jenkins_conf.declarative(jenkins_conf.groovy("parse", tmp_path / "Jenkinsfile"))
        except jenkins_conf.NoGroovy as reason:
            pytest.skip(str(reason))


def test_every_command_is_a_file(pipeline):
    given = [command for stage in pipeline["stages"].values() for command in jenkins_conf.commands(stage["steps"])]
    given += [command for calls in pipeline["post"].values() for command in jenkins_conf.commands(calls)]
    assert all(re.fullmatch(r"ci/[a-z]+\.sh", command) for command in given)
    # release.sh is what the others call.
    assert {f"ci/{path.name}" for path in SCRIPTS} - set(given) == {"ci/release.sh"}


# ---------------------------------------------------------------- the files


# defect 13, 16, 17, 23
@pytest.mark.parametrize("path", [*SCRIPTS, PIPELINE / "Jenkinsfile"], ids=lambda path: path.name)
def test_nothing_is_ignored_shown_or_pruned(path):
    text = path.read_text()
    assert not re.search(r"\|\|\s*(true|:)|set \+e|set -\w*x|prune|--no-verify|skipTests|-x test|ignoreFailure", text)
    assert not re.search(r"\b(cat|echo|printenv)\b[^\n]*(PASSWORD|KEY_FILE|VAULT|NOTIFY_URL)", text)
    assert "latest" not in text
    if path.suffix == ".sh":
        assert text.startswith("#!/bin/sh\n") and "\nset -eu\n" in text
        assert os.access(path, os.X_OK)
        assert subprocess.run(["sh", "-n", path], check=False).returncode == 0


# defect 15
def test_a_commit_becomes_a_release(desk, pipeline):
    commit = desk.commit(tests__test_demo_py=GOOD)
    # What lies about in the workspace is not in the image.
    (desk.workspace / "secret.txt").write_text("x")
    done, good = desk.build(pipeline, DEPLOY="true", REGISTRY_CREDENTIAL="registry")
    assert good, desk.said
    assert done == ["Checkout", "Test", "Build", "Scan", "Push", "Deploy"]
    release = commit[:12]
    # Nothing is stopped, removed or started beside the playbook.
    (build, login, push) = desk.calls("docker")
    assert build[build.index("--tag") + 1] == f"registry.example.com/shop:{release}"
    assert f"RELEASE={release}" in build and f"org.opencontainers.image.revision={commit}" in build
    assert login == ["login", "--username", "jenkins", "--password-stdin", "registry.example.com"]
    assert push == ["push", f"registry.example.com/shop:{release}"]
    (deploy,) = desk.calls("ansible-playbook")
    assert deploy[0] == "playbooks/deploy.yml"
    assert deploy[-4:] == ["--extra-vars", "app_blue_green_only=shop",
                           "--extra-vars", f"app_blue_green_release={release}"]
    assert deploy[deploy.index("--vault-password-file") + 1] == "/run/x/vault"
    assert "-o UserKnownHostsFile=/run/x/known_hosts -o StrictHostKeyChecking=yes" in deploy
    # defect 8: in no argument, and in nothing that is shown.
    assert "a-registry-secret" not in desk.log.read_text() + desk.said
    assert list(pathlib.Path(desk.environment["TMPDIR"]).iterdir()) == [pathlib.Path(desk.environment["TMPDIR"],
                                                                                     "platform")]


# defect 14
def test_an_image_is_made_of_the_commit_alone(desk, tmp_path):
    desk.commit(tests__test_demo_py=GOOD)
    (desk.workspace / "secret.txt").write_text("x")
    assert desk.sh("ci/build.sh") == 0
    context = tmp_path / "calls-docker-stdin"
    listed = subprocess.run(["tar", "-tf", context], capture_output=True, text=True, check=True).stdout.split()
    assert "Dockerfile" in listed and "demo/app.py" in listed
    assert "secret.txt" not in listed


# defect 16, 23
def test_a_failing_test_ends_the_build_before_anything_is_built(desk, pipeline):
    desk.commit(tests__test_demo_py=GOOD.replace("assertTrue", "assertFalse"))
    done, good = desk.build(pipeline, DEPLOY="true", REGISTRY_CREDENTIAL="registry")
    assert (done, good) == (["Checkout", "Test"], False)
    assert desk.calls("docker") == desk.calls("ansible-playbook") == []


# defect 23
def test_without_tests_there_is_no_release(desk, pipeline):
    desk.commit()
    assert desk.build(pipeline, DEPLOY="true") == (["Checkout", "Test"], False)
    assert "No tests" in desk.said


# defect 16
@pytest.mark.parametrize(("fails", "last"), [("FAIL_docker", "Build"), ("FAIL_ansible_playbook", "Deploy")])
def test_a_failure_ends_the_build_where_it_happens(desk, pipeline, fails, last):
    desk.commit(tests__test_demo_py=GOOD)
    done, good = desk.build(pipeline, DEPLOY="true", **{fails: "3"})
    assert (done[-1], good) == (last, False)


def test_a_job_without_deploy_only_builds(desk, pipeline):
    desk.commit(tests__test_demo_py=GOOD)
    assert desk.build(pipeline) == (["Checkout", "Test", "Build", "Scan"], True)
    assert desk.calls("ansible-playbook") == []


def test_the_deployment_is_one_that_ansible_understands(desk, tmp_path):
    desk.commit()
    real = pathlib.Path(sys.executable).parent / "ansible-playbook"
    (tmp_path / "bin/ansible-playbook").write_text(f'#!/bin/sh\nexec {real} "$@" --syntax-check\n')
    (tmp_path / "vault").write_text("x")
    code = desk.sh("ci/deploy.sh", PLATFORM_DIRECTORY=str(ROOT), INVENTORY="inventories/local",
                   VAULT_PASSWORD_FILE=str(tmp_path / "vault"))
    assert code == 0 and "playbook: playbooks/deploy.yml" in desk.said, desk.said


def test_what_differs_from_the_commit_gets_no_name_of_it(desk):
    desk.commit(tests__test_demo_py=GOOD)
    (desk.workspace / "Dockerfile").write_text("FROM scratch\n")
    assert desk.sh("ci/build.sh") != 0
    assert "an image of them would have a name that lies" in desk.said
    assert desk.calls("docker") == []


# defect 23
def test_the_tests_of_the_spring_example_run_in_its_build(tmp_path):
    desk = Desk(tmp_path, SPRING)
    desk.commit()
    assert desk.sh("ci/test.sh") == 0
    (build,) = [call for call in desk.calls("docker") if call[0] == "build"]
    assert build == ["build", "--target", "build", "--tag", "registry.example.com/shop:test", "-"]
    assert "mvn --batch-mode --quiet package" in (SPRING / "Dockerfile").read_text()


def test_a_scanner_is_pinned_by_its_digest(desk):
    desk.commit(tests__test_demo_py=GOOD)
    assert desk.sh("ci/scan.sh", SCAN_IMAGE="registry.example.com/trivy:0.72.0") != 0
    assert "pinned by its digest" in desk.said and desk.calls("docker") == []
    pinned = f"registry.example.com/trivy@sha256:{'0' * 64}"
    assert desk.sh("ci/scan.sh", SCAN_IMAGE=pinned) == 0
    (call,) = desk.calls("docker")
    assert call[call.index(pinned):][:4] == [pinned, "image", "--exit-code", "1"]
    assert desk.sh("ci/scan.sh", SCAN_IMAGE=pinned, FAIL_docker="1") != 0


class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_arguments):
        """Not into the output of the tests."""


@pytest.mark.parametrize(("status", "good"), [(200, True), (404, False)])
def test_a_notice_is_json_whatever_a_job_is_called(desk, status, good):
    desk.commit()
    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.got, server.status = [], status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = desk.sh("ci/notify.sh", RESULT="FAILURE", JOB_NAME='shop "x"\n@all', BUILD_NUMBER="7",
                       BUILD_URL="https://platform.example.com/jenkins/job/shop/7/",
                       NOTIFY_URL=f"http://127.0.0.1:{server.server_port}/hooks/a-secret")
        server.shutdown()
    assert (code == 0) == good
    ((path, body),) = server.got
    assert path == "/hooks/a-secret"
    assert json.loads(body)["text"] == (
        'shop "x"\n@all 7: FAILURE https://platform.example.com/jenkins/job/shop/7/')
    assert "a-secret" not in desk.said


# ---------------------------------------------------------------- its README


def test_the_readme_declares_what_the_jenkinsfile_asks_for():
    text = (PIPELINE / "README.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    declared = yaml.safe_load(block)
    (job,) = declared["jenkins_dood_jobs"]
    source = (PIPELINE / "Jenkinsfile").read_text()
    provided = {"WORKSPACE_TMP"}
    assert set(re.findall(r"env\.([A-Z_]+)", source)) - provided <= set(job["environment"])
    credentials = {one["id"]: one["type"] for one in declared["jenkins_dood_credentials"]}
    for kind, name in re.findall(r"(file|sshUserPrivateKey)\(credentialsId: '([^']+)'", source):
        assert credentials[name] == kind
    for variable, kind in (("REGISTRY_CREDENTIAL", "usernamePassword"), ("NOTIFY_CREDENTIAL", "string"),
                           ("PLATFORM_CREDENTIAL", "usernamePassword")):
        assert credentials[job["environment"][variable]] == kind
