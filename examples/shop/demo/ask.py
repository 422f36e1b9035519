"""Suggestions for commands to explore the database that the demo has left."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from examples.shop import Order, OrderLine
from examples.shop.demo.stage import ROOT, Stage


def commands(found: Stage) -> Iterator[str]:
    """Yield command lines about the newest order line, and about the customer who pays for it."""
    with Session(found.engine) as session:
        line = session.scalars(select(OrderLine).join(Order).order_by(OrderLine.id.desc()).limit(1)).first()
        if line is not None:
            yield _command(found, "explain", f"Customer!{line.order.customer_id}", "total")
            yield _command(found, "impact", f"OrderLine!{line.id}", "quantity")


def _command(found: Stage, command: str, *arguments: str) -> str:
    url = found.url
    words = [command, "examples.shop:app", *arguments, "--database", url._replace(password=None).render_as_string()]
    is_here = Path.cwd() == ROOT
    place = [] if is_here else [f"cd {shlex.quote(str(ROOT))} &&"]
    secret = [] if not url.password else ["PGPASSWORD=…"]  # to be filled in: it is not for all to see
    return " ".join([*place, *secret, *_afterwork(is_here), shlex.join(words)])


def _afterwork(is_here: bool) -> list[str]:
    """Return the command as one types it here, or in any other folder."""
    script = Path(sys.executable).with_name("afterwork")
    if not script.exists():
        return [shlex.quote(sys.executable), "-m", "afterwork.cli"]
    return [shlex.quote(os.path.relpath(script) if is_here and script.is_relative_to(ROOT) else str(script))]
