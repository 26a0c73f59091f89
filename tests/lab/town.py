#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Internet is for a lab's hosts: names, a container registry with a login, and an ACME CA.

    town.py up LAB DOMAIN SEAT [--push IMAGE ...]     prints what was made as JSON
    town.py stop|start LAB SERVICE                    one of names, registry, ca
    town.py root LAB                                  the root certificate of the ACME CA

One container per service, all from one image of distribution packages. DOMAIN and
everything below it resolves to the node at SEAT, ``registry.`` and ``acme.`` below
mooring.test to the town. The registry and the CA's own interface show certificates
of the town's CA, which the lab's nodes trust as they trust any other.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import lab as labs  # noqa: E402

IMAGE = "mooring.lab/town:1"
REGISTRY, ACME = "registry.mooring.test", "acme.mooring.test"
USER = "platform"
SERVICES = ("names", "registry", "ca")
# Each has an address of its own, because the registry takes port 443 as every registry does.
SEATS = {"names": labs.TOWN_SEAT, "registry": 9, "ca": 8}
UPSTREAM = "/run/town/resolv.conf"


def container(lab: str, service: str) -> str:
    return f"mooring-lab-{lab}-town-{service}"


def need_image() -> None:
    """Build the image unless it is up to date."""
    with labs.exclusive("images"):
        below = labs.need_base("trixie")
        text = ("FROM mooring.lab/base:trixie\n"
                "RUN apt-get update -q && apt-get install -yq --no-install-recommends "
                "dnsmasq docker-registry pebble apache2-utils openssl ca-certificates curl "
                "&& apt-get clean && rm -rf /var/lib/apt/lists/*\n")
        recipe = labs.digest(below, text)
        if not labs.up_to_date(IMAGE, recipe):
            labs.say(f"building {IMAGE}")
            labs.docker("build", "--quiet", "--tag", IMAGE, "--label", f"{labs.LABEL}=image",
                        "--label", f"{labs.RECIPE_LABEL}={recipe}", *labs.proxy_arguments(), "-", data=text.encode())


def certificates(folder: pathlib.Path) -> None:
    """A CA, and a certificate of it for each name."""
    def openssl(*argv: str) -> None:
        labs.run("openssl", *argv)

    ca, key = str(folder / "ca.pem"), str(folder / "ca.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=mooring.lab town", "-keyout", key, "-out", ca)
    for name in (REGISTRY, ACME):
        request, extension = folder / f"{name}.csr", folder / f"{name}.ext"
        extension.write_text(f"subjectAltName=DNS:{name}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", str(folder / f"{name}.key"), "-out", str(request))
        openssl("x509", "-req", "-in", str(request), "-CA", ca, "-CAkey", key, "-days", "30",
                "-extfile", str(extension), "-out", str(folder / f"{name}.pem"))


def settings(folder: pathlib.Path, lab: str, domain: str, seat: int, password: str) -> None:
    """What the three programs read."""
    folder.joinpath("names.conf").write_text(
        "keep-in-foreground\nlog-facility=-\nno-hosts\nuser=root\ncache-size=0\n"
        f"resolv-file={UPSTREAM}\n"
        f"address=/{REGISTRY}/{labs.seat_address(lab, SEATS['registry'])}\n"
        f"address=/{ACME}/{labs.seat_address(lab, SEATS['ca'])}\n"
        f"address=/{domain}/{labs.seat_address(lab, seat)}\n")
    upstream = pathlib.Path("/etc/resolv.conf").read_text()
    folder.joinpath("resolv.conf").write_text(upstream)
    hashed = labs.run("docker", "run", "--rm", "-i", IMAGE, "htpasswd", "-niB", USER, data=password.encode()).stdout
    folder.joinpath("htpasswd").write_bytes(hashed)
    folder.joinpath("registry.yml").write_text(json.dumps({
        "version": "0.1", "log": {"accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}, "delete": {"enabled": True}},
        "http": {"addr": ":443", "tls": {
            "certificate": f"/run/town/{REGISTRY}.pem", "key": f"/run/town/{REGISTRY}.key"}},
        "auth": {"htpasswd": {"realm": "town", "path": "/run/town/htpasswd"}}}))
    folder.joinpath("pebble.json").write_text(json.dumps({"pebble": {
        "listenAddress": "0.0.0.0:443", "managementListenAddress": "0.0.0.0:15000",
        "certificate": f"/run/town/{ACME}.pem", "privateKey": f"/run/town/{ACME}.key",
        "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": False}}))


COMMANDS = {
    "names": ["dnsmasq", "--conf-file=/run/town/names.conf"],
    "registry": ["docker-registry", "serve", "/run/town/registry.yml"],
    "ca": ["pebble", "-config", "/run/town/pebble.json"],
}


def up(args: argparse.Namespace) -> None:
    need_image()
    folder = labs.town_ca(args.lab).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = secrets.token_hex(12)
    certificates(folder)
    settings(folder, args.lab, args.domain, args.seat, password)
    names = f"{labs.seat_address(args.lab, SEATS['names'])}:53"
    for service in SERVICES:
        labs.docker("rm", "--force", container(args.lab, service), check=False)
        extra = ["-dnsserver", names] if service == "ca" else []
        publish = ["--publish", "127.0.0.1::443"] if service == "registry" else []
        labs.docker("run", "--detach", "--name", container(args.lab, service), "--label", f"{labs.LABEL}={args.lab}",
                    "--network", labs.network_name(args.lab), "--ip", labs.seat_address(args.lab, SEATS[service]),
                    "--volume", f"{folder}:/run/town:ro", *publish,
                    "--env", "PEBBLE_VA_NOSLEEP=1", "--env", "PEBBLE_WFE_NONCEREJECT=0",
                    IMAGE, *COMMANDS[service], *extra)
    labs.wait_for("the town's registry", 30, lambda: _asks_for_a_login(args.lab), lambda: _log(args.lab, "registry"))
    print(json.dumps({
        "registry": REGISTRY, "username": USER, "password": password, "acme": f"https://{ACME}/dir",
        "ca": str(labs.town_ca(args.lab)), "images": push(args.lab, args.push, password)}))


def _log(lab: str, service: str) -> str:
    return labs.docker("logs", "--tail", "20", container(lab, service), check=False)


def _port(lab: str) -> str:
    return labs.docker("port", container(lab, "registry"), "443").splitlines()[0].rpartition(":")[2]


def _asks_for_a_login(lab: str) -> bool:
    done = labs.run("curl", "-ks", "-o", "/dev/null", "-w", "%{http_code}", f"https://127.0.0.1:{_port(lab)}/v2/",
                    check=False)
    return done.stdout == b"401"


def push(lab: str, images: t.Sequence[str], password: str) -> dict[str, str]:
    """Bring images of this machine's engine there; name with tag and digest of each, by what it is called here."""
    found = {}
    here = f"127.0.0.1:{_port(lab)}"
    with tempfile.TemporaryDirectory(prefix="mooring-town-") as scratch:
        environment = {**os.environ, "DOCKER_CONFIG": scratch}

        def docker(*argv: str, data: bytes | None = None) -> str:
            done = subprocess.run(["docker", *argv], input=data, env=environment, capture_output=True, check=False)
            if done.returncode:
                raise labs.LabError(f"docker {argv[0]}: {done.stderr.decode(errors='replace').strip()}")
            return done.stdout.decode()

        if images:
            docker("login", "--username", USER, "--password-stdin", here, data=password.encode())
        for image in images:
            name = image.partition("/")[2]
            docker("tag", image, f"{here}/{name}")
            docker("push", "--quiet", f"{here}/{name}")
            digests = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", f"{here}/{name}"))
            digest = next(one.partition("@")[2] for one in digests if one.startswith(f"{here}/"))
            found[image] = f"{REGISTRY}/{name}@{digest}"
            docker("rmi", "--no-prune", f"{here}/{name}")
    return found


def switch(args: argparse.Namespace) -> None:
    labs.docker(args.verb, container(args.lab, args.service))


def root(args: argparse.Namespace) -> None:
    address = labs.seat_address(args.lab, SEATS["ca"])
    done = labs.run("curl", "-fsS", "--cacert", str(labs.town_ca(args.lab)), "--resolve", f"{ACME}:15000:{address}",
                    f"https://{ACME}:15000/roots/0")
    print(done.stdout.decode(), end="")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("up")
    sub.set_defaults(function=up)
    sub.add_argument("lab")
    sub.add_argument("domain")
    sub.add_argument("seat", type=int)
    sub.add_argument("--push", nargs="*", default=[], metavar="IMAGE")
    for verb in ("stop", "start"):
        sub = commands.add_parser(verb)
        sub.set_defaults(function=switch, verb=verb)
        sub.add_argument("lab")
        sub.add_argument("service", choices=SERVICES)
    sub = commands.add_parser("root")
    sub.set_defaults(function=root)
    sub.add_argument("lab")
    args = parser.parse_args()
    try:
        args.function(args)
    except labs.LabError as error:
        raise SystemExit(f"town: {error}") from None


if __name__ == "__main__":
    main()
