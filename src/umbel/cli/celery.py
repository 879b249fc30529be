"""``celery -A module:app umbel COMMAND``: the same commands, for the app that Celery has loaded."""

from __future__ import annotations

import sys
from typing import Any

import click

from umbel.cli.catalogue import Catalogue
from umbel.cli.session import Session, shared_options

__all__ = ["umbel"]


class _Plugin(Catalogue):
    """Celery's own program is left with our exit codes: its last frame knows only click's."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command; every end becomes an exit code."""
        from umbel.cli.program import ending

        session = ctx.ensure_object(Session)
        _take_over(session, ctx.find_root())
        ctx.exit(ending(lambda: super(_Plugin, self).invoke(ctx), session))


def _take_over(session: Session, root: click.Context) -> None:
    """Take the options that stood before ``umbel``, which are Celery's."""
    spec = root.params.get("app")
    if session.app_spec is None:
        session.app = getattr(root.obj, "app", None)
        session.app_spec = spec if isinstance(spec, str) else None
    session.no_color = session.no_color or bool(getattr(root.obj, "no_color", False))
    session.json = session.json or "--json" in sys.argv


@click.command(cls=_Plugin, invoke_without_command=True)
@shared_options
@click.pass_context
def umbel(context: click.Context) -> None:
    """Umbel's commands: queues, workers, deadletters and more."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
