# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node with an engine and one component that keeps data: what the proofs of Kafka and of Elasticsearch work on."""

from __future__ import annotations

import json
import pathlib
import random
import subprocess
import time
import typing as t

import lab
from drift_site import ROOT, Run, Site, expect

KILLS = 3


class ComponentSite(Site):
    """One component that is off in ``inventories/local``, as in ``make up WITH=``; the others are not here.

    Whoever inherits says which container serves (``server``), for how many seconds it may start, where its data are
    (``volume``), in which file that is recorded, and what the server is called. Its client is
    ``tests/prove/<component>_client.py``, which runs in a container of the platform network.
    """

    server = volume = record = title = ""
    seconds = 120
    client_image = ""
    client_options: tuple[str, ...] = ()

    def __init__(self, directory: pathlib.Path, component: str, values: dict[str, t.Any],
                 images: t.Sequence[str], topic: str = "") -> None:
        super().__init__(directory, topic or component, {
            "all": {"ansible_connection": "ssh", "ansible_user": "root"}, component: values}, images)
        self.component = component
        self.tags = ("--tags", component)
        self.bare: Run | None = None

    # -- from nothing -------------------------------------------------------

    def declare(self) -> None:
        """As WITH= keeps it."""
        super().declare()
        (self.inventory / "with.yml").write_text(json.dumps({self.component: {"hosts": {"local": {}}}}))

    def begin(self) -> None:
        """From a bare node to the component, with a look ahead before."""
        self.need_images()
        self.say("starting a bare node with systemd")
        self.node.start("trixie", "bare", "systemd")
        self.declare()
        self.bare = self.attempt("--check", "--diff").good("looking ahead on a bare node")
        self.say(f"converging it: the engine, then {self.title}")
        self.run("--tags", "docker_engine").good("installing the engine")
        self.node.load(self.images)
        self.bring_client()
        self.converge()

    def again(self) -> None:
        """A node that was left, brought to the last commit."""
        self.bring_client()
        self.converge(mooring_allow_stateful_restart=True)

    # -- clients ------------------------------------------------------------------

    def client_files(self) -> dict[str, bytes]:
        """What the client consists of, by names."""
        name = f"{self.component}_client.py"
        return {name: (ROOT / "tests/prove" / name).read_bytes()}

    def bring_client(self) -> None:
        """Put the client where containers of the node can have it."""
        self.sh("install -d /root/client")
        for name, content in self.client_files().items():
            subprocess.run(["docker", "exec", "-i", self.node.container, "tee", f"/root/client/{name}"],
                           input=content, check=True, stdout=subprocess.DEVNULL)

    def client_argv(self, *arguments: str) -> list[str]:
        """The client in a container of the platform network."""
        return ["docker", "exec", "-i", self.node.container, "docker", "run", "--rm", "--interactive",
                "--network", "mooring", "--volume", "/root/client:/client:ro", *self.client_options,
                "--entrypoint", "python3", self.client_image, f"/client/{self.component}_client.py", *arguments]

    def acknowledged_while(self, argv: list[str], given: t.Any, meanwhile: t.Callable[[], None]) -> list[str]:
        """What a client that writes until its input ends was acknowledged while something happened."""
        acknowledged = (self.scratch / "acknowledged").open("w+")
        process = subprocess.Popen(argv, text=True, stdin=subprocess.PIPE, stdout=acknowledged,
                                   stderr=subprocess.DEVNULL)
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        try:
            meanwhile()
        finally:
            process.stdin.close()
            process.wait()
        acknowledged.seek(0)
        return acknowledged.read().split()

    def until_acknowledged(self, count: int) -> None:
        """Wait until that client was acknowledged more than so many."""
        lab.wait_for(f"{count} are acknowledged", 60,
                     lambda: len((self.scratch / "acknowledged").read_text().split()) > count, lambda: "")

    # -- faults and looks ---------------------------------------------------------

    def kill_again_and_again(self, rest: float) -> None:
        """SIGKILL for the server at moments of no choice, and in the end, ``rest`` seconds later, for good."""
        choose = random.Random(8)
        for _turn in range(KILLS):
            time.sleep(choose.uniform(4, 8))
            self.kill()
        time.sleep(rest)
        self.sh(f"docker kill {self.server}")

    def kill(self, *beside: str) -> None:
        """SIGKILL for the server, and containers beside it; until another process of the server is healthy."""
        process = self.sh(f"docker inspect -f '{{{{.State.Pid}}}}' {self.server}").strip()
        self.sh(f"kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {' '.join((self.server, *beside))})")
        # The health of the one that was killed is still told for a moment.
        self.wait("read -r pid health < <(docker inspect -f '{{.State.Pid}} {{.State.Health.Status}}' "
                  f"{self.server}) && [ $pid != 0 ] && [ $pid != {process} ] && [ $health = healthy ]", self.seconds)

    def expect_still(self, *arguments: str, **values: t.Any) -> None:
        """A run and a look ahead that change nothing."""
        for mode in ((), ("--check", "--diff")):
            run = self.converge(*mode, *arguments, **values)
            expect(run.changed == 0, f"a run {' '.join(mode)} that has nothing to do changed", run.changed_tasks)

    def expect_refusal(self, reason: str, **values: t.Any) -> None:
        """A run and a look ahead that say why they do nothing."""
        for mode in (("--check",), ()):
            run = self.attempt(*mode, **values)
            expect(run.status != 0 and reason in " ".join(run.output.split()), f"'{reason}' was not said",
                   run.output[-1500:])

    def lose_the_data(self) -> None:
        """Where there was data, a lost volume is refused; after this the next run starts empty, as somebody asked."""
        self.sh(f"docker rm --force {self.server}; docker volume rm {self.volume}")
        self.expect_refusal(f"data of {self.title} lay in volume")
        expect(self.volume not in self.sh("docker volume ls -q").split(), "a refused run made the volume")
        self.sh(f"rm {self.record}")
