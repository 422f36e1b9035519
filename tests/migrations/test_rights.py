"""Migrations by the role that owns all tables grant the role that serves what it needs."""

from pathlib import Path

from sqlalchemy import URL, create_engine

from tests.migrations.environment import Migrations, faults
from tests.migrations.releases import release
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.roles import roles_in


@ONLY_POSTGRESQL
def test_a_role_that_env_py_names_may_serve_after_each_migration(url: URL, tmp_path: Path) -> None:
    older, newer = release(), release(has_payments=True)
    with roles_in(url) as roles:
        options = {"afterwork_grant_to": [roles.server], "afterwork_grant_to_writers": [roles.writer]}
        migrations = Migrations(tmp_path, roles.engine(roles.owner), older.base.metadata, options)
        for number, each in enumerate((older, newer)):
            migrations.metadata = each.base.metadata
            migrations.revision(f"release {number}")
            migrations.upgrade()
            assert faults(each.app, roles.engine(roles.server)) == []


def test_on_sqlite_there_is_nothing_to_grant(tmp_path: Path) -> None:
    only = release()
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    migrations = Migrations(tmp_path, engine, only.base.metadata, {"afterwork_grant_to": ["server"]})
    migrations.revision()
    migrations.upgrade()
    assert faults(only.app, engine) == []
    engine.dispose()
