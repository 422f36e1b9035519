"""The methods of the model, as expressions call them: `customer.refund(12.5)`, `Customer.standard`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from afterwork.language.typed.types import NOTHING, Type


@dataclass(frozen=True, slots=True)
class MethodParameter:
    """A parameter of a method. A `repeated` one takes all further arguments."""

    name: str
    type: Type
    optional: bool = False
    repeated: bool = False

    def __str__(self) -> str:
        text = f"{self.name} : {self.type}{'...' if self.repeated else ''}"
        return f"[{text}]" if self.optional else text


@dataclass(frozen=True, slots=True)
class MethodSignature:
    """The parameters of a method, and the type of its result.

    Queries call no method that `has_effects`. A method is `guarded` if only its run shows that it has none.
    """

    parameters: tuple[MethodParameter, ...] = ()
    result: Type = NOTHING
    has_effects: bool = True
    guarded: bool = False

    def takes(self, count: int) -> bool:
        """Return whether it can be called with so many arguments."""
        needed = sum(not (parameter.optional or parameter.repeated) for parameter in self.parameters)
        return needed <= count and (count <= len(self.parameters) or self.takes_more)

    @property
    def takes_more(self) -> bool:
        """True if the last parameter takes all further arguments."""
        return bool(self.parameters) and self.parameters[-1].repeated

    def parameter(self, index: int) -> MethodParameter:
        """Return the parameter for the argument at an index."""
        return self.parameters[min(index, len(self.parameters) - 1)]

    def written(self, name: str) -> str:
        """Return a call as it is written: `refund(amount : Decimal, [reason : String])`."""
        parameters = ", ".join(map(str, self.parameters))
        return f"{name}({parameters})" if parameters else name


@dataclass(frozen=True)
class ModelMethod:
    """A method of the model that expressions may call.

    `call` takes the evaluation, the object, and the arguments; a `static` method gets its class as the object.
    `signature` is asked for at each use, since a text may have to be read for it. If `signature_for` is given, it
    returns the signature that the method has where its first argument is a constant text; None for an unknown text.
    """

    name: str
    call: Callable[..., Any]
    may_run: Callable[[Any], bool] = lambda obj: True
    signature: Callable[[], MethodSignature] = MethodSignature
    static: bool = False
    signature_for: Callable[[str], MethodSignature | None] | None = None
    known_texts: Callable[[], list[str]] = list
