# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform in a node container, reached over SSH: what the longer proofs work on.

Everything comes from a clone of the last commit, so that work in the repository
does not change what is being proved.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import http.client
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
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import lab  # noqa: E402
import load  # noqa: E402
import naive  # noqa: E402

NODE, HOST = "host", "local"
PLATFORM = pathlib.Path("/opt/mooring")
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
IMAGES = tuple(f"mooring.local/{image}" for image in (
    "nginx:1.26", "certbot:4", "pebble:2", "mysql:9.7", "redis:8", "prometheus:2.53", "demo:1.0.0", "demo:1.1.0"))
NAME, PORT, URL_PATH = "mooring.test", 8443, "/api/hello"
HELP = "/root/help.sh"
RECAP = re.compile(r"^(\S+)\s+:.*\bchanged=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
TASK = re.compile(r"^TASK \[(.*)\]")

# What inventories/local has nothing of, and drift can hit.
EXTRA: dict[str, dict[str, t.Any]] = {
    "all": {"ansible_connection": "ssh", "ansible_user": "root"},
    # The drift check by itself, on the host instead of here: its timer is what is looked at, and never comes.
    "drift_schedule": {
        "drift_schedule_calendar": "*-01-01 04:00:00", "drift_schedule_user": "root",
        "drift_schedule_ansible_playbook": "/bin/true", "drift_schedule_playbook": "drift.yml",
        "drift_schedule_inventories": [], "drift_schedule_config": "", "drift_schedule_directory": "/root"},
    "nginx_certbot": {"nginx_certbot_https_bind": f"0.0.0.0:{PORT}", "nginx_certbot_renewal": "host"},
    "data_stores": {
        "data_stores_mysql_schemas": ["demo", "archive"],
        "data_stores_mysql_accounts": [
            {"name": "demo", "password": "{{ vault_demo_mysql_password }}",
             "grants": {"demo.*": ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX"]}},
            {"name": "report", "password": "{{ vault_operator_password }}", "max_user_connections": 5,
             "grants": {"archive.*": ["SELECT", "INSERT"]}},
            {"name": "exporter", "password": "{{ vault_monitoring_mysql_password }}", "max_user_connections": 3,
             "grants": {"*.*": ["PROCESS", "REPLICATION CLIENT"], "performance_schema.*": ["SELECT"]}}],
        "data_stores_redis_accounts": [
            {"name": "demo", "password": "{{ vault_demo_redis_password }}",
             "rules": "~demo:* +@all -@admin -@dangerous"},
            {"name": "worker", "password": "{{ vault_operator_password }}",
             "rules": "~jobs:* +@read +@write -@dangerous"},
            {"name": "exporter", "password": "{{ vault_monitoring_redis_password }}",
             "rules": "+ping +info +config|get +slowlog|len +slowlog|get +latency|latest +latency|histogram "
                      "+client|list +client|setname"}],
    },
}
STATEMENTS = """\
CREATE DATABASE IF NOT EXISTS demo; CREATE DATABASE IF NOT EXISTS archive;
CREATE USER IF NOT EXISTS report@'%' IDENTIFIED BY '{report}' REQUIRE SSL WITH MAX_USER_CONNECTIONS 5;
CREATE USER IF NOT EXISTS demo@'%' IDENTIFIED BY '{demo}' REQUIRE SSL;
GRANT SELECT, INSERT ON archive.* TO report@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON demo.* TO demo@'%';
"""

Difference = dict[str, t.Any]


class Failed(Exception):
    """A promise that was not kept, or a fault that could not be injected."""


def expect(condition: bool, promise: str, seen: t.Any = "") -> None:
    """Stop at a promise that is not kept."""
    if not condition:
        raise Failed(f"{promise} {seen}".strip())


def say(text: str, topic: str = "drift") -> None:
    """Progress, plain."""
    print(f"prove-{topic}: {text}", file=sys.stderr, flush=True)


def parser(documentation: str, what: str) -> argparse.ArgumentParser:
    """What each of these proofs can be asked for; ``what`` is said of TEXT."""
    found = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--only", nargs="*", default=[], metavar="TEXT", help=what)
    found.add_argument("--keep", action="store_true", help="leave the node and its inventory")
    found.add_argument("--reuse", action="store_true", help="use a node that was left")
    return found


def chosen(cases: t.Iterable[t.Any], only: t.Sequence[str]) -> list[t.Any]:
    """The cases that are asked for."""
    return [case for case in cases if not only or any(word in (case.__doc__ or "") for word in only)]


def promised(
    place: t.Any, case: t.Any, act: t.Callable[[], object],
    wrong: tuple[type[Exception], ...] = (Failed, lab.LabError, subprocess.SubprocessError),
) -> bool:
    """Whether a case is as promised, which ``act`` finds out; says so, and why not, with the error in ``wrong``."""
    name = (case.__doc__ or "").strip().rstrip(".")
    started = time.monotonic()
    try:
        act()
        why = ""
    except wrong as error:
        why = f"{type(error).__name__}: {error}"
    place.say(f"{'NOT OK' if why else 'ok':<6} {name} ({time.monotonic() - started:.0f} s)")
    if why:
        place.say(f"       {why[-2500:]}")
    return not why


@contextlib.contextmanager
def scratch(topic: str, args: argparse.Namespace) -> t.Iterator[pathlib.Path]:
    """The proof's own directory, removed in the end; also when the proof is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    path = ROOT / ".cache" / f"prove-{topic}"
    if not args.reuse:
        shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield path
    finally:
        if not args.keep:
            shutil.rmtree(path, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run of a playbook printed, and how it ended."""

    output: str
    status: int

    @property
    def recap(self) -> dict[str, tuple[int, int, int]]:
        """Changed, unreachable and failed by host."""
        return {host: (int(changed), int(gone), int(failed)) for host, changed, gone, failed in
                RECAP.findall(self.output)}

    @property
    def changed(self) -> int:
        """Changed tasks, -1 where a host failed or there is no recap."""
        hosts = self.recap.values()
        if not hosts or any(gone + failed for _changed, gone, failed in hosts):
            return -1
        return sum(changed for changed, _gone, _failed in hosts)

    def good(self, what: str) -> t.Self:
        """This run, if it ended well."""
        if self.status or self.changed < 0:
            raise Failed(f"{what} ended with status {self.status}:\n{self.output[-3500:]}")
        return self


@dataclasses.dataclass(frozen=True)
class Run(Outcome):
    """What a playbook run did, with its report."""

    differences: dict[str, list[Difference]]
    notices: list[str]
    seconds: float

    @property
    def changed_tasks(self) -> list[str]:
        """Names of the tasks that reported a change."""
        names, task = [], ""
        for line in self.output.splitlines():
            if match := TASK.match(line):
                task = match.group(1)
            elif line.startswith("changed:"):
                names.append(task)
        return names


class Runner:
    """Runs playbooks of a clone of the last commit, and keeps in a log what they print."""

    def __init__(self, scratch: pathlib.Path, topic: str) -> None:
        self.scratch = scratch
        self.topic = topic
        self.code = scratch / "mooring.stack"
        self.log = ROOT / ".cache" / f"prove-{topic}.log"
        self._process: subprocess.Popen[str] | None = None

    def clone(self) -> None:
        """The last commit, anew."""
        shutil.rmtree(self.code, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(self.code)], check=True)

    def say(self, text: str) -> None:
        """Progress, plain."""
        say(text, self.topic)

    def write(self, text: str) -> None:
        """Into the log."""
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("a") as log:
            log.write(text if text.endswith("\n") else f"{text}\n")

    def launch(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start ansible-playbook in a process group of its own."""
        self._process = subprocess.Popen(
            [str(PLAYBOOK), *arguments], cwd=self.code, start_new_session=True, text=True,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "200", **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return self._process

    def stop(self) -> None:
        """End a run that is still under way, when the proof itself is ended."""
        if self._process and self._process.poll() is None:
            kill_group(self._process)


class Site(Runner):
    """The node, its inventory, and everything that is done to it."""

    # What attempt() runs of the site; whoever inherits says so.
    tags: tuple[str, ...] = ()

    def __init__(self, scratch: pathlib.Path, topic: str = "drift",
                 extra: dict[str, dict[str, t.Any]] | None = None, images: t.Sequence[str] = IMAGES) -> None:
        super().__init__(scratch, topic)
        self.node = lab.Node(f"prove-{topic}", NODE)
        self.inventory = scratch / "inventory"
        self.naive = scratch / "naive.yml"
        self.extra = extra or EXTRA
        self.images = images
        self._runs = 0

    # -- from nothing -------------------------------------------------------

    def declare(self) -> None:
        """inventories/local, with what drift can hit and it has nothing of."""
        shutil.copytree(self.code / "inventories/local", self.inventory, ignore=shutil.ignore_patterns(".state"),
                        dirs_exist_ok=True)
        options = " ".join(lab.ssh_options()[2:])
        address = {"ansible_host": self.node.address(), "ansible_ssh_private_key_file": str(lab.KEY),
                   "ansible_ssh_common_args": f"{options} -o ControlPersist=600"}
        for group, values in self.extra.items():
            place = self.inventory / "group_vars" / group / "zz_drift.yml"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(values))
        if "drift_schedule" in self.extra:
            (self.inventory / "zz_drift.yml").write_text(json.dumps({"drift_schedule": {"hosts": {HOST: {}}}}))
        host = self.inventory / "host_vars" / f"{HOST}.yml"
        host.parent.mkdir(exist_ok=True)
        # A host variable of the inventory's file says that it is this machine.
        host.write_text(json.dumps({**self.extra["all"], **address}))

    def need_images(self) -> None:
        """Build the images on this machine, where it lacks one; the node gets copies."""
        here = lab.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        if set(self.images) <= set(here):
            return
        self.say("building the images on this machine")
        names = [image.removeprefix("mooring.local/").partition(":")[0] for image in self.images]
        self.build(distro_images_build=list(dict.fromkeys(names))).good("building the images")

    def build(self, **variables: t.Any) -> Run:
        """Run the role distro_images on this machine."""
        playbook = self.scratch / "images.yml"
        playbook.write_text(json.dumps([{
            "hosts": "distro_images", "gather_facts": False, "become": True,
            "roles": [{"role": "mooring.stack.distro_images"}]}]))
        return self.run("-i", str(self.code / "tests/lab/inventory.yml"), "-e", json.dumps(variables),
                        playbook=playbook)

    def start(self, *arguments: str) -> None:
        """A bare node, converged; ``arguments`` say which part of the site."""
        self.need_images()
        self.say("starting a bare node with systemd")
        self.node.start("trixie", "bare", "systemd")
        self.declare()
        self.say("converging it: the engine, then the site")
        self.run("--tags", "docker_engine").good("installing the engine")
        self.node.load(self.images)
        self.run(*arguments).good("converging the site")

    @contextlib.contextmanager
    def standing(
        self, args: argparse.Namespace, begin: t.Callable[[], object], again: t.Callable[[], object],
    ) -> t.Iterator[None]:
        """The node with the last commit on it: by ``begin``, or by ``again`` where one was left. It goes in the end."""
        self.log.unlink(missing_ok=True)
        self.clone()
        try:
            if args.reuse:
                self.declare()
                again()
            else:
                begin()
            self.help()
            yield
        finally:
            self.stop()
            if not args.keep:
                self.node.remove()

    def help(self) -> None:
        """Put the shell helpers into the node, for every command from now on."""
        helpers = (ROOT / "tests/prove/drift_help.sh").read_text()
        password = self.secret("operator_password")
        subprocess.run(["docker", "exec", "-i", self.node.container, "tee", HELP], check=True, text=True,
                       input=f"{helpers}OPERATOR={password}\n", stdout=subprocess.DEVNULL)

    # -- commands -----------------------------------------------------------

    def sh(self, command: str, check: bool = True) -> str:
        """Output of a shell command in the node, standard error included."""
        done = subprocess.run(["docker", "exec", "-e", f"BASH_ENV={HELP}", self.node.container,
                               "bash", "-c", f"exec 2>&1; {command}"],
                              capture_output=True, text=True, check=False)
        self.write(f"$ {command}\n{done.stdout}")
        if check and done.returncode:
            raise Failed(f"'{command}' in the node ended with status {done.returncode}:\n{done.stdout[-2000:]}")
        return done.stdout

    def spawn(self, *arguments: str, report: pathlib.Path | None = None,
              playbook: pathlib.Path | None = None) -> subprocess.Popen[str]:
        """Start a run, of the site unless ``playbook`` is another."""
        inventory = [] if "-i" in arguments else ["-i", str(self.inventory)]
        return self.launch(*inventory, str(playbook or self.code / "playbooks/converge.yml"), *arguments,
                           MOORING_DRIFT_REPORT=str(report or self.scratch / "report.json"))

    def run(self, *arguments: str, playbook: pathlib.Path | None = None) -> Run:
        """One run to its end."""
        self._runs += 1
        report = self.scratch / f"report-{self._runs}.json"
        started = time.monotonic()
        process = self.spawn(*arguments, report=report, playbook=playbook)
        output = process.communicate()[0]
        differences, notices = read_report(report)
        seconds = time.monotonic() - started
        self.write(f"$ ansible-playbook {' '.join(arguments)} ({seconds:.1f} s, status {process.returncode})\n{output}")
        return Run(output, process.returncode, differences, notices, seconds)

    def attempt(self, *arguments: str, **values: t.Any) -> Run:
        """One run of what is proved, with these variables, whatever comes of it."""
        return self.run(*self.tags, *self.declared(values), *arguments)

    def declared(self, values: dict[str, t.Any]) -> tuple[str, str]:
        """Arguments that give a run these variables, which may be secret."""
        path = self.scratch / "declared.json"
        path.write_text(json.dumps(values))
        path.chmod(0o600)
        return "-e", f"@{path}"

    def converge(self, *arguments: str, **values: t.Any) -> Run:
        """One such run that has to end well."""
        return self.attempt(*arguments, **values).good("converging")

    # -- looking ------------------------------------------------------------

    def secret(self, name: str) -> str:
        """A password that the inventory has generated."""
        return (self.inventory / ".state" / name).read_text().split()[0]

    def started(self) -> dict[str, str]:
        """Start time per running container."""
        lines = self.sh("docker ps -q --no-trunc | xargs -r docker inspect -f '{{.Name}} {{.Id}} {{.State.StartedAt}}'",
                        check=False).splitlines()
        return {line.split()[0].lstrip("/"): line for line in lines if line.startswith("/")}

    def state(self) -> list[str]:
        """Everything that check mode must leave alone. What servers write by themselves is left out."""
        return self.sh(
            "cd /; find opt/mooring etc/docker etc/mooring etc/systemd etc/cron.d "
            r"\( -path '*/log/*' -o -path '*/run/*' -o -path '*/tmp/*' -o -path '*/metrics*' \) -prune "
            r"-o -printf '%p %M %U:%G %T@ %l\n' | sort; "
            "find opt/mooring etc/docker etc/mooring -type f -not -path '*/log/*' -not -path '*/run/*' "
            "-not -path '*/tmp/*' -not -path '*/metrics/*' -print0 | sort -z | xargs -0r sha256sum; "
            "dpkg -l | sha256sum; systemctl is-enabled docker; "
            "docker ps -aq --no-trunc | xargs -r docker inspect -f "
            # One that restarts by itself has another start time each time one looks.
            "'{{.Name}} {{.Id}} {{if .RestartCount}}restarts{{else}}{{.State.StartedAt}}{{end}}' | sort; "
            "docker images -a --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' | sort; "
            "docker volume ls -q | sort; docker network ls --no-trunc --format '{{.ID}} {{.Name}}' | sort",
            check=False).splitlines()

    def wait(self, condition: str, limit: float = 90) -> None:
        """Until a shell condition holds in the node."""
        wait_on(self.node, condition, limit)

    # -- the naive baseline -------------------------------------------------

    def keep_declared(self) -> None:
        """Copy the converged tree here and write the naive playbook from it."""
        tree = self.scratch / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        archive = subprocess.run(
            ["docker", "exec", self.node.container, "tar", "-C", str(PLATFORM), "--exclude=*.sock", "-cf", "-", "."],
            stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-C", str(tree), "--same-owner", "-xpf", "-"], input=archive, check=True)
        secrets = {name: self.secret(file)
                   for name, file in (("report", "operator_password"), ("demo", "demo_mysql_password"))}
        tasks = [*naive.engine_tasks(self.sh("cat /etc/docker/daemon.json")), naive.network_task()]
        units = {path: self.sh(f"cat {path}") for path in self.sh("ls /etc/systemd/system/mooring-*").split()}
        tasks += naive.timer_tasks(units)
        for project in naive.projects(tree):
            tasks += naive.project_tasks(project, PLATFORM / project.name)
        tasks += naive.account_tasks(STATEMENTS.format(**secrets), "mooring-data_stores-mysql-1")
        self.naive.write_text(json.dumps([{"hosts": HOST, "gather_facts": False, "become": True, "tasks": tasks}]))
        self.naive.chmod(0o600)

    def run_naive(self, tags: str, *arguments: str) -> Run:
        """The baseline's tasks of the given tags."""
        return self.run("--tags", tags, *arguments, playbook=self.naive)


def wait_on(node: lab.Node, condition: str, limit: float) -> None:
    """Until a shell condition holds on a node."""
    end = time.monotonic() + limit
    while subprocess.run(["docker", "exec", node.container, "bash", "-c", condition], check=False,
                         capture_output=True).returncode:
        if time.monotonic() > end:
            raise Failed(f"not reached in {limit:.0f} s on {node.name}: {condition}")
        time.sleep(0.3)


def read_report(path: pathlib.Path) -> tuple[dict[str, list[Difference]], list[str]]:
    """Differences per component and all notices of a run's report; nothing where there is none."""
    if not path.exists():
        return {}, []
    components = json.loads(path.read_text())["hosts"].get(HOST, {}).get("components", {})
    differences = {name: found["differences"] for name, found in components.items() if found["differences"]}
    return differences, [notice for found in components.values() for notice in found["notices"]]


class Threads:
    """Something that goes on beside a case until it ends; whoever inherits looks at ``_stop``."""

    def __init__(self, targets: t.Iterable[t.Callable[[], None]]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=target) for target in targets]

    def __enter__(self) -> t.Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Poll(Threads):
    """A client that asks 50 times a second through the proxy and never retries."""

    least = 10.0  # requests a second without which nothing is proved
    port, name, path = PORT, NAME, URL_PATH

    def __init__(self, address: str) -> None:
        self.address = address
        self._begun = 0.0
        self.requests = 0
        self.errors: list[str] = []
        super().__init__([self._ask])

    def __enter__(self) -> t.Self:
        self._begun = time.monotonic()
        return super().__enter__()

    def __exit__(self, *unused: object) -> None:
        # A client that hardly asked proves nothing. A busy machine may make it slower than it wants to be.
        (thread,) = self._threads
        if not thread.is_alive() or self.requests < self.least * (time.monotonic() - self._begun):
            self.errors.append(f"only {self.requests} requests were made")
        super().__exit__(*unused)

    def _ask(self) -> None:
        pause = 0.02
        while not self._stop.is_set():
            begun = time.monotonic()
            self.requests += 1
            connection = load.Client(self.address, self.port, self.name, plain=False)
            try:
                # A new connection each time, as most clients that poll do.
                connection.request("GET", self.path, headers={"Host": f"{self.name}:{self.port}"})
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.errors.append(f"{time.strftime('%H:%M:%S')} status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}")
            finally:
                connection.close()
            self._stop.wait(max(0.0, pause - (time.monotonic() - begun)))


def proved(
    topic: str, args: argparse.Namespace, cases: t.Iterable[t.Any], place_in: t.Callable[[pathlib.Path], t.Any],
) -> int:
    """How many of the cases are as promised, on the node of the place that is made in a directory of the proof.

    -1 where there is no such node; why, was printed.
    """
    try:
        with scratch(topic, args) as directory:
            place = place_in(directory)
            with place.standing(args, place.begin, place.again):
                return sum(promised(place, case, lambda case=case: case(place)) for case in cases)
    except (Failed, lab.LabError) as error:
        print(f"prove-{topic}: not proved: {error}\nThe whole output is in {ROOT / '.cache'}/prove-{topic}.log.")
        return -1


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL for a run's whole process group."""
    os.killpg(process.pid, signal.SIGKILL)
