"""The cost tables of the guide: made by the script, and in the right proportions. Needs no CDK."""

import itertools
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from receipt_chroma import folding
from receipt_chroma.snapshot import retention

from operate import prices, renewal_plan, resharding

from . import calls
from .template import Template

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "cdk/cost.py"
sys.path.insert(0, str(SCRIPT.parent))  # as Python does for a script: it imports prices
COST = runpy.run_path(str(SCRIPT))
Load, cost, SCENARIOS = COST["Load"], COST["cost"], COST["SCENARIOS"]


def total(*load: float) -> float:
    return float(sum(cost(Load(*load)).values()))


def test_the_guide_has_the_tables_that_the_script_makes() -> None:
    subprocess.run([sys.executable, str(SCRIPT), "--check"], check=True)


def test_a_commit_each_interval_is_the_most_and_a_change_the_least() -> None:
    assert COST["commits_a_day"](Load(1, 1)) == pytest.approx(1, rel=0.01)
    assert COST["commits_a_day"](Load(10_000_000, 1)) == pytest.approx(1440 / COST["INTERVAL_MINUTES"])


def test_one_change_touches_one_shard_and_many_touch_all() -> None:
    assert COST["shards_a_commit"](Load(1, 16)) == pytest.approx(1, rel=0.01)
    assert COST["shards_a_commit"](Load(10_000_000, 16)) == pytest.approx(16, rel=0.01)


def test_the_console_has_its_prices_from_the_same_list() -> None:
    listed = {name: price[0] for name, price in COST["PRICES"].items()}
    assert {
        "transition": prices.TRANSITION_DOLLARS,
        "x86_second": prices.GB_SECOND_DOLLARS,
        "request": prices.REQUEST_DOLLARS,
        "efs_read": prices.EFS_READ_DOLLARS,
        "efs_write": prices.EFS_WRITE_DOLLARS,
        "s3_put": prices.PUT_DOLLARS,
    }.items() <= listed.items()


RESHARD = (
    *("PlanFold", "FoldShards", "AcquireLease", "WriteFold", "ValidateReshard", "CommitSnapshot", "Folded"),
    *("ExpireSnapshots", "ReleaseLease", "Finished"),
)


def test_the_plan_of_a_reshard_counts_the_states_of_the_machine_and_the_memory_of_the_stages() -> None:
    from compaction_cdk import settings

    assert len(COST["states_on_the_way"](COST["MACHINE"], RESHARD)) == resharding.STATES
    stages = {name: stage.merge_memory for name, stage in settings.STAGES.items()}
    assert stages == resharding.DEPLOYED_MB
    machine = COST["MACHINE"]["States"]
    assert machine["FoldShards"]["MaxConcurrency"] == resharding.AT_ONCE


def test_the_plan_of_a_renewal_counts_the_states_of_a_round() -> None:
    counted = renewal_plan.STATES_OF_A_ROUND, renewal_plan.STATES_OF_A_SHARD
    assert counted == (COST["ROUND_STATES"], COST["SHARD_STATES"])


def test_writing_the_words_once_costs_about_ten_cents_of_throughput() -> None:
    gigabytes = Load(1, 1).base_gb * COST["SHARES"][0]
    prices = {name: price[0] for name, price in COST["PRICES"].items()}
    assert gigabytes * (prices["efs_write"] + 2 * prices["efs_read"]) == pytest.approx(0.08, abs=0.03)


def test_the_bound_of_folding_is_the_library_s() -> None:
    names = ("LEAST_RECORDS", "MOST_RECORDS", "SHARE_OF_BASE", "MOST_SEGMENTS")
    assert [COST[name] for name in names] == [getattr(folding, name) for name in names]


def test_new_bases_are_written_about_base_over_bound_times_what_changed() -> None:
    written = COST["gigabytes_written_a_month"](Load(10_000, 1, records=70_000))
    assert written["bases"] / written["segments"] == pytest.approx(9.6 / 6.6 / COST["SHARE_OF_BASE"], rel=0.1)
    assert written["manifests"] < written["segments"]


def test_storage_counts_what_the_grace_and_the_hour_before_deletion_hold() -> None:
    from compaction_cdk import settings

    stage = settings.stage_named("prod")
    assert COST["GRACE_HOURS"] * 3600 == stage.expire_grace_seconds
    assert COST["KEPT"] == stage.keep_snapshots
    assert COST["EXPIRED_HOURS"] * 3600 == retention.EXPIRED_FOR.total_seconds()
    busy = Load(10_000, 1)  # a commit each interval: ten versions are younger than the grace
    assert COST["hours_kept"](busy) == pytest.approx(2.0)
    assert COST["hours_kept"](Load(24, 1)) == pytest.approx(10 + 1, rel=0.05)
    bases = COST["gigabytes_written_a_month"](busy)["bases"] / COST["DAYS"] / 24
    segments = COST["gigabytes_written_a_month"](busy)["segments"] / COST["DAYS"] / 24
    assert COST["gigabytes_kept"](busy) > busy.base_gb + 2 * (bases + segments)


def test_what_a_receipt_a_minute_costs_is_known_and_what_would_hold_its_bound() -> None:
    """Sixty dollars for the first are not held as prod is set: state transitions decide, and the guide says so."""
    from compaction_cdk import settings

    totals = {name: sum(cost(load).values()) for name, load in SCENARIOS.items()}
    assert 60 < totals["Into 100,000 records, as prod is set"] < 140
    assert totals["… or ten"] <= 60
    assert totals["… in 32 shards"] <= 600
    prod = settings.stage_named("prod")
    assert (COST["A_RECEIPT_A_MINUTE"].shards, COST["MERGE_GB"]) == (prod.shards, prod.merge_memory / 1024)
    assert COST["A_RECEIPT_A_MINUTE"].interval_minutes * 60 == prod.min_commit_interval_seconds


def test_a_longer_interval_is_never_dearer_and_more_changes_are_never_cheaper() -> None:
    for shards in (1, 4, 16):
        by_interval = [total(10_000, shards, minutes) for minutes in (1, 5, 15, 60)]
        by_changes = [total(changes, shards) for changes in (1, 10, 100, 1_000, 10_000)]
        assert all(a >= b for a, b in itertools.pairwise(by_interval))
        assert all(a <= b for a, b in itertools.pairwise(by_changes))


def test_an_execution_takes_the_shortest_way_between_its_landmarks() -> None:
    way = COST["states_on_the_way"]
    states = {
        "A": {"Next": "B"},
        "B": {"Choices": [{"Next": "C"}], "Default": "D"},
        "C": {"Next": "E"},
        "D": {"Next": "C"},
        "E": {},
        "F": {},
    }
    machine = {"StartAt": "A", "States": states}
    assert way(machine, ("E",)) == ["A", "B", "C", "E"]
    assert way(machine, ("D", "E")) == ["A", "B", "D", "C", "E"]
    with pytest.raises(ValueError, match="no way leads from A to F"):
        way(machine, ("F",))


def test_every_price_names_the_list_it_is_of_and_where_and_when_it_was_read() -> None:
    lists, prices = COST["LISTS"], COST["PRICES"]
    assert {service for _amount, _unit, service, _seen in prices.values()} == set(lists)
    assert all(url.startswith("https://aws.amazon.com/") and "/pricing/" in url for url in lists.values())
    for name, (_amount, _unit, _service, seen) in prices.items():
        dated = re.search(r"\[[^]]*20\d\d[^]]*\]\(https://", seen)
        assert dated or "without a date" in seen or "not confirmed" in seen, name


@pytest.mark.cdk
def test_the_metrics_that_are_paid_for_are_those_of_the_template(dev: Template) -> None:
    alarms = dev.all("CloudWatch::Alarm").values()
    measured = [sum("MetricStat" in metric for metric in alarm.get("Metrics", [])) or 1 for alarm in alarms]
    assert sum(measured) == COST["ALARM_METRICS"]
    body = json.dumps(dev.one("CloudWatch::Dashboard")["DashboardBody"])
    by_collection = set(re.findall(r'"Compaction\\",\\"(\w+)\\",\\"collection', body.replace("\\\\", "\\")))
    emitted = calls.metrics_emitted() - {"invariant_violated"}
    of_invariants = COST["INVARIANTS"] - 1
    assert len(emitted) + len(by_collection) * (COST["COLLECTIONS"] - 1) + of_invariants == COST["METRICS"]


def test_a_commit_takes_more_states_than_looking_for_work() -> None:
    assert 10 <= COST["IDLE_STATES"] < COST["ROUND_STATES"] < 40
    assert COST["SHARD_STATES"] == 3
