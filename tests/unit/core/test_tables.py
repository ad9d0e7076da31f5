"""The tables as data, and what Log Analytics would refuse of them."""

from typing import Any

import pytest

from apiward_core.errors import ConfigurationError
from apiward_core.tables import Table, all_tables, data_collection_rule


def _document(**changes: Any) -> dict[str, Any]:
    columns = [{"name": "TimeGenerated", "type": "datetime", "description": "When."}]
    return {"name": "Sample_CL", "description": "A sample.", "columns": columns, **changes}


def _column(name: str, kind: str = "string") -> dict[str, str]:
    return {"name": name, "type": kind, "description": "Some."}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (_document(name="Sample"), "ends in _CL"),
        (_document(columns=[_column("A")]), "TimeGenerated"),
        (_document(columns=[*_document()["columns"], _column("A"), _column("a")]), "column a occurs twice"),
        (_document(columns=[*_document()["columns"], _column("TenantId")]), "'TenantId' is no column name"),
        (_document(columns=[*_document()["columns"], _column("x" * 46)]), "is no column name"),
        (_document(columns=[*_document()["columns"], _column("A", "guid")]), "column A has type 'guid'"),
    ],
)
def test_faults_are_named(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match="Table Sample") as refused:
        Table.parse(document)
    assert words in str(refused.value)


def test_every_shipped_table_is_in_the_rule_with_equal_columns() -> None:
    rule = data_collection_rule(workspace_id="/w", location="westeurope")["properties"]
    flows = {flow["outputStream"]: flow["streams"] for flow in rule["dataFlows"]}
    assert len(all_tables()) <= 10, "a DCR has at most ten streams and ten flows"
    for table in all_tables().values():
        declared = [(column["name"], column["type"]) for column in rule["streamDeclarations"][table.stream]["columns"]]
        assert declared == [(column.name, column.type) for column in table.columns]
        assert flows[table.stream] == [table.stream]


def test_the_tables_api_spells_datetime_its_own_way() -> None:
    columns = Table.parse(_document()).resource()["properties"]["schema"]["columns"]
    assert columns[0]["type"] == "dateTime"
