"""A revision still works when the model has moved on, and none is in the way of those that come later."""

from pathlib import Path

from sqlalchemy import Engine, inspect

from tests.migrations.environment import Migrations, faults
from tests.migrations.releases import RELEASES, add_orders, check_all_is_right, release, write


def test_all_revisions_run_with_the_newest_model_at_once_and_one_by_one(engine: Engine, tmp_path: Path) -> None:
    """Between any two of them, nobody's write fails, although the database lacks half of what the model has."""
    migrations = Migrations(tmp_path, engine, release().base.metadata, {"render_as_batch": True})
    for number, changes in enumerate(RELEASES):
        newest = release(**changes)
        migrations.metadata = newest.base.metadata
        migrations.revision(f"release {number}")
        migrations.upgrade()
    for steps in (["head"], ["+1"] * len(RELEASES)):
        migrations.downgrade("base")
        assert inspect(engine).get_table_names() == ["alembic_version"]
        for number, step in enumerate(steps):
            migrations.upgrade(step)
            add_orders(engine, number)
        assert faults(newest.app, engine) == []
    write(newest, engine)
    check_all_is_right(newest, engine)
