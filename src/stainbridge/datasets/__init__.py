"""Data sets as they are published, read as cases: `read_cases(path)`."""
