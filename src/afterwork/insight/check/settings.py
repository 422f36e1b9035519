"""Checks of the PostgreSQL settings on which the guarantees rest."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from afterwork.insight.check.finding import CheckContext, Finding


@dataclass(frozen=True)
class WantedSetting:
    """A setting, its right values, and the consequence of any other."""

    name: str
    right: tuple[str, ...]
    advice: str


WANTED = (
    WantedSetting("fsync", ("on",), "A crash of the machine may corrupt the database. Set it to on."),
    WantedSetting("full_page_writes", ("on",), "A crash of the machine may corrupt the database. Set it to on."),
    WantedSetting(
        "synchronous_commit",
        ("on", "local", "remote_write", "remote_apply"),
        "A crash may lose the last commits, tickets included. Set it to on.",
    ),
    WantedSetting(
        "default_transaction_isolation",
        ("read committed",),
        "Servers and their jobs have read committed for themselves, except behind a pooler in transaction mode. "
        "There, runs are refused and repeated more often: ALTER ROLE … SET default_transaction_isolation = "
        "'read committed'.",
    ),
    WantedSetting(
        "session_replication_role",
        ("origin", "local"),
        "Tickets of such sessions wake no server, and their foreign keys are not checked. Remove it from the role.",
    ),
)

TIMEOUT = "idle_in_transaction_session_timeout"
WITHOUT_TIMEOUT = (
    "Behind a pooler a server can't set it for its own connections, and the transaction of a stopped process keeps its "
    f"lane for ever. Set it: ALTER ROLE … SET {TIMEOUT} = '60s'."
)

NAMES = (*(setting.name for setting in WANTED), TIMEOUT)
_SETTINGS = text("SELECT name, setting FROM pg_settings WHERE name = ANY (CAST(:names AS text[]))")


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the settings, as a new connection has them."""
    if scene.database.dialect != "postgresql":
        return
    values = {row.name: row.setting for row in scene.connection.execute(_SETTINGS, {"names": list(NAMES)})}
    for wanted in WANTED:
        value = values[wanted.name]
        yield Finding(f"{wanted.name} is {value}", value in wanted.right, wanted.advice, is_note=True)
    # Without sessions of their own, servers can't set it for themselves.
    if not scene.database.settings.listen and values[TIMEOUT] == "0":
        yield Finding(f"{TIMEOUT} is off, and so is Settings.listen", False, WITHOUT_TIMEOUT, is_note=True)
