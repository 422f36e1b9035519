"""Names of work that is asked for while a state lasts: `Order.escalate while flow is in shipped`."""

from dataclasses import dataclass

WHILE = " while "
IS_IN = " is in "


@dataclass(frozen=True)
class StateScope:
    """A state that a request depends on, of the machine with a name."""

    machine: str
    state: str

    def __str__(self) -> str:
        """Return the end of the name of each work that is asked for while the state lasts."""
        return f"{WHILE}{self.machine}{IS_IN}{self.state}"


def base_of(work: str) -> str:
    """Return the name of a work without the state that its request depends on."""
    return work.partition(WHILE)[0]


def scope_of(work: str) -> StateScope | None:
    """Return the state that a request with this name of work depends on; None if it depends on none."""
    _, condition, scope = work.partition(WHILE)
    machine, _, state = scope.partition(IS_IN)
    return StateScope(machine, state) if condition else None
