"""A Log Analytics service with the table Facts_CL and a rule that feeds it."""

import pytest

from tests.unit.lab_logs.direct import Logs

COLUMNS = {
    "TimeGenerated": "datetime",
    "Name": "string",
    "Count": "long",
    "Ratio": "real",
    "Flag": "boolean",
    "Bag": "dynamic",
}


@pytest.fixture
def logs() -> Logs:
    service = Logs()
    assert service.put_table("Facts_CL", COLUMNS).status == 202
    assert service.put_rule(COLUMNS).status == 201
    return service
