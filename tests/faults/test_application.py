"""The application is killed between the flush and the commit."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.faults.scene import Scene
from tests.support.numbers import Customer, SysAsyncTicket
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


def test_what_a_killed_application_had_only_flushed_was_never_there(scene: Scene) -> None:
    """No customer, no ticket, nothing run; the next customer gets the first number."""
    scene.start()
    application = scene.processes.start(
        "tests.support.application_main", scene.url.render_as_string(hide_password=False)
    )
    eventually(lambda: scene.said("flushed"))

    application.kill()
    scene.save()
    scene.wait_until_done()

    with Session(scene.engine) as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 1
        assert session.scalar(select(func.count()).select_from(SysAsyncTicket)) == 1
    scene.check()
