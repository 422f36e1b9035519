"""gunicorn: each of its processes runs jobs beside its requests. It is the same with `--preload` and without.

    gunicorn -c examples/frameworks/gunicorn_conf.py 'examples.frameworks.flask_app:create()'

A server has threads and connections, and neither lives through a fork. So it begins in the worker. Workers of the class
`asgi` need none of this: they begin the lifespan of an ASGI application by themselves, each after its fork.
"""

from contextlib import ExitStack
from typing import Any

from examples.frameworks.flask_app import db, work

workers = 2
graceful_timeout = 30
"""Seconds. More than `Settings.grace`, for which runs that have begun may go on."""

servers = ExitStack()


def post_worker_init(worker: Any) -> None:
    """Begin a server, as soon as the worker has its application."""
    with worker.wsgi.app_context():
        engine = db.engine
    engine.dispose(close=False)  # with --preload, connections that were opened before belong to the other process
    servers.enter_context(work.serving(engine))


def worker_exit(server: Any, worker: Any) -> None:
    """Let the worker's jobs end."""
    servers.close()
