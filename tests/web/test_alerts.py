"""The alert rules for Prometheus, on what `/metrics` of a shop says, evaluated by Prometheus' own promtool."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import add_customer

RULES = Path(__file__).resolve().parents[2] / "docs" / "howto" / "alerts.yml"

PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="There is no promtool (apt-get install prometheus).")

MINUTES = 20


def rules() -> Sequence[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def busy(the_shop: Shop) -> None:
    """A run that succeeds, one that fails, a ticket that waits."""
    with the_shop.session() as session, session.begin():
        customer = add_customer(session)
        aw.later(customer.assign_number)
        aw.later(customer.fail)
    the_shop.run()
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number)


def series(scraped: str) -> dict[str, float]:
    """Each series of a scrape, as Prometheus writes it."""
    return {
        sample.name + "{" + ",".join(f'{name}="{value}"' for name, value in sample.labels.items()) + "}": sample.value
        for family in text_string_to_metric_families(scraped)
        for sample in family.samples
    }


def test_each_rule_names_only_metrics_and_labels_that_a_scrape_has(client: TestClient, the_shop: Shop) -> None:
    busy(the_shop)
    families = [*text_string_to_metric_families(client.get("/metrics").text)]
    known = {sample.name for family in families for sample in family.samples} | {family.name for family in families}

    for rule in rules():
        assert set(re.findall(r"afterwork_\w+", rule["expr"])) <= known, rule["alert"]


def fired(scrapes: Sequence[str], folder: Path) -> set[str]:
    """The alerts that are on once Prometheus has read these scrapes, one a minute, the last one again and again."""
    read = [series(scraped) for scraped in scrapes]
    names = dict.fromkeys(name for one in read for name in one)
    values = {name: [one.get(name) for one in read] + [read[-1].get(name)] * (MINUTES - len(read)) for name in names}
    stored = [
        {"series": name, "values": " ".join("_" if value is None else repr(value) for value in own)}
        for name, own in values.items()
    ]
    on = set()
    for rule in rules():
        asked = {"eval_time": f"{MINUTES - 1}m", "alertname": rule["alert"], "exp_alerts": []}
        tests = [{"interval": "1m", "input_series": stored, "alert_rule_test": [asked]}]
        file = folder / "test.yml"
        file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}), encoding="utf-8")
        assert PROMTOOL is not None
        ended = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
        assert ended.returncode == 0 or "got:[" in ended.stdout + ended.stderr.replace(" ", ""), ended.stderr
        if ended.returncode:
            on.add(rule["alert"])
    return on


@needs_promtool
def test_rules_are_valid() -> None:
    assert PROMTOOL is not None
    checked = subprocess.run([PROMTOOL, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
def test_alerts_are_on_for_what_is_wrong_and_for_nothing_else(
    client: TestClient, the_shop: Shop, tmp_path: Path
) -> None:
    empty = client.get("/metrics").text
    with the_shop.app.serving(the_shop.engine):
        served = client.get("/metrics").text
    assert fired([served] * 2, tmp_path) == set()
    assert fired([empty] * 2, tmp_path) == {"AfterworkWithoutServer"}

    busy(the_shop)
    before = client.get("/metrics").text
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).fail)
        aw.later(add_customer(session).assign_number, lane="paused")
    the_shop.app.control(the_shop.engine).pause_lane("paused")
    the_shop.run()
    the_shop.clock.advance(timedelta(hours=1))
    after = client.get("/metrics").text

    # The failure is between the scrapes of the last ten minutes.
    assert fired([before] * 15 + [after], tmp_path) == {
        "AfterworkWithoutServer",
        "AfterworkWorkFails",
        "AfterworkTicketsWait",
    }
