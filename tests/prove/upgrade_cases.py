# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that two versions of the collection work on one after the other, and what is promised of that."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import shutil
import subprocess
import typing as t

import yaml
from ansible_collections.mooring.stack.plugins.module_utils._collection_version import Version, notes_of
from drift_site import IMAGES, PORT, ROOT, Failed, Poll, Run, Site, expect

TOPIC = "upgrade"
RECORD = "/etc/mooring/platforms/mooring.json"
MANIFEST = "/opt/mooring/data_stores/.mooring/manifest.json"
# The images are the machine's own, of the last commit: what a new version of them needs is another matter.
PART = ("--skip-tags", "distro_images")
EXTRA: dict[str, dict[str, t.Any]] = {
    "all": {"ansible_connection": "ssh", "ansible_user": "root"},
    "nginx_certbot": {"nginx_certbot_https_bind": f"0.0.0.0:{PORT}"}}
NEWER = "99.0.0"
NOTES = {"breaking_changes": ["data_stores - tables have legs.", "kafka - topics have wings."],
         "removed_features": ["old_module - is gone."]}
# What makes a container another one: the definition by Compose, the files that it mounts by compose_project.
DEFINITION = ("com.docker.compose.config-hash", "mooring.digest")
LAYOUT = "{{.Name}} {{.Id}} {{.State.StartedAt}} {{.RestartCount}} {{json .Config.Labels}}"


def git(*arguments: str, root: pathlib.Path = ROOT) -> str:
    """What git answers."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def version_at(commit: str, root: pathlib.Path = ROOT) -> str:
    """The collection's version at a commit."""
    return str(yaml.safe_load(git("show", f"{commit}:galaxy.yml", root=root))["version"])


def previous_release(root: pathlib.Path) -> str:
    """The commit that entered the last release before this version into the changelog."""
    releases = yaml.safe_load(git("show", "HEAD:changelogs/changelog.yaml", root=root))["releases"]
    now = Version.parse(version_at("HEAD", root))
    before = [version for version in releases if Version.parse(version) < now]
    if not before:
        raise Failed(f"changelogs/changelog.yaml has no release before {version_at('HEAD', root)}")
    last = max(before, key=Version.parse)
    found = git("log", "--format=%H", f"-S\n  {last}:\n", "--", "changelogs/changelog.yaml", root=root).split()
    if not found:
        raise Failed(f"no commit has entered {last} into changelogs/changelog.yaml; a shallow clone has none")
    return found[-1]


@dataclasses.dataclass
class Figures:
    """What was counted."""

    containers: int = 0
    untouched: int = 0
    recreated: int = 0
    restarted_without_need: int = 0
    lost: int = 0
    rerun_changed: int = -1
    requests: int = 0
    failed: int = 0
    refused: int = 0

    def line(self) -> str:
        """All of them."""
        return " ".join(f"{name}={value}" for name, value in dataclasses.asdict(self).items())

    @property
    def good(self) -> bool:
        """Nothing was lost, restarted without need, changed twice or not answered."""
        return (self.containers > 0 and self.untouched + self.recreated == self.containers
                and not (self.restarted_without_need or self.lost or self.rerun_changed or self.failed))


@dataclasses.dataclass(frozen=True)
class Container:
    """One container as it is now: the process, and what it was made from."""

    process: str
    definition: tuple[str, ...]


class Client(Poll):
    """It is there for minutes, in which a busy machine may have little time for it."""

    least = 2.0


# How a run is started, with what arguments and what by name.
Start = tuple[t.Callable[..., Run], tuple[str, ...], dict[str, t.Any]]


class Place(Site):
    """A node, and three collections: the previous release, the last commit, and one that nobody has written yet."""

    tags = PART

    def __init__(self, directory: pathlib.Path, figures: Figures, commit: str) -> None:
        super().__init__(directory, TOPIC, EXTRA, IMAGES)
        self.figures = figures
        self.commit = commit
        self.before, self.now = version_at(commit), version_at("HEAD")
        self.previous, self.future = directory / "previous", directory / "future"
        self.data: dict[str, str] = {}
        self.containers: dict[str, Container] = {}

    # -- from nothing -----------------------------------------------------------------------

    def clone(self) -> None:
        """The last commit, the previous release, and the last commit with a version and notes that are made up."""
        super().clone()
        for place, commit in ((self.previous, self.commit), (self.future, "HEAD")):
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(place)], check=True)
            git("checkout", "--quiet", git("rev-parse", commit).strip(), root=place)
        galaxy, changelog = self.future / "galaxy.yml", self.future / "changelogs/changelog.yaml"
        galaxy.write_text(galaxy.read_text().replace(f"\nversion: {self.now}\n", f"\nversion: {NEWER}\n"))
        document = yaml.safe_load(changelog.read_text())
        document["releases"][NEWER] = {"changes": NOTES}
        changelog.write_text(yaml.safe_dump(document))

    @contextlib.contextmanager
    def by(self, code: pathlib.Path) -> t.Iterator[None]:
        """Let another collection work, with its own inventories/local and the same secrets."""
        here = self.code, self.inventory
        self.code, self.inventory = code, self.scratch / f"inventory-{code.name}"
        try:
            if not self.inventory.exists():
                self.declare()
            yield
        finally:
            self.code, self.inventory = here

    def declare(self) -> None:
        """As for other proofs, and one place for the secrets of all versions."""
        super().declare()
        secrets, link = self.scratch / "state", self.inventory / ".state"
        secrets.mkdir(mode=0o700, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(secrets)

    def begin(self) -> None:
        """From a bare node to the previous release."""
        self.need_images()
        self.say(f"starting a bare node with systemd, for {self.before} ({self.commit[:10]})")
        self.node.start("trixie", "bare", "systemd")
        self.declare()
        with self.by(self.previous):
            self.run("--tags", "docker_engine").good("installing the engine")
            self.node.load(self.images)
            self.converge()

    def again(self) -> None:
        """A node that was left, back to the previous release."""
        with self.by(self.previous):
            self.converge(mooring_downgrade_acknowledged=self.recorded())

    # -- looking ------------------------------------------------------------------------------

    def recorded(self) -> str:
        """The version that the node says worked there last; "" for none."""
        text = self.sh(f"cat {RECORD} 2>/dev/null || true")
        return json.loads(text)["version"] if text else ""

    def look(self) -> dict[str, Container]:
        """The platform's containers by name."""
        found = {}
        for line in self.sh(f"docker ps -aq | xargs -r docker inspect -f '{LAYOUT}'").splitlines():
            name, identity, started, restarts, labels = line.split(" ", 4)
            found[name.lstrip("/")] = Container(
                f"{identity} {started} {restarts}", tuple(json.loads(labels).get(label, "") for label in DEFINITION))
        return found

    def read_data(self) -> dict[str, str]:
        """What the stores, the proxy and Prometheus have kept, as they say themselves."""
        history = 'import json; print([(one["release"], one["started"]) for one in json.load(open(0))["history"]])'
        return {
            "MySQL": self.sh("sql <<< 'SELECT name FROM demo.items ORDER BY id'").strip(),
            "Redis": self.redis("GET demo:proof"),
            "certificate": self.sh("served").strip(),
            "release": self.sh("cat $RELEASE").strip(),
            "deployments": self.sh(f"python3 -c '{history}' < /opt/mooring/app_blue_green/demo.json").strip(),
            "volumes": self.sh("docker volume ls -q | xargs docker volume inspect -f '{{.Name}} {{.CreatedAt}}' | "
                               "grep ^mooring- | sort").strip(),
        }

    def redis(self, command: str) -> str:
        """What Redis answers the application's account."""
        return self.sh(f"docker exec -e REDISCLI_AUTH={self.secret('demo_redis_password')} $REDIS redis-cli "
                       f"-h 127.0.0.1 --user demo --no-auth-warning {command}").strip()

    def series(self) -> float:
        """Since when Prometheus remembers anything, in seconds since the epoch."""
        query = "min(min_over_time(timestamp(up)%5B1d%3A15s%5D))"
        address = self.sh("docker inspect -f '{{.NetworkSettings.Networks.mooring.IPAddress}}' "
                          "mooring-monitoring-prometheus-1").strip()
        answer = json.loads(self.sh(f"curl -s 'http://{address}:9090/prometheus/api/v1/query?query={query}'"))
        return float(answer["data"]["result"][0]["value"][1])

    def refuse(self, words: t.Sequence[str], **values: t.Any) -> Run:
        """A run and a look ahead that say these words, and change nothing."""
        return self.refuse_runs(words, [(self.attempt, mode, values) for mode in (("--check", "--diff"), ())])

    def refuse_runs(self, words: t.Sequence[str], runs: t.Sequence[Start]) -> Run:
        """Runs that say these words, and change nothing; the last of them."""
        before = self.state()
        for run, arguments, values in runs:
            done = run(*arguments, **values)
            said = " ".join(done.output.split())
            missing = [word for word in words if word not in said]
            expect(done.status != 0 and not missing, f"a run with {arguments} was to be refused with {missing}",
                   f"status {done.status}:\n{done.output[-2500:]}")
            different = sorted(set(before) ^ set(self.state()))
            expect(not different, "a refused run changed something", different[:6])
            self.figures.refused += 1
        return done


Case = t.Callable[[Place], None]


def the_previous_version_serves(place: Place) -> None:
    """The previous release converged a bare node, recorded itself, and has data."""
    expect(place.recorded() == place.before, "the previous version was not recorded", place.recorded())
    for name in ("before", "upgrade"):
        place.sh(f"sql <<< \"INSERT INTO demo.items (name) VALUES ('{name}')\"")
    expect(place.redis("SET demo:proof kept") == "OK", "Redis takes nothing")
    with place.by(place.previous):
        again = place.converge()
    expect(again.changed == 0, "its own second run changed", again.changed_tasks)
    place.data, place.containers = place.read_data(), place.look()
    place.figures.containers = len(place.containers)
    expect("before\nupgrade" in place.data["MySQL"] and place.data["Redis"] == "kept", "nothing was put in", place.data)


def the_present_one_follows(place: Place) -> None:
    """The last commit looks ahead, converges with its notes acknowledged, while every request is answered."""
    notes = notes_of(yaml.safe_load((place.code / "changelogs/changelog.yaml").read_text()))
    passed = [note for note in notes
              if Version.parse(place.before) < Version.parse(note.version) <= Version.parse(place.now)]
    remembered = place.series()
    with Client(place.node.address()) as poll:
        if passed:
            place.refuse([f"mooring.stack {place.before} worked here last", passed[-1].version])
        read = {"mooring_upgrade_acknowledged": passed[-1].version} if passed else {}
        before = place.state()
        ahead = place.converge("--check", "--diff", **read)
        expect(place.state() == before, "looking ahead changed something")
        run = place.converge(mooring_allow_stateful_restart=True, **read)
    expect(ahead.differences == run.differences, "the run did not do what was told before", run.differences)
    place.figures.requests, place.figures.failed = poll.requests, len(poll.errors)
    expect(not poll.errors, "requests failed", poll.errors[:5])
    expect(place.recorded() == place.now, "the version was not recorded", place.recorded())
    again = place.converge()
    place.figures.rerun_changed = again.changed
    expect(again.changed == 0, "the second run changed", again.changed_tasks)
    expect(place.series() <= remembered + 60, "Prometheus has forgotten what was before")


def nothing_was_lost(place: Place) -> None:
    """Data, certificate, the deployments on record and the volumes are what they were."""
    found = place.read_data()
    lost = [name for name, value in place.data.items() if found[name] != value]
    place.figures.lost = len(lost)
    expect(not lost, "lost or changed:", [(name, place.data[name], found[name]) for name in lost])


def nothing_was_restarted_without_need(place: Place) -> None:
    """Every container whose definition and files did not change is the same process."""
    found = place.look()
    without = []
    for name, before in place.containers.items():
        now = found.get(name)
        if now and now.process == before.process:
            place.figures.untouched += 1
        elif now and now.definition == before.definition:
            without.append(name)
        else:
            place.figures.recreated += 1
            place.say(f"       {name} was {'made anew' if now else 'removed'}: its definition changed")
    place.figures.restarted_without_need = len(without)
    expect(not without, "restarted without need:", without)


def the_older_one_refuses(place: Place) -> None:
    """The previous release refuses every run from now on: converging, deploying, the drift check, the teardown."""
    words = [f"mooring.stack {place.now} worked here last", f"this is {place.before}", RECORD,
             f"mooring_downgrade_acknowledged={place.now}"]
    with place.by(place.previous):
        place.refuse(words)
        playbooks = place.code / "playbooks"
        place.refuse_runs(words, [
            (place.run, ("-e", "app_blue_green_release=1.1.0"), {"playbook": playbooks / "deploy.yml"}),
            (place.run, ("--check",), {"playbook": playbooks / "drift.yml"}),
            (place.run, ("-e", "teardown_data=delete"), {"playbook": playbooks / "teardown.yml"})])


def a_newer_one_waits_until_its_notes_are_read(place: Place) -> None:
    """A newer version with notes refuses until they are acknowledged, and then changes nothing but the record."""
    with place.by(place.future):
        refused = place.refuse([
            f"mooring.stack {place.now} worked here last", f'" {NEWER}: data_stores - tables have legs.",',
            f'" {NEWER}: old_module - is gone.",', f"mooring_upgrade_acknowledged to {NEWER}, in group_vars"])
        expect("wings" not in refused.output, "a note about a component that is not here was shown")
        place.refuse(["tables have legs"], mooring_upgrade_acknowledged="98.0.0")
        processes = place.look()
        run = place.converge(mooring_upgrade_acknowledged=NEWER)
        expect(run.changed_tasks == ["mooring.stack.preflight : Record which version of the collection works here"],
               "more than the record changed", run.changed_tasks)
        expect(place.look() == processes, "a container was touched")
        table = place.run(playbook=place.code / "playbooks/status.yml").good("the status table").output
        expect(f", mooring.stack {NEWER}" in table, "the status table does not say the version", table[-1500:])
    place.refuse([f"mooring.stack {NEWER} worked here last", f"this is {place.now}"])
    place.refuse([f"mooring.stack {NEWER} worked here last"], mooring_downgrade_acknowledged=place.before)
    run = place.converge(mooring_downgrade_acknowledged=NEWER)
    expect(run.changed == 1 and place.recorded() == place.now, "going back was not recorded", run.changed_tasks)


def a_platform_without_a_record_is_an_old_one(place: Place) -> None:
    """What 0.1.0 has made has no record, and counts as 0.1.0, with all the notes since then."""
    releases = yaml.safe_load((place.code / "changelogs/changelog.yaml").read_text())
    last = [note.version for note in notes_of(releases) if Version.parse(note.version) <= Version.parse(place.now)][-1]
    place.sh(f"rm {RECORD}")
    place.refuse(["mooring.stack 0.1.0 worked here last", "0.2.0: app_blue_green - a host can have any number of"])
    run = place.converge(mooring_upgrade_acknowledged=last)
    expect(run.changed == 1 and place.recorded() == place.now, "only the record was to change", run.changed_tasks)


def a_file_of_a_newer_format_is_refused(place: Place) -> None:
    """A manifest of a newer format, and a record of the version in one, are refused by name and left as they are."""
    for path, key in ((MANIFEST, "version"), (RECORD, "format")):
        place.sh(f"cp -p {path} /root/kept; python3 - <<< 'import json; found = json.load(open(\"{path}\")); "
                 f"found[\"{key}\"] = 7; json.dump(found, open(\"{path}\", \"w\"))'")
        try:
            place.refuse([f"{path} is in format 7, and this version of mooring.stack knows 1"])
        finally:
            place.sh(f"cp -p /root/kept {path}")
    run = place.converge()
    expect(run.changed == 0, "the run with the files as they were changed", run.changed_tasks)


def it_goes_with_the_platform(place: Place) -> None:
    """The teardown removes the record; and another platform, or none, is a first run again."""
    place.run("-e", "teardown_data=delete", "-e", json.dumps({"teardown_generated_secrets": ""}),
              playbook=place.code / "playbooks/teardown.yml").good("the teardown")
    expect(place.sh("ls /etc/mooring") == "docker_engine.json\n", "the record stays", place.sh("ls -R /etc/mooring"))
    with place.by(place.previous):
        place.attempt("--check").good("a first run, looking ahead")


CASES: tuple[Case, ...] = (
    the_previous_version_serves, the_present_one_follows, nothing_was_lost, nothing_was_restarted_without_need,
    the_older_one_refuses, a_newer_one_waits_until_its_notes_are_read, a_platform_without_a_record_is_an_old_one,
    a_file_of_a_newer_format_is_refused, it_goes_with_the_platform)
