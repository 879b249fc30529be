"""All settings, as one frozen value that is validated once and passed down."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer

from umbel.config.section import Section
from umbel.config.sections import (
    AppSettings,
    BrokerSettings,
    DatabaseSettings,
    DeadLetterSettings,
    LoggingSettings,
    RawSettings,
    RedisSettings,
    ResultSettings,
    TaskSettings,
    WorkerSettings,
)
from umbel.config.table import Table, without_secrets

__all__ = ["DEVELOPMENT", "Settings"]

DEVELOPMENT = "development"
"""The environment in which a broker may have no password."""

_MASKED = PlainSerializer(without_secrets, when_used="json")


class Settings(Section):
    """Every setting of one application. Made by :func:`umbel.config.load`.

    ``Settings()`` is what holds when nothing is configured: SQLite in the working directory.
    """

    app: AppSettings = AppSettings()
    broker: BrokerSettings = BrokerSettings()
    results: ResultSettings = ResultSettings()
    redis: RedisSettings | None = None
    database: DatabaseSettings = DatabaseSettings()
    tasks: TaskSettings = TaskSettings()
    worker: WorkerSettings = WorkerSettings()
    deadletters: DeadLetterSettings = DeadLetterSettings()
    logging: LoggingSettings = LoggingSettings()
    celery: Annotated[RawSettings, AfterValidator(Table.freeze), _MASKED] = Field(default_factory=Table)
    """Celery's own settings by their lowercase names, passed on as they are."""

    @property
    def in_development(self) -> bool:
        """Whether this is the development environment."""
        return self.app.environment == DEVELOPMENT

    def process_count(self) -> int:
        """Return ``worker.processes`` as a number; ``"auto"`` is the CPUs that this process may use."""
        return len(os.sched_getaffinity(0)) if self.worker.processes == "auto" else self.worker.processes
