# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the complete compose file and the tree around it.

Pure, and used on the controller only: it needs PyYAML, which hosts may not have.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import typing as t

import yaml
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._project import DIGEST_LABEL, digest_mark

COMPONENT_LABEL = "mooring.component"
PROJECT_KEYS = {"services", "volumes", "networks"}
SECRET_FILE_MODE, SECRET_DIRECTORY_MODE = "0400", "0500"


@dataclasses.dataclass(frozen=True)
class Secrets:
    """Secrets of one service: the uid that reads them, and contents by file name."""

    owner: int
    files: dict[str, str]

    @classmethod
    def parse(cls, given: dict[str, t.Any]) -> dict[str, Secrets]:
        """Secrets per service from the ``secrets`` option; raises :class:`MooringError`."""
        parsed = {}
        for service, value in given.items():
            if not isinstance(value, dict) or not str(value.get("owner", "")).isdigit():
                raise MooringError(
                    f"secrets of service '{service}' need an 'owner': the numeric uid that its container runs as.")
            files = {}
            for name, content in (value.get("files") or {}).items():
                if not {"", ".", ".."}.isdisjoint(name.split("/")):
                    raise MooringError(f"'{name}' is no name for a secret file of service '{service}'.")
                if content is None or str(content) == "":
                    raise MooringError(f"The secret '{name}' of service '{service}' is empty. Set its variable.")
                files[name] = str(content)
            parsed[service] = cls(int(value["owner"]), files)
        return parsed


def plain(value: t.Any) -> t.Any:
    """The same value in Python's own types; Ansible's marked strings are no YAML."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def complete(
    definition: t.Any, *, name: str, component: str, network: str, defaults: dict[str, t.Any],
) -> dict[str, t.Any]:
    """The compose file as it will lie on the host, from the role's part of it.

    Adds the project's name, the platform network as default network, the service
    defaults, and the labels. Raises :class:`MooringError` for a definition that
    is not a mapping of ``services``, ``volumes`` and ``networks`` of others.
    """
    if not isinstance(definition, dict) or not isinstance(definition.get("services"), dict):
        raise MooringError("compose.yml needs a mapping 'services'.")
    unknown = sorted(set(definition) - PROJECT_KEYS)
    if unknown:
        raise MooringError(
            f"compose.yml may hold 'services', 'volumes' and 'networks' only, not {', '.join(unknown)}.")
    networks = definition.get("networks") or {}
    for key, given in networks.items():
        if key == "default" or not (isinstance(given, dict) and given.get("external")):
            raise MooringError(f"The network '{key}' of compose.yml has to be external, and another than 'default'.")
    services = {}
    for service_name, given in definition["services"].items():
        service = copy.deepcopy(given)
        if not service.get("image"):
            raise MooringError(f"service '{service_name}' needs an image; images are not built by Compose here.")
        for key, value in defaults.items():
            service.setdefault(key, copy.deepcopy(value))
        labels = service.get("labels") or {}
        if not isinstance(labels, dict):
            raise MooringError(f"labels of service '{service_name}' must be a mapping.")
        service["labels"] = {**labels, COMPONENT_LABEL: component, DIGEST_LABEL: digest_mark(service_name)}
        services[service_name] = service
    project: dict[str, t.Any] = {"name": name, "services": services}
    if definition.get("volumes"):
        project["volumes"] = definition["volumes"]
    project["networks"] = {"default": {"name": network, "external": True}, **networks}
    return project


def dump(project: dict[str, t.Any], component: str) -> str:
    """The compose file's text."""
    header = (
        f"# Component {component} of mooring.stack. Complete and current: read it, use it with docker compose,\n"
        "# but do not edit it. The next run of the playbook puts it back.\n")
    return header + yaml.safe_dump(project, sort_keys=False, default_flow_style=False, width=120, allow_unicode=True)


def facts(project: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Per service what the host must know: image, and the project paths it mounts or reads."""
    return {
        name: {"image": service["image"], "paths": sorted(_paths(name, service))}
        for name, service in project["services"].items()}


def volumes(project: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The named volumes that the project makes: ``{name, driver, options}``, by the engine's names."""
    made = []
    for key, given in (project.get("volumes") or {}).items():
        options = given or {}
        if not options.get("external"):
            made.append({"name": options.get("name") or f"{project['name']}_{key}",
                         "driver": options.get("driver") or "local",
                         "options": {name: str(value) for name, value in (options.get("driver_opts") or {}).items()}})
    return made


def _paths(name: str, service: dict[str, t.Any]) -> set[str]:
    sources = []
    for volume in service.get("volumes") or []:
        sources.append(volume.split(":")[0] if isinstance(volume, str) else str(volume.get("source", "")))
    env_file = service.get("env_file") or []
    for item in [env_file] if isinstance(env_file, str) else env_file:
        sources.append("./" + (item if isinstance(item, str) else str(item["path"])).removeprefix("./"))
    paths = {os.path.normpath(source) for source in sources if source.startswith("./")}
    if "." in paths or any(path.startswith("..") for path in paths):
        raise MooringError(f"service '{name}' must mount directories below the project, not the project itself.")
    return paths


def tree(
    files: dict[str, str], secrets: dict[str, Secrets], directories: dict[str, t.Any],
) -> tuple[list[dict[str, t.Any]], dict[str, str]]:
    """Every file and directory of the project with mode and owner, and the secret contents apart.

    Entries are ``{path, kind, mode, uid, gid, secret}`` plus ``content`` for a
    file that is no secret. Parents of files belong to root and are open to read;
    the directory of a service's secrets is closed to all but its owner.
    """
    entries: dict[str, dict[str, t.Any]] = {}
    contents: dict[str, str] = {}

    def add(path: str, kind: str, mode: str, owner: int = 0, **more: t.Any) -> None:
        entries[path] = {"path": path, "kind": kind, "mode": mode, "uid": owner, "gid": owner, "secret": False, **more}

    def add_parents(path: str) -> None:
        parent = os.path.dirname(path)
        if not parent or parent in entries:
            return
        add_parents(parent)
        service = _secret_service(parent)
        if service:
            add(parent, "directory", SECRET_DIRECTORY_MODE, _owner(service, secrets))
        else:
            add(parent, "directory", "0755")

    for path, value in directories.items():
        options = value or {}
        add(os.path.normpath(path), "directory", str(options.get("mode", "0755")), int(options.get("owner", 0)))
    for service, given in secrets.items():
        for name, content in given.files.items():
            path = f"secrets/{service}/{name}"
            if path in files:
                raise MooringError(f"{path} comes from the tree and from the option 'secrets'. Keep one.")
            contents[path] = content
    for path in files:
        if _secret_service(path):
            contents[path] = files[path]
    for path in sorted({*files, *contents}):
        add_parents(path)
        if path in entries:
            raise MooringError(f"{path} is a file of the tree and one of the 'directories'. Rename one.")
        if path in contents:
            add(path, "file", SECRET_FILE_MODE, _owner(t.cast(str, _secret_service(path)), secrets), secret=True)
        else:
            add(path, "file", "0644", content=files[path])
    for path in list(entries):
        add_parents(path)
    return [entries[path] for path in sorted(entries)], contents


def _secret_service(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "secrets" else None


def _owner(service: str, secrets: dict[str, Secrets]) -> int:
    if service not in secrets:
        raise MooringError(
            f"secrets/{service}/ has files, but the option 'secrets' names no owner for '{service}': "
            "the numeric uid that its container runs as.")
    return secrets[service].owner
