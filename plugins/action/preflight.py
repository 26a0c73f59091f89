# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the whole inventory on the controller and reports everything that is wrong with it at once."""

from __future__ import annotations

import inspect
import pathlib
import socket
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._preflight import (
    Host,
    Inventory,
    Literal,
    Raw,
    Role,
    Setting,
    VariableFile,
    check_for,
    judge,
    leaves,
    placeholder,
    platform,
    record_due,
    service_names,
)
from ansible_collections.mooring.stack.plugins.module_utils._preflight_host import check_controller
from ansible_collections.mooring.stack.plugins.plugin_utils import _collection
from ansible_collections.mooring.stack.plugins.plugin_utils._origin import origin, resolve, short

COLLECTION = pathlib.Path(__file__).resolve().parents[2]
ROLES = COLLECTION / "roles"
DEFAULTS = f"{short(str(ROLES))}/"
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
        directory = str((task_vars or {}).get("inventory_dir") or "inventory")
        whole = not args["components"]
        inventory = Inventory(
            directory=short(directory),
            hosts=hosts,
            roles=specs,
            shared=shared,
            now=time.time(),
            addresses=addresses(names_to_look_up(hosts)),
            controller=list(check_controller(ansible_version, self._required(), sys.version_info[:2])),
            groups=set(self._groups) if whole else set(),
            files=variable_files(pathlib.Path(directory)) if whole else [],
            collection=collection,
        )
        for host in hosts:
            for role in inventory.roles_of(host):
                for option in role.options.keys() & host.settings.keys():
                    place_default(host.settings[option], inventory.file_for(role, option))
        problems = [problem.line() for problem in judge(inventory)]
        if problems:
            count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the inventory"
            # Ansible shows a result as one long line, unless it is told otherwise; then each item of a list is a line.
            return {"failed": True, "changed": False, "msg": f"{count}; nothing was changed.",
                    "problems": [line for problem in problems for line in problem.splitlines()],
                    "_ansible_verbose_always": True}
        return {"changed": False, "problems": [], "collection": collection.version,
                "record": {host.name: platform(host) for host in hosts if record_due(inventory, host)}}

    # ------------------------------------------------------------ reading

    def _required(self) -> str:
        """The versions of ansible-core that the collection runs with."""
        return str(self._loader.load_from_file(str(COLLECTION / "meta" / "runtime.yml"))["requires_ansible"])

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
        host.raw = inventory_variables(raw)
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

        # Of a connection to this machine the name says nothing.
        if str(raw.get("ansible_connection", "")) != "local":
            host.settings["ansible_host"] = resolve(
                Templar(loader=self._loader, variables=variables), raw.get("ansible_host", name))

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


def place_default(setting: Setting, file: str) -> None:
    """What stands in the defaults of a role is changed in the inventory."""
    for path, source in setting.sources.items():
        if source.startswith(DEFAULTS):
            setting.sources[path] = file
    if setting.source.startswith(DEFAULTS):
        setting.source = file


def inventory_variables(raw: dict[str, t.Any]) -> dict[str, Raw]:
    """The variables that the inventory's files and the command line set, whoever reads them."""
    found = {}
    for variable, value in raw.items():
        parts = [leaf for _path, _key, leaf in leaves(value)]
        source = next(filter(None, (origin(one) for one in (variable, value, *parts))), "")
        if source:
            found[str(variable)] = Raw(source, tuple(str(leaf) for leaf in parts if isinstance(leaf, str)))
    return found


def variable_files(directory: pathlib.Path) -> list[VariableFile]:
    """What lies in group_vars and host_vars, by the name of the group or host that it is for."""
    return [
        VariableFile(kind, entry.name if entry.is_dir() else entry.stem, short(str(entry)))
        for kind in ("group", "host") for entry in sorted(directory.glob(f"{kind}_vars/*"))
        if entry.is_dir() or entry.suffix in ("", ".json", ".yaml", ".yml")]


def names_to_look_up(hosts: list[Host]) -> set[str]:
    """The names that a public CA will look up, and those at which their hosts are reached."""
    names: set[str] = set()
    check = check_for("domain")
    for host in hosts:
        if "nginx_certbot" not in host.groups or "acme_test_ca" in host.groups or not host.get("preflight_check_dns"):
            continue
        # By DNS-01 no address is looked up.
        domains = [str(domain) for _index, certificate in host.items_of("nginx_certbot_certificates")
                   if certificate.get("challenge") != "dns-01" for domain in certificate.get("domains") or [] if domain]
        domains = [domain for domain in domains if check and not check(domain) and not placeholder(domain)]
        target = str(host.get("ansible_host") or "")
        names.update(domains, [target] if domains and target and not placeholder(target) else [])
    return names


def addresses(names: set[str]) -> dict[str, list[str]]:
    """The addresses of names; empty for one that certainly has none, nothing where a resolver does not answer."""

    def ask(name: str) -> list[str] | None:
        try:
            # The address of a link goes with the name of an interface.
            return sorted({str(answer[4][0]).partition("%")[0] for answer in socket.getaddrinfo(name, None)})
        except socket.gaierror as error:
            return [] if error.errno == socket.EAI_NONAME else None

    ordered = sorted(names)
    with ThreadPoolExecutor(max_workers=8) as pool:
        return {name: found for name, found in zip(ordered, pool.map(ask, ordered), strict=True) if found is not None}
