"""One configuration class per command, and the table that names them.

A class holds exactly the keys its command uses; the groups it nests (`model`, `trainer`, `sampler`, ...) are described in the other
files of `facecond.config`. Defaults follow the paper where the paper says something.
"""
