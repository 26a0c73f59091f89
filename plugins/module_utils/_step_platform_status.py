# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that says what runs on a host."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._collection_version import path_of, recorded
from ansible_collections.mooring.stack.plugins.module_utils._docker import NO_ONE_OFF, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._files import read_text
from ansible_collections.mooring.stack.plugins.module_utils._formats import MANIFEST, RELEASES, Format
from ansible_collections.mooring.stack.plugins.module_utils._prometheus import Prometheus
from ansible_collections.mooring.stack.plugins.module_utils._status import (
    Certificate,
    Monitoring,
    Project,
    Release,
    Webhook,
    guide,
    monitoring,
    rows,
    table,
    undeclared,
    webhooks,
)
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic
from ansible_collections.mooring.stack.plugins.module_utils._x509 import read_pair

ARGUMENT_SPEC: dict[str, t.Any] = {
    "root": {"type": "path", "required": True},
    "prefix": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "declared": {"type": "list", "elements": "str", "default": []},
    "host": {"type": "str", "default": "HOST"},
    "url": {"type": "str", "default": ""},
    "routes": {"type": "list", "elements": "dict", "default": []},
    "ca_file": {"type": "str", "default": ""},
    "connect": {"type": "str", "default": ""},
    # Says where they lie, not what they are.
    "credentials": {"type": "str", "default": "", "no_log": False},
    "example": {"type": "str", "default": ""},
    "format": {"type": "str", "choices": ["table", "json"], "default": "table"},
}


def read_json(path: pathlib.Path, kind: Format) -> dict[str, t.Any]:
    """A JSON object on disk; empty where there is none that can be read.

    Raises :class:`MooringError` for one of a newer format.
    """
    try:
        document = kind.current(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def read_projects(root: pathlib.Path, prefix: str) -> list[Project]:
    """The directories below the root that hold a Compose project."""
    return [
        Project(
            component=path.parent.name,
            name=f"{prefix}-{path.parent.name}",
            services=tuple(read_json(path.parent / ".mooring" / "manifest.json", MANIFEST).get("services") or ()),
        )
        for path in sorted(root.glob("*/compose.yml"))
    ]


def read_containers(docker: Docker, projects: list[Project]) -> list[dict[str, t.Any]]:
    """``docker inspect`` of the projects' containers."""
    names = {project.name for project in projects}
    found = docker.inspect("container", docker.containers("com.docker.compose.project", NO_ONE_OFF))
    return [one for one in found if one["Config"]["Labels"]["com.docker.compose.project"] in names]


def read_certificates(root: pathlib.Path) -> list[Certificate]:
    """What lies where the proxy reads it."""
    certificates = []
    for path in sorted((root / "nginx_certbot" / "certificates").glob("*/fullchain.pem")):
        if not path.parent.is_symlink():  # <name> is a link to the version that counts
            continue
        try:
            pair = read_pair(str(path.parent))
        except MooringError as error:
            certificates.append(Certificate(path.parent.name, f"unknown: {error}", "", False))
            continue
        if pair:
            expiry = pair.not_after.strftime("%Y-%m-%d")
            certificates.append(Certificate(path.parent.name, expiry, pair.issuer, pair.placeholder))
    return certificates


def read_releases(root: pathlib.Path) -> list[Release]:
    """Which colour serves: the proxy's word on disk, and the release that the last deployment recorded."""
    releases = []
    for path in sorted((root / "app_blue_green").glob("*.json")):
        active = read_json(path, RELEASES).get("active") or {}
        try:
            line = (root / "nginx_certbot" / "releases" / path.stem).read_text(encoding="utf-8")
        except OSError:
            line = str(active.get("colour", ""))
        traffic = Traffic.from_line(line)
        colour, percent = (traffic.colour, traffic.percent or 0) if traffic else ("", 0)
        release = str(active.get("release", "")) if colour == active.get("colour") else ""
        releases.append(Release(path.stem, colour, release, percent))
    return releases


def read_webhooks(root: pathlib.Path) -> list[Webhook]:
    """The pipelines that have a token, as Jenkins reads them."""
    try:
        jobs = json.loads((root / "jenkins_dood" / "jenkins" / "jobs" / "jobs.json").read_text(encoding="utf-8"))
        return [Webhook(job["webhook"], job["event"], job["branch"]) for job in jobs if job["token"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def read_monitoring(docker: Docker, params: dict[str, t.Any]) -> tuple[Monitoring | None, str]:
    """What Prometheus says, and why it says nothing; None where there is none, or where it does not answer."""
    # A host may have agents only.
    if not pathlib.Path(params["root"], "monitoring", "prometheus", "prometheus.yml").is_file():
        return None, ""
    container = f"{params['prefix']}-monitoring-prometheus-1"
    address = docker.address(container, params["network"])
    if not address:
        return None, "Prometheus does not run, so nobody knows of alerts."
    try:
        prometheus = Prometheus(address, "/prometheus/")
        with docker.inside(container):
            view = prometheus.view()
            up = sum(target.health == "up" for target in view.targets)
            return Monitoring(up, len(view.targets), view.rules, tuple(prometheus.alerts())), ""
    except MooringError as error:
        return None, f"Nobody knows of alerts: {error}"


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Look; changes nothing. Raises :class:`MooringError`."""
    root = pathlib.Path(params["root"])
    docker = Docker(module.run_command)
    projects = read_projects(root, params["prefix"])
    engine = docker.version()
    containers = read_containers(docker, projects) if engine and projects else []
    certificates, releases = read_certificates(root), read_releases(root)
    watched, unknown = read_monitoring(docker, params) if engine else (None, "")
    found = rows(projects, containers, certificates, releases, params["url"], params["routes"])
    ca_file = params["ca_file"] if pathlib.Path(params["ca_file"]).is_file() else ""
    forgotten, remedy = undeclared(
        projects, params["declared"], [release.application for release in releases], params["host"])
    text = table(found) + remedy
    text += monitoring(watched) + (["", unknown] if unknown else [])
    if found:
        text += guide(
            params["url"], params["routes"], ca_file, params["connect"], params["credentials"], params["example"])
        text += webhooks(read_webhooks(root))
    return {
        "changed": False, "differences": [], "notices": [],
        "status": {
            "engine": engine,
            "collection": recorded(read_text(path_of(params["prefix"])), path_of(params["prefix"])),
            "containers": [dataclasses.asdict(row) for row in found],
            "certificates": [dataclasses.asdict(certificate) for certificate in certificates],
            "undeclared": forgotten,
            "releases": [dataclasses.asdict(release) for release in releases],
            "monitoring": dataclasses.asdict(watched) if watched else None,
        },
        "text": text,
    }
