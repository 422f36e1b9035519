"""The command about state machines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, database_option, engine_at
from afterwork.cli.printing import print_result, table_lines, utc_text
from afterwork.insight import MachineView, StateView
from afterwork.pictures.drawing import styled
from afterwork.pictures.machine_diagram import machine_diagram


@click.command()
@app_argument
@database_option()
@click.option(
    "--svg",
    metavar="[FOLDER]",
    is_flag=False,
    flag_value=Path("."),
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the diagram of each machine into FOLDER, or here, with the number of objects in each state.",
)
@as_json
def machines(app: Afterwork, url: URL, svg: Path | None, as_json: bool) -> None:
    """Show each state machine: objects per state, the one that has been there longest, and the possible transitions."""
    with engine_at(url) as engine:
        insight = app.insight(engine)
        views = insight.machines()
        charts = {view.name: insight.chart(view.name) for view in views}
    print_result("\n".join(machine_lines(views)), views, as_json)
    if svg is not None:
        svg.mkdir(parents=True, exist_ok=True)
        for view in views:
            file = svg / f"{view.name}.svg"
            file.write_text(styled(machine_diagram(charts[view.name], view)), encoding="utf-8")
            click.echo(f"{file} written", err=True)


def machine_lines(machines: Sequence[MachineView]) -> Iterator[str]:
    """Yield state machines as text."""
    if not machines:
        yield "The model has no state machines."
    for machine in machines:
        yield f"{machine.name} ({machine.chart})"
        head = ("state", "objects", "longest there", "since (UTC)", "what would move it")
        for line in table_lines(head, [_state_cells(state) for state in machine.states]):
            yield f"  {line}"


def _state_cells(state: StateView) -> tuple[str, ...]:
    name = (
        "(not begun)" if state.state is None else state.state if state.known else f"{state.state} (not in the machine)"
    )
    return name, str(state.count), state.oldest or "", utc_text(state.since), "; ".join(state.onward)
