"""How the Redis log is opened, and what it says where it can't be."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager

import pytest
import trustme

from tests.redis_server import RedisServer, free_port
from tickertape.core.errors import ConfigurationError, MissingExtra
from tickertape.core.events import TextDelta
from tickertape.logs.redis import RedisLog
from tickertape.testing.log_probes import ENDED, read_all, started, text_of


async def expect_refusal(url, *said):
    """Opening says all of this, and no password."""
    with pytest.raises(ConfigurationError) as refused:
        await RedisLog(url).open()
    for words in said:
        assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def use(log):
    """Create, append, read: everything that matters works."""
    async with log:
        await log.renew("a", term_s=10.0)
        await log.create(started("r"), holder="a", idempotency_key="k")
        await log.append("r", [TextDelta("a")], epoch=1)
        epoch = await log.take_over("r", holder="a", epoch=1)
        await log.append("r", [ENDED], epoch=epoch)
        await log.lapsed()
        await log.note_read(["r"])
        await log.request_cancel("r", "user")
        assert "r" == await log.find("k")
        assert "a" == text_of(await read_all(log, "r"))


@asynccontextmanager
async def answering(*answers):
    """A server that gives these answers, one to each write, and then says nothing."""

    async def serve(reader, writer):
        try:
            for answer in answers:
                await reader.read(4096)
                writer.write(answer)
            await reader.read(4096)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h", "redis://, rediss://, unix://"),
        ("redis://h/chat", "'chat'"),
        ("redis://h:port", "port"),
        ("redis://h?speed=9", "'speed'"),
        ("rediss://h?ssl_ca_certs=/no/such/file", "ssl_"),
        ("unix://", "socket"),
    ],
)
async def test_a_url_that_can_not_be_is_refused(url, said):
    """It says what is wrong with it."""
    with pytest.raises(ConfigurationError, match="Redis") as refused:
        RedisLog(url)
    assert said in str(refused.value)


async def test_p10_a_password_is_never_said():
    """Neither where the URL is wrong, nor where nobody answers."""
    for url in ("redis://:hunter2@h:x", "redis://ann:hunter2@h/chat", "rediss://:hunter2@h?a=b"):
        with pytest.raises(ConfigurationError) as refused:
            RedisLog(url)
        assert "hunter2" not in str(refused.value)
    await expect_refusal(f"redis://:hunter2@127.0.0.1:{free_port()}", "can't be reached")


async def test_a_host_that_is_no_name():
    """It says that it can't be reached."""
    await expect_refusal("redis://a..b", "a..b", "can't be reached")


async def test_nobody_there():
    """It says where it looked."""
    port = free_port()
    await expect_refusal(
        f"redis://127.0.0.1:{port}/3", f"redis://127.0.0.1:{port}/3", "start Redis"
    )


async def test_a_password_is_needed(tmp_path):
    """None, a wrong one, the right one; and another user's."""
    with RedisServer(tmp_path, "--requirepass", "hunter2") as server:
        at = f"@127.0.0.1:{server.port}"
        await expect_refusal(server.url, "write it into the URL")
        await expect_refusal(f"redis://:wrong{at}", "wrong: correct it")
        await expect_refusal(f"redis://ann:hunter2{at}", "wrong: correct it")
        await use(RedisLog(f"redis://:hunter2{at}/2"))


async def test_a_user_with_few_rights(tmp_path):
    """One that may not run scripts is refused; one that may all on our keys is enough."""
    with RedisServer(tmp_path) as server:
        server.command("ACL", "SETUSER", "ann", "on", ">hunter2", "~*", "&*", "+get")
        server.command(
            *("ACL", "SETUSER", "bob", "on", ">hunter2", "~tickertape:*", "&tickertape:*"),
            *("+@all", "-@dangerous", "-@admin"),
        )
        server.command(
            *("ACL", "SETUSER", "eve", "on", ">hunter2", "~tickertape:*", "resetchannels"),
            *("+@all", "-@dangerous", "-@admin"),
        )
        at = f"hunter2@127.0.0.1:{server.port}"
        await expect_refusal(f"redis://eve:{at}", "keys and channels")
        await expect_refusal(f"redis://ann:{at}", "may not do that")
        await use(RedisLog(f"redis://bob:{at}"))


async def test_a_replica_that_only_reads(tmp_path):
    """It says to name the primary."""
    with (
        RedisServer(tmp_path / "primary") as primary,
        RedisServer(tmp_path / "replica", "--replicaof", f"127.0.0.1 {primary.port}") as replica,
    ):
        await expect_refusal(replica.url, "read-only replica: name the primary")


async def test_a_redis_that_is_too_old():
    """It says which version it is, and which it must be."""
    info = b"# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\n"
    async with answering(b"$%d\r\n%b\r\n" % (len(info), info)) as url:
        await expect_refusal(url, "Redis 6.2.14", "7 or later", "update")


async def test_somebody_else_who_answers():
    """A web server, say."""
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        await expect_refusal(url, "does not speak Redis's protocol")


async def test_a_redis_that_drops_keys_is_warned_of(tmp_path, caplog):
    """It works, and may lose runs one day."""
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with RedisServer(tmp_path, *options) as server:
        await use(RedisLog(server.url))
    assert "allkeys-lru" in caplog.text
    assert "noeviction" in caplog.text


async def test_over_tls(tmp_path):
    """With the right authority; without it, nobody is trusted."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    port = free_port()
    options = [
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(tmp_path / "cert.pem")),
        *("--tls-key-file", str(tmp_path / "key.pem")),
        *("--tls-ca-cert-file", str(tmp_path / "ca.pem")),
    ]
    with RedisServer(tmp_path / "redis", *options):
        url = f"rediss://localhost:{port}"
        await use(RedisLog(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}"))
        await expect_refusal(url, "can't be reached", "certificate verify failed")


async def test_over_a_socket_in_the_file_system(tmp_path):
    """`unix://` and its path."""
    path = tmp_path / "s"
    with RedisServer(tmp_path, "--unixsocket", str(path)):
        await use(RedisLog(f"unix://{path}"))


async def test_one_run_is_in_one_slot_of_a_cluster(tmp_path):
    """No call meets keys of two slots."""
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with RedisServer(tmp_path, *options) as server:
        await expect_refusal(server.url, "cluster")
        server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        while b"cluster_state:ok" not in server.command("CLUSTER", "INFO"):
            await asyncio.sleep(0)
        await use(RedisLog(server.url))


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    """redis-py comes with it."""
    for name in ("tickertape.logs.redis.connection", "tickertape.logs.redis.ear"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(sys.modules, "tickertape.logs.redis.link", raising=False)
    monkeypatch.setitem(sys.modules, "hiredis", None)
    with pytest.raises(MissingExtra, match=r"tickertape\[redis\]"):
        RedisLog("redis://h")


def test_a_prefix_with_braces_is_refused():
    """They would choose the slot."""
    with pytest.raises(ConfigurationError, match="brace"):
        RedisLog("redis://h", prefix="{a}:")
