"""Celery's and kombu's private names: the only module that touches them.

What stays true: every private name that Umbel leans on stands in :data:`SEAMS`, and
:func:`verify` looks at each one at start-up, so that a release of Celery which moved one is refused
with a clear error instead of failing in the middle of a task.

To use another private name: add its seam to the table and a small named function below.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from typing import Any

from umbel.errors import UnsupportedError

__all__ = [
    "SEAMS",
    "SUPPORTED",
    "Seam",
    "SettingOption",
    "fail_signatures",
    "find_app",
    "publish_callback",
    "remember_result",
    "result_schemes",
    "setting_options",
    "setup_worker_optimizations",
    "transport_schemes",
    "verify",
]

SUPPORTED = {"celery": "5.7", "kombu": "5.7"}
"""The release series that the seams were read in; any patch release of it will do."""


@dataclass(frozen=True, slots=True)
class Seam:
    """A private name. ``path`` is ``module:attribute.attribute``; ``parameters`` are the names of
    those parameters that we pass or override, in order (None: it is not called). ``sets`` are the
    attributes of instances that its code sets and we use.
    """

    path: str
    parameters: tuple[str, ...] | None = None
    sets: tuple[str, ...] = ()


SEAMS: tuple[Seam, ...] = (
    Seam("celery.app.base:Celery._task_from_fun", ("self", "fun", "name", "base", "bind")),
    Seam("celery.app.backends:BACKEND_ALIASES"),
    Seam("celery.app.defaults:NAMESPACES"),
    Seam("celery.app.trace:setup_worker_optimizations", ("app", "hostname")),
    Seam("celery.app.utils:find_app", ("app",)),
    Seam("celery.app.defaults:flatten", ("d", "root", "keyfilter")),
    Seam("celery.app.amqp:AMQP._retry_publish", ("self", "publish")),
    Seam("celery.backends.base:Backend._fail_chain", ("self", "chain", "exc", "traceback")),
    Seam("celery.backends.base:BaseKeyValueStoreBackend._get_task_meta_for", ("self", "task_id")),
    Seam("celery.backends.base:Backend._ensure_retryable", ("self", "func")),
    Seam("celery.backends.base:BaseKeyValueStoreBackend._save_group", ("self", "group_id", "result")),
    Seam("celery.backends.base:BaseKeyValueStoreBackend._restore_group", ("self", "group_id")),
    Seam("celery.backends.base:BaseKeyValueStoreBackend._delete_group", ("self", "group_id")),
    Seam("celery.backends.base:Backend._forget", ("self", "task_id")),
    Seam("celery.result:AsyncResult._maybe_set_cache", ("self", "meta")),
    Seam("kombu.transport:TRANSPORT_ALIASES"),
    Seam("kombu.message:Message._state"),
    Seam("kombu.message:Message._decoded_cache"),
    Seam("celery.app.autoretry:add_autoretry_behaviour", ("task",), sets=("_orig_run",)),
    Seam("celery.app.base:Celery.__init__", sets=("_pending", "_tasks")),
    Seam("celery.app.trace:task_has_custom", ("task", "attr")),
    Seam("celery.worker.request:Request._context"),
    Seam("celery.worker.request:Request._body"),
    Seam("celery.worker.request:Request._decoded"),
    Seam("celery.worker.request:Request._payload"),
    Seam("celery.worker.request:Request._success_was_stored", ("self",)),
    Seam("celery.worker.request:Request._retry_worker_lost", ("self", "exc", "exc_info")),
    Seam("celery.worker.strategy:hybrid_to_proto2", ("message", "body")),
    Seam("celery.worker.strategy:proto1_to_proto2", ("message", "body")),
    Seam("celery.local:PromiseProxy.__then__", ("self", "fun")),
)


def verify() -> None:
    """Check the installed Celery and kombu against the supported series and every seam.

    Raises:
        UnsupportedError: a series differs, or a seam is missing or has other parameters.
    """
    for package, series in SUPPORTED.items():
        _check_series(package, series, version(package))
    for seam in SEAMS:
        _check_seam(seam)


def _check_series(package: str, series: str, found: str) -> None:
    if found.split(".")[:2] != series.split("."):
        raise UnsupportedError(
            f"{package}: expected a {series}.x release, found {found}",
            hint=f'pip install "{package}~={series}.0", or a Umbel that supports {found}',
            package=package,
            found=found,
        )


def _check_seam(seam: Seam) -> None:
    try:
        target = pkgutil.resolve_name(seam.path)
    except (AttributeError, ImportError) as problem:
        raise _moved(seam, "it is missing") from problem
    missing = [name for name in seam.sets if name not in target.__code__.co_names]
    if missing:
        raise _moved(seam, f"it does not set {', '.join(missing)}")
    if seam.parameters is None:
        return
    found = tuple(inspect.signature(target).parameters)
    if found[: len(seam.parameters)] != seam.parameters:
        raise _moved(seam, f"its parameters are {', '.join(found)}")


def _moved(seam: Seam, finding: str) -> UnsupportedError:
    package = seam.path.partition(".")[0]
    return UnsupportedError(
        f"{seam.path}: expected as in {package} {SUPPORTED[package]}, but in {version(package)} {finding}",
        hint=f"install another {package} {SUPPORTED[package]}.x, or upgrade Umbel",
        seam=seam.path,
    )


@dataclass(frozen=True, slots=True)
class SettingOption:
    """What Celery knows of one of its settings. ``old`` are its names before Celery 4, in capitals."""

    name: str
    type: str
    default: Any
    old: frozenset[str]


@cache
def setting_options() -> dict[str, SettingOption]:
    """Return Celery's settings by their lowercase names."""
    from celery.app.defaults import NAMESPACES, flatten  # noqa: PLC0415 - Celery is imported when it is first needed

    return {name: _setting(name, option, grouped=NAMESPACES) for name, option in flatten(NAMESPACES)}


def transport_schemes() -> frozenset[str]:
    """Return the URL schemes that kombu, or who registered with it, has a transport for."""
    from kombu.transport import TRANSPORT_ALIASES  # noqa: PLC0415 - as above

    return frozenset(TRANSPORT_ALIASES)


def result_schemes() -> frozenset[str]:
    """Return the URL schemes that Celery itself has a result backend for."""
    from celery.app.backends import BACKEND_ALIASES  # noqa: PLC0415 - as above

    return frozenset(BACKEND_ALIASES)


def _setting(name: str, option: Any, *, grouped: dict[str, Any]) -> SettingOption:  # noqa: ANN401 - Celery's untyped Option
    kind = option.type if isinstance(option.type, str) else option.type.__name__
    group, _, rest = name.partition("_")
    key = rest if isinstance(grouped.get(group), dict) else name
    old = {text.format(key).upper() for text in option.old} | {name.upper(), f"CELERY_{name.upper()}"}
    return SettingOption(name=name, type=kind, default=option.default, old=frozenset(old))


def find_app(spec: str) -> Any:  # noqa: ANN401 - celery is untyped
    """Return the application that ``module:attribute`` or ``module`` names, as `celery -A` finds it.

    Raises what importing raises; an AttributeError when the module has no such attribute (Celery's own
    answer is then that there is no module of the whole name).
    """
    from celery.app.utils import find_app as find  # noqa: PLC0415 - as above

    try:
        return find(spec)
    except ModuleNotFoundError as problem:
        module, _, attribute = spec.partition(":")
        if attribute and problem.name == spec:
            raise AttributeError(f"module {module!r} has no attribute {attribute!r}") from problem
        raise


def publish_callback(app: Any, publish: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401 - celery is untyped
    """Publish what follows a task, with the retries that Celery grants to callbacks."""
    return app.amqp._retry_publish(publish, *args, **options)


def fail_signatures(backend: Any, signatures: Sequence[Any], error: BaseException) -> None:  # noqa: ANN401 - celery is untyped
    """Store the failure of tasks that will never run, and let it reach the chords that they are parts of."""
    backend._fail_chain(signatures, error)


def remember_result(result: Any, meta: dict[str, Any]) -> None:  # noqa: ANN401 - celery is untyped
    """Let an ``AsyncResult`` know its metadata, and fulfil its promise when the task is ready."""
    result._maybe_set_cache(meta)


def setup_worker_optimizations(app: Any, hostname: str) -> None:  # noqa: ANN401 - celery is untyped
    """Do what Celery's own worker program does before its first task: the fast tracer, the default app."""
    from celery.app.trace import setup_worker_optimizations as setup  # noqa: PLC0415 - as above

    setup(app, hostname)


def registered_tasks(app: Any) -> list[Any]:  # noqa: ANN401 - celery is untyped
    """Return the tasks that the app has so far, without finalizing it as ``app.tasks`` would."""
    return list(app._tasks.values())


def pending_tasks(app: Any) -> list[Any]:  # noqa: ANN401 - celery is untyped
    """Return the proxies of decorated tasks that the app has not built yet."""
    return list(app._pending)


def when_built(proxy: Any, callback: Callable[[], None]) -> None:  # noqa: ANN401 - celery is untyped
    """Call back once a pending task has been built; at once when it has been."""
    proxy.__then__(callback)


def intercept_task_building(app: Any, build: Callable[..., Any]) -> None:  # noqa: ANN401 - celery is untyped
    """Let this one app build its tasks with ``build(original, fun, **options)``."""
    original = app._task_from_fun
    app._task_from_fun = partial(build, original)


def autoretried_body(task: Any) -> Callable[..., Any] | None:  # noqa: ANN401 - celery is untyped
    """Return the body inside the wrapper of ``autoretry_for``; None when the task has none."""
    return getattr(task, "_orig_run", None)


def replace_autoretried_body(task: Any, body: Callable[..., Any]) -> None:  # noqa: ANN401 - celery is untyped
    """Put another body inside the wrapper of ``autoretry_for``."""
    task._orig_run = body


def overrides(task: Any, method: str) -> bool:  # noqa: ANN401 - celery is untyped
    """Return whether the task has a hook of its own; only then does Celery call it."""
    from celery.app.trace import task_has_custom  # noqa: PLC0415 - as above

    return bool(task_has_custom(task, method))


def context_of(request: Any) -> Any:  # noqa: ANN401 - celery is untyped
    """Return the :class:`celery.app.task.Context` of a worker's request."""
    return request._context


def success_was_stored(request: Any) -> Any:  # noqa: ANN401 - celery is untyped
    """Return the stored metadata when the task of a worker's request has succeeded before, else False."""
    from celery.worker.request import Request  # noqa: PLC0415 - as above

    return Request._success_was_stored(request)


def retry_worker_lost(request: Any, error: BaseException, info: Any) -> bool:  # noqa: ANN401 - celery is untyped
    """Publish the task again because its process died, if ``retry_on_worker_lost`` can; return whether it did."""
    from celery.worker.request import Request  # noqa: PLC0415 - as above

    return bool(Request._retry_worker_lost(request, error, info))


def make_request(kind: Callable[..., Any], message: Any, payload: Any, *, task: Any, consumer: Any) -> Any:  # noqa: ANN401 - celery is untyped
    """Make a worker's request of a message, as Celery's default strategy does, for every protocol.

    ``payload`` is the decoded body of a message of the first protocol, else None.
    """
    from celery.worker.strategy import hybrid_to_proto2, proto1_to_proto2  # noqa: PLC0415 - as above

    body, headers, decoded, utc = message.body, message.headers, False, consumer.app.uses_utc_timezone()
    if payload is not None:
        body, headers, decoded, utc = proto1_to_proto2(message, payload)
    elif "args" in message.payload:
        body, headers, decoded, utc = hybrid_to_proto2(message, message.payload)
    return kind(
        message,
        on_ack=message.ack_log_error,
        on_reject=message.reject_log_error,
        app=consumer.app,
        hostname=consumer.hostname,
        eventer=consumer.event_dispatcher,
        task=task,
        connection_errors=consumer.connection_errors,
        body=body,
        headers=headers,
        decoded=decoded,
        utc=utc,
    )


def mark_acknowledged(message: Any) -> None:  # noqa: ANN401 - kombu is untyped
    """Tell kombu's message that it is settled, when its channel was told directly."""
    message._state = "ACK"


def mark_requeued(message: Any) -> None:  # noqa: ANN401 - kombu is untyped
    """Tell kombu's message that it went back, when its channel was told directly."""
    message._state = "REQUEUED"


def was_decoded(message: Any) -> bool:  # noqa: ANN401 - kombu is untyped
    """Return whether the body has been decoded already, so that looking at it again costs nothing."""
    return message._decoded_cache is not None


def resolve(name: Any) -> Any:  # noqa: ANN401 - celery is untyped
    """Return what a dotted name stands for; anything else is returned as it is."""
    from celery.utils.imports import symbol_by_name  # noqa: PLC0415 - as above

    return symbol_by_name(name)


def decode_once(request: Any) -> None:  # noqa: ANN401 - Celery's Request
    """Let the tracer use the body that the request has decoded already; only where both are in one process."""
    payload = request._payload
    if not request._decoded and isinstance(payload, list | tuple):
        request._body = payload
        request._content_type = request._content_encoding = None


def tracer_of(task: Any) -> Callable[..., Any]:  # noqa: ANN401 - any Celery task
    """Return the tracer that the worker has built for a task."""
    tracer: Callable[..., Any] = task.__trace__
    return tracer


def has_own_strategy(task: Any) -> bool:  # noqa: ANN401 - any Celery task
    """Return whether a task's messages are handled by Celery's own strategy."""
    return bool(task.Strategy == "celery.worker.strategy:default")


def accepts_json(app: Any) -> bool:  # noqa: ANN401 - celery is untyped
    """Return whether the app accepts JSON bodies."""
    from kombu.serialization import prepare_accept_content  # noqa: PLC0415 - as above

    return "application/json" in prepare_accept_content(app.conf.accept_content)
