"""Which types a query can read: too many cost time, too few would lose rows."""

import pytest

from apiward_lab.resourcegraph.filters import types_read


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ("resources", None),
        ("resources | where type == 'a'", {"a"}),
        ("resources | where type =~ 'A' and name == 'x'", {"a"}),
        ("resources | where name == 'x' | where type == 'a'", {"a"}),
        ("resources | where type in~ ('A', 'b')", {"a", "b"}),
        ("resources | where type == 'a' or name == 'x'", None),
        ("resources | where type != 'a'", None),
        ("resources | where type !in ('a', 'b')", None),
        ("resources | where type == name", None),
        ("resources | where type in ('a', tolower(name))", None),
        ("resources | where type contains 'a'", None),
        ("resources | where tolower(type) == 'a'", None),
        ("resources | extend type = 'a' | where type == 'a'", None),
        ("resources | where type == 'a' | join (resources | where type == 'b') on id", {"a", "b"}),
        ("resources | where type == 'a' | join resources on id", None),
        ("resources | where type == 'a' | union (resources | where type == 'b')", {"a", "b"}),
        ("resourcecontainers | union resources | where type == 'a'", None),
    ],
)
def test_types_that_pass_the_first_filters(query: str, types: set[str] | None) -> None:
    assert types_read(query)["resources"] == types


def test_tables_are_told_apart_whatever_their_case() -> None:
    read = types_read("Resources | where type == 'a' | join kind=inner (ResourceContainers) on subscriptionId")
    assert read == {"resources": {"a"}, "resourcecontainers": None}
