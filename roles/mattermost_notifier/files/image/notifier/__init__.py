# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Mattermost what happens in GitLab.

``handler`` decides what a delivery becomes and does nothing else; ``server`` (a container)
and ``aws_lambda`` bring it deliveries and take its messages on.
"""
