# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx with the configuration that the role nginx_certbot renders, and what is behind it."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import ssl
import stat
import subprocess
import sys
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._proxy import Proxy
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic
from conftest import ROOT, docker

NAME = "shop.test"
NGINX = "mooring.local/nginx:1.26"
UID = 101
APP = pathlib.Path(__file__).parent / "traffic" / "app.py"
# Where the container sees what is in the directory.
PATHS = {"nginx": "/etc/mooring:ro", "certificates": "/var/lib/mooring/certificates:ro",
         "releases": "/var/lib/mooring/releases:ro", "webroot": "/var/lib/mooring/webroot:ro",
         "run": "/run/mooring", "secrets": "/run/secrets:ro"}


def make_readable(directory: pathlib.Path) -> None:
    """Let the proxy's user come to what is in this directory of pytest's, and take nothing from anybody."""
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o055)


class NginxProxy:
    """The proxy alone, with routes of a test's own.

    ``change`` may change the rendered ``nginx.conf`` before nginx reads it. Containers and the network are named after
    ``prefix``.
    """

    def __init__(self, directory: pathlib.Path, prefix: str, routes: list[dict[str, t.Any]], name: str = "proxy",
                 change: t.Callable[[str], str] = str) -> None:
        self.directory, self.prefix, self.routes, self.change = directory, prefix, routes, change
        self.container = f"{prefix}-{name}"
        self.control = Proxy(str(directory / "run" / "control.sock"), str(directory / "releases"))

    def start(self) -> None:
        """Run it until it answers; ``address`` is its own then."""
        self._render()
        for name in ("run", "releases", "certificates/platform", "webroot", "secrets"):
            (self.directory / name).mkdir(parents=True)
        os.chown(self.directory / "run", UID, UID)
        certificate = self.directory / "certificates" / "platform"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", f"/CN={NAME}", "-keyout", str(certificate / "privkey.pem"),
             "-out", str(certificate / "fullchain.pem")], check=True, capture_output=True)
        (certificate / "privkey.pem").chmod(0o644)
        docker("run", "--detach", "--label", "mooring.test=1", "--network", self.prefix, "--name", self.container,
               "--user", str(UID), "--tmpfs", "/tmp:mode=1777",
               *(f"--volume={self.directory / path}:{target}" for path, target in PATHS.items()),
               NGINX, "sh", "/etc/mooring/start.sh")
        self.address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
                              self.container)
        self.wait()

    def wait(self) -> None:
        """Until it answers."""
        limit = time.monotonic() + 30
        while self._is_down():
            assert time.monotonic() < limit, docker("logs", self.container)
            time.sleep(0.1)

    def _is_down(self) -> bool:
        try:
            self.control.traffic("shop")
        except MooringError:
            return True
        return False

    def reload(self) -> None:
        """As the role does it."""
        docker("exec", self.container, "nginx", "-s", "reload", "-c", "/etc/mooring/nginx.conf")

    def restart(self) -> None:
        """Stop it, and start it again."""
        docker("restart", "--time", "5", self.container)
        self.wait()

    def serve(self, line: str) -> None:
        """Let these get the requests for the application ``shop``; also forgets who failed."""
        traffic = Traffic.from_line(line)
        assert traffic is not None
        self.control.switch("shop", traffic)

    def connection(self) -> http.client.HTTPSConnection:
        """To be closed by who asked for it; the name decides which server answers."""
        # Not the default one, which reads all authorities of the machine.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(self.address, context=context, timeout=30)

        def connect() -> None:
            http.client.HTTPConnection.connect(connection)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=NAME)

        connection.connect = connect
        return connection

    def _render(self) -> None:
        """The role's tree, by Ansible with the role's own defaults and variables."""
        source = ROOT / "roles/nginx_certbot/templates/project/nginx"
        files = [str(path.relative_to(source)) for path in sorted(source.rglob("*")) if path.is_file()]
        for path in files:
            (self.directory / "nginx" / path).parent.mkdir(parents=True, exist_ok=True)
        variables = {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "mooring_domain": NAME,
            "mooring_root": "/opt/mooring", "mooring_prefix": self.prefix, "nginx_certbot_routes": self.routes}
        playbook = self.directory / "render.yml"
        playbook.write_text(json.dumps([{
            "hosts": "localhost", "gather_facts": False,
            "vars_files": [str(ROOT / f"roles/nginx_certbot/{part}/main.yml") for part in ("defaults", "vars")],
            "tasks": [{"ansible.builtin.template": {
                "src": f"{source}/{{{{ item }}}}", "mode": "0644",
                "dest": f"{self.directory}/nginx/{{{{ item | regex_replace('[.]j2$', '') }}}}"}, "loop": files}]}]))
        done = subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(playbook),
             "-e", json.dumps(variables)], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        configuration = self.directory / "nginx" / "nginx.conf"
        configuration.write_text(self.change(configuration.read_text()))


def start_replica(prefix: str, image: str, replica: str, drops: str = "") -> None:
    """One that the proxy knows as this replica of ``shop``; it drops each question for ``drops``."""
    colour, _dash, number = replica.partition("-")
    aliases = [f"shop-{colour}", f"shop-{colour}-{number or 1}"]
    docker("run", "--detach", "--label", "mooring.test=1", "--network", prefix, "--name", f"{prefix}-{replica}",
           *(f"--network-alias={alias}" for alias in aliases), "--env", f"NAME={replica}", "--env", f"DROPS={drops}",
           "--volume", f"{APP}:/app.py:ro", image, "python3", "-B", "/app.py")
