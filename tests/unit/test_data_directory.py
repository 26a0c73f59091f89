# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which data directories a server is started, and what is said of the others."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import types
import typing as t

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _data_directory as decisions
from ansible_collections.mooring.stack.plugins.module_utils import _step_data_directory as step
from ansible_collections.mooring.stack.plugins.module_utils._data_directory import (
    MYSQL,
    POSTGRESQL,
    Declared,
    Found,
    Plan,
    Record,
    after,
    decide,
    image_series,
    series,
)
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

WISH = Declared(MYSQL, "data", "mysql:8.4.11", "8.4", "mooring-data_stores-mysql-1", "/opt/record.json", owner=999)
NOTHING = Found()
EMPTY = Found(volume=True, path="/v")
DATA = Found(volume=True, path="/v", data=True, version="8.4.10", owner=999)
OURS = dataclasses.replace(DATA, ours=True)
HIDDEN = Found(volume=True, hidden=True)
KNOWN = Record("data", "8.4.10")
# As MySQL 9.7.4 of Debian writes it.
HISTORY = json.dumps({"file_format": "1", "upgrade_history": [
    {"date": "2026-11-25 22:53:22", "version": "8.4.10", "maturity": "LTS", "initialize": True},
    {"date": "2026-11-25 23:53:22", "version": "9.7.4-2", "maturity": "LTS"}]})


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize(("engine", "version", "expected"), [
    (MYSQL, "8.4.11", "8.4"), (MYSQL, "8.4", "8.4"), (MYSQL, "9.7.4-2", "9.7"), (MYSQL, "8.0.36-28.1", "8.0"),
    (MYSQL, "8.4-oracle", "8.4"), (MYSQL, "v8.4.1", "8.4"), (MYSQL, "26.7.0", "26.7"),
    (MYSQL, "8", ""), (MYSQL, "lts", ""), (MYSQL, "innovation", ""), (MYSQL, "", ""),
    (POSTGRESQL, "17", "17"), (POSTGRESQL, "17.6-1.pgdg13+1", "17"), (POSTGRESQL, "17-trixie", "17"),
    (POSTGRESQL, "trixie", ""),
])
def test_series(engine, version, expected):
    assert series(engine, version) == expected


@pytest.mark.parametrize(("reference", "environment", "expected"), [
    ("mysql:8.4.11", [], "8.4"),
    ("mooring.local/mysql:9.7", ["PATH=/bin"], "9.7"),
    ("registry.example.com:5000/mysql:8.4.11", [], "8.4"),
    ("registry.example.com:5000/mysql", [], ""),
    ("mysql", [], ""),
    ("mysql:8", [], ""),
    # What the image says counts more than what it is called.
    ("mysql:8", ["MYSQL_MAJOR=8.4", "MYSQL_VERSION=8.4.11-1.el9"], "8.4"),
    ("mysql:latest", ["MYSQL_MAJOR=innovation", "MYSQL_VERSION=26.7.0-1.el9"], "26.7"),
    ("shop/database:1.2.3", ["MYSQL_MAJOR=8.4"], "8.4"),
    ("mysql:8.4.11@sha256:0123", [], "8.4"),
    ("mysql@sha256:8.4", [], ""),
])
def test_series_of_an_image(reference, environment, expected):
    assert image_series(MYSQL, reference, environment) == expected
    assert image_series(POSTGRESQL, "postgres:16", ["PG_MAJOR=17", "PG_VERSION=17.6-1"]) == "17"


@pytest.mark.parametrize(("text", "expected"), [
    (HISTORY, "9.7.4-2"), (None, ""), ("", ""), ("[]", ""), ("{", ""), ('{"upgrade_history": []}', ""),
    ('{"upgrade_history": [{}]}', ""), ('{"upgrade_history": 1}', ""),
])
def test_history(text, expected):
    assert decisions.history_version(text) == expected


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("8.0", "8.4", ""), ("8.4", "9.7", ""), ("8.0", "8.3", ""), ("8.1", "8.3", ""), ("8.3", "8.4", ""),
    ("9.6", "9.7", ""), ("9.7", "26.7", ""),
    ("8.0", "9.7", "8.4"), ("8.3", "9.0", "8.4"), ("5.7", "8.4", "8.0"), ("5.7", "9.7", "8.0"), ("8.4", "26.7", "9.7"),
])
def test_what_an_upgrade_skips(old, new, expected):
    assert decisions.skipped(MYSQL, old, new) == expected


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"volume": "data"}', "null"])
def test_a_record_that_cannot_be_read_is_none(text):
    assert Record.from_json(text) == Record()
    assert Record.from_json(KNOWN.to_json()) == KNOWN


# The first page of a mysql.ibd of MySQL 9.7.4.
HEADER = bytes.fromhex("ec56962e 00000000 00016250 00000001 00000000 0153a86a 0008")


@pytest.mark.parametrize(("page", "expected"), [
    (HEADER, "9.7.4"), (HEADER[:8] + (80036).to_bytes(4, "big"), "8.0.36"), (b"", ""), (HEADER[:11], ""),
    # Before 8.0 the number of another page stands there, mostly none.
    (HEADER[:8] + b"\xff" * 4, ""), (HEADER[:8] + bytes(4), ""), (HEADER[:8] + (50744).to_bytes(4, "big"), ""),
])
def test_version_of_a_tablespace(page, expected):
    assert decisions.header_version(page) == expected


@pytest.mark.parametrize(("versions", "expected"), [
    (["9.7.4-2", "", "9.7.4"], "9.7.4-2"), (["", "5.7.44", "8.0.36"], "8.0.36"), (["word", "8"], ""), ([], ""),
])
def test_the_newest_version_counts(versions, expected):
    assert decisions.newest(MYSQL, versions) == expected


# ---------------------------------------------------------------- decide


@pytest.mark.parametrize(("declared", "found", "recorded", "expected"), [
    pytest.param(WISH, NOTHING, Record(), Record(), id="first creation"),
    pytest.param(WISH, EMPTY, Record(), Record(), id="first creation, a volume is there"),
    pytest.param(dataclasses.replace(WISH, external=True), EMPTY, Record(), Record(), id="an empty one to adopt"),
    pytest.param(WISH, OURS, KNOWN, KNOWN, id="as it was"),
    pytest.param(WISH, DATA, KNOWN, KNOWN, id="as it was, container removed"),
    pytest.param(WISH, OURS, Record(), KNOWN, id="no record yet, but ours"),
    pytest.param(WISH, dataclasses.replace(OURS, version="8.4.11"), KNOWN, Record("data", "8.4.11"), id="patch"),
    pytest.param(dataclasses.replace(WISH, upgrade_from="8.0"), dataclasses.replace(OURS, version="8.0.36"), KNOWN,
                 Record("data", "8.0.36"), id="upgrade that is asked for"),
    pytest.param(dataclasses.replace(WISH, upgrade_from="8.0"), OURS, KNOWN, KNOWN, id="upgraded already"),
    pytest.param(dataclasses.replace(WISH, series="", upgrade_from="8.4"), OURS, KNOWN, KNOWN,
                 id="image of any series, asked for"),
    pytest.param(WISH, dataclasses.replace(OURS, version="", told=""), KNOWN, KNOWN, id="version known from before"),
    pytest.param(WISH, dataclasses.replace(OURS, failed=True, starting=True), Record(), KNOWN,
                 id="being made for the first time"),
    pytest.param(dataclasses.replace(WISH, owner=None), dataclasses.replace(OURS, owner=0), KNOWN, KNOWN,
                 id="owner does not matter"),
])
def test_nothing_is_said(declared, found, recorded, expected):
    assert decide(declared, found, recorded) == Plan(expected)


@pytest.mark.parametrize(("found", "recorded", "record", "says"), [
    pytest.param(DATA, Record(), KNOWN, ["adopts", "volume data, version 8.4.10, made by somebody else."],
                 id="adopted"),
    pytest.param(DATA, Record("other", "8.4.1"), KNOWN, ["adopts", "takes the place of volume other"], id="instead"),
    pytest.param(dataclasses.replace(DATA, version="", told="8.4"), Record(), Record("data", "8.4"), ["version 8.4,"],
                 id="version by the container that had it"),
])
def test_a_directory_of_somebody_else_is_adopted(found, recorded, record, says):
    plan = decide(WISH, found, recorded)
    assert plan.record == record
    (one,) = plan.differences
    assert str(one) == "record of the data directory in volume data: missing"
    (notice,) = plan.notices
    assert all(word in notice for word in says), notice
    assert plan.changes == (notice,)
    assert decide(WISH, found, plan.record) == Plan(plan.record), "and only once"


@pytest.mark.parametrize("upgrade_from", ["8.4", "8.0"])
def test_a_version_that_only_the_user_knows_is_compared_and_not_recorded(upgrade_from):
    plan = decide(dataclasses.replace(WISH, upgrade_from=upgrade_from), dataclasses.replace(OURS, version=""), Record())
    assert (plan.record, plan.differences) == (Record("data", ""), ())
    assert f"data_stores_mysql_upgrade_from ({upgrade_from}) was compared" in plan.notices[0]


@pytest.mark.parametrize(("declared", "found", "recorded"), [
    ({}, HIDDEN, KNOWN),
    ({"upgrade_from": "8.0"}, HIDDEN, Record()),
    # Nothing has ever been started on it.
    ({}, dataclasses.replace(HIDDEN, ours=True), Record()),
])
def test_files_that_cannot_be_seen_are_a_notice(declared, found, recorded):
    plan = decide(dataclasses.replace(WISH, **declared), found, recorded)
    assert (plan.record, plan.differences) == (recorded, ())
    assert "cannot be seen" in plan.notices[0]


@pytest.mark.parametrize(("declared", "found", "recorded", "says"), [
    pytest.param({}, dataclasses.replace(DATA, version="8.0.36"), Record(), [
        "Take a backup first: declare an image of 8.0, run, and then docker exec mooring-data_stores-mysql-1"],
        id="newer, and nothing runs that could make a backup"),
    pytest.param({}, dataclasses.replace(OURS, version="8.0.36", running=True), KNOWN, [
        "mysql:8.4.11 is MySQL 8.4", "is of MySQL 8.0.36", "cannot be undone",
        "Take a backup first: docker exec mooring-data_stores-mysql-1", "mysqldump", "--set-gtid-purged=OFF",
        'data_stores_mysql_upgrade_from: "8.0"'], id="newer"),
    pytest.param({"upgrade_from": "5.7"}, dataclasses.replace(DATA, version="8.0.36"), KNOWN,
                 ['data_stores_mysql_upgrade_from: "8.0"'], id="newer, another is permitted"),
    pytest.param({"upgrade_from": "8.0", "series": "9.7"}, dataclasses.replace(DATA, version="8.0.36"), KNOWN,
                 ["may not skip 8.4", "5.7 -> 8.0 -> 8.4 -> 9.7", "Upgrade Paths", "image of 8.4 first"],
                 id="skips one"),
    pytest.param({"upgrade_from": "9.7"}, dataclasses.replace(DATA, version="9.7.4-2"), KNOWN,
                 ["cannot go back", "Declare an image of 9.7 in data_stores_mysql_image",
                  "restore a backup that was made with 8.4"],
                 id="older"),
    pytest.param({}, dataclasses.replace(DATA, version="", told="8.0"), Record(), ["is of MySQL 8.0"],
                 id="newer than the container that had it"),
    pytest.param({"series": "8.0"}, dataclasses.replace(DATA, version="5.7"), Record(), [
        "is of MySQL 5.7", "Take a backup first: start the server that had the data so far",
        'data_stores_mysql_upgrade_from: "5.7"'], id="newer than one that the role cannot start"),
    pytest.param({"upgrade_from": "5.7"}, dataclasses.replace(DATA, version="5.7"), Record(),
                 ["may not skip 8.0"], id="5.7, two steps"),
    pytest.param({"series": "8.0", "upgrade_from": "5.6"}, dataclasses.replace(DATA, version="5.6"), Record(),
                 ["may not skip 5.7"], id="5.6"),
    pytest.param({}, dataclasses.replace(DATA, version=""), Record(), [
        "Nobody can tell of which version", "cannot be undone", "set data_stores_mysql_upgrade_from to it"],
        id="of any version"),
    pytest.param({}, dataclasses.replace(DATA, version=""), Record("data", "lts"), ["Nobody can tell of which version"],
                 id="of any version, and the record is no help"),
    pytest.param({"upgrade_from": "5.7"}, dataclasses.replace(DATA, version=""), Record(), ["may not skip 8.0"],
                 id="of a version that only the user knows, and that skips one"),
    pytest.param({"upgrade_from": "9.7"}, dataclasses.replace(DATA, version=""), Record(), ["cannot go back"],
                 id="of a version that only the user knows, newer"),
    pytest.param({}, HIDDEN, Record(), ["cannot be seen", "--volume data:/mnt:ro mysql:8.4.11",
                                        "set data_stores_mysql_upgrade_from to it"], id="hidden"),
    pytest.param({}, HIDDEN, Record("other", "8.4.1"), ["cannot be seen"], id="hidden, and known is another"),
    pytest.param({}, HIDDEN, Record("data", "8.0.36"), ["is of MySQL 8.0.36"], id="hidden, and known to be older"),
    pytest.param({"engine": POSTGRESQL}, dataclasses.replace(DATA, version="x"), Record(), [
        "Nobody can tell of which version", "has all files, and run again."], id="PostgreSQL, of any version"),
    pytest.param({"series": ""}, DATA, KNOWN, ["Nobody can tell of which series", "docker pull mysql:8.4.11",
                 'data_stores_mysql_upgrade_from: "8.4"'], id="image of any series"),
    pytest.param({}, NOTHING, KNOWN, ["volume data does not exist", "MySQL 8.4.10 lay in volume data", "empty server",
                 "delete /opt/record.json"], id="lost"),
    pytest.param({}, EMPTY, KNOWN, ["holds no complete data directory", "delete /opt/record.json"], id="emptied"),
    pytest.param({}, EMPTY, Record("other", ""), ["data of MySQL lay in volume other"], id="another one"),
    pytest.param({"external": True}, NOTHING, Record(), ["no volume data", "docker volume ls"], id="nothing to adopt"),
    pytest.param({}, dataclasses.replace(DATA, others=("old-mysql-1", "two")), Record(), [
        "in use by old-mysql-1, two", "docker stop old-mysql-1 two && docker update --restart=no old-mysql-1 two",
        "data stay"], id="in use"),
    pytest.param({}, dataclasses.replace(EMPTY, others=("old",)), Record(), ["in use by old"], id="in use while made"),
    pytest.param({}, dataclasses.replace(DATA, owner=1001), Record(), [
        "belongs to uid 1001", "chown -R 999:999 /v"], id="of another user"),
    pytest.param({}, dataclasses.replace(DATA, foreign="MariaDB", version="10.11.6-MariaDB"), Record(), ["of MariaDB"],
                 id="MariaDB"),
    pytest.param({}, dataclasses.replace(OURS, failed=True), Record(), [
        "never completed", "docker logs mooring-data_stores-mysql-1", "docker volume rm data"], id="half-way"),
    pytest.param({"engine": POSTGRESQL, "series": "18", "upgrade_from": "17"}, dataclasses.replace(DATA, version="17"),
                 Record(), ["PostgreSQL 18", "is of PostgreSQL 17", "does not read data of another series",
                            "exec pg_dumpall --username=postgres' > postgres-17.sql",
                            "/opt/record.json, run, and load the backup: docker exec --interactive mooring-data_stores",
                            "< postgres-17.sql"], id="PostgreSQL, newer"),
    pytest.param({"engine": POSTGRESQL, "series": "16"}, dataclasses.replace(DATA, version="17"), Record(),
                 ["cannot go back"], id="PostgreSQL, older"),
    pytest.param({"engine": POSTGRESQL}, EMPTY, Record("data", "17"), ["from a backup. To start empty"],
                 id="PostgreSQL, lost"),
])
def test_refused(declared, found, recorded, says):
    with pytest.raises(MooringError) as raised:
        decide(dataclasses.replace(WISH, **declared), found, recorded)
    message = str(raised.value)
    assert [word for word in says if word not in message] == [], message
    assert "\n" not in message


@pytest.mark.parametrize(("found", "recorded", "expected"), [
    (OURS, Record(), KNOWN),
    (dataclasses.replace(OURS, version="9.7.4"), KNOWN, Record("data", "9.7.4")),
    (dataclasses.replace(OURS, version=""), KNOWN, KNOWN),
    (dataclasses.replace(OURS, version=""), Record("other", "8.0"), Record("data", "")),
    (NOTHING, KNOWN, KNOWN),
    (dataclasses.replace(OURS, failed=True), Record(), Record()),
])
def test_what_is_recorded_in_the_end(found, recorded, expected):
    assert after(WISH, found, recorded) == expected


# ---------------------------------------------------------------- read


NOTHING_SAID = {"changed": False, "changes": [], "differences": [], "notices": [], "version": ""}


class Engine:
    """A Docker engine that has what it is told, and counts what it is asked."""

    def __init__(self, mountpoint: str) -> None:
        self.volume: dict[str, t.Any] | None = {"Name": "data", "Mountpoint": mountpoint, "Labels": None}
        self.users: list[dict[str, t.Any]] = []
        self.images = {"mysql:8.4.11": ["MYSQL_VERSION=8.4.11-1.el9"]}
        self.is_installed, self.broken, self.asked = True, False, []

    def __call__(self, _run: t.Any) -> Engine:
        return self

    def installed(self) -> bool:
        return self.is_installed

    def containers(self, *labels: str, volume: str = "") -> list[str]:
        """By a mount's name or path, in the words in which it was told, as the engine does."""
        self.asked.append("containers")
        assert not labels
        return [str(number) for number, one in enumerate(self.users) if not volume or any(
            volume in (mount.get("Name"), mount.get("Source")) for mount in one["Mounts"])]

    def inspect(self, kind: str, names: list[str]) -> list[dict[str, t.Any]]:
        self.asked += [kind] * len(names)
        if self.broken:
            raise CommandFailed(["docker"], 1, "", "Cannot connect to the Docker daemon")
        if kind == "volume":
            return [self.volume] if self.volume else []
        if kind == "container":
            return [self.users[int(name)] for name in names]
        return [{"Config": {"Env": self.images[name]}} for name in names if name in self.images]


def user(name: str, project: str = "", status: str = "running", **more: t.Any) -> dict[str, t.Any]:
    labels = {"com.docker.compose.project": project} if project else None
    return {"Name": f"/{name}", "Image": more.pop("image", "sha256:1"), "State": {"Status": status},
            "Config": {"Labels": labels, "Image": "mysql:8"},
            "Mounts": [{"Type": "volume", "Name": "data", "RW": True}], **more}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Engine, directory of the volume and a run of the step."""
    (tmp_path / "volume").mkdir()
    engine = Engine(str(tmp_path / "volume"))
    monkeypatch.setattr(step, "Docker", engine)
    record = tmp_path / "root" / "data_stores" / ".mysql-data.json"

    def run(check_mode: bool = False, **more: t.Any) -> dict[str, t.Any]:
        engine.asked.clear()
        params = {name: spec.get("default") for name, spec in step.ARGUMENT_SPEC.items()}
        params.update({"engine": "mysql", "volume": "data", "project": "mooring-data_stores", "image": "mysql:8.4.11",
                       "record": str(record), **more})
        return step.converge(types.SimpleNamespace(run_command=None, check_mode=check_mode), params)

    return types.SimpleNamespace(engine=engine, volume=tmp_path / "volume", record=record, run=run)


def fill(place: t.Any, **contents: str) -> None:
    (place.volume / "ibdata1").write_text("")
    (place.volume / "mysql.ibd").write_bytes(b"")
    for name, content in contents.items():
        (place.volume / name).write_text(content)


def test_a_first_creation_and_what_follows(place):
    place.engine.volume = None
    assert place.run() == NOTHING_SAID
    assert place.run(stage="after")["changed"] is False
    assert not place.record.exists()
    place.engine.volume = {"Name": "data", "Mountpoint": str(place.volume), "Labels": {
        "com.docker.compose.project": "mooring-data_stores"}}
    (place.volume / "lost+found").mkdir()
    assert place.run()["version"] == ""
    fill(place, mysql_upgrade_history=HISTORY.replace("9.7.4-2", "8.4.11"))
    assert place.run(stage="after", check_mode=True)["version"] == "8.4.11"
    assert not place.record.exists()
    assert place.run(stage="after")["changed"] is False
    assert Record.from_json(place.record.read_text()) == Record("data", "8.4.11")
    assert stat.S_IMODE(place.record.stat().st_mode) == 0o600
    written = place.record.stat().st_mtime_ns
    place.engine.users = [user("mooring-data_stores-mysql-1", "mooring-data_stores")]
    assert place.run() == {**NOTHING_SAID, "version": "8.4.11"}
    # This is on the way of every run.
    assert place.engine.asked == ["volume", "containers", "containers", "container", "image"]
    place.run(stage="after")
    assert place.engine.asked == ["volume"]
    assert place.record.stat().st_mtime_ns == written
    for name in os.listdir(place.volume):
        path = place.volume / name
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(MooringError, match="empty server"):
        place.run()


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_directory_made_by_hand_is_adopted_once(place, check_mode):
    fill(place, mysql_upgrade_info="8.4.10\n")
    place.engine.users = [user("old", status="exited")]
    found = place.run(check_mode)
    assert (found["changed"], found["version"], len(found["differences"])) == (True, "8.4.10", 1)
    assert "made by somebody else" in found["notices"][0]
    assert found["changes"] == found["notices"]
    assert place.record.exists() is not check_mode
    assert place.run(check_mode)["changed"] is check_mode


@pytest.mark.parametrize(("images", "told"), [
    ({"sha256:1": ["MYSQL_MAJOR=8.0"]}, "is of MySQL 8.0"), ({"sha256:1": []}, "Nobody can tell of which version"),
    ({}, "Nobody can tell of which version"),
])
def test_a_container_of_somebody_else_tells_the_version(place, images, told):
    fill(place)
    place.engine.images.update(images)
    place.engine.users = [user("old", status="exited"), user("ours", "mooring-data_stores")]
    with pytest.raises(MooringError, match=told):
        place.run()
    assert not place.record.exists()


def test_the_first_page_tells_the_version_where_no_other_file_does(place):
    fill(place)
    (place.volume / "mysql.ibd").write_bytes(HEADER + bytes(16384 - len(HEADER)))
    with pytest.raises(MooringError, match="is of MySQL 9.7.4, and MySQL cannot go back"):
        place.run()
    assert place.run(image="mysql:9.7.5")["version"] == "9.7.4"
    # A link or a pipe in its place is not followed.
    (place.volume / "mysql.ibd").unlink()
    os.mkfifo(place.volume / "mysql.ibd")
    assert step.read_head(str(place.volume), "mysql.ibd") == b""


@pytest.mark.parametrize(("other", "refused"), [
    (user("old"), True),
    (user("old", "taken"), True),
    (user("old", status="restarting"), True),
    (user("old", status="paused"), True),
    (user("old", status="exited"), False),
    (user("mooring-data_stores-mysql-1", "mooring-data_stores"), False),
    (user("backup", Mounts=[{"Type": "volume", "Name": "data", "RW": False}]), False),
])
def test_who_has_the_volume_in_use(place, other, refused):
    fill(place, mysql_upgrade_info="8.4.10")
    place.engine.users = [other]
    if refused:
        with pytest.raises(MooringError, match="in use by old"):
            place.run()
        assert not place.record.exists()
    else:
        assert place.run()["version"] == "8.4.10"


@pytest.mark.parametrize(("contents", "expected"), [
    ({"mysql_upgrade_history": HISTORY, "mysql_upgrade_info": "8.0.36"}, (True, "9.7.4-2", "")),
    ({"mysql_upgrade_history": "{"}, (True, "", "")),
    ({"mysql_upgrade_info": "8.0.36", "mysql_upgrade_history": "{"}, (True, "8.0.36", "")),
    # Our own image makes it anew.
    ({".mooring-initialising": "", "mysql_upgrade_history": HISTORY}, (False, "", "")),
    ({"mysql_upgrade_info": "10.11.6-MariaDB"}, (True, "10.11.6-MariaDB", "MariaDB")),
])
def test_files_of_mysql(place, contents, expected):
    fill(place, **contents)
    found = step.look_at_mysql(str(place.volume), set(os.listdir(place.volume)))
    assert (found["data"], found["version"], found["foreign"]) == expected


@pytest.mark.parametrize(("contents", "expected"), [
    ({}, (False, "")),
    ({"something": "else"}, (False, "")),
    # 5.7 has no mysql.ibd, and the other file only if somebody called mysql_upgrade.
    ({"mysql_upgrade_info": "5.7.44", "ibdata1": ""}, (True, "5.7.44")),
    ({"ibdata1": "", "mysql/server_cost.frm": ""}, (True, "5.7")),
    ({"ibdata1": "", "mysql/user.frm": ""}, (True, "5.6")),
    ({"ibdata1": "", "mysql/server_cost.frm": "", "mysql_upgrade_info": "5.7.44"}, (True, "5.7.44")),
    # Its creation was killed.
    ({"ibdata1": ""}, (False, "")),
    ({"ibdata1": "", "mysql/user.frm": "", "aria_log_control": ""}, (True, "")),
    ({"aria_log_control": ""}, (True, "")),
])
def test_files_of_other_servers(place, contents, expected):
    for name, content in contents.items():
        (place.volume / name).parent.mkdir(exist_ok=True)
        (place.volume / name).write_text(content)
    found = step.look_at_mysql(str(place.volume), set(os.listdir(place.volume)))
    assert (found["data"], found["version"]) == expected


@pytest.mark.parametrize(("external", "mount"), [
    (True, {"Type": "bind", "Source": "{path}", "RW": True}),
    (True, {"Type": "bind", "Source": "{link}", "RW": True}),
    (True, {"Type": "volume", "Name": "other", "Source": "{link}", "RW": True}),
    (False, {"Type": "bind", "Source": "{path}", "RW": True}),
])
def test_who_has_the_directory_by_another_name(place, tmp_path, external, mount):
    fill(place, mysql_upgrade_info="8.4.10")
    (tmp_path / "link").symlink_to(place.volume)
    if external:
        place.engine.volume.update(Mountpoint="/absent", Options={
            "type": "none", "o": "bind", "device": str(place.volume)})
    mount["Source"] = mount["Source"].format(path=place.volume, link=tmp_path / "link")
    elsewhere = {"Type": "bind", "Source": str(tmp_path), "RW": True}
    gone = {"Type": "bind", "Source": "/absent", "RW": True}
    ours = user("mooring-data_stores-redis-1", "mooring-data_stores", Mounts=[elsewhere])
    place.engine.users = [user("log", Mounts=[elsewhere, gone]), ours, user("old", Mounts=[elsewhere, mount])]
    with pytest.raises(MooringError, match="in use by old, which"):
        place.run(external=external)
    assert not place.record.exists()
    mount["RW"] = False
    # The container of ours that has other things does not make it ours.
    assert place.run(external=external)["changed"] is True


def test_a_server_that_nothing_is_declared_for(place):
    assert place.run(engine="postgresql", volume="", image="postgres:17") == NOTHING_SAID
    assert place.run(engine="postgresql", volume="", image="postgres:17", stage="after") == NOTHING_SAID
    assert place.engine.asked == []


def test_a_creation_that_failed(place):
    fill(place, **{"mysql_upgrade_info": "8.4.11", ".mooring-first-start": ""})
    ours = user("mooring-data_stores-mysql-1", "mooring-data_stores")
    place.engine.users = [ours]
    with pytest.raises(MooringError, match="never completed"):
        place.run()
    ours["State"]["Health"] = {"Status": "starting"}
    place.run()
    assert place.run(stage="after")["changed"] is False


def test_files_of_postgresql(place):
    assert step.look_at_postgresql(str(place.volume), set()) == {}
    for major in ("9", "17", "18"):
        (place.volume / major / "docker").mkdir(parents=True)
        (place.volume / major / "docker" / "PG_VERSION").write_text(f"{major}\n")
    names = {*os.listdir(place.volume), "lost+found"}
    assert step.look_at_postgresql(str(place.volume), names)["version"] == "18"
    (place.volume / "pgdata").mkdir()
    (place.volume / "pgdata" / "PG_VERSION").write_text("15\n")
    assert step.look_at_postgresql(str(place.volume), names)["version"] == "15"
    (place.volume / "PG_VERSION").write_text("16\n")
    assert step.look_at_postgresql(str(place.volume), names) == {
        "data": True, "version": "16", "owner": os.getuid()}
    assert place.run(engine="postgresql", image="postgres:16.4")["version"] == "16"
    with pytest.raises(MooringError, match="postgres:18.1 is PostgreSQL 18, but .* does not read data of another"):
        place.run(engine="postgresql", image="postgres:18.1")


def test_what_a_container_puts_there_is_not_trusted(place, tmp_path):
    (tmp_path / "secret").write_text("8.0.1")
    fill(place)
    (place.volume / "mysql_upgrade_info").symlink_to(tmp_path / "secret")
    # Opening it to read would wait for somebody who writes.
    os.mkfifo(place.volume / "mysql_upgrade_history")
    assert step.look_at_mysql(str(place.volume), set(os.listdir(place.volume)))["version"] == ""
    assert step.read_inside(str(place.volume)) is None


@pytest.mark.parametrize(("volume", "expected"), [
    ({"Mountpoint": "{path}"}, "{path}"),
    ({"Mountpoint": "{path}", "Options": {"type": "none", "o": "bind", "device": "{path}"}}, "{path}"),
    ({"Mountpoint": "{path}", "Options": {"type": "nfs", "o": "addr=192.0.2.1", "device": ":/data"}}, ""),
    ({"Mountpoint": "{path}/of-a-plugin"}, ""),
    ({"Mountpoint": ""}, ""),
])
def test_where_the_files_of_a_volume_lie(tmp_path, volume, expected):
    text = json.dumps(volume).replace("{path}", str(tmp_path))
    assert step.directory_of(json.loads(text)) == expected.replace("{path}", str(tmp_path))


def test_a_volume_that_cannot_be_seen(place):
    place.engine.volume["Mountpoint"] += "/of-a-plugin"
    with pytest.raises(MooringError, match="cannot be seen"):
        place.run(external=True)
    assert "cannot be seen" in place.run(external=True, upgrade_from="8.4")["notices"][0]
    with pytest.raises(MooringError, match="is MySQL 8.4, but the data directory in volume data is of MySQL 9.7"):
        place.run(external=True, upgrade_from="9.7")


def test_without_an_engine(place):
    place.engine.broken = True
    assert "was not looked at" in place.run(check_mode=True)["notices"][0]
    with pytest.raises(CommandFailed):
        place.run()
    place.engine.is_installed = False
    assert place.run(check_mode=True) == NOTHING_SAID
    with pytest.raises(MooringError, match="docker_engine role first"):
        place.run()


# As kafka-storage of 4.3.1 writes it.
META = "#\n#Thu Nov 26 15:00:00 UTC 2026\ncluster.id=4L6g3nShT-eMCtK--X86sw\ndirectory.id=x\nnode.id=1\nversion=1\n"


def test_files_of_kafka(place):  # defect 77
    given = {"engine": "kafka", "image": "apache/kafka:4.3.1", "project": "mooring-kafka", "owner": os.getuid()}
    # What formatting leaves when it is killed half-way is no data yet.
    (place.volume / "bootstrap.checkpoint").write_text("")
    (place.volume / "meta.properties").write_text("")
    assert place.run(**given) == place.run(**given, stage="after") == NOTHING_SAID
    (place.volume / "meta.properties").write_text(META)
    assert place.run(**given)["differences"], "made by somebody else"
    # Of which version it is, nobody asks: Kafka itself refuses what it cannot read.
    assert Record.from_json(place.record.read_text()) == Record("data", "", "cluster 4L6g3nShT-eMCtK--X86sw")
    assert place.run(**given) == place.run(**given, stage="after") == NOTHING_SAID
    place.engine.users = [user("old-broker")]
    with pytest.raises(MooringError, match="in use by old-broker"):
        place.run(**given)
    place.engine.users = []
    with pytest.raises(MooringError, match="belongs to uid"):
        place.run(**{**given, "owner": os.getuid() + 1})
    (place.volume / "meta.properties").write_text(META.replace("4L6g", "5L6g"))
    with pytest.raises(MooringError, match="of Kafka's cluster 5L6g.*but they were of cluster 4L6g.*delete /.*json"):
        place.run(**given)
    place.record.unlink()
    place.run(**given)
    (place.volume / "meta.properties").unlink()
    with pytest.raises(MooringError, match="data of Kafka lay in volume data when a run last looked. Starting now"):
        place.run(**given)


def test_files_of_elasticsearch(place):
    given = {"engine": "elasticsearch", "image": "mooring.local/elasticsearch-nori:9.5.2", "project": "mooring-elk"}
    (place.volume / "node.lock").write_text("")
    assert place.run(**given, stage="after") == NOTHING_SAID
    (place.volume / "_state").mkdir()
    assert place.run(**given, stage="after") == NOTHING_SAID
    assert Record.from_json(place.record.read_text()) == Record("data")
    with pytest.raises(MooringError, match="belongs to uid"):
        place.run(**given, owner=os.getuid() + 1)
    (place.volume / "_state").rmdir()
    with pytest.raises(MooringError, match="data of Elasticsearch lay in volume data"):
        place.run(**given)


def test_files_that_cannot_be_seen_of_a_server_that_refuses_itself():
    kafka = dataclasses.replace(WISH, engine=decisions.KAFKA, series="")
    for recorded in (Record(), Record("data", "", "cluster x")):
        plan = decide(kafka, HIDDEN, recorded)
        assert (plan.record, plan.differences, len(plan.notices)) == (recorded, (), 1)
