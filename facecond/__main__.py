"""`python -m facecond`, for torchrun and for checkouts that are not installed."""

from facecond.entry import main

if __name__ == "__main__":
    main()
