"""Alembic writes into a revision nothing of Afterwork's own, and an installation where the model needs one."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import NoApplication
from tests.migrations.environment import Migrations, body, faults, names_like_afterwork
from tests.migrations.releases import begin, release

INSTALL, UNINSTALL = "op.afterwork_install()", "op.afterwork_uninstall()"


def test_the_first_revision_installs_what_its_downgrade_removes(engine: Engine, tmp_path: Path) -> None:
    first = release()
    migrations = Migrations(tmp_path, engine, first.base.metadata)
    revision = migrations.revision()

    assert "import afterwork" not in revision
    assert "sa.DateTime(timezone=True)" in revision
    assert body(revision, "upgrade")[-1] == INSTALL
    assert body(revision, "downgrade")[0] == UNINSTALL

    migrations.upgrade()
    assert first.app.install(engine) == []
    assert faults(first.app, engine) == []

    migrations.downgrade("base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert names_like_afterwork(engine) == []


def test_after_an_installation_there_is_nothing_to_do(engine: Engine, tmp_path: Path) -> None:
    only = begin(engine)
    revision = Migrations(tmp_path, engine, only.base.metadata).revision()

    assert body(revision, "upgrade") == body(revision, "downgrade") == ["pass"]


NEEDS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "a column that a value is made of": ({}, {"has_discount": True}, True),
    "a column that is gone": ({"has_discount": True}, {}, True),
    "a table with a value made of it": ({}, {"has_payments": True}, True),
    "a table that is gone": ({"has_payments": True}, {}, True),
    "another formula": ({}, {"counts_large_ones": True}, True),
    "a column of the tickets": ({}, {"is_traced": True}, True),
    "an index": ({}, {"unique_names": True}, False),
    "nothing": ({}, {}, False),
}


@pytest.mark.parametrize("name", NEEDS)
def test_a_revision_installs_again_when_the_needs_of_the_model_have_changed(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    before, after, is_needed = NEEDS[name]
    begin(engine, **before)
    new = release(**after)
    revision = Migrations(tmp_path, engine, new.base.metadata).revision()

    assert [body(revision, function)[-1] == INSTALL for function in ("upgrade", "downgrade")] == [is_needed] * 2


def test_what_other_comparisons_propose_of_afterworks_is_left_out() -> None:
    from afterwork.ext.alembic import include_name, include_object

    for kind, name in [
        ("function", "public.afterwork_capture_1()"),
        ("trigger", "afterwork_1_insert"),
        ("index", "afterwork_x_place"),
    ]:
        assert not include_object(None, name, kind, True, None)
        assert include_object(None, name, kind, False, None)  # declared by the application
    assert not include_name("afterwork_journal", "table", {})
    assert include_name("afterwork_hours", "table", {})  # somebody else's
    assert include_object(None, "afterwork_x", "column", True, None)


def test_what_env_py_renders_and_filters_counts_as_well(engine: Engine, tmp_path: Path) -> None:
    only = release()
    migrations = Migrations(tmp_path, engine, only.base.metadata)
    migrations.options = {
        "render_item": lambda kind, item, context: (
            "sa.Text()" if kind == "type" and "Utc" in type(item).__name__ else False
        ),
        "include_object": lambda item, name, *_: name != "orders",
    }
    revision = migrations.revision()

    assert "DateTime" not in revision
    assert "create_table('sys_async_ticket'" in revision
    assert "create_table('orders'" not in revision


class Plain(DeclarativeBase): ...


class Note(Plain):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)


def test_models_without_an_application_are_compared_as_ever(engine: Engine, tmp_path: Path) -> None:
    migrations = Migrations(tmp_path, engine, Plain.metadata)

    assert "afterwork" not in migrations.revision()
    migrations.upgrade()
    migrations.written(INSTALL)
    with pytest.raises(NoApplication, match=r"Import the module with the application in env\.py"):
        migrations.upgrade()


def test_env_py_and_a_revision_may_name_the_application(engine: Engine, tmp_path: Path) -> None:
    """For those whose models are elsewhere, or who have several applications."""
    only = release()
    only.base.metadata.create_all(engine)
    migrations = Migrations(tmp_path, engine, Plain.metadata, {"afterwork": only.app})
    migrations.written(INSTALL)
    migrations.upgrade()
    assert faults(only.app, engine) == []

    only.app.uninstall(engine)
    named.append(only.app)
    migrations = Migrations(tmp_path / "named", engine, Plain.metadata, {"version_table": "named_version"})
    migrations.written('op.afterwork_install("tests.migrations.test_autogenerate:app")')
    migrations.upgrade()
    assert faults(only.app, engine) == []


named: list[aw.Afterwork] = []


def __getattr__(name: str) -> aw.Afterwork:
    if name == "app":
        return named[-1]
    raise AttributeError(name)
