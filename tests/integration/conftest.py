"""Tests against the machine's own Docker Engine; what they create carries a prefix of its own and goes again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import time
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests/lab")]

import templates  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._step_compose_project import converge_project  # noqa: E402
from ansible_collections.mooring.stack.plugins.plugin_utils import _compose_file as compose_file  # noqa: E402

OPTIONS = {
    "secrets": {"web": {"owner": 1234, "files": {"token": "sentinel-in-an-option"}}},
    "directories": {"data/web": {"owner": 1234, "mode": "0750"}},
    "reload": [{"service": "hot", "paths": ["hot"], "command": ["cp", "/hot/rules.txt", "/tmp/loaded"]}],
}


def docker(*arguments: str, check: bool = True) -> str:
    """Standard output of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check).stdout.strip()


@pytest.fixture(scope="session")
def image() -> str:
    """An image with a shell, Python and curl, made by the lab from distribution packages."""
    import lab

    return lab.need_image("trixie", "bare")


@dataclasses.dataclass
class Outcome:
    """What a run left: whether it succeeded, the module's result, all that was printed."""

    ok: bool
    result: dict[str, t.Any]
    output: str = ""

    @property
    def changes(self) -> list[str]:
        return self.result.get("changes", [])

    @property
    def plan(self) -> dict[str, t.Any]:
        return self.result["plan"]


def run_command(argv: list[str], data: str | None = None) -> tuple[int, str, str]:
    """What the modules' client needs of AnsibleModule."""
    done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@dataclasses.dataclass
class Trial:
    """A project of one's own on the engine.

    ``play`` converges it with a playbook; ``converge`` runs both halves here,
    which takes a tenth of the time and lets a test stop the host half where it
    likes.
    """

    directory: pathlib.Path
    prefix: str
    image: str

    @property
    def project(self) -> pathlib.Path:
        return self.directory / "root" / "trial"

    def write(self, path: str, text: str) -> None:
        """Write a file of the template tree."""
        target = self.directory / "tree" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def play(self, *flags: str, options: dict[str, t.Any], **variables: t.Any) -> Outcome:
        """Run a playbook with that one task; ``variables`` are extra variables."""
        playbook = self.directory / "play.yml"
        playbook.write_text(json.dumps([{
            "hosts": "localhost", "gather_facts": False,
            "tasks": [{"mooring.stack.compose_project": {
                "name": "trial", "src": str(self.directory / "tree"), "wait_timeout": 20, **options}}]}]))
        settings = {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable,
            "mooring_root": str(self.directory / "root"), "mooring_prefix": self.prefix,
            "mooring_network": self.prefix, "mooring_allow_stateful_restart": False,
            "mooring_service_defaults": {"stop_grace_period": "1s"}, "image": self.image, **variables}
        done = subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(playbook),
             "-e", json.dumps(settings), *flags],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal", "ANSIBLE_NOCOLOR": "1"})
        result: dict[str, t.Any] = {}
        if "=> {" in done.stdout:
            result = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> {") + 3:])[0]
        return Outcome(done.returncode == 0, result, done.stdout + done.stderr)

    def converge(
        self, options: dict[str, t.Any] | None = None, check: bool = False, allow: bool = False, **variables: t.Any,
    ) -> Outcome:
        """Run both halves in this process."""
        options = {**OPTIONS, **(options or {})}
        values = {"image": self.image, **variables}
        rendered = templates.render_tree(self.directory / "tree", values)
        try:
            definition = compose_file.complete(
                yaml.safe_load(rendered.pop("compose.yml")), name=f"{self.prefix}-trial", component="trial",
                network=self.prefix, defaults={"stop_grace_period": "1s"})
            entries, contents = compose_file.tree(
                {**rendered, "compose.yml": compose_file.dump(definition, "trial")},
                compose_file.Secrets.parse(options["secrets"]), options["directories"])
            params = {
                "root": str(self.directory / "root"), "prefix": self.prefix, "name": "trial", "wait_timeout": 20,
                "stateful": options.get("stateful", []), "reload": options["reload"],
                "permitting": "ansible-playbook -e mooring_allow_stateful_restart=true",
                "validators": options.get("validators", []), "allow_stateful_restart": allow,
                "services": compose_file.facts(definition), "volumes": compose_file.volumes(definition),
                "tree": entries, "tree_secrets": contents}
            return Outcome(True, converge_project(params, Docker(run_command), check, True))
        except MooringError as error:
            return Outcome(False, {"msg": str(error), **error.details})

    def killed(self, owner: t.Any, function: str, when: str, turn: int = 1, **variables: t.Any) -> None:
        """Converge in a process that gets SIGKILL before or after the ``turn``-th call of a function."""
        child = os.fork()
        if child == 0:
            original, calls = getattr(owner, function), 0

            def dies(*arguments: t.Any, **keywords: t.Any) -> t.Any:
                nonlocal calls
                calls += 1
                if calls == turn and when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                result = original(*arguments, **keywords)
                if calls == turn:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            setattr(owner, function, dies)
            try:
                self.converge(**variables)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status), f"{function} was not called {turn} times, so nothing was killed"

    def remove(self) -> None:
        """Remove what the engine has of it."""
        mine = f"label=com.docker.compose.project={self.prefix}-trial"
        if ids := docker("ps", "--all", "--quiet", "--filter", mine).split():
            docker("rm", "--force", "--volumes", *ids)
        if volumes := docker("volume", "ls", "--quiet", "--filter", mine).split():
            docker("volume", "rm", *volumes)
        docker("network", "rm", self.prefix)

    def container(self, service: str) -> str:
        """Name that Compose gives the container of a service."""
        return f"{self.prefix}-trial-{service}-1"

    def rules(self) -> list[str]:
        """What `hot` sees in its two files, which are declared to be the same."""
        return docker("exec", self.container("hot"), "cat", "/hot/rules.txt", "/hot/same.txt").split()

    def wait_for_health(self, service: str, health: str) -> None:
        """Until the engine says so of the service's container, at most a minute."""
        limit = time.monotonic() + 60
        while docker("inspect", "-f", "{{.State.Health.Status}}", self.container(service)) != health:
            assert time.monotonic() < limit, f"{service} is not {health}"
            time.sleep(0.2)

    def started(self, service: str) -> str:
        """When a container was started; tells whether it was left alone."""
        return docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", self.container(service))


@contextlib.contextmanager
def new_trial(directory: pathlib.Path, image: str) -> t.Iterator[Trial]:
    """Two services: `web` reads conf/, `hot` reads hot/ again on command."""
    prefix = f"mooringtest{secrets.token_hex(3)}"
    docker("network", "create", "--label", "mooring.test=1", prefix)
    trial = Trial(directory, prefix, image)
    trial.write("compose.yml.j2", """
services:
  web:
    image: "{{ image }}"
    command: [python3, -m, http.server, "8000", --directory, /conf]
    environment: {COLOUR: "{{ colour | default('blue') }}"}
    volumes: ["./conf:/conf:ro", "./secrets/web:/run/secrets:ro"]
    healthcheck:
      test: [CMD, curl, -fsS, "http://127.0.0.1:8000/{{ health_path | default('') }}"]
      interval: 1s
      timeout: 2s
      retries: 2
  hot:
    image: "{{ image }}"
    command: [sh, -c, cp /hot/rules.txt /tmp/loaded && exec sleep infinity]
    init: true
    volumes: ["./hot:/hot:ro"]
""")
    trial.write("conf/index.html.j2", "{{ page | default('one') }}\n")
    trial.write("hot/rules.txt.j2", "{{ rules | default('first') }}\n")
    trial.write("hot/same.txt.j2", "{{ rules | default('first') }}\n")
    trial.write("secrets/web/login.cnf.j2", "password={{ password | default('sentinel-in-a-template') }}\n")
    try:
        yield trial
    finally:
        trial.remove()


@pytest.fixture
def trial(tmp_path: pathlib.Path, image: str) -> t.Iterator[Trial]:
    """A project of a test's own."""
    with new_trial(tmp_path, image) as trial:
        yield trial
