from __future__ import annotations

from datetime import timedelta

import pytest
from celery import Celery

from umbel.config import Settings
from umbel.config.celery import translate
from umbel.config.differences import REASONS, differences

PLACES = {
    "broker_url",
    "broker_transport_options",
    "result_backend",
    "result_backend_transport_options",
    "task_default_queue",
}


@pytest.fixture
def app():
    return Celery("theirs", set_as_current=False)


def test_a_plain_app_differs_in_what_is_unsafe(app):
    found = {item.key: (item.app_value, item.umbel_value) for item in differences(app.conf, Settings())}
    assert found["task_acks_late"] == (False, True)
    assert found["task_time_limit"] == (None, 300)
    assert found["result_expires"] == (timedelta(days=1), 3600)
    assert "accept_content" not in found
    assert "timezone" not in found


def test_an_app_that_has_adopted_everything_differs_in_nothing(app):
    app.conf.update(translate(Settings()))
    assert differences(app.conf, Settings()) == ()


def test_adopting_each_difference_ends_it(app):
    for item in differences(app.conf, Settings()):
        app.conf[item.key] = item.umbel_value
    assert differences(app.conf, Settings()) == ()


def test_what_somebody_chose_is_told_from_celerys_default(app):
    app.conf.task_time_limit = 60
    found = {item.key: item.chosen for item in differences(app.conf, Settings())}
    assert found["task_time_limit"]
    assert not found["task_acks_late"]


def test_another_form_of_the_same_value_is_no_difference(app):
    app.conf.result_expires = timedelta(hours=1)
    app.conf.timezone = "utc"
    app.conf.result_accept_content = ("json",)
    keys = {item.key for item in differences(app.conf, Settings())}
    assert not keys & {"result_expires", "timezone", "result_accept_content"}


def test_where_things_are_kept_is_no_difference(app):
    app.conf.update(broker_url="redis://:geheim@h/3", result_backend="rpc://", task_default_queue="theirs")
    assert not PLACES & {item.key for item in differences(app.conf, Settings())}


def test_everything_that_we_set_has_a_reason():
    assert set(REASONS) == set(translate(Settings())) - PLACES
