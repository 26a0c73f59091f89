# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same platform the usual way: a playbook with a task for each network, directory, file and project.

What the collection is compared with, in speed (tests/bench) and in what it sees
and heals (tests/prove/drift.py). The tasks are made from the platform's own tree,
so that both sides declare the same. A tag says what a task looks at: a path,
``compose-<project>``, ``accounts``, ``engine`` or ``timer``.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

Task = dict[str, t.Any]

# What Compose says about an object that it leaves alone.
IDLE = ("Running", "Waiting", "Healthy", "Exists")


def projects(tree: pathlib.Path) -> list[pathlib.Path]:
    """Directories of the platform's Compose projects."""
    return sorted(path.parent for path in tree.glob("*/compose.yml"))


def network_task() -> Task:
    """The platform network: looked at, as long as it is there."""
    return {"name": "Network", "tags": ["engine"], "changed_when": False,
            "ansible.builtin.command": "docker network inspect mooring"}


def project_tasks(project: pathlib.Path, where: pathlib.Path | None = None) -> list[Task]:
    """A task per directory and file of a project, and one that calls Compose.

    ``project`` holds the declared files; ``where`` is the same project on the
    host, if that is another place. A copy of a file onto itself costs what a
    template task costs, less the rendering.
    """
    where = where or project
    manifest = json.loads((project / ".mooring/manifest.json").read_text())
    tasks: list[Task] = []
    for path in sorted(manifest["files"]):
        source, target = project / path, str(where / path)
        status = source.stat()
        common = {"mode": f"{status.st_mode & 0o7777:04o}", "owner": str(status.st_uid), "group": str(status.st_gid)}
        task = {"ansible.builtin.file": {"path": target, "state": "directory", **common}} if source.is_dir() else {
            "ansible.builtin.copy": {"src": str(source), "dest": target, **common}}
        tasks.append({"name": target, "tags": [target], **task})
    tasks.append({
        "name": f"Compose {project.name}", "tags": [f"compose-{project.name}"], "register": "compose",
        # Compose has a dry run, so check mode gets an answer as well.
        "check_mode": False,
        "ansible.builtin.command": {
            "cmd": "docker compose up --detach{{ ' --dry-run' if ansible_check_mode else '' }}", "chdir": str(where)},
        "changed_when": f"compose.stderr is search('(Container|Network|Volume) \\S+ +(?!{'|'.join(IDLE)})\\w')"})
    return tasks


def engine_tasks(daemon_json: str) -> list[Task]:
    """Packages, daemon.json and the service."""
    tasks: list[Task] = [
        {"name": "Packages", "ansible.builtin.apt": {
            "name": ["docker.io", "docker-compose", "python3-pymysql"], "install_recommends": False,
            "update_cache": True, "cache_valid_time": 3600}},
        {"name": "daemon.json", "ansible.builtin.copy": {
            "content": daemon_json, "dest": "/etc/docker/daemon.json", "mode": "0644"}},
        {"name": "Service", "ansible.builtin.service": {"name": "docker", "state": "started", "enabled": True}},
    ]
    return [{**task, "tags": ["engine"]} for task in tasks]


def timer_tasks(units: dict[str, str]) -> list[Task]:
    """Timers: the files of their units by path, and the timers that are to run."""
    tasks: list[Task] = [{"name": path, "ansible.builtin.copy": {"content": text, "dest": path, "mode": "0644"}}
                         for path, text in units.items()]
    tasks += [{"name": name, "ansible.builtin.systemd_service": {"name": name, "state": "started", "enabled": True}}
              for name in (path.rpartition("/")[2] for path in units) if name.endswith(".timer")]
    return [{**task, "tags": ["timer"]} for task in tasks]


def account_tasks(statements: str, container: str) -> list[Task]:
    """Schemas and accounts by SQL that may be repeated, which is what most playbooks do."""
    client = 'MYSQL_PWD=$(cat /run/secrets/root_password) mysql --user=root'
    return [{"name": "Accounts", "tags": ["accounts"], "changed_when": False, "ansible.builtin.command": {
        "argv": ["docker", "exec", "--interactive", container, "sh", "-c", client], "stdin": statements}}]
