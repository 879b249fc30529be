"""What all commands of one command line share: which app, which broker, how to speak.

The shared options stand before the command or after it, as the operator likes: every command
gets them too (:func:`share`), and both write into the one :class:`Session`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from umbel.errors import UnsupportedError

if TYPE_CHECKING:
    from umbel.control.brokers import Broker
    from umbel.transports.base import Store

__all__ = ["Session", "share", "shared_options"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """The shared options of one command line. ``app`` is set when Celery has loaded it already."""

    app_spec: str | None = None
    app: Any = None
    config_dir: Path | None = None
    broker: str | None = None
    json: bool = False
    no_color: bool = False
    debug: bool = False
    _found: Broker | None = None

    def colours(self, stream: IO[str]) -> bool:
        """Return whether this stream may carry colours."""
        return not self.no_color and not os.environ.get("NO_COLOR") and stream.isatty()

    def require_app(self, purpose: str) -> str:
        """Return the app as ``module:attribute``; a usage error names the remedy."""
        if self.app_spec:
            return self.app_spec
        raise click.UsageError(f"{purpose} needs an app: umbel -A module:app {purpose}", click.get_current_context())

    def broker_found(self) -> Broker:
        """Return the broker that is meant: of ``--broker``, the app, or the configuration."""
        from umbel.control.brokers import find_broker

        if self._found is None:
            self._found = find_broker(url=self.broker, app=self.app or self.app_spec, config_dir=self.config_dir)
        return self._found

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the broker's store for one command.

        Raises:
            UnsupportedError: the broker lives in the memory of another process.
        """
        broker = self.broker_found()
        if broker.url.startswith("memory:"):
            raise UnsupportedError(
                f"expected a broker that processes share, found {broker.url}",
                hint="memory:// lives and ends with one process; sqlite:///umbel.db is seen by all of the host",
                url=broker.url,
            )
        store = broker.open()
        try:
            yield store
        finally:
            store.close()


def _into(field: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that writes a given value into the session and leaves a default alone."""

    def write(context: click.Context, _: click.Parameter, value: Any) -> Any:  # noqa: ANN401 - any option
        if value is not None and value is not False:
            setattr(context.ensure_object(Session), field, value)
        return value

    return write


def _option(*names: str, field: str, **settings: Any) -> click.Option:  # noqa: ANN401 - what click.Option takes
    return click.Option([*names], expose_value=False, callback=_into(field), **settings)


def _options(*, hidden: bool) -> list[click.Option]:
    """Make the shared options; after a command only ``--json`` is shown, to keep its help short."""
    env: dict[str, dict[str, Any]] = (
        {name: {} for name in ("app", "config")}
        if hidden
        else {
            "app": {"envvar": "UMBEL_APP", "show_envvar": True},
            "config": {"envvar": "UMBEL_CONFIG_DIR", "show_envvar": True},
        }
    )
    folder = click.Path(file_okay=False, path_type=Path)
    return [
        _option(
            "-A", "--app", field="app_spec", metavar="MODULE:APP", hidden=hidden, help="The Celery app.", **env["app"]
        ),
        _option(
            "--config-dir",
            field="config_dir",
            type=folder,
            metavar="DIR",
            hidden=hidden,
            help="The folder of default.toml. [default: config]",
            **env["config"],
        ),
        _option(
            "-b", "--broker", field="broker", metavar="URL", hidden=hidden, help="The broker, instead of the app's."
        ),
        _option("--json", field="json", is_flag=True, help="Print JSON; errors too, on stderr."),
        _option("-C", "--no-color", field="no_color", is_flag=True, hidden=hidden, help="Print without colours."),
        _option("--debug", field="debug", is_flag=True, hidden=hidden, help="Show tracebacks."),
    ]


def shared_options(function: F) -> F:
    """Decorate the root command with the shared options."""
    for option in reversed(_options(hidden=False)):
        function.__dict__.setdefault("__click_params__", []).append(option)
    return function


def share(command: click.Command) -> click.Command:
    """Give the command, and all below it, the shared options that it does not define itself."""
    taken = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    command.params.extend(option for option in _options(hidden=True) if not taken.intersection(option.opts))
    if isinstance(command, click.Group):
        for child in command.commands.values():
            share(child)
    return command
