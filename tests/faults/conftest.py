"""The scene of each fault: a database, servers in processes of their own, and the journal of what they do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine

from tests.faults.scene import Scene
from tests.support.journal import Journal
from tests.support.numbers import JOURNAL
from tests.support.processes import Forks, Processes, processes


@pytest.fixture
def scene_on(the_forks: Forks, tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Sets the scene on a database that the test chooses, with options of its engine."""
    journal = Journal(tmp_path / "journal.jsonl")
    scenes: list[Scene] = []
    with processes(the_forks, tmp_path, {JOURNAL: str(journal.path)}) as started:

        def make(url: URL, **options: Any) -> Scene:
            scenes.append(Scene(url, journal, started, options))
            return scenes[-1]

        yield make
    for scene in scenes:
        scene.engine.dispose()
    journal.close()


@pytest.fixture
def scene(scene_on: Callable[..., Scene], engine: Engine) -> Scene:
    """An installed database, without servers as yet."""
    return scene_on(engine.url, **engine.get_execution_options())


@pytest.fixture
def started(the_forks: Forks, tmp_path: Path) -> Iterator[Processes]:
    """Starts processes, which end with the test. What they do stands in `journal.jsonl`."""
    with processes(the_forks, tmp_path, {JOURNAL: str(tmp_path / "journal.jsonl")}) as found:
        yield found
