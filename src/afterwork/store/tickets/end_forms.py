"""Reduced forms for writing the end of a ticket that its table refuses in full."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from afterwork.model.contract import Contract, ContractAttribute
from afterwork.store.texts import SHORT, cut, fitted

FIXED = "It failed; see the log."
"""An Error that fits any column."""


@dataclass(frozen=True)
class EndForm:
    """The parts of an end that are written: attributes, and the maximum length of its Error; 0 means `FIXED`."""

    attributes: tuple[str, ...]
    most: int | None = None

    def __str__(self) -> str:
        names = " and ".join(name.replace("_", " ") for name in self.attributes)
        return names if self.most is None else f"{names}, with a short error"


AS_ASKED = EndForm(("done", "delete_time", "error", "attempts"))

LESSER = (
    EndForm(("done", "delete_time", "error")),
    EndForm(("done", "delete_time", "error"), SHORT),
    EndForm(("done", "delete_time", "error"), 0),
    EndForm(("error",)),
    EndForm(("error",), 0),
    EndForm(("done", "delete_time")),
    EndForm(("done",)),
)
"""The forms tried in turn when the database refuses. Each says less about the ticket's end, and all end it."""


def write_in_form(
    connection: Connection, contract: Contract, form: EndForm, key: Any, error: str | None, ended: datetime, keep: int
) -> int:
    """End a ticket in a form. `ended` is as the columns hold timestamps. Return the number of changed rows."""
    asked = {"done": ended, "delete_time": ended + timedelta(minutes=keep), "error": error}
    if error is not None:
        text = FIXED if form.most == 0 else error
        asked["error"] = fitted(connection, contract.error.column, text)
        if form.most:
            asked["error"] = cut(connection, ascii(asked["error"])[1:-1], form.most)
    values = {_column(contract, name): value for name, value in asked.items() if name in form.attributes}
    return connection.execute(update(contract.table).where(contract.key.column == key).values(values)).rowcount


def _column(contract: Contract, name: str) -> Any:
    attribute: ContractAttribute = getattr(contract, name)
    return attribute.column
