# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the whole inventory on the controller and reports everything that is wrong with it at once."""

from __future__ import annotations

import inspect
import pathlib
import socket
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._preflight import (
    Host,
    Inventory,
    Literal,
    Role,
    check_for,
    judge,
    leaves,
    placeholder,
    platform,
    record_due,
    service_names,
)
from ansible_collections.mooring.stack.plugins.plugin_utils import _collection
from ansible_collections.mooring.stack.plugins.plugin_utils._origin import origin, resolve, short

display = Display()

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
# Roles without a group of their own, whose variables every host may have.
SHARED_ROLES = ("drift", "platform", "preflight", "status")
# What Ansible itself puts beside the inventory's variables.
CONNECTION_VARIABLES = ("ansible_host", "ansible_user", "ansible_password", "ansible_become_password")
MAGIC = ("ansible_check_mode", "ansible_diff_mode", "ansible_version", "groups", "hostvars", "omit", "playbook_dir")


class ActionModule(ActionBase):
    """Controller only; the facts of the hosts were registered by the task before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec={
            "facts": {"type": "str", "required": True},
            "components": {"type": "list", "elements": "str", "default": []},
        })
        self._hostvars = (task_vars or {})["hostvars"]
        self._groups = (task_vars or {})["groups"]

        # What Ansible adds to a host's variables while a play runs.
        self._magic = {name: value for name, value in (task_vars or {}).items() if name in MAGIC}

        specs = self._roles()
        shared = Role("platform", {})
        for name in SHARED_ROLES:
            if name in specs:
                shared.options.update(specs.pop(name).options)
        names = self._groups["all"]
        foreign: tuple[str, ...] = ()
        if args["components"]:
            foreign = tuple(f"{name}_" for name in specs if name not in args["components"])
            specs = {name: spec for name, spec in specs.items() if name in args["components"]}
            names = [name for name in names if any(name in self._groups.get(group, ()) for group in specs)]
        hosts = [self._host(name, specs, shared, args["facts"]) for name in names]
        for host in hosts:
            host.literals = [one for one in host.literals if not one.variable.startswith(foreign)]
        try:
            collection = _collection.collection()
        except MooringError as error:
            raise AnsibleActionFail(str(error)) from error
        inventory = Inventory(
            directory=short(str((task_vars or {}).get("inventory_dir") or "inventory")),
            hosts=hosts,
            roles=specs,
            shared=shared,
            now=time.time(),
            unresolved=unresolved(validated_domains(hosts)),
            collection=collection,
        )
        lines = [problem.line() for problem in judge(inventory)]
        if lines:
            count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''} in the inventory"
            # Printed here, because Ansible shows a result as one long line of JSON.
            display.display("\n".join([f"{count}:", *(f"  {line}" for line in lines)]), color=C.COLOR_ERROR)
            message = f"{count}, see above; nothing was changed."
            return {"failed": True, "changed": False, "msg": message, "problems": lines}
        return {"changed": False, "problems": [], "collection": collection.version,
                "record": {host.name: platform(host) for host in hosts if record_due(inventory, host)}}

    # ------------------------------------------------------------ reading

    def _roles(self) -> dict[str, Role]:
        """Every role of the collection, from its argument specs and its compose template."""
        roles = {}
        for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
            name = path.parents[1].name
            # unsafe: not a copy of every value in it, which would take longer than reading it; nothing is changed.
            (spec,) = self._loader.load_from_file(str(path), unsafe=True)["argument_specs"].values()
            template = path.parents[1] / "templates" / "project" / "compose.yml.j2"
            services = service_names(template.read_text(encoding="utf-8")) if template.exists() else set()
            roles[name] = Role(name, dict(spec.get("options") or {}), services)
        return roles

    def _host(self, name: str, roles: dict[str, Role], shared: Role, facts_variable: str) -> Host:
        """One host with the variables that its components read."""
        raw = self._hostvars.raw_get(name)
        host = Host(name, groups={group for group, names in self._groups.items() if name in names and group != "all"})
        host.literals = literals(raw)
        mine = [role for group, role in roles.items() if group in host.groups]

        variables: dict[str, t.Any] = {}
        for role in (*SHARED_ROLES, *(role.name for role in mine)):
            variables.update(self._role_file(role, "defaults"))
        variables.update(raw)
        for role in (*SHARED_ROLES, *(role.name for role in mine)):
            variables.update(self._role_file(role, "vars"))
        variables.update(self._magic)

        for role in (shared, *mine):
            templar = Templar(loader=self._loader, variables={**variables, "role_path": str(ROLES / role.name)})
            for option in role.options:
                if option in variables:
                    host.settings[option] = resolve(templar, variables[option])

        registered = raw.get(facts_variable)
        if isinstance(registered, dict):
            # As a step of component, or from the module preflight_facts itself.
            (answer, *_others) = registered.get("steps") or [registered]
            host.facts = answer.get("host")
            if host.facts is None:
                host.unreadable = str(registered.get("msg") or registered.get("module_stderr") or "no answer")
        return host

    def _role_file(self, role: str, kind: str) -> dict[str, t.Any]:
        """A role's defaults or vars."""
        path = ROLES / role / kind / "main.yml"
        if not path.exists():
            return {}
        # 2.18 trusts what it loads and knows no such argument.
        trusting = "trusted_as_template" in inspect.signature(self._loader.load_from_file).parameters
        return self._loader.load_from_file(
            str(path), unsafe=True, **({"trusted_as_template": True} if trusting else {})) or {}


def literals(raw: dict[str, t.Any]) -> list[Literal]:
    """What stands in the inventory's files and on the command line, before templating."""
    found = []
    for variable, value in raw.items():
        if variable.startswith(("ansible_", "__")) and variable not in CONNECTION_VARIABLES:
            continue
        for path, _key, leaf in leaves(value):
            source = origin(leaf)
            if isinstance(leaf, str) and source:
                name = variable if not path else variable + (path if path.startswith("[") else f".{path}")
                found.append(Literal(name, str(leaf), source))
    return found


def validated_domains(hosts: list[Host]) -> set[str]:
    """The names that a public CA will look up."""
    domains: set[str] = set()
    for host in hosts:
        if "nginx_certbot" not in host.groups or "acme_test_ca" in host.groups or not host.get("preflight_check_dns"):
            continue
        for _index, certificate in host.items_of("nginx_certbot_certificates"):
            # By DNS-01 no address is looked up.
            if certificate.get("challenge") != "dns-01":
                domains.update(str(domain) for domain in certificate.get("domains") or [] if domain)
    check = check_for("domain")
    return {domain for domain in domains if check and not check(domain) and not placeholder(domain)}


def unresolved(domains: set[str]) -> set[str]:
    """Those of the names that certainly have no address. A resolver that does not answer says nothing."""

    def lacks_address(domain: str) -> bool:
        try:
            socket.getaddrinfo(domain, None)
        except socket.gaierror as error:
            return error.errno == socket.EAI_NONAME
        return False

    ordered = sorted(domains)
    with ThreadPoolExecutor(max_workers=8) as pool:
        return {domain for domain, lacking in zip(ordered, pool.map(lacks_address, ordered), strict=True) if lacking}
