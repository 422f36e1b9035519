"""Load a file of jobs into a model, and remove it again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from sqlalchemy.orm import configure_mappers, registry

from afterwork.errors import BadRequest, shown
from afterwork.language.syntax.precedence import Dialect
from afterwork.model.jobs_file.builders import MadeJob, make_derived, make_method, make_query, make_view_model
from afterwork.model.jobs_file.source import JobsFileSource
from afterwork.model.jobs_file.table import JobsReading, JobTable

SECTIONS: Mapping[str, Callable[[JobTable], MadeJob]] = {
    "methods": make_method,
    "queries": make_query,
    "derived": make_derived,
    "view_models": make_view_model,
}
FILE: Mapping[str, type] = {"dialect": str, **dict.fromkeys(SECTIONS, dict)}


@dataclass
class JobsFile:
    """A loaded file: the `jobs` that it has added to the model, and the objects in `python` that it may name."""

    source: JobsFileSource
    python: Mapping[str, Any]
    jobs: dict[str, MadeJob] = field(default_factory=dict)

    def withdraw(self) -> None:
        """Remove from the model what the file has added."""
        for made in reversed(self.jobs.values()):
            made.take_out()
        self.jobs.clear()


def load(path: Path, base: object, model: registry, python: Iterable[Any] = ()) -> JobsFile:
    """Load a file, and add its jobs to the model of a base. It may name the functions and exceptions in `python`.

    Raises `BadJobsFile`, with the file and the line, for the first error; then no job is added.
    """
    return load_again(JobsFile(JobsFileSource.read(path), _by_name(python)), base, model)


def load_again(file: JobsFile, base: object, model: registry) -> JobsFile:
    """Add the jobs of a file again, with its content as it was when it was read."""
    configure_mappers()
    content = file.source.content()
    whole = JobTable(JobsReading(file.source, base, model, file.python), "", content, ())
    whole.check(FILE)
    read = JobsFile(file.source, file.python)
    try:
        _add(read, whole, _dialect(whole))
    except BaseException:
        read.withdraw()
        raise
    return read


def _add(read: JobsFile, whole: JobTable, dialect: Dialect) -> None:
    reading = replace(whole.reading, dialect=dialect)
    for section, make in SECTIONS.items():
        for name, said in whole.said.get(section, {}).items():
            table = JobTable(reading, str(name), said, (section, str(name)))
            if not isinstance(said, dict):
                table.refuse(f"it must be a table, not {shown(said)}")
            read.jobs[table.who] = make(table)
    for check in reading.checks:
        check()


def _dialect(whole: JobTable) -> Dialect:
    dialect: Dialect = whole.said.get("dialect", "original")
    if dialect not in get_args(Dialect):
        whole.refuse(f"there is no dialect {shown(dialect)}. There are: {', '.join(get_args(Dialect))}", "dialect")
    return dialect


def _by_name(python: Iterable[Any]) -> dict[str, Any]:
    by_name: dict[str, Any] = {}
    for value in python:
        name = getattr(value, "__name__", None)
        if name is None or not callable(value):
            raise BadRequest(f"A file of jobs can name functions and exceptions, not {shown(value)}.")
        if name in by_name:
            raise BadRequest(f"2 things that a file of jobs may name are called {name}. It says the name only.")
        by_name[name] = value
    return by_name
