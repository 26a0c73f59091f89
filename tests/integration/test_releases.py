# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml, rollback.yml and history.yml with real containers: good releases, and every way to be broken.

The proxy is its control socket alone; that no request is lost is shown elsewhere
(molecule/app_blue_green, tests/prove).
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import json
import os
import pathlib
import re
import secrets
import shutil
import socketserver
import subprocess
import sys
import tarfile
import threading
import typing as t

import pytest
import yaml
from conftest import ROOT, docker

PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
SECRET = "sentinel-of-a-secret"
LABEL = "mooring.test=1"
APP = pathlib.Path(__file__).parent / "releases" / "app.py"


class Switch(http.server.BaseHTTPRequestHandler):
    """The proxy's control socket: POST reads the traffic from its file again."""

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        file = self.server.releases / name
        if self.command == "POST":
            self.server.serving[name] = file.read_text().strip() if file.exists() else None
            self.server.told.append((name, self.server.serving[name]))
        body = json.dumps({"traffic": self.server.serving.get(name), "seen": self.server.seen}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_arguments: object) -> None:
        pass


class Proxy(socketserver.ThreadingUnixStreamServer):
    """Holds who gets the requests of each application, and what it is to have counted."""

    daemon_threads = True
    releases: pathlib.Path

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self.serving: dict[str, str | None] = {}
        self.told: list[tuple[str, str | None]] = []
        self.seen: dict[str, dict[str, int]] = {}


@dataclasses.dataclass
class Platform:
    """A host with a proxy and its applications, all under names of its own."""

    directory: pathlib.Path
    prefix: str
    base: str
    proxy: Proxy
    shop: dict[str, t.Any]  # the application as declared

    def image(self, release: str, fault: str = "") -> None:
        """Make the image of a release."""
        context = self.directory / "context"
        context.mkdir(exist_ok=True)
        shutil.copy(APP, context / "app.py")
        (context / "Dockerfile").write_text(
            f"FROM {self.base}\nLABEL {LABEL}\nENV RELEASE={release} FAULT={fault}\nSTOPSIGNAL SIGTERM\n"
            'COPY app.py /app.py\nCMD ["python3", "-B", "/app.py"]\n')
        docker("build", "--quiet", "--tag", f"{self.prefix}/app:{release}", str(context))

    def foreign_image(self, release: str) -> None:
        """Load an image for the other architecture, with a program that says so too."""
        machine, architecture = ((0xB7, "arm64") if os.uname().machine == "x86_64" else (0x3E, "amd64"))
        program = bytearray(pathlib.Path(os.path.realpath("/bin/true")).read_bytes())
        program[18] = machine  # e_machine, elf(5)
        layer = archive({"app": bytes(program)})
        config = {
            "architecture": architecture, "os": "linux",
            "config": {"Entrypoint": ["/app"], "Labels": {"mooring.test": "1"}},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}}
        whole = archive({
            "layer.tar": layer, "config.json": json.dumps(config).encode(),
            "manifest.json": json.dumps([{"Config": "config.json", "Layers": ["layer.tar"],
                                          "RepoTags": [f"{self.prefix}/app:{release}"]}]).encode()})
        subprocess.run(["docker", "load", "--quiet"], input=whole, check=True, capture_output=True)

    def play(self, playbook: str, *flags: str, **variables: t.Any) -> Run:
        """Run a playbook of the collection; ``variables`` are extra variables."""
        done = subprocess.run(
            [str(PLAYBOOK), "-i", str(self.directory / "inventory"), f"playbooks/{playbook}.yml",
             *(["-v"] if playbook != "history" else []), "-e", json.dumps(variables), *flags],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=90, stdin=subprocess.DEVNULL,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "USER": "alice", "SUDO_USER": ""})
        return Run(done.returncode, done.stdout, done.stderr)

    def deploy(self, release: str, *flags: str, **variables: t.Any) -> Run:
        return self.play("deploy", *flags, app_blue_green_release=release, **variables)

    def with_shop(self, **changes: t.Any) -> dict[str, t.Any]:
        """Extra variables that declare the application otherwise."""
        return {"app_blue_green_applications": [{**self.shop, **changes}]}

    def record(self, application: str = "shop") -> list[dict[str, t.Any]]:
        """The deployments on record, as they lie on the host."""
        return json.loads((self.directory / "root" / "app_blue_green" / f"{application}.json").read_text())["history"]

    def container(self, colour: str, application: str = "shop") -> str:
        """Id, start and release of a colour's container; "" for none."""
        return docker("ps", "--all", "--no-trunc", "--format", '{{.ID}} {{.Label "mooring.release"}} {{.State}}',
                      "--filter", f"label=com.docker.compose.project={self.prefix}-{application}-{colour}")

    def serves(self, application: str = "shop") -> tuple[str | None, str, str]:
        """Colour and file of the proxy, and what that colour's container is."""
        file = (self.proxy.releases / application).read_text().strip()
        return self.proxy.serving.get(application), file, self.container(file, application)

    def remove(self) -> None:
        projects = [f"label=com.docker.compose.project={self.prefix}-{name}-{colour}"
                    for name in ("shop", "crm") for colour in ("blue", "green")]
        if containers := [one for project in projects
                          for one in docker("ps", "--all", "--quiet", "--filter", project).split()]:
            docker("rm", "--force", "--volumes", *containers)
        if volumes := [one for project in projects
                       for one in docker("volume", "ls", "--quiet", "--filter", project).split()]:
            docker("volume", "rm", *volumes)
        if images := docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{self.prefix}/app").split():
            docker("image", "rm", "--force", *images)
        docker("network", "rm", self.prefix)


@dataclasses.dataclass
class Run:
    """What ansible-playbook ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def said(self) -> str:
        """Everything, with the line ends that JSON hides."""
        return (self.out + self.err).replace("\\n", "\n")


def archive(files: dict[str, bytes]) -> bytes:
    """A tar archive with these files, all executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, image: str) -> t.Iterator[Platform]:
    """Release 1 serves in blue."""
    directory = tmp_path_factory.mktemp("platform")
    prefix = f"mooringtest{secrets.token_hex(3)}"
    root = directory / "root"
    (root / "nginx_certbot" / "run").mkdir(parents=True)
    (root / "nginx_certbot" / "releases").mkdir()
    # A path of a socket has 107 characters at most.
    proxy = Proxy(os.path.relpath(root / "nginx_certbot" / "run" / "control.sock"), Switch)
    proxy.releases = root / "nginx_certbot" / "releases"
    threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
    variables = {
        "ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": "/usr/bin/python3",
        "mooring_domain": "shop.test", "mooring_root": str(root), "mooring_prefix": prefix,
        "preflight_disk_minimum": "1m", "preflight_memory_minimum": "1m"}
    inventory = directory / "inventory"
    (inventory / "group_vars" / "app_blue_green").mkdir(parents=True)
    groups = dict.fromkeys(("docker_engine", "nginx_certbot", "app_blue_green"), {"hosts": {"here": None}})
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"here": variables}}, **groups}))
    shop = {
        "name": "shop", "image": f"{prefix}/app", "release": "1", "secrets": {"password": SECRET}, "memory": "48m",
        "migrate": ["python3", "-B", "/app.py", "migrate"], "drain_seconds": 2, "start_timeout": 20,
        "config_overrides": {"labels": {"mooring.test": "1"}}, "readiness": {"timeout": 5, "watch": 6}}
    (inventory / "group_vars" / "app_blue_green" / "app_blue_green.yml").write_text(
        yaml.safe_dump({"app_blue_green_applications": [shop]}))
    docker("network", "create", "--label", LABEL, prefix)
    platform = Platform(directory, prefix, image, proxy, shop)
    try:
        platform.image("1")
        first = platform.play("deploy")
        assert first.ok, first.said
        yield platform
    finally:
        proxy.shutdown()
        proxy.server_close()
        platform.remove()


@pytest.fixture
def networks(platform: Platform) -> t.Iterator[str]:
    """A network of somebody else."""
    name = f"{platform.prefix}-partner"
    docker("network", "create", "--label", LABEL, name)
    try:
        yield name
    finally:
        # Those of the application that joined it go with the platform.
        for container in docker("ps", "--all", "--quiet", "--filter", f"network={name}").split():
            docker("network", "disconnect", "--force", name, container)
        docker("network", "rm", name)


class Told(http.server.BaseHTTPRequestHandler):
    """Whoever is told what became of a deployment."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.headers["X-Mooring-Token"], json.loads(body)))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def test_deployments_tell_of_themselves(platform):
    token = "sentinel-of-a-deploy-token"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Told) as server:
        server.told = []
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/hooks/deploys"
        # Ansible shows what stands on its command line.
        declared = platform.directory / "inventory" / "group_vars" / "app_blue_green" / "notify.yml"
        declared.write_text(yaml.safe_dump({"app_blue_green_notify_token": token}))
        tell = {"app_blue_green_notify_url": url}
        platform.image("told")
        platform.image("told-not", "crash-at-start")
        runs = [platform.deploy("told", "--check", **tell), platform.deploy("told", "-vvv", "--diff", **tell),
                platform.deploy("told", **tell), platform.deploy("told-not", **tell), platform.play("rollback", **tell)]
        server.shutdown()
    assert [run.ok for run in runs] == [True, True, True, False, True], runs[-1].said
    assert [line for run in runs for line in run.said.splitlines() if token in line] == []
    assert {one for one, _notice in server.told} == {token}
    notices = [notice for _token, notice in server.told]
    assert [(notice["result"], notice["release"], notice["previous"]) for notice in notices] == [
        ("deployed", "told", "1"), ("failed", "told-not", "told"), ("rolled_back", "1", "told")]
    assert all(notice["application"] == "shop" and notice["by"] == "alice" for notice in notices)
    assert notices[0]["seconds"] > 0 and "ended with status 3" in notices[1]["reason"]
    # Now nobody is there, which is no reason to fail.
    alone = platform.play("rollback", **tell)
    assert alone.ok and f"Nobody was told what became of release told: {url} does not answer" in alone.said
    declared.unlink()
    assert platform.play("rollback").ok


# fault -> what the error says
BROKEN = {
    "image-missing": r"The image \S+/app:image-missing of service app is not on this host and could not be pulled",
    "architecture": r"app:architecture is for (arm|amd)64, and this engine runs (arm|amd)64",
    "crash-at-start": r"ended with status 3(.|\n)*crash-at-start: no such host: mysql",
    "crash-later": r"after the switch \S+ ended with status 70(.|\n)*crash-later: the licence has expired",
    "never-ready": r"did not become ready within 5 s: \S+ answered status 503(.|\n)*starts \(never-ready\)",
    "flapping": r"did not become ready within 5 s: \S+ answered status 503(.|\n)*starts \(flapping\)",
    "ready-then-failing": r"after the switch \S+ answered status 503[^\n]*3 times in a row(.|\n)*\(ready-then-",
    "migration": r"migrate of release migration ended with status 1: migration with \*+: table orders is locked",
    "wrong-port": r"did not become ready within 5 s: \S+ does not answer[^\n]*refused(.|\n)*starts \(wrong-port\)",
    # Not every engine notices that it was the limit.
    "out-of-memory": r"after the switch \S+ (ran out of|was killed)[^\n]* limit allows(.|\n)*loading the catalogue",
}


# defect 51
@pytest.mark.parametrize(("fault", "reason"), BROKEN.items(), ids=BROKEN)
def test_a_broken_release_leaves_the_old_one_serving_and_says_why(platform, fault, reason):
    before = platform.serves()
    if fault == "architecture":
        platform.foreign_image(fault)
    elif fault != "image-missing":
        platform.image(fault, fault)
    failed = platform.deploy(fault)
    assert not failed.ok
    assert re.search(reason, failed.said), failed.said
    assert "Traceback" not in failed.said and SECRET not in failed.said
    assert platform.serves() == before
    assert before[0] == before[1] == "blue" and before[2].endswith(" 1 running")
    assert fault not in platform.container("green"), "what is broken was removed"
    entry = platform.record()[-1]
    assert (entry["result"], entry["release"], entry["colour"]) == ("undone", fault, "green")
    assert entry["why"] and entry["seconds"] > 0
    assert (platform.directory / "root" / "app_blue_green" / "shop.lock").read_text() == "", "the lock was given back"


def test_releases_go_forward_and_back(platform):  # defect 52
    platform.image("2")
    predicted = platform.deploy("2", "--check")
    assert predicted.ok and "changed=0" not in predicted.out
    assert platform.serves()[0] == "blue" and platform.container("green") == "", "check mode started nothing"
    assert platform.deploy("2").ok
    second = platform.serves()
    assert second[0] == second[1] == "green" and second[2].endswith(" 2 running")
    assert re.search(r"changed=0 ", platform.deploy("2").out)

    # Back to the warm colour: nothing is started, and what would be done is said before.
    warm = platform.container("blue")
    predicted = platform.play("rollback", "--check")
    assert "blue still has it as it ran" in predicted.said and "changed=0" not in predicted.out
    assert platform.serves() == second
    back = platform.play("rollback", **platform.with_shop(env={"SET": "since then"}))
    assert back.ok, back.said
    assert platform.serves() == ("blue", "blue", warm)
    print(re.search(r'"seconds": ([\d.]+), "step": "release_switch"', back.out)[1], "s until the proxy was switched")
    assert "still declares" not in back.said, "the inventory declares 1"

    # Twice leads forward again; there the inventory declares another release.
    forward = platform.play("rollback")
    assert platform.serves() == second
    assert re.search(r"inventory still declares release 1 of shop, and the next run of site.yml brings that "
                     r"back: set app_blue_green_applications\[0\]\.release: 2 in \S+app_blue_green.yml:\d+\.",
                     forward.said), forward.said
    named = platform.play("rollback", app_blue_green_release="2")
    assert "already serves" in named.said and "changed=0 " in named.out

    # A colour that was stopped is started again, as it ran.
    docker("stop", warm.split()[0])
    assert platform.play("rollback", app_blue_green_release="1").ok
    assert platform.serves() == ("blue", "blue", warm)


def test_what_no_colour_has_is_deployed_from_the_image_that_ran(platform):
    assert platform.deploy("2").ok
    ran = docker("image", "inspect", "--format", "{{.Id}}", f"{platform.prefix}/app:1")
    assert platform.deploy("2", **platform.with_shop(env={"A": "b"})).ok, "1 leaves its colour"
    platform.image("1", "crash-at-start")  # the tag moved
    back = platform.play("rollback", app_blue_green_release="1")
    assert back.ok, back.said
    assert "deployed again from its image sha256:" in back.said
    colour = platform.serves()[0]
    container = platform.container(colour).split()[0]
    assert docker("inspect", "--format", "{{.Image}}", container) == ran
    # From here on 1 is the id of an image, not a tag.
    assert "changed=0 " in platform.play("rollback", app_blue_green_release="1").out


def test_a_bad_setting_is_refused_before_anything_is_done(platform):
    before, entries = platform.serves(), len(platform.record())
    refused = platform.deploy("2", **platform.with_shop(memory="12"))
    assert not refused.ok
    assert "app_blue_green_applications[0].memory" in refused.said and "nothing was changed" in refused.said
    assert (platform.serves(), len(platform.record())) == (before, entries)


def test_what_cannot_be_rolled_back_to_is_refused(platform):
    before = platform.serves()
    refused = platform.play("rollback", app_blue_green_release="9")
    assert not refused.ok
    assert re.search(r"does not know release 9\. On record: .*\(serves\)", refused.said)
    assert platform.serves() == before


def test_the_history_tells_everything(platform):
    table = platform.play("history")
    assert table.ok and re.search(r"ENDED +RELEASE +COLOUR +BY +IMAGE +TOOK +RESULT +WHY", table.out)
    assert f"alice@{os.uname().nodename}" in table.out
    entries = json.loads(platform.play("history", status_format="json").out)["hosts"]["here"]["applications"]["shop"]
    assert len(entries) == len(platform.record())
    good = [entry for entry in entries if entry["result"] == "serving"]
    for entry in good:
        assert entry["image_id"].startswith("sha256:") and entry["definition"].startswith("1.")
        assert entry["started"] <= entry["ended"] and entry["by"] == "alice"
    assert SECRET not in (platform.directory / "root/app_blue_green/shop.json").read_text()


def test_one_of_two_applications_goes_its_own_way(platform, networks):
    """``crm`` comes beside ``shop``, with all that the colours of an application can share."""
    assert platform.deploy("2").ok
    shop = platform.serves()
    platform.image("3")
    crm = {**platform.shop, "name": "crm", "release": "3", "migrate": [], "networks": [networks],
           "volumes": ["uploads:/srv/uploads"], "log_directory": "/var/log/crm", "jvm_options": ["-Xss512k", "-Xmx64m"],
           "uid": 10001}
    both = {"app_blue_green_applications": [{**platform.shop, "release": "2"}, crm]}

    predicted = platform.play("deploy", "--check", **both)
    assert predicted.ok and "changed=0" not in predicted.out, predicted.said
    assert platform.container("blue", "crm") == ""
    made = platform.play("deploy", **both)
    assert made.ok, made.said
    assert platform.serves("crm")[:2] == ("blue", "blue") and platform.serves() == shop
    for flags in ((), ("--check",)):
        again = platform.play("deploy", *flags, **both)
        assert again.ok and "changed=0 " in again.out, again.said

    # What both need to know of each other: nothing is changed before somebody says which is meant.
    entries = len(platform.record()), len(platform.record("crm"))
    refused = platform.play("deploy", app_blue_green_release="1", **both)
    assert not refused.ok and "app_blue_green_release (command line)" in refused.said, refused.said
    assert "here has several: shop, crm. Name the one" in refused.said
    refused = platform.play("rollback", **both)
    assert not refused.ok and "here has several: shop, crm. Name one" in refused.said, refused.said
    refused = platform.play("rollback", app_blue_green_only="mail", **both)
    assert not refused.ok and "no host runs an application 'mail'. Known applications: crm, shop." in refused.said
    assert (len(platform.record()), len(platform.record("crm"))) == entries

    # Forward and back by itself.
    only = {"app_blue_green_only": "crm", **both}
    assert platform.play("deploy", app_blue_green_release="2", **only).ok
    second = platform.serves("crm")
    assert second[:2] == ("green", "green") and second[2].endswith(" 2 running")
    back = platform.play("rollback", **only)
    assert back.ok and "blue still has it as it ran" in back.said, back.said
    assert platform.serves("crm")[0] == "blue" and platform.serves() == shop
    assert "changed=0 " in platform.play("deploy", **both).out

    # Colours of one application share what they are to share, and see nothing of the other's.
    blue, green = (json.loads(docker("inspect", platform.container(colour, "crm").split()[0]))[0]
                   for colour in ("blue", "green"))
    log = platform.directory / "root" / "app_blue_green" / "crm" / "log"
    for one in (blue, green):
        mounts = {mount["Destination"]: mount.get("Name") or mount["Source"] for mount in one["Mounts"]}
        assert mounts["/srv/uploads"] == f"{platform.prefix}-crm-uploads" and mounts["/var/log/crm"] == str(log)
        assert set(one["NetworkSettings"]["Networks"]) == {platform.prefix, networks}
        assert "JAVA_TOOL_OPTIONS=-Xss512k -Xmx64m" in one["Config"]["Env"]
    assert (log.stat().st_uid, log.stat().st_mode & 0o7777) == (10001, 0o750)
    docker("exec", blue["Id"], "touch", "/var/log/crm/written")
    assert docker("exec", green["Id"], "ls", "/var/log/crm") == "written"

    # Drift of what they share is named and healed.
    log.chmod(0o777)
    for flags in (("--check",), ()):
        healed = platform.play("deploy", *flags, **both)
        assert healed.ok and f"directory {log}: mode is 0777, declared 0750" in healed.said, healed.said
    assert log.stat().st_mode & 0o7777 == 0o750

    listed = json.loads(platform.play("history", status_format="json", **both).out)["hosts"]["here"]["applications"]
    assert list(listed) == ["crm", "shop"]
    assert [(entry["release"], entry["colour"]) for entry in listed["crm"]] == [
        ("3", "blue"), ("2", "green"), ("3", "blue")]
    table = platform.play("history", **only)
    assert "here, crm" in table.out and "here, shop" not in table.out


def test_one_that_fails_leaves_the_other_as_it_is(platform):
    before = platform.serves(), platform.serves("crm")
    platform.image("4", "never-ready")
    crm = {**platform.shop, "name": "crm", "release": "4", "migrate": []}
    failed = platform.play("deploy", app_blue_green_applications=[{**platform.shop, "release": "2"}, crm])
    assert not failed.ok and "did not become ready" in failed.said, failed.said
    assert (platform.serves(), platform.serves("crm")) == before
    assert (platform.record("crm")[-1]["result"], platform.record()[-1]["result"]) == ("undone", "serving")
