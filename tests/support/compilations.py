"""The SQL of statements, compiled once for the engines of many tests.

SQLAlchemy keeps what it has compiled with each engine. Each test has an engine of its own, and would compile again what
the test before it has compiled. In a profile of two files, that was a tenth of the processor time.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

MAX_COMPILATIONS = 5000
"""Statements kept. Those of models that only one test declares would otherwise stay in memory until the end."""


class Compilations(MutableMapping[tuple[Any, ...], Any]):
    """Compiled statements for the execution option `compiled_cache`, shared by engines of one kind of dialect.

    SQLAlchemy's keys begin with the engine's dialect. The dialects of engines that the same call creates differ in
    identity alone, so the name of the dialect stands for it.
    """

    def __init__(self) -> None:
        self._compiled: dict[tuple[Any, ...], Any] = {}

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return self._compiled[_shared(key)]

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        if len(self._compiled) >= MAX_COMPILATIONS:
            self._compiled.clear()
        self._compiled[_shared(key)] = compiled

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del self._compiled[_shared(key)]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        """Return what was compiled for a key, without the exception that the mapping's own method pays for."""
        return self._compiled.get(_shared(key), default)


def _shared(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return (key[0].name, *key[1:])
