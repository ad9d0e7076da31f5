"""Answers of the workspace that the service cut: rows for those who want them, an error for those who do not."""

import json
from datetime import timedelta

import pytest
from azure.core.credentials import AccessToken, TokenCredential
from azure.monitor.query import LogsQueryClient

from apiward_core.errors import IncompleteError, TransientError
from apiward_core.logs import WorkspaceLogs
from tests.unit.core.web import JSON, Web

TABLE = {"name": "PrimaryResult", "columns": [{"name": "A", "type": "long"}], "rows": [[1], [2]]}
CUT = {"code": "PartialError", "message": "Some errors.", "details": [{"code": "EngineError", "message": "too many"}]}


class Signed(TokenCredential):
    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return AccessToken("token", 4_000_000_000)


def logs(answer: object) -> WorkspaceLogs:
    web = Web((200, JSON, json.dumps(answer).encode()))
    return WorkspaceLogs(LogsQueryClient(Signed(), transport=web.transport()), workspace_customer_id="id")


def test_a_whole_answer_has_nothing_missing() -> None:
    answer = logs({"tables": [TABLE]}).read("T", timespan=timedelta(days=1))
    assert (answer.rows, answer.missing) == ([{"A": 1}, {"A": 2}], "")


def test_a_cut_answer_is_read_with_the_reason() -> None:
    answer = logs({"tables": [TABLE], "error": CUT}).read("T", timespan=timedelta(days=1))
    assert answer.rows == [{"A": 1}, {"A": 2}]
    assert "Some errors" in answer.missing or "PartialError" in answer.missing


def test_a_cut_answer_is_refused_by_those_who_need_all_of_it() -> None:
    with pytest.raises(IncompleteError, match="only in part"):
        logs({"tables": [TABLE], "error": CUT}).query("T", timespan=timedelta(days=1))


def test_a_cut_answer_may_have_no_rows_at_all() -> None:
    answer = logs({"tables": [], "error": CUT}).read("T", timespan=timedelta(days=1))
    assert (answer.rows, answer.missing != "") == ([], True)


@pytest.mark.parametrize("answer", [{"tables": []}, {"unexpected": []}], ids=["no table", "something else"])
def test_an_answer_without_tables_is_none(answer: object) -> None:
    with pytest.raises(TransientError, match="holds no table"):
        logs(answer).read("T", timespan=timedelta(days=1))


def test_an_answer_without_rows_is_one() -> None:
    answer = logs({"tables": [{**TABLE, "rows": []}]}).read("T", timespan=timedelta(days=1))
    assert (answer.rows, answer.missing) == ([], "")
