"""`afterwork reload`: a server that goes on reads its files of jobs again."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

from tests.support.command_line import Serve, run, serve, text_of, told
from tests.support.databases import url
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.processes import Process
from tests.support.waiting import eventually

__all__ = ["serve", "url"]

MODEL = """
from pathlib import Path
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
import afterwork as aw

class Base(DeclarativeBase): ...
class SysAsyncTicket(aw.AsyncTicket, Base): ...
class Box(Base):
    __tablename__ = "box"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    value: Mapped[int] = mapped_column(default=0)

def send(box): ...

app = aw.Afterwork(Base)
app.load(Path(__file__).parent / "jobs.toml", python=[send])
"""
JOBS = '[derived."Box.value"]\nvalue = "self.size * {}"\n[methods."Box.send"]\npython = "send"\n'


@pytest.fixture
def server(tmp_path: Path, engine: Engine, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """A server of a model with a file of jobs, which lies in the test's folder."""
    (tmp_path / "boxes.py").write_text(MODEL)
    (tmp_path / "jobs.toml").write_text(JOBS.format(2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "boxes", raising=False)
    import boxes  # type: ignore[import-not-found]

    boxes.Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(boxes.Box(id=1, size=10))
    boxes.app.install(engine)
    started = serve("boxes:app", "--log-level", "debug", folder=tmp_path)
    yield started
    started.send(signal.SIGTERM)
    assert started.wait(20) == 0, started.output.read_text()


def value(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT value FROM box")).scalar_one())


def reload(url: URL) -> str:
    return told(run("reload", "boxes:app", "--database", text_of(url)))


@ONLY_POSTGRESQL
def test_a_server_goes_on_with_the_new_jobs(server: Process, engine: Engine, tmp_path: Path) -> None:
    eventually(lambda: value(engine) == 20)
    (tmp_path / "jobs.toml").write_text(JOBS.format(3))

    assert reload(engine.url).startswith("Told 1 servers: ")

    eventually(lambda: value(engine) == 30)


def test_a_file_that_is_wrong_leaves_the_jobs_as_they_are(server: Process, engine: Engine, tmp_path: Path) -> None:
    eventually(lambda: value(engine) == 20)
    (tmp_path / "jobs.toml").write_text(JOBS.format("nothing"))

    reload(engine.url)

    eventually(lambda: "jobs.toml, line 2: Box.value: " in server.output.read_text())
    with engine.begin() as connection:
        connection.execute(text("UPDATE box SET size = 11"))
    eventually(lambda: value(engine) == 22)
