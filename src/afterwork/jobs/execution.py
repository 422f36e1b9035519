"""Performing the claims of one transaction in its session, with what they need loaded, within their time limits."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from afterwork.clock import telling_time
from afterwork.errors import Refused, TimedOut, WaitsForItself
from afterwork.jobs.arguments import ObjectsOfArguments
from afterwork.jobs.attempts import GiveUp, Settled
from afterwork.jobs.perform import RunContext, arguments_of, check, is_gone, perform, result_of
from afterwork.jobs.progress import Reporter, reporting
from afterwork.jobs.results import KeptResult
from afterwork.jobs.run import Outcome, Rejected, Run, Succeeded
from afterwork.jobs.runner import Runner
from afterwork.jobs.session import RunSession
from afterwork.jobs.source import Claim
from afterwork.jobs.steps import Steps, stepping
from afterwork.model.key import key_text
from afterwork.model.method import Method
from afterwork.model.work import MethodWork, Work, vars_lookup


@dataclass(frozen=True)
class Call:
    """A run that may begin: its work and root, and what its functions are given."""

    work: Work
    root: object | None
    run: Run
    context: RunContext


@dataclass(frozen=True)
class Execution:
    """The claims of one session, with their roots, or the reason why one has none, and their variables, by key.
    `objects` are those that their arguments name; `give_up` settles a claim that had to be abandoned."""

    runner: Runner
    session: RunSession
    claims: Sequence[Claim]
    give_up: GiveUp
    roots: dict[Any, object | None | str]
    variables: Mapping[Any, Mapping[str, Any]]
    objects: ObjectsOfArguments
    _methods: dict[tuple[str, type], Method[Any, Any] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, runner: Runner, session: RunSession, claims: Sequence[Claim], give_up: GiveUp) -> "Execution":
        """Load what claims need."""
        with _hooks(runner, session, claims, give_up):
            roots = runner.job_source.roots(session, claims)
            variables = runner.job_source.variables(session.outer, claims)
            objects = runner.job_source.objects(session, claims)
        return cls(runner, session, claims, give_up, roots, variables, objects)

    def saving(self) -> AbstractContextManager[None]:
        """Return the context manager that ends the hooks of saving the claims' changes if they take too long."""
        return _hooks(self.runner, self.session, self.claims, self.give_up)

    def run_all(self) -> Settled:
        """Perform the claims one after the other. The first exception passes through; nothing may be saved then."""
        return [(claim, self.run(claim)) for claim in self.claims]

    def run(self, claim: Claim) -> Outcome:
        """Perform one of the claims. Its exceptions pass through."""
        call = self.call(claim)
        return self._perform(claim, call) if isinstance(call, Call) else call

    def call(self, claim: Claim) -> Call | Outcome:
        """Return what performs one of the claims, or the outcome of one that may not begin."""
        self.session.begin_next(claim.run)
        work, root = claim.work, self.roots[claim.key]
        if isinstance(work, str):
            return Rejected(work)
        if isinstance(root, str) and claim is not self.claims[0]:
            root = self._look_again(claim)
        if isinstance(root, str):
            return Rejected(root)
        if root is not None and is_gone(root):
            return Rejected(f"The root {claim.run.root_id} is not there (any more).")
        return self._call(claim, work, root)

    def _look_again(self, claim: Claim) -> object | None | str:
        """Look again for a root that was not there when the others were loaded: an earlier run may have created it."""
        self.roots.update(self.runner.job_source.roots(self.session, [claim]))
        return self.roots[claim.key]

    def _call(self, claim: Claim, work: Work, root: object | None) -> Call | Outcome:
        refusal = self.refusal(claim)
        if refusal is not None:
            return refusal
        try:
            with self._limit(claim, work):
                arguments = arguments_of(work, root, claim.row.arguments, self.objects)
        except Refused as refused:
            return Rejected(str(refused))
        context = self.runner.context(self.session, self.variables.get(claim.key, {}), arguments)
        return Call(work, root, self._told(claim.run, work, arguments), context)

    def _perform(self, claim: Claim, call: Call) -> Outcome:
        reporter = Reporter(self.runner.database, self.runner.clock, key_text(claim.key), not claim.external)
        limit = self._limit(claim, call.work, reporter)
        steps = self._steps(call.run) if claim.external else None
        around = self.runner.around(call.run)
        began = time.perf_counter()
        with telling_time(self.runner.clock), reporting(reporter), stepping(steps), limit, around:
            try:
                returned = perform(call.work, call.root, call.run, call.context)
            except DBAPIError as error:
                if self.runner.database.waits_for_itself(self.session.connection(), error):
                    raise WaitsForItself() from error
                raise
        seconds = time.perf_counter() - began
        return Succeeded(seconds, self.kept(claim, returned))

    def kept(self, claim: Claim, returned: object) -> KeptResult | None:
        """Return what is kept of the value that the work of a claim has returned."""
        if returned is None or isinstance(claim.work, str):
            return None
        return self.runner.job_source.kept(claim, result_of(claim.work, self.roots[claim.key]), returned)

    def _steps(self, run: Run) -> Steps:
        return Steps(self.runner.database, self.session.outer, self.runner.clock, self.runner.events, run)

    def _told(self, run: Run, work: Work, arguments: Mapping[str, Any]) -> Run:
        """Return a run that knows its arguments, and when it times out."""
        timeout = self.runner.time_limits.of_run(work.timeout)
        if timeout is None and not arguments:
            return run
        deadline = None if timeout is None else self.runner.clock.now() + timeout
        return replace(run, deadline=deadline, arguments=arguments)

    def refusal(self, claim: Claim) -> Rejected | None:
        """Return the outcome of a claim that may not begin on its root, else None."""
        assert not isinstance(claim.work, str)
        try:
            with self._limit(claim, claim.work):
                check(claim.work, self.roots[claim.key])
        except Refused as refusal:
            return Rejected(str(refusal))
        return None

    def _limit(self, claim: Claim, work: Work, reporter: Reporter | None = None) -> AbstractContextManager[object]:
        """Return the context manager that ends the code of a run that takes too long."""
        runner, began = self.runner, time.perf_counter()
        timeout = runner.time_limits.of_run(work.timeout)
        if timeout is None:
            return nullcontext()

        def settle(connection: Connection, error: TimedOut) -> None:
            raised = runner.attempts.raised(connection, claim, error, began, self.give_up)
            self.give_up(connection, claim).fail(raised, error)

        limits = runner.time_limits
        watched = (limits.outside if claim.external else limits.inside)(self.session.outer, claim.run, timeout, settle)
        if reporter is not None:
            reporter.watched = watched
        return limits.timeouts.over(watched)

    def method_for_many(self, claim: Claim) -> Method[Any, Any] | None:
        """Return the method of a claim, as its root's class has it, if it has a function for many."""
        work = claim.work
        if type(work) is not MethodWork:  # a request that lasts as long as a state is withdrawn by its own run
            return None
        kind = claim.run.work, type(self.roots[claim.key])
        if kind not in self._methods:
            method = vars_lookup(kind[1], work.method.name)
            self._methods[kind] = method if isinstance(method, Method) and method.for_many is not None else None
        return self._methods[kind]


@contextmanager
def _hooks(runner: Runner, session: RunSession, claims: Sequence[Claim], give_up: GiveUp) -> Iterator[None]:
    """Limit the time of the hooks of loading and saving for some claims. One alone ends with `TimedOut`; several are
    undone, and run apart from then on."""
    limits, began = runner.time_limits, time.perf_counter()
    timeout = runner.timeout_of_hooks(claims)

    def settle(connection: Connection, error: TimedOut) -> None:
        if len(claims) > 1:
            runner.apart.note(claims)
            return
        raised = runner.attempts.raised(connection, claims[0], error, began, give_up)
        give_up(connection, claims[0]).fail(raised, error)

    try:
        with limits.over(session.outer, claims[0].run, timeout, settle):
            yield
    except TimedOut:
        if len(claims) > 1:
            runner.apart.note(claims)
        raise
