"""What was running in a process that has died: a small file in shared memory.

Each shard maps one file. Its slots say which claims have a body that runs, since when and until when;
its header says how the shard is. The kernel keeps the pages when the process is killed, so that the
supervisor (or, when that is slower, any other reaper on this host) can read what was running.
Only the shard writes slots and header; only the supervisor writes ``command``, ``spared`` and verdicts: before
it kills, because from then on anybody may reap.

Nobody locks. A slot's state is written last when a body starts and first when it ends, and a reader looks at
the slot twice: what changed meanwhile it leaves out.

Layout, little-endian: header of 256 bytes, then one slot of 256 bytes per thread.
Header: magic 8s, version u32, slots u32, pid u32, state u32, command u32, spared u32, heartbeat f64
(monotonic), executed u64, consumer id 100s.
Slot: state u32 (0 free, 1 running), pad, sequence u64, started f64, soft f64, hard f64 (monotonic
deadlines, 0: none), receipt length u16, task id length u16, receipt 100s, task id 100s, verdict u32 (0 none),
low 32 bits of the sequence that the verdict is about.
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from umbel.outcomes import Verdict

__all__ = ["Command", "RunTable", "Running", "ShardState"]

_MAGIC = b"umbelrun"
_VERSION = 1
_HEADER_SIZE = 256
_SLOT_SIZE = 256
_FIXED = struct.Struct("<8sII")
_PID = struct.Struct("<I")
_COMMAND_AT, _PID_AT, _STATE_AT, _SPARED_AT = 24, 16, 20, 28
_BEAT = struct.Struct("<dQ")
_BEAT_AT, _CONSUMER_AT = 32, 64
_SLOT = struct.Struct("<IIQdddHH")
_SLOT_STATE = struct.Struct("<I")
_TEXT_AT, _TEXT_SIZE = 48, 100
_VERDICT = struct.Struct("<II")
_VERDICT_AT = 248
_VERDICTS = (Verdict.POISON, Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT)
"""Their codes are their places, from 1."""
_LOW = 0xFFFFFFFF


class ShardState(IntEnum):
    """How far a shard is."""

    STARTING = 0
    READY = 1
    DRAINING = 2
    DRAINED = 3


class Command(IntEnum):
    """What the supervisor wants of a shard."""

    RUN = 0
    DRAIN = 1
    GIVE_BACK = 2


@dataclass(frozen=True, slots=True)
class Running:
    """A body that runs. Times are on the host's monotonic clock; a deadline of 0 is none."""

    slot: int
    sequence: int
    receipt: str
    task_id: str
    started: float
    soft_deadline: float
    hard_deadline: float


class RunTable:
    """One shard's table. Make it with :meth:`create`, look into it with :meth:`open`."""

    def __init__(self, path: Path, memory: mmap.mmap, slots: int) -> None:
        self.path = path
        self.slots = slots
        self._memory = memory
        self._sequences = itertools.count(1)

    @classmethod
    def create(cls, path: Path, slots: int) -> RunTable:
        """Make the file, readable by this user only, with all slots free."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _HEADER_SIZE + slots * _SLOT_SIZE)
            memory = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        _FIXED.pack_into(memory, 0, _MAGIC, _VERSION, slots)
        return cls(path, memory, slots)

    @classmethod
    def open(cls, path: Path) -> RunTable | None:
        """Return the table in this file; None when it is missing or not a table of this version."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            memory = mmap.mmap(descriptor, 0)
        except (OSError, ValueError):
            return None
        finally:
            os.close(descriptor)
        if len(memory) < _HEADER_SIZE:
            return None
        magic, version, slots = _FIXED.unpack_from(memory, 0)
        if magic != _MAGIC or version != _VERSION or len(memory) < _HEADER_SIZE + slots * _SLOT_SIZE:
            return None
        return cls(path, memory, slots)

    def start(self, slot: int, receipt: str, task_id: str, soft: float, hard: float) -> None:
        """Record that a body starts in this slot; ``soft`` and ``hard`` are deadlines, 0 for none."""
        sequence = next(self._sequences)  # atomic: each slot has its own thread
        at = _HEADER_SIZE + slot * _SLOT_SIZE
        receipt_bytes, task_bytes = receipt.encode()[:_TEXT_SIZE], task_id.encode()[:_TEXT_SIZE]
        text = at + _TEXT_AT
        memory = self._memory
        memory[text : text + len(receipt_bytes)] = receipt_bytes
        text += _TEXT_SIZE
        memory[text : text + len(task_bytes)] = task_bytes
        sizes = len(receipt_bytes), len(task_bytes)
        _SLOT.pack_into(memory, at, 0, 0, sequence, time.monotonic(), soft, hard, *sizes)
        _SLOT_STATE.pack_into(memory, at, 1)

    def finish(self, slot: int) -> None:
        """Record that the slot is free."""
        _SLOT_STATE.pack_into(self._memory, _HEADER_SIZE + slot * _SLOT_SIZE, 0)

    def running(self) -> list[Running]:
        """Return what runs; a slot that changes at this moment is left out."""
        return [run for slot in range(self.slots) for run in self._read(slot)]

    def sentence(self, run: Running, verdict: Verdict) -> None:
        """Record why the process will be killed, for whoever reaps it."""
        at = _HEADER_SIZE + run.slot * _SLOT_SIZE + _VERDICT_AT
        _VERDICT.pack_into(self._memory, at, _VERDICTS.index(verdict) + 1, run.sequence & _LOW)

    def spare(self) -> None:
        """Record that the supervisor ends the process: what runs in it is not to blame, but for its verdicts."""
        _PID.pack_into(self._memory, _SPARED_AT, 1)

    @property
    def started(self) -> list[str]:
        """The receipts of what ran and may be blamed for the end of the process."""
        spared = _PID.unpack_from(self._memory, _SPARED_AT)[0]
        return [] if spared else [run.receipt for run in self.running()]

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What was said of the bodies that run, by receipt."""
        found = {}
        for run in self.running():
            at = _HEADER_SIZE + run.slot * _SLOT_SIZE + _VERDICT_AT
            code, sequence = _VERDICT.unpack_from(self._memory, at)
            if code and sequence == run.sequence & _LOW:
                found[run.receipt] = _VERDICTS[code - 1]
        return found

    def _read(self, slot: int) -> Iterator[Running]:
        at = _HEADER_SIZE + slot * _SLOT_SIZE
        memory = self._memory
        before = memory[at : at + _TEXT_AT]
        state, _, sequence, started, soft, hard, receipt_size, task_size = _SLOT.unpack(before[: _SLOT.size])
        if state != 1:
            return
        text = at + _TEXT_AT
        receipt = memory[text : text + receipt_size].decode("ascii", "replace")
        text += _TEXT_SIZE
        task_id = memory[text : text + task_size].decode("utf-8", "replace")
        if memory[at : at + _TEXT_AT] == before:
            yield Running(slot, sequence, receipt, task_id, started, soft, hard)

    def introduce(self, pid: int, consumer: str) -> None:
        """Record the process and its consumer id."""
        _PID.pack_into(self._memory, _PID_AT, pid)
        raw = consumer.encode()[:_TEXT_SIZE]
        self._memory[_CONSUMER_AT : _CONSUMER_AT + _TEXT_SIZE] = raw.ljust(_TEXT_SIZE, b"\0")

    def beat(self, executed: int) -> None:
        """Record that the consumer loop turns, and how many bodies have ended so far."""
        _BEAT.pack_into(self._memory, _BEAT_AT, time.monotonic(), executed)

    @property
    def consumer(self) -> str:
        """The consumer id; empty before the shard has registered."""
        return self._memory[_CONSUMER_AT : _CONSUMER_AT + _TEXT_SIZE].rstrip(b"\0").decode("ascii", "replace")

    @property
    def heartbeat(self) -> float:
        """When the consumer loop turned last, on the monotonic clock; 0 before the first turn."""
        beat: float = _BEAT.unpack_from(self._memory, _BEAT_AT)[0]
        return beat

    @property
    def executed(self) -> int:
        """How many bodies have ended in this process."""
        count: int = _BEAT.unpack_from(self._memory, _BEAT_AT)[1]
        return count

    @property
    def state(self) -> ShardState:
        """How far the shard is."""
        return ShardState(_PID.unpack_from(self._memory, _STATE_AT)[0])

    @state.setter
    def state(self, value: ShardState) -> None:
        _PID.pack_into(self._memory, _STATE_AT, value)

    @property
    def command(self) -> Command:
        """What the supervisor wants."""
        return Command(_PID.unpack_from(self._memory, _COMMAND_AT)[0])

    @command.setter
    def command(self, value: Command) -> None:
        _PID.pack_into(self._memory, _COMMAND_AT, value)

    def close(self) -> None:
        """Unmap; the file stays."""
        self._memory.close()

    def remove(self) -> None:
        """Unmap and delete the file; removing twice is harmless."""
        self._memory.close()
        self.path.unlink(missing_ok=True)
