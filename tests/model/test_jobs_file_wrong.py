"""Files of jobs: what is wrong is told with its line."""

import sys
from pathlib import Path
from typing import Any

import pytest

import afterwork as aw
from afterwork.errors import BadJobsFile, BadRequest
from tests.model.jobs_scene import Load, load, model, send

__all__ = ["load"]

SEE = '[methods."Order.see"]\ndo = "1"\n'
TIMED = f'{SEE}[methods."Order.see".when]\nevery = {{ minutes = 1 }}\n'
WRONG = {
    "no section": ('[metods."Order.see"]', "line 1: there is no 'metods'. Did you mean methods?"),
    "a section that is no table": ("methods = 3", "line 1: methods must be a table, not 3"),
    "no table": ('methods."Order.see" = 3', "line 1: Order.see: it must be a table, not 3"),
    "no class": (
        '[methods."Ordr.see"]\ndo = "1"',
        "line 1: Ordr.see: the model has no class 'Ordr'. Did you mean Order?",
    ),
    "no member": (
        '[methods."Order"]\ndo = "1"',
        'line 1: Order: its name must be that of a class and a member, as "Cus',
    ),
    "a name twice": (
        f'{SEE}[queries."Order.see"]\nvalue = "1"',
        "line 3: Order.see: Order has a see already",
    ),
    "a member twice": ('[queries."Order.seen"]\nvalue = "1"', "line 1: Order.seen: Order has a seen already"),
    "no column": ('[derived."Order.size"]\nvalue = "1"', "line 1: Order.size: @aw.derived on Order.compute_size"),
    "nothing to do": ('[methods."Order.see"]', "line 1: Order.see: it needs one of 'do', 'value' and 'python'"),
    "two things to do": (
        f'{SEE}python = "send"',
        "Order.see: it needs one of 'do', 'value' and 'python'",
    ),
    "no key": ('[methods."Order.see"]\ndoo = "1"', "line 2: Order.see: there is no 'doo'. Did you mean do?"),
    "no text": ('[methods."Order.see"]\ndo = 1', "line 2: Order.see: do must be a text, not 1"),
    "an empty text": ('[methods."Order.see"]\ndo = ""', "line 2: Order.see: aw.eal takes a text, not ''"),
    "no Boolean": (
        f'{SEE}external = "yes"',
        "line 3: Order.see: external must be true or false, not 'yes'",
    ),
    "no function": (
        '[methods."Order.see"]\npython = "sent"',
        "line 2: Order.see: the application gives no function 'sent'. It gives: send. app.load(…, python=[…]) says",
    ),
    "an exception for a function": ('[methods."Order.see"]\npython = "NoAnswer"', "gives no function 'NoAnswer'"),
    "no exception": (
        f'{SEE}[methods."Order.see".retry]\nattempts = 3\non = ["Answer"]',
        "line 5: Order.see, retry: the application gives no exception 'Answer'. It gives: NoAnswer.",
    ),
    "no time": (f"{SEE}timeout = {{ minutes = 0 }}", "line 3: Order.see: its timeout is datetime.timedelta(0). Give a"),
    "no attempts": (f"{SEE}retry = {{}}", "line 3: Order.see, retry: it needs 'attempts'"),
    "too few attempts": (
        f"{SEE}retry = {{ attempts = 0 }}",
        "line 3: Order.see, retry: Retry(",
    ),
    "no span": (
        '[derived."Customer.total"]\nvalue = "1"\nallow_oldness = 3',
        "line 3: Customer.total: allow_oldness must be a duration, such as { minutes = 10 }, not 3",
    ),
    "a span too long": (
        '[derived."Customer.total"]\nvalue = "1"\nallow_oldness = { days = 1e300 }',
        "line 3: Customer.total: allow_oldness: ",
    ),
    "a method that is a cache": (
        f"{SEE}when = {{ stale = true }}",
        "line 3: Order.see: a method is started by a timer, or by tickets",
    ),
    "no criteria": (
        f"{SEE}when = {{ every = {{ minutes = 1 }} }}",
        "line 3: Order.see: its timer needs a criteria that says for which Order objects it runs",
    ),
    "a criteria of others": (
        f'{TIMED}criteria = "Customer.allInstances"',
        "line 5: Order.see, when: The criteria must be select(Order)",
    ),
    "a criteria that is no SQL": (
        f'{TIMED}criteria = """\nOrder.allInstances\n  ->select(o | o.see?)"""',
        "line 7: Order.see, when: Line 2, column 16",
    ),
    "a bad cron": (
        f'{SEE}when = {{ cron = "0 3", criteria = "Order.allInstances" }}',
        "line 3: Order.see, when: The cron expression '0 3'",
    ),
    "two ways to start": (
        '[view_models.See]\nroot = "Order"\nactions = []\nwhen = { stale = true, cron = "0 3 * * *" }',
        "line 4: See, when: it needs one of every =",
    ),
    "what does not go with it": (
        '[view_models.See]\nroot = "Order"\nactions = []\nwhen = { stale = true, criteria = "Order.allInstances" }',
        "line 4: See, when: there is no 'criteria'. There are: stale, priority, allow_oldness",
    ),
    "a cache that does nothing": (
        '[view_models.See]\nroot = "Order"\nactions = []\nwhen = { stale = true }',
        "line 4: See: See has when = aw.WhenStale(…) but no action",
    ),
    "once with a root": (
        '[view_models.See]\nroot = "Order"\nwhen = { once = true }\nactions = [{ name = "see", do = "1" }]',
        "line 3: See: See has when = aw.Once() and a root class",
    ),
    "no actions": ('[view_models.See]\nroot = "Order"', "line 1: See: it needs 'actions'"),
    "an action without a name": (
        '[view_models.See]\nactions = [{ do = "1" }]',
        "line 2: See: actions must be tables with a name",
    ),
    "an action twice": (
        '[view_models.See]\nactions = [\n  { name = "a", do = "1" },\n  { name = "a", do = "2" },\n]',
        "line 3: See: 'a' is there twice",
    ),
    "a name that is taken": (
        '[view_models.See]\nvariables = [{ name = "a" }]\nactions = [{ name = "a", do = "1" }]',
        "line 3: See, a: its view model has something else called a",
    ),
    "a name of all view models": (
        '[view_models.See]\nvariables = [{ name = "lane" }]\nactions = []',
        "line 2: See, lane: its view model has something else called lane",
    ),
    "a variable that is not declared": (
        '[view_models.See]\nactions = [{ name = "a", do = "1" }]\n'
        'when = { cron = "0 3 * * *", set = { since = "due" } }',
        "line 3: See, when, set: there is no 'since'",
    ),
    "no dialect": ('dialect = "dutch"', "line 1: there is no dialect 'dutch'. There are: original, omg"),
    "no TOML": ("[methods", "jobs.toml: Expected"),
    "the text of another action": (
        '[view_models.A]\nroot = "Order"\nactions = [{ name = "a", do = "1" }]\n'
        '[view_models.B]\nroot = "Order"\nactions = [\n  { name = "a", do = "self.seen := true" },\n'
        '  { name = "b", do = "self.sen" },\n]',
        "line 8: B, b: Line 1, column 6: Order has no sen",
    ),
    "the text of another kind": (
        '[derived."Customer.total"]\nvalue = "self.total := 1"',
        "line 2: Customer.total: Line 1, column 1: This changes the model",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_told_with_its_line(load: Load, tmp_path: Path, kind: str) -> None:
    text, said = WRONG[kind]

    with pytest.raises(BadJobsFile) as found:
        load(text)

    assert said in str(found.value)
    assert str(found.value).startswith(str(tmp_path / "jobs.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("methods:\n  Order.see:\n    doo: x", "line 3: Order.see: there is no 'doo'. Did you mean do?"),
        (
            "methods:\n  Order.see:\n    do: |\n      self.seen := true;\n      self.sen",
            "line 5: Order.see: Line 2, column 6",
        ),
        ("methods:\n  Order.see: [", "line 2: "),
        ("methods:\n  Order.see:\n    do: a\n    do: b", "line 4: 'do' is there twice"),
        ("- 1", "it must be a table of sections"),
        ("\x00", "jobs.yaml: "),
        ("methods:\n  Order.see:\n    do: a\n    external: yes", "line 4: Order.see: external must be true or false"),
    ],
)
def test_what_is_wrong_in_yaml_is_told_with_its_line(load: Load, text: str, said: str) -> None:
    with pytest.raises(BadJobsFile) as found:
        load(text, name="jobs.yaml")

    assert said in str(found.value)


def test_yaml_needs_pyyaml(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(BadJobsFile, match=r"it is YAML, which needs PyYAML. Try: pip install 'afterwork\[yaml\]'"):
        load("", name="jobs.yaml")


def test_a_file_is_toml_or_yaml_by_its_name(load: Load) -> None:
    with pytest.raises(BadJobsFile, match=r"jobs.json: its name must end with one of \.toml, \.yaml, \.yml"):
        load("{}", name="jobs.json")


def test_a_file_that_is_not_there_or_no_text(load: Load, tmp_path: Path) -> None:
    with pytest.raises(BadJobsFile, match="it can't be read: No such file"):
        aw.Afterwork(model()).load(tmp_path / "jobs.toml")

    (tmp_path / "jobs.toml").write_bytes(b"\xff")
    with pytest.raises(BadJobsFile, match="it is no text in UTF-8"):
        aw.Afterwork(model()).load(tmp_path / "jobs.toml")


@pytest.mark.parametrize(("given", "said"), [([3], "not 3"), ([send, send], "2 things that a file of jobs may name")])
def test_a_file_can_name_functions_and_exceptions_each_by_its_own_name(load: Load, given: list[Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        load("", python=given)


def test_a_file_that_is_wrong_leaves_nothing_in_the_model(load: Load) -> None:
    base = model()
    fine = '[methods."Order.see"]\ndo = "self.seen := true"\n'
    with pytest.raises(BadJobsFile):
        load(f'{fine}[queries."Order.size"]\nvalue = "self.nothing"\n', base=base)

    assert "Order.see" in load(fine, base=base).model.works
