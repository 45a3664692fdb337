"""Measures: how well pictures follow their conditions, how well the first stage reconstructs."""
