# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus reads at /metrics."""

from __future__ import annotations

import prometheus_client

from demo.app import Answer

REQUESTS = prometheus_client.Counter("demo_http_requests", "Answered requests.", ["method", "route", "status"])
SECONDS = prometheus_client.Histogram("demo_http_request_seconds", "Time from request to answer.", ["route"])
RELEASE = prometheus_client.Info("demo_release", "What runs here.")


def observe(method: str, route: str, status: int, seconds: float) -> None:
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)


def render() -> Answer:
    return Answer(200, prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST)
