# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the node: waits for a moment of a run, and kills the module that is at work there, or says so.

    python3 - MOMENT WHAT module|say

MOMENT is ``exists`` or ``differs`` with a path, ``done`` with a path that comes
and goes, ``container`` or ``runs`` with the name of one that is made anew (and
started), ``says`` with a container's name, a colon and what its log will tell, or
``serves`` with the proxy's control socket, a colon and the application whose
colour will change in the proxy's memory, or ``told`` with that socket: somebody is
about to tell the proxy something, which has not come to it and never will. What is
there at the start counts as before.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

LIMIT = 90.0


def content(path: str) -> bytes | None:
    """What is in a file; None where there is none."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return None


def container(name: str) -> bytes:
    """The id of a container; empty where there is none."""
    return subprocess.run(["docker", "inspect", "--format", "{{.Id}}", name], capture_output=True, check=False).stdout


def runs(name: str) -> bytes:
    """The id of a container that is running; empty where there is none."""
    argv = ["docker", "inspect", "--format", "{{if .State.Running}}{{.Id}}{{end}}", name]
    return subprocess.run(argv, capture_output=True, check=False).stdout.strip()


def says(what: str) -> bytes:
    """The id of a container whose log has these words; empty where it has not."""
    name, _, words = what.partition(":")
    log = subprocess.run(["docker", "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    return container(name) if words.encode() in log else b""


def answer(path: str, request: bytes) -> bytes:
    """What the server on a socket answers to a request, after which it ends the connection."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(path)
        control.sendall(request)
        with control.makefile("rb") as stream:
            return stream.read()


def serves(what: str) -> bytes:
    """What the proxy's control socket answers for an application; empty where nobody answers."""
    path, _, application = what.partition(":")
    try:
        said = answer(path, f"GET /releases/{application} HTTP/1.0\r\n\r\n".encode())
        return said.partition(b'"traffic":')[2].partition(b",")[0]
    except OSError:
        return b""


# What is asked by a command or over a socket, so not two thousand times a second.
ASKED = {"container": container, "runs": runs, "says": says, "serves": serves}


def modules() -> list[int]:
    """Ansible's module processes: a Python that reads its program from the connection."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            words = (content(f"/proc/{entry}/cmdline") or b"").split(b"\0")
            if words[0].endswith(b"python3") and (words[1:] == [b""] or b"AnsiballZ" in words[1]):
                found.append(int(entry))
    return found


def told(path: str) -> bool:
    """Stand before the control socket until the first POST, which is not passed on; whether it came.

    That is the only way: it takes a millisecond from the file to the proxy's memory.
    """
    real = f"{path}.real"
    end = time.monotonic() + LIMIT
    with socket.socket(socket.AF_UNIX) as listening:
        os.rename(path, real)
        try:
            listening.bind(path)
            listening.listen()
            listening.settimeout(LIMIT)
            print("ready", flush=True)
            while time.monotonic() < end:
                connection = listening.accept()[0]
                with connection:
                    request = connection.recv(2**16)
                    if request.startswith(b"POST "):
                        for victim in modules():
                            os.kill(victim, signal.SIGKILL)
                        return True
                    connection.sendall(answer(real, request))
        except TimeoutError:
            pass
        finally:
            os.rename(real, path)
    return False


def main() -> int:
    """Wait, act, say what was done."""
    moment, what, action = sys.argv[1:]
    if moment == "told":
        reached = told(what)
        print("reached 1" if reached else "missed", flush=True)
        return 0 if reached else 1
    before = ASKED[moment](what) if moment in ASKED else content(what)
    came = False
    print("ready", flush=True)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if moment == "exists":
            reached = os.path.lexists(what)
        elif moment == "done":
            came = came or os.path.lexists(what)
            reached = came and not os.path.lexists(what)
        elif moment in ASKED:
            now = ASKED[moment](what)
            reached = bool(now) and now != before
        else:
            reached = content(what) != before
        if reached:
            victims = modules() if action == "module" else []
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            print(f"reached {len(victims)}", flush=True)
            return 0
        time.sleep(0.002 if moment in ASKED else 0.0005)
    print("missed", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
