"""Log Analytics: workspaces, tables, functions, data collection rules, Logs Ingestion and the query API."""

from apiward_lab.loganalytics.service import LogAnalytics
from apiward_lab.loganalytics.workspace import Workspace

__all__ = ["LogAnalytics", "Workspace"]
