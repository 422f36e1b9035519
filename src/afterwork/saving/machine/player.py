"""`aw.machine`: give the objects of a class a state machine, which moves them in the session that they are in."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import event as sqlalchemy_event

from afterwork.model.awaiting import asking
from afterwork.model.machine.declaration import Machine
from afterwork.saving.machine.object_view import check_source_state
from afterwork.saving.machine.play import Play
from afterwork.saving.machine.transition_log import forget_unsaved, write_down

if TYPE_CHECKING:
    from statemachine import StateChart


class SessionPlayer:
    """Moves objects in the session that they are in, and has SQLAlchemy save the moves with them."""

    def listen(self, owner: type) -> None:
        """Listen to how the objects of a class, and of the classes below it, are saved and expired."""
        sqlalchemy_event.listen(owner, "before_update", check_source_state, propagate=True)
        for saved in ("after_insert", "after_update"):
            sqlalchemy_event.listen(owner, saved, write_down, propagate=True)
        sqlalchemy_event.listen(owner, "expire", forget_unsaved, propagate=True)

    def check(self, machine: Machine, obj: Any) -> None:
        """Raise `BadDeclaration` if an object can't have a machine."""
        Play(machine, obj)

    def send(self, machine: Machine, obj: Any, event: str, *args: Any, **kwargs: Any) -> Any:
        """Take an event. Raises `NotInThisState`."""
        with asking(f"{machine.where}: the event {event}"):
            return Play(machine, obj).send(event, *args, **kwargs)

    def can(self, machine: Machine, obj: Any, event: str) -> bool:
        with asking(f"{machine.where}: whether the event {event} can be taken"):
            return Play(machine, obj).can(event)

    def go_on(self, machine: Machine, obj: Any) -> None:
        Play(machine, obj).go_on()


def machine(chart: "type[StateChart[Any]]", *, state: object) -> Machine:
    """Give the objects of a class a state machine, declared with the library python-statemachine 3.

        class OrderFlow(StateChart):
            cart = State(initial=True)
            paid = State(final=True)
            cart.to(paid, cond="is_covered")       # plays by itself, as soon as order.is_covered

        class Order(Base):
            state: Mapped[str | None] = mapped_column()
            flow = aw.machine(OrderFlow, state=state)

    `state` is the column of the class that has the state, or its name. Guards and actions are looked for in the chart
    and in the class; those of the chart get the object as `model`. A new object enters the first state when it is
    saved.
    Raises `BadDeclaration` for a chart that can't be kept in a database.
    """
    return Machine(chart, state, SessionPlayer())
