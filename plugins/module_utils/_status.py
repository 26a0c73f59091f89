# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what runs on a host, as rows and as text. No I/O."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from urllib.parse import urlsplit

from ansible_collections.mooring.stack.plugins.module_utils._prometheus import Alert
from ansible_collections.mooring.stack.plugins.module_utils._traffic import COLOURS

# The component of all applications; each colour of one is a project.
APPLICATIONS = "app_blue_green"
COLUMNS = ("component", "container", "health", "version", "url", "certificate", "release")


@dataclasses.dataclass(frozen=True)
class Project:
    """A Compose project of the platform, as its directory on the host tells."""

    component: str
    name: str  # on the engine
    services: tuple[str, ...]  # of the last converge's manifest


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What the proxy shows."""

    name: str
    not_after: str  # a date, or why it is unknown
    issuer: str
    placeholder: bool

    def expiry(self) -> str:
        """The date with a word about what kind it is."""
        return f"{self.not_after} (placeholder)" if self.placeholder else self.not_after


@dataclasses.dataclass(frozen=True)
class Release:
    """Which colour of an application serves, by the line on disk and by the record of the last deployment.

    ``percent`` is the other colour's share of the requests.
    """

    application: str
    colour: str
    release: str
    percent: int = 0


@dataclasses.dataclass(frozen=True)
class Monitoring:
    """What Prometheus says; ``up`` are the targets that it reaches."""

    up: int
    targets: int
    rules: int
    alerts: tuple[Alert, ...]


@dataclasses.dataclass(frozen=True)
class Webhook:
    """A pipeline that GitLab may start, and by which event."""

    address: str
    event: str
    branch: str


@dataclasses.dataclass(frozen=True)
class Row:
    """One container, or one that is missing."""

    component: str
    container: str
    health: str
    version: str = ""
    url: str = ""
    certificate: str = ""
    release: str = ""


def health_of(container: dict[str, t.Any]) -> str:
    """One word: healthy, starting, unhealthy, running (without a check), exited ..."""
    state = container["State"]
    if state["Status"] != "running":
        return str(state["Status"])
    return str((state.get("Health") or {}).get("Status") or "running")


def version_of(image: str) -> str:
    """The tag of an image reference, or its shortened digest."""
    name, _at, digest = image.partition("@")
    tag = name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else ""
    return tag or digest[:19] or "untagged"


def published(container: dict[str, t.Any]) -> str:
    """The first address on which the host listens for the container."""
    ports = (container.get("NetworkSettings") or {}).get("Ports") or {}
    for bindings in ports.values():
        for binding in bindings or []:
            return f"{binding['HostIp'] or '0.0.0.0'}:{binding['HostPort']}"
    return ""


def rows(
    projects: t.Iterable[Project],
    containers: t.Iterable[dict[str, t.Any]],
    certificates: t.Iterable[Certificate],
    releases: t.Iterable[Release],
    url: str = "",
    routes: t.Iterable[dict[str, t.Any]] = (),
) -> list[Row]:
    """The table's rows, components in alphabetical order, missing containers included."""
    by_service: dict[tuple[str, str], list[dict[str, t.Any]]] = {}
    for container in containers:
        labels = container["Config"].get("Labels") or {}
        key = (labels.get("com.docker.compose.project", ""), labels.get("com.docker.compose.service", ""))
        by_service.setdefault(key, []).append(container)
    serving = {release.application: release for release in releases}
    expiry = "; ".join(certificate.expiry() for certificate in certificates)
    paths = _paths(routes)
    table = []
    for project in sorted(projects, key=lambda project: project.component):
        found = {service for name, service in by_service if name == project.name}
        for service in sorted(found | set(project.services)):
            is_proxy = (project.component, service) == ("nginx_certbot", "proxy")
            for container in by_service.get((project.name, service), [None]):
                if container is None:
                    table.append(Row(project.component, f"{project.name}-{service}", "missing"))
                    continue
                labels = container["Config"].get("Labels") or {}
                application, colour = labels.get("mooring.application", ""), labels.get("mooring.colour", "")
                who = serving.get(application, Release("", "", ""))
                active = bool(application) and who.colour == colour
                reached = paths.get(application if active else service if not application else "")
                table.append(Row(
                    component=project.component,
                    container=container["Name"].lstrip("/"),
                    health=health_of(container),
                    version=version_of(container["Config"]["Image"]),
                    url=url if is_proxy and url else f"{url}{reached}" if url and reached else published(container),
                    certificate=expiry if is_proxy else "",
                    release=_release(labels, active, who.percent) if application else "",
                ))
    return table


def _paths(routes: t.Iterable[dict[str, t.Any]]) -> dict[str, str]:
    """Application or service -> the first path that leads there."""
    paths: dict[str, str] = {}
    for route in routes:
        target = route.get("application") or urlsplit(str(route.get("upstream") or "")).hostname
        if target:
            paths.setdefault(str(target), str(route.get("path", "/")))
    return paths


def _release(labels: dict[str, str], active: bool, percent: int) -> str:
    share = f" {100 - percent if active else percent} %" if percent else ""
    does = "serves" if active or percent else "waits"
    return f"{labels.get('mooring.colour', '')} {labels.get('mooring.release', '')} {does}{share}"


def table(found: list[Row]) -> list[str]:
    """The rows as aligned lines; a column that is empty everywhere is left out."""
    if not found:
        return ["Nothing runs here yet."]
    columns = [name for name in COLUMNS if any(getattr(row, name) for row in found)]
    cells = [[name.upper() for name in columns], *([getattr(row, name) or "-" for name in columns] for row in found)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def undeclared(
    projects: t.Iterable[Project], declared: t.Collection[str], applications: t.Iterable[str], host: str,
) -> tuple[list[str], list[str]]:
    """Components that have a project here and that nobody declares for this host; and what to do about them.

    ``declared`` are the names of components, a colour of an application being one. Without any, nobody was asked.
    ``applications`` are those that were ever deployed here.
    """
    # What has no manifest is somebody's own, which a teardown leaves as well.
    found = sorted(one.component for one in projects if one.services and one.component not in declared)
    if not found or not declared:
        return [], []
    colours = {f"{name}-{colour}" for name in applications for colour in COLOURS} & set(found)
    # A teardown knows applications together only, by the name of their component: those that go on must not go too.
    by_hand = sorted(colours) if APPLICATIONS in declared else []
    only = sorted({APPLICATIONS if name in colours else name for name in found if name not in by_hand})
    lines = ["", f"Here, and not declared for this host any more: {', '.join(found)}. No run changes that. "
             "Declare it again, or remove it:"]
    if only:
        # Limited to it: the component may have moved to another one.
        lines.append(f"  playbooks/teardown.yml --limit {host} -e '{json.dumps({'teardown_only': only})}'")
    if by_hand:
        lines.append(f"  {', '.join(by_hand)}: by hand, see 'Several applications' in roles/app_blue_green/README.md")
    return found, lines


def monitoring(seen: Monitoring | None) -> list[str]:
    """What Prometheus looks at, and what fires, the worst first; nothing where there is no monitoring."""
    if seen is None:
        return []
    fires = {0: "no alert fires", 1: "one alert fires"}.get(len(seen.alerts), f"{len(seen.alerts)} alerts fire")
    width = max((len(alert.severity) for alert in seen.alerts), default=0)
    return ["", f"Monitoring: {seen.up} of {seen.targets} targets are up, {seen.rules} rules, {fires}.", *(
        f"  {alert.severity.ljust(width)}  {alert.name}: {alert.summary} (since {alert.since} UTC)"
        for alert in seen.alerts)]


def webhooks(found: t.Sequence[Webhook]) -> list[str]:
    """What GitLab has to be told, and where that is explained; nothing where no pipeline waits for it."""
    if not found:
        return []
    width = max(len(one.address) for one in found)
    return ["", "Webhooks for GitLab. The secret token is webhook_token of the pipeline in jenkins_dood_jobs; "
            "docs/gitlab.md says where it goes.", *(
                f"  {one.address.ljust(width)}  {one.event.replace('_', ' ')} events, {one.branch}" for one in found)]


def guide(
    url: str, routes: t.Iterable[dict[str, t.Any]], ca_file: str, connect: str, credentials: str, example: str,
) -> list[str]:
    """What a user needs next: URLs, where the credentials lie, how to trust the CA."""
    lines = []
    routes = list(routes)
    if url and routes:
        lines += ["", "URLs"]
        width = max(len(f"{url}{route.get('path', '')}") for route in routes)
        for route in routes:
            target = route.get("application") or route.get("upstream")
            access = "everybody" if route.get("access") == "public" else "asks for a login"
            address = f"{url}{route.get('path', '')}"
            lines.append(f"  {address.ljust(width)}  {target}, {access}")
    if credentials:
        lines += ["", f"Credentials: {credentials}"]
    parts = urlsplit(url)
    if url and ca_file:
        path = example or next((route["path"] for route in routes if route.get("access") == "public"), "/")
        resolve = f" --resolve {parts.hostname}:{parts.port or 443}:{connect}" if connect else ""
        lines += ["", f"The test CA's root certificate is {ca_file} on the host. Trust it for a trial only:",
                  f"  curl --cacert {ca_file}{resolve} {url}{path}"]
    if url and connect:
        lines += ["", f"For a browser, import the certificate and add a line to /etc/hosts: {connect} {parts.hostname}"]
    return lines
