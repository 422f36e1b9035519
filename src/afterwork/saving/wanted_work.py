"""The work that a request wants: its name, root and arguments, and where its ticket belongs."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from afterwork.compat.sqlalchemy_mappers import all_mappers
from afterwork.errors import BadArguments, BadRequest, ModelError, NoSession, shown
from afterwork.model.arguments.parameters import Arguments, Parameters
from afterwork.model.base import registry_of
from afterwork.model.contract import CLASS_NAME, HOW_TO_HAVE_TICKETS, Contract
from afterwork.model.job_function import JobFunction
from afterwork.model.lane import Lane
from afterwork.model.method import BoundMethod, GivenWork, Method
from afterwork.model.ticket import contract_in, contract_of, is_ticket_class, ticket_contract
from afterwork.model.viewmodel import ViewModel, no_action, parameters_of_variables, variables_to_carry
from afterwork.model.work import name_of_method
from afterwork.saving.sessions import plain_session
from afterwork.saving.sessions import session as session_of


@dataclass(frozen=True)
class WantedWork:
    """A work as a request names it, on a root or none. `lane` is that which the work declares."""

    work: BoundMethod[Any, Any] | JobFunction[Any, Any] | ViewModel[Any, Any]
    name: str
    root: Any
    lane: str | Lane | None
    parameters: Parameters
    arguments: Arguments | None

    @property
    def _has_root(self) -> bool:
        match self.work:
            case JobFunction():
                return False
            case ViewModel():
                return type(self.work).root_class is not None
            case _:
                return True

    def session(self, given: object | None) -> Session:
        """Return the session of the request. Raises `NoSession`, and `BadRequest` for one that is not the root's."""
        own = None if given is None else plain_session(given)
        if self._has_root:
            root_session = session_of(self.root)
            if own not in (None, root_session):
                raise BadRequest(
                    f"{self.name} is asked for in the session of its root, which is another one than session=. Leave "
                    "out session=."
                )
            return root_session
        if own is None:
            raise NoSession(
                f"{self.name} has no root, whose session it would be saved in. Give one: aw.later(…, session=session)"
            )
        return own

    def contract(self) -> Contract:
        """Return the contract of its model's tickets. Raises `ModelError` if the model has no ticket class."""
        if self._has_root:
            contract, of_model = ticket_contract(self.root), type(self.root).__name__
        else:
            contract, of_model = self._contract_without_root(), self.name
        if contract is None:
            raise ModelError([f"The model of {of_model} has no class {CLASS_NAME}. {HOW_TO_HAVE_TICKETS}"])
        return contract

    def _contract_without_root(self) -> Contract | None:
        model = getattr(self.work, "model", None)
        if model is not None:
            return contract_in(registry_of(model))
        every = [mapper.class_ for mapper in all_mappers() if is_ticket_class(mapper.class_)]
        beside = [cls for cls in every if cls.__module__ == type(self.work).__module__]
        match every if len(every) == 1 else beside:
            case [cls]:
                return contract_of(cls)
            case _ if not every:
                return None
        raise BadRequest(
            f"{self.name} has no root, and this program has {len(every)} models with tickets. Name its own: "
            f"class {self.name}(aw.ViewModel, model=Base)"
        )


def wanted_of(work: object) -> WantedWork:
    """Return what `aw.later` was given. Raises `BadRequest`, `BadArguments` and `NoSession`."""
    arguments: Arguments | None = None
    if isinstance(work, GivenWork):
        arguments = work.arguments or None
        work = work.work
    elif isinstance(work, BoundMethod | JobFunction):
        _check_needs_nothing(work)
    match work:
        case BoundMethod(target=type() as cls, method=method):
            raise BadRequest(
                f"{cls.__name__}.{method.name} works on an object, and was asked for on the class: leave out "
                f"@classmethod above @aw.method, and write aw.later(obj.{method.name})."
            )
        case BoundMethod(target=root, method=method):
            session_of(root)
            name = name_of_method(inspect(root).mapper, method)
            return WantedWork(work, name, root, method.lane, method.parameters(type(root)), arguments)
        case JobFunction():
            return WantedWork(work, work.name, None, work.lane, work.parameters, arguments)
        case ViewModel(root=root):
            cls = type(work)
            if not cls.actions:
                raise BadRequest(f"{no_action(cls)} Mark the functions that do its work, or ask for another one.")
            return WantedWork(
                work, cls.__name__, root, work.lane, parameters_of_variables(cls), variables_to_carry(work)
            )
        case Method():
            raise BadRequest(f"{work.of_an_object} Name the object: aw.later(obj.{work.name}).")
        case type() as cls if issubclass(cls, ViewModel):
            root = "" if cls.root_class is None else cls.root_class.__name__.lower()
            raise BadRequest(f"{cls.__name__} is no work by itself. Make one of it: aw.later({cls.__name__}({root})).")
    raise BadRequest(
        f"{shown(work)} is no work. Give a method marked with @aw.method, without calling it: "
        "aw.later(customer.assign_number), a view model on its root: aw.later(Assigner(customer)), or a function "
        "marked with @app.job: aw.later(tidy, session=session)."
    )


def _check_needs_nothing(work: BoundMethod[Any, Any] | JobFunction[Any, Any]) -> None:
    match work:
        case JobFunction(name=name):
            needed, call = work.parameters.required, f"{name}.given(…), session=session"
        case BoundMethod(target=target, method=method):
            name, needed = f"{type(target).__name__}.{method.name}", method.required
            call = f"obj.{method.name}.given(…)"
    if needed:
        raise BadArguments(f"{name} needs {', '.join(needed)}. Give arguments: aw.later({call})")
