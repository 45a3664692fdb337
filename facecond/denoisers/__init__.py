"""The networks that remove noise; they see a sequence of tokens and know no condition by name."""
