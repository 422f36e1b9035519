"""Alembic's filters, to which a plugin adds its own, and the moment before a batch changes its table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


def add_filters(autogen_context: Any, of_names: Callable[..., bool], of_objects: Callable[..., bool]) -> None:
    """Have a comparison leave out what either of these filters returns False for.

    Alembic makes its lists of filters from the options of env.py before it calls a plugin. One that filters, also for
    the comparisons of other plugins, can only add to the lists.
    """
    autogen_context._name_filters.append(of_names)
    autogen_context._object_filters.append(of_objects)


def before_batches(operations: Any, call: Callable[[Any, bool], None]) -> None:
    """Have `call` called before the changes of each batch are made, with the batch and whether the table is copied.

    An implementation can be given to each operation in a batch, but a batch without any copies its table, too, and
    only the whole of it tells whether it does. `operations` is the class that has `batch_alter_table`.
    """
    original = operations.batch_alter_table

    @wraps(original)
    @contextmanager
    def batch_alter_table(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        with original(self, *args, **kwargs) as batch:
            yield batch
            call(batch, batch.impl._should_recreate())

    operations.batch_alter_table = batch_alter_table
