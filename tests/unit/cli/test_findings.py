"""What `apiward findings` asks for, over rows as the connector writes them, and what it understands."""

from pathlib import Path
from typing import Any

import pytest

from apiward import finding_queries
from apiward.finding_filter import Wanted
from apiward.finding_queries import Finding, FindingQueries
from apiward_core.catalogue import load_catalogue
from apiward_core.clock import parse_timestamp
from apiward_core.errors import ConfigurationError, MissingError
from apiward_core.kql_check import PACKAGE, KqlChecker
from apiward_core.logs import Row, TimeSpan
from apiward_core.tables import HEALTH, all_tables
from apiward_rules.functions import function_schemas
from tests.unit.connector.samples import SetClock
from tests.unit.rules.workspace import HOUR, KEY, NOW, Rows, row, service_id

DAY = 24 * HOUR
ID = "0123456789abcdef0123456789abcdef"
OTHER = "01234567ffffffffffffffffffffffff"
TYPES = "DefenderApiRecommendationTypes_CL"
LANGUAGE_SERVICE = Path(__file__).parents[3] / PACKAGE


class Reader:
    """Rows as a LogReader: times are datetimes, as the SDK makes them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
        assert isinstance(timespan, tuple)
        start, end = timespan
        found = self._rows.query(kql, now=end, period=end - start)
        return [{name: typed(value) for name, value in record.items()} for record in found]


def typed(value: Any) -> Any:
    return parse_timestamp(value) if isinstance(value, str) and value.endswith("0000Z") else value


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def queries(rows: Rows) -> FindingQueries:
    return FindingQueries(Reader(rows), clock=SetClock(NOW))


def ids(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.finding_id for finding in findings]


def wanted(**options: str) -> Wanted:
    said = {"state": "Unhealthy", "severity": "", "recommendation": "", "service": "", **options}
    return Wanted.parse(**said, catalogue=load_catalogue())


def test_the_most_severe_come_first_and_then_one_service_after_the_other(rows: Rows, queries: FindingQueries) -> None:
    rows.send(
        row("low", Severity="Low"),
        row("odd", Severity=""),
        row("high-b", service="b"),
        row("medium", Severity="Medium"),
        row("high-a", service="a"),
    )
    found = queries.current(wanted(), most=50)
    assert ids(found.findings) == ["high-a", "high-b", "medium", "low", "odd"]


def test_a_limit_leaves_out_the_least_severe_and_still_says_how_many_match(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row("low", Severity="Low"), row("high"), row("medium", Severity="Medium"), row("fine", State="Healthy"))
    found = queries.current(wanted(), most=2)
    assert (ids(found.findings), found.matching, found.current) == (["high", "medium"], 3, 4)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["plain", "key", "low", "other"]),
        ({"state": "ALL"}, ["plain", "key", "well", "low", "other"]),
        ({"state": "healthy"}, ["well"]),
        ({"severity": "low"}, ["low"]),
        ({"recommendation": "apim-subscription-all-apis"}, ["key"]),
        ({"recommendation": "uncatalogued"}, ["other"]),
        ({"service": "CONTOSO-B"}, ["low"]),
        ({"service": service_id("Contoso-B").upper()}, ["low"]),
        ({"service": f"{service_id('contoso-b')}/apis/echo"}, ["low"]),
        ({"service": "b"}, []),
        ({"service": "contoso-b", "severity": "High"}, []),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else None,
)
def test_conditions_choose(rows: Rows, queries: FindingQueries, options: dict[str, str], expected: list[str]) -> None:
    rows.send(
        row("plain"),
        row("key", Recommendation="apim-subscription-all-apis"),
        row("low", Severity="Low", service="contoso-b"),
        row("well", State="Healthy", Severity="Medium"),
        row("other", Recommendation="uncatalogued", service="x"),
    )
    assert sorted(ids(queries.current(wanted(**options), most=50).findings)) == sorted(expected)


def test_a_finding_that_nothing_was_heard_of_for_days_is_not_current(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row(), observed=NOW - 4 * DAY)
    assert queries.current(wanted(), most=50).current == 0


def test_the_last_run_is_that_of_the_last_three_days(rows: Rows, queries: FindingQueries) -> None:
    assert queries.last_run() is None
    rows.send({"RecordId": "a"}, table=HEALTH, observed=NOW - 4 * DAY)
    assert queries.last_run() is None
    for hours in (5, 2, 9):
        rows.send({"RecordId": f"{hours}"}, table=HEALTH, observed=NOW - hours * HOUR)
    assert queries.last_run() == NOW - 2 * HOUR


def test_eight_characters_name_a_finding(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row(ID), row(f"f{OTHER[1:]}"))
    assert queries.named("01234567") == queries.named(f" {ID.upper()} ") == ID


@pytest.mark.parametrize("text", ["", "0123456", "0123456g", f"{ID}0", "0123456*"])
def test_what_cannot_be_an_id_is_refused(queries: FindingQueries, text: str) -> None:
    with pytest.raises(ConfigurationError, match="first eight characters"):
        queries.named(text)


def test_an_id_that_two_findings_begin_with_names_them(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row(ID), row(OTHER))
    with pytest.raises(ConfigurationError, match=f"{ID}, {OTHER}"):
        queries.named("01234567")
    assert queries.named("012345678") == ID


def test_an_id_that_no_finding_has_is_missing(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row(OTHER), observed=NOW - 91 * DAY)
    with pytest.raises(MissingError, match="findings list"):
        queries.named(OTHER)


def test_a_story_is_told_in_order_without_the_daily_snapshots(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row(ID, Revision=2, ChangeType="Resolved", State="Healthy", StateCause=""), observed=NOW - 9 * DAY)
    rows.send(row(ID), observed=NOW - 20 * DAY)
    rows.send(row(ID, Revision=3, ChangeType="Regressed", Severity="Medium"), observed=NOW - 5 * DAY)
    rows.send(row(ID, Revision=3, ChangeType="Snapshot", Severity="Medium"), observed=NOW - HOUR)
    rows.send(row(OTHER))
    told = queries.story(ID)
    assert [(change.revision, change.change, change.state, change.severity) for change in told.changes] == [
        (1, "New", "Unhealthy", "High"),
        (2, "Resolved", "Healthy", "High"),
        (3, "Regressed", "Unhealthy", "Medium"),
    ]
    assert [change.seen for change in told.changes] == [NOW - days * DAY for days in (20, 9, 5)]
    assert (told.finding.finding_id, told.finding.severity, told.finding.state) == (ID, "Medium", "Unhealthy")
    assert (told.current, told.gone, told.heard) == (True, False, NOW - HOUR)


def test_a_finding_that_is_gone_is_told_as_gone(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row(ID), observed=NOW - 2 * DAY)
    rows.send(row(ID, Revision=2, ChangeType="Removed", StateCause="ResourceGone"), observed=NOW - DAY)
    told = queries.story(ID)
    assert (told.current, told.gone, told.heard) == (False, True, NOW - DAY)
    assert told.finding.cause == told.changes[-1].cause == "ResourceGone"


def test_a_finding_that_nothing_was_heard_of_is_not_told_as_current(rows: Rows, queries: FindingQueries) -> None:
    rows.send(row(ID), observed=NOW - 10 * DAY)
    rows.send(row(ID, ChangeType="Snapshot"), observed=NOW - 4 * DAY)
    told = queries.story(ID)
    assert (told.current, told.gone, told.heard) == (False, False, NOW - 4 * DAY)


def test_what_defender_says_of_a_recommendation_is_the_newest(rows: Rows, queries: FindingQueries) -> None:
    for days, text in ((2, "old"), (1, "new")):
        said = {"RecordId": text, "RecommendationKey": KEY, "Description": text, "RemediationSteps": f"{text} steps"}
        rows.send(said, table=TYPES, observed=NOW - days * DAY)
    assert queries.explanation(KEY) == finding_queries.Explanation("new", "new steps")
    assert queries.explanation("another") == finding_queries.Explanation("", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"severity": "Severe"}, ["--severity", "'Severe'", "High, Medium, Low"]),
        ({"state": "open"}, ["--state", "'open'", "Unhealthy, Healthy, NotApplicable, all"]),
        ({"recommendation": "encryption"}, ["'encryption'", "apim-encrypted-protocols"]),
        ({"service": "contoso'; drop"}, ["--service", "contoso'; drop", "ARM id"]),
        ({"service": "/subscriptions/1/x"}, ["--service", "no GUID"]),
    ],
    ids=["severity", "state", "recommendation", "service", "service id"],
)
def test_a_condition_that_cannot_be_met_is_refused(options: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        wanted(**options)
    assert [word for word in words if word not in str(refused.value)] == []


def test_conditions_are_said_in_words() -> None:
    assert str(wanted(severity="low", service="Contoso")) == "state Unhealthy, severity Low, service contoso"
    assert str(wanted(state="all")) == "no condition"


@pytest.mark.skipif(not LANGUAGE_SERVICE.is_dir(), reason="node_modules is absent: run make setup")
def test_every_query_is_right_for_microsofts_parser(rows: Rows) -> None:
    asked: list[str] = []

    class Listener(Reader):
        def query(self, kql: str, *, timespan: TimeSpan) -> list[Row]:
            asked.append(kql)
            return super().query(kql, timespan=timespan)

    rows.send(row(ID), observed=NOW - 10 * DAY)
    rows.send(row(OTHER))
    queries = FindingQueries(Listener(rows), clock=SetClock(NOW))
    queries.current(wanted(), most=1)
    queries.last_run()
    queries.story(queries.named(ID))
    queries.explanation(KEY)
    schema = {name: table.kusto_schema() for name, table in all_tables().items()}
    checker = KqlChecker(LANGUAGE_SERVICE, schema, function_schemas())
    assert len(asked) == 8
    assert {query: found for query in asked if (found := checker.check(query))} == {}
