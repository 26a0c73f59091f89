# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of the pipeline, one function each, on nodes of the proof's own; the docstrings name it."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import threading
import time
import typing as t

import jenkins_conf
import lab
import load
import spring
import yaml
from drift_site import IMAGES, NAME, PORT, ROOT, Failed, Site, expect

PIPELINE = ROOT / "examples/pipeline"
RUNNER = "runner"
WORKSPACES = "/opt/mooring/jenkins_dood/workspace"
# What Jenkins' image has of what the pipeline uses, from Debian's packages.
RUNNER_IMAGE = "mooring.lab/runner:trixie"
RUNNER_RECIPE = """\
FROM mooring.lab/base:trixie
LABEL mooring.test=1
RUN apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \\
        ansible-core ca-certificates curl docker-cli git openssh-client python3 python3-bcrypt python3-jmespath \\
    && rm -rf /var/lib/apt/lists/* && useradd --uid 1000 --create-home jenkins
"""
CA_BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
SECRET = "sentinel-of-the-vault"
GIT = ("git", "-c", "user.name=lab", "-c", "user.email=lab@example.com")
TEST = "import unittest\n\nfrom demo.settings import Faults\n\n\nclass Test(unittest.TestCase):\n" \
       "    def test(self):\n        self.assert{}(Faults)\n"
TEST_FILE = "tests/test_demo.py"
CLIENTS, PAUSE = 20, 0.05


class Unreachable(Exception):
    """This machine cannot build it."""


@dataclasses.dataclass
class Figures:
    """What the last line says."""

    builds: int = 0
    deploys: int = 0
    failed_requests: int = 0
    requests: int = 0
    blocked_by_tests: int = 0

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in dataclasses.asdict(self).items())


@dataclasses.dataclass(frozen=True)
class Build:
    """What became of a build: the stages that were carried out, whether all went well, and what it printed."""

    commit: str
    stages: list[str]
    good: bool
    output: str

    @property
    def release(self) -> str:
        """By which the image is tagged."""
        return self.commit[:12]


class Place(Site):
    """A node with the platform, a repository with an application and the pipeline, and who carries out its commands."""

    application = image = ""
    # What the job declares beside what every job does.
    environment: t.ClassVar[dict[str, str]] = {}
    sources = ROOT

    def __init__(self, directory: pathlib.Path, figures: Figures, topic: str, extra: dict[str, dict[str, t.Any]],
                 name: str, port: int) -> None:
        super().__init__(directory, topic, extra, IMAGES)
        self.figures, self.name, self.port = figures, name, port
        self.repository = directory / "repository"
        try:
            self.pipeline = jenkins_conf.declarative(jenkins_conf.groovy("parse", PIPELINE / "Jenkinsfile"))
        except ValueError as error:
            raise Failed(f"the Jenkinsfile is none: {error}") from error
        self.clients: load.Load | None = None

    # -- from nothing -------------------------------------------------------

    def begin(self) -> None:
        """From a bare node to the declared release, with a runner beside it."""
        lab.need_base("trixie")
        if RUNNER_IMAGE not in lab.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split():
            self.say("building the runner")
            subprocess.run(["docker", "build", "--quiet", "--tag", RUNNER_IMAGE, "-"], input=RUNNER_RECIPE.encode(),
                           check=True, stdout=subprocess.DEVNULL)
        self.platform()
        self.node.load([RUNNER_IMAGE, "mooring.lab/base:trixie"])
        self.again()

    def platform(self) -> None:
        """The engine, the stores, the proxy."""
        raise NotImplementedError

    def again(self) -> None:
        """A runner, the platform's repository and the application's."""
        self.sh(f"docker rm --force {RUNNER} 2>/dev/null || true; rm -rf {WORKSPACES}; "
                f"install -d {WORKSPACES} /srv/git /srv/secrets; chown 1000:1000 {WORKSPACES}")
        self.bring(self.platform_files(), "/srv/platform")
        socket = self.sh("stat -c %g /var/run/docker.sock").strip()
        self.sh(f"docker run --detach --init --name {RUNNER} --user 1000:1000 --group-add {socket} "
                "--volume /var/run/docker.sock:/var/run/docker.sock:ro "
                f"--volume {WORKSPACES}:{WORKSPACES} --volume /srv:/srv:ro {RUNNER_IMAGE} sleep infinity")
        key = lab.KEY.read_bytes()
        self.bring({"key": key, "vault": f"{SECRET}\n".encode()}, "/srv/secrets", owner=1000)
        self.sh(f"ssh-keyscan -T 10 {self.node.address()} > /srv/secrets/known_hosts 2>/dev/null; "
                "chown 1000 /srv/secrets/known_hosts")
        shutil.rmtree(self.repository, ignore_errors=True)
        shutil.copytree(self.sources, self.repository, ignore=shutil.ignore_patterns("target", "__pycache__"))
        shutil.copytree(PIPELINE / "ci", self.repository / "ci")
        shutil.copy(PIPELINE / "Jenkinsfile", self.repository)
        self.git("init", "--quiet", "--initial-branch", "main")

    def platform_files(self) -> dict[str, bytes]:
        """This collection, as the team's repository of the platform, with an inventory that reaches the node by SSH."""
        files = {str(path.relative_to(self.code)): path.read_bytes() for path in self.code.rglob("*")
                 if path.is_file() and not path.is_symlink() and ".git" not in path.parts[:len(self.code.parts) + 1]}
        for path in self.inventory.rglob("*"):
            if path.is_file():
                files[f"inventories/node/{path.relative_to(self.inventory)}"] = path.read_bytes()
        host = json.loads(files.pop("inventories/node/host_vars/local.yml"))
        # The key, the user and the known hosts are those that the pipeline brings.
        host = {name: value for name, value in host.items() if name in ("ansible_host", "ansible_connection")}
        files["inventories/node/host_vars/local.yml"] = json.dumps(host).encode()
        everywhere = yaml.safe_load(files["inventories/node/group_vars/all/zz_drift.yml"])
        # One that cannot do it: that of the pipeline has to win.
        everywhere["ansible_user"] = "nobody"
        files["inventories/node/group_vars/all/zz_drift.yml"] = json.dumps(everywhere).encode()
        return files

    def bring(self, files: dict[str, bytes], directory: str, owner: int = 0) -> None:
        """Files into the node."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.uid, entry.gid = len(data), owner, owner
                entry.mode = 0o600 if owner else 0o755 if name.endswith(".sh") else 0o644
                archive.addfile(entry, io.BytesIO(data))
            if "ansible.cfg" in files:
                link = tarfile.TarInfo(".collections/ansible_collections/mooring/stack")
                link.type, link.linkname = tarfile.SYMTYPE, "../../.."
                archive.addfile(link)
        self.sh(f"rm -rf {directory}; install -d -o {owner} {directory}")
        subprocess.run(["docker", "exec", "-i", self.node.container, "tar", "-xf", "-", "-C", directory],
                       input=content.getvalue(), check=True)

    @contextlib.contextmanager
    def loaded(self) -> t.Iterator[None]:
        """Under load, from clients that never retry."""
        results: dict[str, t.Any] = {}
        self.clients = load.Load(argparse.Namespace(
            address=self.node.address(), port=self.port, name=self.name, plain=False, path="/api/hello",
            header="X-Release", connections=CLIENTS, pause=PAUSE, seconds=7200, watched=None))
        thread = threading.Thread(target=lambda: results.update(self.clients.run()))
        thread.start()
        try:
            yield
        finally:
            self.clients.stop.set()
            thread.join()
            self.figures.requests += results["requests"]
            self.figures.failed_requests += results["failed"]
            self.say(f"       {results['requests']} requests, {results['failed']} failed: {results['errors'][:5]}")
            if results["failed"]:
                # Into the log of this proof, because the node is about to go.
                for colour in ("blue", "green"):
                    self.sh(f"docker logs --tail 500 mooring-{self.application}-{colour}-app-1", check=False)

    # -- builds ---------------------------------------------------------------

    def git(self, *arguments: str) -> str:
        """In the developer's repository."""
        return subprocess.run([*GIT, *arguments], cwd=self.repository, capture_output=True, text=True,
                              check=True).stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        """A commit that was pushed, with these files; None removes one."""
        for name, text in files.items():
            path = self.repository / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")
        bundle = self.scratch / "repository.bundle"
        self.git("bundle", "create", "--quiet", str(bundle), "main")
        self.bring({"shop.bundle": bundle.read_bytes()}, "/srv/git")
        return self.git("rev-parse", "HEAD")

    def build(self, commit: str, job: str = "job", **environment: str) -> Build:
        """A build of this commit, stage by stage up to one that fails."""
        self.figures.builds += 1
        workspace = f"{WORKSPACES}/{job}"
        given = {
            "WORKSPACE": workspace, "WORKSPACE_TMP": f"{workspace}@tmp", "HOME": f"{workspace}@tmp",
            "DOCKER_BUILDKIT": "0", "APPLICATION": self.application, "IMAGE": self.image, "DEPLOY": "true",
            "INVENTORY": "inventories/node", "PLATFORM_DIRECTORY": f"{workspace}@tmp/platform",
            "VAULT_PASSWORD_FILE": "/srv/secrets/vault",
            "SSH_KEY_FILE": "/srv/secrets/key", "SSH_USER": "root", "KNOWN_HOSTS_FILE": "/srv/secrets/known_hosts",
            "ANSIBLE_NOCOLOR": "1", "USER": "jenkins", **self.environment, **environment}
        # The steps checkout and git, which are no commands.
        status, output = self.in_runner(
            f"rm -rf {workspace} {workspace}@tmp && git clone --quiet --branch main /srv/git/shop.bundle {workspace} "
            f"&& cd {workspace} && git checkout --quiet {commit} && mkdir -p {workspace}@tmp && "
            f"cp -r /srv/platform {workspace}@tmp/platform", given, "/tmp")
        expect(not status, "the checkout failed:", output)
        done: list[str] = []
        for name, stage in self.pipeline["stages"].items():
            if not jenkins_conf.wanted(stage, given):
                continue
            done.append(name)
            for command in jenkins_conf.commands(stage["steps"]):
                status, said = self.in_runner(command, given, workspace)
                output += said
                if status:
                    self.write(output)
                    return Build(commit, done, False, output)
        self.write(output)
        return Build(commit, done, True, output)

    def in_runner(self, command: str, environment: dict[str, str], directory: str) -> tuple[int, str]:
        """As the step sh does it: a shell that ends at the first error."""
        variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        done = subprocess.run(
            ["docker", "exec", self.node.container, "docker", "exec", *variables, "--workdir", directory, RUNNER,
             "sh", "-xe", "-c", command], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def serving(self) -> str:
        """The release that answers."""
        client = load.Client(self.node.address(), self.port, self.name, plain=False)
        client.request("GET", "/api/hello", headers={"Host": f"{self.name}:{self.port}".removesuffix(":443")})
        answer = client.getresponse()
        answer.read()
        return answer.getheader("X-Release") or ""

    # -- what is expected -----------------------------------------------------------

    def expect_deployed(self, build: Build) -> None:
        """All stages, and this commit answers."""
        expect(build.good and build.stages[-1] == "Deploy", "the build failed:", build.output[-3000:])
        expect(self.serving() == build.release, f"{build.release} does not serve, but", self.serving())
        entry = json.loads(self.sh(f"cat /opt/mooring/app_blue_green/{self.application}.json"))["history"][-1]
        expect((entry["release"], entry["by"]) == (build.release, "jenkins"), "the record says", entry)
        revision = self.sh("docker image inspect -f '{{index .Config.Labels \"org.opencontainers.image.revision\"}}' "
                           f"{self.image}:{build.release}").strip()
        expect(revision == build.commit, "the image is of another commit:", revision)
        expect(SECRET not in build.output, "a secret was printed")
        self.figures.deploys += 1

    def expect_blocked(self, build: Build, before: str, said: str) -> None:
        """Ended by its tests, which say so: no image, and what served before serves."""
        expect((build.stages, build.good) == (["Checkout", "Test"], False), "the tests did not end it:", build.stages)
        expect(said in build.output, f"it does not say '{said}':", build.output[-2000:])
        expect(self.serving() == before, f"{before} served before, and now", self.serving())
        images = self.sh("docker images --format '{{.Repository}}:{{.Tag}}'").split()
        expect(f"{self.image}:{build.release}" not in images, "an image was made")
        self.figures.blocked_by_tests += 1


class Demo(Place):
    """The demo application on inventories/local."""

    application, image = "demo", "mooring.local/demo"
    sources = ROOT / "examples/apps/demo"

    def __init__(self, directory: pathlib.Path, figures: Figures) -> None:
        super().__init__(directory, figures, "ci", {
            "all": {"ansible_connection": "ssh", "ansible_user": "root"},
            "nginx_certbot": {"nginx_certbot_https_bind": f"0.0.0.0:{PORT}", "nginx_certbot_renewal": "host"}},
            NAME, PORT)

    def platform(self) -> None:
        """Everything but monitoring."""
        self.start("--skip-tags", "monitoring,status")

    def again(self) -> None:
        """The lab's base takes the place of Debian's image."""
        super().again()
        dockerfile = self.repository / "Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("debian:trixie-slim", "mooring.lab/base:trixie"))


class Spring(Place):
    """The Spring example as its README declares it."""

    application = "shop"
    environment: t.ClassVar[dict[str, str]] = {"TEST_STAGE": "build"}
    sources = spring.APPLICATION

    def __init__(self, directory: pathlib.Path, figures: Figures) -> None:
        self.declared = json.loads(json.dumps(spring.variables(
            vault_shop_mysql_password="sentinel-mysql-1", vault_shop_redis_password="sentinel-redis-1",
        )).replace("shop.example.com", "shop.test"))
        (application,) = self.declared["app_blue_green_applications"]
        self.image = application["image"]
        super().__init__(directory, figures, "ci-spring", {
            "all": {"ansible_connection": "ssh", "ansible_user": "root", "mooring_domain": "shop.test"},
            "data_stores": self.of("data_stores"),
            "nginx_certbot": {**self.of("nginx_certbot"), "nginx_certbot_http_bind": "0.0.0.0:80",
                              "nginx_certbot_https_bind": "0.0.0.0:443", "nginx_certbot_renewal": "host"},
            "app_blue_green": self.of("app_blue_green")}, "shop.test", 443)

    def of(self, group: str) -> dict[str, t.Any]:
        """What the README declares of a group."""
        return {name: value for name, value in self.declared.items() if name.startswith(f"{group}_")}

    def platform(self) -> None:
        """Without a release: the pipeline brings the first one."""
        self.start("--tags", "acme_test_ca,data_stores,nginx_certbot")

    def again(self) -> None:
        """Maven trusts what this machine trusts, if that is in the context."""
        super().again()
        dockerfile = self.repository / "Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("debian:trixie-slim", "mooring.lab/base:trixie"))
        if CA_BUNDLE.exists():
            shutil.copy(CA_BUNDLE, self.repository / "host-ca-certificates.crt")

    @contextlib.contextmanager
    def loaded(self) -> t.Iterator[None]:
        """There is nothing to ask before the first release."""
        first = self.build(self.commit({}))
        if not first.good and (unreachable := spring.UNREACHABLE.search(first.output)):
            raise Unreachable(f"Maven reaches no repository: ...{unreachable[0][-160:]}")
        self.expect_deployed(first)
        with super().loaded():
            yield


def commits_become_releases(place: Demo) -> None:
    """Each commit becomes an image of its name, and the release that serves"""
    for turn in range(3):
        place.expect_deployed(place.build(place.commit(
            {TEST_FILE: TEST.format("True"), "turn.txt": f"{turn}\n"})))


def a_failing_test(place: Demo) -> None:
    """A commit whose test fails, and one without tests, never come to a deployment"""
    before = place.serving()
    place.expect_blocked(place.build(place.commit({TEST_FILE: TEST.format("False")})), before, "FAILED (failures=1)")
    place.expect_blocked(place.build(place.commit({TEST_FILE: None})), before, "No tests")


def a_broken_release(place: Demo) -> None:
    """A commit that never becomes ready fails its build, says why, and leaves the old release serving"""
    before, dockerfile = place.serving(), (place.repository / "Dockerfile").read_text()
    build = place.build(place.commit({TEST_FILE: TEST.format("True"),
                                      "Dockerfile": f"{dockerfile}ENV FAULT_NEVER_READY=1\n"}))
    expect((build.stages[-1], build.good) == ("Deploy", False), "it was deployed:", build.stages)
    expect("did not become ready" in build.output and "serves as before" in build.output, "the build does not say why:",
           build.output[-2000:])
    expect(place.serving() == before, f"{before} served before, and now", place.serving())
    place.expect_deployed(place.build(place.commit({"Dockerfile": dockerfile})))


def two_at_once(place: Demo) -> None:
    """Of two builds that deploy at once one waits, or is refused with who holds the lock; what serves is one of them"""
    first, second = (place.commit({"turn.txt": f"at once {number}\n"}) for number in range(2))
    builds: dict[str, Build] = {}
    threads = [threading.Thread(target=lambda job=job, commit=commit: builds.update({job: place.build(commit, job)}))
               for job, commit in (("one", first), ("two", second))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    good = [build for build in builds.values() if build.good]
    expect(len(good) >= 1, "both failed:", [build.output[-1500:] for build in builds.values()])
    for build in builds.values():
        expect(build.good or re.search(r"(is being deployed|holds the deployment lock|another run)", build.output),
               "one was refused without a reason:", build.output[-1500:])
    expect(place.serving() in [build.release for build in good], "none of them serves, but", place.serving())
    place.figures.deploys += len(good)
    place.say(f"       {len(good)} of 2 were deployed")


def spring_commits(place: Spring) -> None:
    """Commits of the Spring example become releases, built and tested by Maven"""
    for turn in range(2):
        place.expect_deployed(place.build(place.commit(
            {"src/main/resources/turn.txt": f"{turn} {time.time()}\n"})))


def spring_failing_test(place: Spring) -> None:
    """A failing test of the Spring example ends its build before the deployment"""
    before = place.serving()
    path = "src/test/java/org/example/backend/ProbeTest.java"
    text = (place.repository / path).read_text()
    broken = text.rstrip()[:-1] + "\n    @org.junit.jupiter.api.Test\n    void fails() {\n" \
        "        org.junit.jupiter.api.Assertions.fail(\"as the lab wants it\");\n    }\n}\n"
    build = place.build(place.commit({path: broken}))
    place.expect_blocked(build, before, "as the lab wants it")
    place.commit({path: text})


PLACES = (
    ("ci", Demo, (commits_become_releases, a_failing_test, a_broken_release, two_at_once)),
    ("ci-spring", Spring, (spring_commits, spring_failing_test)),
)
