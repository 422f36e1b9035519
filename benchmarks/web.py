"""The time that the web page and its API take with a million tickets and a million manifests: `python
benchmarks/web.py`. A test client asks for each page, so only the server's part is measured: queries and templates. See
README.md here.
"""

import argparse
import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL
    from starlette.testclient import TestClient

    from benchmarks.support.place import Kind

FEW, MANY, QUICK = 1_000, 1_000_000, 100_000
TIMES = 5
WITHIN = 0.2

ONE = "Customer!1"
PAGES = (
    "/", "/failures", "/check", "/api/failures",
    "/tickets", "/tickets?state=waiting", "/tickets?state=failed", "/tickets?state=done",
    "/tickets?q=root:Customer!7", "/tickets?q=nowhere", "/tickets/1", "/timers", "/caches", "/caches/Customer.total",
    "/caches/Customer.total?state=stale", f"/caches/Customer.total/{ONE}", f"/impact?root={ONE}&member=name",
    "/works", "/works?span=week", "/works/Customer.total?span=week", "/graph",
    "/machines", "/lanes", "/model", "/metrics", "/api/status", "/api/overview", "/api/tickets", "/api/ticket-counts",
    "/api/timers", "/api/caches", "/api/caches/Customer.total", f"/api/explain?root={ONE}&cache=total", "/api/lanes",
    "/api/machines",
)  # fmt: skip


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    warnings.filterwarnings("ignore", message="Dialect sqlite.* does \\*not\\* support Decimal objects natively")
    from benchmarks.support.bench import KINDS
    from benchmarks.support.postgres import postgres
    from benchmarks.support.report import machine
    from benchmarks.support.table import HEADINGS, Row, printed

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"with {QUICK:,} of each only")
    many = QUICK if parser.parse_args().quick else MANY
    rows: list[Row] = []
    with postgres() as server:
        print(machine(server), end="\n\n")
        for kind in KINDS:
            times = {count: seconds(kind, server, count) for count in (FEW, many)}
            for page in PAGES:
                few, lots = times[FEW][page], times[many][page]
                other, needed = f"with {FEW:,}: {few * 1000:.0f} ms", f"less than {WITHIN * 1000:.0f} ms"
                what = f"{page} with {many:,}, {kind}"
                rows.append(Row(what, f"{lots * 1000:.0f} ms", other, f"{lots / few:.1f} ×", needed, lots < WITHIN))
    print(printed(HEADINGS, [row.cells() for row in rows]))
    return 1 if any(row.met is False for row in rows) else 0


def seconds(kind: "Kind", server: "URL", count: int) -> dict[str, float]:
    """Return each page's median time, in seconds, in a database with these numbers of tickets and manifests."""
    from starlette.testclient import TestClient

    import afterwork as aw
    from benchmarks.cache.model import Base
    from benchmarks.cache.place import fresh_shop
    from benchmarks.support.bench import say
    from benchmarks.support.crowd import fill

    app = aw.Afterwork(Base)
    with ExitStack() as stack:
        shop = stack.enter_context(fresh_shop(kind, server, 20))
        app.install(shop.engine)
        app.run_until_idle(shop.engine)
        with shop.engine.begin() as connection:
            fill(connection, kind, count)
        shop.settle()
        client = TestClient(aw.web(app, shop.engine), "http://127.0.0.1", client=("127.0.0.1", 50000))
        found = {page: median(took(client, page) for _ in range(TIMES)) for page in PAGES}
        say(f"{kind} with {count:,}: {max(found.values()) * 1000:.0f} ms at most")
        return found


def took(client: "TestClient", page: str) -> float:
    """Return the seconds until an answer has come. Raises `AssertionError` if it is not the page."""
    began = time.perf_counter()
    answer = client.get(page)
    assert answer.status_code == 200, f"{page}: {answer.status_code} {answer.text[:2000]}"
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
