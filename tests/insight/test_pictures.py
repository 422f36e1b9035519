"""Pictures: well-formed, all that there is, nothing over another, names escaped, and each thing leads where it
should."""

from collections.abc import Collection
from datetime import timedelta
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from afterwork.cli.model import declared_lines
from afterwork.insight import model as views
from afterwork.insight.dependencies import Dependencies, Dependency, DependencyGroup
from afterwork.insight.model import EndView
from afterwork.pictures.class_diagram import class_diagram as of_classes
from afterwork.pictures.class_diagram import layered
from afterwork.pictures.dependency_diagram import Hrefs, dependency_diagram
from afterwork.pictures.drawing import styled
from afterwork.store.bounded_count import Count

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawn: str) -> list[str]:
    """The texts of lines, without what is less important after them, and without tips."""
    tips = (text.find(f"{SVG}title") for text in ElementTree.fromstring(drawn).iter(f"{SVG}text"))
    return [(tip.tail or "").strip() for tip in tips if tip is not None]


def hrefs_in(drawn: str) -> set[str | None]:
    return {one.get("href") for one in ElementTree.fromstring(drawn).iter(f"{SVG}a")}


def frames(drawn: str) -> list[tuple[float, float, float, float]]:
    frames = []
    for rectangle in ElementTree.fromstring(drawn).iter(f"{SVG}rect"):
        x, y, width, height = (float(rectangle.get(name, "")) for name in ("x", "y", "width", "height"))
        frames.append((x, y, x + width, y + height))
    return frames


def assert_apart(drawn: str) -> None:
    for (x1, y1, x2, y2), (a1, b1, a2, b2) in combinations(frames(drawn), 2):
        assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1


HREFS = Hrefs(lambda cache, root: f"/c/{cache}/{root}", lambda groups: "?" + ",".join(sorted(groups)))


def around(**more: Any) -> Dependencies:
    orders = [Dependency(f"Order!{n}", f"Order!{n}", ["total"], "Order.total", "stale") for n in range(8)]
    few = [Dependency("Rate!<b>", "Rate!<b>", ["a & b"])]
    reads = [DependencyGroup("Order", Count(500, or_more=True), orders), DependencyGroup("Rate", Count(1), few)]
    readers = [
        DependencyGroup("Customer.share", Count(1), [Dependency("Customer!1", "Customer!1", (), "Customer.share")])
    ]
    further = [DependencyGroup("Badging", Count(1), [Dependency("Customer!1", "Customer!1", (), "Badging")])]
    return Dependencies(
        "Customer.total", "Customer!1", "fresh", reads, readers, further, [("Customer.share", "Badging")]
    )


def of(opened: Collection[str] | None) -> str:
    return dependency_diagram(around(), opened, HREFS)


def test_small_groups_are_open_and_large_ones_are_not_unless_it_is_said() -> None:
    assert "Rate!<b>" in texts(of(None))
    assert "Order!3" not in texts(of(None))
    assert "Order!3" in texts(of(["Order"]))
    assert "Rate!<b>" not in texts(of(["Order"]))


def test_a_picture_of_a_cache_has_an_arrow_for_each_group_and_leads_to_caches() -> None:
    drawn = of(["Order"])

    arrows = [one for one in ElementTree.fromstring(drawn).iter(f"{SVG}path") if one.get("marker-end")]
    assert len(arrows) == 4
    assert {"/c/Order.total/Order!0", "?", "?Order,Rate", "?Order,further Badging"} <= hrefs_in(drawn)
    assert "and 492+ more" in texts(drawn)
    assert "<b>" not in drawn
    assert_apart(drawn)


def test_a_picture_has_no_style_of_its_own_unless_it_stands_alone() -> None:
    assert "style" not in of(None)
    assert ElementTree.fromstring(styled(of(None))).find(f"{SVG}style") is not None


def test_what_leads_on_stands_further_right_also_in_a_circle() -> None:
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "c"), ("e", "e"), ("a", "f")]
    columns = layered(list("abcdef"), edges)

    place = {node: number for number, column in enumerate(columns) for node in column}
    assert sorted(place) == list("abcdef")
    back = [(one, other) for one, other in edges if place[one] > place[other]]
    assert len(back) == 1
    assert place["f"] == place["a"] + 1


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


tagged = Table(
    "tagged", Base.metadata, Column("item", ForeignKey("item.id")), Column("tag", ForeignKey("tag.id"))
)  # fmt: skip


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)


class Item(Base):
    """Something.

    And more.
    """

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    size: Mapped[int] = mapped_column(default=0)
    above_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    above: Mapped["Item | None"] = relationship(remote_side=[id])
    tags: Mapped[list[Tag]] = relationship(secondary=tagged)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "item"}

    @aw.derived(size)
    def compute_size(self) -> int:
        return 1

    @aw.method(precondition=lambda self: self.size > 3)
    def shrink(self) -> None: ...


class Box(Item):
    __tablename__ = "box"
    id: Mapped[int] = mapped_column(ForeignKey("item.id"), primary_key=True)
    lid: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "box"}


class Packing(aw.ViewModel[Item]):
    when = aw.WhenStale()

    @aw.action(enabled=lambda self: self.root.size > 0)
    def pack(self) -> None: ...


MODEL = views.view(aw.Afterwork(Base).model)


def test_the_model_is_told_with_its_conditions_in_words() -> None:
    by_name = {one.name: one for one in MODEL.classes}
    item, box = by_name["Item"], by_name["Box"]

    assert (item.doc, item.base, box.base) == ("Something.", None, "Item")
    assert [(one.name, one.type, one.cache) for one in item.members if one.cache] == [("size", "int", "Item.size")]
    assert [one.name for one in box.members] == ["lid"]
    assert [(one.name, one.precondition, list(one.starts)) for one in item.methods] == [
        ("Item.shrink", "self.size > 3", ["By a ticket"])
    ]
    assert not box.methods
    (packing,) = MODEL.view_models
    assert [(one.name, one.enabled) for one in packing.actions] == [("pack", "self.root.size > 0")]
    assert list(packing.work.starts) == ["When something that it has read changes", "By a ticket"]


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        (None, None),
        (timedelta(minutes=5), "time-out 300 s"),
        (timedelta(milliseconds=200), "time-out 0.2 s"),
        (timedelta.max, "no time-out"),
    ],
)
def test_the_model_tells_how_long_a_run_may_take(timeout: timedelta | None, said: str | None) -> None:
    class Own(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Own): ...

    class Item(Own):
        __tablename__ = "item"
        id: Mapped[int] = mapped_column(primary_key=True)

        @aw.method(timeout=timeout)
        def shrink(self) -> None: ...

    found = views.view(aw.Afterwork(Own).model)

    (item,) = (one for one in found.classes if one.name == "Item")
    assert item.methods[0].timeout == said
    assert f"By a ticket; lane main{f'; {said}' if said else ''}" in "\n".join(declared_lines(found))


def test_the_fewer_ones_come_first_in_an_association() -> None:
    assert [one.ends for one in MODEL.associations] == [
        (EndView("Item", "above", "0..1"), EndView("Item", None, "*")),
        (EndView("Item", None, "*"), EndView("Tag", "tags", "*")),
    ]


def test_the_class_diagram_has_each_class_and_what_links_them() -> None:
    drawn = of_classes(MODEL, lambda name: f"#{name}")

    assert {"#Item", "#Box", "#Tag", "#SysAsyncTicket"} == hrefs_in(drawn)
    assert {"Item", "Box", "/size", "shrink()"} <= set(texts(drawn))
    edges = [one for one in ElementTree.fromstring(drawn).iter(f"{SVG}path") if one.get("class") == "edge"]
    assert len(edges) == 3
    assert len([one for one in edges if one.get("marker-start") == "url(#base)"]) == 1
    assert_apart(drawn)
