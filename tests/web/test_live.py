"""Pages that follow what goes on."""

from urllib.request import Request, urlopen

from sqlalchemy import Engine

import afterwork as aw
from afterwork.web.serving import served
from examples.shop import app, create


def test_who_follows_a_page_is_let_go_when_the_server_stops(engine: Engine) -> None:
    create(engine)
    app.install(engine)
    with served(aw.web(app, engine), "127.0.0.1", 0) as address:
        stream = urlopen(Request(f"{address}?every=60", headers={"accept": "text/event-stream"}))
        assert stream.readline() == b"event: main\n"

    assert stream.read().endswith(b"\n\n")  # to its end: what is cut off raises
