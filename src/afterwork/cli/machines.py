"""The command about state machines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command
from afterwork.cli.printing import table_lines, utc_text
from afterwork.insight import MachineView, StateView
from afterwork.pictures.drawing import styled

HEAD = ("state", "objects", "longest there", "since (UTC)", "what would move it")


@command(
    click.option(
        "--svg",
        metavar="[FOLDER]",
        is_flag=False,
        flag_value=Path("."),
        type=click.Path(file_okay=False, path_type=Path),
        help="Write the diagram of each machine into FOLDER, or here, with the number of objects in each state.",
    )
)
def machines(app: Afterwork, at: OpenedLate, svg: Path | None) -> Shown:
    """Show each state machine: objects per state, the one that has been there longest, and the possible transitions."""
    insight = app.insight(at.engine)
    views = insight.machines()
    if svg is not None:
        from afterwork.pictures.machine_diagram import machine_diagram  # it needs the library of the charts

        svg.mkdir(parents=True, exist_ok=True)
        for view in views:
            file = svg / f"{view.name}.svg"
            file.write_text(styled(machine_diagram(insight.chart(view.name), view)), encoding="utf-8")
            click.echo(f"{file} written", err=True)
    return Shown(_machine_lines(views), views)


def _machine_lines(machines: Sequence[MachineView]) -> Iterator[str]:
    if not machines:
        yield "The model has no state machines."
    for machine in machines:
        yield f"{machine.name} ({machine.chart})"
        for line in table_lines(HEAD, [_state_cells(state) for state in machine.states]):
            yield f"  {line}"


def _state_cells(view: StateView) -> tuple[str, ...]:
    note = "" if view.known else " (not in the machine)"
    name = "(not begun)" if view.state is None else f"{view.state}{note}"
    return name, str(view.count), view.oldest or "", utc_text(view.since), "; ".join(view.onward)
