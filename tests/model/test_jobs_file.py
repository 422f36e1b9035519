"""Files of jobs: each key says what its counterpart in Python says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import afterwork as aw
from afterwork.errors import BadJobsFile
from afterwork.model.derived import Derived
from tests.model.jobs_scene import Load, NoAnswer, load, model, send

__all__ = ["load"]


def order(app: aw.Afterwork) -> Any:
    return app.model.classes["Order"].class_


def test_a_method_declares_how_it_runs_and_its_timer(load: Load) -> None:
    app = load("""
[methods."Order.see"]
do = "self.seen := true"
precondition = "not self.seen"
lane = "eyes"
external = true
retry = { attempts = 3, backoff = { minutes = 2 }, on = ["NoAnswer"] }
timeout = { minutes = 5 }
when = { cron = "0 3 * * *", tz = "Europe/Stockholm", criteria = "Order.allInstances", max_answers = 5, lane = "" }
""")

    work = app.model.works["Order.see"]
    assert (work.lane, work.external) == ("eyes", True)
    assert work.retry == aw.Retry(attempts=3, backoff=timedelta(minutes=2), on=(NoAnswer,))
    assert work.timeout == timedelta(minutes=5)
    timer = app.model.timers["Order.see"]
    assert timer.when.words() == "At 03:00 every day (Europe/Stockholm)"
    assert (timer.when.max_answers, timer.lane) == (5, "parallel")


def test_a_timer_declares_how_missed_rounds_are_treated(load: Load) -> None:
    app = load("""
[view_models.See]
root = "Order"
actions = [{ name = "see", do = "self.seen := true" }]
[view_models.See.when]
every = { hours = 1, minutes = 30 }
criteria = "Order.allInstances"
misfire = "each"
late = { seconds = 5 }
most_missed = 7
""")

    when = app.model.timers["See"].when
    assert isinstance(when, aw.Every)
    assert (when.interval, when.misfire) == (timedelta(minutes=90), "each")
    assert (when.late, when.most_missed) == (timedelta(seconds=5), 7)


def test_a_view_model_has_variables_columns_and_actions_in_order(load: Load) -> None:
    app = load("""
[view_models.See]
root = "Order"
variables = [{ name = "since" }, { name = "most", default = 7 }]
columns = [{ name = "double", value = "self.amount * 2" }]
actions = [
  { name = "see", enabled = "self.amount < most", do = "self.seen := true" },
  { name = "send", python = "send" },
]
""")

    made: Any = app.model.works["See"].view_model  # type: ignore[union-attr]
    assert [*made.actions] == ["see", "send"]
    assert made.actions["send"].function is send
    see = made(order(app)(amount=4))
    assert (see.double, see.most, see.since) == (8, 7, None)
    assert not see.actions["see"].is_enabled(made(order(app)(amount=9)))
    assert made.lane == "main"
    assert [*order(app).ViewModels] == ["See"]


def test_a_cache_has_a_priority_and_an_oldness_and_runs_beside_all_lanes(load: Load) -> None:
    app = load("""
[derived."Customer.total"]
value = "Order.allInstances->select(o | o.customer = self).amount->sum"
priority = 2
allow_oldness = { seconds = 30 }

[view_models.Mark]
root = "Order"
when = { stale = true, priority = 1 }
actions = [{ name = "mark", do = "self.seen := self.amount > 3" }]
""")

    total, mark = app.model.derivations["Customer.total"], app.model.derivations["Mark"]
    assert total.when == aw.WhenStale(priority=2, allow_oldness=timedelta(seconds=30))
    assert mark.when == aw.WhenStale(priority=1)
    assert mark.lane is None  # type: ignore[union-attr]


def test_a_view_model_without_root_belongs_to_the_model_of_its_file_alone(load: Load) -> None:
    text = 'view_models: {Upgrade: {when: {once: true}, actions: [{name: see, do: "Order.allInstances.seen->size"}]}}'
    app = load(text, name="jobs.yaml")

    assert [*app.model.once] == ["Upgrade"]
    assert "Upgrade" not in aw.Afterwork(model()).model.works


def test_a_query_is_read_like_a_member_and_by_other_texts(load: Load) -> None:
    app = load("""
[view_models.See]
root = "Order"
actions = [{ name = "see", enabled = "self.is_large and not self.seen", do = "self.seen := true" }]
[queries."Order.is_large"]
value = "self.double > 10"
[queries."Order.double"]
value = "self.amount * 2"
""")

    assert order(app)(amount=6).is_large
    assert not order(app)(amount=5).is_large


def test_comparisons_bind_as_the_dialect_of_a_file_says(load: Load) -> None:
    text = '[queries."Order.is_fit"]\nvalue = "amount = 1 and id = 2"\n'

    assert order(load(f'dialect = "omg"\n{text}'))(amount=1, id=2).is_fit
    with pytest.raises(BadJobsFile, match=r"line 2: Order.is_fit: .*Comparisons bind weaker"):
        load(text)


def test_yaml_says_the_same(load: Load) -> None:
    app = load(
        """
methods:
  Order.see:
    do: self.seen := true
    retry: {attempts: 3, on: [NoAnswer]}
derived:
  Customer.total: {value: "3"}
""",
        name="jobs.yml",
    )

    assert app.model.works["Order.see"].retry == aw.Retry(attempts=3, on=(NoAnswer,))
    assert [*app.model.derivations] == ["Customer.total"]


def test_a_job_that_is_no_longer_in_its_file_is_gone(load: Load, tmp_path: Path) -> None:
    app = load("""
[view_models.See]
root = "Order"
actions = [{ name = "see", do = "self.seen := true" }]
[methods."Order.see"]
do = "self.seen := true"
""")
    (tmp_path / "jobs.toml").write_text("")

    assert app.load(tmp_path / "jobs.toml") == []
    assert [*order(app).ViewModels] == []
    assert {"See", "Order.see"} & app.model.works.keys() == set()


def test_a_text_that_changes_or_a_query_that_it_names_makes_other_code(load: Load) -> None:
    def checksum(value: str, query: str) -> str:
        derived = f'[derived."Customer.total"]\nvalue = "{value}"\n'
        app = load(f'{derived}[queries."Order.double"]\nvalue = "{query}"\n')
        return app.model.derivations["Customer.total"].checksum

    first = checksum("Order.allInstances.double->sum", "amount * 2")

    assert checksum("Order.allInstances.double->sum", "amount * 2") == first
    assert checksum("Order.allInstances.double->sum + 0", "amount * 2") != first
    assert checksum("Order.allInstances.double->sum", "amount + amount") != first


def test_a_derived_member_is_the_same_as_in_python(load: Load) -> None:
    app = load('[derived."Customer.total"]\nvalue = "self.id + 1"\n')

    assert isinstance(vars(app.model.classes["Customer"].class_)["compute_total"], Derived)
