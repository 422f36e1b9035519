"""What `check` finds in a SQLite file only, each made, found, mended, and gone."""

from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, event, make_url, text

from afterwork.insight import CheckLimits, Finding
from tests.conftest import Shop


@pytest.fixture
def url(tmp_path: Path) -> URL:
    return make_url(f"sqlite:///{tmp_path / 'shop.db'}")


def wrong(shop: Shop, words: str, limits: CheckLimits | None = None) -> list[Finding]:
    found = shop.app.insight(shop.engine).check(limits or CheckLimits())
    return [one for one in found if not one.right and words in one.what]


def test_a_file_whose_readers_stop_the_writer_is_told_and_mended(the_shop: Shop) -> None:
    assert wrong(the_shop, "journal mode") == []
    with the_shop.engine.connect() as connection:
        connection.execute(text("PRAGMA journal_mode = DELETE"))

    (found,) = wrong(the_shop, "journal mode of the file is delete")

    assert found.is_fault
    assert "journal mode of the file set to WAL" in the_shop.app.install(the_shop.engine)
    assert wrong(the_shop, "journal mode") == []


@pytest.mark.parametrize(("level", "is_note"), [("NORMAL", True), ("OFF", False)])
def test_an_application_that_does_not_wait_for_the_disk_is_told(the_shop: Shop, level: str, is_note: bool) -> None:
    assert wrong(the_shop, "synchronous") == []
    hasty = Shop(create_engine(the_shop.engine.url))
    event.listen(hasty.engine, "connect", lambda driver, _: driver.execute(f"PRAGMA synchronous = {level}"))

    assert [one.is_note for one in wrong(hasty, f"synchronous is {level}")] == [is_note]
    hasty.engine.dispose()


def test_a_log_that_a_reader_keeps_from_being_taken_in_is_told(the_shop: Shop) -> None:
    small = CheckLimits(wal_bytes=20_000)
    with the_shop.engine.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.execute(text("SELECT count(*) FROM afterwork_lane"))
        with the_shop.engine.begin() as writer:
            writer.execute(text("INSERT INTO afterwork_lane (name) VALUES (hex(zeroblob(50000)))"))

        assert len(wrong(the_shop, "write-ahead log has 0.2 MB", small)) == 1

    with the_shop.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert wrong(the_shop, "write-ahead log", small) == []
