"""``umbel deadletters``: what will not be retried; look at it, replay it, discard it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from umbel.cli.catalogue import InOrder
from umbel.cli.parameters import COUNT, DURATION, RATE
from umbel.cli.session import Session
from umbel.outcomes import Reason

if TYPE_CHECKING:
    from umbel.cli.rendering.output import Output
    from umbel.control.deadletters import Selection
    from umbel.transports.base import Store

__all__ = ["deadletters"]

F = TypeVar("F", bound=Callable[..., Any])
_REASONS = click.Choice([reason.value for reason in Reason])
_SHOWN = 50
"""How many letters ``list`` shows unless told otherwise."""


def filters(*, limit: int | None) -> Callable[[F], F]:
    """Add the options that choose letters; the command gets them as one ``selection``."""

    def decorate(function: F) -> F:
        @wraps(function)
        def command(*positional: Any, **options: Any) -> Any:  # noqa: ANN401 - click's values
            return function(*positional, selection=_taken_from(options), **options)

        decorated = command
        for option in reversed(_filter_options(limit)):
            decorated = option(decorated)
        return cast("F", decorated)

    return decorate


def choosing(function: F) -> F:
    """Add what replay and discard share: ids or filters, --all, --limit, --dry-run and --yes."""
    options = (
        click.argument("ids", nargs=-1, metavar="[ID]..."),
        filters(limit=None),
        click.option("--all", "everything", is_flag=True, help="All dead letters, without a filter."),
        click.option("--dry-run", is_flag=True, help="Say how many it would be, and do nothing."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _filter_options(limit: int | None) -> tuple[Callable[..., Any], ...]:
    return (
        click.option("--task", metavar="NAME", help="Only of this task."),
        click.option("--task-id", metavar="ID", help="Only of the task with this id."),
        click.option("--queue", metavar="NAME", help="Only from this queue."),
        click.option("--reason", type=_REASONS, metavar="REASON", help=f"Only dead for this: {', '.join(Reason)}."),
        click.option("--error", "error_code", metavar="CODE", help="Only with this error code."),
        click.option("--older-than", type=DURATION, help='Only dead for longer, as "2h" or "1d 12h".'),
        click.option("--newer-than", type=DURATION, help="Only dead for less long."),
        click.option(
            "--limit",
            type=COUNT,
            default=limit,
            show_default=limit is not None,
            metavar="N",
            help="At most N, the newest.",
        ),
    )


def _taken_from(options: dict[str, Any]) -> Selection:
    """Take the options of a selection out of a command's values."""
    from umbel.control.deadletters import Selection

    reason = options.pop("reason")
    return Selection(
        ids=tuple(dict.fromkeys(options.pop("ids", ()))),
        queue=options.pop("queue"),
        task=options.pop("task"),
        task_id=options.pop("task_id"),
        reason=Reason(reason) if reason else None,
        error_code=options.pop("error_code"),
        older_than=options.pop("older_than"),
        newer_than=options.pop("newer_than"),
        limit=options.pop("limit"),
    )


@click.group(cls=InOrder, invoke_without_command=True)
@click.pass_context
def deadletters(context: click.Context) -> None:
    """List, replay or discard what failed.

    A dead letter is a message that will not be retried, kept whole with its failure.
    Without a command, lists the newest.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@deadletters.command("list")
@filters(limit=_SHOWN)
@click.pass_obj
def list_command(session: Session, /, *, selection: Selection) -> None:
    """List dead letters, newest first (the default)."""
    from umbel.cli.rendering.letters import letters_table
    from umbel.cli.rendering.output import Output
    from umbel.control.deadletters import list_dead_letters

    out = Output(session)
    with session.store() as store:
        page = list_dead_letters(store, selection)
    if out.document({"dead_letters": page.letters, "matching": page.matching}):
        return
    if not page.letters:
        narrowed = not selection.everything
        out.remark("No dead letter matches." if narrowed else "No dead letters: nothing has failed for good.")
        return
    out.show(letters_table(page.letters, width=out.width))
    if page.matching > len(page.letters):
        out.remark(f"\nThe newest {len(page.letters)} of {page.matching}; --limit shows more.")


@deadletters.command()
@click.argument("letter_id", metavar="ID")
@click.pass_obj
def show(session: Session, letter_id: str) -> None:
    """Show one dead letter whole.

    Its failure, its arguments as far as they can be read, and its headers.
    """
    from umbel.cli.rendering.letters import letter_lines
    from umbel.cli.rendering.output import Output
    from umbel.control.deadletters import show_dead_letter

    out = Output(session)
    with session.store() as store:
        detail = show_dead_letter(store, letter_id)
    if not out.document(detail):
        out.lines(letter_lines(detail))


@deadletters.command()
@choosing
@click.option("--rate", type=RATE, metavar="N/s", help='At most so many, as "50/s" or "100/m".')
@click.pass_obj
def replay(
    session: Session,
    /,
    *,
    selection: Selection,
    rate: float | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Put dead letters back into their queues.

    Choose them by ID or by the filters, or say --all. They run again as new attempts, the
    oldest first, with no retries spent. One that fails again becomes a new dead letter.
    """
    from umbel.cli.rendering.output import Output
    from umbel.control.deadletters import replay_dead_letters

    out = Output(session)
    _refuse_vague(selection, verb="replay", everything=everything)
    with session.store() as store:
        picked = _pick(out, store, selection, verb="replay", dry_run=dry_run)
        if not picked:
            return
        pace = f" at {rate:g} a second" if rate else ""
        out.confirm(f"Replay {_letters(len(picked))}{pace}?", yes=yes)
        with out.progress("Replaying", "replayed", len(picked)) as progress:
            replayed = replay_dead_letters(store, picked, rate=rate, progress=progress)
    if out.document(replayed):
        return
    out.say(f"Replayed {_letters(len(replayed.tasks))}.")
    if replayed.gone:
        out.remark(f"{_letters(len(replayed.gone))} had been handled by somebody else meanwhile.")


@deadletters.command()
@choosing
@click.pass_obj
def discard(
    session: Session,
    /,
    *,
    selection: Selection,
    everything: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove dead letters for good.

    Choose them by ID or by the filters, or say --all. This cannot be undone.
    """
    from umbel.cli.rendering.output import Output
    from umbel.control.deadletters import discard_dead_letters

    out = Output(session)
    _refuse_vague(selection, verb="discard", everything=everything)
    with session.store() as store:
        picked = _pick(out, store, selection, verb="discard", dry_run=dry_run)
        if not picked:
            return
        out.confirm(f"Discard {_letters(len(picked))} for good?", yes=yes)
        with out.progress("Discarding", "discarded", len(picked)) as progress:
            discarded = discard_dead_letters(store, picked, progress=progress)
    if not out.document(discarded):
        out.say(f"Discarded {_letters(discarded.removed)}.")


def _refuse_vague(selection: Selection, *, verb: str, everything: bool) -> None:
    if selection.everything and not everything:
        raise click.UsageError(f"which dead letters? Give ids or a filter, or --all to {verb} every one")
    if everything and not selection.everything:
        raise click.UsageError("--all means every dead letter: leave it out, or the ids and filters")


def _pick(out: Output, store: Store, selection: Selection, *, verb: str, dry_run: bool) -> tuple[str, ...]:
    """Return the letters to work on; empty when there is nothing to do, which has been said then."""
    from umbel.control.deadletters import choose_dead_letters

    picked = choose_dead_letters(store, selection)
    if picked and not dry_run:
        return picked
    if not out.document({"matching": len(picked), "ids": picked}):
        out.say(f"Would {verb} {_letters(len(picked))}." if picked else "No dead letter matches.")
    return ()


def _letters(number: int) -> str:
    return f"{number:,} dead letter{'s' * (number != 1)}".replace(",", " ")
