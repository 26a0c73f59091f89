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
import signal
import subprocess
import sys
import threading
import time

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
import json, os, pathlib, sys, time
name = pathlib.Path(sys.argv[0]).name
with open({log!r}, "a") as log:
    print(json.dumps([name, *sys.argv[1:]]), file=log)
if sys.argv[1] == "login":
    # As the real one does it.
    pathlib.Path(os.environ["DOCKER_CONFIG"], "config.json").write_text(sys.stdin.read())
if sys.argv[1] == "build":
    context = pathlib.Path(sys.argv[-1])
    pathlib.Path({log!r} + "-context").write_text(json.dumps(sorted(
        str(path.relative_to(context)) for path in context.rglob("*"))))
if sys.argv[1] == os.environ.get("HANG"):
    pathlib.Path({log!r} + "-hangs").touch()
    time.sleep(60)
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
        self.directory = place / "tmp"

    def left(self):
        """What a step left behind in its directory."""
        return sorted(path.name for path in self.directory.iterdir() if path.name != "platform")

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
        "timeout", "timestamps", "skipDefaultCheckout"}


def test_a_notice_that_fails_is_no_failed_deployment(pipeline):
    """Declarative calls `always` before it decides between `success` and `unsuccessful`, and `cleanup` after all."""
    assert set(pipeline["post"]) == {"cleanup"}
    (script,) = pipeline["post"]["cleanup"]
    (told, notice) = script["inside"]
    # What was never checked out has no commit but that of the push.
    assert told["arguments"] == ["!env.COMMIT"]
    assert [one["name"] for one in told["inside"]] == ["updateGitlabCommitStatus"]
    (caught,) = notice["inside"]
    assert (caught["name"], caught["arguments"][0]["buildResult"]) == ("catchError", "SUCCESS")


def test_gitlab_is_told_of_the_commit_that_was_checked_out():
    """The step posts that it runs, and what became of it, in any case also that it was aborted."""
    text = (PIPELINE / "Jenkinsfile").read_text()
    assert "env.COMMIT = checkout(scm).GIT_COMMIT" in text
    assert "[[projectId: env.GITLAB_PROJECT, revisionHash: env.COMMIT]]" in text
    try:
        (pipeline, *_functions) = jenkins_conf.groovy("parse", PIPELINE / "Jenkinsfile")
    except jenkins_conf.NoGroovy as reason:
        pytest.skip(str(reason))
    (stages,) = [call for call in pipeline["inside"] if call["name"] == "stages"]
    (step,) = stages["inside"][1]["inside"][0]["inside"][0]["inside"]
    assert step["name"] == "gitlabCommitStatus"
    assert [call["name"] for call in step["inside"]] == ["stage", "stage", "stage", "if", "if"]


def test_every_step_is_one_that_a_plugin_of_the_image_has(pipeline):
    calls = [pipeline["options"], *pipeline["post"].values(), *pipeline["functions"].values()] + [
        stage["steps"] for stage in pipeline["stages"].values()]
    # `commands` is what a function is given.
    own = {"", "if", "commands", *pipeline["functions"]}
    names = {name for call in calls for name in jenkins_conf.steps(call)} - own
    assert names <= set(jenkins_conf.STEPS)
    assert {jenkins_conf.STEPS[name] for name in names} <= set(jenkins_conf.plugins())
    assert {"stage", "gitlabCommitStatus", "checkout"} <= set(jenkins_conf.STEPS)


@pytest.mark.parametrize(("text", "said"), [
    ("pipeline { agent any\n stages { stage('a') { steps { } } } }", "has no steps"),
    ("pipeline { stages { stage('a') { steps { sh 'x' } } } }", "lacks agent"),
    ("pipeline { agent any\n stages { stage('a') { sh 'x' } } }", "stage cannot have sh"),
    ("pipeline { agent any\n steps { sh 'x' } }", "pipeline cannot have steps"),
    ("node { sh 'x' }", "is one call of pipeline"),
    ("pipeline { agent any\n stages { stage('a') { when { x }\n steps { sh 'x' } } } }", "a when, which nobody here"),
    ("pipeline { agent any\n stages { stage('a') { steps { script { sh 'x'\n stage('b') { sh 'y' } } } } } }",
     "commands outside of the stages in it"),
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
    assert all(re.fullmatch(r"ci/[a-z]+\.sh", command) for command in given)
    # What the others call, and what they read.
    assert {f"ci/{path.name}" for path in SCRIPTS} - set(given) == {"ci/release.sh", "ci/place.sh"}


def test_a_condition_that_nobody_here_reads_is_none():
    assert jenkins_conf.wanted({"if": ["env.A", "(env.B == yes)"]}, {"A": "x", "B": "yes"})
    assert not jenkins_conf.wanted({"if": ["env.A"]}, {"A": ""})
    assert not jenkins_conf.wanted({"if": ["(env.B == yes)"]}, {"B": "no"})
    with pytest.raises(ValueError, match="no condition that is known: !env.A"):
        jenkins_conf.wanted({"if": ["!env.A"]}, {})


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
    (_login, _login, build, login, push) = desk.calls("docker")
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
    assert desk.left() == []
    assert deploy[deploy.index("ansible_user=deploy") - 1:][:2] == ["--extra-vars", "ansible_user=deploy"]


# defect 14
def test_an_image_is_made_of_the_commit_alone(desk, tmp_path):
    desk.commit(tests__test_demo_py=GOOD)
    (desk.workspace / "secret.txt").write_text("x")
    assert desk.sh("ci/build.sh") == 0
    listed = json.loads((tmp_path / "calls-context").read_text())
    assert "Dockerfile" in listed and "demo/app.py" in listed
    assert "secret.txt" not in listed


@pytest.mark.parametrize("script", ["build", "test"])
def test_what_dockerignore_names_is_left_to_docker(desk, tmp_path, script):
    """Of an archive BuildKit would not read the file, so a directory it is."""
    desk.commit(**{"Dockerfile": "FROM scratch AS test\n", ".dockerignore": "secret.txt\n"})
    assert desk.sh(f"ci/{script}.sh") == 0
    (build,) = [call for call in desk.calls("docker") if call[0] == "build"]
    assert pathlib.Path(build[-1]).name == "context" and build[-1] != "-"
    assert ".dockerignore" in json.loads((tmp_path / "calls-context").read_text())
    assert desk.left() == []


@pytest.mark.parametrize(("image", "registry"), [
    ("registry.example.com/shop", "registry.example.com"), ("registry:5000/shop", "registry:5000"),
    ("localhost/shop", "localhost"), ("team/shop", "docker.io"), ("shop", "docker.io"),
])
def test_the_login_is_where_docker_looks_for_the_image(desk, image, registry):
    desk.commit(tests__test_demo_py=GOOD)
    assert desk.sh("ci/push.sh", IMAGE=image) == 0
    assert desk.calls("docker")[0] == ["login", "--username", "jenkins", "--password-stdin", registry]
    # Base images may be private.
    assert desk.sh("ci/build.sh", IMAGE=image) == 0
    assert [call[0] for call in desk.calls("docker")] == ["login", "push", "login", "build"]
    desk.environment.pop("REGISTRY_PASSWORD")
    assert desk.sh("ci/build.sh", IMAGE=image) == 0
    assert [call[0] for call in desk.calls("docker")][4:] == ["build"]
    assert desk.sh("ci/push.sh", IMAGE=image) != 0


def test_tests_do_not_see_the_password_of_the_registry(desk):
    desk.commit(tests__test_demo_py="import os, unittest\nclass Test(unittest.TestCase):\n    def test(self):\n"
                "        self.assertNotIn('REGISTRY_PASSWORD', os.environ)\n")
    assert desk.sh("ci/test.sh") == 0, desk.said


@pytest.mark.parametrize(("script", "where"), [("push", "push"), ("build", "build"), ("test", "build")])
@pytest.mark.parametrize("number", [15, 1, 2])
def test_an_aborted_step_takes_its_login_along(desk, tmp_path, script, where, number):
    """Jenkins sends SIGTERM to every process of the build; dash then leaves out what it was to do at its end."""
    desk.commit(Dockerfile="FROM scratch AS test\n")
    # A shell cannot trap what was ignored when it began, as nohup does with one of them.
    before = {one: signal.signal(one, signal.SIG_DFL) for one in (signal.SIGHUP, signal.SIGINT)}
    process = subprocess.Popen([f"ci/{script}.sh"], cwd=desk.workspace, env={**desk.environment, "HANG": where},
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    for one, handler in before.items():
        signal.signal(one, handler)
    deadline = time.monotonic() + 20
    while not (tmp_path / "calls-hangs").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    (place,) = desk.directory.glob("step.*")
    assert (place / "docker/config.json").read_text() == "a-registry-secret"
    assert (place / "docker").stat().st_mode & 0o077 == 0
    os.killpg(process.pid, number)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert desk.left() == []


# defect 16, 23
def test_a_failing_test_ends_the_build_before_anything_is_built(desk, pipeline):
    desk.commit(tests__test_demo_py=GOOD.replace("assertTrue", "assertFalse"))
    done, good = desk.build(pipeline, DEPLOY="true", REGISTRY_CREDENTIAL="registry")
    assert (done, good) == (["Checkout", "Test"], False)
    assert [call[0] for call in desk.calls("docker")] == ["login"]
    assert desk.calls("ansible-playbook") == []


# defect 23
def test_without_tests_there_is_no_release(desk, pipeline):
    desk.commit()
    assert desk.build(pipeline, DEPLOY="true") == (["Checkout", "Test"], False)
    assert "No tests" in desk.said


# defect 23
@pytest.mark.parametrize(("dockerfile", "environment", "stage"), [
    ("FROM a AS build\nFROM build AS test\n", {}, "test"),
    ("FROM a as Test\nFROM a\n", {}, "Test"),
    ("from a  AS  test \r\nFROM a\r\n", {}, "test"),
    ("FROM --platform=linux/amd64 a AS test\n", {}, "test"),
    ("FROM a AS build\nFROM build AS test\n", {"TEST_STAGE": "check"}, "check"),
    ("FROM a AS build\nFROM a\n", {"TEST_STAGE": "build"}, "build"),
    ("FROM a AS build\nFROM a\n", {}, None),
    ("FROM a AS testing\nFROM test\n# FROM a AS test\n", {}, None),
])
def test_a_stage_that_may_leave_the_tests_out_is_none_of_tests(desk, dockerfile, environment, stage):
    desk.commit(Dockerfile=dockerfile)
    status = desk.sh("ci/test.sh", **environment)
    built = [call[call.index("--target") + 1] for call in desk.calls("docker") if call[0] == "build"]
    assert (status == 0, built) == (stage is not None, [stage] if stage else [])
    assert stage or "No tests" in desk.said


# defect 16
@pytest.mark.parametrize(("fails", "last"), [("FAIL_docker", "Test"), ("FAIL_ansible_playbook", "Deploy")])
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


def test_what_stays_on_an_agent_is_not_deployed(desk):
    desk.commit(tests__test_demo_py=GOOD)
    assert desk.sh("ci/deploy.sh", NODE_NAME="builder-1") != 0
    assert "was built on builder-1 and pushed nowhere" in desk.said and desk.calls("ansible-playbook") == []
    assert desk.sh("ci/deploy.sh", NODE_NAME="builder-1", REGISTRY_CREDENTIAL="registry") == 0
    assert desk.sh("ci/deploy.sh", NODE_NAME="built-in") == 0
    assert desk.sh("ci/deploy.sh") == 0


# defect 23
def test_the_tests_of_the_spring_example_run_in_its_build(tmp_path):
    desk = Desk(tmp_path, SPRING)
    desk.commit()
    assert desk.sh("ci/test.sh", TEST_STAGE="build") == 0
    (build,) = [call for call in desk.calls("docker") if call[0] == "build"]
    assert build[:-1] == ["build", "--target", "build", "--tag", "registry.example.com/shop:test"]
    assert "mvn --batch-mode --quiet package" in (SPRING / "Dockerfile").read_text()


def test_a_scanner_is_pinned_by_its_digest(desk):
    desk.commit(tests__test_demo_py=GOOD)
    assert desk.sh("ci/scan.sh", SCAN_IMAGE="registry.example.com/trivy:0.72.0") != 0
    assert "pinned by its digest" in desk.said and desk.calls("docker") == []
    pinned = f"registry.example.com/trivy@sha256:{'0' * 64}"
    assert desk.sh("ci/scan.sh", SCAN_IMAGE=pinned) == 0
    (call,) = desk.calls("docker")
    assert call[call.index(pinned):][:6] == [pinned, "image", "--cache-dir", "/cache", "--exit-code", "1"]
    assert call[call.index("scan-cache:/cache") - 1] == "--volume"
    assert desk.sh("ci/scan.sh", SCAN_IMAGE=pinned, FAIL_docker="1") != 0


class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_arguments):
        """Not into the output of the tests."""


@pytest.mark.parametrize(("status", "good"), [(200, True), (404, False)])
def test_a_notice_is_json_whatever_a_job_is_called(desk, pipeline, status, good):
    """Also where the checkout failed, and nothing of the repository is there."""
    desk.workspace.mkdir()
    (command,) = jenkins_conf.commands(pipeline["post"]["cleanup"])
    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.got, server.status = [], status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = desk.sh(command, RESULT="FAILURE", JOB_NAME='shop "x"\n@all', BUILD_NUMBER="7",
                       BUILD_URL="https://platform.example.com/jenkins/job/shop/7/",
                       NOTIFY_URL=f"http://127.0.0.1:{server.server_port}/hooks/a-secret")
        server.shutdown()
    assert (code == 0) == good
    ((path, body),) = server.got
    assert path == "/hooks/a-secret"
    assert json.loads(body)["text"] == (
        'shop "x"\n@all 7 FAILURE https://platform.example.com/jenkins/job/shop/7/')
    assert "a-secret" not in desk.said


# ---------------------------------------------------------------- its README


def test_the_readme_declares_what_the_jenkinsfile_asks_for():
    text = (PIPELINE / "README.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    declared = yaml.safe_load(block)
    (job,) = declared["jenkins_dood_jobs"]
    source = (PIPELINE / "Jenkinsfile").read_text()
    provided = {"WORKSPACE_TMP", "COMMIT"}
    assert set(re.findall(r"env\.([A-Z_]+)", source)) - provided <= set(job["environment"])
    credentials = {one["id"]: one["type"] for one in declared["jenkins_dood_credentials"]}
    for kind, name in re.findall(r"(file|sshUserPrivateKey)\(credentialsId: '([^']+)'", source):
        assert credentials[name] == kind
    for variable, kind in (("REGISTRY_CREDENTIAL", "usernamePassword"), ("NOTIFY_CREDENTIAL", "string"),
                           ("PLATFORM_CREDENTIAL", "usernamePassword")):
        assert credentials[job["environment"][variable]] == kind
