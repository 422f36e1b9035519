"""SQL for those who run it by hand: a script of an installation does what the installation would do."""

from typing import Any

from sqlalchemy import Engine, inspect

from tests.migrations.environment import faults, run_script
from tests.migrations.releases import begin, check_all_is_right, release, write
from tests.support.command_line import run, told


def test_a_script_installs(engine: Engine) -> None:
    only = release()
    only.base.metadata.create_all(engine)
    script = only.app.install_script(engine)
    assert len(inspect(engine).get_table_names()) == 3

    run_script(engine, script)
    assert faults(only.app, engine) == []
    write(only, engine)
    check_all_is_right(only, engine)
    assert faults(only.app, engine) == []


def test_a_script_brings_an_installation_in_line(engine: Engine) -> None:
    begin(engine)
    newer = release(has_payments=True)
    newer.base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE customer ADD COLUMN paid integer NOT NULL DEFAULT 0")
    run_script(engine, newer.app.install_script(engine))

    write(newer, engine)
    check_all_is_right(newer, engine)
    assert faults(newer.app, engine) == []
    assert newer.app.install_script(engine) == ""


def test_the_command_line_prints_the_script(engine: Engine) -> None:
    only = release()
    only.base.metadata.create_all(engine)
    named.append(only.app)
    where = "tests.migrations.test_scripts:app", "--database", engine.url.render_as_string(hide_password=False)
    script = told(run("install", *where, "--sql"))

    assert "CREATE TABLE afterwork_journal" in script
    assert "CREATE INDEX afterwork_sys_async_ticket_place" in script
    assert len(inspect(engine).get_table_names()) == 3
    told(run("install", *where))
    assert told(run("install", *where, "--sql")) == "-- Everything is installed already.\n"


named: list[Any] = []


def __getattr__(name: str) -> Any:
    if name == "app":
        return named[-1]
    raise AttributeError(name)
