"""`afterwork reload`: a server that goes on reads its files of jobs again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import URL, create_engine, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.cli import main
from tests.support.waiting import eventually

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
def place(tmp_path: Path, url: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a model and its file of jobs, and a server in a process of its own."""
    (tmp_path / "boxes.py").write_text(MODEL)
    (tmp_path / "jobs.toml").write_text(JOBS.format(2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "boxes", raising=False)
    address = url.render_as_string(hide_password=False)
    import boxes  # type: ignore[import-not-found]

    engine = create_engine(url)
    boxes.Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(boxes.Box(id=1, size=10))
    aw.Afterwork(boxes.Base).install(engine)
    boxes.app.install(engine)
    command = [
        sys.executable,
        "-c",
        "from afterwork.cli import main; main()",
        "serve",
        "boxes:app",
        "--database",
        address,
        "--log-level",
        "debug",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stderr=log, stdout=log, env=environment)
    yield tmp_path
    server.terminate()
    assert server.wait(20) == 0, (tmp_path / "server.log").read_text()
    engine.dispose()


def value(url: URL) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        value = connection.execute(text("SELECT value FROM box")).scalar_one()
    engine.dispose()
    return int(value)


def reload(url: URL) -> str:
    told = CliRunner().invoke(main, ["reload", "boxes:app", "--database", url.render_as_string(hide_password=False)])
    assert told.exit_code == 0, told.output
    return told.output


def test_a_server_goes_on_with_the_new_jobs(place: Path, url: URL) -> None:
    eventually(lambda: value(url) == 20)
    (place / "jobs.toml").write_text(JOBS.format(3))

    assert reload(url).startswith("Told 1 servers: ")

    eventually(lambda: value(url) == 30)


def test_a_file_that_is_wrong_leaves_the_jobs_as_they_are(place: Path, url: URL) -> None:
    eventually(lambda: value(url) == 20)
    (place / "jobs.toml").write_text(JOBS.format("nothing"))

    reload(url)

    eventually(lambda: "jobs.toml, line 2: Box.value: " in (place / "server.log").read_text())
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE box SET size = 11"))
    engine.dispose()
    eventually(lambda: value(url) == 22)
