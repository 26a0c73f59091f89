# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: names of hosts as parts of other names."""

from __future__ import annotations

import re


def dns_label(name: str) -> str:
    """A host's name in lower-case letters, digits and hyphens (RFC 1123, 2.1); "" where it has none of them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
