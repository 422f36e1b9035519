"""What somebody can do to the page's server by connections alone, before anything was shown or asked."""

import asyncio
import logging
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

import afterwork as aw
from afterwork.web import body, connections, serving
from afterwork.web.clients import UNKNOWN, client_of_address
from afterwork.web.serving import served
from tests.conftest import Shop
from tests.support.waiting import eventually
from tests.web.strangers import HALF, answer, connected, is_open, is_refused, lives

MOST = 8
SOON = 0.2


@pytest.fixture
def address(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A page whose server has few connections."""
    monkeypatch.setattr(serving, "max_connections", lambda: MOST)
    with served(aw.web(the_shop.app, the_shop.engine), "127.0.0.1", 0) as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers wait only shortly for their clients."""
    for module, name in ((connections, "HEAD_SECONDS"), (connections, "TAKE_SECONDS"), (body, "BODY_SECONDS")):
        monkeypatch.setattr(module, name, SOON)


@pytest.mark.parametrize("sent", [b"", b"G", HALF, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + HALF])
@pytest.mark.usefixtures("impatient")
def test_who_does_not_go_on_with_a_request_is_not_waited_for(address: str, sent: bytes) -> None:
    """Nor with the next one on the same connection."""
    said = answer(connected(address, sent=sent))

    assert said.startswith(b"HTTP/1.1 200") == sent.startswith(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")


@pytest.mark.usefixtures("impatient")
def test_a_head_that_comes_in_drops_gets_no_longer(address: str) -> None:
    with connected(address, sent=HALF) as connection:
        eventually(lambda: is_refused(connection, b"x"))


@pytest.mark.usefixtures("impatient")
def test_a_body_that_does_not_come_is_not_waited_for(address: str) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\ntoken"

    assert answer(connected(address, sent=head)).startswith(b"HTTP/1.1 408")


@pytest.mark.usefixtures("impatient")
def test_a_body_that_nobody_reads_is_not_taken_for_ever(address: str) -> None:
    """What belongs to a request that was answered is thrown away as it comes, but not for long."""
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    with connected(address, sent=head) as connection:
        eventually(lambda: is_refused(connection, b"x" * 1000))


@pytest.mark.usefixtures("impatient")
def test_who_does_not_take_an_answer_is_let_go() -> None:
    gone = threading.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sending = asyncio.ensure_future(send_for_ever(send))
        while (await receive())["type"] != "http.disconnect":
            pass
        sending.cancel()
        gone.set()

    with served(endless, "127.0.0.1", 0) as found, connected(found, sent=HALF + b"\r\n\r\n"):
        eventually(gone.is_set)


async def send_for_ever(send: Send) -> None:
    while True:
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})


def test_a_head_has_an_end(address: str) -> None:
    said = answer(connected(address, sent=HALF + b"x" * connections.MAX_HEAD_BYTES * 2))

    assert said.startswith(b"HTTP/1.1 400") or said == b""


@pytest.mark.parametrize("second", [b"Transfer-Encoding: chunked", b"Content-Length: 4"])
@pytest.mark.parametrize("request_line", [b"POST /login", b"GET /"])
def test_a_body_with_two_lengths_is_refused_and_the_connection_closed(
    address: str, request_line: bytes, second: bytes
) -> None:
    """A proxy may go by the other one, and take the rest of the body for a request of somebody else."""
    lines = [request_line + b" HTTP/1.1", b"Host: localhost", b"Content-Length: 4", second, b"", b"0\r\n\r\nGET /"]
    if second.startswith(b"Content"):
        lines[2] = b"Content-Length: 5"

    said = answer(connected(address, sent=b"\r\n".join(lines)))

    assert said.startswith(b"HTTP/1.1 400")
    assert said.count(b"HTTP/1.1") == 1


def test_probes_answer_among_more_half_requests_than_there_may_be_connections(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            for _ in range(MOST):
                stack.enter_context(connected(address, sent=HALF))
            assert lives(address)


@pytest.mark.parametrize("sent", [b"", HALF, b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nto"])
def test_the_client_that_has_most_connections_loses_them_first(address: str, sent: bytes) -> None:
    with ExitStack() as stack:
        patient = stack.enter_context(connected(address, "127.0.0.2", HALF))
        many = [stack.enter_context(connected(address, "127.0.0.3", sent)) for _ in range(MOST + 2)]
        eventually(lambda: not is_open(many[2]))

        assert lives(address)
        assert is_open(patient)


def test_a_server_leaves_files_to_its_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    def allowed(files: int) -> Callable[[int], tuple[int, int]]:
        return lambda _: (files, files)

    for files, most in ((160, 40), (1, 1), (1024, 256), (1_000_000, 500), (-1, 500)):
        monkeypatch.setattr(resource, "getrlimit", allowed(files))
        assert connections.max_connections() == most


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", UNKNOWN),
        ("made\nup", UNKNOWN),
    ],
)
def test_a_client_is_counted_by_what_it_can_not_choose(address: str, client: str) -> None:
    assert client_of_address(address) == client


def test_a_server_of_others_is_stopped_without_a_word_of_trouble_while_a_page_follows(
    the_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends what goes on, and would tell of it as of an error."""
    config = uvicorn.Config(
        aw.web(the_shop.app, the_shop.engine), port=0, log_config=None, timeout_graceful_shutdown=1, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    ask = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    with connected(f"http://127.0.0.1:{port}/", sent=ask) as stream, caplog.at_level(logging.ERROR):
        assert b"event: main" in stream.recv(65536) + stream.recv(65536)
        server.should_exit = True
        assert answer(stream).endswith(b"0\r\n\r\n")
        thread.join()

    assert [record.exc_info for record in caplog.records if record.exc_info] == []
