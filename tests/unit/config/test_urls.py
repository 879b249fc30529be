from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbel.config.urls import Url, hide, holds_secret, is_secret_name

SECRETS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=6, max_size=20)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://:geheim@host:6379/1", "redis://:***@host:6379/1"),
        ("amqps://shop:geheim@host//vhost", "amqps://shop:***@host//vhost"),
        ("redis://:ge/he@im@host/1", "redis://:***@host/1"),
        ("redis://a:geheim@one/1;redis://b:geheim@two/1", "redis://a:***@one/1;redis://b:***@two/1"),
        ("redis://host/1?password=geheim&db=2", "redis://host/1?password=***&db=2"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("sqlite:////data/a:b@c.db", "sqlite:////data/a:b@c.db"),
        ("not a url: x@y", "not a url: x@y"),
    ],
)
def test_the_password_of_a_url_is_hidden_and_nothing_else(url, masked):
    assert hide(url) == Url(url).masked == masked
    assert "geheim" not in repr(Url(url))
    assert holds_secret(url) == (masked != url)


@given(SECRETS)
def test_credentials_of_any_letters_come_back_from_the_url(secret):
    url = Url("redis://host:6379/1").with_credentials("us:er@", secret)
    assert url.has_password
    assert secret not in url.masked
    assert Url("redis://host:6379/1") == url.replace(url[len("redis://") : url.index("@") + 1], "")


def test_credentials_go_into_every_part_of_a_failover_list():
    url = Url("redis://one/1;redis://two/1").with_credentials(None, "a/b")
    assert url == "redis://:a%2Fb@one/1;redis://:a%2Fb@two/1"


def test_a_password_joins_the_user_name_that_the_url_has():
    assert Url("amqp://shop@host//").with_credentials(None, "x") == "amqp://shop:x@host//"


def test_a_url_without_new_credentials_is_unchanged():
    assert Url("sqlite:///umbel.db").with_credentials(None, None) == "sqlite:///umbel.db"


@pytest.mark.parametrize("name", ["broker_password", "passwd", "s3_secret_access_key", "api_key", "auth_token"])
def test_names_of_secrets_are_known(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["s3_access_key_id", "task_routes", "username", "security_key"])
def test_names_of_other_things_are_not_secrets(name):
    assert not is_secret_name(name)
