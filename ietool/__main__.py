"""``python -m ietool``."""

from ietool.cli.app import main

if __name__ == "__main__":
    main()
