# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``demo serve``, ``demo migrate``, ``demo release``."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from demo import metrics
from demo.app import App, Unavailable
from demo.server import Server
from demo.settings import Settings, SettingsError
from demo.store import Cache, Database

log = logging.getLogger("demo")


def serve(settings: Settings) -> int:
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_args: stop.set())
    metrics.RELEASE.info({"release": settings.release, "colour": settings.colour})
    app = App(
        Database(settings), Cache(settings), metrics.render,
        release=settings.release, colour=settings.colour, faults=settings.faults,
    )
    server = Server(("", settings.port), app, settings.release, metrics.observe)
    server.start()
    log.info("Release %s (%s) listens on port %d.", settings.release, settings.colour, settings.port)
    if not stop.wait(timeout=settings.faults.crash_after or None):
        log.error("Crashing: FAULT_CRASH_AFTER is %g.", settings.faults.crash_after)
        os._exit(70)
    log.info("Shutting down.")
    if not server.drain(settings.drain_seconds, settings.drain_limit_seconds):
        log.error("Requests were still running after %g s; they are cut off.", settings.drain_limit_seconds)
        return 1
    log.info("Every request was answered.")
    return 0


def migrate(settings: Settings) -> int:
    if settings.faults.migration:
        log.error("The migration fails: FAULT_MIGRATION is set.")
        return 1
    try:
        Database(settings).migrate()
    except Unavailable as error:
        log.error("The migration failed: %s", error)
        return 1
    log.info("The tables are there.")
    return 0


COMMANDS = {"serve": serve, "migrate": migrate}


def main(arguments: list[str]) -> int:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if arguments == ["release"]:
        print(os.environ.get("RELEASE", "0.0.0"))
        return 0
    command = COMMANDS.get(arguments[0]) if len(arguments) == 1 else None
    if command is None:
        print("usage: demo serve | migrate | release", file=sys.stderr)
        return 2
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        log.error("The settings are incomplete: %s.", error)
        return 2
    return command(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
