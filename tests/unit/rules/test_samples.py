"""Samples in a rule's YAML: what they become, and how a file that states them wrongly is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from apiward_core.errors import ConfigurationError
from apiward_rules.arm import rule_properties
from apiward_rules.load import parse_rule
from apiward_rules.model import AnalyticsRule
from tests.unit.rules.test_arm import RULE_YAML

NOON = "2026-11-23T12:00:00.000000Z"


def rule(**tests: Any) -> AnalyticsRule:
    """A rule with these tests; they need `samples`."""
    document = yaml.safe_load(RULE_YAML)
    document["tests"] = {"now": datetime(2026, 11, 23, 12, tzinfo=UTC), "table": "Facts_CL", **tests}
    return parse_rule("facts.yaml", yaml.safe_dump(document))


def sample(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "one", "rows": list(rows), "alerts": [], **more}


def arrivals(*rows: dict[str, Any], columns: dict[str, Any] | None = None, **more: Any) -> list[Any]:
    """What the rows of a sample become, as (table, hour of arrival, rows)."""
    tests = rule(columns=columns or {}, samples=[sample(*rows, **more)]).tests
    assert tests is not None
    return [(one.table, one.at.hour, list(one.rows)) for one in tests.arrivals(tests.samples[0])]


def test_a_row_has_the_shared_columns_and_the_time_of_the_run() -> None:
    (found,) = arrivals({"columns": {"B": "own"}}, columns={"A": 1, "B": "shared"})
    assert found == ("Facts_CL", 12, [{"TimeGenerated": NOON, "A": 1, "B": "own"}])


def test_a_row_may_be_observed_before_and_arrive_later_in_another_table() -> None:
    ten, eleven = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (10, 11))
    late, early = arrivals({"observed": ten, "arrived": eleven, "table": "Other_CL"}, {"observed": ten})
    assert late == ("Other_CL", 11, [{"TimeGenerated": NOON.replace("T12", "T10")}])
    assert early[:2] == ("Facts_CL", 10)


def test_a_sample_may_have_a_time_of_its_own() -> None:
    (found,) = arrivals({}, now=datetime(2026, 11, 23, 13, tzinfo=UTC))
    assert found == ("Facts_CL", 13, [{"TimeGenerated": NOON.replace("T12", "T13")}])


def test_repeated_rows_are_numbered_and_texts_name_other_columns() -> None:
    columns = {"Service": "apim-{n}", "Id": "/service/{Service}", "Odd": "{other} {n}", "Count": 7}
    ((_, _, rows),) = arrivals({"repeat": 2}, columns=columns)
    assert [(one["Id"], one["Odd"], one["Count"]) for one in rows] == [
        ("/service/apim-1", "{other} 1", 7),
        ("/service/apim-2", "{other} 2", 7),
    ]


def test_a_time_that_yaml_reads_as_one_is_text_in_a_row() -> None:
    ((_, _, rows),) = arrivals({}, columns={"Seen": datetime(2026, 11, 23, 12, tzinfo=UTC)})
    assert rows[0]["Seen"] == NOON


def test_nothing_of_them_is_deployed() -> None:
    with_samples, without = rule(samples=[sample({})]), parse_rule("facts.yaml", RULE_YAML)
    assert with_samples.tests is not None
    assert rule_properties(with_samples) == rule_properties(without)


@pytest.mark.parametrize(
    ("tests", "place"),
    [
        ({"samples": []}, r"tests\.samples: .*at least 1"),
        ({"samples": [sample({"colums": {}})]}, r"tests\.samples\.0\.rows\.0\.colums: .*not permitted"),
        ({"samples": [sample({"repeat": 0})]}, r"tests\.samples\.0\.rows\.0\.repeat: .*1"),
        ({"samples": [{"name": "one", "rows": []}]}, r"tests\.samples\.0\.alerts: .*required"),
        ({"samples": [sample({})], "now": "noon"}, r"tests\.now: "),
        ({"samples": [sample({})], "now": datetime(2026, 11, 23)}, r"tests\.now: .*timezone"),  # noqa: DTZ001 - the fault
    ],
)
def test_a_fault_is_named_with_its_place(tests: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Analytics rule facts\.yaml: {place}"):
        rule(**tests)
