# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that looks at a database's data directory before a server is started on it."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _data_directory as decisions
from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._data_directory import Declared, Found, Record
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "engine": {"type": "str", "choices": sorted(decisions.ENGINES), "required": True},
    "volume": {"type": "str", "required": True},
    "external": {"type": "bool", "default": False},
    "project": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "owner": {"type": "int"},
    "upgrade_from": {"type": "str", "default": ""},
    "record": {"type": "path", "required": True},
    "stage": {"type": "str", "choices": ["before", "after"], "default": "before"},
}
PROJECT_LABEL = "com.docker.compose.project"
# Left by our own image until the directory is complete; it then makes it anew (distro_images, mysql).
OWN_MARK = ".mooring-initialising"
# Left where the official image ended half-way (data_stores, initdb.d); it takes such a directory for complete.
FAILED_MARK = ".mooring-first-start"
RUNNING = ("running", "paused", "restarting")
MOST_BYTES = 2**20
HEAD_BYTES = 64


def directory_of(volume: dict[str, t.Any]) -> str:
    """Where the files of a volume lie on this host; "" where they cannot be seen."""
    options = volume.get("Options") or {}
    if "bind" in options.get("o", "").split(","):
        path = options.get("device", "")
    else:
        path = volume.get("Mountpoint", "")
        # The engine mounts a device or a share only while a container has it.
        if options.get("device") and not os.path.ismount(path):
            return ""
    return path if os.path.isdir(path) else ""


def read_inside(*path: str) -> str | None:
    """A small text file that a container may have put there: neither a link nor a pipe that nobody writes to."""
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace", opener=_at_once) as stream:
            return stream.read(MOST_BYTES)
    except OSError:
        return None


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def read_head(*path: str) -> bytes:
    """The first bytes of a file that a container may have put there; none where there is no such file."""
    try:
        with open(os.path.join(*path), "rb", opener=_at_once) as stream:
            return stream.read(HEAD_BYTES)
    except OSError:
        return b""


def old_version(path: str, names: set[str]) -> str:
    """The series of a directory without ``mysql.ibd``, which 8.0 was the first to make; "" where there is no data.

    The history is no help: 5.7 writes it only when somebody calls mysql_upgrade. ``server_cost`` came with 5.7.
    """
    # MariaDB has both as well.
    if names & {"mysql.ibd", "aria_log_control"} or not {"ibdata1", "mysql"} <= names:
        return ""
    return "5.7" if os.path.lexists(os.path.join(path, "mysql", "server_cost.frm")) else "5.6"


def look_at_mysql(path: str, names: set[str]) -> dict[str, t.Any]:
    """What the files of a directory of MySQL say."""
    info, old = (read_inside(path, "mysql_upgrade_info") or "").strip(), old_version(path, names)
    version = decisions.newest(decisions.MYSQL, (
        decisions.history_version(read_inside(path, "mysql_upgrade_history")), info,
        decisions.header_version(read_head(path, "mysql.ibd")), old))
    evidence = next((name for name in ("mysql.ibd", "mysql_upgrade_info") if name in names), "ibdata1" if old else "")
    foreign = "MariaDB" if "MariaDB" in info or "aria_log_control" in names else ""
    data = bool(evidence or foreign) and OWN_MARK not in names
    return {"data": data, "version": version if data else "", "foreign": foreign, "failed": FAILED_MARK in names,
            "owner": os.lstat(os.path.join(path, evidence)).st_uid if data and evidence else None}


def look_at_postgresql(path: str, names: set[str]) -> dict[str, t.Any]:
    """What the files of a directory of PostgreSQL say, or of one below: from 18 on one per series."""
    own = [os.path.join(name, "docker") for name in sorted(names, key=lambda one: (len(one), one)) if name.isdigit()]
    for folder in ["", "pgdata", *reversed(own)]:
        version = (read_inside(path, folder, "PG_VERSION") or "").strip()
        if version:
            owner = os.lstat(os.path.join(path, folder, "PG_VERSION")).st_uid
            return {"data": True, "version": version, "owner": owner}
    return {}


def look_at_kafka(path: str, names: set[str]) -> dict[str, t.Any]:
    """What the files of a log directory of Kafka say; the role's start makes ``meta.properties`` last."""
    match = re.search(r"^cluster\.id=(\S+)$", read_inside(path, "meta.properties") or "", re.MULTILINE)
    if not match:
        return {}
    return {"data": True, "identity": f"cluster {match[1]}",
            "owner": os.lstat(os.path.join(path, "meta.properties")).st_uid}


def look_at_elasticsearch(path: str, names: set[str]) -> dict[str, t.Any]:
    """What the files of a data directory of Elasticsearch say: ``_state`` since 8.0, ``nodes`` before."""
    evidence = next((name for name in ("_state", "nodes") if name in names), "")
    return {"data": True, "owner": os.lstat(os.path.join(path, evidence)).st_uid} if evidence else {}


LOOK = {"elasticsearch": look_at_elasticsearch, "kafka": look_at_kafka, "mysql": look_at_mysql,
        "postgresql": look_at_postgresql}


def read_files(docker: Docker, params: dict[str, t.Any]) -> Found:
    """The volume and what lies in it."""
    volumes = docker.inspect("volume", [params["volume"]])
    if not volumes:
        return Found()
    ours = (volumes[0].get("Labels") or {}).get(PROJECT_LABEL) == params["project"]
    path = directory_of(volumes[0])
    if not path:
        return Found(volume=True, hidden=True, ours=ours)
    return Found(volume=True, path=path, ours=ours, **LOOK[params["engine"]](path, set(os.listdir(path))))


def image_series(docker: Docker, engine: decisions.Engine, image: str, reference: str) -> str:
    """The series of an image, which need not be on this host; ``reference`` is what people call it."""
    environment = [entry for one in docker.inspect("image", [image]) for entry in one["Config"].get("Env") or ()]
    return decisions.image_series(engine, reference, environment)


def candidates(docker: Docker, params: dict[str, t.Any], found: Found) -> list[str]:
    """Ids of the containers that may have the volume's directory.

    A volume that people made may stand for a directory of theirs, which containers then reach by its path, by links
    and by volumes of other names, and the engine finds only the words that it was told: so all of them. Else those
    that name the volume, or where it lies.
    """
    if params["external"]:
        return docker.containers()
    names = filter(None, (params["volume"], found.path))
    return list(dict.fromkeys(one for name in names for one in docker.containers(volume=name)))


def is_mounted(mount: dict[str, t.Any], volume: str, path: str) -> bool:
    """Whether a container's mount is the volume, or the same directory by another name."""
    if mount.get("Name") == volume:
        return True
    try:
        return bool(path) and os.path.samefile(mount.get("Source") or "", path)
    except OSError:
        return False


def read_users(docker: Docker, params: dict[str, t.Any], found: Found) -> dict[str, t.Any]:
    """Who uses the volume, and of which version it is by the images of those that are not of this project."""
    engine = decisions.ENGINES[params["engine"]]
    ours, running, starting, others, told = found.ours, False, False, [], []
    for container in docker.inspect("container", candidates(docker, params, found)):
        mounts = [one for one in container["Mounts"] if is_mounted(one, params["volume"], found.path)]
        if not mounts:
            continue
        state = container["State"]
        if (container["Config"].get("Labels") or {}).get(PROJECT_LABEL) == params["project"]:
            ours, running = True, running or state["Status"] == "running"
            starting = starting or (state.get("Health") or {}).get("Status") == "starting"
            continue
        # One that only reads, such as a backup, is no second server.
        if not any(mount.get("RW") for mount in mounts):
            continue
        if state["Status"] in RUNNING:
            others.append(container["Name"].lstrip("/"))
        elif found.data and not found.version:
            told.append(image_series(docker, engine, container["Image"], container["Config"]["Image"]))
    return {"ours": ours, "running": running, "starting": starting, "others": tuple(sorted(others)),
            "told": max(filter(None, told), key=decisions.number, default="")}


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, record; the result. Raises :class:`MooringError`."""
    result: dict[str, t.Any] = {"changed": False, "changes": [], "differences": [], "notices": [], "version": ""}
    # An optional server that nothing is declared for.
    if not params["volume"]:
        return result
    engine = decisions.ENGINES[params["engine"]]
    docker = Docker(module.run_command)
    recorded = Record.from_json(files.read_text(params["record"]), params["record"])
    if not docker.installed():
        if module.check_mode:
            return result
        raise MooringError("No Docker engine answers on this host. Run the docker_engine role first.")
    try:
        found = read_files(docker, params)
        users = read_users(docker, params, found) if params["stage"] == "before" else {}
        seen = users and (found.data or found.hidden)
        wanted = image_series(docker, engine, params["image"], params["image"]) if seen else ""
    except CommandFailed as error:
        if not module.check_mode:
            raise
        # A stopped engine keeps its volumes, and they cannot be seen.
        return {**result, "notices": [f"The data directory in volume {params['volume']} was not looked at: {error}"]}
    declared = Declared(
        engine, params["volume"], params["image"], wanted, f"{params['project']}-{engine.service}-1",
        params["record"], params["upgrade_from"], params["external"], params["owner"])
    if params["stage"] == "before":
        plan = decisions.decide(declared, dataclasses.replace(found, **users), recorded)
    else:
        plan = decisions.Plan(decisions.after(declared, found, recorded))
    if plan.record != recorded and not module.check_mode:
        os.makedirs(os.path.dirname(params["record"]), mode=0o755, exist_ok=True)
        files.write_file(params["record"], plan.record.to_json().encode(), 0o600)
    return {**result, "changed": bool(plan.differences), "changes": list(plan.changes),
            "differences": [one.as_dict() for one in plan.differences], "notices": list(plan.notices),
            "version": plan.record.version if found.data else ""}
