"""`python -m stainbridge` is the command `stainbridge`."""

from __future__ import annotations

from stainbridge.cli.main import main

if __name__ == "__main__":
    main()
