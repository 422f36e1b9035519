"""Async jobs: forty suppliers are asked for prices at once, by one server. Run it: python examples/shop/fetch.py"""

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Engine, ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw

ARTICLES = 40
SLOW = 0.25
"""Seconds that a supplier takes to answer."""


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Supplier(Base):
    __tablename__ = "supplier"
    id: Mapped[int] = mapped_column(primary_key=True)
    port: Mapped[int]


class Article(Base):
    __tablename__ = "article"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[Decimal | None]
    supplier_id: Mapped[int] = mapped_column(ForeignKey("supplier.id"))
    supplier: Mapped[Supplier] = relationship()

    @aw.method(external=True, lane=None, timeout=timedelta(seconds=30), retry=aw.Retry(attempts=3))
    async def fetch_price(self) -> None:
        supplier = await aw.read(lambda: self.supplier)  # not loaded yet, so a thread reads it
        self.price = Decimal(await ask(supplier.port, f"/prices/{self.id}"))  # meanwhile others are served


async def ask(port: int, path: str) -> str:
    """Return what a server on this machine answers. An application would use its async HTTP client."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if b" 200 " not in head:
        raise ConnectionError(head.decode())
    return body.decode()


class Prices(BaseHTTPRequestHandler):
    """A supplier who takes his time."""

    def do_GET(self) -> None:
        time.sleep(SLOW)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path.rpartition('/')[2]}.90".encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class Suppliers(ThreadingHTTPServer):
    request_queue_size = ARTICLES


@contextmanager
def supplier() -> Iterator[int]:
    """Have a supplier on a free port of this machine."""
    with Suppliers(("127.0.0.1", 0), Prices) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()


app = aw.Afterwork(Base)


def tell(path: Path, port: int) -> None:
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        seller = Supplier(port=port)
        for _ in range(ARTICLES):
            article = Article(supplier=seller)
            session.add(article)
            aw.later(article.fetch_price)
    with app.serving(engine):
        while pending(engine):
            time.sleep(0.05)
    with Session(engine) as session:
        prices = session.scalars(select(Article.price).order_by(Article.id)).all()
    print(f"{len(prices)} prices were fetched, the last is {prices[-1]:.2f}")
    print(f"One after the other, that would have taken {ARTICLES * SLOW:.0f} s at least")
    engine.dispose()


def pending(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalars(select(func.count()).where(SysAsyncTicket.done.is_(None))).one()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, supplier() as port:
        tell(Path(folder) / "shop.db", port)
