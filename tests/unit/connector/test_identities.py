import tracemalloc

from apiward_connector.identities import Identities, Identity
from tests.unit.connector.samples import SERVICE

BLOCK = 4096


def some(count: int) -> list[Identity]:
    return [(f"{SERVICE}/apis/{number}".lower(), "apim", f"api-{number % 7}") for number in range(count)]


def test_identities_are_found_by_position_in_closed_blocks_and_in_the_open_one() -> None:
    added, identities = some(2 * BLOCK + 3), Identities()
    identities.extend(added[:5])
    identities.extend(added[5:])
    sought = [0, 4, 5, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 2]
    assert len(identities) == len(added)
    assert list(identities.at(sought)) == [added[position] for position in sought]


def test_what_is_made_of_the_blocks_grows_on_at_the_end() -> None:
    added = some(BLOCK + 10)
    identities = Identities()
    identities.extend(added[: BLOCK + 2])
    again = Identities(identities.blocks())
    again.extend(added[BLOCK + 2 :])
    assert list(again.at(range(len(added)))) == added


def test_a_closed_block_takes_no_more_memory_than_its_bytes() -> None:
    added, identities = some(8 * BLOCK), Identities()
    identities.extend(added[:BLOCK])  # what is made once, such as tables of the encoder
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        identities.extend(added[BLOCK:])
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < 2 * sum(map(len, identities.blocks()))
