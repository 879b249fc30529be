"""What the supervisor must know of an application that it never imports."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from umbel.errors import UnsupportedError
from umbel.transports.registry import store_options, supports

if TYPE_CHECKING:
    from celery import Celery

    from umbel.worker.options import WorkerOptions

__all__ = ["WorkerFacts", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """The settings of one worker, complete. Durations are seconds, sizes bytes.

    ``store`` is the broker's URL when it is one of ours; None for a foreign broker, which then does
    its own redelivery.
    """

    store: str | None
    store_options: Mapping[str, Any] = field(default_factory=dict)
    lease: float
    crash_limit: int
    processes: int
    threads: int
    queues: tuple[str, ...]
    loglevel: str
    max_tasks: int | None
    min_age: float
    max_memory: int | None
    drain_timeout: float
    grace: float
    prefetch_target: float
    health_file: str | None
    health_port: int | None
    state_dir: str | None
    dead_letter_max_age: float
    dead_letter_max_count: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> WorkerFacts:
        """Return what :meth:`as_dict` made."""
        return cls(**{**fields, "queues": tuple(fields["queues"])})


def gather(app: Celery, options: WorkerOptions) -> WorkerFacts:
    """Join the options with the application's settings; options win."""
    settings = app.settings
    worker, letters = settings.worker, settings.deadletters
    conf = app.conf
    url = str(conf.broker_read_url or conf.broker_url)
    _check_shared(url)
    _check_transport(app, url)
    max_tasks = options.max_tasks_per_shard or worker.max_tasks_per_shard
    explicit = options.max_tasks_per_shard or "max_tasks_per_shard" in worker.model_fields_set
    return WorkerFacts(
        store=url if supports(url) else None,
        store_options=store_options(conf.broker_transport_options),
        lease=settings.broker.lease.total_seconds(),
        crash_limit=settings.tasks.crash_limit,
        processes=options.processes or settings.process_count(),
        threads=options.threads or worker.threads,
        queues=tuple(options.queues) or tuple(conf.task_queues or ()) or (conf.task_default_queue,),
        loglevel=(options.loglevel or settings.logging.level).upper(),
        max_tasks=max_tasks or None,
        min_age=0.0 if explicit else worker.min_shard_age.total_seconds(),
        max_memory=options.max_memory_per_shard or worker.max_memory_per_shard,
        drain_timeout=_seconds(options.drain_timeout, worker.drain_timeout),
        grace=_seconds(options.grace, worker.grace),
        prefetch_target=worker.prefetch_target.total_seconds(),
        health_file=options.health_file or (str(worker.health_file) if worker.health_file else None),
        health_port=options.health_port or worker.health_port,
        state_dir=options.state_dir or (str(worker.state_dir) if worker.state_dir else None),
        dead_letter_max_age=letters.max_age.total_seconds() if letters.max_age else math.inf,
        dead_letter_max_count=letters.max_count or sys.maxsize,
    )


def _check_shared(url: str) -> None:
    if url.startswith(("memory:", "umbel-memory:")):
        message = f"broker.url {url} lives in one process, and a worker has several"
        raise UnsupportedError(message, hint="use sqlite:///FILE, or task_always_eager in tests")


def _check_transport(app: Celery, url: str) -> None:
    try:
        app.connection_for_read().get_transport_cls()
    except (AttributeError, ImportError, KeyError, ValueError) as problem:  # AttributeError: kombu, without its driver
        scheme = url.partition(":")[0]
        message = f"broker.url {scheme}://… has no transport here: {problem}"
        hint = f'use sqlite:///FILE, or install kombu\'s own: pip install "celery[{scheme}]"'
        raise UnsupportedError(message, hint=hint) from problem


def _seconds(option: float | None, setting: Any) -> float:  # noqa: ANN401 - a timedelta of the settings
    return float(setting.total_seconds()) if option is None else option
