"""gunicorn, with and without `--preload`: each of its processes runs jobs beside its requests."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx2
import pytest
from sqlalchemy import Engine

from examples.frameworks import flask_app
from examples.frameworks.flask_app import work
from tests.support.databases import url
from tests.support.processes import ROOT
from tests.support.serving import client_at, listening
from tests.support.waiting import eventually

__all__ = ["url"]

FLASK = ["-c", "examples/frameworks/gunicorn_conf.py", "examples.frameworks.flask_app:create()"]
FASTAPI = ["--preload", "-k", "asgi", "--workers", "2", "examples.frameworks.fastapi_app:from_environment()"]


@pytest.fixture
def installed(engine: Engine) -> Engine:
    flask_app.Base.metadata.create_all(engine)
    work.install(engine)
    return engine


@contextmanager
def gunicorn(engine: Engine, arguments: Sequence[str]) -> Iterator[httpx2.Client]:
    """Serve by gunicorn, and stop it in the end. Yields a client."""
    url = engine.url.render_as_string(hide_password=False)
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = os.environ | {"DATABASE_URL": url, "SECRET": "secret", "PYTHONPATH": path}
    with listening() as listener, client_at(listener) as client:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--bind",
            f"fd://{listener.fileno()}",
            "--no-control-socket",
            *arguments,
        ]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[listener.fileno()])
        try:
            yield client
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("url", "preload"), [("sqlite", []), ("postgresql", ["--preload"])], indirect=["url"])
def test_each_process_of_gunicorn_runs_jobs_beside_its_requests(installed: Engine, preload: list[str]) -> None:
    with gunicorn(installed, [*preload, *FLASK]) as client:
        key = client.post("/orders/50").json()["id"]
        eventually(lambda: client.get(f"/orders/{key}").json()["confirmed"])
        eventually(lambda: len(work.insight(installed).status().servers) == 2)
        seen: set[int] = set()

        def have_both_answered() -> bool:
            seen.add(client.get(f"/orders/{key}", headers={"connection": "close"}).json()["process"])
            return len(seen) == 2

        eventually(have_both_answered)

    assert work.insight(installed).status().servers == []


def test_a_process_that_dies_is_replaced_with_its_server(installed: Engine) -> None:
    with gunicorn(installed, ["--preload", "--workers", "1", *FLASK]) as client:
        key = client.post("/orders/50").json()["id"]
        eventually(lambda: client.get(f"/orders/{key}").json()["confirmed"])
        died = client.get(f"/orders/{key}").json()["process"]
        os.kill(died, signal.SIGKILL)

        key = client.post("/orders/60").json()["id"]
        eventually(lambda: client.get(f"/orders/{key}").json()["confirmed"])
        assert client.get(f"/orders/{key}").json()["process"] != died


def test_an_asgi_application_needs_nothing_for_gunicorn(engine: Engine) -> None:
    """It begins its lifespan in each worker, after the fork."""
    with gunicorn(engine, FASTAPI) as client:
        client.post("/login/ann").raise_for_status()
        key = client.post("/orders?amount=50").json()
        eventually(lambda: client.get(f"/orders/{key}").json()["confirmed"])
