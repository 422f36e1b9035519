"""The commands about the model, and those that evaluate expressions in its languages."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from sqlalchemy import URL
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.application import ApplicationCommand, app_argument
from afterwork.cli.arguments import (
    OpenedLate,
    Shown,
    as_json,
    command,
    database_option,
    engine_at,
    object_at,
)
from afterwork.cli.printing import print_result, table_lines, value_lines, value_view
from afterwork.insight import model as views
from afterwork.insight.model import ClassView, ModelView, ViewModelView, WorkView
from afterwork.model.inspection import ModelInfo
from afterwork.model.work import Work
from afterwork.pictures.class_diagram import class_diagram
from afterwork.pictures.drawing import styled


def model_view(model: ModelInfo) -> dict[str, Any]:
    """Return the works of a model as JSON."""
    ticket = model.contract
    optional = {
        "priority": ticket.priority,
        "lane": ticket.lane,
        "attempts": ticket.attempts,
        "created": ticket.created,
    }
    return {
        "classes": sorted(model.classes),
        "tickets": ticket.table.fullname,
        "without": [name for name, attribute in optional.items() if attribute is None],
        "caches": sorted(model.derivations),
        "works": [_work(model.works[name]) for name in sorted(model.works)],
    }


def _work(work: Work) -> dict[str, Any]:
    root = work.root.__name__ if work.root else None
    attempts = work.retry.attempts if work.retry else 1
    return {"name": work.name, "root": root, "lane": work.lane, "external": work.external, "attempts": attempts}


def model_lines(model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the result of `model_view` as text."""
    yield f"classes  {', '.join(model['classes'])}"
    without = f", without {', '.join(model['without'])}" if model["without"] else ""
    yield f"tickets  in {model['tickets']}, as the contract says{without}"
    if model["caches"]:
        yield f"caches   {', '.join(model['caches'])}"
    yield ""
    rows = [
        (w["name"], w["root"] or "none", w["lane"], "outside" if w["external"] else "inside", str(w["attempts"]))
        for w in model["works"]
    ]
    yield from table_lines(("work", "on", "lane", "transaction", "attempts"), rows)


@click.command("model", cls=ApplicationCommand)
@app_argument
@click.option("--svg", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write a class diagram.")
@as_json
def show(app: Afterwork, svg: Path | None, as_json: bool) -> None:
    """Show what the model declares: classes, members, methods, view models, and what starts them. Needs no database."""
    declared = views.view(app.model)
    print_result("\n".join(declared_lines(declared)), declared, as_json)
    if svg is not None:
        svg.write_text(styled(class_diagram(declared, lambda name: f"#{name}")), encoding="utf-8")
        click.echo(f"{svg} written", err=True)


def declared_lines(model: ModelView) -> Iterator[str]:
    """Yield the declarations of a model as text."""
    for cls in model.classes:
        yield from _class_lines(cls, model)
    for view_model in model.view_models:
        yield from _view_model_lines(view_model)
    for function in model.functions:
        yield from work_lines(function, "", "()")


def _class_lines(cls: ClassView, model: ModelView) -> Iterator[str]:
    yield f"{cls.name}{f' is a {cls.base}' if cls.base else ''} (table {cls.table})"
    for member in cls.members:
        marks = [mark for mark, has in (("key", member.is_key), (f"cache {member.cache}", member.cache)) if has]
        kind = f"{member.type}{'?' if member.is_optional and not member.is_key else ''}"
        yield f"  {member.name}: {', '.join([kind, *marks])}"
    for end in (
        far
        for association in model.associations
        for near, far in (association.ends, association.ends[::-1])
        if near.cls == cls.name
    ):
        if end.name is not None:
            yield f"  {end.name}: {end.multiplicity} {end.cls}"
    for name in cls.machines:
        yield f"  machine {name}"
    for method in cls.methods:
        yield from work_lines(method, "  ", "()")


def _view_model_lines(view_model: ViewModelView) -> Iterator[str]:
    yield from work_lines(view_model.work, "", f" on {view_model.root or 'no object'}")
    for number, action in enumerate(view_model.actions, 1):
        yield f"  {number}. {action.name}" + (f", if {action.enabled}" if action.enabled else "")


def work_lines(work: WorkView, indent: str, after: str) -> Iterator[str]:
    """Yield the declaration of a work as text."""
    parts = [*work.starts, f"lane {work.lane}", *([work.timeout] if work.timeout else [])]
    yield f"{indent}{work.name}{after}: {'; '.join(parts)}"
    if work.precondition:
        yield f"{indent}  only if {work.precondition}"
    if work.parameters:
        yield f"{indent}  takes {', '.join(work.parameters)}"
    if work.retry:
        yield f"{indent}  tried {work.retry}"


@command(
    click.argument("text"),
    click.option("--on", "root", metavar="ROOT", help="The object that is self, as its external id: Customer!42."),
    name="eval",
)
def evaluate(app: Afterwork, at: OpenedLate, text: str, root: str | None) -> Shown:
    """Evaluate TEXT, an expression in OCL: "Customer.allInstances->select(number->isNull)->size". Changes nothing."""
    with Session(at.engine) as session:
        itself = None if root is None else object_at(session, root, app)
        value = value_view(app.evaluate(session, text, itself))
    return Shown(value_lines(value), value)


@click.command("shell", cls=ApplicationCommand)
@app_argument
@database_option()
@as_json
def open_shell(app: Afterwork, url: URL, as_json: bool) -> None:
    """Evaluate expressions in OCL, one after the other, with completion and a history. Changes nothing.

    With --json, each value is a line of JSON, and nothing else is printed.
    """
    from afterwork.cli.shell import Shell  # which needs readline, and not every system has it

    with engine_at(url) as engine:
        Shell(app, engine, as_json).run()
