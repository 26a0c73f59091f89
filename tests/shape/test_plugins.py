# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every plugin documents what it accepts, says honestly what it can, and is tested."""

from __future__ import annotations

import ast
import importlib
import pathlib
import re
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
MODULES = sorted((PLUGINS / "modules").glob("*.py"))
ACTIONS = sorted((PLUGINS / "action").glob("*.py"))
PYTHON = sorted(PLUGINS.rglob("*.py"))
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests" / "unit").glob("test_*.py"))
# Given by the action plugin, or read by it alone.
STUBS = {path.stem for path in ACTIONS}

HEADER = [
    "# Copyright (c) 2026, The mooring.stack authors",
    "# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
]

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
each_file = pytest.mark.parametrize("path", PYTHON, ids=lambda path: f"{path.parent.name}/{path.stem}")


def constant(path: pathlib.Path, name: str) -> str:
    """A string that a file assigns at its top."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path.name} has no {name}")


def documentation(path: pathlib.Path) -> dict[str, t.Any]:
    """What ansible-doc makes of it: with the options of the fragments that it extends."""
    doc = yaml.safe_load(constant(path, "DOCUMENTATION"))
    for name in doc.get("extends_documentation_fragment") or ():
        namespace, collection, file, *part = name.split(".")
        fragment = importlib.import_module(
            f"ansible_collections.{namespace}.{collection}.plugins.doc_fragments.{file}").ModuleDocFragment
        text = getattr(fragment, part[0].upper() if part else "DOCUMENTATION")
        doc["options"] = {**yaml.safe_load(text)["options"], **(doc.get("options") or {})}
    return doc


@each_file
def test_header(path):
    lines = path.read_text().splitlines()
    if path.parent.name == "modules":
        assert lines.pop(0) == "#!/usr/bin/python"
    assert lines[:3] == HEADER
    assert "from __future__ import annotations" in lines


@each_module
def test_documentation(path):
    doc = documentation(path)
    assert doc["module"] == path.stem
    assert doc["short_description"] and not doc["short_description"].endswith(".")
    assert doc["version_added"]
    assert doc["author"] == ["The mooring.stack authors (@mooring)"]
    assert doc["description"]


@each_module
def test_attributes_are_honest(path):
    attributes = documentation(path)["attributes"]
    assert {"check_mode", "diff_mode", "idempotent"} <= set(attributes)
    for name, attribute in attributes.items():
        assert attribute["support"] in ("full", "partial", "none", "N/A"), name
        assert attribute["description"], name
        if attribute["support"] in ("partial", "N/A"):
            assert attribute.get("details") or len(str(attribute["description"])) > 20, name


@each_module
def test_options_are_the_argument_spec(path):
    module = importlib.import_module(f"ansible_collections.mooring.stack.plugins.modules.{path.stem}")
    spec = getattr(module, "ARGUMENT_SPEC", None)
    documented = documentation(path).get("options") or {}
    if spec is None:
        assert path.stem in STUBS, "A module without an ARGUMENT_SPEC is the documentation of an action plugin."
        return
    hidden = set(spec) - set(documented)
    assert not set(documented) - set(spec) or path.stem in STUBS
    assert not hidden or (path.stem in STUBS and all(name.startswith("_") or name in hidden for name in hidden))
    for name in set(spec) & set(documented):
        assert documented[name].get("type", "str") == spec[name].get("type", "str"), name
        assert documented[name].get("required", False) == spec[name].get("required", False), name
        assert documented[name].get("choices") == spec[name].get("choices"), name
        if "default" in documented[name] or "default" in spec[name]:
            assert documented[name].get("default") == spec[name].get("default"), name


@each_module
def test_secrets_are_not_logged(path):
    module = importlib.import_module(f"ansible_collections.mooring.stack.plugins.modules.{path.stem}")

    def walk(specs: dict[str, t.Any]) -> None:
        for name, spec in specs.items():
            if re.search(r"passw|secret|token|credential", name):
                assert "no_log" in spec, name
            walk(spec.get("options") or {})

    walk(getattr(module, "ARGUMENT_SPEC", {}))


@each_module
def test_examples_use_the_full_name(path):
    examples = yaml.safe_load(constant(path, "EXAMPLES"))
    used = [key for task in examples for key in task if "." in key]
    assert f"mooring.stack.{path.stem}" in used
    assert all(task.get("name") for task in examples)


@each_module
def test_return_values_are_described(path):
    for name, value in (yaml.safe_load(constant(path, "RETURN")) or {}).items():
        assert {"description", "returned", "type"} <= set(value), name


@each_module
def test_a_unit_test_covers_what_it_decides(path):
    """The module itself, or a part of the collection that it or its step imports beyond those that all share."""
    parts_of = (path, PLUGINS / "action" / path.name, PLUGINS / "module_utils" / f"_step_{path.name}")
    source = "\n".join(part.read_text() for part in parts_of if part.exists())
    parts = set(re.findall(r"module_utils(?:\.| import )(_\w+)", source)) - {"_docker", "_errors", "_differences"}
    tested = set(re.findall(r"\b(_\w+|plugins\.(?:modules|action)\.\w+)", TESTS))
    assert parts & tested or f"modules.{path.stem}" in TESTS or f"action.{path.stem}" in TESTS


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.stem)
def test_an_action_plugin_is_documented_as_a_module(path):
    assert (PLUGINS / "modules" / path.name).exists()


OTHERS = sorted(path for kind in ("callback", "filter", "lookup") for path in (PLUGINS / kind).glob("*.py"))


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_other_plugins_are_documented(path):
    doc = documentation(path)
    assert doc["name"] == path.stem
    assert doc["short_description"] and doc["version_added"] and doc["author"] and doc["description"]


@each_file
def test_discipline(path):
    source = path.read_text()
    assert "shell=True" not in source and "use_unsafe_shell=True" not in source
    assert not re.search(r"except( Exception| BaseException)?:", source), "A broad except hides bugs."
    if path.parent.name == "modules":
        calls = len(re.findall(r"\bfail_json\(", source))
        assert calls == 0 or "domain_errors" in source


@pytest.mark.parametrize("path", sorted((PLUGINS / "module_utils").glob("*.py")), ids=lambda path: path.stem)
def test_module_utils_are_private_and_say_so(path):
    assert path.name.startswith("_")
    assert re.search(r'"""Private to mooring\.stack[:.]', path.read_text()), "The first line says what it is for."
