from collections.abc import Iterator

import pytest

from tests.azurite import Azurite, running_azurite


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """The storage emulator; each test makes containers of its own names."""
    with running_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running
