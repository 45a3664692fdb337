"""Sets of synthesized faces: the folder they lie in, and the files by which other programs read it."""
