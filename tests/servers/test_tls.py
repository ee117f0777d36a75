"""TLS to real servers: a certificate is verified, its name too, and each refusal has words of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from apps.engine import errors
from apps.engine.embedded import binaries
from apps.engine.embedded.place import TLSFiles, free_port
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.target import TLS, Address, Kind, Target
from apps.servers.reads import test_connection as try_connection
from tests.real_servers import CACHE
from tests.servers.certificates import Authority, files
from tests.servers.conftest import PASSWORD, tcp_target

OURS, STRANGERS = Authority("ours"), Authority("strangers")
GOOD = OURS.sign("server", names=("localhost",), ips=("127.0.0.1",))
OTHER_NAME = OURS.sign("server", names=("db.example",))
EXPIRED = OURS.sign("server", ips=("127.0.0.1",), days=-1)
CLIENT = OURS.sign("signalbox")
STRANGE_CLIENT = STRANGERS.sign("signalbox")

Serve = Callable[..., Target]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="sb-tls-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module", params=list(Kind))
def serve(request: pytest.FixtureRequest, folder: Path) -> Iterator[Serve]:
    """`serve(pair, demands=False)`: a server with this certificate, as a target without TLS settings. Started once each."""
    with ExitStack() as stack:
        running: dict[tuple[str, bool], Target] = {}

        def start(pair: Any, *, demands: bool = False) -> Target:
            wanted = (pair.certificate, demands)
            if wanted not in running:
                place = folder / f"{request.param}-{len(running)}"
                tls = files(pair, place / "certificates", ca=OURS.pem if demands else "")
                starter = _redis if request.param == Kind.REDIS else _postgres
                running[wanted] = starter(stack, place / "server", tls, demands=demands)
            return running[wanted]

        yield start


def _redis(stack: ExitStack, place: Path, tls: TLSFiles, *, demands: bool) -> Target:
    binary = next((each for each in binaries.all_redis(CACHE) if each.has_tls), None)
    if binary is None:
        pytest.skip("no Redis with TLS at hand")
    port = free_port()
    settings = {"tls-auth-clients": "yes" if demands else "no"}
    server = stack.enter_context(EmbeddedRedis(binary, place, port=port, password=PASSWORD, settings=settings, tls=tls))
    assert server.port == port
    return tcp_target(Kind.REDIS, port, username="default", password=PASSWORD)


def _postgres(stack: ExitStack, place: Path, tls: TLSFiles, *, demands: bool) -> Target:
    binary = next((each for each in binaries.all_postgres(CACHE) if each.has_tls), None)
    if binary is None:
        pytest.skip("no PostgreSQL with TLS at hand")
    server = EmbeddedPostgres(binary, place, password=PASSWORD, tcp_port=0, tls=tls, durable=False)
    stack.enter_context(server)
    if demands:
        rules = server.data / "pg_hba.conf"
        rules.write_text("hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n" + rules.read_text())
        import psycopg

        with psycopg.connect(
            host=str(server.socket_dir), port=server.port, user="postgres", password=PASSWORD, dbname="postgres"
        ) as admin:
            admin.execute("SELECT pg_reload_conf()")
    return tcp_target(Kind.POSTGRES, server.port, username="postgres", password=PASSWORD)


def over(target: Target, host: str = "127.0.0.1", **tls: str) -> Target:
    from dataclasses import replace

    return replace(target, tls=TLS(**tls), addresses=(Address(host=host, port=target.address.port),))


def test_a_certificate_of_the_given_ca_is_taken_by_address_and_by_name(serve: Serve) -> None:
    for host in ("127.0.0.1", "localhost"):
        report = try_connection(over(serve(GOOD), host, ca=OURS.pem))
        assert report.identity.tls_version == "TLSv1.3"


def test_a_certificate_of_another_ca_is_refused(serve: Serve) -> None:
    with pytest.raises(errors.TLSFailed, match="not signed by a CA that is trusted here") as caught:
        try_connection(over(serve(GOOD), ca=STRANGERS.pem))
    assert "CA" in caught.value.way_out


def test_the_systems_roots_do_not_know_a_private_ca(serve: Serve) -> None:
    with pytest.raises(errors.TLSFailed, match="not signed by a CA that is trusted here"):
        try_connection(over(serve(GOOD)))


def test_a_certificate_for_another_name_is_refused(serve: Serve) -> None:
    with pytest.raises(errors.TLSFailed, match="for another name"):
        try_connection(over(serve(OTHER_NAME), ca=OURS.pem))


def test_an_expired_certificate_is_refused(serve: Serve) -> None:
    with pytest.raises(errors.TLSFailed, match="has expired"):
        try_connection(over(serve(EXPIRED), ca=OURS.pem))


def test_a_client_certificate_is_shown_where_it_is_demanded(serve: Serve) -> None:
    target = over(serve(GOOD, demands=True), ca=OURS.pem, certificate=CLIENT.certificate, key=CLIENT.key)
    assert try_connection(target).identity.tls_version == "TLSv1.3"


def test_a_missing_client_certificate_is_named(serve: Serve) -> None:
    with pytest.raises(errors.TLSFailed, match="client certificate"):
        try_connection(over(serve(GOOD, demands=True), ca=OURS.pem))


def test_a_client_certificate_that_the_server_does_not_know_is_named(serve: Serve) -> None:
    target = over(
        serve(GOOD, demands=True), ca=OURS.pem, certificate=STRANGE_CLIENT.certificate, key=STRANGE_CLIENT.key
    )
    with pytest.raises(errors.TLSFailed, match="client certificate"):
        try_connection(target)


def test_a_key_of_another_certificate_is_named(serve: Serve) -> None:
    target = over(serve(GOOD), ca=OURS.pem, certificate=CLIENT.certificate, key=STRANGE_CLIENT.key)
    with pytest.raises(errors.TLSFailed, match="cannot be used"):
        try_connection(target)


def test_a_wrong_password_over_tls_is_a_wrong_password(serve: Serve) -> None:
    from dataclasses import replace

    with pytest.raises(errors.AuthenticationFailed):
        try_connection(replace(over(serve(GOOD), ca=OURS.pem), password="not it"))


def test_a_tls_port_spoken_to_in_plain_is_named(serve: Serve) -> None:
    target = serve(GOOD)
    if target.kind == Kind.POSTGRES:
        assert try_connection(target).identity.tls_version == ""  # the same port speaks both
        return
    with pytest.raises(errors.TLSFailed, match="only speaks TLS") as caught:
        try_connection(target)
    assert "Turn TLS on" in caught.value.way_out


def test_a_plain_port_spoken_to_in_tls_is_named(redis_server: Any, tcp_postgres: int) -> None:
    for kind, port in ((Kind.REDIS, redis_server.port), (Kind.POSTGRES, tcp_postgres)):
        with pytest.raises(errors.TLSFailed, match="does not speak TLS"):
            try_connection(tcp_target(kind, port, username="default", password="x", tls=TLS()))
