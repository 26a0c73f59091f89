#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves the platform from nothing: `make up` on a bare machine to `make down`.

    site.py [--on node|machine] [--keep]

On a node container by default: Debian 13 without init, without Docker, reached
as an operator would be, by a shell. With ``--on machine`` on this machine
itself; refused where Docker is installed already, because then nothing would be
proved and something might be lost. Clones the last commit, follows the README,
and ends with one line of figures. Exit status 0 only if every one is good.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import lab  # noqa: E402

LAB, NODE = "prove-site", "bare"
CLONE, ELSEWHERE = "/root/mooring.stack", "/root/elsewhere"
URL = "https://mooring.test:8443/api/hello"
RECAP = re.compile(r"changed=(\d+)\s+unreachable=0\s+failed=0")


class Failed(Exception):
    """A promise that was not kept."""


class Machine:
    """This machine, or a node container of it."""

    def __init__(self, node: lab.Node | None) -> None:
        self.node = node
        self.log = (ROOT / ".cache").joinpath("prove-site.log")
        self.log.parent.mkdir(exist_ok=True)
        self.log.write_text("")

    def run(self, command: str, check: bool = True) -> str:
        """Output of a shell command, standard error included; all of it goes to the log."""
        argv = ["docker", "exec", self.node.container, "bash", "-c", command] if self.node else ["bash", "-c", command]
        with self.log.open("a") as log:
            log.write(f"\n$ {command}\n")
            log.flush()
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            lines = []
            for line in process.stdout or ():
                log.write(line)
                log.flush()
                lines.append(line)
        output = "".join(lines)
        if process.wait() and check:
            raise Failed(f"'{command}' ended with status {process.returncode}:\n{output[-3000:]}")
        return output

    def playbook(self, arguments: str, where: str = CLONE) -> str:
        """Output of ansible-playbook of the clone's environment."""
        return self.run(f"cd {where} && {CLONE}/.venv/bin/ansible-playbook {arguments}")

    def clone(self) -> None:
        """A fresh clone of the last commit, as README tells."""
        with tempfile.TemporaryDirectory() as scratch:
            bundle = f"{scratch}/mooring.bundle"
            subprocess.run(["git", "-C", str(ROOT), "bundle", "create", "--quiet", bundle, "HEAD"], check=True)
            if self.node:
                subprocess.run(["docker", "cp", bundle, f"{self.node.container}:/root/mooring.bundle"], check=True,
                               stdout=subprocess.DEVNULL)
            else:
                shutil.copy(bundle, "/root/mooring.bundle")
        self.run(f"git clone --quiet /root/mooring.bundle {CLONE}")


def say(text: str) -> None:
    """Progress, plain."""
    print(f"prove-site: {text}", file=sys.stderr, flush=True)


def changed(output: str) -> int:
    """Changed tasks of a run's recap; an unreachable or failed host is a failure."""
    found = RECAP.findall(output)
    if not found:
        raise Failed(f"the run has no good recap:\n{output[-3000:]}")
    return sum(map(int, found))


def expect(condition: bool, promise: str) -> None:
    """Stop at a promise that is not kept."""
    if not condition:
        raise Failed(promise)


def check_bare(machine: Machine) -> str:
    before = machine.run("ls -A /opt /etc/mooring /etc/docker 2>&1", check=False)
    output = machine.run(f"cd {CLONE} && make check")
    expect(changed(output) > 0, "check mode on a bare machine predicts nothing")
    expect(machine.run("ls -A /opt /etc/mooring /etc/docker 2>&1", check=False) == before,
           "check mode changed a bare machine")
    expect("yes" not in machine.run("command -v dockerd >/dev/null && echo yes", check=False),
           "check mode installed Docker")
    return "ok"


def up(machine: Machine) -> str:
    """Output of the first run, as talkative as it gets: what is created is what a diff could leak."""
    output = machine.run(f"cd {CLONE} && make up ARGS='-vvv --diff'")
    expect(changed(output) > 0, "make up changed nothing on a bare machine")
    for word in ("https://mooring.test:8443", "root.pem", ".state"):
        expect(word in output, f"make up does not mention {word}")
    return output


def https(machine: Machine) -> tuple[int, str]:
    """Status of a request that goes through MySQL and Redis, and the certificate's issuer."""
    curl = ("curl --silent --show-error --cacert /opt/mooring/acme_test_ca/root.pem "
            f"--resolve mooring.test:8443:127.0.0.1 --write-out '\\n%{{http_code}}' {URL}")
    body, _, status = machine.run(curl).rpartition("\n")
    first = json.loads(body)
    second = json.loads(machine.run(curl).rpartition("\n")[0])
    expect(second["visits"] == first["visits"] + 1, "the visits in Redis do not count")
    expect(isinstance(first["items"], int), "the items in MySQL were not counted")
    issuer = machine.run("openssl s_client -connect 127.0.0.1:8443 -servername mooring.test </dev/null 2>/dev/null "
                         "| openssl x509 -noout -issuer -nameopt multiline | sed -n 's/.*commonName *= //p'").strip()
    expect(issuer.startswith("Pebble"), f"the certificate's issuer is '{issuer}'")
    return int(status), issuer.replace(" ", "_")


def drift(machine: Machine) -> int:
    """Each kind of damage is named and healed by the next run; the run after changes nothing."""
    projects = "/opt/mooring"
    services = ("mysql", "redis", "pebble", "challtestsrv", "proxy", "app")
    cases = {
        **{f"docker stop $(docker ps -q --filter label=com.docker.compose.service={service})":
           f"service {service}: state is exited" for service in services},
        f"echo '# edited' >> {projects}/nginx_certbot/nginx/nginx.conf": "nginx/nginx.conf: content differs",
        f"rm {projects}/data_stores/mysql/conf.d/mooring.cnf": "mysql/conf.d/mooring.cnf: missing",
        f"chmod 0644 {projects}/data_stores/secrets/mysql/root_password": "secrets/mysql/root_password: mode is 0644",
    }
    machine.run("set -e; " + "; ".join(cases))
    predicted = machine.playbook("site.yml -i inventories/local --check --diff")
    healed = machine.playbook("site.yml -i inventories/local")
    for output in (predicted, healed):
        for command, words in cases.items():
            expect(words in output, f"'{command}' is not named: '{words}'")
    expect(changed(machine.playbook("site.yml -i inventories/local")) == 0, "drift is not healed by one run")
    return len(cases)


def exposed(machine: Machine) -> list[str]:
    """Ports that listen on more than loopback; the node's own sshd is not ours."""
    lines = machine.run("ss -Hltn").splitlines()
    addresses = [line.split()[3] for line in lines if line.strip()]
    return sorted(address for address in addresses
                  if not address.startswith(("127.", "[::1]")) and not address.endswith(":22"))


def leaks(machine: Machine, first_run: str) -> int:
    """How many of the generated secrets show anywhere but in their files."""
    state = f"{CLONE}/inventories/local/.state"
    secrets = machine.run(f"cat {state}/*").split()
    secrets = [word for word in secrets if len(word) >= 20 and not word.startswith("salt=")]
    expect(len(secrets) >= 6, "no generated secrets were found to look for")
    shown = "".join((
        first_run,
        machine.run("docker inspect $(docker ps -aq)"),
        machine.run("docker ps -q | xargs -n1 docker logs 2>&1"),
        machine.run("for p in /proc/[0-9]*; do cat $p/cmdline $p/environ 2>/dev/null | tr '\\0' ' '; done; true"),
        machine.run("cat /opt/mooring/*/compose.yml /opt/mooring/*/.mooring/manifest.json"),
        machine.playbook("site.yml -i inventories/local -vvv --diff"),
        machine.playbook("site.yml -i inventories/local --check -vvv --diff"),
    ))
    return sum(secret in shown for secret in secrets)


def installed_elsewhere(machine: Machine) -> None:
    """The artifact, installed outside the clone, converges the same platform with an inventory of its own."""
    galaxy = f"{CLONE}/.venv/bin/ansible-galaxy"
    machine.run(f"mkdir -p {ELSEWHERE} && cd {CLONE} && {galaxy} collection build --force --output-path {ELSEWHERE}")
    machine.run(f"cd {ELSEWHERE} && {galaxy} collection install --force -p {ELSEWHERE}/collections *.tar.gz")
    machine.run(f"cp -r {CLONE}/inventories/local {ELSEWHERE}/inventory")
    output = machine.run(
        f"cd {ELSEWHERE} && ANSIBLE_COLLECTIONS_PATH={ELSEWHERE}/collections "
        f"{CLONE}/.venv/bin/ansible-playbook mooring.stack.site -i inventory")
    expect(changed(output) == 0, "the installed collection does not find the platform as declared")


def forgotten(machine: Machine) -> None:
    """What the inventory declares no more is named with the command that removes it, and nothing else is."""
    def status(*arguments: str) -> list[list[str]]:
        documents = json.loads(machine.run(
            f"cd {CLONE} && .venv/bin/ansible-playbook -i inventories/local playbooks/status.yml "
            f"-e status_format=json {' '.join(arguments)} 2>/dev/null"))
        return [host["undeclared"] for host in documents["hosts"].values()]
    expect(status() == [[]], "something that is declared is called undeclared")
    without = status("-e '{\"app_blue_green_applications\": []}'")
    expect(without == [["demo-blue"]], f"without applications these are undeclared: {without}")


def leftovers(machine: Machine) -> list[str]:
    """What `make down DATA=delete` left behind."""
    machine.run(f"cd {CLONE} && make down DATA=delete")
    found = machine.run(
        "docker ps -aq; docker volume ls -q; docker network ls --format '{{.Name}}' --filter type=custom; "
        "docker images --format '{{.Repository}}:{{.Tag}}' | grep '^mooring.local/'; "
        f"ls -d /opt/mooring {CLONE}/inventories/local/.state 2>/dev/null; true").split()
    machine.run(f"cd {CLONE} && make down DATA=delete ENGINE=remove")
    found += machine.run("ls -d /etc/mooring /etc/docker/daemon.json 2>/dev/null; command -v dockerd; true").split()
    return found


def prove(machine: Machine) -> tuple[str, bool]:
    """Every step; the line of figures and whether all are good."""
    started = time.monotonic()
    say("cloning")
    machine.clone()
    say("make check on the bare machine")
    bare = check_bare(machine)
    say("make up (packages, images, containers, certificate)")
    first_run = up(machine)
    status, issuer = https(machine)
    say(f"HTTPS answers {status}, certificate by {issuer}; again")
    rerun = changed(machine.run(f"cd {CLONE} && make up"))
    converged = "ok" if changed(machine.run(f"cd {CLONE} && make check")) == 0 else "differs"
    ports = exposed(machine)
    say("damage, healed by one run")
    drift(machine)
    expect(https(machine)[0] == 200, "the healed platform does not answer")
    forgotten(machine)
    say("secrets in what is shown")
    leaked = leaks(machine, first_run)
    say("the installed collection, from elsewhere")
    installed_elsewhere(machine)
    say("make down")
    left = leftovers(machine)
    if left:
        say(f"left behind: {' '.join(left)}")
    minutes = round((time.monotonic() - started) / 60, 1)
    line = (f"prove-site: up=ok https={status} issuer={issuer} rerun_changed={rerun} check_bare={bare} "
            f"check_converged={converged} exposed={','.join(ports) or 'none'} leaks={leaked} leftovers={len(left)} "
            f"minutes={minutes}")
    good = status == 200 and rerun == 0 and converged == "ok" and not ports and leaked == 0 and not left
    return line, good


def main() -> int:
    """Parse, prove, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", choices=("node", "machine"), default="node")
    parser.add_argument("--keep", action="store_true", help="leave the node for a look around")
    args = parser.parse_args()
    node = None
    if args.on == "machine":
        if shutil.which("dockerd") or pathlib.Path(CLONE).exists():
            print(f"prove-site: Docker is installed here or {CLONE} exists. Use --on node.", file=sys.stderr)
            return 2
    else:
        node = lab.Node(LAB, NODE)
        say("starting a bare node")
        node.start("trixie", "bare", "none")
        # What README asks for before the first command.
        node.exec("bash", "-c", "apt-get update -q && apt-get install -yq --no-install-recommends git make")
    machine = Machine(node)
    try:
        line, good = prove(machine)
    except (Failed, ValueError, KeyError) as error:
        print(f"prove-site: not proved: {error}\nThe whole output is in {shlex.quote(str(machine.log))}.")
        return 1
    finally:
        if node and not args.keep:
            node.remove()
        if not node:
            shutil.rmtree(ELSEWHERE, ignore_errors=True)
            shutil.rmtree(CLONE, ignore_errors=True)
            pathlib.Path("/root/mooring.bundle").unlink(missing_ok=True)
    print(line)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
