#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""inventories/prod as somebody would fill it in, for the nodes and the town of a lab.

Its files stay as they are but for their placeholders. What a lab has instead of the
Internet stands apart, in files named lab.yml: images by digest of the town's registry,
its login, its ACME CA, and packages of the distribution. The vault is encrypted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor

import bcrypt

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import lab as labs  # noqa: E402

BIN = pathlib.Path(sys.executable).parent
DOMAIN = "platform.mooring.test"
OPERATOR = "operator"
# A directory of the node with the roots that its own checks trust: the town's and that of its ACME CA.
ROOTS = "/usr/local/share/ca-certificates"
TOWN_ROOT, ACME_ROOT = f"{ROOTS}/mooring-lab-town.crt", f"{ROOTS}/mooring-lab-acme.crt"

STANDIN = "standin:1"
REGISTRY = "registry.mooring.test"

# Who has which seat, and which components.
Layout = dict[str, "tuple[int, list[str]]"]
LAYOUTS: dict[str, Layout] = {
    "one": {"platform-1": (11, [
        "docker_engine", "data_stores", "kafka", "nginx_certbot", "app_blue_green", "monitoring", "elk", "jenkins_dood",
        "mattermost_notifier"])},
    "three": {
        # First, because the first of the group monitoring is the server.
        "watch-1": (13, ["docker_engine", "monitoring", "elk", "jenkins_dood"]),
        "data-1": (11, ["docker_engine", "data_stores", "kafka", "monitoring"]),
        "app-1": (12, ["docker_engine", "nginx_certbot", "app_blue_green", "monitoring", "mattermost_notifier"])},
}
# Of the hosts, which is no Debian 13. Not one of several: its engine is too old for a swarm with those of Debian 13.
RELEASES = {"platform-1": "bookworm"}

# Which image of this machine stands for which variable.
IMAGES = {
    "nginx_certbot": {"nginx_certbot_image": "nginx:1.26", "nginx_certbot_certbot_image": "certbot:4"},
    "data_stores": {"data_stores_mysql_image": "mysql:9.7", "data_stores_redis_image": "redis:8"},
    "monitoring": {
        **{f"monitoring_{name}_image": "prometheus:2.53" for name in (
            "prometheus", "alertmanager", "node_exporter", "mysqld_exporter", "redis_exporter", "blackbox_exporter")},
        "monitoring_engine_image": "nginx:1.26",
        # No package has these: a stand-in for each, which says so.
        **{f"monitoring_{name}_image": STANDIN for name in ("kafka_exporter", "grafana", "loki", "alloy")}},
    "kafka": {"kafka_image": "kafka:4"},
    "elk": {"elk_elasticsearch_image": "elasticsearch:9.5.2",
            **{f"elk_{name}_image": STANDIN for name in ("kibana", "logstash", "filebeat")}},
    "jenkins_dood": {"jenkins_dood_image": STANDIN},
    "mattermost_notifier": {"mattermost_notifier_base_image": "base:trixie"},
}
APPLICATION = ("demo:1.0.0", "demo:1.1.0")


def pushed(groups: t.Iterable[str]) -> list[str]:
    """The images of this machine that these groups need from the town's registry."""
    wanted = {image for group in groups for image in IMAGES.get(group, {}).values()}
    return sorted(f"mooring.local/{image}" for image in {*wanted, *APPLICATION})


class Secrets(dict[str, str]):
    """A secret of its own for each name of the vault, all of which a search finds."""

    MARK = "sentinel"

    def __missing__(self, name: str) -> str:
        self[name] = f"{self.MARK}-{secrets.token_hex(14)}"
        return self[name]

    @property
    def shown(self) -> list[str]:
        """Every value that nobody may see."""
        return sorted(self.values())


def fill(
    place: pathlib.Path, town: dict[str, t.Any], hosts: dict[str, dict[str, t.Any]],
    more: dict[str, dict[str, t.Any]] | None = None,
) -> Secrets:
    """Write the inventory to ``place`` and the vault's password beside it; the secrets in it.

    ``hosts`` have ``vars`` and ``groups``; ``more`` are further variables by group.
    """
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ROOT / "inventories/prod", place)
    found = Secrets(registry=town["password"])
    for path in place.rglob("*.yml"):
        # What comments keep for components that not everybody has.
        text = re.sub(r"^  # - \{path: ", "  - {path: ", path.read_text(), flags=re.MULTILINE)
        for placeholder, value in {
            "registry.example.com": town["registry"], "platform.example.com": DOMAIN,
            "operator@example.com": f"operator@{DOMAIN}", "release: CHANGEME": "release: 1.0.0",
            "198.51.100.0/24": "10.213.0.0/16",
        }.items():
            text = text.replace(placeholder, value)
        path.write_text(text)
    vault(place, found)
    groups = sorted({group for host in hosts.values() for group in host["groups"]})
    inventory: dict[str, t.Any] = {"all": {"hosts": {name: host["vars"] for name, host in hosts.items()}}}
    for group in groups:
        inventory[group] = {"hosts": {name: {} for name, host in hosts.items() if group in host["groups"]}}
    write(place / "hosts.yml", inventory)
    lab = lab_values(town)
    for group in (*groups, "all"):
        values = {**lab.get(group, {}), **(more or {}).get(group, {})}
        if values:
            write(place / "group_vars" / group / "lab.yml", values)
    return found


def vault(place: pathlib.Path, found: Secrets) -> None:
    """vault.yml of its example, encrypted with a password file beside the inventory."""
    path = place / "group_vars/all/vault.yml"
    lines = []
    for line in path.with_suffix(".yml.example").read_text().splitlines():
        name = re.match(r"(?:# )?(vault_\w+): CHANGEME", line)
        if name and name[1] == "vault_operator_password_hash":
            hashed = bcrypt.hashpw(found[OPERATOR].encode(), bcrypt.gensalt(10, b"2a")).decode()
            lines.append(f"{name[1]}: {json.dumps(hashed)}")
        elif name and name[1].endswith("_webhook_url"):
            lines.append(f"{name[1]}: https://chat.mooring.test/hooks/{found[name[1]]}")
        elif name:
            lines.append(f"{name[1]}: {found[name[1]]}")
    lines.append(f"vault_registry_password: {found['registry']}")
    path.write_text("---\n" + "\n".join(lines) + "\n")
    password = place.with_name("vault-password")
    # A scenario of molecule has made it already.
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(16))
    # Whoever calls may have named a vault's password of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    subprocess.run([BIN / "ansible-vault", "encrypt", "--vault-password-file", password, path], check=True,
                   cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lab_values(town: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """What stands for the Internet, by group."""
    values: dict[str, dict[str, t.Any]] = {
        group: {name: town["images"][f"mooring.local/{image}"] for name, image in images.items()
                if f"mooring.local/{image}" in town["images"]}
        for group, images in IMAGES.items()}
    values["all"] = {"preflight_check_dns": False}
    values["docker_engine"] = {
        "docker_engine_source": "distro",
        "docker_engine_registries": [{"name": town["registry"], "username": town["username"],
                                      "password": "{{ vault_registry_password }}"}],
        # The kernel of a lab may have no IPsec.
        "docker_engine_swarm_encrypted": False}
    values["nginx_certbot"].update({
        "nginx_certbot_acme_directory": town["acme"], "nginx_certbot_acme_ca_bundle": TOWN_ROOT,
        "nginx_certbot_trusted_root": ACME_ROOT})
    values["monitoring"].update({
        "monitoring_probe_ca_file": ACME_ROOT, "monitoring_memory": "1g", "monitoring_disk": "2g"})
    values["elk"].update({
        "elk_host_memory_minimum": "4g", "elk_elasticsearch_memory": "1g", "elk_kibana_memory": "256m",
        "elk_logstash_memory": "256m", "elk_disk_reserve": "1g",
        # An engine that itself runs in a container may give no more.
        "elk_open_files": 16384})
    values["kafka"]["kafka_memory"] = "768m"
    values["jenkins_dood"].update({"jenkins_dood_base_image": None, "jenkins_dood_memory": "1g"})
    return values



@dataclasses.dataclass(frozen=True)
class Place:
    """What there is then: the nodes by name, as lab.py tells of them, and the secrets."""

    inventory: pathlib.Path
    nodes: dict[str, dict[str, t.Any]]
    secrets: Secrets
    town: dict[str, t.Any]

    @property
    def options(self) -> list[str]:
        """What ansible-playbook is told."""
        return ["--inventory", str(self.inventory), "--vault-password-file",
                str(self.inventory.with_name("vault-password"))]


def up(lab: str, place: pathlib.Path, layout: Layout, **more: dict[str, t.Any]) -> Place:
    """Town, nodes and inventory, all of them new."""
    _tool("lab.py", "down", lab)
    groups = {group for _seat, groups in layout.values() for group in groups}
    proxy = next(seat for seat, groups in layout.values() if "nginx_certbot" in groups)
    town = json.loads(_tool("town.py", "up", lab, DOMAIN, str(proxy), "--push", *pushed(groups)))
    with ThreadPoolExecutor(len(layout)) as pool:
        made = dict(zip(layout, pool.map(lambda name: json.loads(_tool(
            "lab.py", "up", lab, name, "--seat", str(layout[name][0]), "--user", "deploy",
            "--release", RELEASES.get(name, "trixie"))), layout), strict=True))
    root = _tool("town.py", "root", lab)
    hosts = {}
    for name, (_seat, groups) in layout.items():
        node = labs.Node(lab, name)
        labs.run("docker", "exec", "-i", node.container, "sh", "-c", f"cat > {ACME_ROOT}", data=root.encode())
        hosts[name] = {"groups": groups, "vars": {
            "ansible_host": made[name]["address"], "ansible_user": made[name]["user"],
            "ansible_ssh_private_key_file": made[name]["identity_file"],
            "ansible_ssh_common_args": " ".join(labs.ssh_options()[2:]),
            "private_address": node.address(private=True)}}
    inventory = place / "inventory"
    found = fill(inventory, town, hosts, more)
    (place / "secrets.json").touch(mode=0o600)
    (place / "secrets.json").write_text(json.dumps(found))
    return Place(inventory, made, found, town)


def _tool(*argv: str) -> str:
    return subprocess.run([ROOT / "tests/lab" / argv[0], *argv[1:]], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def write(path: pathlib.Path, values: dict[str, t.Any]) -> None:
    """A file of variables; JSON is YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\n" + json.dumps(values, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("up")
    sub.set_defaults(function=lambda args: print(json.dumps(list(
        up(args.lab, args.place.resolve(), LAYOUTS[args.layout]).nodes.values()))))
    sub.add_argument("lab")
    sub.add_argument("place", type=pathlib.Path)
    sub.add_argument("layout", choices=LAYOUTS)
    sub = commands.add_parser("images")
    sub.set_defaults(function=lambda args: print("\n".join(
        pushed({group for _seat, groups in LAYOUTS[args.layout].values() for group in groups}))))
    sub.add_argument("layout", choices=LAYOUTS)
    args = parser.parse_args()
    try:
        args.function(args)
    except labs.LabError as error:
        raise SystemExit(f"prod: {error}") from None


if __name__ == "__main__":
    main()
