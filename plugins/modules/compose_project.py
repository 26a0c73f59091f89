#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_project
short_description: Converge one Docker Compose project, its files and its containers
version_added: "0.1.0"
description:
  - Renders a role's template tree on the controller, sends it to the host in one call, and makes the
    project's directory and containers equal to it.
  - Reads the files on disk, the containers and the manifest of the last run, decides what differs, and
    changes only that. What differs is named in the result, in check mode too.
  - The new tree is staged and checked before anything is replaced; files are replaced in one step each;
    if the new definition does not become healthy the previous one is put back.
  - The file C(compose.yml) of the tree holds C(services) and C(volumes). The project name, the platform
    network as default network, the service defaults and a label with the digest of the files that a
    service mounts are added, so that the file on the host is the whole truth.
options:
  name:
    description:
      - Name of the project, its directory below O(root), and with O(prefix) its name on the engine.
      - Lower case letters, digits, C(_) and C(-).
    type: str
    required: true
  src:
    description:
      - The template tree, relative to the role's C(templates/), or an absolute path on the controller.
      - Files that end in C(.j2) are rendered and lose that ending; others are copied.
      - What lies under C(secrets/<service>/) is secret; see O(secrets).
    type: str
    default: project
  root:
    description: Directory on the host that holds the projects. The variable C(mooring_root) if not given.
    type: path
  prefix:
    description: Prefix of the project's name on the engine. The variable C(mooring_prefix) if not given.
    type: str
  network:
    description: >-
      Existing Docker network that services join by default. The variable C(mooring_network) if not given.
    type: str
  service_defaults:
    description: >-
      Compose keys merged into each service that does not have them. The variable
      C(mooring_service_defaults) if not given.
    type: dict
  secrets:
    description:
      - Secrets per service. Keys are service names; a value has C(owner), the numeric uid (and gid) that the
        container runs as, and C(files), a mapping of file name to content.
      - The files lie in C(secrets/<service>/) with mode 0400, next to what the tree has there; mount that
        directory at C(/run/secrets). Their content is never part of a result, a diff, or a label.
    type: dict
    default: {}
  directories:
    description:
      - Directories that services write to. Keys are paths relative to the project, values have C(owner)
        (numeric, default 0) and C(mode) (default C(0755)). What is in them is never touched.
    type: dict
    default: {}
  validators:
    description:
      - Commands run on the staged tree before it is put in place, each in a throwaway container of a service.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: The service whose image and mounts the command gets.
        type: str
        required: true
      command:
        description: Program and arguments.
        type: list
        elements: str
        required: true
  reload:
    description:
      - Files that a running service can read again. A change in them alone runs the command instead of
        recreating the service.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: The service that reloads.
        type: str
        required: true
      paths:
        description: Files or directories, relative to the project.
        type: list
        elements: str
        required: true
      command:
        description: Program and arguments, run in the service's container.
        type: list
        elements: str
        required: true
  stateful:
    description:
      - Services that are not restarted or recreated while they run, unless O(allow_stateful_restart). The rest
        of the project is converged, then the task fails and says how to allow it.
    type: list
    elements: str
    default: []
  allow_stateful_restart:
    description: >-
      Whether stateful services may be restarted. The variable C(mooring_allow_stateful_restart) if not given.
    type: bool
  wait_timeout:
    description: Seconds in which the services must become healthy.
    type: int
    default: 120
  tree:
    description: The rendered tree. Filled in by the controller half; not for playbooks.
    type: list
    elements: dict
  tree_secrets:
    description: Content of the secret files. Filled in by the controller half; not for playbooks.
    type: dict
  services:
    description: What the host must know of the services. Filled in by the controller half; not for playbooks.
    type: dict
attributes:
  check_mode:
    support: full
    description: Can run in check mode and predicts the plan of the run that follows, also where docker is missing.
  diff_mode:
    support: full
    description: Shows changed files and fields; secret content is masked.
  idempotent:
    support: full
    description: A second run changes nothing.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Converge the data stores project
  mooring.stack.compose_project:
    name: data_stores
    stateful: [mysql]
    secrets:
      mysql:
        owner: 999
        files:
          root_password: "{{ data_stores_mysql_root_password }}"

- name: Converge the proxy; a changed route reloads it, anything else recreates it
  mooring.stack.compose_project:
    name: nginx_certbot
    validators:
      - service: proxy
        command: [nginx, -t]
    reload:
      - service: proxy
        paths: [conf.d]
        command: [nginx, -s, reload]
"""

RETURN = r"""
changes:
  description: What differs and what is done about it, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["service redis: state is exited, declared running", "service redis: start"]
plan:
  description: The same for programs; equal in check mode and in the run that follows.
  returned: always
  type: dict
  contains:
    differences:
      description: Object, field, expected and found of everything that differs.
      type: list
      elements: dict
    write:
      description: Paths that are written.
      type: list
      elements: str
    delete:
      description: Paths that are removed because they are no longer declared.
      type: list
      elements: str
    services:
      description: Step per service; create, recreate, restart, start, unpause, reload or remove.
      type: dict
    held:
      description: Steps that need O(allow_stateful_restart).
      type: dict
project:
  description: The project's name on the engine.
  returned: always
  type: str
directory:
  description: The project's directory on the host.
  returned: always
  type: str
"""

import hashlib
import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._project_host import ProjectHost, Validator

COMMAND_SPEC = {"type": "list", "elements": "str", "required": True}

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "src": {"type": "str", "default": "project"},
    "root": {"type": "path"},
    "prefix": {"type": "str"},
    "network": {"type": "str"},
    "service_defaults": {"type": "dict"},
    # Names and owners only; the contents travel in tree_secrets.
    "secrets": {"type": "dict", "default": {}, "no_log": False},
    "directories": {"type": "dict", "default": {}},
    "validators": {
        "type": "list", "elements": "dict", "default": [],
        "options": {"service": {"type": "str", "required": True}, "command": COMMAND_SPEC}},
    "reload": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "service": {"type": "str", "required": True},
            "paths": {"type": "list", "elements": "str", "required": True},
            "command": COMMAND_SPEC}},
    "stateful": {"type": "list", "elements": "str", "default": []},
    "allow_stateful_restart": {"type": "bool"},
    "wait_timeout": {"type": "int", "default": 120},
    "tree": {"type": "list", "elements": "dict"},
    "tree_secrets": {"type": "dict", "no_log": True},
    "services": {"type": "dict"},
}

# Words of a secret file that are long enough to be the secret itself are kept
# out of log excerpts; shorter ones are its syntax.
SECRET_WORD = re.compile(r"[^\s:=>\"']{12,}")


def declaration(params: dict[str, t.Any], key: bytes) -> tuple[project.Declared, dict[str, bytes]]:
    """The declaration and the files' contents by path, from the module's parameters.

    Replaces each service's digest mark in compose.yml by its digest.
    """
    reloads: dict[str, list[project.Reload]] = {}
    for rule in params["reload"]:
        reloads.setdefault(rule["service"], []).append(
            project.Reload(tuple(rule["paths"]), tuple(rule["command"])))
    services = {
        name: project.Service(
            name, facts["image"], tuple(facts["paths"]), tuple(reloads.get(name, ())), name in params["stateful"])
        for name, facts in params["services"].items()}

    entries, contents = {}, {}
    for item in params["tree"]:
        path, secret = item["path"], bool(item.get("secret"))
        digest = ""
        if item["kind"] == "file":
            content = params["tree_secrets"][path] if secret else item["content"]
            contents[path] = content.encode("utf-8", "surrogateescape")
            digest = hashlib.sha256(contents[path]).hexdigest()
        entries[path] = project.Entry(
            path, digest, int(item["mode"], 8), item["uid"], item["gid"], item["kind"], secret)

    mounted = [entry for path, entry in entries.items() if path != project.COMPOSE_FILE]
    text = contents[project.COMPOSE_FILE].decode()
    for service in services.values():
        text = text.replace(
            project.digest_mark(service.name), project.service_digest(key, service, mounted))
    contents[project.COMPOSE_FILE] = text.encode()
    file = entries[project.COMPOSE_FILE]
    entries[file.path] = project.Entry(
        file.path, hashlib.sha256(text.encode()).hexdigest(), file.mode, file.uid, file.gid)
    return project.Declared(entries, services), contents


def diff(
    host: ProjectHost, plan: project.Plan, declared: project.Declared, contents: dict[str, bytes],
) -> list[dict[str, str]]:
    """Before and after of each file that changes, and of everything else as fields."""
    parts = []
    for path in [*plan.write, *plan.delete]:
        entry = declared.entries.get(path)
        full = os.path.join(host.directory, path)
        if (entry and entry.kind != "file") or os.path.isdir(full):
            continue
        before = ""
        if os.path.isfile(full):
            with open(full, "rb") as stream:
                before = stream.read().decode("utf-8", "replace")
        after = contents[path].decode("utf-8", "replace") if entry else ""
        if under_secrets(path):
            before, after = (project.HIDDEN + "\n" if before else ""), (project.HIDDEN + ", changed\n" if after else "")
        if before != after:
            parts.append({"before_header": full, "after_header": full, "before": before, "after": after})
    found = [item for item in plan.differences if item.field not in ("content", "presence")]
    if found:
        parts.append({
            "before_header": f"{host.name} as found", "after_header": f"{host.name} as declared",
            "before": "".join(f"{item.object}: {item.field}: {item.found}\n" for item in found),
            "after": "".join(f"{item.object}: {item.field}: {item.expected}\n" for item in found)})
    return parts


def under_secrets(path: str) -> bool:
    """Whether a path of the project is secret by its place; so is a file that is no longer declared."""
    return project.under(path, ["secrets"])


def converge(params: dict[str, t.Any], docker: Docker, check_mode: bool, want_diff: bool) -> dict[str, t.Any]:
    """Read, decide, apply; the module's result. Raises :class:`MooringError`."""
    host = ProjectHost(
        docker, f"{params['prefix']}-{params['name']}", os.path.join(params["root"], params["name"]),
        params["wait_timeout"])
    declared, contents = declaration(params, host.key())
    observed = host.read(declared, contents)
    plan = project.decide(declared, observed, host.key(), bool(params["allow_stateful_restart"]))
    result = {"changed": bool(plan), "plan": plan.result(), "changes": plan.sentences(),
              "project": host.name, "directory": host.directory}
    if want_diff:
        result["diff"] = diff(host, plan, declared, contents)
    if check_mode:
        return result
    if observed.hashes is None:
        raise MooringError("No Docker engine answers on this host. Run the docker_engine role first.")
    if plan:
        validators = [Validator(item["service"], tuple(item["command"])) for item in params["validators"]]
        try:
            with host.lock():
                host.apply(plan, declared, contents, validators)
        except MooringError as error:
            error.details.update(plan=result["plan"], changes=result["changes"])
            raise
    elif any(one.health == "starting" for found in observed.containers.values() for one in found):
        host.wait(declared)
    if plan.held:
        raise MooringError(
            f"{', '.join(sorted(plan.held))} of {params['name']} would have to be restarted for the new "
            "configuration. Everything else is converged. To allow it run the same playbook with "
            "-e mooring_allow_stateful_restart=true.", **result)
    return result


def main() -> None:
    """Parse and report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    for content in (module.params["tree_secrets"] or {}).values():
        module.no_log_values.update(SECRET_WORD.findall(content))
    with domain_errors(module):
        if module.params["tree"] is None:
            raise MooringError("compose_project has no tree: its controller half did not run.")
        module.exit_json(**converge(module.params, Docker(module.run_command), module.check_mode, module._diff))


if __name__ == "__main__":
    main()
