#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that behave like servers, for tests that need real hosts.

    lab.py up LAB NODE [--release trixie] [--variant bare|engine] [--init systemd|none] [--load IMAGE ...]
                       [--seat NUMBER] [--user NAME]
    lab.py load LAB NODE IMAGE...
    lab.py address LAB NODE
    lab.py exec LAB NODE COMMAND...
    lab.py list [LAB]
    lab.py changes LAB NODE        files that differ from the node's image
    lab.py down LAB [NODE ...]
    lab.py images                  build every node image that is not up to date

A lab is a set of nodes with one name. Nodes with a seat have addresses of their
own that survive a restart, in a network that the lab's town (town.py) is part of,
and in a private one. With a user they are reached by one that needs sudo. Node images are made from distribution
packages (mmdebstrap, then docker build), carry a digest of their recipe and are
reused until it changes; mooring.lab/witness:1 is a 2 MB image that can be loaded
anywhere. Everything created carries the label ``mooring.lab``;
``down`` removes nothing else. Needs root, docker and mmdebstrap; standard
library only, so that any Python of the machine can run it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "lab"
KEY = CACHE / "id_ed25519"
LABEL = "mooring.lab"
RECIPE_LABEL = "mooring.lab.recipe"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
RELEASES = ("trixie", "bookworm")
VARIANTS = ("bare", "engine")
WITNESS = "mooring.lab/witness:1"  # a 2 MB image for containers that only have to exist
TOWN_SEAT = 10  # where a lab's town is, see town.py
BOOT_LIMIT = 90
ENGINE_LIMIT = 90

# What a small server has after installation, and nothing of Docker.
BASE_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "python3", "sudo", "ca-certificates", "iproute2",
    "iptables", "kmod", "curl", "procps", "openssh-server", "less",
)

# What the modules need on a host; the role docker_engine installs them on a bare one.
HOST_LIBRARIES = ("python3-apt", "python3-cryptography", "python3-jmespath", "python3-psycopg2", "python3-pymysql",
                  "python3-requests")

# systemd in a container: everything but SYS_RESOURCE, which cannot be granted on every
# machine, and the host's cgroup tree, without which containers in the node do not start.
NODE_FLAGS = (
    "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE",
    "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
    "--security-opt", "systempaths=unconfined",
    "--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--tmpfs", "/run:exec,mode=755", "--tmpfs", "/run/lock",
)


class LabError(Exception):
    """Something the person at the keyboard can act on."""


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def run(*argv: str, data: bytes | None = None, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run a command quietly; its output is shown only when it fails."""
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    if check and done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise LabError(f"'{' '.join(argv)}' ended with status {done.returncode}:\n{said[-4000:]}")
    return done


def docker(*argv: str, data: bytes | None = None, check: bool = True) -> str:
    return run("docker", *argv, data=data, check=check).stdout.decode(errors="replace").strip()


def wait_for(what: str, limit: float, condition: t.Callable[[], bool], on_failure: t.Callable[[], str]) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not reached within {limit:.0f} s.\n{on_failure()}")
        time.sleep(0.3)


@contextlib.contextmanager
def exclusive(name: str) -> t.Iterator[None]:
    """Two labs that start at once build a shared thing once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- the machine's own configuration ---------------------------------------------------

def host_apt_options() -> list[str]:
    """Proxy and validity settings of this machine's apt: its mirrors need them in the node too."""
    wanted = ("Acquire::http::", "Acquire::https::", "Acquire::Check-Valid-Until ", "Acquire::Check-Date ")
    if not shutil.which("apt-config"):
        return []
    return [line for line in run("apt-config", "dump").stdout.decode().splitlines()
            if line.startswith(wanted) and "User-Agent" not in line]


def host_proxies() -> dict[str, str]:
    names = ("http_proxy", "https_proxy", "no_proxy")
    return {name: os.environ[name] for name in (*names, *map(str.upper, names)) if os.environ.get(name)}


def proxy_arguments() -> list[str]:
    return [arg for item in host_proxies().items() for arg in ("--build-arg", "=".join(item))]


def ca_bundle() -> pathlib.Path | None:
    bundle = pathlib.Path(os.environ.get("SSL_CERT_FILE", CA_BUNDLE))
    return bundle if bundle.is_file() else None


# --- images ----------------------------------------------------------------------------

def image_name(release: str, variant: str) -> str:
    return f"mooring.lab/node:{release}-{variant}"


def dockerfile(release: str, variant: str) -> str:
    """The text of the Dockerfile that makes a variant from what stands below it."""
    if variant == "bare":
        return (
            f"FROM mooring.lab/base:{release}\n"
            # systemd 257 refuses the v1 cgroup hierarchy without being forced
            "ENV container=docker SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1\n"
            # a node lives for minutes: package installs in it need not survive a power cut
            "RUN echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/lab && apt-get update -q "
            "&& apt-get install -yq --no-install-recommends "
            f"{' '.join(BASE_PACKAGES)} && apt-get clean && rm -rf /var/lib/apt/lists/*\n"
            # no console logins and no waiting for a network that docker has already set up
            "RUN systemctl mask getty.target console-getty.service systemd-networkd-wait-online.service "
            "systemd-logind.service && mkdir -p -m 0700 /root/.ssh\n"
            "STOPSIGNAL SIGRTMIN+3\n"
            'CMD ["/sbin/init"]\n'
        )
    # Debian 12 has no Compose v2: that one package comes from trixie, as the role docker_engine does it.
    engine = ("docker.io", "docker-cli", "docker-compose", "docker-buildx")
    borrow = ""
    if release == "bookworm":
        engine = ("docker.io", "docker-compose")
        borrow = (
            "RUN grep ' bookworm ' /etc/apt/sources.list | sed 's/ bookworm / trixie /' "
            "> /etc/apt/sources.list.d/trixie.list && "
            r"printf 'Package: *\nPin: release n=trixie\nPin-Priority: -1\n\n"
            r"Package: docker-compose\nPin: release n=trixie\nPin-Priority: 900\n' > /etc/apt/preferences.d/trixie"
            "\n")
    return (
        f"FROM {image_name(release, 'bare')}\n{borrow}"
        f"RUN apt-get update -q && apt-get install -yq --no-install-recommends "
        f"{' '.join((*engine, *HOST_LIBRARIES))} && apt-get clean && rm -rf /var/lib/apt/lists/*\n"
    )


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def up_to_date(image: str, recipe: str) -> bool:
    label = f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}}'
    return docker("image", "inspect", "--format", label, image, check=False) == recipe


def unbuilt(image: str) -> str:
    """Why an image of the platform cannot be used here; "" where it can."""
    if docker("image", "inspect", "--format", "{{.Id}}", image, check=False):
        return ""
    return f"this machine has no image {image}. 'make up' builds it."


def need_base(release: str) -> str:
    """Bootstrap a minimal system; returns the digest of its recipe."""
    image = f"mooring.lab/base:{release}"
    options = [f"--aptopt={line}" for line in host_apt_options()]
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", *options, release]
    recipe = digest(*argv)
    if up_to_date(image, recipe):
        return recipe
    if not shutil.which("mmdebstrap"):
        raise LabError("mmdebstrap is missing: apt install mmdebstrap.")
    say(f"bootstrapping {release} (about 20 s)")
    with tempfile.TemporaryDirectory(prefix="mooring-lab-") as scratch:
        archive = f"{scratch}/base.tar"
        run(*argv, archive)
        docker("import", "--change", f"LABEL {LABEL}=image {RECIPE_LABEL}={recipe}", archive, image)
    return recipe


def need_image(release: str, variant: str) -> str:
    """Build the node image unless it is up to date; returns its name."""
    with exclusive("images"):
        recipe = need_base(release)
        for step in VARIANTS[:VARIANTS.index(variant) + 1]:
            image, text = image_name(release, step), dockerfile(release, step)
            recipe = digest(recipe, text)
            if up_to_date(image, recipe):
                continue
            say(f"building {image} (about a minute)")
            docker("build", "--quiet", "--tag", image, "--label", f"{LABEL}=image",
                   "--label", f"{RECIPE_LABEL}={recipe}", *proxy_arguments(), "-", data=text.encode())
    return image_name(release, variant)


def need_witness() -> None:
    with exclusive("images"):
        below = need_base("trixie")
        text = ("FROM mooring.lab/base:trixie AS parts\n"
                "RUN apt-get update -q && apt-get install -yq --no-install-recommends busybox-static\n"
                "FROM scratch\nCOPY --from=parts /bin/busybox /bin/sleep\n"
                'CMD ["/bin/sleep", "infinity"]\n')
        recipe = digest(below, text)
        if not up_to_date(WITNESS, recipe):
            docker("build", "--quiet", "--tag", WITNESS, "--label", f"{LABEL}=image",
                   "--label", f"{RECIPE_LABEL}={recipe}", *proxy_arguments(), "-", data=text.encode())


# --- networks --------------------------------------------------------------------------

def network_name(lab: str, private: bool = False) -> str:
    return f"mooring-lab-{lab}{'-private' if private else ''}"


def subnet(network: str) -> ipaddress.IPv4Network | None:
    """Where the network's addresses come from; None where there is no such network."""
    found = docker("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}}{{end}}", network, check=False)
    return ipaddress.IPv4Network(found) if found and found != "[]" else None


def need_network(lab: str, private: bool = False) -> ipaddress.IPv4Network:
    """A network of the lab, made unless it is there. Addresses can be chosen only in a subnet that was named, so a free
    one is looked for."""
    name = network_name(lab, private)
    with exclusive("networks"):
        if found := subnet(name):
            return found
        # A private network leads nowhere else.
        options = ["--label", f"{LABEL}={lab}", *(["--internal"] if private else [])]
        for number in range(1, 255):
            wanted = f"10.213.{number}.0/24"
            if run("docker", "network", "create", *options, "--subnet", wanted, name, check=False).returncode == 0:
                return ipaddress.IPv4Network(wanted)
    raise LabError("No subnet of 10.213.0.0/16 is free.")


def seat_address(lab: str, seat: int, private: bool = False) -> str:
    return str(need_network(lab, private)[seat])


# --- nodes -----------------------------------------------------------------------------

class Node:
    """One container that plays a server."""

    def __init__(self, lab: str, name: str) -> None:
        self.lab, self.name = lab, name
        self.container = f"mooring-lab-{lab}-{name}"

    def exec(self, *argv: str, check: bool = True) -> str:
        return docker("exec", self.container, *argv, check=check)

    def address(self, private: bool = False) -> str:
        """Where it is reached: at its seat, or at what the default network gave it."""
        name = network_name(self.lab, private)
        address = docker("inspect", "--format", f'{{{{with index .NetworkSettings.Networks "{name}"}}}}'
                         "{{.IPAddress}}{{else}}{{$.NetworkSettings.IPAddress}}{{end}}", self.container)
        if not address:
            raise LabError(f"{self.container} is not running.")
        return address

    def start(self, release: str, variant: str, init: str, mounts: t.Mapping[str, str] | None = None,
              seat: int = 0, user: str = "root") -> None:
        """Start it anew; ``mounts`` are directories of this machine by their place in the node."""
        image = need_image(release, variant)
        self.remove()
        labels = ["--label", f"{LABEL}={self.lab}", "--label", f"{LABEL}.node={self.name}"]
        docker("volume", "create", *labels, self.container)
        # --init reaps orphans, as the init of any real machine would, but starts no services
        command = [image] if init == "systemd" else ["--init", image, "sleep", "infinity"]
        place = ["--network", network_name(self.lab), "--ip", seat_address(self.lab, seat)] if seat else []
        docker("run", "--detach", "--name", self.container, "--hostname", self.name, *labels, *NODE_FLAGS, *place,
               "--volume", f"{self.container}:/var/lib/docker",
               *(f"--volume={here}:{there}" for there, here in (mounts or {}).items()), *command)
        if seat:
            docker("network", "connect", "--ip", seat_address(self.lab, seat, private=True),
                   network_name(self.lab, private=True), self.container)
        if init == "systemd":
            wait_for(f"{self.container} boots", BOOT_LIMIT, self._booted,
                     lambda: self.exec("systemctl", "--failed", "--no-pager", check=False))
        self._hand_over_configuration(user)
        if seat:
            self.settle()
        if init == "none":
            self.exec("mkdir", "-p", "/run/sshd")
            self.exec("/usr/sbin/sshd")
            if variant == "engine":
                self.exec("start-stop-daemon", "--start", "--background", "--exec", "/usr/sbin/dockerd",
                          "--output", "/var/log/dockerd.log")
        wait_for(f"{self.container} answers on the SSH port", 30, self._ssh_answers, lambda: "")
        if variant == "engine":
            wait_for(f"the engine of {self.container} answers", ENGINE_LIMIT,
                     lambda: run("docker", "exec", self.container, "docker", "version", check=False).returncode == 0,
                     lambda: self.exec("journalctl", "-u", "docker", "-n", "20", "--no-pager", check=False))

    def settle(self) -> None:
        """After a start: a server asks a server for names, and not the engine that it is a container of."""
        self.exec("sh", "-c", f"echo nameserver {seat_address(self.lab, TOWN_SEAT)} > /etc/resolv.conf")

    def _booted(self) -> bool:
        return self.exec("systemctl", "is-system-running", check=False) in ("running", "degraded")

    def _ssh_answers(self) -> bool:
        return run("ssh", *ssh_options(), f"root@{self.address()}", "true", check=False).returncode == 0

    def _hand_over_configuration(self, user: str) -> None:
        """Give the node the key and what this machine needs to reach package mirrors and registries."""
        if user != "root":
            self.exec("useradd", "--create-home", "--shell", "/bin/bash", user)
            self.exec("sh", "-c", f"echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}; "
                      f"install -d -m 0700 -o {user} /home/{user}/.ssh")
        with tempfile.TemporaryDirectory(prefix="mooring-lab-") as scratch:
            tree = pathlib.Path(scratch)

            def put(path: str, content: bytes, mode: int = 0o644) -> None:
                target = tree / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                target.chmod(mode)

            put("root/.ssh/authorized_keys", need_key().with_suffix(".pub").read_bytes(), 0o600)
            (tree / "root").chmod(0o700)
            (tree / "root/.ssh").chmod(0o700)
            if user != "root":
                put(f"home/{user}/.ssh/authorized_keys", need_key().with_suffix(".pub").read_bytes())
            environment = host_proxies()
            own = town_ca(self.lab)
            bundle = ca_bundle()
            if bundle or own.exists():
                put(CA_BUNDLE[1:], b"".join(file.read_bytes() for file in (bundle, own) if file and file.exists()))
                environment["PIP_CERT"] = CA_BUNDLE
            if own.exists():
                put("usr/local/share/ca-certificates/mooring-lab-town.crt", own.read_bytes())
            # the sources of the bundle too, or the next update-ca-certificates would lose them
            for extra in sorted(pathlib.Path("/usr/local/share/ca-certificates").glob("*.crt")):
                put(f"usr/local/share/ca-certificates/{extra.name}", extra.read_bytes())
            if (pip := pathlib.Path("/etc/pip.conf")).is_file():
                put("etc/pip.conf", pip.read_bytes())
            put("etc/environment", "".join(f"{k}={v}\n" for k, v in environment.items()).encode())
            tar = subprocess.run(["tar", "-C", scratch, "--owner=0", "--group=0", "-cf", "-", "."],
                                 stdout=subprocess.PIPE, check=True).stdout
            run("docker", "exec", "-i", self.container, "tar", "-C", "/", "--no-overwrite-dir", "-xf", "-", data=tar)

    def load(self, images: t.Sequence[str]) -> None:
        """Copy images of this machine's engine into the node's, those it lacks only."""
        if WITNESS in images:
            need_witness()
        wanted = [image for image in images if not self._has(image)]
        if not wanted:
            return
        say(f"loading {len(wanted)} image(s) into {self.container}")
        with subprocess.Popen(["docker", "save", *wanted], stdout=subprocess.PIPE) as save:
            loaded = subprocess.run(["docker", "exec", "-i", self.container, "docker", "load", "--quiet"],
                                    stdin=save.stdout, stdout=subprocess.DEVNULL, check=False)
        if save.returncode or loaded.returncode:
            raise LabError(f"Could not load {', '.join(wanted)} into {self.container}; see the lines above.")

    def _has(self, image: str) -> bool:
        here = docker("image", "inspect", "--format", "{{.Id}}", image)
        return here == self.exec("docker", "image", "inspect", "--format", "{{.Id}}", image, check=False)

    def remove(self) -> None:
        """Remove the node and its data, if they are ours."""
        for kind, options in (("container", ["--force", "--volumes"]), ("volume", ["--force"])):
            labels = "{{json .Config.Labels}}" if kind == "container" else "{{json .Labels}}"
            found = docker(kind, "inspect", "--format", labels, self.container, check=False)
            if not found or found == "null":
                continue
            if json.loads(found).get(LABEL) != self.lab:
                raise LabError(f"The {kind} {self.container} exists, but is not part of lab {self.lab}.")
            docker(kind, "rm", *options, self.container)


def town_ca(lab: str) -> pathlib.Path:
    """The CA of the lab's town, if it has one."""
    return CACHE / f"town-{lab}" / "ca.pem"


def need_key() -> pathlib.Path:
    with exclusive("key"):
        if not KEY.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mooring.lab", "-f", str(KEY))
    return KEY


def ssh_options() -> list[str]:
    """Nodes are new on every run and get used addresses: their host keys mean nothing."""
    return ["-i", str(KEY), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"]


def nodes(lab: str | None) -> list[tuple[str, str, str]]:
    """(lab, node, state) of the nodes that exist."""
    selected = f"label={LABEL}.node" if lab is None else f"label={LABEL}={lab}"
    form = f'{{{{.Label "{LABEL}"}}}}\t{{{{.Label "{LABEL}.node"}}}}\t{{{{.State}}}}'
    lines = docker("ps", "--all", "--filter", selected, "--format", form).splitlines()
    return [t.cast("tuple[str, str, str]", tuple(line.split("\t"))) for line in sorted(lines)]


def forgotten_volumes(lab: str) -> list[str]:
    return docker("volume", "ls", "--quiet", "--filter", f"label={LABEL}={lab}").split()


# --- commands --------------------------------------------------------------------------

def up(args: argparse.Namespace) -> None:
    started = time.monotonic()
    node = Node(args.lab, args.node)
    node.start(args.release, args.variant, args.init, seat=args.seat, user=args.user)
    if args.load:
        node.load(args.load)
    say(f"{node.container} is up ({time.monotonic() - started:.0f} s)")
    print(json.dumps({"instance": args.node, "address": node.address(), "user": args.user, "port": 22,
                      "identity_file": str(KEY)}))


def down(args: argparse.Namespace) -> None:
    names = args.nodes or sorted({name for _lab, name, _state in nodes(args.lab)})
    for name in names:
        Node(args.lab, name).remove()
    if not args.nodes:
        for volume in forgotten_volumes(args.lab):
            docker("volume", "rm", "--force", volume)
        for container in docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={args.lab}").split():
            docker("rm", "--force", "--volumes", container)
        for network in docker("network", "ls", "--quiet", "--filter", f"label={LABEL}={args.lab}").split():
            docker("network", "rm", network)
        shutil.rmtree(town_ca(args.lab).parent, ignore_errors=True)


def execute(args: argparse.Namespace) -> None:
    node = Node(args.lab, args.node)
    raise SystemExit(subprocess.run(["docker", "exec", "-i", node.container, *args.command], check=False).returncode)


def list_nodes(args: argparse.Namespace) -> None:
    for lab, name, state in nodes(args.lab):
        print(f"{lab:<20} {name:<16} {state:<10} {Node(lab, name).address() if state == 'running' else ''}")


def changes(args: argparse.Namespace) -> None:
    """The files that differ, as docker diff prints them, without what any login or run leaves behind."""
    # dpkg's own timer fills /var/backups at midnight.
    passing = ("/root/.ansible", "/root/.bash_history", "/tmp", "/var/tmp", "/run",
               "/var/log", "/dev", "/var/lib/systemd", "/var/cache/ldconfig", "/var/backups")
    container = Node(args.lab, args.node).container
    lines = [line for line in docker("diff", container).splitlines()
             if not any(f"{line[2:]}/".startswith(f"{item}/") for item in passing)
             and not {"__pycache__", ".ansible"} & set(line[2:].split("/"))]
    # A directory listed as changed says no more than that something below it is listed too.
    changed = "\n".join(line[2:] for line in lines if line.startswith("C "))
    test = 'while read -r path; do [ -d "$path" ] && echo "$path"; done; true'
    directories = set(docker("exec", "-i", container, "sh", "-c", test, data=f"{changed}\n".encode()).splitlines())
    for line in sorted(lines, key=lambda item: item[2:]):
        if line[2:] not in directories or not line.startswith("C "):
            print(line)


def images(_args: argparse.Namespace) -> None:
    for release in RELEASES:
        print(need_image(release, VARIANTS[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(name: str, function: t.Callable[[argparse.Namespace], None], *positional: str) -> t.Any:
        sub = commands.add_parser(name)
        sub.set_defaults(function=function)
        for item in positional:
            sub.add_argument(item)
        return sub

    sub = command("up", up, "lab", "node")
    sub.add_argument("--release", choices=RELEASES, default=RELEASES[0])
    sub.add_argument("--variant", choices=VARIANTS, default="bare")
    sub.add_argument("--init", choices=("systemd", "none"), default="systemd")
    sub.add_argument("--load", nargs="*", default=[], metavar="IMAGE")
    sub.add_argument("--seat", type=int, default=0, metavar="NUMBER", help="from 11 to 250")
    sub.add_argument("--user", default="root")
    command("load", lambda args: Node(args.lab, args.node).load(args.images),
            "lab", "node").add_argument("images", nargs="+")
    command("address", lambda args: print(Node(args.lab, args.node).address()), "lab", "node")
    command("exec", execute, "lab", "node").add_argument("command", nargs=argparse.REMAINDER)
    command("list", list_nodes).add_argument("lab", nargs="?")
    command("changes", changes, "lab", "node")
    command("down", down, "lab").add_argument("nodes", nargs="*")
    command("images", images)
    args = parser.parse_args()
    try:
        args.function(args)
    except LabError as error:
        raise SystemExit(f"lab: {error}") from None


if __name__ == "__main__":
    main()
