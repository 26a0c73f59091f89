# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-playbook once per inventory, in one process that has loaded Ansible already.

Each run is the command itself, in a child of its own. What lies behind the
network is given: the answers of the resolver and the facts of the hosts.

    python inventory_runs.py < runs.json > outputs.json
"""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import socket
import sys
import tempfile
import time

from ansible.cli.playbook import PlaybookCLI


def is_address(text):
    """Whether it is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def answering(names):
    """``getaddrinfo`` for these names; addresses answer for themselves, everything else has no address."""
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        found = names.get(host, [host] if is_address(host) else [])
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [answer for address in found for answer in real(address, port, *args, **kwargs)]

    return getaddrinfo


def run(directory, arguments, names, host):
    """Status and output of one ``ansible-playbook`` that is started in ``directory``, for facts of the ``host``."""
    # Its clock is so far from this one's, however long the runs before took.
    host["time"] = time.time() + host.get("time", 0)
    pathlib.Path(directory, "facts.json").write_text(json.dumps({"__facts": {"steps": [{"host": host}]}}))
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            status = 250
            try:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                os.chdir(directory)
                socket.getaddrinfo = answering(names)
                status = PlaybookCLI(["ansible-playbook", *arguments]).run()
            finally:
                sys.stdout.flush()
                os._exit(status or 0)
        _pid, ended = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(ended), output.read().decode()


if __name__ == "__main__":
    runs = json.load(sys.stdin)
    json.dump([run(**one) for one in runs], sys.stdout)
