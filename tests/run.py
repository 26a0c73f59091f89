#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All tests; ends with one line of totals.

    run.py [--full] [--jobs 2] [STAGE ...]

The stage `engine` comes first, because others need what it brings. Then the stages
with a whole platform run one at a time, as each can use the machine alone, and
beside them --jobs of the others, the longest first. What only --full runs comes
last, one at a time: a client that counts lost requests should not wait for other
stages. A stage's output goes to .cache/test/<stage>.log and is shown when it fails.
Every stage runs, whatever the others said.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/lab")]

import environments  # noqa: E402
import spring  # noqa: E402

BIN = pathlib.Path(sys.executable).parent
LOGS = ROOT / ".cache" / "test"
SCENARIOS = ("site", "site_three", "app_blue_green", "docker_engine", "nginx_certbot", "data_stores", "kafka",
             "monitoring", "elk", "jenkins_dood", "mattermost_notifier", "drift_schedule")
# Scenarios that need an image with programs from Maven Central, which not every machine reaches.
FROM_MAVEN = {"elk": ["elasticsearch"], "kafka": ["kafka"], "site": ["kafka", "elasticsearch"],
              "site_three": ["kafka", "elasticsearch"]}
# Programs of the machine that the tests call, and the Debian packages that have them.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap", "ssh": "openssh-client", "git": "git", "openssl": "openssl", "wrk": "wrk",
    "chromium": "chromium", "node": "nodejs", "npm": "npm",
}
# Two stages that need the same image build it once.
BUILDING = threading.Lock()
HEARTBEAT = 15
# What `ansible-test sanity` of ansible-core 2.18 and 2.19 installs first (its python_requirements.py).
ANSIBLE_TEST_PIP = "24.2"


@dataclasses.dataclass
class Count:
    """Totals of a stage."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


class Stage:
    """One stage: its commands, and its log."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = Count()
        self.log = LOGS / f"{name}.log"

    def run(self, *argv: str | pathlib.Path, cwd: pathlib.Path = ROOT, **environment: str) -> bool:
        """Run a command into the log; True if it succeeded."""
        env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_FORCE_COLOR": "0", "NO_COLOR": "1",
               "ANSIBLE_NOCOLOR": "1", **environment}
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(map(str, argv))}\n")
            log.flush()
            return subprocess.run(
                [str(item) for item in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, check=False).returncode == 0

    def check(self, *argv: str | pathlib.Path, **options: t.Any) -> bool:
        """Like :meth:`run`, and counts as one test."""
        good = self.run(*argv, **options)
        self.count.passed += good
        self.count.failed += not good
        return good

    def skip(self, reason: str) -> None:
        """Count one test as skipped, and say why."""
        self.count.skipped += 1
        with self.log.open("a") as log:
            log.write(f"SKIPPED {self.name}: {reason}\n")

    def programs(self, name: str) -> pathlib.Path | None:
        """Where the programs of one of tests/environments are; None and a skipped test if they cannot be downloaded."""
        try:
            return environments.environment(name)
        except environments.UnreachableError as problem:
            self.skip(f"the packages of tests/environments/{name}.txt cannot be downloaded: {problem}")
        except subprocess.CalledProcessError as problem:
            self.count.failed += 1
            with self.log.open("a") as log:
                log.write(f"{problem}\n{problem.stderr or ''}\n")
        return None

    def pytest(self, *paths: str, python: str | pathlib.Path = sys.executable, **environment: str) -> None:
        """Run pytest and add its totals; reasons of skipped tests and what took longest go to the log."""
        good = self.run(python, "-m", "pytest", "-rs", "--durations=15", *paths, **environment)
        totals = re.findall(r"(\d+) (passed|failed|skipped|errors?)", self.log.read_text().splitlines()[-1])
        found = {word.rstrip("s") if word.startswith("error") else word: int(number) for number, word in totals}
        self.count.passed += found.get("passed", 0)
        self.count.skipped += found.get("skipped", 0)
        self.count.failed += max(found.get("failed", 0) + found.get("error", 0), 0 if good else 1)


def engine(stage: Stage) -> None:
    """What the other stages need: programs, the engine by our own role, images."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    if missing:
        stage.run(*as_root, "apt-get", "update", "-q")
        stage.check(*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-yq",
                    "--no-install-recommends", *missing)
    stage.check("ansible-playbook", "-i", "tests/lab/inventory.yml", "tests/lab/engine.yml")
    stage.check(sys.executable, "tests/lab/lab.py", "images")


def lint(stage: Stage) -> None:
    """yamllint, ansible-lint (production), ruff, changelog fragments, documentation and docs/reference."""
    stage.check("yamllint", "--strict", ".")
    stage.check("ruff", "check", ".")
    stage.check("ansible-lint", "--offline", "--strict")
    stage.check("antsibull-changelog", "lint")
    if programs := stage.programs("docs"):
        stage.check("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", ".",
                    PATH=f"{programs}:{os.environ['PATH']}")
        stage.check(sys.executable, "tests/reference.py", "--check")


def unit(stage: Stage) -> None:
    """Pure decisions and the shape of the repository."""
    stage.pytest("tests/shape", "tests/unit")


def artifact(stage: Stage) -> None:
    """What is built: reproducible, nothing of development, complete elsewhere, sane, and Galaxy would import it."""
    archive = _sane(stage, BIN, ROOT / ".cache" / "artifact")
    if not archive:
        return
    stage.pytest("tests/artifact", MOORING_ARTIFACT=str(archive))
    if programs := stage.programs("importer"):
        # It lints and reads documentation by itself; sanity ran above. Its result file goes to where it runs.
        start = stage.log.stat().st_size
        good = stage.check(programs / "python", "-m", "galaxy_importer.main", archive, cwd=archive.parent,
                           PATH=f"{programs}:{os.environ['PATH']}")
        said = re.findall(r"^(?:WARNING|ERROR).*$", stage.log.read_text()[start:], re.MULTILINE) if good else []
        stage.count.failed += len(said)


def matrix(stage: Stage) -> None:
    """The oldest ansible-core that is supported: artifact, sanity, unit tests."""
    if programs := stage.programs("core-2.18"):
        _sane(stage, programs, ROOT / ".cache" / "matrix")
        stage.pytest("tests/shape", "tests/unit", python=programs / "python", PATH=f"{programs}:{os.environ['PATH']}")


def _sane(stage: Stage, programs: pathlib.Path, place: pathlib.Path) -> pathlib.Path | None:
    """Build, install elsewhere, every module and role documented; then ansible-test sanity on it."""
    path = {"PATH": f"{programs}:{os.environ['PATH']}"}
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    if not stage.check("ansible-galaxy", "collection", "build", "--output-path", place, **path):
        return None
    archive = next(place.glob("*.tar.gz"))
    if not stage.check("ansible-galaxy", "collection", "install", "--force", "--offline", archive, "-p", place, **path):
        return None
    collection = place / "ansible_collections" / "mooring" / "stack"
    elsewhere = {**path, "ANSIBLE_COLLECTIONS_PATH": str(place)}
    modules = sorted(path.stem for path in (collection / "plugins/modules").glob("*.py"))
    stage.check("ansible-doc", "--json", *[f"mooring.stack.{name}" for name in modules], cwd=place, **elsewhere)
    roles = sorted(path.name for path in (collection / "roles").iterdir())
    stage.check("ansible-doc", "--type", "role", "--json", *[f"mooring.stack.{name}" for name in roles],
                cwd=place, **elsewhere)
    stage.check("ansible-playbook", "mooring.stack.site", "--syntax-check", "-i", ROOT / "inventories/local",
                cwd=place, **elsewhere)
    for argv in (["git", "init", "--quiet"], ["git", "add", "--all"]):
        stage.run(*argv, cwd=collection)
    # One for each version: two stages that run side by side would make the same environments in one.
    home = ROOT / ".cache" / f"home-{place.name}"
    _pip_for_ansible_test(home)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stage.check("ansible-test", "sanity", "--requirements", "--python", version, "--color", "no",
                cwd=collection, HOME=str(home), **path)
    return archive


def _pip_for_ansible_test(home: pathlib.Path) -> None:
    """ansible-test downloads a script that installs pip; this one takes the pip that Python brings.

    As subprocesses, because ensurepip inside a process switches pip's own configuration off.
    """
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{ANSIBLE_TEST_PIP.replace('.', '_')}.py").write_text(textwrap.dedent(f"""\
        import subprocess
        import sys

        subprocess.check_call([sys.executable, "-m", "ensurepip"])
        subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "pip=={ANSIBLE_TEST_PIP}"])
        """))


def browser(stage: Stage) -> None:
    """The drift page in Chromium; screenshots in .cache/test/drift-page."""
    stage.pytest("tests/browser")


def integration(stage: Stage) -> None:
    """compose_project against the machine's engine."""
    from_maven(stage, FROM_MAVEN["elk"])
    stage.pytest("tests/integration")


def molecule(scenario: str) -> t.Callable[[Stage], None]:
    """A scenario: check on bare, converge, converge again, check, verify."""
    def run(stage: Stage) -> None:
        if scenario in FROM_MAVEN and not from_maven(stage, FROM_MAVEN[scenario]):
            return
        stage.check("molecule", "test", "-s", scenario, **registry() if scenario == "monitoring" else {})
    return run


def from_maven(stage: Stage, images: list[str]) -> bool:
    """Whether images are there or could be built; a stage whose programs cannot be had is skipped with the reason."""
    with BUILDING:
        built = stage.run("ansible-playbook", "-i", "tests/lab/inventory.yml", "tests/lab/images.yml",
                          "-e", json.dumps({"distro_images_build": images}))
    if built:
        return True
    unreachable = spring.UNREACHABLE.search(stage.log.read_text(errors="replace"))
    if unreachable:
        stage.skip(f"Maven reaches no repository to build {' and '.join(images)}")
    else:
        stage.count.failed += 1
    return False


def registry() -> dict[str, str]:
    """Tells the scenario monitoring whether it gets the real Grafana, Loki and Alloy."""
    defaults = (ROOT / "roles/monitoring/defaults/main.yml").read_text()
    image = re.search(r"^monitoring_loki_image: (\S+)$", defaults, re.MULTILINE)[1]
    try:
        found = subprocess.run(["docker", "manifest", "inspect", image], timeout=20, check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except subprocess.TimeoutExpired:
        found = False
    say(f"    molecule-monitoring: {'the real Grafana, Loki and Alloy' if found else 'no registry: stand-ins'}")
    return {"MOORING_REGISTRY": "1"} if found else {}


def prove_site(stage: Stage) -> None:
    """`make up` to `make down` on a bare node without init."""
    stage.check(sys.executable, "tests/prove/site.py")


def prove_drift(stage: Stage) -> None:
    """Every kind of drift, and killed runs, on a bare node with systemd."""
    stage.check(sys.executable, "tests/prove/drift.py")


def prove_certificates(stage: Stage) -> None:
    """What can go wrong with certificates, against nginx, certbot and Pebble."""
    stage.check(sys.executable, "tests/prove/certificates.py")


def prove_grants(stage: Stage) -> None:
    """MySQL's accounts, and what the stores acknowledged, against real servers."""
    stage.check(sys.executable, "tests/prove/grants.py")


def prove_kafka(stage: Stage) -> None:
    """Topics, users and acknowledged records against a real broker; skipped where Maven reaches no repository."""
    if from_maven(stage, FROM_MAVEN["kafka"]):
        stage.check(sys.executable, "tests/prove/kafka.py")


def prove_elk(stage: Stage) -> None:
    """Documents, mappings, lifecycle and drift against a real Elasticsearch; skipped as for prove-kafka."""
    if from_maven(stage, FROM_MAVEN["elk"]):
        stage.check(sys.executable, "tests/prove/elk.py")


def prove_ci(stage: Stage) -> None:
    """Commits become releases under load by examples/pipeline; skipped where Maven reaches no repository."""
    stage.check(sys.executable, "tests/prove/ci.py")


def prove_notifier(stage: Stage) -> None:
    """Documented, broken and many events, kills and outages between GitLab and Mattermost, on a bare node."""
    stage.check(sys.executable, "tests/prove/notifier.py")


def prove_releases(stage: Stage) -> None:
    """Deploys, rollbacks, failing and killed ones under load, on a bare node with systemd."""
    stage.check(sys.executable, "tests/prove/releases.py")


def prove_monitoring(stage: Stage) -> None:
    """Targets, rules, alerts and their delivery, on a bare node with systemd."""
    stage.check(sys.executable, "tests/prove/monitoring.py")


def prove_upgrade(stage: Stage) -> None:
    """The previous release and then the last commit, on a bare node with systemd; skipped in a shallow clone."""
    shallow = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout.strip()
    if shallow == "true":
        stage.skip("this clone is shallow and does not have the previous release: git fetch --unshallow")
        return
    stage.check(sys.executable, "tests/prove/upgrade.py")


def prove_production(stage: Stage) -> None:
    """inventories/prod on three hosts, from bare nodes to a teardown; skipped as for prove-kafka.

    The upgrade is a stage of its own.
    """
    if from_maven(stage, FROM_MAVEN["site"]):
        stage.check(sys.executable, "tests/prove/production.py", "--without", "upgrade")


def prove_spring(stage: Stage) -> None:
    """20 deployments of the Spring example under load; skipped where Maven reaches no repository."""
    stage.check(sys.executable, "tests/prove/spring.py")


MOLECULE = {f"molecule-{scenario}": molecule(scenario) for scenario in SCENARIOS}
# With the whole platform on one or three nodes.
PLATFORMS: dict[str, t.Callable[[Stage], None]] = {
    "prove-production": prove_production,
    "prove-upgrade": prove_upgrade,
    "prove-site": prove_site,
}
# What `make test` has no time for; `make test-full` runs it.
FULL: dict[str, t.Callable[[Stage], None]] = {
    "prove-drift": prove_drift, "prove-certificates": prove_certificates, "prove-grants": prove_grants,
    "prove-releases": prove_releases, "prove-spring": prove_spring, "prove-monitoring": prove_monitoring,
    "prove-kafka": prove_kafka, "prove-elk": prove_elk,
    "prove-ci": prove_ci, "prove-notifier": prove_notifier,
    # inventories/prod on one host and on three; prove-production begins with the latter.
    "molecule-site": MOLECULE["molecule-site"],
    "molecule-site_three": MOLECULE["molecule-site_three"],
}
STAGES: dict[str, t.Callable[[Stage], None]] = {
    "engine": engine,
    **PLATFORMS,
    "integration": integration,
    "matrix": matrix,
    "artifact": artifact,
    **{name: work for name, work in MOLECULE.items() if name not in FULL},
    "unit": unit,
    "lint": lint,
    "browser": browser,
}


def say(text: str) -> None:
    """Progress, plain."""
    print(text, flush=True)


def run_stage(name: str, work: t.Callable[[Stage], None]) -> Stage:
    """Run one stage with a heartbeat; show the end of its log if it failed."""
    stage = Stage(name)
    stage.log.write_text("")
    started = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT):
            say(f"... {name}: {time.monotonic() - started:.0f} s")

    say(f"=== {name}: {(work.__doc__ or molecule.__doc__ or '').strip().splitlines()[0]}")
    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        work(stage)
    finally:
        done.set()
        heart.join()
    count = stage.count
    if count.failed:
        say("\n".join(stage.log.read_text(errors="replace").splitlines()[-150:]))
    for line in stage.log.read_text(errors="replace").splitlines():
        if line.startswith(("SKIPPED", "prove-")):
            say(f"    {line}")
    say(f"{'FAILED' if count.failed else 'ok'} {name}: {count.passed} passed, {count.failed} failed, "
        f"{count.skipped} skipped in {time.monotonic() - started:.0f} s")
    return stage


def main() -> int:
    """Run the stages, print the totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also what takes long")
    parser.add_argument("--jobs", type=int, default=2, help="stages beside the one with a whole platform (default 2)")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of {', '.join({**STAGES, **FULL})}")
    args = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    known = {**STAGES, **FULL}
    unknown = sorted(set(args.stages) - set(known))
    if unknown:
        parser.error(f"unknown stage {', '.join(unknown)}")
    chosen = args.stages or list(known if args.full else STAGES)
    started = time.monotonic()
    stages = [run_stage(name, known[name]) for name in chosen if name == "engine"]
    side_by_side = [name for name in chosen if name != "engine" and name not in FULL]
    with ThreadPoolExecutor(1) as alone, ThreadPoolExecutor(args.jobs) as beside:
        running = [(alone if name in PLATFORMS else beside).submit(run_stage, name, known[name])
                   for name in side_by_side]
        stages += [future.result() for future in running]
    stages += [run_stage(name, known[name]) for name in chosen if name in FULL]
    total = Count(*(sum(getattr(stage.count, field) for stage in stages) for field in ("passed", "failed", "skipped")))
    say(f"{len(stages)} stages in {(time.monotonic() - started) / 60:.1f} minutes")
    say(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
