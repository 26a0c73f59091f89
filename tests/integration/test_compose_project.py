"""compose_project against a real engine: converge, drift, failure, interruption."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import threading

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._project_host import ProjectHost
from conftest import OPTIONS, ROOT, docker, new_trial

SENTINELS = ("sentinel-in-a-template", "sentinel-in-an-option")
DEFAULTS = {"page": "one", "rules": "first"}


@pytest.fixture
def converged(trial):
    outcome = trial.converge()
    assert outcome.ok, outcome.result
    return trial


def test_a_playbook_converges_a_bare_project_and_then_changes_nothing(trial):
    predicted = trial.play("--check", "--diff", options=OPTIONS)
    assert predicted.ok, predicted.output
    assert not trial.project.exists(), "check mode must write nothing"
    done = trial.play("--diff", "-vvv", options=OPTIONS)
    assert done.ok, done.output
    assert done.plan == predicted.plan
    assert done.plan["services"] == {"hot": "create", "web": "create"}
    for flags in ([], ["--check", "--diff"]):
        again = trial.play(*flags, options=OPTIONS)
        assert (again.ok, again.result["changed"], again.changes) == (True, False, []), again.output

    secret = trial.project / "secrets/web/token"
    status = secret.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o400, 1234, 1234)
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o500
    assert (trial.project / "data/web").stat().st_uid == 1234

    rotated = trial.play("--diff", "-vvv", options=OPTIONS, password="sentinel-rotated")
    assert rotated.plan["services"] == {"web": "recreate"}
    failed = trial.play("--diff", "-vvv", options=OPTIONS, password="sentinel-failing", health_path="absent")
    assert not failed.ok
    # defect 8
    shown = docker("inspect", trial.container("web"), trial.container("hot"))
    printed = predicted.output + done.output + rotated.output + failed.output
    files_on_host = "".join((trial.project / name).read_text() for name in ("compose.yml", ".mooring/manifest.json"))
    assert "sentinel" not in printed + shown + files_on_host


@pytest.mark.parametrize(("drift", "words", "step"), [
    (lambda t: docker("stop", "-t", "1", t.container("web")), "service web: state is exited", {"web": "start"}),
    (lambda t: docker("pause", t.container("web")), "service web: state is paused", {"web": "unpause"}),
    (lambda t: docker("rm", "-f", t.container("web")), "service web: missing", {"web": "create"}),
    (lambda t: docker("rename", t.container("web"), t.prefix + "-mine"), "service web: name is", {"web": "recreate"}),
    (lambda t: docker("update", "--pids-limit", "77", t.container("web")), "service web: pids_limit is 77",
     {"web": "recreate"}),
    (lambda t: docker("network", "disconnect", t.prefix, t.container("web")), "service web: networks is",
     {"web": "recreate"}),
    (lambda t: (t.project / "conf/index.html").write_text("edited"), "file conf/index.html: content differs", {}),
    (lambda t: (t.project / "conf/index.html").unlink(), "file conf/index.html: missing", {}),
    (lambda t: (t.project / "conf/index.html").chmod(0o600), "file conf/index.html: mode is 0600", {}),
    (lambda t: os.chown(t.project / "secrets/web/token", 0, 0), "file secrets/web/token: owner is 0:0", {}),
    (lambda t: (t.project / "hot/rules.txt").write_text("edited"), "file hot/rules.txt: content differs",
     {"hot": "reload"}),
    (lambda t: (t.project / "compose.yml").write_text("services: {}"), "file compose.yml: content differs", {}),
    (lambda t: docker("compose", "-f", str(t.project / "compose.yml"), "up", "-d", "--scale", "web=2"),
     "service web: containers is 2, declared 1", {"web": "remove duplicates"}),
    (lambda t: docker("run", "--rm", "-v", f"{t.project}/conf:/conf", "--entrypoint", "sh", t.image, "-c",
                      "echo edited > /conf/index.html") + docker("restart", "-t", "1", t.container("web")),
     "service web: configuration is started with other conf/index.html", {"web": "restart"}),
    (lambda t: shutil.rmtree(t.project / "conf"), "service web: mounts is replaced: conf", {"web": "restart"}),
    (lambda t: shutil.move(t.project / "conf", t.directory / "moved")
     and shutil.copytree(t.directory / "moved", t.project / "conf"),
     "service web: mounts is replaced: conf", {"web": "restart"}),
    (lambda t: shutil.move(t.project / "hot/rules.txt", t.directory / "kept")
     and shutil.move(t.directory / "kept", t.project / "hot/rules.txt"),
     "service hot: configuration is an older one, declared as on disk", {"hot": "reload"}),
    (lambda t: (t.project / ".mooring/manifest.json").unlink(),
     "service hot: configuration is an older one", {"hot": "reload"}),
], ids=["stopped", "paused", "removed", "renamed", "updated", "disconnected", "edited", "deleted", "mode", "owner",
        "reloadable", "compose-file", "duplicated", "started with an edit", "directory removed", "directory replaced",
        "older configuration", "manifest lost"])
def test_drift_is_named_by_check_mode_and_healed_by_one_run(converged, drift, words, step):
    other = "hot" if "web" in step else "web"
    untouched = converged.started(other)
    drift(converged)
    predicted, healed = converged.converge(check=True), converged.converge()
    assert any(line.startswith(words) for line in predicted.changes), predicted.changes
    assert predicted.plan["services"] == step
    assert healed.plan == predicted.plan
    assert converged.converge().changes == []
    assert converged.started(other) == untouched


def test_a_service_that_was_paused_until_it_seemed_unhealthy_goes_on_without_a_restart(converged):
    started = converged.started("web")
    docker("pause", converged.container("web"))
    converged.wait_for_health("web", "unhealthy")
    healed = converged.converge()
    assert (healed.ok, healed.plan["services"]) == (True, {"web": "unpause"}), healed.result
    assert converged.started("web") == started


def test_a_change_touches_only_what_it_must(converged):
    web, hot = converged.started("web"), converged.started("hot")
    reloaded = converged.converge(rules="second")
    assert reloaded.plan["services"] == {"hot": "reload"}
    assert docker("exec", converged.container("hot"), "cat", "/tmp/loaded") == "second"
    assert (converged.started("web"), converged.started("hot")) == (web, hot)

    # a mounted file that cannot be read again makes a new container of its service alone
    recreated = converged.converge(rules="second", page="two")
    assert recreated.plan["services"] == {"web": "recreate"}
    assert converged.started("web") != web
    assert converged.started("hot") == hot


def test_what_is_no_longer_declared_goes_and_strangers_stay(converged):
    (converged.project / "conf/stranger").write_text("not ours")
    for name in ("rules", "same"):
        (converged.directory / f"tree/hot/{name}.txt.j2").unlink()
    template = (converged.directory / "tree/compose.yml.j2").read_text()
    converged.write("compose.yml.j2", template.split("  hot:")[0])
    outcome = converged.converge({"reload": []})
    assert outcome.plan["services"] == {"hot": "remove"}
    assert outcome.plan["delete"] == ["hot/same.txt", "hot/rules.txt", "hot"]
    assert outcome.result["notices"] == [
        "trial: conf/stranger is not ours and lies where the project's files do; it is left alone."]
    assert (converged.project / "conf/stranger").exists()
    assert docker("ps", "-aq", "--filter", f"name={converged.container('hot')}") == ""
    assert converged.converge({"reload": []}).changes == []


def test_a_definition_that_never_becomes_healthy_is_taken_back(converged):
    before = (converged.project / "compose.yml").read_text()
    failed = converged.converge(health_path="absent", page="broken", rules="broken")
    assert not failed.ok
    assert "the previous version is back and runs" in failed.result["msg"]
    assert "File not found" in failed.result["msg"], "the culprit's last log lines are shown"
    assert (converged.project / "compose.yml").read_text() == before
    assert (converged.project / "conf/index.html").read_text() == "one\n"
    assert docker("inspect", "--format", "{{.State.Health.Status}}", converged.container("web")) == "healthy"
    assert converged.converge().changes == []
    assert converged.converge(page="fixed").ok


def test_a_first_version_that_never_becomes_healthy_leaves_no_container(trial):
    failed = trial.converge(health_path="absent")
    assert "had no previous version" in failed.result["msg"]
    assert docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={trial.prefix}-trial") == ""
    assert trial.converge().ok


def test_what_does_not_validate_is_not_put_in_place(converged):
    web = converged.started("web")
    validators = [{"service": "web", "command": ["grep", "two", "/conf/index.html"]}]
    failed = converged.converge({"validators": validators}, page="bad")
    assert "'grep two /conf/index.html' in service web" in failed.result["msg"]
    assert (converged.project / "conf/index.html").read_text() == "one\n"
    assert converged.started("web") == web
    assert docker("ps", "-aq", "--filter", "label=com.docker.compose.oneoff=True",
                  "--filter", f"label=com.docker.compose.project={converged.prefix}-trial") == ""
    assert converged.converge({"validators": validators}, page="two").ok, "the validator sees the staged tree"


@pytest.mark.parametrize(("template", "message"), [
    ("services: [", "is not YAML"),
    ("services:\n  web: {image: '{{ undefined_thing }}'}", "undefined_thing"),
    ("services:\n  web: {image: 'x:1', memory_limit: 3}", "memory_limit"),
    ("version: '3'\nservices: {}", "not version"),
])
def test_a_compose_file_that_is_wrong_is_refused_before_anything_is_written(trial, template, message):
    trial.write("compose.yml.j2", template)
    failed = trial.play(options={"secrets": OPTIONS["secrets"]})
    assert not failed.ok
    assert message in failed.output
    assert not (trial.project / "compose.yml").exists()


def test_an_image_that_is_not_to_be_had_is_named_and_the_old_one_stays(converged):
    web = converged.started("web")
    failed = converged.converge(image="mooring.invalid/absent:1.0")
    assert "The image mooring.invalid/absent:1.0 of service web is not on this host" in failed.result["msg"]
    assert "the previous version is back and runs" in failed.result["msg"]
    assert converged.started("web") == web
    assert converged.converge().changes == []


def test_an_image_tag_that_moved_is_drift(converged):
    tag = f"{converged.prefix}:moving"
    docker("tag", converged.image, tag)
    try:
        assert converged.converge(image=tag).ok
        subprocess.run(["docker", "build", "--quiet", "--tag", tag, "-"], check=True, stdout=subprocess.DEVNULL,
                       input=f"FROM {converged.image}\nLABEL moved=1\n".encode())
        predicted = converged.converge(check=True, image=tag)
        assert predicted.plan["services"] == {"hot": "recreate", "web": "recreate"}
        assert converged.converge(image=tag).plan == predicted.plan
        assert converged.converge(image=tag).changes == []
    finally:
        converged.converge()
        docker("rmi", tag, check=False)


def test_a_stateful_service_waits_for_permission(converged):
    options = {"stateful": ["web"]}
    web = converged.started("web")
    for _attempt in ("first", "again"):
        failed = converged.converge(options, colour="green", rules="second")
        assert "-e mooring_allow_stateful_restart=true" in failed.result["msg"]
        assert failed.plan["held"] == {"web": "recreate"}
        assert converged.started("web") == web
    assert docker("exec", converged.container("hot"), "cat", "/tmp/loaded") == "second"
    assert converged.converge(options, allow=True, colour="green", rules="second").ok
    assert converged.started("web") != web
    assert converged.converge(options, colour="green", rules="second").changes == []


def test_of_two_runs_at_once_the_second_says_who_is_at_work(converged):
    with files.lock(str(converged.project / ".mooring/lock"), "the test"):
        failed = converged.converge(page="two")
    assert f"is being changed by process {os.getpid()} on {socket.gethostname()} since" in failed.result["msg"]
    assert converged.converge(page="two").ok


@pytest.fixture(scope="module")
def steady(tmp_path_factory, image):
    """A converged project whose `web` is asked 50 times a second all along."""
    directory = tmp_path_factory.mktemp("steady")
    with new_trial(directory, image) as trial:
        assert trial.converge().ok
        address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
                         trial.container("web"))
        running = directory / "running"
        running.touch()
        with subprocess.Popen(
                [sys.executable, str(ROOT / "tests/lab/load.py"), "--plain", "--address", address, "--port", "8000",
                 "--name", "web", "--path", "/", "--connections", "1", "--pause", "0.02", "--while", str(running)],
                stdout=subprocess.PIPE, text=True) as client:
            yield trial
            running.unlink()
            seen = json.loads(client.communicate()[0])
    assert seen["requests"] > 100
    assert seen["failed"] == 0, seen


POINTS = [
    *((ProjectHost, step, when, 1) for when in ("before", "after") for step in (
        "_stage", "_validate", "_keep_previous", "_save_manifest", "_swap", "_up", "_reload", "_record")),
    (files, "copy_tree", "after", 1),
    (files, "exchange", "before", 1), (files, "exchange", "after", 1),
    (files, "exchange", "before", 2), (files, "exchange", "after", 2),
    # of the two files of the parked directory the first has its new content, the second has not
    (files, "copy_file", "before", 8),
]


@pytest.mark.parametrize(("owner", "step", "when", "turn"), POINTS,
                         ids=[f"{when} {step} {turn}" for _owner, step, when, turn in POINTS])
def test_a_killed_reload_costs_no_request_and_no_restart_reads_half_of_it(steady, owner, step, when, turn):
    before, value = steady.rules(), secrets.token_hex(4)
    web = steady.started("web")
    steady.killed(owner, step, when, turn, rules=value)
    # What a restart reads now is the old tree or the new one.
    docker("restart", "-t", "1", steady.container("hot"))
    assert steady.rules() in (before, [value, value])
    predicted = steady.converge(check=True, rules=value)
    healed = steady.converge(rules=value)
    assert healed.ok, healed.result
    assert predicted.plan["write"] == healed.plan["write"]
    assert steady.rules() == [value, value]
    assert docker("exec", steady.container("hot"), "cat", "/tmp/loaded") == value
    assert steady.converge(rules=value).changes == []
    assert steady.started("web") == web
    assert sorted(path.name for path in (steady.project / ".mooring").iterdir()) == ["key", "lock", "manifest.json"]


class Killed(BaseException):
    """Stands for kill -9: nothing that was written for a failure may run."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["_swap", "_up", "_record"])
def test_a_run_that_is_killed_is_finished_by_the_next(converged, step, moment):
    converged.killed(ProjectHost, step, moment, page="two", rules="second")
    assert docker("inspect", "--format", "{{.State.Status}}", converged.container("web")) == "running"
    healed = converged.converge(page="two", rules="second")
    assert healed.ok, healed.result
    assert docker("exec", converged.container("web"), "cat", "/conf/index.html") == "two"
    assert docker("exec", converged.container("hot"), "cat", "/tmp/loaded") == "second"
    assert converged.converge(page="two", rules="second").changes == []
    assert not (converged.project / ".mooring/previous").exists()


def test_the_need_for_a_restart_outlives_a_kill(converged):
    (converged.project / "conf/index.html").write_text("edited")
    docker("restart", "-t", "1", converged.container("web"))
    edited = converged.started("web")
    converged.killed(ProjectHost, "_swap", "after")
    assert (converged.project / "conf/index.html").read_text() == "one\n"
    assert converged.converge().ok
    assert converged.started("web") != edited
    assert converged.converge().changes == []


def test_a_running_container_reads_the_new_files_after_an_exchange(converged):
    """The exchange leaves it the directory that it has mounted."""
    hot = converged.started("hot")
    assert converged.converge(rules="second").plan["services"] == {"hot": "reload"}
    assert converged.rules() == ["second", "second"]
    assert converged.started("hot") == hot


def test_where_directories_cannot_be_exchanged_files_are_replaced_one_by_one(converged, monkeypatch):
    monkeypatch.setattr(files, "exchange", lambda one, other: False)
    assert converged.converge(rules="second").ok
    assert converged.rules() == ["second", "second"]
    assert converged.converge(rules="second").changes == []


def test_a_volume_is_made_kept_and_never_replaced(trial):
    template = (trial.directory / "tree/compose.yml.j2").read_text()
    trial.write("compose.yml.j2", template.replace("./hot:/hot:ro", "./hot:/hot:ro, store:/store")
                .replace('["./hot', '["./hot').replace("ro, store", 'ro", "store') + "volumes: {store: {}}\n")
    name = f"{trial.prefix}-trial_store"
    assert f"volume {name}: missing" in trial.converge(check=True).changes
    assert trial.converge().ok
    docker("exec", trial.container("hot"), "touch", "/store/kept")
    assert trial.converge().changes == []
    docker("rm", "-f", trial.container("hot"))
    docker("volume", "rm", name)
    docker("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", name)
    healed = trial.converge()
    assert healed.plan["services"] == {"hot": "create"}
    assert healed.result["notices"][0].startswith(f"trial: volume {name}: options is")
    assert trial.converge().changes == []


@pytest.mark.parametrize("step", ["_swap", "_up"])
def test_a_broken_change_that_was_killed_is_still_taken_back_later(converged, monkeypatch, step):
    """What the killed run kept of the good version outlives it."""
    original = getattr(ProjectHost, step)

    def dies(self, *arguments):
        original(self, *arguments) if step == "_swap" else None
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ProjectHost, step, dies)
        with pytest.raises(Killed):
            converged.converge(health_path="absent", page="broken")
    failed = converged.converge(health_path="absent", page="broken")
    assert "the previous version is back and runs" in failed.result["msg"]
    assert (converged.project / "conf/index.html").read_text() == "one\n"
    assert converged.converge().changes == []


def test_without_an_engine_a_run_fails_and_check_mode_predicts(trial, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{trial.directory}/no-such.sock")
    assert trial.converge(check=True).plan["services"] == {"hot": "create", "web": "create"}
    failed = trial.converge()
    monkeypatch.undo()
    assert "No Docker engine answers on this host" in failed.result["msg"]
    assert not trial.project.exists()


def test_readers_never_see_a_half_written_file(tmp_path):
    target = tmp_path / "f"
    texts = [b"a" * 100_000, b"b" * 100_000]
    files.write_file(str(target), texts[0], 0o644, os.geteuid(), os.getegid())
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _turn in range(50):
        for text in texts:
            files.write_file(str(target), text, 0o644, os.geteuid(), os.getegid())
    stop.set()
    reader.join()
    assert seen <= set(texts)
