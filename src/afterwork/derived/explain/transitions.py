"""Explain why a machine stays where it is: its eventless transitions, and what each guard says and reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afterwork.boundary import CONTAINED
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.recorder import Recorder
from afterwork.model.machine.declaration import Machine
from afterwork.saving.machine.play import Play

if TYPE_CHECKING:
    from statemachine.transition import Transition


@dataclass(frozen=True)
class Guard:
    """A guard. `holds` is None if it raises `error`; `reads` says what it reads, in words."""

    name: str
    holds: bool | None
    error: str | None
    reads: tuple[str, ...]

    def __str__(self) -> str:
        says = f"raises {self.error}" if self.holds is None else "holds" if self.holds else "does not hold"
        return f"{self.name} {says}" + (f" (it reads {'; '.join(self.reads)})" if self.reads else "")


@dataclass(frozen=True)
class PossibleTransition:
    """An eventless transition out of the state that the machine is in."""

    target: str
    guards: tuple[Guard, ...]

    def __str__(self) -> str:
        if not self.guards:
            return f"It goes on to {self.target}, which nothing guards."
        return f"It would go to {self.target}, but " + ", and ".join(map(str, self.guards)) + "."


@dataclass(frozen=True)
class PossibleTransitions:
    """Finds the possible transitions of an object. `words` puts reads into words."""

    recorder: Callable[[], Recorder]
    words: Callable[[Reads], Iterator[str]]

    def of(self, machine: Machine, obj: Any) -> tuple[PossibleTransition, ...]:
        """Return the transitions out of the object's state as they are tried: the innermost state's first."""
        stored = machine.stored(obj)
        if stored is None:
            return ()
        play = Play(machine, obj)
        active = {state.value: state for state in machine.states.active(stored)}
        tried = [transition for transition in machine.eventless if transition.source.value in active]
        depth = {value: len(list(state.ancestors())) for value, state in active.items()}
        tried.sort(key=lambda transition: -depth[transition.source.value])
        return tuple(self._possible(play, transition) for transition in tried)

    def _possible(self, play: Play, transition: "Transition") -> PossibleTransition:
        target = ", ".join(state.id for state in transition.targets) or transition.source.id
        return PossibleTransition(target, tuple(self._guard(*guard) for guard in play.guards(transition)))

    def _guard(self, name: str, ask: Callable[[], bool]) -> Guard:
        recorder = self.recorder()
        holds, error = None, None
        try:
            with CONTAINED, recorder.recording():
                holds = ask()
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        return Guard(name, holds, error, tuple(self.words(recorder.reads())))
