"""A shop in which every text that somebody else may have written is hostile; what to look for on its pages."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from afterwork.store import tables
from examples.shop import Customer, SysAsyncTicket

SCRIPT = "<script>alert(1)</script>"
EVIL = (
    SCRIPT,
    "\"'><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "</title></script></textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "a\r\nset-cookie: taken=1\r\n\r\n<b>",
    "{{ 7 * 7 }}{% raw %}",
    "abc\u202edcba\u2066",
    "../../../etc/passwd",
    "//evil.example/%2e%2e/?a=b#c",
    "x" * 10_000,
)


def spoil(engine: Engine) -> None:
    """Write hostile texts into every table that a page shows."""
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        for text in EVIL:
            asked = {"view_model": text, "root_id": text, "lane": text}
            session.add(Customer(name=text))
            session.add(SysAsyncTicket(**asked))
            session.add(SysAsyncTicket(**asked, error=text, done=now, delete_time=now + timedelta(days=1)))
        session.flush()
        connection = session.connection()
        for number, text in enumerate(EVIL):
            for table, row in _rows(text, number, now):
                connection.execute(insert(table).values(row))


def _rows(text: str, number: int, now: datetime) -> Iterator[tuple[Any, Mapping[str, object]]]:
    sums = {"done": 1, "failed": 9, "put_off": 0, "seconds": 1.0, "wait": 1.0, "took": "", "latency": ""}
    run = {"run": str(number), "ticket": "1", "root_id": text, "server": 1, "ended": now, "seconds": 1.0}
    timer = {"schedule": text, "due": now, "set_at": now, "paused": True, "last_due": now, "matches": 1, "error": text}
    yield tables.timer, {"name": text, **timer}
    yield tables.once, {"name": text, "began": now, "ended": now, "seconds": 1.0, "result": text, "error": text}
    yield tables.lane, {"name": text, "paused": True}
    yield tables.run, {"work": text, "source": "ticket", "outcome": "failed", "attempt": 1, "error": text, **run}
    yield tables.minute, {"minute": now.replace(second=0, microsecond=0), "server": number, "work": text,
                          "source": "ticket", **sums}  # fmt: skip
    yield tables.total, {"work": text, "source": "ticket", **sums}
    moved = {"source": text, "target": text, "event": text, "mover": text}
    yield tables.transition, {"root_id": "Order!1", "machine": "Order.flow", "at": now, **moved}


class Seen(HTMLParser):
    """A page as a browser sees it: its text, where it leads, and what in it could be somebody else's."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.links: list[str] = []
        self.foreign: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        places = [given[name] for name in ("href", "src", "action", "formaction", "xlink:href") if name in given]
        if tag in ("img", "iframe", "object", "embed", "base") or (tag == "script" and "src" not in given):
            self.foreign.append(f"<{tag}>")
        self.foreign += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        self.foreign += [f"{tag} to {place[:80]}" for place in places if not _is_own(place)]
        self.links += [given["href"]] if tag == "a" and "href" in given else []
        self.texts += given.values()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _is_own(place: str) -> bool:
    return place.startswith(("/", "#", "?")) and not place.startswith(("//", "/\\"))


def crawled(client: TestClient, most: int) -> Iterator[tuple[str, int, Seen]]:
    """The pages to which the first one leads, on and on: address, status, and what is seen."""
    addresses, known = ["/", "/impact?root=Customer!1&member=name"], set[str]()
    while addresses and len(known) < most:
        address = addresses.pop(0)
        if address in known:
            continue
        known.add(address)
        answer = client.get(address)
        seen = Seen(answer.text)
        yield address, answer.status_code, seen
        addresses += [link.split("#")[0] for link in seen.links if link.startswith("/") and not link.startswith("//")]


def routes(application: Starlette, method: str) -> Iterator[str]:
    """The paths of an application that take a method, those of what is mounted in it included."""
    yield from _under("", application.routes, method)


def _under(prefix: str, routes: list[BaseRoute], method: str) -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _under(prefix + route.path, route.routes, method)
        elif isinstance(route, Route) and method in (route.methods or ()):
            yield prefix + route.path
        elif hasattr(route, "original_router"):
            yield from _under(prefix, route.original_router.routes, method)


def filled(path: str, key: str = "x") -> str:
    """A path with a key in each of its places."""
    return "/".join(key if part.startswith("{") else part for part in path.split("/"))


def posted(application: Starlette, path: str, chunks: int, size: int, headers: Mapping[str, str]) -> tuple[int, int]:
    """Send a body chunk by chunk, as a server does. Gives the status, and how many bytes were taken of it."""
    taken, answers = 0, list[Message]()

    async def receive() -> Message:
        nonlocal taken
        taken += size
        return {"type": "http.request", "body": b"x" * size, "more_body": taken < chunks * size}

    async def send(message: Message) -> None:
        answers.append(message)

    given = {"host": "127.0.0.1", "content-type": "application/x-www-form-urlencoded", **headers}
    scope: Scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()], 
        "http_version": "1.1", "scheme": "http",
        "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 80), "root_path": "",
    }  # fmt: skip
    asyncio.run(application(scope, receive, send))
    return answers[0]["status"], taken
