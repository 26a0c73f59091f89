# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the controller half of compose_project, alone or as a step."""

from __future__ import annotations

import os
import re
import shlex
import typing as t

import yaml
from ansible import context
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible_collections.mooring.stack.plugins.module_utils._component import MARK
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._project import under
from ansible_collections.mooring.stack.plugins.plugin_utils import _compose_file as compose_file

# Parameters that have a platform-wide variable.
SHARED = {
    "root": "mooring_root",
    "prefix": "mooring_prefix",
    "network": "mooring_network",
    "service_defaults": "mooring_service_defaults",
    "allow_stateful_restart": "mooring_allow_stateful_restart",
}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def permitting_command(options: t.Mapping[str, t.Any], tags: t.Container[str], role: str) -> str:
    """The command that repeats this run for one component with permission to restart what holds data.

    ``options`` are those of ansible-playbook; extra variables are left out, since
    they may be secret. ``role`` becomes the tag if the playbook has it as one.
    """
    def near(path: str) -> str:
        relative = os.path.relpath(path)
        return path if "," in path or relative.startswith("..") else relative

    words = ["ansible-playbook"]
    for path in options.get("inventory") or ():
        words += ["-i", near(path)]
    words += map(near, options.get("args") or ())
    if options.get("subset"):
        words += ["--limit", options["subset"]]
    if role in tags:
        words += ["--tags", role]
    for vault in options.get("vault_ids") or ():
        words += ["--vault-id", vault]
    for path in options.get("vault_password_files") or ():
        words += ["--vault-password-file", near(path)]
    words += ["--ask-vault-pass"] if options.get("ask_vault_pass") else []
    words += ["--ask-become-pass"] if options.get("become_ask_pass") else []
    return shlex.join([*words, "-e", "mooring_allow_stateful_restart=true"])


class _Shared(dict[str, t.Any]):
    """Variables that several templates read.

    The template lookup copies all variables of a host for each file, deeply, which
    takes longer than to render it.
    """

    def __deepcopy__(self, _memo: dict[int, t.Any]) -> dict[str, t.Any]:
        return dict(self)


class Controller:
    """Renders a project's tree for the task of ``action`` and completes the arguments."""

    def __init__(self, action: ActionBase, task_vars: dict[str, t.Any]) -> None:
        self._action = action
        self._task_vars = task_vars

    def arguments(self, given: dict[str, t.Any]) -> dict[str, t.Any]:
        """The arguments for the host half; raises :class:`MooringError`."""
        task_vars = self._task_vars
        arguments = compose_file.plain(given)
        for option, variable in SHARED.items():
            if arguments.get(option) is None:
                if variable not in task_vars:
                    raise MooringError(
                        f"compose_project needs '{option}' or the variable {variable}. "
                        "Roles get it from the role mooring.stack.platform.")
                arguments[option] = compose_file.plain(self._action._templar.template(task_vars[variable]))
        name = str(arguments.get("name", ""))
        if not NAME.fullmatch(MARK.sub("x", name)):
            raise MooringError(f"'{name}' is no project name: use lower case letters, digits, '_' and '-'.")
        source = self._source(str(arguments.get("src", "project")))
        secrets = compose_file.Secrets.parse(arguments.get("secrets") or {})
        variables = arguments.pop("variables", None) or {}
        rendered = self._render(source, [str(path) for path in arguments.get("without") or ()], variables)
        text = rendered.pop("compose.yml", None)
        if text is None:
            raise MooringError(f"{source} has no compose.yml or compose.yml.j2.")
        try:
            definition = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise MooringError(f"{source}/compose.yml is not YAML after rendering: {error}") from error
        project = compose_file.complete(
            definition,
            name=f"{arguments['prefix']}-{name}",
            component=name,
            network=arguments["network"],
            defaults=arguments["service_defaults"],
        )
        tree, contents = compose_file.tree(
            {**rendered, "compose.yml": compose_file.dump(project, name)}, secrets, arguments.get("directories") or {})
        arguments["tree"] = tree
        arguments["tree_secrets"] = contents
        arguments["services"] = compose_file.facts(project)
        arguments["volumes"] = compose_file.volumes(project)
        task = self._action._task
        arguments["permitting"] = permitting_command(
            context.CLIARGS, task.tags, task._role.get_name().rpartition(".")[2] if task._role else "")
        arguments["secrets"] = {service: {"owner": secret.owner} for service, secret in secrets.items()}
        return arguments

    def _source(self, src: str) -> str:
        if os.path.isabs(src):
            return src
        role = getattr(self._action._task, "_role", None)
        base = os.path.join(role._role_path, "templates") if role else self._action._loader.get_basedir()
        source = os.path.join(base, src)
        if not os.path.isdir(source):
            raise MooringError(f"There is no template tree {source}.")
        return source

    def _render(self, source: str, without: list[str], more: dict[str, t.Any]) -> dict[str, str]:
        """Text of every file of the tree by its path on the host, except what lies below one of ``without``.

        The templates read ``more`` and the task's variables.
        """
        rendered = {}
        template = lookup_loader.get(
            "ansible.builtin.template", loader=self._action._loader, templar=self._action._templar)
        variables = _Shared({**self._task_vars, **more})
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                full = os.path.join(folder, name)
                path = os.path.relpath(full, source).removesuffix(".j2")
                if under(path, without):
                    continue
                if name.endswith(".j2"):
                    rendered[path] = str(template.run([full], variables)[0])
                else:
                    with open(full, encoding="utf-8", errors="surrogateescape") as stream:
                        rendered[path] = stream.read()
        return rendered
