"""``python -m goldvein``: the command line."""

from goldvein.cli import main

if __name__ == "__main__":
    main()
