# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised to those who run the platform on hosts of their own."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import typing as t

import commands
import lab
import prod
from drift_site import Failed, expect
from production_hosts import LAB, Hosts

STRANGER = f"mooring-lab-{LAB}-stranger"
# Tries every TCP port of an address and prints those that take a connection.
SCAN = """
import asyncio, sys
async def tries(address, port, gate):
    async with gate:
        try:
            _reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 3)
        except (OSError, asyncio.TimeoutError):
            return
        writer.close()
        print(port)
async def main():
    gate = asyncio.Semaphore(500)
    await asyncio.gather(*(tries(sys.argv[1], port, gate) for port in range(1, 65536)))
asyncio.run(main())
"""


def bare(hosts: Hosts) -> None:
    """Check mode on bare hosts predicts everything and changes nothing."""
    before = {name: hosts.tool("lab.py", "changes", LAB, name) for name in hosts.nodes}
    run = hosts.site("--check", "--diff").good("check mode on bare hosts")
    expect(set(run.recap) == set(hosts.nodes) and all(changed for changed, *_ in run.recap.values()),
           "a bare host has nothing to be done", run.recap)
    after = {name: hosts.tool("lab.py", "changes", LAB, name) for name in hosts.nodes}
    expect(before == after, "check mode left something", after)


def converge(hosts: Hosts) -> None:
    """One run takes three bare hosts to the platform, and the next one changes nothing."""
    hosts.site("-vvv", "--diff").good("the first run")
    again = hosts.site("--diff").good("the second run")
    hosts.rerun_changed = again.changed
    expect(again.changed == 0, "the second run changed something", again.output[-3000:])
    check = hosts.site("--check", "--diff").good("check mode afterwards")
    expect(check.changed == 0, "check mode predicts a change", check.output[-3000:])
    hosts.standins = _standins(hosts)


def _standins(hosts: Hosts) -> list[str]:
    """The services whose program is a stand-in."""
    lines = [line for host in hosts.nodes for line in hosts.sh(
        host, "docker ps --format '{{.Label \"com.docker.compose.service\"}} {{.Image}}'").splitlines()]
    return sorted({line.split()[0].partition("-data-1")[0].partition("-app-1")[0]
                   for line in lines if "/standin" in line})


def deploys(hosts: Hosts) -> None:
    """A release, a rollback and a new run under load lose no request, with the stores on another host."""
    with hosts.poll() as poll:
        hosts.playbook("playbooks/deploy.yml", "-e", "app_blue_green_release=1.1.0").good("the deployment")
        hosts.playbook("playbooks/rollback.yml").good("the rollback")
        hosts.site().good("a run in between")
    expect(not poll.errors, "requests were lost", poll.errors[:5])


def documented(hosts: Hosts) -> None:
    """Each command of the documentation that only looks at a host ends well on one of them."""
    wrong = commands.look([node.container for node in hosts.nodes.values()])
    expect(wrong == [], "commands that people are told end badly", "\n".join(wrong))


def exposure(hosts: Hosts) -> None:
    """A stranger finds SSH everywhere, HTTP and HTTPS at the proxy, and nothing else."""
    image = lab.need_image("trixie", "bare")
    lab.docker("run", "--detach", "--name", STRANGER, "--label", f"{lab.LABEL}={LAB}", "--network",
               lab.network_name(LAB), image, "sleep", "infinity")
    try:
        for name, node in hosts.nodes.items():
            found = {int(port) for port in lab.docker("exec", STRANGER, "python3", "-c", SCAN, node.address()).split()}
            expected = {22, 80, 443} if name == hosts.host_of("nginx_certbot") else {22}
            hosts.open_ports |= found
            expect(found == expected, f"{name} has other ports open", sorted(found))
    finally:
        lab.docker("rm", "--force", STRANGER)


def containers(hosts: Hosts) -> None:
    """No container may more than it needs, and each is limited, looked after and restarted."""
    rows, wrong = [], []
    for host in hosts.nodes:
        documents = json.loads(hosts.sh(host, "docker ps --all --quiet | xargs docker inspect"))
        for document in documents:
            row = Row.of(document)
            rows.append(f"{host:<8} {row}")
            wrong += [f"{host}: {row.service}: {what}" for what in row.exceptions() - ALLOWED.get(row.kind, {}).keys()]
    hosts.write("\n".join(["What the containers may:", *sorted(rows), "Why:", *(
        f"{kind}: {what}: {why}" for kind, reasons in ALLOWED.items() for what, why in reasons.items())]))
    expect(bool(rows) and not wrong, "a container may more than it needs", "; ".join(sorted(wrong)))


class Row(t.NamedTuple):
    """What one container may."""

    service: str
    user: str
    privileged: bool
    added: tuple[str, ...]
    dropped: bool
    new_privileges: bool
    read_only: bool
    memory: int
    pids: int
    health: bool
    restart: str
    socket: bool

    @classmethod
    def of(cls, document: dict[str, t.Any]) -> Row:
        """From ``docker inspect``."""
        config, host = document["Config"], document["HostConfig"]
        return cls(
            config["Labels"].get("com.docker.compose.service", document["Name"]), config.get("User") or "root",
            host["Privileged"], tuple(host.get("CapAdd") or ()), "ALL" in (host.get("CapDrop") or ()),
            "no-new-privileges:true" not in (host.get("SecurityOpt") or ()), host["ReadonlyRootfs"], host["Memory"],
            host.get("PidsLimit") or 0, bool(config.get("Healthcheck")), host["RestartPolicy"]["Name"],
            any(mount["Source"].endswith("docker.sock") for mount in document["Mounts"]))

    @property
    def kind(self) -> str:
        """The service without what tells hosts apart."""
        for host in prod.LAYOUTS["three"]:
            if self.service.endswith(f"-{host}"):
                return self.service.removesuffix(f"-{host}")
        return self.service

    def exceptions(self) -> set[str]:
        """What this one has or lacks that the others have not or have."""
        return {what for what, holds in {
            "privileged": self.privileged, "capabilities": bool(self.added), "capabilities not dropped":
            not self.dropped, "new privileges": self.new_privileges, "writable root": not self.read_only,
            "root": self.user.partition(":")[0] in ("root", "0", ""), "no memory limit": not self.memory,
            "no limit of processes": not self.pids, "no health check": not self.health,
            "not restarted": self.restart != "unless-stopped", "Docker socket": self.socket}.items() if holds}


# Files with secrets that no role declares as such: what docker login keeps, and what the health check of MySQL wrote
# when it last got in, for the moment in which its password is being changed.
FURTHER = {("/root/.docker/config.json", "600"), ("/opt/mooring/data_stores/run/mysqld/health.cnf", "600")}

ALLOWED: dict[str, dict[str, str]] = {
    "engine": {"Docker socket": "the one door to the engine, which lets nobody change anything"},
    "jenkins": {"Docker socket": "builds use the host's engine; roles/jenkins_dood/README.md says who is root by that",
                "writable root": "plugins and tools of builds"},
}


def secrets(hosts: Hosts) -> None:
    """No secret is anywhere but in the files that are declared for it."""
    with tempfile.TemporaryDirectory() as scratch:
        patterns = pathlib.Path(scratch) / "patterns"
        values = hosts.place.secrets.shown
        login = f"{hosts.place.town['username']}:{hosts.place.town['password']}"
        encoded = [base64.b64encode(value.encode()).decode().rstrip("=") for value in (*values, login)]
        patterns.write_text("\n".join([*values, *encoded]) + "\n")
        hosts.leaks = [*_printed(hosts, values), *_on_the_controller(hosts, values)]
        for name in hosts.nodes:
            hosts.leaks += _on_a_host(hosts, name, patterns)
    expect(not hosts.leaks, f"{len(hosts.leaks)} places have a secret", "; ".join(sorted(set(hosts.leaks))[:12]))


def _printed(hosts: Hosts, values: list[str]) -> list[str]:
    """Runs, with -vvv and --diff and failed ones among them."""
    expect(len(hosts.outputs) > 3, "too few runs were looked at")
    return [f"output of run {number} ({name})" for number, output in enumerate(hosts.outputs, start=1)
            for name, value in hosts.place.secrets.items() if value in output]


def _on_the_controller(hosts: Hosts, values: list[str]) -> list[str]:
    """What Ansible leaves where it runs, and the artifact of the collection."""
    places = [pathlib.Path.home() / ".ansible", hosts.code, prod.ROOT / ".cache" / "test"]
    found = []
    for place in filter(pathlib.Path.exists, places):
        done = subprocess.run(
            ["grep", "-rlFI", *(argument for value in values for argument in ("-e", value)), str(place)],
            capture_output=True, text=True, check=False)
        found += done.stdout.split()
    build = subprocess.run([prod.BIN / "ansible-galaxy", "collection", "build", "--force", "--output-path",
                            hosts.scratch], cwd=hosts.code, capture_output=True, text=True, check=True)
    archive = next(hosts.scratch.glob("*.tar.gz"))
    content = subprocess.run(["tar", "-xOzf", archive], capture_output=True, check=True).stdout
    archive.unlink()
    return found + [f"artifact ({build.args[0]})" for value in values if value.encode() in content]


def _on_a_host(hosts: Hosts, name: str, patterns: pathlib.Path) -> list[str]:
    """Processes, what Docker tells and logs, the journal, and every file."""
    container = hosts.nodes[name].container
    lab.run("docker", "exec", "-i", container, "sh", "-c", "cat > /dev/shm/patterns", data=patterns.read_bytes())
    grep = "grep -aqFf /dev/shm/patterns"
    places = {
        "command lines": "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'",
        "environments": "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'",
        "docker inspect": "docker ps -aq | xargs docker inspect",
        "container logs": "for c in $(docker ps -aq); do docker logs $c 2>&1; done",
        "images": "docker images -q | sort -u | xargs docker image history --no-trunc",
        "journal": "journalctl --no-pager"}
    found = [f"{name}: {what}" for what, command in places.items()
             if hosts.sh(name, f"if {command} | {grep}; then echo yes; fi").strip().endswith("yes")]
    # Data is the stores' own; what lies in Docker's layers is its images, which the search above has seen.
    files = hosts.sh(name, "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /var/lib/docker "
                           "-o -path /run/docker \\) -prune -o -type f -size -20M -print0 "
                           "| xargs -0 grep -alFf /dev/shm/patterns || true", check=False).splitlines()
    for path in files:
        mode = hosts.sh(name, f"stat -c '%a %u' '{path}'").split()
        declared = ("/opt/mooring/" in path and "/secrets/" in path and mode[0] == "400"
                    or (path, mode[0]) in FURTHER)
        if not declared:
            found.append(f"{name}: {path} ({mode[0]})")
    expect(any("/secrets/" in path for path in files), "the search finds no secret file, so it proves nothing")
    hosts.sh(name, "rm /dev/shm/patterns")
    return found


# -- what can go wrong with a run ----------------------------------------------------------


def _at(hosts: Hosts, task: str, *arguments: str, do: t.Callable[[subprocess.Popen[str]], None]) -> str:
    """Output of a run of the site in which something happens as soon as a task begins."""
    process = hosts.spawn("site.yml", *arguments)
    lines: list[str] = []
    done = False
    for line in process.stdout or ():
        lines.append(line)
        if not done and line.startswith("TASK [") and task in line:
            done = True
            do(process)
    process.wait()
    output = "".join(lines)
    hosts.keep(output)
    hosts.write(output)
    expect(done, f"the run never came to '{task}'", output[-1500:])
    return output


def _goes_on(hosts: Hosts) -> None:
    """The next run ends well, and the one after it has nothing to do."""
    hosts.site().good("the run after it")
    expect(hosts.site().good("the run after that").changed == 0, "something was left to do")
    hosts.faults += 1


def _disturb(hosts: Hosts) -> None:
    """Something to do on every host."""
    # No file of a store: it might start without it in between, and would then wait for permission to start again.
    hosts.sh("data-1", "chmod 0666 /opt/mooring/data_stores/compose.yml")
    hosts.sh("app-1", "echo edited >> /opt/mooring/nginx_certbot/nginx/html/404.html")
    hosts.sh("watch-1", "rm -f /opt/mooring/monitoring/blackbox/blackbox.yml")


def cut(hosts: Hosts) -> None:
    """SSH is cut in the middle of a run: the run says so, and the next one ends it."""
    _disturb(hosts)

    def do(_process: subprocess.Popen[str]) -> None:
        hosts.sh("app-1", "pkill -KILL -f '[s]shd.*deploy'; systemctl stop ssh")

    with hosts.poll() as poll:
        output = _at(hosts, "Converge the proxy", do=do)
        hosts.sh("app-1", "systemctl start ssh")
        expect("UNREACHABLE" in output or "unreachable=1" in output, "nobody said that the host was gone",
               output[-1500:])
        _goes_on(hosts)
    expect(not poll.errors, "requests were lost", poll.errors[:5])


def killed(hosts: Hosts) -> None:
    """The controller is killed in the middle of a run: nothing is half done, and the next run ends it."""
    _disturb(hosts)
    with hosts.poll() as poll:
        _at(hosts, "Converge the stores", do=lambda process: os.killpg(process.pid, signal.SIGKILL))
        _goes_on(hosts)
    expect(not poll.errors, "requests were lost", poll.errors[:5])


def registry(hosts: Hosts) -> None:
    """The registry is down: a release that is not here is refused by name, what is here needs none, and all goes on."""
    image = f"{prod.REGISTRY}/demo:1.2.0"
    hosts.tool("town.py", "stop", LAB, "registry")
    try:
        with hosts.poll() as poll:
            run = hosts.playbook("playbooks/deploy.yml", "-e", "app_blue_green_release=1.2.0")
            expect(run.status != 0 and image in run.output, "the image was not named", run.output[-1500:])
            expect(hosts.site().good("a run without the registry").changed == 0, "something was to be done")
        expect(not poll.errors, "requests were lost", poll.errors[:5])
    finally:
        hosts.tool("town.py", "start", LAB, "registry")
    _goes_on(hosts)


def disk(hosts: Hosts) -> None:
    """The disk is full: the run names the file that it could not write, and the next one ends it."""
    app, place = hosts.host_of("nginx_certbot"), "/opt/mooring/nginx_certbot/.mooring"
    hosts.sh(app, "rm /opt/mooring/nginx_certbot/nginx/errors.conf")
    # A small file system where a run stages its files, with what lies there, and nothing left of it.
    hosts.sh(app, f"cp -a {place} /root/was && mount -t tmpfs -o size=2m tmpfs {place} && cp -a /root/was/. {place}/; "
                  f"rm -rf /root/was; dd if=/dev/zero of={place}/filler bs=4k 2>/dev/null; df {place} | grep -q 100%")
    try:
        with hosts.poll() as poll:
            run = hosts.site("--tags", "nginx_certbot")
            named = "/staged/" in run.output and "could not be written" in run.output
            expect(run.status != 0 and named, "it was not said what failed", run.output[-2000:])
        expect(not poll.errors, "requests were lost", poll.errors[:5])
    finally:
        hosts.sh(app, f"umount {place}")
    _goes_on(hosts)


def rebooted(hosts: Hosts) -> None:
    """A host restarts in the middle of a run: its containers come back by themselves, and the next run ends it."""
    _disturb(hosts)

    def do(_process: subprocess.Popen[str]) -> None:
        lab.docker("restart", "--time", "30", hosts.nodes["data-1"].container)

    _at(hosts, "Converge the stores", do=do)
    hosts.nodes["data-1"].settle()
    hosts.wait("data-1", "systemctl is-system-running --wait | grep -qE 'running|degraded'")
    # What the engine could not attach is started by a timer.
    hosts.wait("data-1", "test -z \"$(docker ps -aq --filter status=exited)\"", 240)
    _goes_on(hosts)
    _starts_again(hosts)
    with hosts.poll() as poll:
        time.sleep(3)
    expect(not poll.errors, "requests are lost afterwards", poll.errors[:5])


def _starts_again(hosts: Hosts) -> None:
    """A container that the engine could not start is started by the timer, and one that somebody stopped is not."""
    image = hosts.sh("data-1", "docker inspect -f '{{.Config.Image}}' mooring-data_stores-redis-1").strip()
    for port, name in ((6000, "late"), (6001, "stopped")):
        hosts.sh("data-1", f"docker run --detach --name {name} --network mooring --restart unless-stopped --publish "
                           f"127.0.0.1:{port}:6000 --entrypoint sleep {image} 3600 && docker stop --time 0 {name}")
    # Somebody else has the port.
    hosts.sh("data-1", "python3 -m http.server --bind 127.0.0.1 6000 & holder=$!; "
                       "until curl -sf 127.0.0.1:6000 > /dev/null; do sleep 0.1; done; docker start late; "
                       "docker inspect -f '{{.State.Error}}' late | grep . && kill $holder")
    hosts.wait("data-1", "docker inspect -f '{{.State.Running}}' late | grep -q true", 150)
    running = hosts.sh("data-1", "docker inspect -f '{{.State.Running}}' stopped; docker rm -f late stopped")
    expect(running.startswith("false"), "what somebody stopped was started")


def mirror(hosts: Hosts) -> None:
    """The package mirror is not there while something has to be installed: apt's words, and the next run ends it."""
    hosts.sh("watch-1", "dpkg --purge --force-depends python3-jmespath && echo 'Acquire::http::Proxy "
                        "\"http://127.0.0.1:9\";' > /etc/apt/apt.conf.d/99-gone")
    try:
        run = hosts.site("--tags", "docker_engine")
        expect(run.status != 0 and run.recap["watch-1"][2] == 1 and "apt" in run.output, "nobody said why",
               run.output[-1500:])
    finally:
        hosts.sh("watch-1", "rm /etc/apt/apt.conf.d/99-gone")
    _goes_on(hosts)


def teardown(hosts: Hosts) -> None:
    """A teardown leaves the hosts as they were, but for packages, which another one removes."""
    hosts.playbook("playbooks/teardown.yml", "-e", "teardown_data=delete").good("the teardown")
    for name in hosts.nodes:
        left = hosts.sh(name, "docker ps -aq; docker volume ls -q; docker network ls -q --filter type=custom; "
                              "ls /opt/mooring /etc/systemd/system/mooring-* /root/.docker/config.json 2>/dev/null; "
                              "docker info --format '{{.Swarm.LocalNodeState}}'", check=False).split()
        expect([one for one in left if one not in ("inactive", "/root/.docker/config.json")] == [],
               f"{name} has something left", left)
        expect("sentinel" not in hosts.sh(name, "cat /root/.docker/config.json", check=False), "a login was left")
    hosts.playbook("playbooks/teardown.yml", "-e", "teardown_data=delete", "-e", "teardown_engine=remove").good(
        "the removal of the engine")
    for name in hosts.nodes:
        expect(not hosts.sh(name, "command -v dockerd; ls -d /etc/mooring 2>/dev/null", check=False).strip(),
               f"{name} has an engine left")


CASES: list[t.Callable[[Hosts], None]] = [
    bare, converge, deploys, documented, exposure, containers, cut, killed, registry, disk, rebooted, mirror, secrets,
    teardown]

__all__ = ["CASES", "Failed"]
