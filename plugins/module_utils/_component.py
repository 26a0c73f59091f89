# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: runs several steps in one module call.

A *step* reads, decides and applies one thing. Its file has ``ARGUMENT_SPEC``,
where needed ``RULES`` (what else AnsibleModule takes to validate arguments), and
``converge(module, params)``, which returns the result or raises
:class:`MooringError`. The module of the same name is that one step alone.
With ``AFTER_SERVICES = True`` it takes a third argument, ``planned``: what the
steps before it do to Compose services, by service, so that its prediction does
not count what those put right.

``OFFERS`` says what of a step's result later steps of the call may be told, with
a value of each kind: where ``__release_info.target__`` stands in their arguments,
they get ``target`` of the result of ``release_info``.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import types
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible_collections.mooring.stack.plugins.module_utils._errors import HeldBack, MooringError

# What the steps of a call said that others may be told: ``{"release_info": {"target": "blue"}}``.
Offers = dict[str, dict[str, t.Any]]

NAMES = (
    "acme_root_certificate", "certbot_certificate", "certificate_renewal", "collection_version", "compose_project",
    "container_logs", "data_directory", "distro_image", "docker_daemon", "docker_engine_info", "docker_network",
    "docker_swarm", "elasticsearch_objects", "engine_socket", "host_limits", "kafka_record", "kafka_topics",
    "kafka_users", "kibana_objects", "mysql_grants", "platform_status", "postgres_databases", "preflight_facts",
    "prometheus_targets", "redis_server", "registry_logins", "release_info", "release_switch", "schedule",
    "shared_directory",
)

# Plain in YAML, as what takes its place should be: a tree that was rendered with it is then the same to the byte.
MARK = re.compile(r"__([a-z_]+)\.([a-z_]+)__")


@dataclasses.dataclass(frozen=True)
class Step:
    """One step with its arguments, which were found valid."""

    name: str
    code: types.ModuleType
    arguments: dict[str, t.Any]

    def params(self, offered: Offers, no_log_values: set[str]) -> dict[str, t.Any]:
        """The parameters with what the steps before it said; raises :class:`MooringError`."""
        # A copy: the validator completes a default that is a mapping where it stands.
        validator = ArgumentSpecValidator(copy.deepcopy(self.code.ARGUMENT_SPEC), **getattr(self.code, "RULES", {}))
        checked = validator.validate(filled(self.arguments, offered))
        # Those of a step with a mistake too: the message about it may quote them.
        no_log_values.update(checked._no_log_values)
        problems = [
            f"{self.name}: {'unsupported parameters: ' if isinstance(error, UnsupportedError) else ''}{error.msg}"
            for error in checked.errors]
        if problems:
            raise MooringError(" ".join(problems))
        return checked.validated_parameters


def filled(value: t.Any, offered: Offers) -> t.Any:
    """``value`` with what each mark in it stands for; what no step offers is no mark."""
    if not offered:
        return value
    if isinstance(value, str):
        return MARK.sub(lambda mark: str(offered.get(mark[1], {}).get(mark[2], mark[0])), value)
    if isinstance(value, t.Mapping):
        return {filled(key, offered): filled(item, offered) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(item, offered) for item in value]
    return value


def load(name: str) -> types.ModuleType:
    """The code of a step.

    Nothing but this one is imported, because what a call does not run it should
    not have to compile. Ansible packs what it finds in import statements, so
    each stands here.
    """
    if name == "acme_root_certificate":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_acme_root_certificate as code
    elif name == "certbot_certificate":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_certbot_certificate as code
    elif name == "certificate_renewal":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_certificate_renewal as code
    elif name == "collection_version":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_collection_version as code
    elif name == "compose_project":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_compose_project as code
    elif name == "container_logs":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_container_logs as code
    elif name == "data_directory":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_data_directory as code
    elif name == "distro_image":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_distro_image as code
    elif name == "docker_daemon":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_docker_daemon as code
    elif name == "docker_engine_info":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_docker_engine_info as code
    elif name == "docker_network":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_docker_network as code
    elif name == "docker_swarm":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_docker_swarm as code
    elif name == "elasticsearch_objects":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_elasticsearch_objects as code
    elif name == "engine_socket":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_engine_socket as code
    elif name == "host_limits":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_host_limits as code
    elif name == "kafka_record":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_kafka_record as code
    elif name == "kafka_topics":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_kafka_topics as code
    elif name == "kafka_users":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_kafka_users as code
    elif name == "kibana_objects":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_kibana_objects as code
    elif name == "mysql_grants":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_mysql_grants as code
    elif name == "platform_status":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_platform_status as code
    elif name == "postgres_databases":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_postgres_databases as code
    elif name == "preflight_facts":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_preflight_facts as code
    elif name == "prometheus_targets":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_prometheus_targets as code
    elif name == "redis_server":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_redis_server as code
    elif name == "registry_logins":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_registry_logins as code
    elif name == "release_info":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_release_info as code
    elif name == "release_switch":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_release_switch as code
    elif name == "schedule":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_schedule as code
    elif name == "shared_directory":
        from ansible_collections.mooring.stack.plugins.module_utils import _step_shared_directory as code
    else:
        raise MooringError(f"'{name}' is no step. Steps are: {', '.join(NAMES)}.")
    return code


def named(given: t.Sequence[t.Mapping[str, t.Any]]) -> list[tuple[str, dict[str, t.Any]]]:
    """Name and arguments of each step; raises :class:`MooringError` for what is not written as one."""
    steps = []
    for number, entry in enumerate(given, start=1):
        if not isinstance(entry, t.Mapping) or len(entry) != 1:
            raise MooringError(f"Step {number} has to be one name with its arguments, such as 'redis_server: {{...}}'.")
        ((name, arguments),) = entry.items()
        if name not in NAMES:
            raise MooringError(f"Step {number}: '{name}' is no step. Steps are: {', '.join(NAMES)}.")
        if arguments is not None and not isinstance(arguments, t.Mapping):
            raise MooringError(f"Step {number}, {name}: the arguments have to be a mapping.")
        steps.append((str(name), dict(arguments or {})))
    return steps


def parse(given: t.Sequence[t.Mapping[str, t.Any]], no_log_values: set[str]) -> list[Step]:
    """The steps, all validated before the first one runs; their secrets are added to ``no_log_values``."""
    steps, problems = [], []
    samples: Offers = {}
    for number, (name, arguments) in enumerate(named(given), start=1):
        step = Step(name, load(name), arguments)
        try:
            step.params(samples, no_log_values)
        except MooringError as error:
            problems.append(f"Step {number}, {error}")
        steps.append(step)
        if hasattr(step.code, "OFFERS"):
            samples[name] = step.code.OFFERS
    if problems:
        raise MooringError(" ".join(problems))
    return steps


def converge(module: t.Any, steps: t.Sequence[Step]) -> dict[str, t.Any]:
    """Run the steps in order; the joined result.

    A step that fails ends the call. One whose result says ``stop`` ends its chain without a failure, because the
    caller has to do something first; the next chain begins with the next step of the same name. One that is only held
    back lets the later ones run, because they do not wait for it, and the call fails at the end.
    """
    results: list[dict[str, t.Any]] = []
    held: list[str] = []
    offered: Offers = {}
    stopped = ""
    for step in steps:
        if stopped and step.name != stopped:
            continue
        stopped = ""
        # In check mode nothing was done to a service, and what it runs with now says nothing of the run.
        predicted = {"planned": _planned(results)} if getattr(step.code, "AFTER_SERVICES", False) else {}
        try:
            result = step.code.converge(module, step.params(offered, module.no_log_values), **predicted)
        except HeldBack as error:
            held.append(str(error))
            result = error.details
        except MooringError as error:
            done = joined([*results, {"step": step.name, **error.details}])
            # A command ends what waits, and nothing may follow on its line.
            raise MooringError("\n".join([str(error), *held]), **{**error.details, **done}) from error
        results.append({"step": step.name, **result})
        if result.get("stop"):
            stopped = step.name
        elif hasattr(step.code, "OFFERS"):
            offered[step.name] = {key: "" if result.get(key) is None else result[key] for key in step.code.OFFERS}
    if held:
        raise HeldBack("\n".join(held), **joined(results))
    return joined(results)


def _planned(results: t.Sequence[dict[str, t.Any]]) -> dict[str, str]:
    """What steps do to services, or would do in check mode: ``{"redis": "reload"}``."""
    return {service: step for result in results
            for service, step in ((result.get("plan") or {}).get("services") or {}).items()}


def joined(results: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """One result of the steps' results."""
    diffs = [part for result in results for part in _diffs(result.get("diff"))]
    return {
        "changed": any(result.get("changed") for result in results),
        "differences": _differences(results),
        "notices": [one for result in results for one in result.get("notices") or ()],
        "steps": [{key: value for key, value in result.items() if key != "diff"} for result in results],
        **({"diff": diffs} if diffs else {}),
    }


def _differences(results: t.Sequence[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """What is not as declared, each object by the first step that names it.

    Whether a later step finds the same object wrong depends on whether the earlier one has mended it. Of several
    projects each has its own objects, which carry its name then.
    """
    projects = [str(result["name"]) if result.get("step") == "compose_project" and "name" in result else ""
                for result in results]
    several = len(set(projects) - {""}) > 1
    named: dict[str, set[str]] = {}
    differences = []
    for project, result in zip(projects, results, strict=True):
        found = [one for one in result.get("differences") or ()
                 if one["object"] not in named or project and not named[one["object"]] & {"", project}]
        for one in found:
            named.setdefault(one["object"], set()).add(project)
            known = f"{one['object']} of {project}" if several and project else one["object"]
            differences.append({**one, "object": known})
    return differences


def _diffs(diff: t.Any) -> list[dict[str, t.Any]]:
    """The parts of a step's diff that show a difference."""
    parts = diff if isinstance(diff, list) else [diff] if diff else []
    return [part for part in parts if part.get("before") != part.get("after")]
