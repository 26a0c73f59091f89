# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the notifier share: the program itself, deliveries, and a Mattermost to tell."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import threading
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = ROOT / "roles/mattermost_notifier/files/image"
SAMPLES = pathlib.Path(__file__).parent / "data/notifier"
sys.path.insert(0, str(ROOT / "tests/lab"))

from mattermost import Listener  # noqa: E402
from notifier import settings  # noqa: E402
from notifier.handler import Delivery  # noqa: E402

TOKEN = "sentinel-of-a-gitlab-token"
DEPLOY = "sentinel-of-a-deploy-token"


def declared(secret: dict[str, t.Any] | None = None, **public: t.Any) -> settings.Settings:
    """Settings with one webhook and one token of each kind."""
    return settings.load(json.dumps(public), json.dumps({
        "gitlab_tokens": [TOKEN], "deploy_tokens": [DEPLOY],
        "webhooks": {"default": "https://mattermost.example.com/hooks/sentinel"}, **(secret or {})}))


def request(number: int = 7, title: str = "Add a till", action: str = "open", **more: t.Any) -> dict[str, t.Any]:
    """The body of an event about a merge request, with what the notifier reads of it."""
    attributes = {"iid": number, "title": title, "action": action, "author_id": 4, "source_branch": "till",
                  "target_branch": "main", "url": f"https://gitlab.example.com/shop/backend/-/merge_requests/{number}"}
    return {"object_kind": "merge_request", "user": {"id": 4, "name": "Kim Haneul", "username": "haneul"},
            "project": {"id": 1, "path_with_namespace": "shop/backend"},
            "object_attributes": {**attributes, **more}}


def delivery(body: t.Any, event: str = "Merge Request Hook", path: str = "gitlab", **headers: str) -> Delivery:
    """A delivery that is believed; ``headers`` with _ for -."""
    token = {"x-gitlab-token": TOKEN} if path == "gitlab" else {"x-mooring-token": DEPLOY}
    return Delivery(path, {"x-gitlab-event": event, **token, **{
        name.replace("_", "-"): value for name, value in headers.items()}},
        body if isinstance(body, bytes) else json.dumps(body).encode())


@contextlib.contextmanager
def listener() -> t.Iterator[Listener]:
    """A Mattermost."""
    with Listener(("127.0.0.1", 0)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
