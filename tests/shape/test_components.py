# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A component is known everywhere it has to be, and who adds one is told what is missing, with what to write."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "adding-a-component.md"
# Roles that are no component: they have no hosts of their own.
HELPERS = {"drift", "platform", "preflight", "status", "teardown"}
COMPONENTS = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir() and path.name not in HELPERS)
# No scenario of its own: the whole site's has it.
IN_THE_SITE = {"acme_test_ca", "distro_images"}
# Made by those who need it, in the inventory for this machine alone.
TRIALS = {"acme_test_ca", "distro_images"}

FILES = {
    "README.md": "what it is, an example, and what lies on the host",
    "defaults/main.yml": "every variable that has a default, with comments",
    "meta/argument_specs.yml": "every variable with type, description and default",
    "meta/main.yml": "name, licence, platforms, and the dependency on mooring.stack.platform",
    "tasks/main.yml": "one call of mooring.stack.component",
}
SCENARIO = {
    "molecule.yml": "a node with the groups docker_engine and this one",
    "verify.yml": "what a user or an operator sees of it",
}


def missing(root: pathlib.Path, name: str) -> list[str]:
    """What the repository at ``root`` lacks of a component, each with what to write where."""
    return [*_files(root, name), *_places(root, name)]


def _files(root: pathlib.Path, name: str) -> list[str]:
    role = root / "roles" / name
    found = [f"roles/{name}/{path} is missing: {what}" for path, what in FILES.items() if not (role / path).exists()]
    tasks = role / "tasks" / "main.yml"
    composes = tasks.exists() and re.search(r"^ +- compose_project:", tasks.read_text(), re.MULTILINE)
    if composes and not (role / "templates/project/compose.yml.j2").exists():
        found.append(f"roles/{name}/templates/project/compose.yml.j2 is missing: compose_project renders its directory")
    return found


def _places(root: pathlib.Path, name: str) -> list[str]:
    def text(path: str) -> str:
        return (root / path).read_text(encoding="utf-8")

    found = []
    if name not in plays(root):
        found.append(f"""playbooks/converge.yml has no play for it. Behind those that it needs:

            - name: <what users call it>
              hosts: {name}
              become: true
              tasks:
                - name: <what users call it>
                  ansible.builtin.import_role:
                    name: mooring.stack.{name}
                    rolespec_validate: false
                  tags: {name}
            """)
    if not re.search(rf"^        - {name}$", text("molecule/shared/converge.yml"), re.MULTILINE):
        found.append(f"molecule/shared/converge.yml: add '- {name}' to the loop, at the same place as its play")
    if name != "docker_engine" and not re.search(
            rf'^NEEDS = \{{[^}}]*^    "{name}": \[', text("plugins/module_utils/_preflight.py"), re.MULTILINE):
        found.append(f'plugins/module_utils/_preflight.py: add "{name}": ["docker_engine"] to NEEDS')
    for inventory in ("local",) if name in TRIALS else ("local", "prod"):
        if not re.search(rf"^(?:# )?{name}:$", text(f"inventories/{inventory}/hosts.yml"), re.MULTILINE):
            found.append(f"inventories/{inventory}/hosts.yml has no group '{name}'; with 'hosts: {{}}' it is off")
    if f"| [{name}](roles/{name}/README.md) |" not in text("README.md"):
        found.append(f"README.md: add a row '| [{name}](roles/{name}/README.md) | ... |' to the table of components")
    if name not in IN_THE_SITE:
        found += [f"molecule/{name}/{path} is missing: {what}" for path, what in SCENARIO.items()
                  if not (root / "molecule" / name / path).exists()]
        (scenarios,) = re.findall(r"^SCENARIOS = \((.*?)\)$", text("tests/run.py"), re.MULTILINE | re.DOTALL)
        if f'"{name}"' not in scenarios:
            found.append(f'tests/run.py: add "{name}" to SCENARIOS')
    if not (root / "docs/reference" / f"{name}_role.rst").exists():
        found.append(f"docs/reference/{name}_role.rst is missing: run `make reference`")
    return found


def plays(root: pathlib.Path) -> list[str]:
    """The components in the order in which they converge."""
    _preflight, *found = yaml.safe_load((root / "playbooks/converge.yml").read_text())
    return [play["hosts"] for play in found]


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_complete_and_known(name):
    found = missing(ROOT, name)
    if found:
        pytest.fail(f"{name} ({PAGE.relative_to(ROOT)} explains):\n- " + "\n- ".join(found), pytrace=False)


def test_scenarios_converge_in_the_order_of_the_site():
    (play,) = yaml.safe_load((ROOT / "molecule/shared/converge.yml").read_text())
    assert play["tasks"][0]["loop"] == plays(ROOT), "molecule/shared/converge.yml and playbooks/converge.yml differ"


def test_every_scenario_is_run():
    sys.path.insert(0, str(ROOT / "tests"))
    import run

    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert sorted(scenarios - set(run.SCENARIOS)) == [], "not in SCENARIOS of tests/run.py, so nobody runs it"
    assert sorted(set(run.SCENARIOS) - scenarios) == [], "in SCENARIOS of tests/run.py, but not in molecule/"


# ---------------------------------------------------------------- the component that the page makes

# Under a name that nobody has who followed the page.
NAME = "documented_page"
# A file with its path in the first line, as a comment.
BLOCK = re.compile(r"^(`{3,4})\w+\n(?:# |<!-- )((?:roles|molecule|changelogs)/[\w/.-]+)(?: -->)?\n(.*?)^\1$",
                   re.MULTILINE | re.DOTALL)
WRITTEN = {path: text for _fence, path, text in BLOCK.findall(
    PAGE.read_text(encoding="utf-8").replace("start_page", NAME).replace("start-page", NAME.replace("_", "-")))}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A copy in which the page was followed up to its second step."""
    root = tmp_path_factory.mktemp("repository")
    for folder in ("inventories", "molecule", "playbooks", "plugins", "roles"):
        left_out = shutil.ignore_patterns("__pycache__", ".state", "with.yml")
        shutil.copytree(ROOT / folder, root / folder, ignore=left_out)
    for path in ("README.md", "docs/reference/index.rst", "docs/operations.md", "galaxy.yml", "meta/runtime.yml",
                 "tests/run.py", "tests/lab/templates.py", "tests/shape/conftest.py", "tests/shape/test_roles.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, root / path)
    collection = root / ".collections/ansible_collections/mooring/stack"
    collection.parent.mkdir(parents=True)
    collection.symlink_to("../../..")
    for path, text in WRITTEN.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_the_page_makes_a_role_of_the_shape_that_all_have(repository):
    assert _files(repository, NAME) == []
    assert [line for text in WRITTEN.values() for line in text.splitlines() if len(line) > 110] == []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", NAME, "tests/shape/test_roles.py"],
        cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 30


@pytest.mark.parametrize("path", [f"roles/{NAME}/{path}" for path in (*FILES, "templates/project/compose.yml.j2")]
                         + [f"molecule/{NAME}/molecule.yml", f"molecule/{NAME}/verify.yml"])
def test_a_file_that_was_forgotten_is_named(repository, path):
    assert path in WRITTEN
    (repository / path).rename(repository / "forgotten")
    try:
        assert any(line.startswith(f"{path} is missing: ") for line in missing(repository, NAME))
    finally:
        (repository / "forgotten").rename(repository / path)


def test_a_place_that_does_not_know_of_it_is_named(repository):
    places = ["playbooks/converge.yml", "molecule/shared/converge.yml", "plugins/module_utils/_preflight.py",
              "inventories/local/hosts.yml", "inventories/prod/hosts.yml", "README.md", "tests/run.py",
              f"docs/reference/{NAME}_role.rst"]
    assert [re.match(r"[\w./]+", line)[0] for line in missing(repository, NAME)] == places
    # The page lists all of them.
    text = PAGE.read_text(encoding="utf-8")
    assert [path for path in places if f"`{path}`" not in text and "docs/reference" not in path] == []
