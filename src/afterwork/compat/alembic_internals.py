"""Alembic's filters, the moment before a batch changes its table, and what offline mode doesn't tell a plugin."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from sqlalchemy import URL, make_url

URL_GIVEN = "afterwork.url"
"""The entry among the options of a run of migrations that has its URL."""


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


def remember_url(proxied: Any) -> None:
    """Have each run of migrations keep the URL that env.py gives, or that of its connection.

    In offline mode it keeps the dialect alone. `proxied` is the class of what `alembic.context` stands for; its
    subclasses are not there yet when Alembic loads its plugins.
    """
    original = proxied._install_proxy

    @wraps(original)
    def _install_proxy(self: Any) -> None:
        original(self)
        if hasattr(self, "configure"):
            self.configure = _keeping_url(self, self.configure)

    proxied._install_proxy = _install_proxy


def _keeping_url(environment: Any, configure: Callable[..., None]) -> Callable[..., None]:
    @wraps(configure)
    def kept(connection: Any = None, url: Any = None, **kwargs: Any) -> None:
        configure(connection=connection, url=url, **kwargs)
        given = url if connection is None else connection.engine.url
        environment.get_context().opts[URL_GIVEN] = None if given is None else make_url(given)

    return kept


def url_given(context: Any) -> URL | None:
    """Return the URL that env.py gave, or that of its connection; None if it gave neither."""
    url: URL | None = context.opts.get(URL_GIVEN)
    return url


def pass_output_through(context: Any, write: Callable[[str], None]) -> Callable[[str], None]:
    """Have all that a script gets in offline mode written by `write`. Return what has written it before."""
    original: Callable[[str], None] = context.impl.static_output
    context.impl.static_output = write
    return original


def at_end_of_run(context: Any, call: Callable[[], None]) -> None:
    """Have `call` called when a run of migrations by a command ends, or is given up."""
    environment = context.environment_context
    original = environment._remove_proxy

    def _remove_proxy() -> None:
        original()
        call()

    environment._remove_proxy = _remove_proxy
