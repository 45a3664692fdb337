"""`python -m facecond`, for torchrun and for checkouts that are not installed."""

from facecond.cli.main import main

if __name__ == "__main__":
    main()
