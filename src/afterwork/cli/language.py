"""The command line on the languages of the model."""

from collections.abc import Iterator
from typing import Any

import click
from sqlalchemy import URL
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.arguments import as_json, engine_at, object_at, the_app, the_database
from afterwork.cli.printing import say
from afterwork.model.external_id import external_id


@click.command("eval")
@the_app
@click.argument("text")
@the_database()
@click.option("--on", "root", metavar="ROOT", help="The object that is self, as its external id: Customer!42.")
@as_json
def evaluate(app: Afterwork, text: str, url: URL, root: str | None, as_json: bool) -> None:
    """Evaluate TEXT, an expression in OCL: "Customer.allInstances->select(number->isNull)->size". Changes nothing."""
    with engine_at(url) as engine, Session(engine) as session:
        itself = None if root is None else object_at(session, root, app)
        value = value_view(app.evaluate(session, text, itself))
    say("\n".join(value_lines(value)), value, as_json)


def value_view(value: Any) -> Any:
    """A value of an expression as JSON has it: objects by their external ids."""
    match value:
        case list() | set() | frozenset():
            return [value_view(one) for one in value]
        case tuple() if hasattr(value, "_asdict"):
            return {name: value_view(one) for name, one in value._asdict().items()}
        case tuple():
            return [value_view(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return external_id(value) if hasattr(value, "_sa_instance_state") else str(value)


def value_lines(value: Any) -> Iterator[str]:
    """A value, for people: a line for each element of a collection."""
    for one in value if isinstance(value, list) else [value]:
        yield "null" if one is None else str(one).lower() if isinstance(one, bool) else str(one)


@click.command("shell")
@the_app
@the_database()
def open_shell(app: Afterwork, url: URL) -> None:
    """Evaluate expressions in OCL, one after the other, with completion and a history. Changes nothing."""
    from afterwork.cli.shell import Shell

    with engine_at(url) as engine:
        Shell(app, engine).run()
