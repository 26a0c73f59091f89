# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what the controller sent along because no distribution has it."""

from __future__ import annotations

import base64
import os
import sys
import typing as t


def bring(libraries: t.Mapping[str, str], directory: str) -> None:
    """Make libraries importable: ``{name: archive in base64}``, each a ZIP archive; they lie in ``directory``."""
    for name, archive in libraries.items():
        path = os.path.join(directory, f"{name}.zip")
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(archive))
        sys.path.insert(0, path)
