"""The parameters of one work: a method, a function, or a view model with its variables."""

import inspect as python
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from afterwork.errors import ArgumentsLost, BadArguments, CantBeKept, Unfit, shown
from afterwork.model.arguments.annotation import NOTHING, Resolver, annotations_of, signature_of
from afterwork.model.arguments.kind import HIDDEN, Kind, Objects, Tree
from afterwork.model.arguments.kind_of import Kinds
from afterwork.model.arguments.references import Reference, references
from afterwork.model.known_names import meant

SEVERAL = (python.Parameter.VAR_POSITIONAL, python.Parameter.VAR_KEYWORD)

STARS = dict(zip(SEVERAL, ("*", "**"), strict=True))


@dataclass(frozen=True)
class WorkParameter:
    """One parameter of a work, as its code declares it, and the kind of its values."""

    parameter: python.Parameter
    kinds: Kinds

    @cached_property
    def kind(self) -> Kind:
        """The kind of its values. Raises `CantBeKept` or `NameError`."""
        return self.kinds.of(self.parameter.annotation)

    @property
    def is_required(self) -> bool:
        return self.parameter.default is NOTHING


class Parameters:
    """The parameters of a work, without `self`. `name` is the work's name in messages."""

    def __init__(self, name: str, parameters: Iterable[WorkParameter], never_given: Sequence[str] = ()) -> None:
        self.name = name
        self.never_given = never_given
        """Those of the function that no ticket can give, as it writes them: `*args`."""
        self.by_name = {each.parameter.name: each for each in parameters}
        self._python = python.Signature([each.parameter for each in self.by_name.values()])

    @classmethod
    def of_function(
        cls, name: str, function: Callable[..., Any], itself: type | None, model: object = None
    ) -> "Parameters":
        """Return the parameters of a function; of a method with `self`, those of the class `itself`.

        `model` is the base of the classes that annotations may name; without one, that of `itself`.
        """
        own = list(signature_of(function).parameters.values())[0 if itself is None else 1 :]
        kinds = Kinds(Resolver.of_function(function, itself, model))
        several = [f"{STARS[each.kind]}{each.name}" for each in own if each.kind in SEVERAL]
        return cls(name, [WorkParameter(each, kinds) for each in own if each.kind not in SEVERAL], several)

    @classmethod
    def of_variables(
        cls, name: str, view_model: type, root: type | None, model: object, defaults: Mapping[str, Any]
    ) -> "Parameters":
        """Return the variables of a view model, whose `defaults` are given by name."""
        owners = {each: base for base in reversed(view_model.__mro__) for each in vars(base) if each in defaults}
        resolver = Resolver({}, root, model)
        declared = []
        for each, default in defaults.items():
            base = owners.get(each, view_model)
            annotation = annotations_of(base).get(each, NOTHING)
            parameter = python.Parameter(each, python.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            declared.append(WorkParameter(parameter, Kinds(resolver.of_class(base))))
        return cls(name, declared)

    @property
    def required(self) -> Sequence[str]:
        """The names of the parameters that have no default."""
        return [name for name, each in self.by_name.items() if each.is_required]

    @property
    def problems(self) -> Iterator[str]:
        """The reasons for which no ticket could ever give all that has no default."""
        for name in self.required:
            try:
                self._kind(name)
            except BadArguments as error:
                yield str(error)

    def __str__(self) -> str:
        return str(self._python) if self.by_name else "no arguments"

    def written(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> "Arguments":
        """Return the arguments of a call. Raises `BadArguments`, which names the parameter."""
        for name in kwargs.keys() - self.by_name.keys():
            suggestion = " ".join(filter(None, (f"takes no argument {shown(name)}.", meant(name, self.by_name))))
            raise BadArguments(f"{self.name} {suggestion} {self._takes}")
        try:
            given = self._python.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise BadArguments(f"{self.name}: {error}. {self._takes}") from None
        tree = {name: self._written(name, value) for name, value in given.items()}
        return Arguments(self, tree)

    @property
    def _takes(self) -> str:
        never = f" No ticket can give {' or '.join(self.never_given)}." if self.never_given else ""
        return f"It takes {self}.{never}"

    def _written(self, name: str, value: Any) -> Tree:
        try:
            return self._kind(name).write(value, name)
        except Unfit as error:
            hint = " It has no annotation: give it one." if self._annotation(name) is NOTHING else ""
            raise BadArguments(f"{self.name}: {error}{hint}") from None
        except RecursionError:
            raise BadArguments(f"{self.name}: {name} holds itself, or is nested too deep.") from None

    def _annotation(self, name: str) -> Any:
        return self.by_name[name].parameter.annotation

    def _kind(self, name: str) -> Kind:
        try:
            return self.by_name[name].kind
        except CantBeKept as error:
            raise BadArguments(f"{self.name}: {name} {error}") from None
        except (NameError, AttributeError, SyntaxError, TypeError) as error:  # of a text that Python can't evaluate
            raise BadArguments(
                f"{self.name}: the annotation of {name}, {self._annotation(name)!r}, can't be resolved ({error}). "
                "Import what it names when the program runs, not for type checkers only."
            ) from None

    def read(self, text: object, objects: Objects) -> dict[str, Any]:
        """Return the values that a ticket's text gives, by name. Raises `ArgumentsLost`, which names the parameter."""
        tree = self._tree(text)
        for name in tree.keys() - self.by_name.keys():
            raise ArgumentsLost(f"Arguments: {self.name} has no parameter {shown(name)}. It takes {self}.")
        for name in self.required:
            if name not in tree:
                raise ArgumentsLost(f"Arguments: {self.name} needs {name}, which the ticket doesn't give.")
        try:
            return {name: self._kind(name).read(tree[name], name, objects) for name in self.by_name if name in tree}
        except (Unfit, BadArguments, RecursionError) as error:
            raise ArgumentsLost(f"Arguments: {self.name}: {error}") from None

    def _tree(self, text: object) -> dict[str, Tree]:
        if text is None:
            return {}
        try:
            tree = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise ArgumentsLost('Arguments is no object of JSON, like {"amount": "12.50"}.')
        return tree

    def bound(self, values: Mapping[str, Any]) -> python.BoundArguments:
        """Return values, and defaults for the others, in the form in which the function is called."""
        bound = python.BoundArguments(self._python, {name: values[name] for name in self.by_name if name in values})
        bound.apply_defaults()
        return bound

    def shown(self, text: object) -> dict[str, Tree]:
        """Return the arguments of a ticket as people may see them. What the work doesn't know may be a secret."""
        try:
            tree = self._tree(text)
        except ArgumentsLost:
            return {"?": HIDDEN}
        return {name: self._shown(name, each) for name, each in tree.items()}

    def _shown(self, name: str, tree: Tree) -> Tree:
        try:
            return self._kind(name).shown(tree) if name in self.by_name else HIDDEN
        except BadArguments:
            return HIDDEN


class Arguments:
    """The arguments of one request, which nothing changes any more. Only new objects have no external id yet."""

    __slots__ = ("_tree", "parameters")

    def __init__(self, parameters: Parameters, tree: Mapping[str, Tree]) -> None:
        self.parameters = parameters
        self._tree = tree

    def __bool__(self) -> bool:
        return bool(self._tree)

    def __repr__(self) -> str:
        visible = self.parameters.shown(json.dumps(self._tree, default=_described))
        return ", ".join(f"{name}={tree!r}" for name, tree in visible.items())

    @property
    def objects(self) -> list[Any]:
        """The mapped objects among them."""
        return [reference.obj for reference in references(dict(self._tree))]

    @property
    def is_complete(self) -> bool:
        """Return whether all external ids are known."""
        return all(reference.text is not None for reference in references(dict(self._tree)))

    def text(self) -> str:
        """Return them as JSON. Raises `BadArguments` for a new object that isn't saved."""
        return self._dumped(_external_id)

    def described(self) -> str:
        """Return them as JSON in which something stands for each new object: the same for the same object."""
        return self._dumped(_described)

    def _dumped(self, default: Callable[[Any], str]) -> str:
        try:
            return json.dumps(self._tree, default=default)
        except ValueError as error:  # an integer with thousands of digits
            raise BadArguments(f"{self.parameters.name}: {error}") from None


def _external_id(reference: Reference) -> str:
    text = reference.text
    if text is None:
        raise BadArguments(
            f"An argument is a new {type(reference.obj).__name__}, which was not saved together with the ticket: it is "
            "in another session, or not among the objects that were to be flushed. Flush it first."
        )
    return text


def _described(reference: Reference) -> str:
    return reference.text or f"{type(reference.obj).__name__} (new, {id(reference.obj)})"
