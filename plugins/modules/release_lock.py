#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_lock
short_description: Hold the deployment lock of an application across the tasks of a run
version_added: "0.1.0"
author:
  - The mooring.stack authors (@mooring)
description:
  - A deployment takes several tasks, and no process on the host lives through all of them. The lock is a claim in a
    file, with a token that the later tasks show. M(mooring.stack.release_switch) refuses to switch without it.
  - A claim is stale, and is taken over, when the run of Ansible that stands behind it is gone, or when its time is
    over. That the run is gone can only be seen on the machine that it ran on.
  - Taking the lock also refuses when the proxy does not answer, or when another colour serves than the one that this
    run decided by. So nothing is started that could not be switched to.
attributes:
  check_mode:
    description: Can run in check mode and return what a real run would do.
    support: full
    details: Takes no lock in check mode.
  diff_mode:
    description: Will return details on what has changed or is to change.
    support: none
    details: The lock is no part of the declared state.
  idempotent:
    description: Running it twice changes nothing more than running it once.
    support: full
extends_documentation_fragment:
  - mooring.stack.application
  - mooring.stack.application.platform
options:
  state:
    description: V(present) takes the lock, V(absent) gives it back.
    type: str
    choices: [present, absent]
    default: present
  token:
    description: The token that was returned when the lock was taken. Needed to give it back.
    type: str
  release:
    description: The release for which the lock is taken. Shown to whoever is refused.
    type: str
  by:
    description: Who takes the lock. Shown to whoever is refused.
    type: str
    default: unknown
  active:
    description: The colour that served when this run decided; V("") for none.
    type: str
    default: ""
  replace:
    description:
      - Whether the run is going to replace the colour that does not serve. If the proxy's file names that colour it is
        put right first, because a proxy that restarts reads it. That counts as a change.
    type: bool
    default: false
  port:
    description: Port on which the application listens in its container.
    type: int
    default: 8080
  drain_seconds:
    description:
      - For how long after the last deployment the colour that it took the requests from may finish what it had begun.
        With O(replace) taking the lock waits for that, but not longer.
    type: float
    default: 0
  colour:
    description: The colour that gets the release. Recorded in the history.
    type: str
    default: ""
  image:
    description: Full reference of the release's image. Recorded in the history.
    type: str
    default: ""
  undone:
    description:
      - Why the run failed, given when the lock is given back. A deployment that failed before
        M(mooring.stack.release_switch) could record it is entered into the history with this.
    type: str
    default: ""
  rollback:
    description: Whether the run goes back to an earlier release. Said to O(notify_url).
    type: bool
    default: false
  notify_url:
    description:
      - Who is told what became of the deployment when the lock is given back, as JSON. The host's part may be the name
        of a Compose service on O(network).
      - That nobody could be told is a warning, and no failure.
    type: str
    default: ""
  notify_token:
    description: Sent along in the header C(X-Mooring-Token).
    type: str
  seconds:
    description: How long the lock is held at most, if nobody gives it back.
    type: float
    default: 600
  holder:
    description: The run of Ansible. Filled in by the controller half; not for playbooks.
    type: dict
    suboptions:
      machine:
        description: Name of the controller.
        type: str
        required: true
      pid:
        description: Process of the run.
        type: int
        required: true
      started:
        description: When the process started, where the controller can tell.
        type: str
        default: ""
  gone:
    description: A holder that is known to be gone. Filled in by the controller half; not for playbooks.
    type: dict
    suboptions:
      machine:
        description: Name of the controller.
        type: str
        required: true
      pid:
        description: Process of the run.
        type: int
        required: true
      started:
        description: When the process started, where the controller can tell.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Take the deployment lock
  mooring.stack.release_lock:
    name: shop
    release: 1.4.2
    by: alice
    active: blue
  register: shop_lock

- name: Give the deployment lock back
  mooring.stack.release_lock:
    name: shop
    state: absent
    token: "{{ shop_lock.token }}"
    undone: "{{ shop_switch.msg | default('') if shop_switch is failed else '' }}"
"""

RETURN = r"""
token:
  description: Shows the other tasks of this run that the lock is theirs. V("") in check mode.
  returned: always
  type: str
took_over:
  description: Whose stale lock was taken over, V(null) for nobody's.
  returned: when O(state=present)
  type: dict
"""

import http.client
import json
import secrets
import ssl
import time
import typing as t
import urllib.parse

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _release, _release_history
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._http import exchange
from ansible_collections.mooring.stack.plugins.module_utils._release_host import (
    PLATFORM_ARGUMENTS,
    Host,
    held,
    origin,
)

# A module call of a killed run may still be at work; it ends by itself.
WAIT_SECONDS = 20
# A deployment does not wait longer to be told of.
TELL_SECONDS = 10

HOLDER_SPEC: dict[str, t.Any] = {
    "machine": {"type": "str", "required": True},
    "pid": {"type": "int", "required": True},
    "started": {"type": "str", "default": ""},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    **PLATFORM_ARGUMENTS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "token": {"type": "str", "no_log": False},
    "release": {"type": "str"},
    "by": {"type": "str", "default": "unknown"},
    "active": {"type": "str", "default": ""},
    "replace": {"type": "bool", "default": False},
    "colour": {"type": "str", "default": ""},
    "image": {"type": "str", "default": ""},
    "undone": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 8080},
    "drain_seconds": {"type": "float", "default": 0},
    "rollback": {"type": "bool", "default": False},
    "notify_url": {"type": "str", "default": ""},
    "notify_token": {"type": "str", "no_log": True},
    "seconds": {"type": "float", "default": 600},
    "holder": {"type": "dict", "options": HOLDER_SPEC},
    "gone": {"type": "dict", "options": HOLDER_SPEC},
}


def take(host: Host, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Take the lock, or refuse with who holds it."""
    now = time.time()
    gone = [_release.Holder(**params["gone"])] if params["gone"] else []
    with host.store.locked(WAIT_SECONDS) as file:
        before = host.store.claim()
        if before is not None and not before.is_stale(now, gone):
            raise held(host.name, before)
        situation = host.situation()
        refuse_surprises(situation, params)
        if to_pin(situation, params):
            host.proxy.switch(host.name, situation.alone(situation.active))
        claim = _release.Claim(
            token=secrets.token_hex(8), by=params["by"], address=origin(), release=params["release"],
            colour=params["colour"], image=params["image"],
            since=now, until=now + params["seconds"], holder=_release.Holder(**params["holder"]))
        host.store.write_claim(file, claim)
        if params["replace"]:
            drain(host, situation, params, now)
    return {"changed": to_pin(situation, params), "token": claim.token,
            "took_over": before and {"by": before.by, "release": before.release}}


def drain(host: Host, situation: _release.Situation, params: dict[str, t.Any], now: float) -> None:
    """Let the colour that is about to be replaced finish what it began before it lost the requests.

    It had its time if it lost them long enough ago; a WebSocket of a warm colour would otherwise end with the next
    deployment, however soon that comes.
    """
    ended = (situation.record or {}).get("ended")
    if situation.active is None or not ended:
        return
    # It may have had a share of them until now.
    left = params["drain_seconds"] - (0 if situation.share is not None else now - _release.seconds(ended))
    idle = situation.colours[_release.other(situation.active)]
    if left > 0 and idle.runs:
        host.wait_until_drained(idle, params["port"], left)


def to_pin(situation: _release.Situation, params: dict[str, t.Any]) -> bool:
    """Whether the proxy has to be put right before anything is started.

    It must not send a request to the colour that is about to be replaced: not
    now, because that has a share of them, and not after a restart, which reads
    the file.
    """
    if not params["replace"] or situation.active is None:
        return False
    return situation.share is not None or situation.file is None or situation.file.colour != situation.active


def refuse_surprises(situation: _release.Situation, params: dict[str, t.Any]) -> None:
    """Stop before anything is started when the decision no longer fits or cannot be carried out."""
    if not situation.proxy_answers:
        raise MooringError(
            f"The proxy in {params['proxy'] or 'nginx_certbot'} does not answer on its control socket, so release "
            f"{params['release']} could not be switched to. Nothing was changed. Run the role nginx_certbot first.")
    if (situation.active or "") != params["active"]:
        raise MooringError(
            f"{situation.active or 'No colour'} serves now, but it was {params['active'] or 'no colour'} when this run "
            "decided: another run changed it meanwhile. Nothing was changed by this one; run it again.")


def give_back(host: Host, params: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Give the lock back if it is still ours, and record what failed before anything was switched; what to tell."""
    with host.store.locked(WAIT_SECONDS) as file:
        claim = host.store.claim()
        if claim is None or claim.token != params["token"]:
            return None
        record = host.store.record()
        if params["undone"] and not record.has_entry(claim.started, claim.release):
            record.failed(claim.entry(time.time()), params["undone"])
            host.store.save(record)
        host.store.write_claim(file, None)
        return _release_history.notice(record, claim, host.name, params["rollback"])


def tell(host: Host, url: str, token: str | None, notice: dict[str, t.Any]) -> None:
    """Send it; raises :class:`MooringError` with who was not told."""
    parts = urllib.parse.urlsplit(url)
    name, tls = parts.hostname or "", parts.scheme == "https"
    # On the host nobody resolves the names of containers.
    address = "" if tls or "." in name else host.docker.service_address(name, host.network)
    connection: http.client.HTTPConnection
    if tls:
        connection = http.client.HTTPSConnection(
            name, parts.port or 443, timeout=TELL_SECONDS, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(address or name, parts.port or 80, timeout=TELL_SECONDS)
    headers = {"Content-Type": "application/json", **({"X-Mooring-Token": token} if token else {})}
    answer = exchange(connection, "POST", parts.path or "/", headers, url, body=json.dumps(notice).encode())
    if not 200 <= answer.status < 300:
        raise MooringError(f"{url} answered status {answer.status}.")


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True,
        required_if=[("state", "present", ["release", "holder"]), ("state", "absent", ["token"])])
    result: dict[str, t.Any] = {"changed": False, "token": module.params["token"] or ""}
    with domain_errors(module):
        host = Host(module.params, module.run_command)
        if module.check_mode:
            result["changed"] = to_pin(host.situation(), module.params)
        elif module.params["state"] == "present":
            result = take(host, module.params)
        else:
            notice = give_back(host, module.params)
            if notice and module.params["notify_url"]:
                try:
                    tell(host, module.params["notify_url"], module.params["notify_token"], notice)
                except MooringError as error:
                    module.warn(f"Nobody was told what became of release {notice['release']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
