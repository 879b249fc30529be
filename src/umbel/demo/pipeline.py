"""The three stages, as Celery canvas. Each is a chord, whose body ends the stage.

    ingest, of each block ──► count
    identify, of each aircraft ──► count
    analyse, of each carrier ──► aggregate
       └─ becomes: survey, of each month ──► total
                      └─ becomes: measure, of each piece ──► total

Every carrier has a group of its own: a chord within the last chord, as its months are within it.
"""

from __future__ import annotations

from collections.abc import Iterable

from celery import chord
from celery.result import AsyncResult

from umbel.demo.source import Block
from umbel.demo.tasks import aggregate, analyse, count, identify, ingest

__all__ = ["analysis", "identification", "ingestion"]


def ingestion(blocks: Iterable[Block]) -> AsyncResult:
    """Publish the ingestion of the whole file, block by block; the result is the number of rows."""
    return chord([ingest.s(block.first_row, block.offset, block.size) for block in blocks])(count.s())


def identification(tailnums: Iterable[str], *, address: str) -> AsyncResult:
    """Publish one question per aircraft to the register at ``address``; the result counts the known ones."""
    return chord([identify.s(tailnum, address) for tailnum in tailnums])(count.s())


def analysis(carriers: Iterable[str]) -> AsyncResult:
    """Publish the analysis of every carrier; the result is the number of (airport, month) pairs."""
    return chord([analyse.s(carrier) for carrier in carriers])(aggregate.s())
