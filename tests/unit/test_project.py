"""Decisions of compose_project, by table."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils import _step_compose_project as step

KEY = b"key of the tests"
FIELDS = {"name": "t-one-1", "memory": 64, "image": "sha256:aa"}


def entry(path: str, content: str = "x", mode: int = 0o644, **more) -> project.Entry:
    return project.Entry(path, content, mode, 0, 0, **more)


SERVICE = project.Service("one", "image:1", ("conf", "hot"), (project.Reload(("hot",), ("reload",)),))
ENTRIES = {e.path: e for e in (entry("compose.yml"), entry("conf/a"), entry("hot/b"))}
DECLARED = project.Declared(ENTRIES, {"one": SERVICE})
RELOADS = project.reload_digests(KEY, SERVICE, ENTRIES.values())
CONTAINER = project.Container("t-one-1", "one", "running", "healthy", "sha256:aa", "label", FIELDS)
MANIFEST = project.Manifest(
    {path: e.stamp() for path, e in ENTRIES.items()},
    {"one": {"hash": "hash", "label": "label", "fields": FIELDS, "reloads": RELOADS}})
OBSERVED = project.Observed(MANIFEST, ENTRIES, {"one": [CONTAINER]}, {"image:1": "sha256:aa"}, {"one": "hash"})


def with_container(**changes) -> project.Observed:
    return dataclasses.replace(OBSERVED, containers={"one": [dataclasses.replace(CONTAINER, **changes)]})


def with_entry(path: str, found: project.Entry | None) -> project.Observed:
    entries = {p: e for p, e in {**ENTRIES, path: found}.items() if e}
    return dataclasses.replace(OBSERVED, entries=entries)


def decide(observed: project.Observed, declared: project.Declared = DECLARED, allow: bool = False) -> project.Plan:
    return project.decide(declared, observed, KEY, allow)


def test_what_is_as_declared_needs_nothing():
    plan = decide(OBSERVED)
    assert not plan
    assert plan.result() == {"differences": [], "write": [], "delete": [], "services": {}, "held": {}}


@pytest.mark.parametrize(("observed", "sentence", "step"), [
    (dataclasses.replace(OBSERVED, containers={}), "service one: missing", "create"),
    (with_container(status="exited"), "service one: state is exited, declared running", "start"),
    (with_container(status="created"), "service one: state is created, declared running", "start"),
    (with_container(status="paused"), "service one: state is paused, declared running", "unpause"),
    (with_container(status="restarting"), "service one: state is restarting, declared running", "recreate"),
    (with_container(status="dead"), "service one: state is dead, declared running", "recreate"),
    (with_container(health="unhealthy"), "service one: health is unhealthy, declared healthy", "restart"),
    (with_container(image_id="sha256:bb"), "service one: image is", "recreate"),
    (with_container(config_hash="other"), "service one: definition is other, declared label", "recreate"),
    (with_container(fields={**FIELDS, "memory": 128}), "service one: memory is 128, declared 64", "recreate"),
    (with_container(fields={**FIELDS, "name": "mine"}), "service one: name is mine, declared t-one-1", "recreate"),
    (dataclasses.replace(OBSERVED, hashes={"one": "new"}), "service one: definition is hash, declared new", "recreate"),
    (dataclasses.replace(OBSERVED, containers={"one": [CONTAINER, CONTAINER]}),
     "service one: containers is 2, declared 1", "remove duplicates"),
    (dataclasses.replace(OBSERVED, manifest=project.Manifest(MANIFEST.entries, {"one": {
        **MANIFEST.services["one"], "reloads": ["older"]}})), "service one: configuration is an older one", "reload"),
])
def test_a_service_that_differs_is_named_and_brought_back(observed, sentence, step):
    plan = decide(observed)
    assert plan.steps == {"one": step}
    assert str(plan.differences[0]).startswith(sentence)
    assert len(plan.differences) == 1


@pytest.mark.parametrize(("path", "found", "sentence"), [
    ("conf/a", None, "file conf/a: missing"),
    ("conf/a", entry("conf/a", "edited"), "file conf/a: content differs"),
    ("conf/a", entry("conf/a", mode=0o666), "file conf/a: mode is 0666, declared 0644"),
    ("conf/a", dataclasses.replace(entry("conf/a"), uid=7), "file conf/a: owner is 7:0, declared 0:0"),
    ("conf/a", entry("conf/a", "", kind="other"), "file conf/a: kind is other, declared file"),
])
def test_a_file_that_differs_is_named_and_written(path, found, sentence):
    plan = decide(with_entry(path, found))
    assert str(plan.differences[0]) == sentence
    assert plan.write == (path,)
    assert plan.steps == {}, "a healed file that the container never saw changed restarts nothing"


def test_a_reloadable_file_that_was_edited_by_hand_is_reloaded():
    plan = decide(with_entry("hot/b", entry("hot/b", "edited")))
    assert plan.steps == {"one": "reload"}


@pytest.mark.parametrize(("found", "gone_at", "started_at", "step"), [
    (entry("conf/a", "edited", changed_at=5), 0, 9, "restart"),
    (entry("conf/a", "edited", changed_at=5), 0, 3, ""),
    (entry("conf/a", mode=0o600, changed_at=5), 0, 9, ""),
    (None, 5, 9, "restart"),
    (None, 5, 3, ""),
], ids=["started with the edit", "started before it", "only its mode", "started without it", "ran when it went"])
def test_a_container_is_restarted_only_if_it_started_with_what_is_undone_now(found, gone_at, started_at, step):
    observed = dataclasses.replace(
        with_entry("conf/a", found), gone_at={"conf/a": gone_at},
        containers={"one": [dataclasses.replace(CONTAINER, started_at=started_at)]})
    plan = decide(observed)
    assert plan.steps.get("one", "") == step
    assert plan.write == ("conf/a",)


@pytest.mark.parametrize(("changed_at", "loaded_at", "started_at", "step"), [
    (5, 3, 1, "reload"), (5, 7, 1, ""), (5, 3, 7, ""), (5, None, 1, "")],
    ids=["put back after the load", "loaded since", "started since", "not recorded"])
def test_a_service_that_runs_with_an_older_configuration_reads_it_again(changed_at, loaded_at, started_at, step):
    facts = {**MANIFEST.services["one"], **({} if loaded_at is None else {"loaded_at": loaded_at})}
    observed = dataclasses.replace(
        with_entry("hot/b", entry("hot/b", changed_at=changed_at)),
        manifest=project.Manifest(MANIFEST.entries, {"one": facts}),
        containers={"one": [dataclasses.replace(CONTAINER, started_at=started_at)]})
    assert decide(observed).steps.get("one", "") == step


def test_a_mounted_directory_that_was_replaced_needs_a_restart_and_a_database_waits_for_permission():
    observed = with_container(stale=("conf",))
    assert decide(observed).steps == {"one": "restart"}
    assert str(decide(observed).differences[0]) == "service one: mounts is replaced: conf, declared as on disk"
    declared = project.Declared(ENTRIES, {"one": dataclasses.replace(SERVICE, stateful=True)})
    assert decide(observed, declared).held == {"one": "restart"}


@pytest.mark.parametrize("entries", [{**MANIFEST.entries, "conf/a": ""}, {}], ids=["killed", "lost"])
def test_what_no_finished_run_recorded_is_run_again(entries):
    plan = decide(dataclasses.replace(OBSERVED, manifest=project.Manifest(entries, MANIFEST.services)))
    assert [str(one) for one in plan.differences] == [
        "project: record of the last run is missing or interrupted, declared complete"]
    assert not plan.steps


def test_of_duplicates_the_recorded_container_stays():
    copy = dataclasses.replace(CONTAINER, name="t-one-2", number=2, status="exited", fields={})
    for containers in ([CONTAINER, copy], [copy, CONTAINER]):
        assert project.original_first(containers, MANIFEST.services["one"]) == [CONTAINER, copy]
        plan = decide(dataclasses.replace(OBSERVED, containers={"one": containers}))
        assert plan.steps == {"one": "remove duplicates"}


def test_a_field_that_was_not_compared_when_it_was_recorded_says_nothing():
    facts = {**MANIFEST.services["one"], "fields": {**FIELDS, "dropped": 1}}
    more = with_container(fields={**FIELDS, "new": 2})
    assert not decide(dataclasses.replace(more, manifest=project.Manifest(MANIFEST.entries, {"one": facts})))


@pytest.mark.parametrize(("found", "differences", "notice"), [
    ({}, ["volume v: missing"], ""),
    ({"v": project.Volume("v")}, [], ""),
    ({"v": project.Volume("v", "nfs")}, [], 'volume v: driver is "nfs", declared "local"'),
    ({"v": project.Volume("v", options={"o": "ro"})}, [], 'volume v: options is {"o": "ro"}, declared {}'),
])
def test_a_missing_volume_is_made_and_another_kind_of_volume_is_left_to_people(found, differences, notice):
    declared = project.Declared(ENTRIES, {"one": SERVICE}, (project.Volume("v"),))
    plan = decide(dataclasses.replace(OBSERVED, volumes=found), declared)
    assert [str(one) for one in plan.differences] == differences
    assert "".join(plan.notices).startswith(notice)
    assert bool(plan.notices) == bool(notice)


def test_files_of_others_are_a_notice_and_no_change():
    plan = decide(dataclasses.replace(OBSERVED, strays=("conf/mine",)))
    assert not plan
    assert plan.notices == ("conf/mine is not ours and lies where the project's files do; it is left alone.",)


@pytest.mark.parametrize(("stamp", "expected"), [
    ("1970-01-01T00:00:01.5Z", 1_500_000_000), ("1970-01-01T00:00:01.000000002Z", 1_000_000_002),
    ("1970-01-01T00:00:02Z", 2_000_000_000), ("", 0), ("yesterday", 0)])
def test_the_engines_times(stamp, expected):
    assert project.nanoseconds(stamp) == expected


def test_a_file_that_is_no_longer_declared_goes_but_only_if_we_wrote_it():
    declared = project.Declared({"compose.yml": ENTRIES["compose.yml"]}, {"one": dataclasses.replace(
        SERVICE, paths=(), reloads=())})
    plan = decide(with_entry("conf/stranger", entry("conf/stranger")), declared)
    assert plan.delete == ("hot/b", "conf/a")


def test_children_are_deleted_before_their_directory():
    folder = project.Entry("conf", "", 0o755, 0, 0, "directory")
    manifest = project.Manifest({"conf": "", "conf/a": "", "conf/z": ""}, {})
    observed = project.Observed(
        manifest, {"conf": folder, "conf/a": entry("conf/a"), "conf/z": entry("conf/z")}, {}, {}, None)
    assert decide(observed, project.Declared({}, {})).delete == ("conf/z", "conf/a", "conf")


def test_a_service_that_is_no_longer_declared_is_removed():
    plan = decide(OBSERVED, project.Declared(ENTRIES, {}))
    assert plan.steps == {"one": "remove"}
    assert "service one: no longer declared" in plan.sentences()


@pytest.mark.parametrize(("observed", "allow", "steps", "held"), [
    (with_container(config_hash="other"), False, {}, {"one": "recreate"}),
    (with_container(config_hash="other"), True, {"one": "recreate"}, {}),
    (with_container(config_hash="other", status="exited"), False, {"one": "recreate"}, {}),
    (with_container(status="exited"), False, {"one": "start"}, {}),
    (with_container(health="unhealthy"), False, {"one": "restart"}, {}),
    (dataclasses.replace(OBSERVED, containers={}), False, {"one": "create"}, {}),
])
def test_a_running_stateful_service_is_recreated_only_with_permission(observed, allow, steps, held):
    declared = project.Declared(ENTRIES, {"one": dataclasses.replace(SERVICE, stateful=True)})
    plan = decide(observed, declared, allow)
    assert (plan.steps, plan.held) == (steps, held)


def test_on_a_bare_host_everything_is_missing():
    bare = project.Observed(project.Manifest(), {}, {}, {}, None)
    plan = decide(bare)
    assert plan.write == ("compose.yml", "conf/a", "hot/b")
    assert plan.steps == {"one": "create"}


def test_secret_content_is_never_part_of_a_difference():
    secret = entry("secrets/one/p", "digest-of-secret", 0o400, secret=True)
    declared = project.Declared({"secrets/one/p": secret}, {})
    observed = project.Observed(
        project.Manifest(), {"secrets/one/p": dataclasses.replace(secret, digest="digest-of-old")}, {}, {}, None)
    assert "digest-of" not in json.dumps(decide(observed, declared).result())


def test_the_digest_covers_what_is_mounted_and_not_reloadable():
    def digest(**changes):
        entries = {**ENTRIES, **changes}
        return project.service_digest(KEY, SERVICE, entries.values())

    assert digest() != digest(**{"conf/a": entry("conf/a", "new")})
    assert digest() != digest(**{"conf/a": entry("conf/a", mode=0o600)})
    assert digest() == digest(**{"hot/b": entry("hot/b", "new")})
    assert digest() == digest(**{"other/c": entry("other/c")})
    assert digest() != project.service_digest(b"another host", SERVICE, ENTRIES.values())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 0}', '{"version": 1, "files": 3}'])
def test_a_manifest_that_cannot_be_read_counts_as_none(text):
    assert project.Manifest.from_json(text) == project.Manifest()


def test_a_manifest_reads_back_as_written():
    assert project.Manifest.from_json(MANIFEST.to_json("t")) == MANIFEST


@pytest.mark.parametrize(("path", "prefixes", "expected"), [
    ("a/b", ["a"], True), ("a/b", ["a/"], True), ("a", ["a"], True), ("ab", ["a"], False), ("a", [], False)])
def test_under(path, prefixes, expected):
    assert project.under(path, prefixes) is expected


def test_container_fields_leave_out_the_containers_own_id():
    inspected = {
        "Id": "0123456789abcdef", "Name": "/t-one-1", "Image": "sha256:aa", "State": {"Status": "running"},
        "Config": {"Labels": {"com.docker.compose.service": "one", "x": "y"}, "Env": ["B=2", "A=1"]},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}},
        "NetworkSettings": {"Networks": {"net": {"Aliases": ["one", "0123456789ab"], "IPAddress": "192.0.2.7"}}},
    }
    fields = project.container_fields(inspected)
    assert fields["networks"] == {"net": ["one"]}
    assert fields["ports"] == {"80/tcp": ["127.0.0.1:8080"]}
    assert fields["environment"] == ["A=1", "B=2"]
    assert fields["labels"] == {"x": "y"}
    assert "192.0.2.7" not in json.dumps(fields)


def test_what_of_secret_files_is_masked():
    contents = {"secrets/one/client.cnf": "[client]\npassword = long-enough-password\n",
                "secrets/one/initdb.d/20-001-schema.sql": "CREATE TABLE a_rather_long_name_of_a_table (a INT);\n"}
    assert step.secret_words(contents) == {"long-enough-password"}
