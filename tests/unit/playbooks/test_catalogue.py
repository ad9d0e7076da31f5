"""The catalogue and the remediations promise the same: a module for each entry that is not left to people."""

import pkgutil

import pytest

from apiward_core.catalogue import Recommendation, load_catalogue
from apiward_core.errors import GuardrailError
from apiward_playbooks import remediations
from apiward_playbooks.remediation import load_remediation

ENTRIES = list(load_catalogue())
MODULES = {module.name for module in pkgutil.iter_modules(remediations.__path__)}


def test_there_is_a_module_for_each_entry_that_is_not_guided_and_no_other() -> None:
    assert {entry.slug.replace("-", "_") for entry in ENTRIES if entry.remediation != "guided"} == MODULES


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_what_is_loaded_is_the_remediation_of_that_name_or_the_way_by_hand(entry: Recommendation) -> None:
    if entry.remediation == "guided":
        with pytest.raises(GuardrailError) as refused:
            load_remediation(entry)
        assert [step for step in entry.steps if step not in refused.value.remedy] == []
    else:
        assert load_remediation(entry).slug == entry.slug
