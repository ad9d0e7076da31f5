"""GUIDs that stay the same."""

import uuid

_NAMESPACE = uuid.UUID("6d0cfb5e-6a4b-4b8e-9d0c-6f0a6a1f7c11")


def stable_id(seed: str, name: str) -> str:
    """A GUID that depends on the seed and the name only."""
    return str(uuid.uuid5(_NAMESPACE, f"{seed}/{name}"))
