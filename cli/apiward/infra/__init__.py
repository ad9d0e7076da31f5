"""What apiward needs in the workspace before it can run: tables, the data collection rule, roles."""
