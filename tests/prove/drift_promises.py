# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else a run promises: databases restart only with permission, and what does not come up is taken back."""

from __future__ import annotations

import json
import pathlib
import typing as t

from drift_site import Failed, Run, Site, say

PERMISSION = "-e mooring_allow_stateful_restart=true"
MYSQL, REDIS = "mooring-data_stores-mysql-1", "mooring-data_stores-redis-1"
BROKEN = "mooring.drift/broken:1"
# pebble runs and speaks, but nobody can ask whether it is well.
MAKE_BROKEN = (
    "docker run --name broken --user 0:0 --entrypoint rm mooring.local/pebble:2 /usr/bin/curl; "
    f"docker commit --change 'ENTRYPOINT []' broken {BROKEN} >/dev/null; docker rm broken")
WAIT_TIMEOUT = 120


def expect(condition: bool, promise: str, run: Run | None = None) -> None:
    """Stop at a promise that is not kept."""
    if not condition:
        raise Failed(f"{promise}\n{run.output[-2500:] if run else ''}")


def variables(site: Site, **values: t.Any) -> tuple[str, ...]:
    """Arguments of a run with other values of variables."""
    path: pathlib.Path = site.scratch / "promise.json"
    path.write_text(json.dumps(values))
    return "-e", f"@{path}"


def stateful(site: Site) -> None:
    """A MySQL setting that needs a restart, and a Redis account in the same run."""
    accounts = [*site.extra["data_stores"]["data_stores_redis_accounts"],
                {"name": "late", "password": "{{ vault_operator_password }}", "rules": "~late:* +@connection"}]
    change = ("--tags", "data_stores", *variables(
        site, data_stores_mysql_config_overrides={"max_connections": 123}, data_stores_redis_accounts=accounts))
    site.sh("sql <<< 'CREATE TABLE archive.kept (word TEXT); INSERT INTO archive.kept VALUES (\"before\")'")
    started = site.started()
    refused = site.run(*change)
    expect(refused.status != 0 and PERMISSION in refused.output, "the restart is not refused with its remedy", refused)
    expect(site.started() == started, "something was restarted without permission", refused)
    expect(site.sh("redis_as late PING").strip() == "PONG", "Redis was not converged with a restart held back", refused)
    allowed = site.run(*change, *PERMISSION.split()).good("the permitted run")
    now = site.started()
    expect(now[MYSQL] != started[MYSQL], "MySQL was not restarted with permission", allowed)
    expect({**now, MYSQL: ""} == {**started, MYSQL: ""}, "more than MySQL was restarted", allowed)
    expect(site.sh("sql <<< 'SELECT @@max_connections, word FROM archive.kept'").split() == ["123", "before"],
           "the setting or the data is not there after the restart", allowed)
    expect(site.run(*change).changed == 0, "the run after the restart changes something")
    site.run("--tags", "data_stores", *PERMISSION.split()).good("going back")
    site.sh("sql <<< 'DROP TABLE archive.kept'")


def never_healthy(site: Site) -> None:
    """An image that never becomes healthy, and then a definition that does."""
    site.sh(MAKE_BROKEN)
    failed = site.run("--tags", "acme_test_ca", *variables(site, acme_test_ca_image=BROKEN))
    expect(failed.status != 0, "a definition that is never healthy ends well", failed)
    expect("the previous version is back" in failed.output, "the previous version is not said to be back", failed)
    expect("Pebble running" in failed.output or "its last lines" in failed.output, "the culprit's log is not shown",
           failed)
    expect(failed.seconds < WAIT_TIMEOUT + 60, f"it took {failed.seconds:.0f} s", failed)
    site.wait(f"! docker ps -q --filter ancestor={BROKEN} | grep -q .", 5)
    expect(site.sh("docker ps --filter name=acme_test_ca --format '{{.Status}}' | grep -c '(healthy)'").strip() == "2",
           "the previous version does not run", failed)
    fixed = ("--tags", "acme_test_ca", *variables(site, acme_test_ca_memory="65m"))
    expect(site.run(*fixed).good("the fixed definition").changed > 0, "the fixed definition changes nothing")
    expect(site.run(*fixed).changed == 0, "the run after the fixed definition changes something")
    site.sh(f"docker rmi {BROKEN}")
    site.run().good("going back")


def prove(site: Site) -> list[str]:
    """Names of the promises that were not kept."""
    broken = []
    for promise in (stateful, never_healthy):
        try:
            promise(site)
            say(f"ok     {(promise.__doc__ or '').strip()}")
        except Failed as error:
            broken.append(promise.__name__.replace("_", " "))
            say(f"NOT OK {promise.__name__}: {error}")
            site.run("-e", "mooring_allow_stateful_restart=true")
    return broken
