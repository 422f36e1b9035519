"""How log lines look: for people, or as JSON. What events say stands in `events`; here it is only laid out.

`RunFilter` is for handlers of your own: it says of each line that a job writes which run it belongs to.
"""

import dataclasses
import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from afterwork.errors import NoCurrentRun
from afterwork.events import Facts
from afterwork.jobs.run import current_run

Layout = Literal["human", "json"]

OF_A_RUN = ("run", "ticket", "work", "root_id")
"""What a line that a job has written says of its run."""


class RunFilter(logging.Filter):
    """Lets all lines pass. Those that a job writes get the attributes `run` (its id), `ticket` (the key of the ticket
    or match, or None), `work`, and `root_id`, so that a format can name them. Belongs on a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say which run this line belongs to."""
        try:
            run = current_run()
        except NoCurrentRun:
            return True
        ticket = None if run.ticket is None else str(run.ticket)
        vars(record).update(run=str(run.id), ticket=ticket, work=run.work, root_id=run.root_id)
        return True


class HumanFormatter(logging.Formatter):
    """A line of plain text, with the run at its end if a job has written it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, which what is in it can't break into several."""
        record.message = record.message.replace("\n", "\\n")
        line = super().formatMessage(record)
        found = [f"{name} {value}" for name, value in _of_a_run(record).items() if value is not None]
        return f"{line} ({', '.join(found)})" if found else line


class JsonFormatter(logging.Formatter):
    """A JSON object on one line: `time` (ISO 8601, UTC), `level`, `logger`, `message`; the name of the `event` and its
    fields, if the line tells of one; the run, if a job has written it; and the `traceback`, if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat()
        found = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        found |= {"message": record.getMessage(), **_of_event(record), **_of_a_run(record)}
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return json.dumps(found, default=_plain, ensure_ascii=False)


def log_to_stderr(layout: Layout, level: str) -> None:
    """Set up the log of a process that is a server: what Afterwork says from a level up ("info"), and what is worse
    than that of everything else. Does nothing where logging has been set up."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if layout == "json" else HumanFormatter())
    handler.addFilter(RunFilter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("afterwork").setLevel(level.upper())


def _of_event(record: logging.LogRecord) -> dict[str, Any]:
    event = getattr(record, "event", None)
    if event is None:
        return {}
    fields = {one.name: getattr(event, one.name) for one in dataclasses.fields(event)}
    facts = fields.pop("facts", None)
    return {"event": type(event).__name__, **({} if facts is None else _of_facts(facts)), **fields}


def _of_facts(facts: Facts) -> dict[str, Any]:
    found = {one.name: getattr(facts, one.name) for one in dataclasses.fields(facts)}
    # Of a run that is put off, `seconds` is how long it waits.
    return {("took" if name == "seconds" else name): value for name, value in found.items() if value != ""}


def _of_a_run(record: logging.LogRecord) -> dict[str, Any]:
    return {name: vars(record)[name] for name in OF_A_RUN if name in vars(record)}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
