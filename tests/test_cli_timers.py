"""The command line on timers: timers, run, cancel, pause, resume."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from afterwork.cli import main

MODULE = """
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
import afterwork as aw

class Base(DeclarativeBase): ...

class SysAsyncTicket(aw.AsyncTicket, Base): ...

class Task(Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    done: Mapped[int] = mapped_column(default=0)

class Tick(aw.ViewModel, model=Base):
    when = aw.Cron("0 3 1 1 *")
    @aw.action
    def tick(self) -> None: ...

class Work(aw.ViewModel, root=Task):
    when = aw.Every(minutes=10, criteria=select(Task).where(Task.done == 0))
    @aw.action
    def work(self) -> None:
        self.root.done += 1

app = aw.Afterwork(Base)
"""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with two tasks, of the model in the current directory."""
    (tmp_path / "timed_office.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import timed_office  # type: ignore[import-not-found]

    url = f"sqlite:///{tmp_path / 'office.db'}"
    engine = create_engine(url)
    timed_office.Base.metadata.create_all(engine)
    timed_office.app.install(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO task (id, done) VALUES (1, 0), (2, 0)"))
    yield url
    engine.dispose()


def ask(url: str, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [command, "timed_office:app", *arguments, "--database", url])


def test_timers_are_shown_in_words_with_what_comes_next(url: str) -> None:
    assert "Every 10 minutes" in ask(url, "timers").output
    assert ask(url, "run", "Work").output == "Work has 2 matches for servers to run.\n"

    _, timer = json.loads(ask(url, "timers", "--json").output)

    assert (timer["name"], timer["schedule"], timer["matches"], timer["left"]["number"]) == (
        "Work",
        "Every 10 minutes",
        2,
        2,
    )
    assert timer["due"] is not None


def test_a_dry_run_lists_what_would_be_hit(url: str) -> None:
    assert ask(url, "run", "Work", "--dry").output == "Work would match 2:\n  Task!1\n  Task!2\n"
    assert json.loads(ask(url, "run", "Work", "--dry", "--json").output)["would_match"] == ["Task!1", "Task!2"]
    assert json.loads(ask(url, "timers", "--json").output)[1]["left"]["number"] == 0


def test_a_dry_run_says_so_if_nothing_would_be_hit_or_there_is_no_root(url: str) -> None:
    ask(url, "run", "Work")
    nothing = "Work would match nothing now: its criteria finds no object, or its `before` says no.\n"
    assert ask(url, "run", "Work", "--dry").output == nothing
    assert ask(url, "run", "Tick", "--dry").output == "Tick has no root. It would run once.\n"


def test_a_round_is_cancelled_and_a_timer_paused_and_resumed(url: str) -> None:
    ask(url, "run", "Work")
    assert ask(url, "cancel", "Work").output == "2 matches of Work cancelled.\n"
    assert ask(url, "pause", "Work").output.startswith("Timer Work is paused.")
    assert "paused" in ask(url, "timers").output
    assert ask(url, "resume", "Work").output == "Timer Work is resumed.\n"


def test_an_unknown_timer_is_told_plainly(url: str) -> None:
    result = ask(url, "run", "Wrok")

    assert result.exit_code == 1
    assert "The model has no timer 'Wrok'. It has: Tick, Work." in result.output
