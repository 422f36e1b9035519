"""Checks that every change to tracked tables is captured, and that changes do not wait to be matched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection, Table, func, select

from afterwork.derived.capture.install import JOURNAL
from afterwork.derived.capture.requirements import plans_at_commit
from afterwork.derived.inversion.plans import CaptureNeeds, capture_needs
from afterwork.insight.check.finding import INSTALL, CheckContext, Finding
from afterwork.model.derivation import MemberDerivation
from afterwork.store.dialects import capture_on, commit_triggers_on
from afterwork.store.journal import tables as own
from afterwork.store.journal.capture import CapturedTable, CapturePlan, capturable, captured_tables, load
from afterwork.store.journal.change import moment_of
from afterwork.store.journal.continuity import CatalogState, reasons


def look_at_journal(scene: CheckContext) -> Iterator[Finding]:
    """Yield the number of changes that wait, and of those that are kept for running calculations."""
    if scene.model.derivations:
        yield _waiting(scene)
        yield _kept(scene)


def _waiting(scene: CheckContext) -> Finding:
    count, most = _count(scene, own.journal), scene.limits.waiting_changes
    age = _age(scene)
    is_old = age > scene.limits.waiting_for
    since = f", the first for {age.total_seconds() / 60:,.0f} minutes" if is_old else ""
    waiting = f"{count:,}" if count <= most else f"more than {most:,}"
    advice = (
        "A server matches changes within milliseconds. See whether one is running and what it works on: "
        "afterwork status MODULE:APP --database URL"
    )
    return Finding(
        f"changes that wait to be matched: {waiting}{since}", count <= most and not is_old, advice, is_note=True
    )


def _age(scene: CheckContext) -> timedelta:
    """Return the age of an early change. They are matched in their order, so finding one needs no index."""
    changed_at = scene.connection.execute(select(own.journal.c.changed_at).limit(1)).scalar()
    if changed_at is None:
        return timedelta(0)
    return scene.now - moment_of(changed_at)


def _kept(scene: CheckContext) -> Finding:
    count = _count(scene, own.recent)
    advice = "A running calculation needs them. See which cache is slow: afterwork caches MODULE:APP --database URL"
    is_right = count <= scene.limits.waiting_changes
    return Finding(f"changes that are kept for calculations: {count:,}", is_right, advice, is_note=True)


def _count(scene: CheckContext, table: Table) -> int:
    """Return the number of rows of a table, or the limit plus one."""
    rows = select(1).select_from(table).limit(scene.limits.waiting_changes + 1).subquery()
    return scene.connection.execute(select(func.count()).select_from(rows)).scalar_one()


INSTALL_AGAIN = "Install again, with app.install(engine) or: afterwork install MODULE:APP --database URL"
ADD_COLUMN = "Add the column, or take it out of the model; then install again"
AFTER_COLUMNS = (
    "It may be so because a column is missing, see above, and can't be mended before that. Add the column, or take it "
    "out of the model; then install again"
)
NOT_CAPTURED = (
    "Values that are made of its rows stay as they are when these change. Take it out of the table, or have the values "
    "made again by hand: afterwork recompute"
)
SEEN_TO = (
    "Changes may have been missed. A running server sees that within a minute, and makes again what was made of the "
    "table; so does installing again"
)


@dataclass(frozen=True)
class CaptureProblem:
    """A problem with the capture of a table, and what to do about it."""

    table: str
    what: str
    advice: str


def problems(
    connection: Connection, application: str, tables: Sequence[Table], needs: CaptureNeeds = JOURNAL
) -> list[CaptureProblem]:
    """Return the problems with the capture of these tables; [] if each of their changes is captured."""
    capture, known = capture_on(connection), captured_tables(connection)
    shown = capture.catalog_states()
    problems_of_all = []
    for table in capturable(tables):
        captured = known.get(table.fullname, CapturedTable(0, table.fullname))
        state = shown.get(captured.id, CatalogState())
        plan = capture.plan(captured, application, table, state, is_journaled=needs.is_journaled)
        problems_of_all += [
            CaptureProblem(table.fullname, what, advice) for what, advice in _problems(captured, plan, state)
        ]
    installed = {route.spec for captured in known.values() for route in captured.routes}
    missing = dict.fromkeys((spec.table, spec.derivation) for spec in needs.routes if spec not in installed)
    return _columns_first(
        problems_of_all
        + [
            CaptureProblem(table, f"does not tell {derivation} of its changes yet", INSTALL_AGAIN)
            for table, derivation in missing
        ]
    )


def _columns_first(faults: list[CaptureProblem]) -> list[CaptureProblem]:
    """Return problems with those first that installing again can't mend, and neither what follows from them."""
    lost = [fault for fault in faults if fault.advice == ADD_COLUMN]
    if not lost:
        return faults
    others = [fault for fault in faults if fault.advice != ADD_COLUMN]
    return lost + [replace(fault, advice=AFTER_COLUMNS) if fault.advice == INSTALL_AGAIN else fault for fault in others]


def _problems(captured: CapturedTable, plan: CapturePlan | None, shown: CatalogState) -> Iterator[tuple[str, str]]:
    if plan is None:
        if captured.installed is not None:
            yield "is gone or has another name", "Bring it back, or install again without it"
        return
    if captured.installed is None:
        yield "is not captured yet", INSTALL_AGAIN
        return
    for name in plan.lost:
        yield f"has no column {name}", ADD_COLUMN
    for limit in shown.limits:
        yield limit, NOT_CAPTURED
    faults = plan.faults
    for fault in faults:
        yield fault, INSTALL_AGAIN
    if faults:
        return
    if captured.marks is not None:  # otherwise no server has looked since a script installed it
        for reason in reasons(captured.marks, shown.marks):
            yield reason, SEEN_TO
    if not plan.is_enough:
        yield "is captured as an older model or another version of Afterwork had it", INSTALL_AGAIN


def _problems_at_commit(scene: CheckContext) -> Iterator[CaptureProblem]:
    triggers = commit_triggers_on(scene.connection)
    for name, plan in plans_at_commit(scene.connection, scene.model).items():
        if isinstance(plan, str):
            yield CaptureProblem(name, f"can't be computed at commit: {plan}", INSTALL_AGAIN)
        elif not triggers.are_installed(plan):
            yield CaptureProblem(plan.table.fullname, f"nothing computes {name} at commit", INSTALL_AGAIN)


def _failed_expressions(scene: CheckContext) -> Iterator[Finding]:
    """Yield the derived members whose expression raises when it is asked for."""
    for name, derivation in scene.model.derivations.items():
        if isinstance(derivation, MemberDerivation) and (problem := derivation.sql_side_problem) is not None:
            advice = "Mend the expression. Until then, servers call the Python function for each object."
            yield Finding(f"{name}: its expression raises {problem}", False, advice)


def look_at_capture(scene: CheckContext) -> Iterator[Finding]:
    """Yield the problems of the triggers that capture changes, and of the expressions that tell what they look for."""
    if not scene.model.derivations:
        return
    yield from _failed_expressions(scene)
    tables = load(scene.connection, scene.model.tables)
    needs = capture_needs(scene.connection, list(scene.model.derivations.values()), tables)
    faults = problems(scene.connection, scene.model.contract.table.fullname, scene.model.tables, needs)
    faults += _problems_at_commit(scene)
    for problem in _columns_first(faults):
        yield Finding(f"capture on {problem.table}: {problem.what}", False, problem.advice)
    if not faults:
        yield Finding(f"capture on {len(scene.model.tables)} tables", True, INSTALL)
