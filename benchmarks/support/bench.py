"""The common context of all rows of the benchmark: the server, the sizes, and the contestants."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol

from sqlalchemy import URL
from typing_extensions import TypeVar

from benchmarks.support.contestant import Contestant, Failed
from benchmarks.support.peers import PEERS, Peer
from benchmarks.support.place import Kind, NotAsAsked

KINDS: tuple[Kind, ...] = ("PostgreSQL", "SQLite")


class Runs(Protocol):
    """The common part of all sizes: how often a measurement is repeated."""

    @property
    def runs(self) -> int: ...


@dataclass(frozen=True)
class Sizes:
    """The sizes of the measurements."""

    runs: int = 3
    drain: int = 10_000
    latencies: int = 150
    saves: int = 1500
    asked: int = 100_000
    ended: int = 1_000_000
    ended_runs: int = 16
    memory: int = 100_000
    idle_statements: float = 185.0
    idle_cpu: float = 25.0


QUICK = Sizes(
    drain=3000,
    latencies=60,
    saves=500,
    asked=20_000,
    ended=200_000,
    ended_runs=3,
    memory=20_000,
    idle_statements=65.0,
    idle_cpu=20.0,
)


AnySizes = TypeVar("AnySizes", bound=Runs, default=Sizes)


@dataclass
class Bench(Generic[AnySizes]):
    """One run of the benchmark. `failed` has the reason for each peer that could not be measured."""

    server: URL
    sizes: AnySizes
    with_peers: bool
    candidates: Sequence[Peer] = tuple(PEERS)
    peers: list[Contestant] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def install_peers(self) -> None:
        """Install each peer that can be installed here, in an environment of its own."""
        for peer in self.candidates if self.with_peers else []:
            say(f"installing {peer.name}")
            try:
                self.peers.append(peer.contestant())
            except Failed as error:
                self.failed[peer.name] = str(error)

    def peers_on(self, kind: Kind) -> list[Contestant]:
        """Return the peers on one kind of database that have not failed."""
        return [peer for peer in self.peers if peer.kind == kind and peer.name not in self.failed]

    def rounds(self, contestants: list[Contestant]) -> Iterator[Contestant]:
        """Yield each contestant once per run, alternating, so that a disturbance hits all of them."""
        for _ in range(self.sizes.runs):
            yield from (one for one in contestants if one.name not in self.failed)

    def give_up(self, peer: Contestant, error: Exception) -> None:
        """Leave a peer that fails out of the rest, and note its failure. Afterwork's own failures are raised."""
        if peer not in self.peers or not isinstance(error, Failed | NotAsAsked):
            raise error
        self.failed[peer.name] = str(error)
        say(f"{peer.name} failed: {error}")


def say(text: str) -> None:
    """Print the progress."""
    print(text, file=sys.stderr, flush=True)
