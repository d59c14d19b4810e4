"""What a Redis log's URL says, and what is said of a wrong one: never a password."""

from __future__ import annotations

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.web.redis_url import PREFIX, RedisUrl, mask, parse_redis_url


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("redis://h", RedisUrl("redis://h", PREFIX, "h:6379, database 0")),
        ("redis://h:7/3", RedisUrl("redis://h:7/3", PREFIX, "h:7, database 3")),
        (
            "redis://u:p%40@h/?prefix=a%3A",
            RedisUrl("redis://u:p%40@h/", "a:", "h:6379, database 0"),
        ),
        (
            "rediss://:p@[::1]:7/3?ssl_cert_reqs=none&prefix=a",
            RedisUrl("rediss://:p@[::1]:7/3?ssl_cert_reqs=none", "a", "[::1]:7, database 3"),
        ),
        (
            "unix:///run/redis.sock?db=2",
            RedisUrl("unix:///run/redis.sock?db=2", PREFIX, "/run/redis.sock, database 2"),
        ),
        ("unix://:p@/r.sock", RedisUrl("unix://:p@/r.sock", PREFIX, "/r.sock, database 0")),
    ],
)
def test_a_url_says_where_the_log_is(setting, expected):
    """The prefix is ours and is taken out; what people are told holds no password."""
    assert expected == parse_redis_url(setting)


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("redis:h", "must begin with redis://"),
        ("redis://", "names no host"),
        ("redis://:6379/0", "names no host"),
        ("redis://h:x", "number from 1 to 65535 as its port"),
        ("redis://h:65536", "number from 1 to 65535 as its port"),
        ("redis://h:0", "number from 1 to 65535 as its port"),
        ("redis://h/chat", "a number as its database"),
        ("redis://h/-1", "a number as its database"),
        ("redis://h/0?retention=1", "unknown parameter 'retention'"),
        ("redis://h/0?ssl_cert_reqs=none", "unknown parameter 'ssl_cert_reqs'"),
        ("redis://h/0?prefix={a}", "has a brace in its prefix"),
        ("redis://h/0?prefix=", "says nothing for its parameter 'prefix'"),
        ("redis://h/0#1", "has a '#'"),
        ("redis://[::1", "is no URL"),
        ("unix://", "names no socket"),
        ("unix:///r.sock?db=a", "a number as its database"),
    ],
)
def test_a_wrong_url_is_told_with_the_forms_there_are(setting, what):
    """In one sentence."""
    with pytest.raises(ConfigurationError, match="use redis://HOST:PORT/DATABASE") as refused:
        parse_redis_url(setting)
    assert what in str(refused.value)


@pytest.mark.parametrize(
    "setting",
    [
        "redis://user:secret@h:x",
        "redis://:secret@h/chat",
        "redis://:se/secret@h",
        "redis://:s@secret@h:x",
        "redis:secret@h",
        "redis://user:secret",
        "redis://h?password=secret",
        "unix://:secret@?db=x",
        "rediss://secret@h:0",
    ],
)
def test_p10_no_error_names_a_password(setting):
    """However the URL is wrong."""
    with pytest.raises(ConfigurationError) as refused:
        parse_redis_url(setting)
    assert "secret" not in str(refused.value)
    assert "***" in str(refused.value)


@pytest.mark.parametrize(
    "setting",
    ["postgres", "sqlite:", "sqlite:/var/log.db", "redis://[::1]:6379/0", "redis://h:7/1"],
)
def test_what_holds_no_password_stays_as_it_is(setting):
    """It is what the operator has to find."""
    assert setting == mask(setting)
