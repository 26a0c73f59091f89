# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line.

serve    takes events and tells Mattermost
check    says whether the settings are usable
reload   lets a running one read its settings again, and waits until it has
probe    says whether a running one takes events
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import pathlib
import queue
import signal
import sqlite3
import sys
import threading
import time
import typing as t

from .handler import sign
from .settings import Settings, SettingsError, load

PORT = 8080
RELOAD_SECONDS = 10.0


def main() -> int:
    """Returns the status."""
    parser = argparse.ArgumentParser(
        prog="notifier", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["serve", "check", "reload", "probe"])
    parser.add_argument("--settings", type=pathlib.Path, default=pathlib.Path("/etc/mooring/notifier.json"))
    parser.add_argument("--secrets", type=pathlib.Path, default=pathlib.Path("/run/secrets/notifier.json"))
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/data"), help="directory of the outbox")
    parser.add_argument("--ca-file", help="certificates that are trusted besides the system's")
    parser.add_argument("--process", type=int, default=1, help="the running one, for reload")
    options = parser.parse_args()

    def read() -> Settings:
        try:
            return load(options.settings.read_text("utf-8"), options.secrets.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"They cannot be read: {error}.") from error

    try:
        settings = read()
        if options.command == "serve":
            return serve(settings, read, options.data, options.ca_file)
    except SettingsError as error:
        print(f"The settings of the notifier are not usable:\n{error}", file=sys.stderr)
        return 2
    try:
        if options.command == "reload":
            return reload(options.process)
        return probe(settings) if options.command == "probe" else 0
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Docker keeps what a probe prints, and the message of an error could quote what was sent.
        print(f"The notifier does not answer: {type(error).__name__}", file=sys.stderr)
        return 1


def serve(settings: Settings, read: t.Callable[[], Settings], data: pathlib.Path, ca_file: str | None) -> int:
    """Until SIGTERM; what is being sent then is finished. SIGHUP reads the settings again.

    Raises :class:`SettingsError` where the outbox or the certificates cannot be used.
    """
    # Not on AWS Lambda, where there is neither.
    import waitress

    from . import mattermost
    from .outbox import Outbox
    from .server import Application, log

    try:
        using = mattermost.opener(ca_file)
    except OSError as error:
        raise SettingsError(f"mattermost_notifier_ca_file: {ca_file} has no certificates that can be read "
                            f"({error}): declare a file of PEM certificates that everybody may read.") from error
    path = data / "outbox.sqlite"
    try:
        outbox = Outbox(str(path))
    except sqlite3.Error as error:
        raise SettingsError(f"{path} in the volume notifier-data cannot be used ({error}): is the disk full? If it is "
                            "damaged, move it away; what waited in it is lost.") from error
    application = Application(settings, outbox, using)
    # That requests wait for a thread is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = waitress.create_server(
        application, listen=f"*:{PORT}", threads=8, ident="", connection_limit=200, channel_timeout=30,
        # Beyond it the connection ends before all is sent, and the sender may not hear why.
        max_request_body_size=2 * settings.body_limit, max_request_header_size=65536)
    # A handler only notes what came: an exception that it raised could be lost in the middle of anything.
    came: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: came.put(number))

    def run() -> None:
        try:
            server.run()
        finally:
            came.put(signal.SIGTERM)

    application.start()
    threading.Thread(target=run, name="server", daemon=True).start()
    log(outcome="started")
    while came.get() != signal.SIGTERM:
        try:
            application.change(read())
        except (SettingsError, sqlite3.Error) as error:
            log(outcome="refused", reason=f"the new settings could not be taken: {error}")
        else:
            log(outcome="reloaded")
    # What was accepted is answered, and what is being sent is finished.
    server.task_dispatcher.shutdown()
    application.end()
    outbox.close()
    log(outcome="ended")
    return 0


def ask(method: str, path: str, body: str | None = None, headers: t.Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and text of what the running one answers."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
    connection.request(method, path, body, dict(headers or {}))
    answer = connection.getresponse()
    return answer.status, answer.read(4096).decode("utf-8", "replace")


def generation() -> int:
    """How often the running one has read its settings; raises :class:`ValueError` if it does not say."""
    document = json.loads(ask("GET", "/healthz")[1])
    if not isinstance(document, dict) or not isinstance(document.get("generation"), int):
        raise ValueError("another program answers")
    return int(document["generation"])


def reload(process: int) -> int:
    """Returns the status; the caller has seen that the settings are usable."""
    before, limit = generation(), time.monotonic() + RELOAD_SECONDS
    os.kill(process, signal.SIGHUP)
    while generation() == before:
        if time.monotonic() > limit:
            print("The notifier did not take its new settings; its log says why.", file=sys.stderr)
            return 1
        time.sleep(0.05)
    return 0


def probe(settings: Settings) -> int:
    """Send an event that is believed, signed if there is a key, and told to nobody, and ask whether all are at work."""
    status, answer = ask("GET", "/healthz")
    if status == 200:
        status, answer = ask("POST", "/hooks/gitlab", "{}", {
            "Content-Type": "application/json", "X-Gitlab-Event": "Probe", **credentials(settings, "{}", time.time())})
    if status != 200:
        print(f"The notifier answers with {status}: {answer}", file=sys.stderr)
        return 1
    return 0


def credentials(settings: Settings, body: str, now: float) -> dict[str, str]:
    """The headers by which an event is believed."""
    if not settings.signing_keys:
        return {"X-Gitlab-Token": settings.gitlab_tokens[0]}
    name, stamp = "probe", str(int(now))
    return {"webhook-id": name, "webhook-timestamp": stamp,
            "webhook-signature": sign(settings.signing_keys[0], name, stamp, body.encode())}


if __name__ == "__main__":
    sys.exit(main())
