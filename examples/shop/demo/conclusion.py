"""The end of the demo: what was done, how long it took, and whether everything is right."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from examples.shop import app
from examples.shop.bookkeeping import Bookkeeping
from examples.shop.demo.look import latencies, percentile
from examples.shop.demo.orders import in_words, standing
from examples.shop.demo.proof import Proof
from examples.shop.demo.writers import Tally


@dataclass(frozen=True)
class Conclusion:
    """What the demo has done. `wrote` and `drained` are in seconds, latencies in milliseconds from saved to done.

    `problems` says in words what is wrong; it is empty if everything is right. `log` is what the server logged.
    """

    saved: Tally
    wrote: float
    drained: float
    tickets: int
    calculations: int
    p50: float | None
    p99: float | None
    proof: Proof
    exported: int
    doubles: int
    told: int
    standing: Mapping[str, int]
    problems: Sequence[str]
    log: str

    def lines(self) -> Iterator[str]:
        """Yield the conclusion as text."""
        saved = self.saved
        yield (
            f"Saved     {saved.customers:,} customers, {saved.orders:,} orders and {saved.changes:,} changes"
            f" in {self.wrote:.1f} s"
        )
        yield (
            f"Done      {self.tickets:,} tickets and {self.calculations:,} calculations"
            f", all at rest {self.drained:.2f} s after the writers stopped"
        )
        if self.p50 is not None:
            yield f"Latency   median {self.p50:,.0f} ms, 99th percentile {self.p99:,.0f} ms, from saved to done"
        if not self.problems:
            yield f"Numbers   customers 1 to {saved.customers:,}, orders 1 to {saved.orders:,}: no gap, no double"
        values, wrong = self.proof.values, self.proof.wrong
        yield f"Values    {values:,} values, {wrong:,} wrong: all were calculated again, in plain SQL"
        yield (
            f"Exported  {self.exported:,} orders over HTTP, by a timer: each booked once, though "
            f"{self.doubles:,} came twice"
        )
        yield f"Told      {self.told:,} customers that their parcel is there, by async jobs with arguments"
        rest = "" if self.problems else ": none could go on by itself and has not, as plain SQL finds"
        yield f"Orders    {in_words(self.standing)}{rest}"
        for problem in self.problems:
            yield f"WRONG     {problem}"
        if self.log:
            yield f"\nThe server's log says:\n{self.log}"


def conclusion(
    engine: Engine,
    saved: Tally,
    wrote: float,
    drained: float,
    proof: Proof,
    bookkeeping: Bookkeeping,
    messenger: Bookkeeping,
    problems: Sequence[str],
    log: str,
) -> Conclusion:
    """Return the conclusion of a demo that has ended."""
    took = latencies(engine)
    p50, p99 = (percentile(took, 0.50), percentile(took, 0.99)) if took else (None, None)
    return Conclusion(
        saved=saved,
        wrote=wrote,
        drained=drained,
        tickets=len(took),
        calculations=sum(one.runs for one in app.insight(engine).caches()),
        p50=p50,
        p99=p99,
        proof=proof,
        exported=len(bookkeeping.orders),
        doubles=bookkeeping.doubles,
        told=len(messenger.orders),
        standing=standing(engine),
        problems=problems,
        log=log,
    )
