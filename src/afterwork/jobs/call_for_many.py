"""Runs of one method that are taken together: a call of its function for many does the work of several tickets.

Its tickets follow each other in a batch anyway, so effects come in the order of the tickets. Each ticket keeps a
run, a precondition, an outcome and a receipt of its own. One that is special in any way is run by itself.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from afterwork.clock import telling_time
from afterwork.jobs.attempts import Settled
from afterwork.jobs.execution import Execution
from afterwork.jobs.perform import is_gone
from afterwork.jobs.run import Rejected, Succeeded, running_many
from afterwork.jobs.runner import nothing_around
from afterwork.jobs.source import Claim
from afterwork.jobs.time_limits import leave_it
from afterwork.model.method import Method


@dataclass(frozen=True)
class CallForMany:
    """Claims that follow each other from `start` on, at least two. They ask for one method on different roots."""

    execution: Execution
    method: Method[Any, Any]
    claims: Sequence[Claim]
    start: int

    @classmethod
    def beginning_at(
        cls, execution: Execution, method: Method[Any, Any], start: int, until: float
    ) -> "CallForMany | None":
        """Return the claims from `start` on that are taken together; None if the first is run by itself.

        `until` is a reading of `time.perf_counter`: as many are taken as are likely to be done by then.
        """
        limit = execution.runner.together.limit(execution.claims[start].run.work, until - perf_counter())
        following = execution.claims[start : None if limit is None else start + limit]
        claims = list(_alike(execution, method, following))
        return cls(execution, method, claims, start) if len(claims) > 1 else None

    @property
    def work(self) -> str:
        return self.claims[0].run.work

    def run(self) -> Settled:
        """Perform the claims. The first exception passes through; nothing may be saved then."""
        self.execution.runner.together.note(claim.key for claim in self.claims)
        self.execution.session.begin_next(*(claim.run for claim in self.claims))
        refused = dict(self._refused())
        ready = [claim for claim in self.claims if claim.key not in refused]
        succeeded = self._call(ready) if ready else {}
        return [(claim, refused.get(claim.key) or succeeded[claim.key]) for claim in self.claims]

    def _refused(self) -> Iterator[tuple[Any, Rejected]]:
        """Yield the claims that may not begin, by key."""
        for claim in self.claims:
            refusal = self.execution.refusal(claim)
            if refusal is not None:
                yield claim.key, refusal

    def _call(self, ready: Sequence[Claim]) -> dict[Any, Succeeded]:
        """Call the method's function for many. Return the outcomes of the runs by key, each with its share of the
        time."""
        runner, function = self.execution.runner, self.method.for_many
        assert function is not None  # or there was no call for many
        roots = [self.execution.roots[claim.key] for claim in ready]
        timeout = runner.time_limits.of_run(self.method.timeout)
        limit = runner.time_limits.over(self.execution.session.outer, ready[0].run, timeout, leave_it)
        began = perf_counter()
        with telling_time(runner.clock), limit, ExitStack() as around, running_many(self.work):
            if runner.around is not nothing_around:
                for claim in ready:
                    around.enter_context(runner.around(claim.run))
            returned = function(roots)
        seconds = (perf_counter() - began) / len(ready)
        runner.together.took(self.work, seconds)
        return {
            claim.key: Succeeded(seconds, self.execution.kept(claim, result))
            for claim, result in zip(ready, _one_for_each(returned, roots), strict=True)
        }


def _one_for_each(returned: object, roots: Sequence[object]) -> Sequence[object]:
    """Return the results of runs that were taken together: those in a list of as many, or none."""
    if isinstance(returned, list | tuple) and len(returned) == len(roots):
        return returned
    return [None] * len(roots)


def _alike(execution: Execution, method: Method[Any, Any], claims: Sequence[Claim]) -> Iterator[Claim]:
    """Yield the first claims as long as nothing but their roots tells them apart."""
    work, roots = claims[0].run.work, set[int]()
    for claim in claims:
        root = execution.roots[claim.key]
        is_alike = claim.run.work == work and execution.method_for_many(claim) is method and id(root) not in roots
        if not is_alike or not _is_ordinary(execution, claim, root):
            return
        roots.add(id(root))
        yield claim


def _is_ordinary(execution: Execution, claim: Claim, root: object) -> bool:
    """Return whether a claim has never gone wrong, may begin now, has its root, and gives no arguments."""
    runner = execution.runner
    is_new = claim.row.arguments is None and claim.run.attempt == 1 and claim.key not in runner.together
    return is_new and runner.expired(claim) is None and not is_gone(root)
