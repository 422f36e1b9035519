"""Alembic's internals do what Afterwork relies on."""

from typing import Any

import pytest
from alembic.autogenerate.api import AutogenContext, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, inspect

from afterwork.compat.alembic_internals import add_filters, before_batches


@pytest.fixture
def engine() -> Engine:
    made = create_engine("sqlite://")
    Table("thing", MetaData(), Column("id", Integer, primary_key=True)).create(made)
    return made


def test_a_filter_that_is_added_counts(engine: Engine) -> None:
    with engine.connect() as connection:
        context = AutogenContext(MigrationContext.configure(connection), MetaData())
        assert context.run_name_filters("thing", "table", {})
        add_filters(context, lambda name, *_: name != "thing", lambda item, name, *_: name != "other")
        assert not context.run_name_filters("thing", "table", {})
        assert not context.run_object_filters(Table("x", MetaData()), "other", "table", False, None)


def test_each_batch_says_beforehand_whether_it_copies_its_table(engine: Engine) -> None:
    class Own(Operations): ...

    begun: list[tuple[str, bool, bool]] = []

    def begin(batch: Any, copies: bool) -> None:
        has_column = len(inspect(batch.get_bind()).get_columns("thing")) > 1
        begun.append((batch.impl.table_name, copies, has_column))

    before_batches(Own, begin)
    with engine.connect() as connection:
        operations = Own(MigrationContext.configure(connection))
        with operations.batch_alter_table("thing") as batch:
            batch.add_column(Column("more", Integer))
        with operations.batch_alter_table("thing", recreate="always"):
            pass
        with operations.batch_alter_table("thing") as batch:
            batch.drop_column("more")
    assert begun == [("thing", False, False), ("thing", True, True), ("thing", True, True)]


def test_a_comparison_goes_on_with_the_filters(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        upgrade = produce_migrations(context, MetaData()).upgrade_ops
    assert upgrade is not None
    assert len(upgrade.ops) == 1
