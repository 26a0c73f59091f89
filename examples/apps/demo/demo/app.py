# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service answers. Nothing here knows of sockets, MySQL or Redis."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import typing as t

from demo.settings import Faults

Item = dict[str, t.Any]


class Unavailable(Exception):
    """A component that this service needs does not answer."""

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(f"{component}: {reason}")
        self.component, self.reason = component, reason


class Database(t.Protocol):
    def check(self) -> None:
        ...

    def items(self) -> list[Item]:
        ...

    def add(self, name: str) -> Item:
        ...

    def count(self) -> int:
        ...


class Cache(t.Protocol):
    def check(self) -> None:
        ...

    def visit(self) -> int:
        ...

    def items(self) -> list[Item] | None:
        ...

    def keep(self, items: list[Item]) -> None:
        ...

    def forget(self) -> None:
        ...


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def answer_json(status: int, content: t.Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode() + b"\n", headers=named)


class App:
    """One method per route; ``handle`` finds it."""

    def __init__(
        self,
        database: Database,
        cache: Cache,
        render_metrics: t.Callable[[], Answer],
        *,
        release: str,
        colour: str,
        faults: Faults,
    ) -> None:
        self._database, self._cache = database, cache
        self._release, self._colour, self._faults = release, colour, faults
        self.draining = False
        self._routes: dict[str, dict[str, t.Callable[[bytes], Answer]]] = {
            "/api/hello": {"GET": self._hello},
            "/api/items": {"GET": self._list_items, "POST": self._add_item},
            "/healthz": {"GET": lambda _body: answer_json(200, {"status": "UP"})},
            "/health": {"GET": self._health},
            "/readyz": {"GET": self._ready},
            "/metrics": {"GET": lambda _body: render_metrics()},
        }

    def route(self, path: str) -> str:
        """The path as a metric label: unknown paths must not become labels without number."""
        return path if path in self._routes else "other"

    def handle(self, method: str, path: str, body: bytes) -> Answer:
        methods = self._routes.get(path)
        if methods is None:
            return answer_json(404, {"error": "There is nothing at this path."})
        function = methods.get("GET" if method == "HEAD" else method)
        if function is None:
            return answer_json(405, {"error": "This path does not take this method."}, Allow=", ".join(methods))
        if self._faults.slow_seconds and path.startswith("/api/"):
            time.sleep(self._faults.slow_seconds)
        try:
            return function(body)
        except Unavailable as error:
            return answer_json(503, {"error": f"{error.component} is not available."})

    def _hello(self, _body: bytes) -> Answer:
        return answer_json(200, {
            "release": self._release,
            "colour": self._colour,
            "visits": self._cache.visit(),
            "items": self._database.count(),
        })

    def _list_items(self, _body: bytes) -> Answer:
        # The cache saves work; the list is served without it too.
        with contextlib.suppress(Unavailable):
            cached = self._cache.items()
            if cached is not None:
                return answer_json(200, {"items": cached}, X_Cache="hit")
        items = self._database.items()
        with contextlib.suppress(Unavailable):
            self._cache.keep(items)
        return answer_json(200, {"items": items}, X_Cache="miss")

    def _add_item(self, body: bytes) -> Answer:
        try:
            content = json.loads(body)
        except ValueError:
            return answer_json(400, {"error": "The body is not JSON."})
        name = content.get("name") if isinstance(content, dict) else None
        if not isinstance(name, str) or not 1 <= len(name.strip()) <= 200:
            return answer_json(400, {"error": "'name' must be a text of 1 to 200 characters."})
        item = self._database.add(name.strip())
        with contextlib.suppress(Unavailable):
            self._cache.forget()
        return answer_json(201, item)

    def _components(self) -> dict[str, dict[str, str]]:
        components: dict[str, dict[str, str]] = {}
        for name, component in (("mysql", self._database), ("redis", self._cache)):
            try:
                component.check()
                components[name] = {"status": "UP"}
            except Unavailable as error:
                components[name] = {"status": "DOWN", "reason": error.reason}
        return components

    def _health(self, _body: bytes) -> Answer:
        components = self._components()
        up = all(component["status"] == "UP" for component in components.values())
        return answer_json(200 if up else 503, {"status": "UP" if up else "DOWN", "components": components})

    def _ready(self, _body: bytes) -> Answer:
        """Whether traffic may come; says why not."""
        if self.draining:
            return answer_json(503, {"status": "DOWN", "reason": "shutting down"})
        if self._faults.never_ready:
            return answer_json(503, {"status": "DOWN", "reason": "FAULT_NEVER_READY is set"})
        down = [f"{name}: {part['reason']}" for name, part in self._components().items() if part["status"] != "UP"]
        if down:
            return answer_json(503, {"status": "DOWN", "reason": "; ".join(down)})
        return answer_json(200, {"status": "UP"})
