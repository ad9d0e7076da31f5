"""Workbooks as Azure resources (Microsoft.Insights/workbooks)."""

from apiward_lab.workbooks.service import Workbooks

__all__ = ["Workbooks"]
