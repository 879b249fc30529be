"""What a shard has claimed and not yet started.

Messages wait here, below Celery, where pause, revoke and give-back can reach them; one crosses only
when a slot is free. How many wait adapts to how long tasks take: about ``target`` seconds of work,
so a batch of quick tasks costs one round trip, and slow tasks are not hoarded at all. When all slots
have been busy for ``patience`` seconds, what waits is given back, so that nothing waits behind a slow
task while another shard is idle.

A suspect (its process died while it ran beside others) runs alone: slots that are free wait until
those that are busy have ended, and start nothing until the suspect has ended too. It holds nobody up:
behind slow tasks it is put off, for another shard to take, and while it runs nothing waits behind it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from umbel import events
from umbel.errors import StorageError, describe
from umbel.outcomes import Reason

if TYPE_CHECKING:
    from umbel.transports.channel import Channel, Delivery

__all__ = ["Prefetch"]

_LARGEST = 1000
_SMOOTHING = 0.3
_TENDED_FOR = 0.05
"""Seconds after a slot's own fetch in which the consumer's thread leaves the channel to the slots."""
_SETTLE_EVERY = 0.02
"""Seconds that a result may wait for others to be stored with it."""
_HOLD = 1.0
"""Seconds that a message waits whose end failed."""
_PATIENCE = 10
"""Deliveries after which such a message is buried."""
_PUT_OFF = 0.25
"""Seconds for which a suspect is put off that cannot run alone here: time for an idle shard to take it."""


class Prefetch:
    """The intake of the shard's channel, and where its slots take their work."""

    def __init__(
        self,
        slots: int,
        *,
        target: float,
        max_tasks: int | None,
        nudge: Callable[[], None],
        patience: float = 0.05,
    ) -> None:
        self._slots = slots
        self._target = target
        self._patience = patience
        self._remaining = max_tasks
        self._nudge = nudge
        self._buffer: deque[Delivery] = deque()
        self._handed: deque[Any] = deque()
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._running = 0
        self._alone = False
        self._depth = 0
        self._open = True
        self._closed = False
        self._fetched_at = 0.0
        self._fetching = 0
        self._ended = 0
        self._busy = 0.0
        self._service = 0.0
        self._last_progress = time.monotonic()
        self._channel: Channel | None = None

    def attach(self, channel: Channel) -> None:
        """Use this channel (again, after a reconnect): what was claimed before is forgotten, since it
        has been released with the old channel.
        """
        with self._lock:
            self._channel = channel
            self._buffer.clear()
        channel.intake = self

    # What the channel asks, in the consumer's thread.

    def appetite(self) -> int:
        """Return how many more messages this shard wants now."""
        with self._lock:
            if not self._open or self._alone:
                return 0
            free = self._slots - self._running
            if not free and len(self._buffer) * 2 > self._depth:
                return 0  # one large claim soon is better than many small ones now
            wanted = self._depth + free - len(self._buffer) - len(self._handed)
            if self._remaining is not None:
                wanted = min(wanted, self._remaining - len(self._buffer))
            return max(0, wanted)

    def tended(self) -> bool:
        """Return whether the slots settle and claim themselves: all are busy, with quick tasks."""
        return self._running + self._fetching >= self._slots and time.monotonic() - self._fetched_at < _TENDED_FOR

    def accept(self, deliveries: Sequence[Delivery]) -> None:
        """Take what was claimed; what comes when the shard drains already goes back."""
        with self._lock:
            if self._open:
                self._buffer.extend(deliveries)
                if any(delivery.claim.envelope.priority for delivery in deliveries):
                    self._buffer = deque(sorted(self._buffer, key=_urgency))
                self._ready.notify(min(len(deliveries), self._slots))
                return
        if self._channel is not None:
            self._channel.give_back(deliveries)

    def tend(self) -> None:
        """Adapt the depth, and give back what waits behind slow tasks; called on every turn of the loop."""
        self._measure()
        if not self._buffer or not self._stalled():
            return
        if self._alone or self._running >= self._slots:
            self.give_back()
        else:
            self._put_off_suspects()

    # What the slots do, each in its own thread.

    def take(self) -> Any:  # noqa: ANN401 - a Delivery, a handed-over job with its receipt, or None
        """Return the next piece of work; block until there is some; None when the shard is done."""
        with self._lock:
            while True:
                work = self._next()
                if work is not None:
                    self._running += 1
                    self._last_progress = time.monotonic()
                    break
                if self._closed or self._spent():
                    self._idle.notify_all()
                    return None
                self._ready.wait()
        return work

    def deliver(self, delivery: Delivery) -> None:
        """Carry one message into Celery."""
        channel = self._channel
        if channel is None:
            return
        if _runs_alone(delivery):
            try:
                if not self._isolate(delivery):
                    return
            except StorageError:
                channel.give_back([delivery], after=_PUT_OFF)
                self._nudge()
                return
        channel.deliver(delivery)

    def rescue(self, receipt: str, problem: BaseException) -> None:
        """Settle a message that its slot could not bring to an end, unless its end was ordered already."""
        channel = self._channel
        try:
            message = channel.window.get(receipt) if channel is not None else None
        except KeyError:
            return
        if channel is None or message is None:
            return
        if message.claim.deliveries < _PATIENCE:
            channel.basic_postpone(receipt, _HOLD)
        else:
            channel.basic_dead_letter(receipt, Reason.FAILED, describe(problem))

    def finished(self, started: float) -> None:
        """Say that a slot is free again, which was busy since ``started`` (monotonic)."""
        now = time.monotonic()
        with self._lock:
            self._running -= 1
            self._ended += 1
            self._busy += now - started
            self._last_progress = now
            if self._alone:
                self._alone = False
                self._ready.notify_all()
            if not self._running:
                self._idle.notify_all()
                if self._buffer or self._handed:
                    self._ready.notify_all()
            due = not self._buffer or now - self._fetched_at > _SETTLE_EVERY
            if due:
                self._fetched_at = now
                self._fetching += 1
        if due:
            try:
                self._fetch()
            finally:
                with self._lock:
                    self._fetching -= 1

    def hand_over(self, work: Any) -> None:  # noqa: ANN401 - see take
        """Give a slot something that does not come from the buffer; it goes first."""
        with self._lock:
            self._handed.append(work)
            self._ready.notify()

    # How it ends.

    @property
    def running(self) -> int:
        """How many slots are busy."""
        return self._running

    def give_back(self) -> None:
        """Release what waits; another shard may start it at once."""
        with self._lock:
            unstarted = list(self._buffer)
            self._buffer.clear()
            self._depth = 0
        if unstarted and self._channel is not None:
            self._channel.give_back(unstarted)

    def drain(self) -> None:
        """Claim nothing more, give back what waits, let what runs end."""
        with self._lock:
            self._open = False
        self.give_back()

    def close(self) -> None:
        """Let the slots' threads end as soon as they are free."""
        with self._lock:
            self._open = False
            self._closed = True
            self._ready.notify_all()

    def wait_idle(self) -> None:
        """Block until no slot is busy."""
        with self._lock:
            while self._running:
                self._idle.wait()

    @property
    def exhausted(self) -> bool:
        """Whether the shard has started as many tasks as it may."""
        return self._spent()

    def limit_tasks(self, remaining: int) -> None:
        """Start at most so many more tasks."""
        with self._lock:
            self._remaining = remaining

    def _next(self) -> Any:  # noqa: ANN401 - see take
        if self._alone:
            return None
        if self._handed:
            return self._handed.popleft()
        if not self._buffer or self._spent():
            return None
        if _runs_alone(self._buffer[0]):
            if self._running:
                return None
            self._alone = True
        if self._remaining is not None:
            self._remaining -= 1
        return self._buffer.popleft()

    def _spent(self) -> bool:
        return self._remaining is not None and self._remaining <= 0

    def _isolate(self, delivery: Delivery) -> bool:
        channel = self._channel
        if channel is None:
            return False
        channel.settle()  # what has ended must not be repeated, or be blamed, when the suspect ends the process
        if not channel.store.isolate(delivery.claim.receipt):
            return False
        events.emit(events.TaskIsolated(task_id=delivery.claim.envelope.task_id, crashes=delivery.claim.crashes))
        return True

    def _fetch(self) -> None:
        """Settle and claim in the slot's own thread: while it does so, nothing else wants the interpreter.

        The consumer's thread does the same on its own turns, which is what wakes an idle slot, and what
        settles while a slow body runs. A failure is left to that thread, which reconnects.
        """
        channel = self._channel
        if channel is not None and self._open:
            try:
                channel.fetch()
            except StorageError:
                self._nudge()
        if self._spent() or not self._open:
            self._nudge()

    def _put_off_suspects(self) -> None:
        """Let the free slots go on with what stands behind a suspect."""
        with self._lock:
            if not self._buffer or not _runs_alone(self._buffer[0]):
                return
            suspects = [delivery for delivery in self._buffer if _runs_alone(delivery)]
            self._buffer = deque(delivery for delivery in self._buffer if not _runs_alone(delivery))
            self._ready.notify_all()
        if self._channel is not None:
            self._channel.give_back(suspects, after=_PUT_OFF)

    def _stalled(self) -> bool:
        return self._running > 0 and time.monotonic() - self._last_progress > self._patience

    def _measure(self) -> None:
        with self._lock:
            ended, busy = self._ended, self._busy
            if not ended:
                return
            self._ended, self._busy = 0, 0.0
            sample = busy / ended
            self._service += (_SMOOTHING if self._service else 1.0) * (sample - self._service)
            slow = self._service > self._patience
            wanted = int(self._target * self._slots / max(self._service, 1e-6))
            self._depth = 0 if slow else min(wanted, self._depth * 2 + 8, _LARGEST)


def _runs_alone(delivery: Delivery) -> bool:
    return delivery.claim.suspect and delivery.claim.verdict is None


def _urgency(delivery: Delivery) -> int:
    """Sort key: the most urgent first; what is equal keeps its order."""
    return -delivery.claim.envelope.priority
