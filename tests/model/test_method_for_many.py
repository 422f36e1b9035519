"""A method's function for many: registered beside the method, which stays as it is, or refused at once."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import afterwork as aw
from afterwork.errors import BadDeclaration


class Thing:
    @aw.method
    def work(self) -> int:
        return 1

    @work.many
    @staticmethod
    def work_for_many(things: list["Thing"]) -> None:
        things.clear()


def test_the_method_stays_as_it_is() -> None:
    assert Thing().work() == 1
    assert Thing.work.name == "work"


def test_the_function_can_be_called_by_hand() -> None:
    things = [Thing(), Thing()]
    Thing.work_for_many(things)

    assert things == []


def test_with_the_name_of_the_method_it_does_not_take_its_place() -> None:
    def made() -> type[Any]:
        class Other:
            @aw.method
            def work(self) -> int:
                return 1

            @work.many  # type: ignore[no-redef]
            def work(things: Any) -> None: ...

        return Other

    other = made()

    assert other().work() == 1
    assert other.work.for_many is not None


def test_a_function_of_a_module_will_do() -> None:
    @aw.method
    def work(self: Thing) -> None: ...

    @work.many
    def for_many(things: list[Thing]) -> None: ...

    assert work.for_many is for_many


def _with_self(self: Any, things: Any) -> None: ...


def _without_anything() -> None: ...


def _by_name(*, things: Any) -> None: ...


async def _asynchronous(things: Any) -> None: ...


async def _asynchronous_generator(things: Any) -> Any:
    yield things


def _generator(things: Any) -> Iterator[Any]:
    yield things


REFUSED: dict[str, tuple[Any, str]] = {
    "with self": (_with_self, "list of roots and nothing else"),
    "without arguments": (_without_anything, "list of roots and nothing else"),
    "by name only": (_by_name, "list of roots and nothing else"),
    "asynchronous": (_asynchronous, "Write it as def, without yield"),
    "asynchronous generator": (_asynchronous_generator, "Write it as def, without yield"),
    "generator": (_generator, "Write it as def, without yield"),
    "class method": (classmethod(_with_self), "marks functions"),
    "no function": (partial(print), "marks functions"),
    "a static method with self": (staticmethod(_with_self), "list of roots and nothing else"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_never_do_it_is_refused(what: str) -> None:
    @aw.method
    def work(self: Thing) -> None: ...

    function, why = REFUSED[what]
    with pytest.raises(BadDeclaration, match=rf"@work\.many.*{why}"):
        work.many(function)
    assert work.for_many is None


def test_a_second_one_is_refused() -> None:
    with pytest.raises(BadDeclaration, match=r"has a function for many already, Thing\.work_for_many"):
        Thing.work.many(lambda things: None)


def test_an_external_method_has_none() -> None:
    @aw.method(external=True)
    def work(self: Thing) -> None: ...

    with pytest.raises(BadDeclaration, match="work is external, so each of its runs has a lease"):
        work.many(lambda things: None)


def test_it_returns_what_it_is_given() -> None:
    @aw.method
    def work(self: Thing) -> None: ...

    function: Callable[[list[Thing]], None] = lambda things: None  # noqa: E731

    assert work.many(function) is function
