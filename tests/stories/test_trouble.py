"""The demo with trouble: each fault that it puts in is named by the overview, and put right."""

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import URL

from examples.shop.demo.__main__ import main
from examples.shop.demo.on_call import faults_of
from examples.shop.demo.trouble import FAULTS
from tests.stories.programs import ROOT, run
from tests.support.command_line import text_of
from tests.support.databases import KINDS, ON_BOTH
from tests.support.waiting import eventually


def played(*options: str) -> tuple[int, str]:
    """Play the demo with trouble in this process, and return its exit code with what it says."""
    ended = CliRunner().invoke(main, ["--trouble", "--seconds", "1", *options])
    return ended.exit_code, ended.output


def told(*options: str) -> list[dict[str, Any]]:
    """What the demo says of its trouble, object by object."""
    exit_code, said = played("--json", *options)
    assert exit_code == 0, said
    return [json.loads(line) for line in said.splitlines()]


@ON_BOTH
def test_a_fault_is_named_by_the_overview_and_put_right(url: URL) -> None:
    """The ten of them are put in by `test_on_call`, without a demo."""
    opening, put_in, named, put_right, ending = told("--database", text_of(url), "--only", "lane")

    (fault,) = [fault for fault in FAULTS if fault.name == "lane"]
    assert opening["page"].startswith("http://127.0.0.1:")
    assert (put_in["number"], put_in["name"]) == (1, "lane")
    assert fault.sign in named["says"]
    assert named["link"].startswith(opening["page"])
    assert put_right.keys() == {"has_noticed"}
    assert (ending["named"], ending["overlooked"]) == (1, [])


def test_trouble_is_told_in_lines_with_the_page_s_address() -> None:
    exit_code, said = played("--only", "lane", "--only", "disk")

    assert exit_code == 0, said
    assert "Its page: http://127.0.0.1:" in said
    assert "Somebody pauses the lane of orders." in said
    assert "s the overview says: The lane orders is paused" in said
    assert "s the overview says: The database file has room for 0 MB more" in said
    assert said.count("Put right.") == 2
    assert "The overview has named all 2." in said
    removal = said.split("The database is kept (")[1].split(" removes it")[0]
    subprocess.run(shlex.split(removal), check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_each_database_has_ten_faults_in_an_order_that_the_seed_gives(kind: str) -> None:
    orders = [[fault.name for fault in faults_of(kind, (), seed)] for seed in range(20)]

    assert {frozenset(names) for names in orders} == {frozenset(orders[0])}
    assert len(orders[0]) == len(set(orders[0])) == 10
    assert orders[0] == [fault.name for fault in faults_of(kind, (), 0)]
    assert len({tuple(names) for names in orders}) > 1


def test_trouble_ends_all_that_it_has_started_when_it_is_stopped() -> None:
    demo = [sys.executable, "-u", "-m", "examples.shop.demo", "--trouble", "--only", "server", "--seconds", "600"]
    process = subprocess.Popen(
        demo, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    folder = Path()
    try:
        for line in process.stdout:
            if line.startswith("A shop in "):
                folder = Path(line.removeprefix("A shop in sqlite:///").strip()).parent
                assert folder.exists()
            if "the overview says" in line:
                break
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 130, said
        eventually(lambda: not is_there(process.pid))
        assert not folder.exists()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def is_there(group: int) -> bool:
    """Whether any process of a group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_trouble_is_not_played_with_jobs_as_data_and_chosen_only_if_it_is_played() -> None:
    for options in (["--trouble", "--as-data"], ["--only", "lane"]):
        assert "--trouble plays the shop" in run("-m", "examples.shop.demo", *options, exit_code=2)
