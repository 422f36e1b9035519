"""What the command line tells of a model."""

from collections.abc import Iterator, Mapping
from typing import Any

from afterwork.cli.printing import table
from afterwork.model.reading import ReadModel
from afterwork.model.work import Work


def model_view(model: ReadModel) -> dict[str, Any]:
    """A model, as far as others ask for work in it."""
    ticket = model.contract
    optional = {
        "priority": ticket.priority,
        "lane": ticket.lane,
        "attempts": ticket.attempts,
        "created": ticket.created,
    }
    return {
        "classes": sorted(model.classes),
        "tickets": ticket.table.fullname,
        "without": [name for name, attribute in optional.items() if attribute is None],
        "works": [_work(model.works[name]) for name in sorted(model.works)],
    }


def _work(work: Work) -> dict[str, Any]:
    root = work.root.__name__ if work.root else None
    attempts = work.retry.attempts if work.retry else 1
    return {"name": work.name, "root": root, "lane": work.lane, "external": work.external, "attempts": attempts}


def model_lines(model: Mapping[str, Any]) -> Iterator[str]:
    """What `model_view` has found, for people."""
    yield f"classes  {', '.join(model['classes'])}"
    without = f", without {', '.join(model['without'])}" if model["without"] else ""
    yield f"tickets  in {model['tickets']}, as the contract says{without}"
    yield ""
    rows = [
        (w["name"], w["root"] or "none", w["lane"], "outside" if w["external"] else "inside", str(w["attempts"]))
        for w in model["works"]
    ]
    yield from table(("work", "on", "lane", "transaction", "attempts"), rows)
