"""`afterwork shell`: evaluates expressions in OCL, one after the other, with completion and a history."""

import readline
from dataclasses import dataclass, field
from pathlib import Path

import click
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.arguments import object_at
from afterwork.cli.printing import print_line, value_lines, value_view
from afterwork.errors import AfterworkError
from afterwork.language.operators.table import table
from afterwork.model.base import registry_of
from afterwork.model.expression import names_of

PROMPT = "ocl> "
HISTORY = Path.home() / ".afterwork_history"
HELP = """An expression in OCL is evaluated, and changes nothing: Customer.allInstances->select(number->isNull)->size
  :on Customer!42   makes that object self; :on alone takes it away
  :help, :quit      or Ctrl-D. Tab completes classes, members and operators."""


@dataclass
class Shell:
    """Reads expressions and prints their values, each in a transaction of its own."""

    app: Afterwork
    engine: Engine
    as_json: bool = False
    root: str | None = None
    completer: "Completer" = field(init=False)

    def __post_init__(self) -> None:
        self.completer = Completer(self.app)

    def run(self) -> None:
        """Run until the end of the input, or :quit."""
        readline.set_completer_delims(" \t\n()|,;=<>+*/'{}")
        readline.set_completer(self.completer.complete)
        readline.parse_and_bind("tab: complete")
        if HISTORY.exists():
            readline.read_history_file(HISTORY)
        self._tell(HELP)
        try:
            while (line := self._read()) not in (None, ":quit"):
                assert line is not None
                self._do(line)
        finally:
            _save_history()

    def _read(self) -> str | None:
        try:
            return input("" if self.as_json else PROMPT).strip()
        except EOFError:
            self._tell()
            return None

    def _tell(self, text: str = "") -> None:
        """Print what is no value, for who types."""
        if not self.as_json:
            click.echo(text)

    def _do(self, line: str) -> None:
        try:
            match line.partition(" "):
                case "", _, _:
                    pass
                case ":help", _, _:
                    self._tell(HELP)
                case ":on", _, root:
                    self._set_root(root.strip())
                case _:
                    self._print(line)
        except (AfterworkError, click.ClickException) as error:
            click.echo(str(error), err=True)

    def _set_root(self, root: str) -> None:
        with Session(self.engine) as session:
            if root:
                object_at(session, root, self.app)
        self.root = root or None

    def _print(self, text: str) -> None:
        with Session(self.engine) as session:
            itself = None if self.root is None else object_at(session, self.root, self.app)
            value = value_view(self.app.evaluate(session, text, itself))
        if self.as_json:
            print_line(value)
        else:
            for line in value_lines(value):
                click.echo(line)


class Completer:
    """Completes words: classes at the beginning, members after a dot, operators after an arrow."""

    def __init__(self, app: Afterwork) -> None:
        names = names_of(registry_of(app.base))
        self._classes = sorted(names.classes)
        members = {member for cls in names.classes.values() for member in names.members(cls)}
        methods = {method for cls in names.classes.values() for method in names.methods(cls)}
        self._members = sorted(members | methods)
        self._operators = sorted({operator.name for operators in table().values() for operator in operators})

    def complete(self, text: str, index: int) -> str | None:
        """Return the completion of an index, as `readline` asks for it."""
        completions = self.completions(text)
        return completions[index] if index < len(completions) else None

    def completions(self, text: str) -> list[str]:
        """Return all completions of the text before the cursor."""
        for mark, words in (("->", self._operators), (".", [*self._members, *self._operators])):
            before, separator, prefix = text.rpartition(mark)
            if separator:
                return [f"{before}{mark}{word}" for word in words if word.lower().startswith(prefix.lower())]
        return [word for word in [*self._classes, "self"] if word.lower().startswith(text.lower())]


def _save_history() -> None:
    try:
        readline.write_history_file(HISTORY)
    except OSError as error:
        click.echo(f"The history could not be kept in {HISTORY}: {error.strerror}", err=True)
