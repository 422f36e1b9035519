"""A role that serves and a role that only writes own nothing. What they need is granted, and what lacks is told."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, ForeignKey, create_engine, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from afterwork.cli import main
from afterwork.errors import BadRequest, NotGranted
from tests.support.postgres import Server
from tests.support.roles import Roles, roles_in
from tests.support.waiting import eventually


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


@aw.track_history
class OrderFlow(StateChart[Any]):
    cart = State(initial=True)
    paid, sent = State(), State(final=True)
    pay = cart.to(paid)
    paid.to(sent, cond="is_ready")


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column()
    number: Mapped[int | None] = mapped_column()
    spent: Mapped[int] = mapped_column(default=0)
    count: Mapped[int] = mapped_column(default=0)
    seen: Mapped[bool] = mapped_column(default=False)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    @aw.derived(spent)
    def compute_spent(self) -> int:
        return sum(order.amount for order in self.orders)

    count_orders = aw.derived(count)(aw.ocl("self.orders->size"))

    @aw.method
    def assign_number(self) -> None:
        self.number = 7


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int] = mapped_column(default=0)
    is_ready: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str | None] = mapped_column()
    customer: Mapped[Customer] = relationship(back_populates="orders")
    flow = aw.machine(OrderFlow, state=state)


class See(aw.ViewModel, root=Customer):
    when = aw.Every(minutes=10, criteria=select(Customer).where(Customer.seen.is_(False)))

    @aw.action
    def see(self) -> None:
        self.root.seen = True


app = aw.Afterwork(Base)

WRITERS_OWN = (
    "GRANT USAGE ON SCHEMA app TO {writer}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON customer, orders, sys_async_ticket TO {writer}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA app TO {writer}",
)
"""What a role that writes has of the application's own, whether there are jobs or not."""


@pytest.fixture
def roles(postgres_server: Server) -> Iterator[Roles]:
    """A database with the application's tables, in which nothing is installed yet."""
    with postgres_server.fresh_database() as url, roles_in(url) as made:
        Base.metadata.create_all(made.engine(made.owner))
        yield made


def write(engine: Engine) -> None:
    """Write as an application does: rows, a ticket, and a move of a machine."""
    with Session(engine) as session, session.begin():
        ann = Customer(name="Ann", orders=[Order(amount=3), Order(amount=4)])
        session.add(ann)
        session.flush()
        aw.later(ann.assign_number, unique=True)
        ann.orders[0].flow.pay()
        ann.orders[0].is_ready = True


def stored(roles: Roles) -> Any:
    with roles.engine(roles.owner).connect() as connection:
        query = text("SELECT spent, count, number, seen FROM customer")
        return tuple(connection.execute(query).one())


def lacking(engine: Engine) -> list[str]:
    """Return what `check` finds wrong about rights, each with what it advises."""
    found = [one for one in app.insight(engine).check() if one.topic == "rights" and not one.right]
    return [f"{one.what}: {one.advice}" for one in found]


def test_a_role_that_serves_and_one_that_writes_need_only_what_is_granted(roles: Roles) -> None:
    app.install(roles.engine(roles.owner), grant_to=[roles.server], grant_to_writers=[roles.writer])
    roles.as_owner(*WRITERS_OWN)

    assert lacking(roles.engine(roles.server)) == []
    write(roles.engine(roles.writer))
    app.run_until_idle(roles.engine(roles.server))

    assert stored(roles) == (7, 2, 7, True)
    assert [one for one in app.insight(roles.engine(roles.server)).check() if one.is_fault] == []


def test_a_server_lives_without_owning_anything(roles: Roles) -> None:
    app.install(roles.engine(roles.owner), grant_to=[roles.server], grant_to_writers=[roles.writer])
    roles.as_owner(*WRITERS_OWN)

    write(roles.engine(roles.writer))
    with app.serving(roles.engine(roles.server)):
        eventually(lambda: stored(roles) == (7, 2, 7, True))
        with roles.engine(roles.writer).begin() as connection:
            connection.exec_driver_sql("UPDATE orders SET amount = 10")
        eventually(lambda: stored(roles) == (20, 2, 7, True))


def test_granting_again_does_nothing(roles: Roles) -> None:
    owner = roles.engine(roles.owner)
    first = app.install(owner, grant_to=[roles.server])

    assert f"SELECT, INSERT, UPDATE, DELETE on table app.afterwork_journal granted to {roles.server}" in first
    assert f"USAGE on schema app granted to {roles.server}" in first
    assert app.install(owner, grant_to=[roles.server]) == []


def test_who_only_writes_needs_nothing_of_afterwork(roles: Roles) -> None:
    """Triggers write into the journal as their owner, so a role that knows nothing of jobs needs no right for them; and
    none to use the schema that Afterwork's tables are in."""
    owner = roles.engine(roles.owner)
    with roles.admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA work AUTHORIZATION {roles.owner}")
        for role in (roles.owner, roles.server):
            within = f'ALTER ROLE {role} IN DATABASE "{roles.url.database}"'
            connection.exec_driver_sql(f"{within} SET search_path = work, app")
    owner.dispose()
    app.install(owner, grant_to=[roles.server])
    roles.as_owner("GRANT USAGE ON SCHEMA app TO {writer}", "GRANT INSERT, UPDATE ON customer, orders TO {writer}")
    roles.as_owner("GRANT USAGE ON ALL SEQUENCES IN SCHEMA app TO {writer}")

    with roles.engine(roles.writer).begin() as connection:
        connection.exec_driver_sql("INSERT INTO customer VALUES (5, 'Bob', NULL, 0, 0, true)")
        connection.exec_driver_sql("INSERT INTO orders (id, customer_id, amount, is_ready) VALUES (1, 5, 9, false)")
    app.run_until_idle(roles.engine(roles.server))

    assert stored(roles) == (9, 1, None, True)
    with pytest.raises(ProgrammingError, match="permission denied"), roles.engine(roles.writer).begin() as connection:
        connection.exec_driver_sql("INSERT INTO work.afterwork_journal (tx) VALUES (pg_current_xact_id())")


def test_nobody_writes_into_the_journal_by_a_trigger_of_their_own(roles: Roles) -> None:
    app.install(roles.engine(roles.owner))
    roles.as_owner("GRANT USAGE, CREATE ON SCHEMA app TO {writer}")

    with pytest.raises(ProgrammingError, match="permission denied"), roles.engine(roles.writer).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (id int)")
        connection.exec_driver_sql(
            "CREATE TRIGGER t AFTER INSERT ON mine REFERENCING NEW TABLE AS afterwork_new"
            " FOR EACH STATEMENT EXECUTE FUNCTION afterwork_capture_1()"
        )


def test_no_operator_of_a_writer_is_meant_by_what_writes_its_changes_down(roles: Roles) -> None:
    """It runs as its owner, so it must not run what writers put into their search paths."""
    app.install(roles.engine(roles.owner), grant_to=[roles.server])
    roles.as_owner(*WRITERS_OWN)
    with roles.admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA evil AUTHORIZATION {roles.writer}")
    with roles.engine(roles.writer).begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION evil.is_equal(int, int) RETURNS bool LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'run as %%', current_user; END $$"
        )
        connection.exec_driver_sql("CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.is_equal)")
        connection.exec_driver_sql("CREATE FUNCTION evil.count(int) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0'")
        connection.exec_driver_sql("SET LOCAL search_path = evil, pg_catalog, app")
        connection.exec_driver_sql("INSERT INTO app.customer VALUES (5, 'Bob', NULL, 0, 0, true)")
        connection.exec_driver_sql("UPDATE app.customer SET name = 'Rob'")


def test_what_an_older_afterwork_opened_is_closed_once_nothing_needs_it(roles: Roles) -> None:
    app.install(roles.engine(roles.owner))
    others = "CREATE FUNCTION afterwork_capture_99() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    roles.as_owner("GRANT INSERT ON afterwork_journal TO PUBLIC", others)

    assert app.install(roles.engine(roles.owner)) == []
    roles.as_owner("DROP FUNCTION afterwork_capture_99()")
    closed = "journal closed to all but triggers, which write as their owner"
    assert app.install(roles.engine(roles.owner)) == [closed]


def test_roles_are_told_apart_from_what_is_none(roles: Roles, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="There is no role 'nobody'"):
        app.install(roles.engine(roles.owner), grant_to=["nobody"])
    with pytest.raises(BadRequest, match="SQLite has no roles"):
        app.install(create_engine(f"sqlite:///{tmp_path}/shop.db"), grant_to=["server"])


def test_what_only_others_can_give_is_told(roles: Roles) -> None:
    with roles.admin.connect() as connection:
        connection.exec_driver_sql("REVOKE SELECT ON app.customer FROM PUBLIC")
    app.install(roles.engine(roles.owner))
    with roles.admin.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE app.customer OWNER TO CURRENT_USER")
        connection.exec_driver_sql(f"GRANT SELECT ON app.customer TO {roles.owner}")

    with pytest.raises(NotGranted, match=rf"GRANT SELECT\S* .*ON TABLE app.customer TO {roles.server};"):
        app.install(roles.engine(roles.owner), grant_to=[roles.server])


# The command line


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, [arguments[0], "tests.store.test_rights:app", *arguments[1:]])


def test_the_command_line_grants_and_tells_what_lacks(roles: Roles) -> None:
    owner, server = (roles.url_of(role).render_as_string(hide_password=False) for role in (roles.owner, roles.server))
    command("install", "--database", owner)

    told = command("check", "--database", server)
    assert told.exit_code == 1
    assert f"WRONG  role {roles.server} lacks USAGE on schema app" in told.output
    assert f"GRANT USAGE ON SCHEMA app TO {roles.server}" in told.output

    granting = ("install", "--database", owner, "--grant-to", roles.server, "--grant-to-writer", roles.writer, "--json")
    done = json.loads(command(*granting).stdout)["done"]
    assert f"USAGE on schema app granted to {roles.server}" in done
    assert f"SELECT on table app.afterwork_lease granted to {roles.writer}" in done
    assert json.loads(command(*granting).stdout) == {"done": []}
    assert command("check", "--database", server).exit_code == 0


def test_the_command_line_says_that_sqlite_has_no_roles(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/shop.db"
    engine = create_engine(database)
    Base.metadata.create_all(engine)
    engine.dispose()

    told = command("install", "--database", database, "--grant-to", "server")

    assert told.exit_code == 1
    assert "SQLite has no roles" in told.output


# Check


GRANTED = text("""
SELECT privilege_type, 'TABLE app.' || table_name FROM information_schema.role_table_grants WHERE grantee = :role
UNION ALL SELECT 'USAGE', 'SEQUENCE app.' || relname FROM pg_class
    WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege(:role, oid, 'USAGE') END
UNION ALL SELECT 'USAGE', 'SCHEMA app' WHERE has_schema_privilege(:role, 'app', 'USAGE')
UNION ALL SELECT 'EXECUTE', 'FUNCTION app.afterwork_readers' FROM pg_proc
    WHERE proname = 'afterwork_readers' AND has_function_privilege(:role, oid, 'EXECUTE')
""")


def test_each_right_that_lacks_is_told_with_the_statement_that_gives_it(roles: Roles) -> None:
    app.install(roles.engine(roles.owner), grant_to=[roles.server])
    with roles.engine(roles.owner).connect() as connection:
        granted = set(connection.execute(GRANTED, {"role": roles.server}).all())
        assert len(granted) > 60
        for privilege, on in granted:
            connection.exec_driver_sql(f"REVOKE {privilege} ON {on} FROM {roles.server}")
            connection.commit()
            told = lacking(roles.engine(roles.server))
            assert any(f"lacks {privilege} on {on.split()[0].lower()} {on.split()[1]}" in one for one in told), on
            for one in told:
                connection.exec_driver_sql(re.findall(r"GRANT .*? TO \w+", one)[0])
            assert set(connection.execute(GRANTED, {"role": roles.server}).all()) == granted, on
            connection.commit()
    assert lacking(roles.engine(roles.server)) == []


def test_a_role_without_any_right_is_told_all_of_them(roles: Roles) -> None:
    app.install(roles.engine(roles.owner))

    found = lacking(roles.engine(roles.server))

    assert any("USAGE on schema app" in one for one in found)
    assert any("SELECT, INSERT, UPDATE, DELETE on table app.afterwork_installation" in one for one in found)
    assert any("SELECT, UPDATE (state) on table app.orders" in one for one in found)
    assert any("SELECT, UPDATE (count), UPDATE (spent) on table app.customer" in one for one in found)


ENABLED = "ALTER TABLE customer ENABLE ROW LEVEL SECURITY"
HIDING = [
    ((ENABLED,), True),
    ((ENABLED, "CREATE POLICY p ON customer TO {server} USING (id = 1)"), True),
    ((ENABLED, "CREATE POLICY p ON customer TO {writer} USING (true)"), True),
    ((ENABLED, "CREATE POLICY p ON customer FOR INSERT TO {server} WITH CHECK (true)"), True),
    ((ENABLED, "CREATE POLICY p ON customer TO {server} USING (true)"), False),
    (
        (
            ENABLED,
            "CREATE POLICY p ON customer USING (true)",
            "CREATE POLICY q ON customer AS RESTRICTIVE USING (id = 1)",
        ),
        True,
    ),
    ((ENABLED, "ALTER TABLE customer FORCE ROW LEVEL SECURITY"), True),
    (("CREATE POLICY p ON customer TO {server} USING (id = 1)",), False),
    (("ALTER TABLE afterwork_cache ENABLE ROW LEVEL SECURITY",), True),
]


@pytest.mark.parametrize(("statements", "is_told"), HIDING)
def test_rows_that_are_hidden_from_the_role_are_told(roles: Roles, statements: tuple[str, ...], is_told: bool) -> None:
    app.install(roles.engine(roles.owner), grant_to=[roles.server])
    roles.as_owner(*statements)

    found = lacking(roles.engine(roles.server))

    assert bool(found) is is_told
    assert all("row-level security hides rows of app." in one for one in found)
    is_forced = any("FORCE" in one for one in statements)
    assert bool(lacking(roles.engine(roles.owner))) is is_forced
    with roles.admin.connect() as connection:
        connection.exec_driver_sql(f"ALTER ROLE {roles.server} BYPASSRLS")
    assert lacking(roles.engine(roles.server)) == []


# The page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "rights.md"


def statements_for(role: str) -> list[str]:
    """Return what the page grants to a role, a statement for each thing, with the names of the tests' roles."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    grants = re.findall(r"GRANT (.+?) ON (SEQUENCE |FUNCTION |SCHEMA )?(.+?) TO (\w+);", "".join(blocks), re.DOTALL)
    return [
        f"GRANT {privileges} ON {kind}{'app' if kind == 'SCHEMA ' else thing.strip()} TO {{{NAMES[to]}}}"
        for privileges, kind, things, to in grants
        for thing in things.split(",")
        if NAMES[to] == role
    ]


NAMES = {"afterwork": "server", "web": "writer"}
FOR_JOBS = "(number, seen)"


def test_the_statements_of_the_page_are_all_that_it_takes(roles: Roles) -> None:
    app.install(roles.engine(roles.owner))
    roles.as_owner(*WRITERS_OWN[1:2], *statements_for("server"), *statements_for("writer"))
    roles.as_owner("GRANT USAGE ON customer_id_seq, orders_id_seq, sys_async_ticket_id_seq TO {writer}")

    write(roles.engine(roles.writer))
    app.run_until_idle(roles.engine(roles.server))

    assert stored(roles) == (7, 2, 7, True)
    assert [one for one in app.insight(roles.engine(roles.server)).check() if one.is_fault] == []
    with roles.engine(roles.owner).connect() as connection:
        assert connection.execute(text("SELECT state FROM orders ORDER BY id")).scalars().all() == ["sent", "cart"]
        assert connection.execute(text("SELECT count(*) FROM afterwork_transition")).scalar() == 4


def test_whatever_of_the_page_is_left_out_is_found(roles: Roles) -> None:
    app.install(roles.engine(roles.owner))
    granted = [one for one in statements_for("server") if FOR_JOBS not in one]
    roles.as_owner(*granted)
    server = roles.engine(roles.server)
    assert [one for one in app.insight(server).check() if one.is_fault] == []
    for statement in granted:
        roles.as_owner(statement.replace("GRANT ", "REVOKE ", 1).replace(" TO ", " FROM "))
        assert any(one.is_fault for one in app.insight(server).check() if one.topic == "rights"), statement
        roles.as_owner(statement)
