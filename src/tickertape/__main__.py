"""`python -m tickertape`: the same as the `tickertape` command."""

from __future__ import annotations

from tickertape.cli.main import main

if __name__ == "__main__":
    main()
