"""The identity of our rules in a workspace, by which an incident is known to be ours."""

from apiward_core.arm_id import ArmId
from apiward_rules.arm import RULE
from apiward_rules.items import content_items


def rule_ids(workspace: ArmId) -> frozenset[str]:
    """The ARM ids, in lower case, that our rules have in `workspace`.

    An incident is ours when one of its `relatedAnalyticRuleIds`, lower-cased, is among them: titles, descriptions and
    providers are rewritten by the Defender portal, rule ids are not.
    """
    return frozenset(item.resource_id(workspace).lower() for item in content_items() if item.kind is RULE)
