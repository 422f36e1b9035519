"""Columns have keys in Python that are other than their names in the database."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, ForeignKey, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Track(Base):
    __tablename__ = "track"
    id: Mapped[int] = mapped_column("TrackId", key="track_id", primary_key=True)
    album_id: Mapped[int] = mapped_column("AlbumId", ForeignKey("album.album_id"), key="of_album")
    seconds: Mapped[int] = mapped_column("Seconds", key="secs")


class Album(Base):
    __tablename__ = "album"
    id: Mapped[int] = mapped_column("AlbumId", key="album_id", primary_key=True)
    playtime: Mapped[int | None] = mapped_column("Playtime", key="play_time")
    longest: Mapped[int | None] = mapped_column("Longest", key="long_est")
    heard: Mapped[int] = mapped_column("Heard", key="times_heard", default=0)
    tracks: Mapped[list[Track]] = relationship()

    @aw.derived(playtime)
    def compute_playtime(self) -> int:
        return sum(track.seconds for track in self.tracks)

    @aw.derived(longest)
    def compute_longest(self) -> int:
        return aw.session(self).scalar(select(func.max(Track.seconds)).where(Track.album_id == self.id)) or 0

    @compute_longest.expression
    def _longest_in_sql(cls) -> object:
        longest = select(func.coalesce(func.max(Track.seconds), 0)).where(Track.album_id == cls.id)
        return longest.scalar_subquery()

    @aw.method
    def hear(self) -> None:
        self.heard += 1


class Hearing(aw.ViewModel[Album], root=Album):
    when = aw.Every(minutes=10, criteria=select(Album).where(Album.heard > 0))

    @aw.action
    def hear(self) -> None:
        self.root.hear()


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base, clock=aw.ManualClock())
    with Session(engine) as session, session.begin():
        session.add_all(Album(id=n, tracks=[Track(seconds=60 * n), Track(seconds=n)]) for n in (1, 2))
    app.install(engine)
    app.run_until_idle(engine)
    return app


def test_caches_are_filled_and_follow_and_can_be_explained(engine: Engine, app: aw.Afterwork) -> None:
    assert values(engine) == [(61, 60), (122, 120)]
    with engine.begin() as connection:
        connection.execute(text('UPDATE track SET "Seconds" = 90 WHERE "Seconds" = 60'))
    app.run_until_idle(engine)
    assert values(engine) == [(91, 90), (122, 120)]
    with Session(engine) as session:
        album = session.get_one(Album, 1)
        assert "Seconds from 60 to 90" in str(app.explain(album, "playtime"))
        assert "Album.playtime" in {one.name for one in app.impact(album.tracks[0], "seconds")}
        assert not aw.is_stale(album, "playtime")
    assert app.verify(engine).differences == []


def test_tickets_and_timers_run(engine: Engine, app: aw.Afterwork) -> None:
    with Session(engine) as session, session.begin():
        aw.later(session.get_one(Album, 1).hear)
    app.run_until_idle(engine)
    clock = app.clock
    assert isinstance(clock, aw.ManualClock)
    clock.advance(timedelta(minutes=11))
    app.run_until_idle(engine)
    with Session(engine) as session:
        assert [album.heard for album in session.scalars(select(Album).order_by(Album.id))] == [2, 0]


def values(engine: Engine) -> list[tuple[int | None, int | None]]:
    with Session(engine) as session:
        return [(album.playtime, album.longest) for album in session.scalars(select(Album).order_by(Album.id))]
