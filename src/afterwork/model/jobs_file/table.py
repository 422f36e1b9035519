"""One table of a file of jobs: its content, checked, and its path in the file."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from inspect import Signature
from typing import Any, NoReturn

from sqlalchemy.orm import Mapper, registry

from afterwork.errors import BadDeclaration, BadJobsFile, BadRequest, LanguageError, shown
from afterwork.language.query import compile_action, compile_query
from afterwork.language.syntax.precedence import Dialect
from afterwork.language.syntax.spelling import nearest
from afterwork.model.expression import PLAIN, Expression, expression_of, function_of_text, names_of, ocl
from afterwork.model.jobs_file.source import JobsFileSource, Keys
from afterwork.model.text_types import annotation_named

KINDS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    dict: "a table",
    list: "a list",
    timedelta: "a duration, such as { minutes = 10 }",
    object: "a value",
}
UNITS = ("days", "hours", "minutes", "seconds")


@dataclass(frozen=True)
class JobsReading:
    """A file that is being loaded into a model.

    It may name the functions and exceptions in `python`, by their names. The `checks` are made once all its jobs are in
    the model, so a text may name any of them.
    """

    source: JobsFileSource
    base: object
    registry: registry
    python: Mapping[str, Any]
    dialect: Dialect = "original"
    checks: list[Callable[[], None]] = field(default_factory=list)


@dataclass(frozen=True)
class JobTable:
    """A table: `who` is its name in messages, `said` its content, and `keys` lead to it."""

    reading: JobsReading
    who: str
    said: Mapping[str, Any]
    keys: Keys

    def refuse(self, problem: str, *keys: str) -> NoReturn:
        """Raise `BadJobsFile` for a problem of this table, or of a key of it."""
        self.reading.source.refuse((*self.keys, *keys), f"{self.who}: {problem}" if self.who else problem)

    def check(self, known: Mapping[str, type]) -> None:
        """Refuse unknown keys, and values of a wrong kind."""
        for key, value in self.said.items():
            if key not in known:
                near = nearest(str(key), known)
                advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}"
                self.refuse(f"there is no {key!r}. {advice}", str(key))
            kind = known[key]
            fits = _is_duration(value) if kind is timedelta else kind is object or type(value) is kind
            if not fits:
                self.refuse(f"{key} must be {KINDS[kind]}, not {shown(value)}", key)

    def needed(self, key: str) -> Any:
        """Return the value of a key that must be present."""
        if key not in self.said:
            self.refuse(f"it needs {key!r}")
        return self.said[key]

    def table(self, key: str, known: Mapping[str, type]) -> "JobTable | None":
        """Return the table at a key, checked; None without the key."""
        if key not in self.said:
            return None
        table = JobTable(self.reading, f"{self.who}, {key}", self.said[key], (*self.keys, key))
        table.check(known)
        return table

    def items(self, key: str, known: Mapping[str, type]) -> Iterator[tuple[str, "JobTable"]]:
        """Yield the tables of the list at a key, checked, each with the name that it gives itself."""
        names: set[str] = set()
        for said in self.said.get(key, []):
            if not isinstance(said, dict) or not isinstance(said.get("name"), str):
                self.refuse(f'{key} must be tables with a name, such as {{ name = "see", … }}', key)
            name = said["name"]
            if name in names or not name.isidentifier():
                self.refuse(
                    f"{shown(name)} is there twice" if name in names else f"{shown(name)} is no name", key, name
                )
            names.add(name)
            item = JobTable(self.reading, f"{self.who}, {name}", said, (*self.keys, key, name))
            item.check({"name": str, **known})
            yield name, item

    def duration(self, key: str) -> timedelta | None:
        """Return the duration at a key; None without the key."""
        if key not in self.said:
            return None
        try:
            return timedelta(**self.said[key])
        except (OverflowError, ValueError) as error:
            self.refuse(f"{key}: {error}", key)

    @contextmanager
    def at(self, *keys: str) -> Iterator[None]:
        """Refuse what the block declares wrongly, as a problem of a key."""
        try:
            yield
        except BadJobsFile:
            raise
        except (BadDeclaration, BadRequest) as error:
            self.refuse(str(error), *keys)

    # Names of the model and of Python

    def mapper(self, name: str, *keys: str) -> Mapper[Any]:
        """Return the mapped class with a name."""
        classes = {mapper.class_.__name__: mapper for mapper in self.reading.registry.mappers}
        if name not in classes:
            near = "".join(f" Did you mean {similar}?" for similar in nearest(name, classes)[:1])
            self.refuse(f"the model has no class {shown(name)}.{near}", *keys)
        return classes[name]

    def python(self, name: object, kind: str, fits: Callable[[Any], bool], *keys: str) -> Any:
        """Return what the application has given under a name."""
        given = self.reading.python.get(name) if isinstance(name, str) else None
        if given is None or not fits(given):
            known = ", ".join(known for known, value in self.reading.python.items() if fits(value)) or "none"
            self.refuse(
                f"the application gives no {kind} {shown(name)}. It gives: {known}. "
                "app.load(…, python=[…]) says what a file may name.",
                *keys,
            )
        return given

    # Texts in the languages of the model

    def query(self, key: str, cls: type | None, variables: Collection[str] = ()) -> Callable[[Any], Any] | None:
        """Return the expression at a key; None without the key. It is checked once all jobs of the file are there."""
        if key not in self.said:
            return None
        with self.at(key):
            function = ocl(self.said[key], dialect=self.reading.dialect)
        self._check_later(key, function, cls, variables)
        return function

    def annotation(self, key: str) -> Any:
        """Return the annotation for the type that a key names: `Decimal`, `Sequence(Order)`."""
        enumerations = [enumeration.cls for enumeration in names_of(self.reading.registry).enumerations]
        with self.at(key):
            return annotation_named(self.needed(key), self.reading.registry, enumerations)

    def body(
        self, cls: type | None, variables: Collection[str] = (), declared: Signature = PLAIN
    ) -> Callable[..., Any]:
        """Return the body of a job: the statements at `do`, an expression at `value` that changes nothing, or the
        function of the application that `python` names."""
        bodies = [key for key in ("do", "value", "python") if key in self.said]
        if len(bodies) != 1:
            known = "'do', 'value' and 'python'" if self.keys[0] == "methods" else "'do' and 'python'"
            self.refuse(f"it needs one of {known}")
        if bodies == ["python"]:
            function: Callable[..., Any] = self.python(self.said["python"], "function", _is_function, "python")
            return function
        mark, compile_ = ("aw.eal", compile_action) if bodies == ["do"] else ("aw.ocl", compile_query)
        with self.at(*bodies):
            function = function_of_text(self.said[bodies[0]], mark, compile_, declared, self.reading.dialect)
        self._check_later(bodies[0], function, cls, variables)
        return function

    def _check_later(
        self, key: str, function: Callable[[Any], Any], cls: type | None, variables: Collection[str]
    ) -> None:
        expression = expression_of(function)
        assert expression is not None
        self.check_later(
            key, expression, lambda: expression.prepare(cls or type(None), self.reading.registry, cls, variables)
        )

    def check_later(self, key: str, expression: Expression, check: Callable[[], object]) -> None:
        """Check the text at a key once all jobs of the file are there."""

        def checked() -> None:
            try:
                check()
            except LanguageError as error:
                source = self.reading.source
                line = source.line_of_text((*self.keys, key), expression.text) + error.line - 1
                raise BadJobsFile(str(source.path), line, f"{self.who}: {error}") from None

        self.reading.checks.append(checked)


def _is_duration(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(unit in UNITS and type(number) in (int, float) for unit, number in value.items())
    )


def _is_function(value: object) -> bool:
    return not isinstance(value, type)
