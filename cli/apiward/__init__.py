"""The command line: where every part is wired to the others."""
