# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes messages from the outbox to one webhook, each channel's in the order in which they came.

A channel into which Mattermost lets nothing does not hold up the others; a Mattermost that does not answer does.

Times of :meth:`Courier.step` are a clock's that nobody sets; how old a message is, the calendar says.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t

from .mattermost import REFUSALS, Closed, Delivered, Later, Result, pause
from .outbox import Outbox, Waiting

# Until a courier begins again that could not go on, for instance because of its disk.
SICK_SECONDS = 10.0

Report = t.Callable[[str, Waiting, str], None]


@dataclasses.dataclass
class _Backoff:
    """When somebody is asked again."""

    failures: int = 0
    at: float = 0.0

    def failed(self, now: float, least: float = 0.0) -> None:
        self.failures += 1
        self.at = now + max(pause(self.failures), least)


class Courier:
    """One webhook's; ``send`` posts, and ``report`` is told what became of which message, and why."""

    def __init__(self, webhook: str, outbox: Outbox, send: t.Callable[[t.Mapping[str, str]], Result],
                 max_age: t.Callable[[], float], report: Report, calendar: t.Callable[[], float] = time.time) -> None:
        self.webhook = webhook
        self._outbox, self._send, self._max_age, self._report = outbox, send, max_age, report
        self._calendar = calendar
        self.begin_anew()

    def begin_anew(self) -> None:
        """Ask at once, whatever was answered before."""
        self._webhook_backoff = _Backoff()
        self._channel_backoffs: dict[str, _Backoff] = {}

    def step(self, now: float) -> float | None:
        """Deliver at most one message; in how many seconds there is more to do, None if nothing waits."""
        heads = self._outbox.heads(self.webhook)
        self._channel_backoffs = {
            head.channel: self._channel_backoffs.get(head.channel, _Backoff()) for head in heads}
        if not heads:
            return None
        if now < self._webhook_backoff.at:
            return self._webhook_backoff.at - now
        for head in heads:
            if now >= self._channel_backoffs[head.channel].at:
                self._deliver(head, now)
                return 0.0
        return min(one.at for one in self._channel_backoffs.values()) - now

    def _deliver(self, head: Waiting, now: float) -> None:
        if self._calendar() - head.at > self._max_age():
            self._outbox.lose(head)
            self._report("expired", head, f"it waited longer than {self._max_age():.0f} s")
            return
        result = self._send(head.post)
        if isinstance(result, Delivered):
            self._outbox.delivered(head)
            self._webhook_backoff, self._channel_backoffs[head.channel] = _Backoff(), _Backoff()
            self._report("delivered", head, "")
        elif isinstance(result, Later):
            self._webhook_backoff.failed(now, result.seconds)
            self._report("later", head, result.reason)
        else:
            self._webhook_backoff = _Backoff()
            if isinstance(result, Closed):
                self._channel_backoffs[head.channel].failed(now)
                self._report("closed", head, result.reason)
            else:
                self._refused(head, result.reason, now)

    def _refused(self, head: Waiting, reason: str, now: float) -> None:
        if head.refusals + 1 >= REFUSALS:
            self._outbox.lose(head)
            self._channel_backoffs.pop(head.channel)
            self._report("given_up", head, f"refused {REFUSALS} times, the last time with {reason}")
            return
        self._outbox.refused(head)
        self._channel_backoffs[head.channel].failed(now)
        self._report("refused", head, reason)


class CourierThread(threading.Thread):
    """A courier at work; ``report`` is told why it could not go on."""

    def __init__(self, courier: Courier, clock: t.Callable[[], float], report: t.Callable[[str], None]) -> None:
        super().__init__(name=f"courier {courier.webhook}", daemon=True)
        self._courier, self._clock, self._report = courier, clock, report
        self._woken, self._ended, self._anew = threading.Event(), False, False
        # Why the last step failed; "" if it did not.
        self.error = ""

    def wake(self, anew: bool = False) -> None:
        """There is something new; ``anew``: a reason to ask at once who did not take it before."""
        if anew:
            self._anew = True
        self._woken.set()

    def end(self) -> None:
        """Finish what is being sent, and no more."""
        self._ended = True
        self._woken.set()

    def run(self) -> None:
        while not self._ended:
            self._woken.clear()
            seconds = self._step()
            # Whoever ended it before the event was cleared is not heard by the event.
            if seconds != 0.0 and not self._ended:
                self._woken.wait(seconds)

    def _step(self) -> float | None:
        try:
            if self._anew:
                self._anew = False
                self._courier.begin_anew()
            seconds = self._courier.step(self._clock())
        except Exception as error:  # noqa: BLE001 - nobody would deliver any more
            self.error = f"{type(error).__name__}: {error}"
            self._report(self.error)
            return SICK_SECONDS
        self.error = ""
        return seconds
