"""The size of batches: as many calculations as take about a tenth of a second."""

from dataclasses import dataclass, field

from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.model.derivation import ViewModelDerivation

BATCH_SECONDS = 0.1
"""The approximate duration of a batch of calculations, which sees a single state of the database."""

MAX_BATCH_SIZE = 200
"""The maximum number of calculations in a batch."""

MAX_SQL_BATCH_SIZE = 2000
"""The maximum number of calculations in a batch that a single statement makes."""

FIRST_BATCH_SIZE = 4
"""The number of calculations in the first batch, which shows what must be calculated before."""

FIRST_GUESS_SECONDS = BATCH_SECONDS / 20
"""The assumed duration of a calculation that has never run."""

NEWEST_SHARE = 0.3
"""The weight of the newest batch in the average duration."""


@dataclass
class Pace:
    """The average duration of each derivation's runs on this server, and their number. Runs are counted only for
    derivations whose reads were unknown."""

    seconds: dict[int, float] = field(default_factory=dict)
    tried: dict[int, int] = field(default_factory=dict)

    def batch_size(self, derivation: RegisteredDerivation) -> int:
        """Return the number of runs in a batch."""
        if isinstance(derivation.declaration, ViewModelDerivation):
            return 1
        average = self.seconds.get(derivation.id, FIRST_GUESS_SECONDS)
        return max(1, min(MAX_BATCH_SIZE, int(BATCH_SECONDS / max(average, BATCH_SECONDS / MAX_BATCH_SIZE))))

    def trial_size(self, derivation: RegisteredDerivation, *, reads_are_known: bool) -> int:
        """Return the maximum batch size while reads are unknown: a few runs, then as many as so far. So only few caches
        run before the ones that they depend on."""
        return max(FIRST_BATCH_SIZE, self.tried.setdefault(derivation.id, MAX_SQL_BATCH_SIZE if reads_are_known else 0))

    def note(self, derivation: RegisteredDerivation, count: int, seconds: float) -> None:
        """Record that `count` calculations have run, in `seconds` altogether."""
        if count:
            self.tried[derivation.id] = self.tried.get(derivation.id, 0) + count
            average = self.seconds.get(derivation.id, seconds / count)
            self.seconds[derivation.id] = (1 - NEWEST_SHARE) * average + NEWEST_SHARE * seconds / count
