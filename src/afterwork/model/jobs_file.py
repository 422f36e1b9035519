"""Jobs as data: view models, methods, timers and calculated members in a TOML file beside the model.

[methods."Customer.assign_number"]
precondition = "self.number->isNull"
do = "let s = NumberSeries.allInstances->first in (s.last := s.last + 1; self.number := s.last)"

[derived."Customer.total"]
value = "self.orders->collect(total)->sum"

[view_models.SeeOrders]
root = "Order"
when = { every = { minutes = 10 }, criteria = "Order.allInstances->select(o | not o.seen)" }
actions = [{ name = "see", do = "self.seen := true" }]
"""

import tomllib
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy.orm import Mapper, configure_mappers, registry

from afterwork.errors import BadDeclaration, BadJobsFile, LanguageError
from afterwork.model.derived import Derived, derived
from afterwork.model.expression import eal, expression_of, names_of, ocl
from afterwork.model.lane import MAIN
from afterwork.model.method import Method, method
from afterwork.model.retry import Retry
from afterwork.model.viewmodel import ViewModel, action
from afterwork.model.when import Cron, Every, Timer, WhenStale

SECTIONS = {
    "methods": {"do", "precondition", "lane", "external", "attempts", "when"},
    "derived": {"value", "priority", "allow_oldness"},
    "view_models": {"root", "actions", "lane", "external", "attempts", "when"},
}
ACTION = {"name", "do", "enabled"}
WHEN = {"stale", "priority", "allow_oldness", "every", "cron", "tz", "criteria", "max_answers", "misfire"}


@dataclass
class JobsFile:
    """A file that was read. `jobs` are what it has added to the model, by name, each with what takes it away again."""

    path: Path
    text: str
    jobs: dict[str, Callable[[], None]] = field(default_factory=dict)
    view_models: list[type[ViewModel[Any]]] = field(default_factory=list)
    """Nobody else keeps them."""

    def withdraw(self) -> None:
        """Take out of the model what the file has added."""
        for take_out in self.jobs.values():
            take_out()
        self.jobs.clear()


def load(path: Path, base: registry) -> JobsFile:
    """Read a file, and add its jobs to a model.

    Raises `BadJobsFile`, with the file and the line, for the first thing that is wrong; then nothing of it is added.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadJobsFile(str(path), None, f"it can't be read: {error.strerror}") from None
    return _load(path, text, base)


def load_text(file: JobsFile, base: registry) -> JobsFile:
    """Add the jobs of a file again, as it was when it was read."""
    return _load(file.path, file.text, base)


def _load(path: Path, text: str, base: registry) -> JobsFile:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadJobsFile(str(path), None, str(error)) from None
    configure_mappers()
    read = JobsFile(path, text)
    try:
        for name, add in _jobs(read, content, base):
            read.jobs[name] = add()
    except BaseException:
        read.withdraw()
        raise
    return read


Job = Callable[[], Callable[[], None]]
"""Puts one job of a file into the model, and returns what takes it out again."""


def _jobs(read: JobsFile, content: Mapping[str, Any], base: registry) -> Iterator[tuple[str, Job]]:
    makers = {"methods": _method, "derived": _derived, "view_models": _view_model}
    for section, jobs in content.items():
        if section not in makers:
            _refuse(read, section, f"there is no section {section!r}. There are: {', '.join(makers)}")
        for name, said in jobs.items():
            where = _Where(read, name, said, base)
            where.check_keys(said, SECTIONS[section], name)
            try:
                yield name, makers[section](where)
            except (BadDeclaration, LanguageError, TypeError, ValueError) as error:
                _refuse(read, name, f"{name}: {error}")


@dataclass(frozen=True)
class _Where:
    """One table of a file."""

    read: JobsFile
    name: str
    said: Mapping[str, Any]
    base: registry

    def check_keys(self, said: object, known: set[str], name: str) -> None:
        if not isinstance(said, dict):
            _refuse(self.read, name, f"{name} must be a table, with: {', '.join(sorted(known))}")
        for key in said:
            if key not in known:
                _refuse(self.read, key, f"{name}: there is no {key!r}. There are: {', '.join(sorted(known))}")

    def needed(self, key: str) -> Any:
        if key not in self.said:
            _refuse(self.read, self.name, f"{self.name} needs {key!r}")
        return self.said[key]

    @property
    def owner(self) -> tuple[Mapper[Any], str]:
        """The class and the member of a name like `Customer.total`."""
        cls, _, member = self.name.partition(".")
        if not member:
            _refuse(self.read, self.name, f'{self.name!r} must name a class and a member: "Customer.total"')
        return self.mapper(cls), member

    def mapper(self, name: str) -> Mapper[Any]:
        found = {mapper.class_.__name__: mapper for mapper in self.base.mappers}.get(name)
        if found is None:
            _refuse(self.read, name, f"{self.name}: the model has no class {name!r}")
        return found

    def query(self, text: str, cls: type | None) -> Callable[[Any], Any]:
        return self._checked(ocl(text), cls)

    def statements(self, text: str, cls: type | None) -> Callable[[Any], Any]:
        return self._checked(eal(text), cls)

    def _checked(self, function: Callable[[Any], Any], cls: type | None) -> Callable[[Any], Any]:
        expression = expression_of(function)
        assert expression is not None
        try:
            expression.compile(expression.text, names_of(self.base), cls)
        except LanguageError as error:
            line = error.line - 1 + (_line_of(self.read, expression.text.split("\n")[0]) or 1)
            raise BadJobsFile(str(self.read.path), line, f"{self.name}: {error}") from None
        return function


def _method(where: _Where) -> Job:
    mapper, name = where.owner
    cls = mapper.class_
    body = where.statements(where.needed("do"), cls)
    precondition = where.query(where.said["precondition"], cls) if "precondition" in where.said else None
    made: Method[Any, Any] = method(precondition=precondition, when=_when(where), **_way(where))(body)
    made.name = name
    return lambda: _put(where, cls, name, made)


def _derived(where: _Where) -> Job:
    mapper, member = where.owner
    function = where.query(where.needed("value"), mapper.class_)
    oldness = _span(where.said.get("allow_oldness", {}))
    made: Derived[Any, Any] = derived(member, priority=where.said.get("priority"), allow_oldness=oldness)(function)
    made.name = f"compute_{member}"
    return lambda: _put(where, mapper.class_, made.name, made)


def _view_model(where: _Where) -> Job:
    root = where.mapper(where.said["root"]).class_ if "root" in where.said else None
    names: dict[str, Any] = dict(_way(where))
    if (when := _when(where)) is not None:
        names["when"] = when
    for said in where.needed("actions"):
        where.check_keys(said, ACTION, f"an action of {where.name}")
        enabled = where.query(said["enabled"], root) if "enabled" in said else None
        names[said["name"]] = action(enabled=enabled)(where.statements(said["do"], root))
    return lambda: _make(where, root, names)


def _way(where: _Where) -> dict[str, Any]:
    """How a job runs."""
    return {
        "lane": where.said.get("lane", MAIN) or None,
        "external": where.said.get("external", False),
        "retry": Retry(attempts=where.said["attempts"]) if "attempts" in where.said else None,
    }


def _when(where: _Where) -> Any:
    said = where.said.get("when")
    if said is None:
        return None
    where.check_keys(said, WHEN, f"when of {where.name}")
    if said.get("stale"):
        return WhenStale(priority=said.get("priority"), allow_oldness=_span(said.get("allow_oldness", {})))
    others: dict[str, Any] = {key: said[key] for key in ("max_answers", "misfire") if key in said}
    if "criteria" in said:
        others["criteria"] = where.query(said["criteria"], None)
    timer: Timer
    if "every" in said:
        timer = Every(_span(said["every"]), **others)
    elif "cron" in said:
        timer = Cron(said["cron"], **({"tz": said["tz"]} if "tz" in said else {}), **others)
    else:
        needed = 'stale = true, every = { minutes = 10 } or cron = "0 3 * * *"'
        _refuse(where.read, where.name, f"when of {where.name} needs {needed}")
    return timer


def _span(said: Mapping[str, float]) -> timedelta:
    return timedelta(**said)


def _put(where: _Where, cls: type, name: str, made: Any) -> Callable[[], None]:
    if name in vars(cls):
        _refuse(where.read, where.name, f"{cls.__name__} has a {name} already")
    setattr(cls, name, made)
    return lambda: delattr(cls, name)


def _make(where: _Where, root: type | None, names: Mapping[str, Any]) -> Callable[[], None]:
    made: Any = types.new_class(where.name, (ViewModel,), {"root": root}, lambda body: body.update(names))
    where.read.view_models.append(made)

    def take_out() -> None:
        made.root_class, made.actions, made.when = None, {}, None

    return take_out


def _refuse(read: JobsFile, near: str, problem: str) -> NoReturn:
    raise BadJobsFile(str(read.path), _line_of(read, near), problem)


def _line_of(read: JobsFile, near: str) -> int | None:
    """The first line that has a text; None if none has."""
    for number, line in enumerate(read.text.split("\n"), 1):
        if near in line:
            return number
    return None
