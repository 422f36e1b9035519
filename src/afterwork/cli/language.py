"""The commands that evaluate expressions in the languages of the model."""

import click
from sqlalchemy import URL
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, database_option, engine_at, object_at
from afterwork.cli.printing import print_result, value_lines, value_view


@click.command("eval")
@app_argument
@click.argument("text")
@database_option()
@click.option("--on", "root", metavar="ROOT", help="The object that is self, as its external id: Customer!42.")
@as_json
def evaluate(app: Afterwork, text: str, url: URL, root: str | None, as_json: bool) -> None:
    """Evaluate TEXT, an expression in OCL: "Customer.allInstances->select(number->isNull)->size". Changes nothing."""
    with engine_at(url) as engine, Session(engine) as session:
        itself = None if root is None else object_at(session, root, app)
        value = value_view(app.evaluate(session, text, itself))
    print_result("\n".join(value_lines(value)), value, as_json)


@click.command("shell")
@app_argument
@database_option()
def open_shell(app: Afterwork, url: URL) -> None:
    """Evaluate expressions in OCL, one after the other, with completion and a history. Changes nothing."""
    from afterwork.cli.shell import Shell  # which needs readline, and not every system has it

    with engine_at(url) as engine:
        Shell(app, engine).run()
