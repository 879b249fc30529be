"""Celery's worker node, as one shard runs it: its controller, consumer and the step between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import bootsteps, signals
from celery.utils.time import rate
from celery.worker import WorkController

from umbel import _celery
from umbel.transports.channel import Channel
from umbel.worker.consumer import Consumer
from umbel.worker.express import Express
from umbel.worker.rates import RateBucket

if TYPE_CHECKING:
    from kombu.asynchronous import Hub

    from umbel.worker.shard import Shard

__all__ = ["ShardConsumer", "ShardController", "ShardStep"]


class ShardController(WorkController):
    """A worker node without a command line: what `celery.apps.worker` adds, minus signals and banner."""

    def __init__(self, *, shard: Shard, **options: Any) -> None:  # noqa: ANN401 - Celery's own options
        self.shard = shard
        super().__init__(**options)

    def on_before_init(self, **options: Any) -> None:  # noqa: ANN401 - Celery's own options
        """Do what every Celery worker program does first."""
        _celery.setup_worker_optimizations(self.app, self.hostname)
        signals.celeryd_init.send(sender=self.hostname, instance=self, conf=self.app.conf, options=options)

    def on_init_blueprint(self) -> None:
        """Set logging up, before the first step logs."""
        self.app.log.setup(self.loglevel, self.logfile, redirect_stdouts=False, hostname=self.hostname)
        _celery.setup_worker_optimizations(self.app, self.hostname)

    def on_start(self) -> None:
        """Let the application change queues once they are known."""
        super().on_start()
        signals.celeryd_after_setup.send(sender=self.hostname, instance=self, conf=self.app.conf)

    def on_consumer_ready(self, consumer: Consumer) -> None:
        """Tell the application, and the supervisor."""
        signals.worker_ready.send(sender=consumer)
        self.shard.ready()


class ShardConsumer(Consumer):
    """Shares the values that Celery means per worker out over the worker's shards."""

    def express(self, channel: Channel) -> Express:
        """Return the short way for the messages of this channel."""
        return Express(self, channel, max_size=self.largest_message)

    def bucket_for_task(self, type: Any) -> RateBucket | None:  # noqa: A002, ANN401 - Celery's name
        """Return this shard's part of the task's rate limit."""
        limit = rate(getattr(type, "rate_limit", None))
        return RateBucket(limit, shards=self.controller.shard.siblings) if limit else None

    def _limit_task(self, request: Any, bucket: RateBucket, _tokens: int) -> None:  # noqa: ANN401 - Celery's types
        message = request.message
        ours = isinstance(message.channel, Channel)
        if bucket.take():
            self._limit_move_to_pool(request)
        elif not (ours and message.claim.suspect) and bucket.queue(request, bounded=ours):
            # This may be a slot's thread: the loop's own thread sets timers.
            self.hub.call_soon(self._watch, bucket)
        else:
            # A suspect comes back too, and is put alone again: when a token comes here, others may run.
            message.channel.basic_postpone(message.delivery_tag, bucket.book())

    def _limit_post_eta(self, request: Any, bucket: RateBucket, tokens: int) -> None:  # noqa: ANN401 - as above
        self.qos.decrement_eventually()
        self._limit_task(request, bucket, tokens)

    def _watch(self, bucket: RateBucket) -> None:
        seconds = bucket.watch()
        if seconds is not None:
            self.timer.call_after(seconds, self._let_go, (bucket,))

    def _let_go(self, bucket: RateBucket) -> None:
        for request in bucket.released():
            self._limit_move_to_pool(request)
        self._watch(bucket)


class ShardStep(bootsteps.StartStopStep):
    """Joins the shard to the consumer's channel and event loop, at start and after each reconnect."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: ShardConsumer, **options: Any) -> None:  # noqa: ANN401 - Celery's own options
        self.shard: Shard = consumer.controller.shard
        super().__init__(consumer, **options)

    def start(self, consumer: ShardConsumer) -> None:
        """Take over the task channel."""
        self.shard.connect(consumer, consumer.task_consumer.channel)

    def register_with_event_loop(self, _consumer: ShardConsumer, hub: Hub) -> None:
        """Watch the shard's own descriptors and timers."""
        self.shard.watch(hub)
