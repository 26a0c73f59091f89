# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that modules for a Kafka broker share, as module_utils/_step_kafka_topics.py takes them (BROKER)."""

from __future__ import annotations


class ModuleDocFragment:
    """The broker and, under C(made), what predicts it where it is made first."""

    DOCUMENTATION = r"""
options:
  container:
    description: >-
      Name of the broker's container. This module enters its network, so nothing needs publishing, and runs as root.
    type: str
    required: true
  address:
    description: A listener in that network that asks for no login; its advertised address has to be reachable there.
    type: str
    default: localhost:19092
requirements:
  - >-
    kafka-python 3 or newer. M(mooring.stack.component) brings along the one that the controller has; used by itself,
    this module needs it on the host.
"""

    MADE = r"""
options:
  service:
    description: >-
      The broker's Compose service. As a step of M(mooring.stack.component) in check mode, a broker that is made first
      is predicted to be empty.
    type: str
    default: ""
"""
