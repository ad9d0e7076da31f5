"""A Sentinel to work on."""

import pytest

from tests.unit.lab_sentinel.workbench import Workbench


@pytest.fixture
def bench() -> Workbench:
    return Workbench()
