"""Programs that install, or uninstall, at the same moment: one does it, the others wait and find it done."""

import threading
from typing import Any

import pytest
from sqlalchemy import Engine

import afterwork as aw
from tests.support import shop, trade


@pytest.mark.parametrize("base", [shop.Base, trade.Base], ids=["with lanes", "with caches"])
def test_all_of_them_install_and_serve(engine: Engine, base: Any) -> None:
    base.metadata.create_all(engine)
    together, raised, steps = threading.Barrier(4), list[BaseException](), list[list[str]]()

    def start() -> None:
        app = aw.Afterwork(base)
        together.wait()
        try:
            steps.append(app.install(engine))
            with app.serving(engine):
                pass
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert sum("table afterwork_installation created" in each for each in steps) == 1
    assert [finding for finding in aw.Afterwork(base).insight(engine).check() if finding.is_fault] == []


def test_one_of_them_uninstalls_and_the_others_find_it_done(engine: Engine) -> None:
    trade.Base.metadata.create_all(engine)
    aw.Afterwork(trade.Base).install(engine)
    together, raised, steps = threading.Barrier(4), list[BaseException](), list[list[str]]()

    def uninstall() -> None:
        together.wait()
        try:
            steps.append(aw.Afterwork(trade.Base).uninstall(engine))
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=uninstall) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert sorted(map(bool, steps)) == [False, False, False, True]
