"""One suite for every store: a store is finished when it passes.

Say how a handle on your store is opened, and inherit the suite::

    from collections.abc import Callable
    import pytest
    from umbel.testing.contract import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def opener(self, tmp_path):
            def opener(clock, host):
                options = {} if host is None else {"host": host}
                return MyStore(tmp_path / "store", clock=clock, options=options)
            return opener

Handles that one ``opener`` gives share their data. ``host`` None is this host; another name makes the
handle a stranger, whose consumers are alive by their lease alone. ``ProcessContract`` adds real
processes and SIGKILL, for stores that live outside the process. :func:`store_machine` makes the same
promises a stateful model for hypothesis, which looks for the order of calls that breaks them.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "umbel.testing.contract.binding",
    "umbel.testing.contract.burying",
    "umbel.testing.contract.claiming",
    "umbel.testing.contract.inspecting",
    "umbel.testing.contract.machine",
    "umbel.testing.contract.presence",
    "umbel.testing.contract.processes",
    "umbel.testing.contract.publishing",
    "umbel.testing.contract.races",
    "umbel.testing.contract.reaping",
    "umbel.testing.contract.settling",
    "umbel.testing.contract.waking",
)

from umbel.testing.contract.binding import BindingContract
from umbel.testing.contract.burying import BuryingContract
from umbel.testing.contract.claiming import ClaimingContract
from umbel.testing.contract.handles import Handles, Opener
from umbel.testing.contract.inspecting import InspectingContract
from umbel.testing.contract.machine import StoreMachine, store_machine
from umbel.testing.contract.messages import message, messages, task_ids
from umbel.testing.contract.presence import PresenceContract
from umbel.testing.contract.processes import ProcessContract
from umbel.testing.contract.publishing import PublishingContract
from umbel.testing.contract.races import RaceContract
from umbel.testing.contract.reaping import ReapingContract
from umbel.testing.contract.settling import SettlingContract
from umbel.testing.contract.waking import WakingContract

__all__ = [
    "BindingContract",
    "BuryingContract",
    "ClaimingContract",
    "Handles",
    "InspectingContract",
    "Opener",
    "PresenceContract",
    "ProcessContract",
    "PublishingContract",
    "RaceContract",
    "ReapingContract",
    "SettlingContract",
    "StoreContract",
    "StoreMachine",
    "WakingContract",
    "message",
    "messages",
    "store_machine",
    "task_ids",
]


class StoreContract(
    PublishingContract,
    ClaimingContract,
    SettlingContract,
    ReapingContract,
    PresenceContract,
    BuryingContract,
    InspectingContract,
    BindingContract,
    WakingContract,
    RaceContract,
):
    """Everything that :mod:`umbel.transports.base` promises, within one process."""
