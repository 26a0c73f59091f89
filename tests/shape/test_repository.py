# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks, inventories and the repository as a whole."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest
import yaml
from ansible_collections.mooring.stack.plugins.module_utils._collection_version import Version
from ansible_collections.mooring.stack.plugins.module_utils._preflight import NEEDS

ROOT = pathlib.Path(__file__).resolve().parents[2]
INVENTORIES = sorted(path for path in (ROOT / "inventories").iterdir() if path.is_dir())
HELPERS = {"drift", "platform", "preflight", "status", "teardown"}
COMPONENTS = {path.name for path in (ROOT / "roles").iterdir()} - HELPERS
# Each runs behind those that stand before it here.
ORDER = ["docker_engine", "distro_images", "acme_test_ca", "data_stores", "nginx_certbot", "app_blue_green",
         "monitoring"]

each_inventory = pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)


def files() -> list[pathlib.Path]:
    """What git has or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.splitlines() if listed.returncode == 0 else [
        str(path.relative_to(ROOT))
        for folder in ("playbooks", "plugins", "roles") for path in (ROOT / folder).rglob("*")]
    return [ROOT / name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def options(role: str) -> set[str]:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    (spec,) = specs["argument_specs"].values()
    return set(spec.get("options") or {})


def text(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def test_the_platform_is_a_list_of_roles():
    preflight, *plays = yaml.safe_load(text(ROOT / "playbooks" / "converge.yml"))
    assert preflight["hosts"] == "all"
    assert preflight["roles"] == [{"role": "mooring.stack.preflight", "tags": "always"}]
    hosts = [play["hosts"] for play in plays]
    assert [name for name in hosts if name in ORDER] == ORDER
    for name, needed in NEEDS.items():
        assert hosts.index(name) > max((hosts.index(other) for other in needed), default=-1), name
    for play in plays:
        # As a task, because only there a role can be told that preflight has checked its arguments.
        assert play["tasks"] == [{
            "name": play["name"], "tags": play["hosts"], "ansible.builtin.import_role": {
                "name": f"mooring.stack.{play['hosts']}", "rolespec_validate": False}}]


def test_site_converges_and_then_says_what_runs():
    imports = yaml.safe_load(text(ROOT / "playbooks" / "site.yml"))
    assert [entry["ansible.builtin.import_playbook"] for entry in imports] == ["converge.yml", "status.yml"]
    # Without a tag of its own the table could not be asked for, or left out, alone.
    assert [entry.get("tags") for entry in imports] == [None, "status"]


def test_site_knows_components_only():
    """That it knows all of them is in test_components.py."""
    _preflight, *plays = yaml.safe_load(text(ROOT / "playbooks" / "converge.yml"))
    assert [play["hosts"] for play in plays if play["hosts"] not in COMPONENTS] == []


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_playbooks_hold_no_logic(path):
    for play in yaml.safe_load(text(path)):
        # The drift report refuses to run outside check mode before any role does.
        if (path.stem, play.get("hosts")) == ("drift", "all"):
            assert [next(key for key in task if "." in key) for task in play.pop("tasks")] == ["ansible.builtin.assert"]
        if all("ansible.builtin.import_role" in task for task in play.get("tasks", [])):
            play.pop("tasks", None)
        assert not {"tasks", "pre_tasks", "post_tasks", "handlers", "when"} & set(play), play.get("name")


def test_the_drift_report_compares_what_site_converges():
    gate, converge, metrics = yaml.safe_load(text(ROOT / "playbooks" / "drift.yml"))
    assert "ansible_check_mode" in gate["tasks"][0]["ansible.builtin.assert"]["that"]
    assert gate["tasks"][0]["tags"] == "always"
    assert converge["ansible.builtin.import_playbook"] == "converge.yml"
    assert metrics["roles"][0]["role"] == "mooring.stack.drift"
    assert "mooring.stack.drift" in text(ROOT / "ansible.cfg")


@pytest.mark.parametrize(("name", "tasks"), [("deploy", "main"), ("rollback", "rollback"), ("history", "history")])
def test_a_playbook_of_releases_touches_the_application_only(name, tasks):
    *check, application = yaml.safe_load(text(ROOT / "playbooks" / f"{name}.yml"))
    assert {play["hosts"] for play in [*check, application]} == {"app_blue_green"}
    (task,) = application["tasks"]
    role = task["ansible.builtin.import_role"]
    assert (role["name"], role.get("tasks_from", "main")) == ("mooring.stack.app_blue_green", tasks)
    assert [play["vars"] for play in check] == ([] if name == "history" else [
        {"preflight_components": ["app_blue_green"]}])


@each_inventory
def test_groups_are_components(inventory):
    groups = set(yaml.safe_load(text(inventory / "hosts.yml"))) - {"all"}
    assert groups <= COMPONENTS
    assert {path.name for path in (inventory / "group_vars").iterdir()} - {"all"} <= groups


@each_inventory
def test_variable_files_are_named_after_roles_and_hold_only_what_the_role_knows(inventory):
    for path in sorted((inventory / "group_vars").rglob("*.yml")):
        names = set(yaml.safe_load(text(path)) or {})
        if path.stem == "vault":
            assert all(name.startswith(("vault_", "__")) for name in names), path
            continue
        assert path.parent.name in ("all", path.stem), path
        # What begins so is for this file only, such as a list that depends on the groups.
        names = {name for name in names if not name.startswith("__")}
        assert names <= options(path.stem), (path, names - options(path.stem))


@each_inventory
def test_no_secret_stands_in_an_inventory(inventory):  # defect 8
    for path in sorted((inventory / "group_vars").rglob("*.yml")):
        for line in text(path).splitlines():
            found = re.match(r"\s*-?\s*\w*(password|password_hash|token|secret): *(\S.*)$", line)
            if found and path.stem != "vault":
                assert found.group(2).startswith('"{{ vault_'), (path, line)


@each_inventory
def test_the_domain_is_said_once(inventory):  # defect 6
    variables = {path: text(path) for path in sorted((inventory / "group_vars").rglob("*.yml"))}
    (domain,) = re.findall(r"^mooring_domain: (\S+)$", "\n".join(variables.values()), re.MULTILINE)
    assert [path for path, whole in variables.items() if whole.count(domain) > (path.stem == "platform")] == []


@each_inventory
def test_only_applications_are_for_everybody(inventory):  # defect 42
    variables = yaml.safe_load(text(inventory / "group_vars/nginx_certbot/nginx_certbot.yml"))
    public = [route for value in variables.values() if isinstance(value, list)
              for route in value if isinstance(route, dict) and route.get("access") == "public"]
    # Webhooks have a token of their own.
    webhooks = {"/hooks/gitlab", "/jenkins/project/"}
    assert public and all("application" in route or route["path"] in webhooks for route in public)
    assert all(route.get("methods") == ["POST"] for route in public if route["path"] == "/jenkins/project/")


def test_both_inventories_name_the_same_secrets():
    local = set(yaml.safe_load(text(ROOT / "inventories/local/group_vars/all/vault.yml")))
    prod = set(yaml.safe_load(text(ROOT / "inventories/prod/group_vars/all/vault.yml.example")))
    hashed = {"vault_operator_password", "vault_operator_salt", "vault_operator_password_hash"}
    assert {name for name in local - hashed if name.startswith("vault_")} == prod - hashed


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", *(
    str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests/environments").glob("*.txt")))])
def test_requirements_are_pinned(name):
    lines = [line for line in text(ROOT / name).splitlines() if line and not line.startswith(("#", "-r "))]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_the_oldest_ansible_core_that_is_permitted_is_tested():
    permitted = yaml.safe_load(text(ROOT / "meta/runtime.yml"))["requires_ansible"]
    (pin,) = re.findall(r"^ansible-core==(\d+\.\d+)\.", text(ROOT / "tests/environments/core-2.18.txt"), re.MULTILINE)
    assert permitted == f">={pin}.0"


def test_make_help_names_every_target():
    makefile = text(ROOT / "Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split()
    documented = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(phony) == sorted(documented)


# Written in parts, so that this file does not name them itself.
HOSTS = [".".join(parts) for parts in (
    ("deb", "debian", "org"), ("security", "debian", "org"), ("archive", "ubuntu", "com"), ("pypi", "org"),
    ("files", "pythonhosted", "org"), ("registry", "npmjs", "org"), ("repo1", "maven", "org"),
    ("repo", "maven", "apache", "org"), ("proxy", "golang", "org"), ("registry", "hub", "docker", "com"),
)]


def test_no_package_host_is_hard_coded():
    """Mirrors come from the host's own configuration."""
    found = [(str(path.relative_to(ROOT)), host) for path in files() for host in HOSTS if host in text(path)]
    assert found == []


def test_no_path_of_somebody_s_machine():
    pattern = re.compile(r"(?<![\w.])/(home/\w+|work/(main|shared)|Users/\w+)")
    found = [
        (str(path.relative_to(ROOT)), match.group(0)) for path in files()
        for match in [pattern.search(text(path))] if match and path.name != pathlib.Path(__file__).name
    ]
    assert found == []


def test_documentation_uses_documentation_addresses():
    """RFC 5737, private and loopback addresses, and example domains."""
    allowed = re.compile(
        r"^(127\.|10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|0\.0\.0\.0)")
    documents = [path for path in files() if path.suffix == ".md" or "inventories" in path.parts]
    found = [
        (str(path.relative_to(ROOT)), address) for path in documents
        for address in re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", text(path))
        if not allowed.match(address)
    ]
    assert found == []


def test_links_in_the_documentation_lead_somewhere():
    for path in (path for path in files() if path.suffix == ".md"):
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text(path)):
            assert (path.parent / target).exists(), (str(path.relative_to(ROOT)), target)


def test_yaml_booleans_and_document_starts():
    for path in files():
        if path.suffix in (".yml", ".yaml") and path.name not in ("galaxy.yml",) and "changelogs" not in path.parts:
            assert re.search(r"^---$", text(path), re.MULTILINE), path


def test_a_version_is_a_release_or_on_its_way_to_the_next():
    """docs/releasing.md: in the commit of a release its own, and between two of them one that ends with -dev."""
    version = yaml.safe_load(text(ROOT / "galaxy.yml"))["version"]
    releases = yaml.safe_load(text(ROOT / "changelogs" / "changelog.yaml"))["releases"]
    if version in releases:
        assert not list((ROOT / "changelogs" / "fragments").glob("*.yml"))
    else:
        assert version.endswith("-dev")
        assert all(Version.parse(one) < Version.parse(version) for one in releases)
