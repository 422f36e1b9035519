"""The keys that methods and view models of a file have in common: what starts them, and how they run."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Mapper

from afterwork.model.expression import expression_of
from afterwork.model.jobs_file.table import JobTable
from afterwork.model.retry import Retry
from afterwork.model.timeout import checked_timeout
from afterwork.model.timer import criteria_problem
from afterwork.model.variable import DUE
from afterwork.model.when import Cron, Every, Once, Timer, WhenStale

JOB: Mapping[str, type] = {"lane": str, "external": bool, "retry": dict, "timeout": timedelta, "when": dict}
"""The keys of both methods and view models."""

RETRY: Mapping[str, type] = {"attempts": int, "backoff": timedelta, "on": list}
STALE: Mapping[str, type] = {"priority": int, "allow_oldness": timedelta}
TIMER: Mapping[str, type] = {
    "criteria": str,
    "max_answers": int,
    "set": dict,
    "before": str,
    "lane": str,
    "misfire": str,
    "late": timedelta,
    "most_missed": int,
}
KINDS: Mapping[str, Mapping[str, type]] = {
    "every": {"every": timedelta, **TIMER},
    "cron": {"cron": str, "tz": str, **TIMER},
    "stale": {"stale": bool, **STALE},
    "once": {"once": bool},
}
"""The ways to start, by the key that each of them needs."""

UNBOUNDED = -1
"""The original's `MaxAnswers` for as many as there are. TOML has no null."""

WHEN: Mapping[str, type] = {key: kind for known in KINDS.values() for key, kind in known.items()}
EXAMPLES = 'every = { minutes = 10 }, cron = "0 3 * * *", stale = true or once = true'


def run_options(job: JobTable) -> dict[str, Any]:
    """Return the arguments that say how a job runs. A cache that names no lane runs beside all lanes."""
    lane: dict[str, Any] = {"lane": job.said["lane"] or None} if "lane" in job.said else {}
    return {**lane, "external": job.said.get("external", False), "retry": _retry(job), "timeout": timeout_of(job)}


def timeout_of(job: JobTable) -> timedelta | None:
    with job.at("timeout"):
        return checked_timeout("", job.duration("timeout"))


def _retry(job: JobTable) -> Retry | None:
    table = job.table("retry", RETRY)
    if table is None:
        return None
    named = [table.python(name, "exception", _is_exception, "on") for name in table.said.get("on", [])]
    backoff = table.duration("backoff")
    with table.at():
        retry = Retry(attempts=table.needed("attempts"), on=tuple(named) or (Exception,))
        return retry if backoff is None else replace(retry, backoff=backoff)


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def start_of(
    job: JobTable, root: Mapper[Any] | None, variables: Collection[str] = ()
) -> Timer | WhenStale | Once | None:
    """Return what starts a job; None if only tickets do."""
    table = job.table("when", WHEN)
    if table is None:
        return None
    kinds = [kind for kind in KINDS if table.said.get(kind)]
    if len(kinds) != 1:
        table.refuse(f"it needs one of {EXAMPLES}")
    table.check(KINDS[kinds[0]])
    with table.at(kinds[0]):
        match kinds[0]:
            case "stale":
                oldness = table.duration("allow_oldness") or timedelta(0)
                return WhenStale(priority=table.said.get("priority"), allow_oldness=oldness)
            case "once":
                return Once()
            case "every":
                return Every(table.duration("every"), **_timer_options(table, root, variables))
            case _:
                zone = {"tz": table.said["tz"]} if "tz" in table.said else {}
                return Cron(table.said["cron"], **zone, **_timer_options(table, root, variables))


def _timer_options(table: JobTable, root: Mapper[Any] | None, variables: Collection[str]) -> Any:
    """Return the common arguments of `Every` and `Cron`."""
    options = {key: table.said[key] for key in ("max_answers", "misfire", "most_missed") if key in table.said}
    if options.get("max_answers") == UNBOUNDED:
        options["max_answers"] = None
    if "lane" in table.said:
        options["lane"] = table.said["lane"] or None
    if "late" in table.said:
        options["late"] = table.duration("late")
    if (criteria := table.query("criteria", None, variables)) is not None:
        options["criteria"] = criteria
        if root is not None and not variables:
            _check_criteria(table, criteria, root)
    if "set" in table.said or "before" in table.said:
        options["before"] = _before(table, variables)
    return options


def _check_criteria(table: JobTable, criteria: Callable[[Any], Any], root: Mapper[Any]) -> None:
    expression = expression_of(criteria)
    assert expression is not None

    def check() -> None:
        if problem := criteria_problem(expression.select(table.reading.registry, {}), root):
            table.refuse(problem, "criteria")

    table.check_later("criteria", expression, check)


def _before(table: JobTable, variables: Collection[str]) -> Callable[[Any], object]:
    """Return the function that begins a round: it sets variables in turn, and returns whether the round goes on."""
    names = [*dict.fromkeys([*variables, DUE])]
    setting = table.table("set", dict.fromkeys(variables, str))
    values = {} if setting is None else {name: setting.query(name, None, names) for name in setting.said}
    condition = table.query("before", None, names)

    def evaluate(query: Any, given: Any) -> Any:
        expression = expression_of(query)
        assert expression is not None
        return expression.of_variables(table.reading.registry, {name: getattr(given, name) for name in names})

    def before(given: Any) -> object:
        for name, query in values.items():
            setattr(given, name, evaluate(query, given))
        return condition is None or bool(evaluate(condition, given))

    return before
