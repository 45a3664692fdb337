"""Everything that can go wrong with files, words, memory and processes, tried many times: `python -m tests.torture`.

Each driver yields `Trial`s. `tests/commands/test_torture.py` runs a small share of each in the suite; the whole, with figures for
docs/reliability.md, takes `make torture`.
"""
