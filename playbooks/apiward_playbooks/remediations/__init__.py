"""One module per remediation, named by its slug with underscores; each holds a value REMEDIATION."""
