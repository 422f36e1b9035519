"""The private APIs of libraries do what Afterwork relies on. A new version that changes one fails here first."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    ForeignKey,
    Integer,
    QueuePool,
    Select,
    SingletonThreadPool,
    StaticPool,
    String,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    lambda_stmt,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    attribute_keyed_dict,
    composite,
    defer,
    lazyload,
    mapped_column,
    query_expression,
    relationship,
    selectinload,
    with_expression,
    with_loader_criteria,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter

from afterwork.compat import sqlalchemy_objects as objects
from afterwork.compat import sqlalchemy_options as options
from afterwork.compat import sqlalchemy_session as sessions
from afterwork.compat import sqlalchemy_statements as statements


class Base(DeclarativeBase): ...


class Name:
    def __init__(self, first: str, last: str) -> None: ...


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[str] = mapped_column(default="Ada")
    last: Mapped[str] = mapped_column(default="L.")
    notes: Mapped[str] = mapped_column(default="", deferred=True)
    extra: Mapped[int | None] = query_expression()
    name: Mapped[Name] = composite(Name, "first", "last")
    books: Mapped[list["Book"]] = relationship(back_populates="author")
    by_title: Mapped[dict[str, "Book"]] = relationship(collection_class=attribute_keyed_dict("title"), viewonly=True)


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(default="")
    author_id: Mapped[int | None] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author | None] = relationship(back_populates="books")


class Recording(sessions.HookedSession):
    """A session that notes what it is asked for."""

    def __init__(self, bind: Any) -> None:
        super().__init__(bind)
        self.log: list[object] = []

    def before_statement(self, statement: Any) -> None:
        self.log.append("before")

    def look_up(self, look_up: Any, entity: Any, identity: Any, load: Any, **rest: Any) -> Any:
        self.log.append((entity, identity))
        return look_up(entity, identity, load, **rest)

    def on_statement(self, given: Any, state: ORMExecuteState) -> None:
        self.log.append(state.statement is given)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Author(id=1, books=[Book(id=1, title="one"), Book(id=2, title="two")]))
        session.commit()
    with engine.connect() as connection, Recording(connection) as session:
        yield session


# Sessions.


def test_each_way_to_ask_for_an_object_by_its_key_is_a_lookup(session: Recording) -> None:
    author = session.get(Author, 1)
    assert session.get_one(Author, 1) is author
    session.merge(Book(id=1))
    assert [entry for entry in session.log if isinstance(entry, tuple)] == [(Author, 1), (Author, 1), (Book, (1,))]


def test_the_hook_comes_after_all_who_may_change_a_statement(session: Recording) -> None:
    @event.listens_for(session, "do_orm_execute")
    def change(state: ORMExecuteState) -> None:
        state.statement = state.statement.limit(1)  # type: ignore[attr-defined]

    assert len(session.scalars(select(Book)).all()) == 1
    assert session.log == ["before", False]


@pytest.mark.parametrize("statement", [select(Book), update(Book).values(title="new"), insert(Book).values(id=9)])
def test_each_statement_of_a_session_is_seen_once(session: Recording, statement: Any) -> None:
    session.execute(statement)
    assert [type(entry) for entry in session.log] == [str, bool]


def test_a_session_that_exists_gets_the_same_hooks_once(session: Recording) -> None:
    log: list[object] = []

    def look_up(session: Session, ask: Any, entity: Any, identity: Any, load: Any, **rest: Any) -> Any:
        log.append(identity)
        return ask(entity, identity, load, **rest)

    with Session(session.connection()) as plain:
        for _ in range(2):
            sessions.hook(plain, look_up, lambda given, state: log.append(state.statement is given))
        author = plain.get(Author, 1)
        assert plain.get(Author, 1) is author
    assert log == [1, True, 1]


def test_what_was_added_and_what_is_being_flushed_is_seen(session: Session) -> None:
    assert sessions.is_clean(session)
    seen: list[bool] = []
    event.listen(session, "before_flush", lambda *_: seen.append(sessions.is_flushing(session)))
    book = Book(id=5)
    session.add(book)
    assert list(sessions.new_objects(session)) == [book]
    assert not sessions.is_clean(session)
    session.flush()
    assert seen == [True]
    assert not sessions.is_flushing(session)


def test_a_flush_is_told_from_statements_of_the_program(session: Session) -> None:
    seen: list[bool] = []
    event.listen(session.connection(), "before_execute", lambda *a: seen.append(sessions.is_of_flush(a[4])))
    session.add(Book(id=5))
    session.flush()
    session.connection().execute(select(Book.id))
    session.execute(insert(Book).values(id=6))
    assert seen == [True, False, False]


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool, QueuePool])
def test_a_pool_with_one_connection_is_told_from_others(pool: type[Any]) -> None:
    engine = create_engine("sqlite://", poolclass=pool)
    seen: list[bool] = []
    event.listen(engine, "checkout", lambda _, __, fairy: seen.append(sessions.is_shared_pool(fairy)))
    with engine.connect():
        pass
    engine.dispose()
    assert seen == [pool is not QueuePool]


# Objects.


def test_the_class_of_an_attribute_decides_how_it_is_read(session: Session) -> None:
    class Own(DeclarativeBase): ...

    class Thing(Own):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        parent_id: Mapped[int | None] = mapped_column(ForeignKey("thing.id"))
        parent: Mapped[Any] = relationship("Thing", remote_side=id)
        pair: Mapped[Name] = composite(Name, "id", "parent_id")

    Own.registry.configure()
    attributes = inspect(Thing).class_manager
    assert {key for key in attributes if objects.is_plain_attribute(attributes[key])} == {"id", "parent_id", "parent"}
    assert {key for key in attributes if objects.is_relationship(attributes[key])} == {"parent"}
    assert {key for key in attributes if objects.composite_of(attributes[key]) is not None} == {"pair"}
    read: list[object] = []

    class Noting(type(attributes["id"])):  # type: ignore[misc]
        __slots__ = ()
        inherit_cache = True

        def __get__(self, instance: Any, owner: Any) -> Any:
            read.append(instance)
            return objects.read_attribute(self, instance, owner)

    objects.replace_class(attributes["id"], Noting)
    thing = Thing(id=3)
    assert (thing.id, read[-1]) == (3, thing)


def test_members_are_loaded_past_their_attributes(session: Session) -> None:
    author = session.get_one(Author, 1)
    state = inspect(author)
    assert objects.load_member(state, "notes") == ""
    assert {book.id for book in objects.objects_in(objects.load_member(state, "books"))} == {1, 2}  # type: ignore[attr-defined]
    assert len(objects.objects_in(author.by_title)) == 2
    assert objects.objects_in(None) == ()
    assert objects.objects_in(author) == (author,)
    assert list(objects.key_columns_of(author.by_title, inspect(Book))) == []


def test_what_was_changed_since_is_not_what_was_loaded(session: Session) -> None:
    author = session.get_one(Author, 1)
    assert author.books
    author.first = "Grace"
    assert objects.loaded_values(inspect(author)) == {"id": 1, "first": "Ada", "last": "L."}


def test_an_object_with_a_loader_of_its_own_is_seen(session: Session) -> None:
    author = session.scalars(select(Author).options(lazyload(Author.books.and_(Book.id > 1)))).one()
    assert objects.has_own_loader(inspect(author), "books")
    assert not objects.has_own_loader(inspect(author), "by_title")


def test_an_object_of_known_values_is_as_if_loaded(session: Session) -> None:
    seen: list[object] = []
    event.listen(session, "loaded_as_persistent", lambda _, obj: seen.append(obj))
    made = objects.add_loaded(session, inspect(Author).class_manager, (Author, (1,), None), {"id": 1, "first": "Eve"})
    inspect(made).expired_attributes.add("last")
    objects.announce_loaded(session, inspect(made))
    author = session.get_one(Author, 1)
    assert author is made
    assert seen == [author]
    assert author.first == "Eve"
    assert author.last == "L."  # which is loaded when it is read
    session.scalars(select(Author).options(lazyload(Author.books.and_(Book.id > 1)))).one()
    assert all(book.id > 1 for book in author.books)
    assert not session.dirty


def test_only_what_comes_with_its_row_is_loaded_as_usual() -> None:
    Base.registry.configure()
    props = inspect(Author).column_attrs
    assert {prop.key for prop in props if objects.is_loaded_as_usual(prop)} == {"id", "first", "last"}


# Options.


def test_criteria_are_found_and_said_as_conditions() -> None:
    criterion = with_loader_criteria(Book, Book.title != "")
    statement = select(Book).options(criterion, selectinload(Book.author))
    (found,) = options.criteria_in(options.options_of(statement))
    assert found is criterion
    assert list(options.mappers_of(found)) == [inspect(Book)]
    ((mapper, condition),) = options.conditions_of(found)
    assert mapper is inspect(Book)
    assert "title" in str(condition)
    assert options.reaches_relationships(found)
    assert not options.reaches_relationships(with_loader_criteria(Book, Book.id > 1, propagate_to_loaders=False))
    assert options.options_of(text("SELECT 1")) == ()


def test_criteria_that_say_the_same_are_known() -> None:
    def criterion(number: int) -> Any:
        return with_loader_criteria(Book, lambda cls: cls.id > number)

    assert options.meaning_of(criterion(1)) == options.meaning_of(criterion(1))
    assert options.meaning_of(criterion(1)) != options.meaning_of(criterion(2))
    assert options.meaning_of(criterion(1)) != options.meaning_of(with_loader_criteria(Author, Author.id > 1))


def test_loader_options_say_which_member_they_concern() -> None:
    Base.registry.configure()
    books, author = inspect(Author).relationships["books"], inspect(Book).relationships["author"]
    for option, concerns in [
        (lazyload(Author.books), True),
        (lazyload("*"), True),
        (selectinload(Book.author), False),
        (with_loader_criteria(Book, Book.id > 0), False),
    ]:
        assert options.may_concern(option, books) == concerns
    assert options.may_concern(selectinload(Book.author), author)


@pytest.mark.parametrize(
    ("option", "count"),
    [
        (selectinload(Author.books.and_(Book.id > 1)), 1),
        (with_expression(Author.extra, Author.id + 1), 1),
        (defer(Author.first), 0),
        (with_loader_criteria(Book, Book.id > 1), 0),
    ],
)
def test_clauses_that_options_bring_are_found(option: Any, count: int) -> None:
    assert len(list(options.clauses_in(option))) == count


# Statements.


def test_statements_that_differ_in_values_alone_have_one_key() -> None:
    one, other = (statements.cache_key_of(select(Book).where(Book.id == number)) for number in (1, 2))
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert [parameter.effective_value for parameter in (*one.parameters, *other.parameters)] == [1, 2]


def test_a_cache_drops_what_was_used_longest_ago() -> None:
    cache: statements.Cache[int, int] = statements.Cache(2)
    for number in range(10):
        cache[number] = number
    assert cache.get(9) == 9
    assert cache.get(0) is None


def test_lambdas_and_texts_for_entities_are_unwrapped() -> None:
    plain = select(Book)
    assert isinstance(statements.unwrapped(lambda_stmt(lambda: select(Book))), type(plain))
    assert isinstance(statements.unwrapped_lambda(lambda_stmt(lambda: select(Book))), type(plain))
    assert statements.unwrapped(select(Book).from_statement(plain)) is plain
    assert statements.unwrapped(plain) is plain


def test_all_values_that_are_written_are_found() -> None:
    title = select(func.max(Book.title)).scalar_subquery()
    upsert = sqlite.insert(Book).values(id=1).on_conflict_do_update(index_elements=["id"], set_={"title": title})
    for statement in [
        insert(Book).values(title=title),
        insert(Book).values([{"title": title}, {"title": title}]),
        update(Book).values(title=title),
        update(Book).ordered_values((Book.title, title)),
        upsert,
    ]:
        assert any(value is title for value in statements.written_values(statement)), statement
    assert list(statements.written_values(select(Book))) == []


def test_the_parts_of_a_select_are_found() -> None:
    cte = select(Book.id).cte()
    query: Any = select(Book.id, text("1")).where(Book.id > 1, Book.title != "").add_cte(cte).distinct()
    query = query.group_by(Book.id).having(func.count() > 1).order_by("title").limit(1).offset(2)
    assert len(list(statements.ordering_and_grouping(query))) == 5
    assert any(isinstance(part, statements.LabelReference) for part in statements.ordering_and_grouping(query))
    assert statements.is_distinct(query)
    assert not statements.is_distinct(select(Book))
    assert len(statements.raw_columns(query)) == 2
    assert len(list(statements.all_selected(query))) == 2
    assert len(list(statements.where_conditions(query))) == 2
    assert list(statements.unread_ctes(query)) == [cte]
    assert statements.aliased_cte(cte.alias()) is cte
    assert statements.aliased_cte(cte) is None


def test_tables_are_found_within_joins_and_columns_behind_subqueries() -> None:
    book, author = Book.__table__, Author.__table__
    assert set(statements.tables_within(author.join(book))) >= {author, book}
    inner: Any = select(Book.id).subquery()
    (behind,) = statements.selected_behind(inner.c.id)
    assert behind.table is book


def test_annotations_say_which_class_and_which_side() -> None:
    Base.registry.configure()
    (raw,) = statements.raw_columns(select(Book))
    assert statements.entity_of(raw) is inspect(Book)
    condition: Any = inspect(Author).relationships["books"].primaryjoin
    assert [statements.is_remote(condition.left), statements.is_remote(condition.right)] == [False, True]
    bare = statements.without_annotations(condition)
    assert not statements.is_remote(bare.right)
    assert statements.is_remote(condition.right)  # the original is as it was


def test_a_copied_parameter_leads_to_its_original() -> None:
    original: BindParameter[Any] = bindparam("n", 1, unique=True)
    copy: Any = original._clone()
    assert statements.original_of(copy, {original}) is original
    other: BindParameter[Any] = bindparam("n", 1)
    assert statements.original_of(other, {original}) is other


def test_types_are_compared_with_their_arguments() -> None:
    assert statements.are_same_type(String(5), String(5))
    assert not statements.are_same_type(String(5), String(6))
    assert not statements.are_same_type(String(), Integer())


def test_a_select_is_resolved_as_it_would_be_written() -> None:
    criterion = with_loader_criteria(Book, Book.title != "")
    attributes = options.compiler_attributes((criterion,))
    dialect = sqlite.dialect()
    resolved, froms = statements.resolve_from(select(Book), dialect, attributes, statements.Surroundings())
    assert froms == [Book.__table__]
    assert len(list(statements.where_conditions(resolved))) == 1

    inner = select(Book.id).where(Book.author_id == Author.id)
    around = statements.Surroundings(frozenset({Author.__table__}), frozenset({Author.__table__}))
    assert statements.resolve_from(inner, dialect, {}, around)[1] == [Book.__table__]
    beside = statements.Surroundings(around.tables, around.all_tables, in_from=True)
    assert set(statements.resolve_from(inner, dialect, {}, beside)[1]) == {Book.__table__, Author.__table__}


def test_a_select_within_a_criterion_knows_it() -> None:
    subquery = select(Author.id)
    criterion: Any = with_loader_criteria(Book, Book.author_id.in_(subquery))
    ((_, condition),) = options.conditions_of(criterion)
    (inner,) = {part for part in visitors.iterate(condition) if isinstance(part, Select)}
    assert options.criterion_around(inner) is criterion
    assert options.criterion_around(subquery) is None


def test_a_statement_marked_as_the_load_of_a_relationship_is_one_to_listeners(session: Recording) -> None:
    seen: list[bool] = []
    event.listen(session, "do_orm_execute", lambda state: seen.append(state.is_relationship_load))
    prop = inspect(Author).relationships["books"]
    session.execute(select(Book))
    session.execute(statements.as_relationship_load(select(Book), prop))
    assert seen == [False, True]
