"""What the same work costs elsewhere: made by the script, from prices that have a source. Needs no CDK."""

import itertools
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "cdk/crossover.py"
sys.path.insert(0, str(SCRIPT.parent))  # as Python does for a script
HERE = runpy.run_path(str(SCRIPT))
THERE = runpy.run_path(str(SCRIPT.with_name("elsewhere.py")))
FOREIGN = runpy.run_path(str(SCRIPT.with_name("foreign_prices.py")))
BILLS = {name: way.bill for name, way in HERE["ELSEWHERE"].items()}
A_MINUTE, TEN_MINUTES, INTO_MANY = HERE["A_RECEIPT_A_MINUTE"], HERE["TEN_MINUTES"], HERE["INTO_MANY"]


def test_the_page_has_the_tables_that_the_script_makes() -> None:
    subprocess.run([sys.executable, str(SCRIPT), "--check"], check=True)


def test_a_page_with_another_number_is_found_and_one_without_a_table_refused() -> None:
    text = HERE["GUIDE"].read_text()
    bill = f"**{HERE['ours'](A_MINUTE):,.0f}**"
    assert HERE["filled"](text.replace(bill, "**1**")) == HERE["filled"](text) == text
    with pytest.raises(ValueError, match="unpack"):
        HERE["filled"](text.replace("<!-- bills:", "<!-- "))


def test_every_foreign_price_names_the_page_it_was_read_on_and_what_that_is() -> None:
    assert FOREIGN["READ"] == "2026-11-27"
    for name, (dollars, _unit, (url, what)) in FOREIGN["FOREIGN"].items():
        assert dollars > 0, name
        assert url.startswith("https://"), name
        assert "without a date" in what or re.search(r"20\d\d-\d\d-\d\d", what), name


@pytest.mark.parametrize("mine", [A_MINUTE, TEN_MINUTES], ids=["prod", "ten minutes"])
@pytest.mark.parametrize("name", BILLS)
def test_two_bills_cross_once_at_most_so_that_one_number_says_where(name: str, mine: Any) -> None:
    queries = [replace(mine, queries=1e-6 + each * each) for each in range(32)]
    changes = [replace(mine, changes=max(1, each**4)) for each in range(18)]
    for loads in (queries, changes):
        signs = [HERE["ours"](load) < BILLS[name](load) for load in loads]
        assert sum(one != other for one, other in itertools.pairwise(signs)) <= 1


def test_a_crossing_is_where_the_sign_changes_and_says_which_way() -> None:
    crossing = HERE["crossing"]
    where, ends_below = crossing(lambda at: 35.0 - at, 1_000.0)
    assert where == pytest.approx(35.0, rel=0.01)
    assert ends_below
    where, ends_below = crossing(lambda at: at - 7.0, 1_000.0)
    assert where == pytest.approx(7.0, rel=0.01)
    assert not ends_below
    assert crossing(lambda _at: 1.0, 1_000.0) is None


def test_of_a_bill_that_is_a_lower_bound_no_more_is_said_than_is_known() -> None:
    said = [HERE["at_least"](one) for one in ("from 35", "up to 11", "never", "always")]
    assert said == ["from 35 or less", "up to 11 or more", "not by what is known", "always"]


@pytest.mark.parametrize("name", BILLS)
def test_more_of_anything_is_never_cheaper(name: str) -> None:
    for more in ({"queries": 5.0}, {"changes": 5_000}, {"records": 900_000}):
        assert BILLS[name](replace(A_MINUTE, **more)) >= BILLS[name](A_MINUTE)


def test_bills_by_hand() -> None:
    load = replace(A_MINUTE, records=1_000_000, changes=1_000, records_a_change=10, queries=1.0)
    kept, written, asked = 6.6, 30.4 * 1_000 * 10 * 6.6 / 1e6, 30.4 * 86_400
    assert BILLS["S3 Vectors"](load) == pytest.approx(0.06 * kept + 0.2 * written + 2.5e-6 * asked)
    returned = asked * 10 * (6.6 - 6.144) / 1e6
    turbopuffer = 0.33 * kept + 2 * written + 1e-6 * asked * kept + 0.05 * returned
    assert BILLS["turbopuffer"](load) == pytest.approx(turbopuffer)
    assert BILLS["turbopuffer"](replace(load, records=1, changes=0, queries=0.0)) == 16
    gib = 1.073741824
    cloud = (0.33 * kept + 2.5 * written + 0.09 * returned) / gib + 0.0075 * asked * kept * 1e9 / 2**40
    assert BILLS["Chroma Cloud"](load) == pytest.approx(cloud)
    assert THERE["terabytes_queried"](load) == pytest.approx(asked * kept / 1e3)


def test_a_namespace_pays_a_fifth_for_what_is_beyond_its_first_32_gigabytes() -> None:
    first, second = (replace(INTO_MANY, records=gb * 1e6 / 6.6, changes=0) for gb in (32, 42))
    asked = 30.4 * 86_400
    assert BILLS["turbopuffer"](second) - BILLS["turbopuffer"](first) == pytest.approx(
        0.33 * 10 + 1e-6 * asked * 0.2 * 10
    )


def test_a_machine_is_the_smallest_that_holds_the_records_and_none_is_made_up() -> None:
    assert BILLS["Chroma server"](A_MINUTE) == 15.936
    assert BILLS["Chroma server"](INTO_MANY) == 386.944
    with pytest.raises(ValueError, match="no machine of https://docs"):
        BILLS["Chroma server"](replace(INTO_MANY, records=10_000_001))


def test_a_database_has_half_a_unit_at_least_and_its_index_in_memory() -> None:
    hours = 30.4 * 24
    assert BILLS["pgvector"](replace(A_MINUTE, records=1)) == pytest.approx(0.12 * 0.5 * hours, rel=0.01)
    memory_gib = BILLS["pgvector"](INTO_MANY) / 0.12 / hours * 2
    assert memory_gib > 10_000_000 * 8_192 / 2**30
