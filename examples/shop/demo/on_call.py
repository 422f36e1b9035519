"""The on-call game: faults are put into a shop at work, one after another, and its page names each."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.request import urlopen

import click

import afterwork as aw
from afterwork.cli.printing import print_line
from afterwork.web.serving import served
from examples.shop import Base
from examples.shop.bookkeeping import Bookkeeping, open_for_business
from examples.shop.demo.look import look
from examples.shop.demo.only_server import SHOP, only_server
from examples.shop.demo.silent import saying_nothing
from examples.shop.demo.stage import Outside, Stage, engine_for
from examples.shop.demo.trouble import FAULTS, Disk, Fault, Place, Watch
from examples.shop.demo.writers import CALM, stock_up, writing

Need = Mapping[str, Any]
"""An entry of the overview, as the API has it."""

LONG_RUN = timedelta(seconds=2)
"""The time after which the page tells of a run. By default it is a minute, for which nobody wants to wait here."""

ENOUGH = 4
"""Numbers that are given out before the first fault, so that there is something that can fail."""

NAMED_WITHIN = 120.0
"""Seconds after which a fault that the overview has not named counts as overlooked."""

STEP = 0.25
"""Seconds between two looks at the overview."""


@dataclass(frozen=True)
class Opening:
    """What begins: a shop with its page, and so many faults, each for some seconds."""

    database: str
    page: str
    faults: int
    seconds: float

    def lines(self) -> Iterator[str]:
        yield f"A shop in {self.database}"
        yield f"Its page: {self.page}"
        yield (
            f"{self.faults} things will go wrong, one after another. See what the page makes of each: it is put right "
            f"{self.seconds:g} s after the page has named it, unless you do it before.\n"
        )


@dataclass(frozen=True)
class PutIn:
    """A fault that has been put in."""

    number: int
    name: str
    what: str

    def lines(self) -> Iterator[str]:
        yield f"{self.number:2}. {self.what}"


@dataclass(frozen=True)
class Named:
    """What the overview says of a fault, how many seconds after it was put in, and where a click leads."""

    says: str
    error: str | None
    advice: str
    after: float
    link: str

    def lines(self) -> Iterator[str]:
        yield f"    after {self.after:.0f} s the overview says: {self.says}"
        if self.error:
            yield f"    {self.error}"
        yield f"    {self.advice}"
        yield f"    {self.link}"


@dataclass(frozen=True)
class PutRight:
    """The end of a fault. The overview `has_noticed` it if somebody else has put it right."""

    has_noticed: bool

    def lines(self) -> Iterator[str]:
        yield "    The overview says it no more.\n" if self.has_noticed else "    Put right.\n"


@dataclass(frozen=True)
class Ending:
    """How many faults were named, those that were not, and what is left."""

    named: int
    overlooked: Sequence[str]
    database: str
    removal: str

    def lines(self) -> Iterator[str]:
        for name in self.overlooked:
            yield f"WRONG     The overview has not named this: {name}"
        if not self.overlooked:
            yield f"The overview has named all {self.named}."
        yield f"The database is kept ({self.removal} removes it)."


Told = Opening | PutIn | Named | PutRight | Ending


def in_lines(told: Told) -> None:
    """Say something to people."""
    for line in told.lines():
        click.echo(line)


def teller(*, as_json: bool) -> Callable[[Told], None]:
    """Return what says something, in lines or as an object of JSON."""
    return print_line if as_json else in_lines


def faults_of(database: str, names: Sequence[str], seed: int) -> Sequence[Fault]:
    """Return the faults that a kind of database can have, only those of these names if there are any, mixed."""
    found = [fault for fault in FAULTS if database in fault.databases and (not names or fault.name in names)]
    random.Random(seed).shuffle(found)
    return found


def play_on_call(
    found: Stage, faults: Sequence[Fault], seconds: float, seed: int, tell: Callable[[Told], None]
) -> bool:
    """Put in one fault after another, and say what the overview makes of each. Returns whether it has named all."""
    with shop_at_work(found, seed) as (place, page):
        tell(Opening(found.url.render_as_string(), page, len(faults), seconds))
        overlooked = []
        for number, fault in enumerate(faults, 1):
            tell(PutIn(number, fault.name, fault.what))
            with fault.put_in(place):
                if has_been_named(fault, page, tell):
                    tell(PutRight(is_silent_within(seconds, fault, page)))
                else:
                    overlooked.append(fault.what)
    found.is_kept = True
    tell(Ending(len(faults), overlooked, found.url.render_as_string(), found.removal))
    return not overlooked


@contextmanager
def shop_at_work(found: Stage, seed: int) -> Iterator[tuple[Place, str]]:
    """Yield a shop with a server and customers, and the address of its page, which no fault of a server ends."""
    stock_up(found.engine)
    bookkeeping, watch, page_engine = Bookkeeping(), Watch(), engine_for(found.url)
    page_app = aw.Afterwork(Base, clock=watch, settings=aw.Settings(held_limit=LONG_RUN), address=SHOP)
    with (
        open_for_business(bookkeeping) as office,
        open_for_business(Bookkeeping()) as depot,
        open_for_business(Bookkeeping()) as post,
        saying_nothing() as mail_server,
        served(aw.web(page_app, page_engine), "127.0.0.1", 0) as page,
        only_server(found, Outside(office, depot, post, mail_server.address)) as server,
        writing(found.engine, seed, CALM) as writers,
    ):
        while look(found.engine, 0.0, writers.saved).numbered < ENOUGH:
            if not server.is_running:
                raise click.ClickException("The server has ended before anything went wrong.")
            time.sleep(STEP)
        yield Place(found.engine, server, bookkeeping, mail_server, watch, Disk(page_engine)), page
    page_engine.dispose()


def has_been_named(fault: Fault, page: str, tell: Callable[[Told], None]) -> bool:
    """Wait until the overview names a fault, and tell how. Returns whether it has."""
    began = time.monotonic()
    while (after := time.monotonic() - began) < NAMED_WITHIN:
        if needs := signs(fault, page):
            tell(Named(needs[0]["what"], needs[0]["error"], needs[0]["advice"], after, link(page, needs[0])))
            return True
        time.sleep(STEP)
    return False


def is_silent_within(seconds: float, fault: Fault, page: str) -> bool:
    """Wait until the overview no longer names a fault, or some seconds are over. Returns whether it no longer does."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if not signs(fault, page):
            return True
        time.sleep(STEP)
    return False


def signs(fault: Fault, page: str) -> Sequence[Need]:
    """Return the entries of the overview that name a fault."""
    with urlopen(f"{page}api/overview") as answer:
        needs = json.load(answer)["attention"]
    return [need for need in needs if fault.sign in need["what"]]


def link(page: str, need: Need) -> str:
    """Return where the entry of the overview leads."""
    return f"{page.removesuffix('/')}{need['path']}"
