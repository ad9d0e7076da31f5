"""Logs Ingestion: limits, conversion and the time of arrival."""

import gzip
import json
from datetime import timedelta

import pytest

from apiward_lab.loganalytics.ingestion import MAX_BYTES
from apiward_lab.loganalytics.quota import Quota
from tests.unit.lab_logs.conftest import COLUMNS
from tests.unit.lab_logs.direct import RULE, START, Logs


def test_rows_arrive_plain_and_zipped(logs: Logs) -> None:
    assert logs.upload([{"Name": "a"}]).status == 204
    assert logs.upload([{"Name": "b"}], zipped=True).status == 204
    assert logs.rows("Facts_CL | project Name | order by Name asc") == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("column", "sent", "stored"),
    [
        ("Count", "42", 42),
        ("Count", 1.5, None),
        ("Count", "many", None),
        ("Count", 2**63, None),
        ("Ratio", "0.5", 0.5),
        ("Flag", "TRUE", True),
        ("Flag", "perhaps", None),
        ("Name", 7, "7"),
        ("Name", {"a": 1}, '{"a":1}'),
        ("Name", None, ""),
        ("Bag", {"a": [1]}, '{"a":[1]}'),
        ("Bag", None, None),
    ],
)
def test_a_value_is_converted_or_becomes_null(logs: Logs, column: str, sent: object, stored: object) -> None:
    logs.upload([{column: sent}])
    assert logs.rows(f"Facts_CL | project {column}") == [[stored]]


def test_undeclared_columns_are_dropped_and_missing_strings_are_empty(logs: Logs) -> None:
    logs.upload([{"Other": "x"}])
    assert logs.rows("Facts_CL | where Name == '' | project Name, Count") == [["", None]]


def test_a_long_field_is_cut_at_64_kb_without_a_broken_character(logs: Logs) -> None:
    logs.upload([{"Name": "a" + "é" * 40_000}])
    assert logs.rows("Facts_CL | extend n = strlen(Name) | project n") == [[32_768]]


@pytest.mark.parametrize(
    ("age", "kept"), [(timedelta(days=1), True), (timedelta(days=2, seconds=1), False), (timedelta(0), True)]
)
def test_a_time_older_than_two_days_becomes_the_time_of_arrival(logs: Logs, age: timedelta, *, kept: bool) -> None:
    sent = START - age
    logs.upload([{"TimeGenerated": sent.isoformat()}])
    expected = sent if kept else START
    assert logs.rows("Facts_CL | project TimeGenerated") == [[expected.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")]]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_call_above_one_mebibyte_is_refused_also_when_it_is_small_on_the_wire(logs: Logs, *, zipped: bool) -> None:
    frame = len(json.dumps([{"Name": ""}]))
    assert logs.upload([{"Name": "a" * (MAX_BYTES - frame)}], zipped=zipped).status == 204
    assert logs.upload([{"Name": "a" * (MAX_BYTES - frame + 1)}], zipped=zipped).status == 413


@pytest.mark.parametrize("content", [b'{"Name":"a"}', b"[1]", b"[{]", b"", gzip.compress(b"[]", mtime=0)])
def test_anything_but_an_array_of_objects_is_refused(logs: Logs, content: bytes) -> None:
    immutable = logs.direct.send("GET", f"{RULE}?api-version=2023-03-11").body["properties"]["immutableId"]
    url = f"/dataCollectionRules/{immutable}/streams/Custom-Facts?api-version=2023-01-01"
    assert logs.direct.send("POST", url, raw=content).status == 400


def test_a_truncated_gzip_is_refused(logs: Logs) -> None:
    immutable = logs.direct.send("GET", f"{RULE}?api-version=2023-03-11").body["properties"]["immutableId"]
    url = f"/dataCollectionRules/{immutable}/streams/Custom-Facts?api-version=2023-01-01"
    content = gzip.compress(json.dumps([{"Name": "a"}]).encode())[:-9]
    assert logs.direct.send("POST", url, raw=content, headers={"content-encoding": "gzip"}).status == 400


def test_unknown_streams_and_rules_are_told_apart(logs: Logs) -> None:
    assert logs.upload([], stream="Custom-Other").status == 400
    unknown = f"/dataCollectionRules/dcr-{'0' * 32}/streams/Custom-Facts?api-version=2023-01-01"
    assert logs.direct.send("POST", unknown, []).status == 404


def test_a_transformation_runs_on_each_row(logs: Logs) -> None:
    transform = "source | where Count > 1 | extend Name = strcat(Name, '!')"
    assert logs.put_rule(COLUMNS, transform=transform).status == 200
    logs.upload([{"Name": "a", "Count": 1}, {"Name": "b", "Count": 2, "Bag": {"x": 1}}])
    assert logs.rows("Facts_CL | project Name, Count, tolong(Bag.x)") == [["b!", 2, 1]]


def test_a_quota_holds_for_a_minute() -> None:
    quota = Quota(requests_per_minute=2, bytes_per_minute=100)
    assert quota.take(10, START) == 0
    assert quota.take(10, START + timedelta(seconds=20)) == 0
    assert quota.take(10, START + timedelta(seconds=30)) == 30
    assert quota.take(100, START + timedelta(seconds=60)) == 0
    assert quota.take(1, START + timedelta(seconds=61)) == 59


def test_a_refused_call_stores_nothing_and_says_when_to_return() -> None:
    logs = Logs(quota=lambda: Quota(requests_per_minute=1))
    logs.put_table("Facts_CL", COLUMNS)
    logs.put_rule(COLUMNS)
    assert logs.upload([{}]).status == 204
    refused = logs.upload([{}])
    assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
    assert logs.rows("Facts_CL | count") == [[1]]
