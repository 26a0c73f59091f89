# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the only place that runs the docker command line.

The command line is used, not the Docker SDK: importing the SDK and listing
containers costs 0.5 s per module call, ``docker inspect`` of twelve containers
0.05 s, and Compose has no other interface.
"""

from __future__ import annotations

import json
import shutil
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

Run = t.Callable[..., "tuple[int, str, str]"]


class CommandFailed(MooringError):
    """A docker command ended with a status other than 0."""

    def __init__(self, argv: list[str], rc: int, stdout: str, stderr: str) -> None:
        self.argv, self.rc, self.stdout, self.stderr = argv, rc, stdout, stderr
        said = (stderr or stdout).strip() or "no output"
        super().__init__(f"'{' '.join(argv)}' ended with status {rc}: {said}")


class Docker:
    """The docker CLI as argument lists.

    ``run`` is ``AnsibleModule.run_command`` or a function of the same shape:
    it takes an argument list and returns (status, stdout, stderr).
    """

    def __init__(self, run: Run, binary: str = "docker") -> None:
        self._run = run
        self.binary = binary

    def installed(self) -> bool:
        """Whether there is a docker command at all (it says nothing of the engine)."""
        return shutil.which(self.binary) is not None

    def version(self) -> str:
        """The version of the engine; empty where none answers or docker is not installed."""
        if not self.installed():
            return ""
        rc, out, _err = self._run([self.binary, "version", "--format", "{{.Server.Version}}"])
        return out.strip() if rc == 0 else ""

    def answers(self) -> bool:
        """Whether an engine answers; False where docker is not installed."""
        return bool(self.version())

    def run(self, *args: str, data: str | None = None) -> str:
        """Standard output of ``docker <args>``; raises :class:`CommandFailed`."""
        argv = [self.binary, *args]
        rc, out, err = self._run(argv, data=data) if data is not None else self._run(argv)
        if rc != 0:
            raise CommandFailed(argv, rc, out, err)
        return out

    def succeeds(self, *args: str) -> bool:
        """Whether ``docker <args>`` ends with status 0."""
        return self._run([self.binary, *args])[0] == 0

    def inspect(self, kind: str, names: t.Iterable[str]) -> list[dict[str, t.Any]]:
        """``docker <kind> inspect`` of those of ``names`` that exist.

        ``kind`` is container, image, network or volume. docker prints what it
        found and fails for the rest, so the status says nothing here; an engine
        that does not answer is an error all the same.
        """
        wanted = list(names)
        if not wanted:
            return []
        argv = [self.binary, kind, "inspect", *wanted]
        rc, out, err = self._run(argv)
        if rc != 0 and "no such" not in err.lower() and "not found" not in err.lower():
            raise CommandFailed(argv, rc, out, err)
        return json.loads(out or "[]")

    def project_containers(self, project: str) -> list[dict[str, t.Any]]:
        """``docker inspect`` of every container of a Compose project, stopped ones too.

        One-off containers (``compose run``) belong to nobody and are left out.
        """
        ids = self.run(
            "ps", "--all", "--quiet", "--no-trunc",
            "--filter", f"label=com.docker.compose.project={project}",
            "--filter", "label=com.docker.compose.oneoff=False",
        ).split()
        return self.inspect("container", ids)

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
