def test_what_the_program_adds_to_each_query_holds_for_what_is_loaded_later(scene: Scene, originals: Originals) -> None:
    """As in SQLAlchemy's recipe for objects that are only marked as deleted."""

    def hide(state: ORMExecuteState) -> None:
        if state.is_select and not state.is_column_load and not state.is_relationship_load:
            state.statement = state.statement.options(with_loader_criteria(Order, Order.id != 2))

    event.listen(Session, "do_orm_execute", hide)
    try:
        loaded(originals, Customer)
        found = reads(scene, originals, Customer, 1, lambda customer: [order.id for order in customer.orders])[1]
    finally:
        event.remove(Session, "do_orm_execute", hide)
    assert found == [1]
