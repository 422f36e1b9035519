"""Offline mode (`alembic upgrade --sql`): the script has Afterwork's part, found out on an empty database."""

import enum
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.migrations.environment import Migrations, faults, run_script
from tests.migrations.releases import RELEASES, add_orders, check_all_is_right, release, write
from tests.support.postgres import Server

MISSING = "-- Afterwork's part of the script is missing here."


def test_the_script_of_all_releases_installs_what_the_newest_needs(engine: Engine, tmp_path: Path) -> None:
    migrations = of_all_releases(engine, tmp_path)
    newest = release(**RELEASES[-1])
    script = migrations.sql()
    assert MISSING not in script

    run_script(engine, script)
    assert faults(newest.app, engine) == []
    write(newest, engine)
    check_all_is_right(newest, engine)
    migrations.check()  # and neither has Alembic anything to do


def test_between_two_revisions_of_a_script_nothing_is_missed(engine: Engine, tmp_path: Path) -> None:
    migrations = of_all_releases(engine, tmp_path)
    newest = release(**RELEASES[-1])
    rows = 'op.execute("UPDATE orders SET amount = amount + 7")'
    migrations.written(f"op.create_index('orders_amount', 'orders', ['amount'])\n{rows}", message="rows")
    migrations.written(f"op.drop_index('orders_amount', 'orders')\n{rows}", message="rows again")
    whole = migrations.sql()

    first, _, rest = whole.partition(marker(whole, 5))
    run_script(engine, committed(first, engine))
    for number in (1, 2):
        add_orders(engine, number)
    run_script(engine, begun(rest, engine))
    assert faults(newest.app, engine) == []
    check_all_is_right(newest, engine)


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Door(Base):
    __tablename__ = "door"
    id: Mapped[int] = mapped_column(primary_key=True)
    colour: Mapped[Colour]
    text: Mapped[str] = mapped_column(default="", server_default="")

    @aw.derived(text)
    def compute_text(self) -> str:
        return self.colour.name.lower()


app = aw.Afterwork(Base)


def test_types_have_the_numbers_that_they_have_where_the_script_runs(engine: Engine, tmp_path: Path) -> None:
    migrations = Migrations(tmp_path, engine, Base.metadata)
    migrations.revision()
    script = migrations.sql()
    run_script(engine, "DROP TABLE alembic_version")
    if engine.dialect.name == "postgresql":  # the numbers of later types are others
        run_script(engine, "; ".join(f"CREATE TYPE other_{number} AS ENUM ('a')" for number in range(9)))
    run_script(engine, script)

    assert faults(app, engine) == []
    for colour in Colour:
        with Session(engine) as session, session.begin():
            door = session.get(Door, 1) or Door(id=1)
            door.colour = colour
            session.add(door)
        app.run_until_idle(engine)
        with Session(engine) as session:
            assert session.get_one(Door, 1).text == colour.name.lower()
    assert app.verify(engine).differences == []


def test_databases_in_which_a_script_runs_are_told_apart(engine: Engine, tmp_path: Path) -> None:
    migrations = Migrations(tmp_path, engine, Base.metadata)
    migrations.revision()
    script = migrations.sql()
    run_script(engine, "DROP TABLE alembic_version")
    numbers = set()
    for _ in range(2):
        run_script(engine, script)
        with engine.connect() as connection:
            numbers.add(connection.scalar(text("SELECT value FROM afterwork_installation WHERE name = 'installation'")))
        migrations.downgrade("base")
        run_script(engine, "DROP TABLE alembic_version; DROP TYPE IF EXISTS colour" if is_real(engine) else GONE)
    assert len(numbers) == 2


GONE = "DROP TABLE alembic_version"


def is_real(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def test_a_rehearsal_leaves_nothing_behind_also_where_it_fails(postgres_server: Server, tmp_path: Path) -> None:
    with postgres_server.fresh_database() as url:
        engine = create_engine(url)
        migrations = Migrations(tmp_path, engine, Base.metadata)
        migrations.revision()
        migrations.sql()
        migrations.written('op.execute("SELECT 1 / 0")')
        assert "-- Afterwork's part of the script is missing here. On an empty database, 'SELECT 1 / 0;' fails" in (
            migrations.sql()
        )
        with engine.connect() as connection:
            databases = connection.scalars(text("SELECT datname FROM pg_database")).all()
        assert [name for name in databases if "rehearsal" in name] == []
        engine.dispose()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"dialect_name": "postgresql"}, "env.py names no server of PostgreSQL."),
        ({"url": "postgresql+psycopg://nobody@127.0.0.1:1/none"}, "No database for a rehearsal can be created"),
    ],
    ids=["no server", "one that is not there"],
)
def test_where_nobody_can_know_the_sql_the_script_says_what_to_run(
    tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    engine = create_engine("sqlite://")
    migrations = Migrations(tmp_path, engine, Base.metadata)
    migrations.revision()
    script = migrations.sql(**options)

    assert "CREATE TABLE sys_async_ticket" in script
    comment = script.partition(MISSING)[2].splitlines()
    assert problem in comment[0]
    assert "--     afterwork install MODULE:APP --database URL" in comment
    engine.dispose()


def test_a_server_for_rehearsals_may_be_another_one(postgres_server: Server, tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    migrations = Migrations(tmp_path, engine, Base.metadata)
    migrations.revision()
    with postgres_server.fresh_database() as url:
        where = url.render_as_string(hide_password=False)
        script = migrations.sql(dialect_name="postgresql", afterwork_rehearsal=where)
    assert "afterwork_capture_1" in script
    engine.dispose()


def test_a_script_from_the_middle_says_that_it_depends_on_what_is_installed(engine: Engine, tmp_path: Path) -> None:
    migrations = of_all_releases(engine, tmp_path)
    whole = migrations.sql()
    first, second = (marker(whole, number).split()[-1] for number in (2, 3))
    up, down = migrations.sql(f"{first}:{second}"), migrations.sql_down(f"{second}:{first}")
    for script in (up, down):
        assert MISSING in script
        assert "and it depends on what is installed there" in script


def marker(script: str, number: int) -> str:
    """Return the comment at which a revision begins, counted from 1."""
    return [line for line in script.splitlines() if line.startswith("-- Running upgrade")][number - 1]


def committed(script: str, engine: Engine) -> str:
    return script if engine.dialect.name == "sqlite" else f"{script}\nCOMMIT;"


def begun(script: str, engine: Engine) -> str:
    return script if engine.dialect.name == "sqlite" else f"BEGIN;\n{script}"


def of_all_releases(engine: Engine, folder: Path) -> Migrations:
    """Return the migrations of all releases, as Alembic writes them, before an empty database."""
    migrations = Migrations(folder, engine, release().base.metadata)
    for number, changes in enumerate(RELEASES):
        migrations.metadata = release(**changes).base.metadata
        migrations.revision(f"release {number}")
        migrations.upgrade()
    migrations.downgrade("base")
    run_script(engine, "DROP TABLE alembic_version")
    return migrations
