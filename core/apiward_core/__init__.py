"""The kernel that every part of apiward stands on: settings, clouds, credentials, SDK clients, tables."""
