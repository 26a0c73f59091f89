# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: where a value of the inventory stands."""

from __future__ import annotations

import copy
import pathlib
import typing as t

from ansible.errors import AnsibleError
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.module_utils._preflight import Setting

try:  # ansible-core 2.19 and newer
    from ansible._internal._datatag._tags import Origin
except ImportError:
    from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode
    Origin = None
else:
    AnsibleVaultEncryptedUnicode = None


def origin(value: t.Any) -> str:
    """``file:line`` of a value, as far as this version of Ansible keeps it."""
    if Origin is not None:
        tag = Origin.get_tag(value)
        if tag is None:
            return ""
        if not tag.path:
            return "command line" if "CLI" in (tag.description or "") else ""
        return short(tag.path) + (f":{tag.line_num}" if tag.line_num else "")
    position = getattr(value, "ansible_pos", None)
    return f"{short(position[0])}:{position[1]}" if position else ""


def short(path: str) -> str:
    """Relative to where the user stands, if it lies there."""
    try:
        return str(pathlib.Path(path).relative_to(pathlib.Path.cwd()))
    except ValueError:
        return path


def without_extra_variables(hostvars: t.Any, host: str) -> dict[str, t.Any]:
    """A host's variables as its inventory has them, not templated; ``-e`` hides those of the same name otherwise."""
    manager = copy.copy(hostvars._variable_manager)
    manager._extra_vars = {}
    manager._loader = hostvars._loader  # 2.18 leaves it out of a copy
    return manager.get_vars(host=hostvars._inventory.get_host(host), include_hostvars=False)


def resolve(templar: Templar, raw: t.Any) -> Setting:
    """A variable's value, part by part: one part without a value does not hide the others."""
    setting = Setting(source=origin(raw))

    def walk(value: t.Any, path: str) -> t.Any:
        if isinstance(value, dict):
            return {str(key): walk(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(item, f"{path}[{index}]") for index, item in enumerate(value)]
        source = origin(value)
        try:
            result = templar.template(value)
            if AnsibleVaultEncryptedUnicode is not None and isinstance(result, AnsibleVaultEncryptedUnicode):
                result = str(result)  # 2.18 decrypts it whenever it is read, so it is read where an error has a place
            if isinstance(result, (dict, list, tuple)):
                return walk(result, path)
        except AnsibleError as error:
            setting.errors[path] = str(error)
            setting.sources[path] = source
            return None
        setting.sources[path] = origin(result) or source
        return result

    try:
        setting.value = walk(raw, "")
    except AnsibleError as error:  # a container that resolves its parts when they are read
        setting.errors[""] = str(error)
    return setting
