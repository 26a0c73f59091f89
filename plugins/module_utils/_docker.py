# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the only place that talks to the Docker engine.

What changes something goes through the command line, which is also Compose's
only interface. What only reads asks the engine's socket: the answers are the
same, and each takes 2 ms instead of the 40 ms that starting ``docker`` takes.
Where the command line would go elsewhere (another host, a context) or the
socket does not answer, the command line reads too. The Docker SDK is not used:
importing it costs 0.5 s per module call.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import shutil
import typing as t
import urllib.parse

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._namespace import Gone, network_of
from ansible_collections.mooring.stack.plugins.module_utils._unix_http import UnixConnection

Run = t.Callable[..., "tuple[int, str, str]"]

SOCKET = "/var/run/docker.sock"
SOCKET_SECONDS = 60
# Compose's one-off containers (``compose run``) belong to nobody.
NO_ONE_OFF = "com.docker.compose.oneoff=False"


class CommandFailed(MooringError):
    """A docker command ended with a status other than 0."""

    def __init__(self, argv: list[str], rc: int, stdout: str, stderr: str) -> None:
        self.argv, self.rc, self.stdout, self.stderr = argv, rc, stdout, stderr
        said = (stderr or stdout).strip() or "no output"
        super().__init__(f"'{' '.join(argv)}' ended with status {rc}: {said}")


def local_socket() -> str:
    """The socket of this host's engine, "" if the command line would go elsewhere."""
    if os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT"):
        return ""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as stream:
            context = json.load(stream).get("currentContext", "default")
    except FileNotFoundError:
        context = "default"
    except (OSError, ValueError, AttributeError):
        return ""
    return SOCKET if context == "default" else ""


def nanoseconds(stamp: str) -> int:
    """An engine's time (RFC 3339, UTC, up to nine decimals) since the epoch; 0 for none."""
    whole, _dot, fraction = stamp.rstrip("Z").partition(".")
    try:
        parsed = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return 0
    return int(parsed.timestamp()) * 10**9 + int((fraction + "0" * 9)[:9])


def ending(exit_code: int, out_of_memory: bool) -> str:
    """How a process ended, to follow the name of its container.

    128 + n is signal n. 9 is what the kernel sends when the memory limit is
    reached; not every engine notices (20.10 on some kernels does not), and then
    this is no more than likely.
    """
    if out_of_memory:
        return f"ran out of the memory that its limit allows and was killed (status {exit_code})"
    if exit_code == 137:
        return "was killed (status 137), as a process is that needs more memory than its limit allows"
    if exit_code > 128:
        return f"was ended by signal {exit_code - 128} (status {exit_code})"
    return f"ended with status {exit_code}"


class Docker:
    """The docker CLI as argument lists, and the engine's answers.

    ``run`` is ``AnsibleModule.run_command`` or a function of the same shape:
    it takes an argument list and returns (status, stdout, stderr). ``path`` is
    the engine's socket, "" to read by the command line.
    """

    def __init__(self, run: Run, binary: str = "docker", path: str | None = None) -> None:
        self._run = run
        self._path = local_socket() if path is None else path
        self.binary = binary

    def _ask(self, question: str, body: t.Any = None) -> tuple[int, t.Any] | None:
        """Status and document of ``GET question``, or of a POST of ``body``; None where nobody answers."""
        if not self._path:
            return None
        try:
            with contextlib.closing(UnixConnection(self._path, SOCKET_SECONDS)) as connection:
                if body is None:
                    connection.request("GET", question)
                else:
                    connection.request("POST", question, json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read() or "null")
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def get(self, question: str) -> tuple[int, t.Any]:
        """Status and document of a question that the command line does not answer; raises :class:`MooringError`."""
        return self._expected(question, self._ask(question))

    def post(self, path: str, body: dict[str, t.Any]) -> t.Any:
        """The document that the engine answers to ``body``, for what may not be an argument of a command.

        Raises :class:`MooringError` with what the engine says.
        """
        status, document = self._expected(path, self._ask(path, body))
        if status >= 300:
            said = document.get("message", "") if isinstance(document, dict) else ""
            raise MooringError(f"The Docker engine refuses {path} with status {status}: {said or 'no reason given'}")
        return document

    def _expected(self, path: str, answer: tuple[int, t.Any] | None) -> tuple[int, t.Any]:
        if answer is None:
            raise MooringError(
                f"The Docker engine does not answer {path} at {self._path or SOCKET}. Run the docker_engine role "
                "first, and without DOCKER_HOST and DOCKER_CONTEXT.")
        return answer

    def installed(self) -> bool:
        """Whether there is a docker command at all (it says nothing of the engine)."""
        return shutil.which(self.binary) is not None

    def version(self) -> str:
        """The version of the engine; empty where none answers or docker is not installed."""
        if not self.installed():
            return ""
        answer = self._ask("/version")
        if answer and answer[0] == 200:
            return str(answer[1]["Version"])
        rc, out, _err = self._run([self.binary, "version", "--format", "{{.Server.Version}}"])
        return out.strip() if rc == 0 else ""

    def architecture(self) -> str:
        """The engine's architecture in the words of images, such as amd64; empty where none answers."""
        answer = self._ask("/version")
        if answer and answer[0] == 200:
            return str(answer[1]["Arch"])
        rc, out, _err = self._run([self.binary, "version", "--format", "{{.Server.Arch}}"])
        return out.strip() if rc == 0 else ""

    def foreign_images(self, references: t.Iterable[str]) -> list[str]:
        """A sentence for each of these images that was made for another architecture than the engine's.

        Only told where something has gone wrong: an engine with an emulator runs others too.
        """
        engine = self.architecture()
        return [f"The image {reference} is for {image['Architecture']}, and this engine runs {engine}."
                for reference in sorted(set(references)) for image in self.inspect("image", [reference])
                if image["Architecture"] != engine]

    def answers(self) -> bool:
        """Whether an engine answers; False where docker is not installed."""
        return bool(self.version())

    def info(self) -> dict[str, t.Any]:
        """``docker info``; empty where no engine answers or docker is not installed."""
        answer = self._ask("/info")
        if answer and answer[0] == 200:
            return answer[1]
        if not self.installed():
            return {}
        rc, out, _err = self._run([self.binary, "info", "--format", "{{json .}}"])
        found = json.loads(out) if rc == 0 and out.strip().startswith("{") else {}
        # Without an engine the command line still says something of itself.
        return found if found.get("ServerVersion") else {}

    def run(self, *args: str, data: str | None = None) -> str:
        """Standard output of ``docker <args>``; raises :class:`CommandFailed`."""
        return self.command(self.binary, *args, data=data)

    def command(self, *argv: str, data: str | None = None) -> str:
        """Standard output of any program; raises :class:`CommandFailed`."""
        rc, out, err = self._run(list(argv), data=data) if data is not None else self._run(list(argv))
        if rc != 0:
            raise CommandFailed(list(argv), rc, out, err)
        return out

    def succeeds(self, *args: str) -> bool:
        """Whether ``docker <args>`` ends with status 0."""
        return self._run([self.binary, *args])[0] == 0

    def inspect(self, kind: str, names: t.Iterable[str]) -> list[dict[str, t.Any]]:
        """``docker <kind> inspect`` of those of ``names`` that exist.

        ``kind`` is container, image, network or volume. An engine that does not
        answer is an error.
        """
        wanted = list(names)
        if not wanted:
            return []
        suffix = "/json" if kind in ("container", "image") else ""
        found = []
        for name in wanted:
            answer = self._ask(f"/{kind}s/{urllib.parse.quote(name, safe='/:@')}{suffix}")
            if answer is None or answer[0] not in (200, 404):
                # The command line says what is wrong.
                return self._inspect_by_command(kind, wanted)
            if answer[0] == 200:
                found.append(answer[1])
        return found

    def _inspect_by_command(self, kind: str, wanted: list[str]) -> list[dict[str, t.Any]]:
        argv = [self.binary, kind, "inspect", *wanted]
        rc, out, err = self._run(argv)
        # It prints what it found and fails for the rest, so the status says nothing here.
        if rc != 0 and "no such" not in err.lower() and "not found" not in err.lower():
            raise CommandFailed(argv, rc, out, err)
        return json.loads(out or "[]")

    def containers(self, *labels: str, volume: str = "") -> list[str]:
        """Ids of the containers that have all these labels and, if given, mount this volume; stopped ones too."""
        wanted = {"label": list(labels), **({"volume": [volume]} if volume else {})}
        filters = urllib.parse.quote(json.dumps(wanted))
        answer = self._ask(f"/containers/json?all=1&filters={filters}")
        if answer and answer[0] == 200:
            return [one["Id"] for one in answer[1]]
        arguments = [argument for kind, values in wanted.items() for value in values
                     for argument in ("--filter", f"{kind}={value}")]
        return self.run("ps", "--all", "--quiet", "--no-trunc", *arguments).split()

    def project_containers(self, project: str) -> list[dict[str, t.Any]]:
        """``docker inspect`` of every container of a Compose project, stopped ones too."""
        return self.inspect("container", self.containers(f"com.docker.compose.project={project}", NO_ONE_OFF))

    def overlays(self, networks: t.Iterable[str]) -> frozenset[str]:
        """Those of the networks that join several hosts."""
        return frozenset(
            one["Name"] for one in self.inspect("network", sorted(networks)) if one["Driver"] == "overlay")

    def address(self, container: str, network: str) -> str:
        """Address of a container on a network, "" where it does not run. Ask there from :meth:`inside` it."""
        found = self._running(container)
        return str((found["NetworkSettings"]["Networks"].get(network) or {}).get("IPAddress", "")) if found else ""

    def service_address(self, service: str, network: str) -> str:
        """Address of a Compose service on a network, by which containers there know it; "" where none runs."""
        found = self.inspect("container", self.containers(f"com.docker.compose.service={service}", NO_ONE_OFF))
        addresses = [(one["NetworkSettings"]["Networks"].get(network) or {}).get("IPAddress") for one in found]
        return next((str(one) for one in addresses if one), "")

    def process(self, container: str) -> int:
        """Number of a container's first process on this host, 0 where it does not run."""
        found = self._running(container)
        return int(found["State"]["Pid"]) if found else 0

    @contextlib.contextmanager
    def inside(self, container: str) -> t.Iterator[None]:
        """This thread in the network of a container; raises :class:`Gone` where it does not run."""
        process = self.process(container)
        if not process:
            raise Gone(f"The container {container} does not run; start it, then run this again.")
        with network_of(process):
            yield

    def _running(self, container: str) -> dict[str, t.Any] | None:
        """``docker inspect`` of a container that runs; None where it does not: there may be no engine at all yet."""
        if not self.installed():
            return None
        try:
            found = self.inspect("container", [container])
        except CommandFailed:
            return None
        return found[0] if found and found[0]["State"]["Running"] else None

    def last_ending(self, container: str, since: float, until: float) -> str:
        """How the container's process last ended between two times (seconds since 1970); "" if it did not.

        Its state does not tell once a restart policy has started it again, the
        engine's events do: it keeps the last 256 of them.
        """
        out = self.run("events", "--since", f"{since:.9f}", "--until", f"{until:.9f}", "--filter",
                       f"container={container}", "--filter", "event=die", "--filter", "event=oom",
                       "--format", "{{json .}}")
        events = [json.loads(line) for line in out.splitlines()]
        codes = [int(one["Actor"]["Attributes"].get("exitCode") or 0) for one in events if one["Action"] == "die"]
        return ending(codes[-1], any(one["Action"] == "oom" for one in events)) if codes else ""

    def logs(self, container: str, lines: int) -> str:
        """The last ``lines`` log lines of a container, standard error included."""
        _rc, out, err = self._run([self.binary, "logs", "--tail", str(lines), container])
        return (out + err).strip()


class Compose:
    """``docker compose`` for one project."""

    def __init__(self, docker: Docker, project: str, directory: str) -> None:
        self._docker = docker
        self._base = ["compose", "--project-name", project, "--project-directory", directory,
                      "--file", f"{directory}/compose.yml"]

    def run_over(self, override: str, *args: str) -> str:
        """Like :meth:`run`, with the compose file ``override`` merged over the project's own."""
        return self._docker.run(*self._base, "--file", override, *args)

    def run(self, *args: str) -> str:
        """Standard output of ``docker compose <args>``; raises :class:`CommandFailed`."""
        return self._docker.run(*self._base, *args)

    def hashes(self, content: str | None = None) -> dict[str, str]:
        """Per service the hash that Compose keeps in the ``config-hash`` label.

        A container whose label differs is one that ``up`` would recreate.
        ``content`` stands for the compose file, so that check mode can ask for
        one that is not there yet.
        """
        arguments = ["config", "--hash", "*"]
        out = self.run(*arguments) if content is None else self._docker.run(
            *self._base[:-1], "-", *arguments, data=content)
        lines = out.splitlines()
        return dict(line.split(None, 1) for line in lines if line.strip())
