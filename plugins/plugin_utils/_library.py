# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: Python libraries that a step needs on a host where no distribution has them.

The controller has them by requirements.txt, in the version that was tested, and sends
them along with the call; a host needs neither pip nor a package index.
"""

from __future__ import annotations

import base64
import functools
import importlib.metadata
import io
import typing as t
import zipfile

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

# What each step needs: the distribution's name, as in requirements.txt.
NEEDS = {"kafka_record": "kafka-python", "kafka_topics": "kafka-python", "kafka_users": "kafka-python"}
# The same bytes for the same files, whenever they were installed.
EPOCH = (1980, 1, 1, 0, 0, 0)


@functools.cache
def archive(name: str) -> bytes:
    """The library as a ZIP archive that Python can import from. Raises :class:`MooringError`."""
    try:
        files = importlib.metadata.distribution(name).files or []
    except importlib.metadata.PackageNotFoundError as error:
        raise MooringError(
            f"The Python library {name} is missing where ansible-playbook runs: install what the collection's "
            "requirements.txt names.") from error
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as packing:
        for file in sorted(files, key=str):
            if file.suffix == ".pyc" or ".." in file.parts or file.parts[0].endswith((".dist-info", ".egg-info")):
                continue
            packing.writestr(zipfile.ZipInfo(file.as_posix(), EPOCH), file.read_binary(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def needed(steps: t.Iterable[str]) -> dict[str, str]:
    """Libraries for these steps, by their names, each an archive in base64; raises :class:`MooringError`."""
    names = {NEEDS[step] for step in steps if step in NEEDS}
    return {name: base64.b64encode(archive(name)).decode() for name in sorted(names)}
