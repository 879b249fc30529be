"""How a claim ends: settled by its owner, or given back when the owner is gone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from umbel.clock import Timestamp
from umbel.outcomes import Verdict
from umbel.transports.base import Burial, Reaped, Receipt
from umbel.transports.blame import Held, Sentence, judge, report
from umbel.transports.memory.deadletters import DeadLettersPart
from umbel.transports.memory.queues import QueuesPart
from umbel.transports.memory.state import Message, MessageState

__all__ = ["SettlementPart"]


class SettlementPart(QueuesPart, DeadLettersPart):
    """Settling, isolating, reaping."""

    def ack(self, receipts: Sequence[Receipt]) -> Collection[Receipt]:
        """Remove claimed messages for good; return the fenced."""
        return self._settle(receipts, self._state.drop)

    def release(self, receipts: Sequence[Receipt], *, visible_at: Timestamp | None = None) -> Collection[Receipt]:
        """Give claimed messages back to their old place; return the fenced."""
        now = self._clock.now()

        def give_back(message: Message) -> None:
            if visible_at is not None:
                message.envelope = replace(message.envelope, visible_at=visible_at)
            message.queue.add(message, now)

        fenced = self._settle(receipts, give_back)
        self._state.bell.ring()
        return fenced

    def dead_letter(self, burials: Sequence[Burial]) -> Collection[Receipt]:
        """Move claimed messages to the dead letters; return the fenced."""
        orders = {burial.receipt: burial for burial in burials}

        def bury(message: Message) -> None:
            burial = orders[message.receipt]
            self._add_letter(
                message.queue.name,
                message.envelope,
                (burial.reason, burial.error),
                deliveries=message.deliveries,
                crashes=message.crashes,
            )
            self._state.drop(message)

        return self._settle(list(orders), bury)

    def park(self, receipts: Sequence[Receipt]) -> Collection[Receipt]:
        """Set claimed messages aside; return the fenced."""

        def set_aside(message: Message) -> None:
            message.state, message.owner, message.alone = MessageState.PARKED, None, False

        return self._settle(receipts, set_aside)

    def unpark(self, queue: str, tasks: Collection[str]) -> int:
        """Make the parked messages of these tasks ready, in their old place; return how many."""
        now = self._clock.now()
        with self._state.lock:
            target = self._state.queues.get(queue)
            parked = target.in_state(MessageState.PARKED) if target else []
            known = [message for message in parked if message.envelope.task in tasks]
            for message in known:
                message.queue.enqueue(message, now)
        if known:
            self._state.bell.ring()
        return len(known)

    def isolate(self, receipt: Receipt) -> bool:
        """Record that this claim is about to run alone; False when it is fenced."""
        with self._state.lock:
            message = self._state.owned(receipt)
            if message is None:
                return False
            message.alone = True
            return True

    def crash(self, receipt: Receipt, *, crash_limit: int = 3) -> Reaped:
        """Release one claim whose body's own process died alone, counting a crash."""
        with self._state.lock:
            message = self._state.owned(receipt)
            held = [message] if message is not None else []
            sentences = self._carry_out(held, started=[receipt], verdicts=None, crash_limit=crash_limit)
        self._state.bell.ring()
        return report(sentences)

    def reap(
        self,
        consumer: str,
        *,
        started: Collection[Receipt] | None,
        verdicts: Mapping[Receipt, Verdict] | None = None,
        crash_limit: int = 3,
    ) -> Reaped:
        """Release everything that a dead consumer held, forget it, and delete the queues that it owned."""
        with self._state.lock:
            if self._state.consumers.pop(consumer, None) is None:
                return Reaped()
            held = [message for message in self._state.messages.values() if message.owner == consumer]
            sentences = self._carry_out(held, started=started, verdicts=verdicts, crash_limit=crash_limit)
            for queue in [item for item in self._state.queues.values() if item.options.owner == consumer]:
                self._drop_queue(queue.name)
        self._state.bell.ring()
        return report(sentences)

    def _carry_out(
        self,
        held: Sequence[Message],
        *,
        started: Collection[Receipt] | None,
        verdicts: Mapping[Receipt, Verdict] | None,
        crash_limit: int,
    ) -> list[Sentence]:
        now = self._clock.now()
        by_receipt = {message.receipt: message for message in sorted(held, key=lambda message: message.number)}
        sentences = judge(
            [_held(message) for message in by_receipt.values()],
            started=started,
            verdicts=verdicts,
            crash_limit=crash_limit,
        )
        for sentence in sentences:
            message = by_receipt[sentence.held.receipt]
            message.crashes, message.suspect, message.verdict = sentence.crashes, sentence.suspect, sentence.verdict
            message.owner, message.alone = None, False
            message.queue.enqueue(message, now)
        return sentences

    def _settle(self, receipts: Sequence[Receipt], action: Callable[[Message], None]) -> list[Receipt]:
        fenced = []
        with self._state.lock:
            for receipt in dict.fromkeys(receipts):
                message = self._state.owned(receipt)
                if message is None:
                    fenced.append(receipt)
                else:
                    action(message)
        return fenced


def _held(message: Message) -> Held:
    return Held(
        message.receipt,
        message.envelope.task_id,
        message.crashes,
        message.suspect,
        message.alone,
        message.verdict,
    )
