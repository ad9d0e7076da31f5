"""The descriptor of a running lab."""

from pathlib import Path

import pytest

from apiward.lab_process import LabHandle
from apiward_core.errors import ConfigurationError


@pytest.mark.parametrize("text", [None, b"", b"{", b"[]", b'{"base_url": "https://127.0.0.1"}', b"\xff"])
def test_a_file_that_is_no_descriptor_is_named(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "lab.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigurationError, match=f"no lab descriptor in {path}"):
        LabHandle.load(path)
