# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that modules for an application share, as module_utils/_release_host.py takes them."""

from __future__ import annotations


class ModuleDocFragment:
    """COMMON_ARGUMENTS and, under C(platform), the rest of PLATFORM_ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  name:
    description: Name of the application.
    type: str
    required: true
  root:
    description: Directory of the platform on the host.
    type: path
    default: /opt/mooring
"""

    PLATFORM = r"""
options:
  prefix:
    description: Prefix of the Compose projects.
    type: str
    default: mooring
  network:
    description: Docker network on which the proxy reaches the colours. The default is the value of O(prefix).
    type: str
  proxy:
    description: Directory of the proxy's project. The default is C(nginx_certbot) below O(root).
    type: path
"""
