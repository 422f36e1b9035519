"""The application that a command is about: its first argument, AFTERWORK_APP, or that of the project."""

import importlib
import os
import pkgutil
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from click.core import ParameterSource
from sqlalchemy.exc import SQLAlchemyError

from afterwork.app import Afterwork
from afterwork.cli.printing import error_text
from afterwork.cli.project import FILE, TABLE, project_of
from afterwork.errors import AfterworkError
from afterwork.jobs.run import text_of
from afterwork.language.syntax.spelling import nearest
from afterwork.model.known_names import meant

APP = "AFTERWORK_APP"

FORM = re.compile(r"\w+(\.\w+)*:\w+")
"""The form of MODULE:APP, by which it is told from a name that follows it."""

NO_APPLICATION = (
    f"No application is named. Give MODULE:APP as the first argument, set {APP}, or write app under [{TABLE}] in "
    f'{FILE}: app = "shop:app"'
)

WHERE = "afterwork.where"


@dataclass(frozen=True)
class AppPlace:
    """Where an application is: `MODULE:APP`, who says so, and the folder from which its module is imported."""

    where: str
    said_by: str
    folder: Path
    source: ParameterSource


def app_at(where: str, folder: Path | None = None) -> Afterwork:
    """Return the application at `MODULE:APP`, importing from a folder, by default the current one."""
    module_name, _, attribute = where.partition(":")
    if not module_name or not attribute:
        raise click.BadParameter(f"{where!r} is not of the form MODULE:APP. An example: shop:app")
    module = _module(module_name, folder or Path.cwd())
    app = getattr(module, attribute, None)
    if not isinstance(app, Afterwork):
        what = f"has no {attribute}" if app is None else f"has {attribute}, but that is no aw.Afterwork(…)"
        raise click.BadParameter(f"The module {module_name} {what}. {_advice(module, attribute)}")
    app.address = where
    return app


def _module(name: str, folder: Path) -> ModuleType:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            beside = [module.name for module in pkgutil.iter_modules([str(folder)])]
            suggestion = " ".join(filter(None, (f"neither in {folder} nor installed.", meant(name, beside))))
            raise click.BadParameter(f"There is no module {name}, {suggestion}") from None
        raise click.ClickException(f"Importing {name} raised {text_of(error)}") from None
    except Exception as error:
        raise click.ClickException(f"Importing {name} raised {text_of(error)}") from None


def _advice(module: ModuleType, attribute: str) -> str:
    known = [name for name, value in vars(module).items() if isinstance(value, Afterwork)]
    places = [f"{module.__name__}:{name}" for name in nearest(attribute, known) or known]
    return f"Did you mean {' or '.join(places)}?" if places else "Put one there: app = aw.Afterwork(Base)"


def as_typed(text: str, context: click.Context) -> str:
    """Return a text whose commands name application and database as this one did: not at all where it needn't."""
    place: AppPlace | None = context.meta.get(WHERE)
    if place is None:
        return text
    where = f" {place.where}" if place.source is ParameterSource.COMMANDLINE else ""
    is_given = context.get_parameter_source("url") is ParameterSource.COMMANDLINE
    database = f" --database {shlex.quote(context.params['url'].render_as_string())}" if is_given else ""
    text = re.sub(r"(afterwork \w+) MODULE:APP", lambda match: f"{match[1]}{where}", text)
    return text.replace(" --database URL", database)


class ApplicationCommand(click.Command):
    """A command whose first argument, MODULE:APP, may be left out where the environment or the project names it.

    Its errors are one message, in which commands are as one types them here.
    """

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (AfterworkError, SQLAlchemyError) as error:
            raise click.ClickException(as_typed(error_text(error), ctx)) from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = self._words(ctx, args)
        if not self._begin_with_application(words):
            place = place_by_default()
            # Without one, `pause shop:app` lacks the name of a lane, and not the application.
            if place is not None or not (words and FORM.fullmatch(words[0])):
                ctx.meta[WHERE] = place
                args = ["" if place is None else place.where, *args]
        return super().parse_args(ctx, args)

    def _begin_with_application(self, words: Sequence[str]) -> bool:
        """Return whether the first word is certainly an application: by its form, or since there is no other use."""
        if len(words) > self._most:
            return True
        return len(words) > self._least and FORM.fullmatch(words[0]) is not None

    def _words(self, ctx: click.Context, args: list[str]) -> Sequence[str]:
        """Return what is given beside options."""
        options = [param for param in self.params if isinstance(param, click.Option)]
        twin = click.Command(self.name, params=[*options, click.Argument(["words"], nargs=-1)])
        given, _, _ = twin.make_parser(ctx).parse_args(list(args))
        words = given.get("words")
        return words if isinstance(words, (tuple, list)) else ()

    @property
    def _others(self) -> list[click.Argument]:
        return [param for param in self.params if isinstance(param, click.Argument) and param.name != "app"]

    @property
    def _least(self) -> int:
        return sum(argument.required for argument in self._others)

    @property
    def _most(self) -> float:
        return sum(float("inf") if argument.nargs < 0 else argument.nargs for argument in self._others)


def place_by_default() -> AppPlace | None:
    """Return where the application is that the environment names, or else the project; None if neither does."""
    if given := os.environ.get(APP):
        return AppPlace(given, APP, Path.cwd(), ParameterSource.ENVIRONMENT)
    project = project_of(Path.cwd())
    where = None if project is None else project.text("app")
    if project is None or where is None:
        return None
    return AppPlace(where, project.place_of("app"), project.folder, ParameterSource.DEFAULT_MAP)


def _application(context: click.Context, parameter: click.Parameter, where: str) -> Afterwork:
    """Return the application that was named. An error says where that was."""
    place: AppPlace | None = context.meta.get(WHERE)
    if place is None and not where:
        raise click.UsageError(NO_APPLICATION)
    if place is None:
        place = AppPlace(where, "MODULE:APP", Path.cwd(), ParameterSource.COMMANDLINE)
    context.meta[WHERE] = place
    try:
        return app_at(place.where, place.folder)
    except click.BadParameter as error:
        error.param_hint = place.said_by
        raise


app_argument = click.argument("app", callback=_application, metavar="[MODULE:APP]")
