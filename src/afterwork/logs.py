"""The layout of log lines: for people, or as JSON. The texts of events are in `events`.

`RunFilter` is for handlers of your own: it adds its run to each line that a job writes.
"""

import dataclasses
import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from afterwork.errors import NoCurrentRun
from afterwork.events import Facts
from afterwork.jobs.run import current_run
from afterwork.printable import printable

Layout = Literal["human", "json"]

OF_A_RUN = ("run", "ticket", "work", "root_id")
"""The attributes of a line written by a job that name its run."""


class RunFilter(logging.Filter):
    """A filter for handlers that lets all lines pass. Those that a job writes get the attributes `run` (its id),
    `ticket` (the key of the ticket or match, or None), `work`, and `root_id`, so that a format can name them."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            run = current_run()
        except NoCurrentRun:
            return True
        ticket = None if run.ticket is None else str(run.ticket)
        vars(record).update(run=str(run.id), ticket=ticket, work=run.work, root_id=run.root_id)
        return True


class HumanFormatter(logging.Formatter):
    """Formats a line of plain text, with the run at its end if a job wrote it.

    No data can look like a line of its own: what is not printable is escaped, and tracebacks are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, unbroken whatever it contains, and below it the lines of a traceback."""
        record.message, record.asctime = record.getMessage(), self.formatTime(record)
        parts = [f"{name} {value}" for name, value in _of_a_run(record).items() if value is not None]
        line = self.formatMessage(record) + (f" ({', '.join(parts)})" if parts else "")
        below = [f"    {traced}" for traced in _trace_of(self, record).splitlines()]
        return "\n".join(map(printable, [line, *below]))


class JsonFormatter(logging.Formatter):
    """Formats a line as a JSON object: `time` (ISO 8601, UTC), `level`, `logger`, `message`. A line that reports an
    event has its name as `event`, and its fields; one written by a job has its run; an exception its `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        timestamp = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = {"time": timestamp, "level": record.levelname.lower(), "logger": record.name}
        line |= {"message": record.getMessage(), **_of_event(record), **_of_a_run(record)}
        if traceback := _trace_of(self, record):
            line["traceback"] = traceback
        return _printable_json(json.dumps(line, default=_plain, ensure_ascii=False))


def log_to_stderr(layout: Layout, level: str) -> None:
    """Set up the log of a server process: Afterwork's lines from a level up ("info"), and warnings of everything else.
    Does nothing if logging is already set up."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if layout == "json" else HumanFormatter())
    handler.addFilter(RunFilter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("afterwork").setLevel(level.upper())


def _trace_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Return the traceback of a record, empty without one. Other formatters may have left theirs, unescaped."""
    exception = formatter.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
    return "\n".join(filter(None, [exception, record.stack_info]))


def _printable_json(text: str) -> str:
    """Return JSON in which what a terminal could take for a command is escaped; letters of any script stay."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def _of_event(record: logging.LogRecord) -> dict[str, Any]:
    event = getattr(record, "event", None)
    if event is None:
        return {}
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    facts = fields.pop("facts", None)
    return {"event": type(event).__name__, **({} if facts is None else _of_facts(facts)), **fields}


def _of_facts(facts: Facts) -> dict[str, Any]:
    values = {field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)}
    # In an event about a run that is put off, `seconds` is the time that it waits.
    return {("took" if name == "seconds" else name): value for name, value in values.items() if value != ""}


def _of_a_run(record: logging.LogRecord) -> dict[str, Any]:
    return {name: vars(record)[name] for name in OF_A_RUN if name in vars(record)}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
