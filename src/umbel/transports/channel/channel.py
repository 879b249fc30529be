"""The channel: publishing into a store, and consuming from it in turns."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amqp.exceptions import RecoverableConnectionError

from umbel.clock import SystemClock, Timestamp
from umbel.message import Envelope
from umbel.outcomes import Reason
from umbel.transports.base import Burial, Claim
from umbel.transports.channel import deliveries
from umbel.transports.channel.batches import PublishBatch
from umbel.transports.channel.claiming import Claimer
from umbel.transports.channel.deliveries import Delivery, Intake, Subscription, open_message
from umbel.transports.channel.entities import EntityChannel
from umbel.transports.channel.envelopes import to_envelope
from umbel.transports.channel.settlement import Settlement
from umbel.transports.channel.waiting import Waiting
from umbel.transports.channel.window import Window

if TYPE_CHECKING:
    from umbel.transports.channel.transport import Transport

__all__ = ["Channel"]

_CLOCK = SystemClock()
_LARGEST_CLAIM = 100
"""So many messages are claimed at once where Celery sets no prefetch limit."""

_LEAST_PAUSE = 0.002
"""Seconds between two turns for which there is no reason but the time."""

_SLICE = 0.01
"""Seconds that one turn delivers for, before it settles and looks at control messages again."""


class Channel(EntityChannel):
    """A kombu channel on a store.

    ``store`` is the store, ``settlement`` what waits to be settled, ``barrier`` what runs before
    acks. Where ``intake`` is set, messages of task queues are given to it (pull mode); otherwise they
    are delivered as the prefetch limit allows (direct mode), a suspect only while nothing else is
    unsettled. ``fetch``, ``settle``, ``deliver``, ``give_back`` and all settlements may be called from
    any thread.
    """

    Message = deliveries.Message
    QoS = Window
    body_encoding = None
    supports_batch_publish = True
    closed: bool

    def __init__(self, connection: Transport, **options: Any) -> None:  # noqa: ANN401 - kombu's own
        super().__init__(connection, **options)
        self.intake: Intake | None = None
        self.settlement = Settlement(self.store)
        self._options = connection.options
        self._membership = connection.membership
        self._watch = connection.watch
        self._loop = connection.loop
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks = Claimer(self.store, poll_interval=self._options.poll_interval)
        self._notices = Claimer(self.store, poll_interval=self._options.poll_interval)
        self._waiting = Waiting(self.store, self.settlement, self.window, self._needs_no_ack)
        self._fetching = threading.Lock()
        self._fetch_wanted = False
        self._fetched_at = 0.0
        self._claimed_as = ""
        self._pid = os.getpid()

    # Publishing.

    def address(self, message: dict[str, Any], exchange: str, routing_key: str) -> tuple[Envelope, list[str]]:
        """Return the envelope of a prepared message, and the queues that it goes to.

        Raises:
            OversizeError: it is larger than ``max_message_size``.
            RecoverableConnectionError: the channel is closed; kombu connects again where retries are on.
        """
        if self.closed:
            raise RecoverableConnectionError("the channel is closed")
        self.connection.verify()
        exchange, routing_key = exchange or "", routing_key or ""
        information = message["properties"].setdefault("delivery_info", {})
        information.update(exchange=exchange, routing_key=routing_key)
        envelope = to_envelope(message, max_size=self._options.max_message_size, now=_CLOCK.now())
        return envelope, self.destinations(exchange, routing_key, envelope.task)

    def basic_publish(
        self, message: dict[str, Any], exchange: str = "", routing_key: str = "", **_options: object
    ) -> None:
        """Store a message in every queue that it is routed to.

        Raises:
            OversizeError: it is larger than ``max_message_size``.
            StorageError: it could not be stored.
        """
        envelope, queues = self.address(message, exchange, routing_key)
        for queue in queues:
            self.store.publish(queue, [envelope])

    def create_publish_batch(self, max_size: int) -> PublishBatch:
        """Return a batch for ``Producer.batch``."""
        return PublishBatch(self, max_size)

    # Consuming.

    @property
    def consumer(self) -> str:
        """This connection's consumer id in the store; registers when it is not registered yet."""
        return self._membership.id

    @property
    def barrier(self) -> Callable[[], None]:
        """What runs before acks; by default nothing."""
        return self.settlement.barrier

    @barrier.setter
    def barrier(self, barrier: Callable[[], None]) -> None:
        self.settlement.barrier = barrier

    @property
    def window(self) -> Window:
        """What Celery holds unsettled (kombu calls it ``qos``)."""
        window: Window = self.qos
        return window

    def basic_consume(
        self,
        queue: str,
        no_ack: bool,  # noqa: FBT001 - kombu's signature
        callback: Callable[[Any], Any],
        consumer_tag: str,
        **_options: object,
    ) -> None:
        """Consume from a queue."""
        self._watch.open()
        self._notice_rejoining()
        if self.owns(queue):
            self.adopt(queue, self._claimed_as)
        self._subscriptions[consumer_tag] = Subscription(consumer_tag, queue, no_ack, callback)
        (self._notices if no_ack else self._tasks).add(queue)
        self._watch.nudge()

    def basic_cancel(self, consumer_tag: str) -> None:
        """Consume from it no more; what was claimed and not delivered goes back."""
        subscription = self._subscriptions.pop(consumer_tag, None)
        if subscription is None or self.consumes(subscription.queue):
            return
        self._notices.remove(subscription.queue)
        self._tasks.remove(subscription.queue)
        self._waiting.give_back(subscription.queue)
        if self.owns(subscription.queue) and not self.window.holds(subscription.queue):
            self.queue_delete(subscription.queue)

    def consumes(self, queue: str) -> bool:
        """Return whether this channel consumes from the queue."""
        return any(subscription.queue == queue for subscription in self._subscriptions.values())

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **options: object) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Delete a queue, once what was delivered from it is settled."""
        self.settle()
        super().queue_delete(queue, if_unused, if_empty, **options)

    def basic_get(self, queue: str, no_ack: bool = False, **_options: object) -> deliveries.Message | None:  # noqa: FBT001, FBT002 - kombu's signature
        """Return one message, or None when none waits."""
        self.settle()
        claims = self.store.claim(queue, self.consumer, 1).claims
        if not claims:
            return None
        message = open_message(claims[0], self)
        if no_ack:
            self.store.ack([claims[0].receipt])
        else:
            self.window.append(message, claims[0].receipt)
        return message

    def fetch(self) -> None:
        """Settle what has ended and claim what there is room for, now.

        One thread does it at a time; a call that comes meanwhile makes that thread do it once more.

        Raises:
            StorageError: the store failed in a way that time alone does not mend.
        """
        self._fetch_wanted = True
        while self._fetch_wanted and self._fetching.acquire(blocking=False):
            try:
                while self._fetch_wanted and not self.closed:
                    self._fetch_wanted = False
                    self._fetch()
            finally:
                self._fetching.release()
            if self.closed:
                return

    def turn(self) -> bool:
        """Do one turn of the event loop; True when the next should follow at once."""
        if self.intake is None or not self.intake.tended():
            self.fetch()
        until = time.monotonic() + _SLICE
        delivered = False
        while (claim := self._waiting.next()) is not None:
            delivered = True
            self._hand_over(claim)
            if time.monotonic() > until:
                break
        # In pull mode the intake decides when what has ended is settled.
        return delivered or (self.intake is None and self.settlement.pending > 0 and not self.settlement.stuck)

    def drain_one(self) -> bool:
        """Deliver one message if there is one; for connections without an event loop."""
        if not len(self._waiting) or self._is_time_to_fetch():
            self.fetch()
        claim = self._waiting.next()
        if claim is None and self.settlement.pending:
            self.fetch()
            claim = self._waiting.next()
        if claim is None:
            return False
        self._hand_over(claim)
        return True

    def stir(self) -> None:
        """Say that every queue may have something."""
        self._tasks.stir()
        self._notices.stir()

    def idle_for(self) -> float | None:
        """Return how many seconds may pass until the next turn, if nothing happens; None: any."""
        if self.settlement.stuck or self._fetching.locked():
            # Another thread claims just now, and does once more what was asked for meanwhile.
            return self._options.poll_interval
        if self.intake is not None and self.intake.tended():
            return _SLICE
        times = [self._notices.idle_for(), self._tasks.idle_for() if self._room() > 0 else None]
        return min((max(seconds, _LEAST_PAUSE) for seconds in times if seconds is not None), default=None)

    def deliver(self, delivery: Delivery) -> None:
        """Carry a message that the intake accepted into Celery."""
        self._hand_over(delivery.claim)

    def give_back(self, deliveries: Sequence[Delivery], *, after: float = 0.0) -> None:
        """Return messages that the intake accepted and did not deliver; ``after`` so many seconds they are due."""
        visible_at = Timestamp(_CLOCK.now() + after) if after else None
        for delivery in deliveries:
            self.settlement.release(delivery.tag, visible_at=visible_at)
        self.settle()

    # Settling.

    def settle(self) -> bool:
        """Store results, then dead letters, releases and parks, then acks; False when it must be tried again.

        Never raises: what could not be settled is kept, and the event ``settlement.failed`` is emitted.
        """
        return self.settlement.settle()

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Order an ack; it is settled in the next turn."""
        for tag in self.window.up_to(delivery_tag) if multiple else (delivery_tag,):
            self.window.ack(tag)
        self._ordered()

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Give a message back, or without ``requeue`` move it to the dead letters."""
        self.window.reject(delivery_tag, requeue=requeue)
        self._ordered()

    def basic_dead_letter(self, delivery_tag: str, reason: Reason, error: Mapping[str, Any]) -> None:
        """Move a message to the dead letters in place of an ack; ``error`` is the contract's form."""
        message = self.window.take(delivery_tag)
        self.settlement.bury(Burial(delivery_tag, reason, error), None if message is None else message.claim)
        self._ordered()

    def basic_park(self, delivery_tag: str) -> None:
        """Set a message aside until a worker knows its task."""
        self.window.take(delivery_tag)
        self.settlement.park(delivery_tag)
        self._ordered()

    def basic_crash(self, delivery_tag: str) -> None:
        """Give a message back whose body's own process died alone; it counts as a crash."""
        self.window.take(delivery_tag)
        self.settlement.crash(delivery_tag, self._options.crash_limit)
        self._ordered()

    def basic_postpone(self, delivery_tag: str, seconds: float) -> None:
        """Give a message back that may be claimed again after so many seconds."""
        self.window.take(delivery_tag)
        self.settlement.release(delivery_tag, visible_at=Timestamp(_CLOCK.now() + seconds))
        self._ordered()

    def basic_recover(self, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Give everything back that is unsettled.

        Raises:
            NotImplementedError: without ``requeue``, as on every virtual transport.
        """
        if not requeue:
            raise NotImplementedError("recover without requeue is not supported")
        self.window.restore_unacked()
        self.settle()

    def close(self) -> None:
        """Cancel the consumers, settle what has ended, give back the rest; closing twice is harmless."""
        if self.closed:
            return
        self.closed = True
        if self._pid != os.getpid():
            return
        for tag in list(self._subscriptions):
            self.basic_cancel(tag)
        self._waiting.give_back()
        self.window.restore_unacked_once()
        if not self.settle():
            self._membership.owe(self.settlement)
        if self.connection is not None:
            self.connection.close_channel(self)

    # How a turn goes.

    def _fetch(self) -> None:
        self._fetched_at = time.monotonic()
        if self.settlement.stuck or not self.settle():
            if self.settlement.lasting_problem is not None:
                raise self.settlement.lasting_problem
            return
        if not self._subscriptions:
            return
        self._notice_rejoining()
        if len(self._notices):
            self._waiting.add(self._notices.claim(self.consumer, _LARGEST_CLAIM))
        room = self._room() if len(self._tasks) else 0
        if room <= 0:
            return
        claims = self._tasks.claim(self.consumer, room)
        if self.intake is not None:
            if claims:
                self.intake.accept([Delivery(claim) for claim in claims])
            return
        self._waiting.add(claims)

    def _is_time_to_fetch(self) -> bool:
        return time.monotonic() - self._fetched_at > _SLICE or self._membership.current != self._claimed_as

    def _notice_rejoining(self) -> None:
        """Drop what an earlier registration had claimed: it was declared dead, and others have it."""
        consumer = self.consumer
        if self._claimed_as not in ("", consumer):
            self._waiting.forget()
            for subscription in self._subscriptions.values():
                if self.owns(subscription.queue):
                    self.adopt(subscription.queue, consumer)
        self._claimed_as = consumer

    def _room(self) -> int:
        if self.intake is not None:
            return self.intake.appetite()
        if self._waiting.is_closed or not self.window.can_consume():
            return 0
        estimate = self.window.can_consume_max_estimate()
        return (_LARGEST_CLAIM if estimate is None else min(estimate, _LARGEST_CLAIM)) - len(self._waiting)

    def _needs_no_ack(self, queue: str) -> bool:
        subscription = self._subscription(queue)
        return subscription is not None and subscription.no_ack

    def _subscription(self, queue: str) -> Subscription | None:
        return next((entry for entry in self._subscriptions.values() if entry.queue == queue), None)

    def _hand_over(self, claim: Claim) -> None:
        subscription = self._subscription(claim.queue)
        if subscription is None:
            self.settlement.release(claim.receipt)
            return
        message = open_message(claim, self)
        if subscription.no_ack:
            self.settlement.ack(claim.receipt)
        else:
            self.window.append(message, claim.receipt)
        subscription.callback(message)

    def _ordered(self) -> None:
        if self.closed:
            self.settle()
        elif self.intake is None and not self._loop.is_here():
            self._watch.nudge()
