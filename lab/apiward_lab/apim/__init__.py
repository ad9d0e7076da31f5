"""API Management at api-version 2024-05-01."""

from apiward_lab.apim.service import ApiManagement

__all__ = ["ApiManagement"]
