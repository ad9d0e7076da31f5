"""Guarded remediation: plan, approve, apply, verify, confirm, close; and back again."""
