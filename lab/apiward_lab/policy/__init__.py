"""Azure Policy: definitions, initiatives, assignments and exemptions."""

from apiward_lab.policy.book import PolicyBook, Standing
from apiward_lab.policy.model import PolicyAssignment, PolicyExemption
from apiward_lab.policy.seed import ASSIGNED_BY_DEFENDER, seeded_policies
from apiward_lab.policy.service import Policy

__all__ = [
    "ASSIGNED_BY_DEFENDER",
    "Policy",
    "PolicyAssignment",
    "PolicyBook",
    "PolicyExemption",
    "Standing",
    "seeded_policies",
]
