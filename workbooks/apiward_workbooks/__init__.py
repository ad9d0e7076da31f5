"""The posture workbooks: Azure Workbook documents, their place in a workspace, and their rendering as reports."""
