"""What starts a job of a file, and how it runs: the keys that methods and view models have in common."""

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
"""What methods and view models say in the same way."""

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
"""The ways to start, by the key that tells which it is."""

WHEN: Mapping[str, type] = {key: kind for known in KINDS.values() for key, kind in known.items()}
EXAMPLES = 'every = { minutes = 10 }, cron = "0 3 * * *", stale = true or once = true'


def run_options(job: JobTable) -> dict[str, Any]:
    """How a job runs: what it says of that. A cache that names no lane runs beside all."""
    found: dict[str, Any] = {"lane": job.said["lane"] or None} if "lane" in job.said else {}
    return {**found, "external": job.said.get("external", False), "retry": _retry(job), "timeout": _timeout(job)}


def _timeout(job: JobTable) -> timedelta | None:
    with job.at("timeout"):
        return checked_timeout("", job.span("timeout"))


def _retry(job: JobTable) -> Retry | None:
    table = job.table("retry", RETRY)
    if table is None:
        return None
    named = [table.python(name, "exception", _is_exception, "on") for name in table.said.get("on", [])]
    backoff = table.span("backoff")
    with table.at():
        found = Retry(attempts=table.needed("attempts"), on=tuple(named) or (Exception,))
        return found if backoff is None else replace(found, backoff=backoff)


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def start_of(
    job: JobTable, root: Mapper[Any] | None, variables: Collection[str] = ()
) -> Timer | WhenStale | Once | None:
    """What starts a job; None where only tickets do."""
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
                oldness = table.span("allow_oldness") or timedelta(0)
                return WhenStale(priority=table.said.get("priority"), allow_oldness=oldness)
            case "once":
                return Once()
            case "every":
                return Every(table.span("every"), **_others(table, root, variables))
            case _:
                zone = {"tz": table.said["tz"]} if "tz" in table.said else {}
                return Cron(table.said["cron"], **zone, **_others(table, root, variables))


def _others(table: JobTable, root: Mapper[Any] | None, variables: Collection[str]) -> Any:
    """What timers by span and by cron have in common."""
    found = {key: table.said[key] for key in ("max_answers", "misfire", "most_missed") if key in table.said}
    if "lane" in table.said:
        found["lane"] = table.said["lane"] or None
    if "late" in table.said:
        found["late"] = table.span("late")
    if (criteria := table.query("criteria", None, variables)) is not None:
        found["criteria"] = criteria
        if root is not None and not variables:
            _check_criteria(table, criteria, root)
    if "set" in table.said or "before" in table.said:
        found["before"] = _before(table, variables)
    return found


def _check_criteria(table: JobTable, criteria: Callable[[Any], Any], root: Mapper[Any]) -> None:
    expression = expression_of(criteria)
    assert expression is not None

    def check() -> None:
        if problem := criteria_problem(expression.select(table.reading.registry, {}), root):
            table.refuse(problem, "criteria")

    table.later("criteria", expression, check)


def _before(table: JobTable, variables: Collection[str]) -> Callable[[Any], object]:
    """What runs first in a round: it sets variables, one after the other, and says whether there is a round."""
    known = [*dict.fromkeys([*variables, DUE])]
    setting = table.table("set", dict.fromkeys(variables, str))
    values = {} if setting is None else {name: setting.query(name, None, known) for name in setting.said}
    condition = table.query("before", None, known)

    def asked(query: Any, given: Any) -> Any:
        expression = expression_of(query)
        assert expression is not None
        return expression.of_variables(table.reading.registry, {name: getattr(given, name) for name in known})

    def before(given: Any) -> object:
        for name, query in values.items():
            setattr(given, name, asked(query, given))
        return condition is None or bool(asked(condition, given))

    return before
