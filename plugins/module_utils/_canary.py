# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: how two colours compare while both get requests, and what follows from it.

Pure. The proxy counts how each colour answers: requests, errors (status 500 and
above, and answers that another replica had to give), how many began within each
of a row of bounds that grow by :data:`GROWTH` from one millisecond, and how many
requests it got, answered or not.
"""

from __future__ import annotations

import dataclasses
import typing as t

GROWTH = 1.25  # as in the proxy's releases.js
QUANTILE = 0.95

CANARY_SPEC: dict[str, t.Any] = {
    "steps": {"type": "list", "elements": "int", "default": []},
    "hold": {"type": "float", "default": 60},
    "errors": {"type": "float", "default": 0.01},
    "latency": {"type": "float"},
    "minimum": {"type": "int", "default": 20},
    "sticky": {"type": "bool", "default": False},
}


@dataclasses.dataclass(frozen=True)
class Canary:
    """How a new release gets its share of the requests, one step after the other.

    ``steps`` are percent of new requests, each held for ``hold`` seconds. It is
    taken back when more than ``errors`` of its answers (0-1) are errors, or when
    fewer than 95 % of them begin within ``latency`` seconds (None: as long as
    they like). Less than ``minimum`` answers say nothing.
    """

    steps: tuple[int, ...] = ()
    hold: float = 60.0
    errors: float = 0.01
    latency: float | None = None
    minimum: int = 20
    sticky: bool = False

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> Canary:
        """The canary of a module's parameters; raises :class:`ValueError` with what is wrong."""
        canary = cls(**{**params, "steps": tuple(params["steps"])})
        if any(not 1 <= step <= 99 for step in canary.steps):
            raise ValueError("steps are percent from 1 to 99; all of the requests are the switch itself")
        if list(canary.steps) != sorted(set(canary.steps)):
            raise ValueError("each step has to be larger than the one before")
        if not 0 <= canary.errors < 1:
            raise ValueError("errors is a part of the answers, such as 0.01 for one of a hundred")
        if canary.hold <= 0 or canary.minimum < 1 or (canary.latency is not None and canary.latency <= 0):
            raise ValueError("hold, minimum and latency have to be larger than 0")
        return canary


@dataclasses.dataclass(frozen=True)
class Seen:
    """How a colour answered since the share was set; ``begun`` are the requests that it got."""

    begun: int = 0
    requests: int = 0
    errors: int = 0
    buckets: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_counts(cls, counts: dict[str, int]) -> Seen:
        """What the proxy counted for a colour: ``{"requests": 90, "errors": 1, "12": 89}``."""
        buckets = sorted((int(name), count) for name, count in counts.items() if name.isdigit())
        return cls(counts.get("begun", 0), counts.get("requests", 0), counts.get("errors", 0), tuple(buckets))

    @property
    def error_ratio(self) -> float:
        """Errors per request, 0 where there was none."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def latency(self) -> float:
        """Seconds within which 95 % of the answers began, as the bound of a bucket; 0 where there was none."""
        wanted = QUANTILE * sum(count for _number, count in self.buckets)
        reached = 0
        for number, count in self.buckets:
            reached += count
            if reached >= wanted:
                return GROWTH**number / 1000
        return 0.0

    def refusal(self, canary: Canary) -> str | None:
        """Why the colour must not get more; None as long as nothing says so."""
        if self.requests < canary.minimum:
            return None
        if self.error_ratio > canary.errors:
            return (f"{self.errors} of its {self.requests} answers were errors ({self.error_ratio:.1%}, and "
                    f"{canary.errors:.1%} may be)")
        if canary.latency is not None and self.latency > canary.latency:
            return (f"95 % of its {self.requests} answers took up to {self.latency:.3g} s, and "
                    f"{canary.latency:g} s may be")
        return None

    def silence(self, canary: Canary) -> str | None:
        """Why a share ends badly though nothing was answered badly; None where most was answered.

        A request that hangs is counted when it ends, which may be after the share.
        """
        if self.begun >= canary.minimum and self.requests < self.begun / 2:
            return f"it answered {self.requests} of its {self.begun} requests"
        return None

    def public(self) -> dict[str, t.Any]:
        """For the result of a module and the history."""
        return {"requests": self.requests, "errors": self.errors, "latency_p95": round(self.latency, 4)}
