"""The size of batches: as many calculations as last about a tenth of a second."""

from dataclasses import dataclass, field

from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.model.derivation import ViewModelDerivation

BATCH_SECONDS = 0.1
"""How long one batch of calculations lasts about, during which it sees one state of the database."""

MAX_BATCH_SIZE = 200
"""Most calculations in one batch."""

MAX_SQL_BATCH_SIZE = 2000
"""The same where one statement makes them."""

FIRST_BATCH_SIZE = 4
"""The first calculations ever, which show what others must be made before."""

FIRST_GUESS_SECONDS = BATCH_SECONDS / 20
"""The assumed duration of a calculation that has never run."""

NEWEST_SHARE = 0.3
"""The weight of the newest batch in the average duration."""


@dataclass
class Pace:
    """The average duration of each derivation's runs, as this server has seen; and how many it has run.

    Runs are counted only for derivations whose reads nobody knew.
    """

    seconds: dict[int, float] = field(default_factory=dict)
    tried: dict[int, int] = field(default_factory=dict)

    def batch_size(self, derivation: RegisteredDerivation) -> int:
        """Return how many runs make one batch."""
        if isinstance(derivation.declaration, ViewModelDerivation):
            return 1
        average = self.seconds.get(derivation.id, FIRST_GUESS_SECONDS)
        return max(1, min(MAX_BATCH_SIZE, int(BATCH_SECONDS / max(average, BATCH_SECONDS / MAX_BATCH_SIZE))))

    def trial_size(self, derivation: RegisteredDerivation, *, reads_are_known: bool) -> int:
        """Return the most runs in one batch while nobody knows what they read: a few, then as many as so far.

        So only few run before what feeds them.
        """
        return max(FIRST_BATCH_SIZE, self.tried.setdefault(derivation.id, MAX_SQL_BATCH_SIZE if reads_are_known else 0))

    def note(self, derivation: RegisteredDerivation, count: int, seconds: float) -> None:
        """Note that `count` calculations have run, in `seconds` altogether."""
        if count:
            self.tried[derivation.id] = self.tried.get(derivation.id, 0) + count
            average = self.seconds.get(derivation.id, seconds / count)
            self.seconds[derivation.id] = (1 - NEWEST_SHARE) * average + NEWEST_SHARE * seconds / count
