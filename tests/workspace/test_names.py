"""Names of runs, packs and generations never leave the workspace."""

import pytest

from facecond.errors import ConfigError
from facecond.workspace.names import LONGEST, check_name

BAD = ["", " ", ".", "..", "../up", "/abs", "a/b", "a\\b", "c:d", ".hidden", "-m", " a", "a ", "a\nb", "a\x00b", "a\u202eb",
       "\u2003", "x" * (LONGEST + 1), "\u00e9" * LONGEST]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_of_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="name="):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "my run", "run-1_2.x", "Gesichter-\u00fc", "x" * LONGEST, "a..b", "+x", "~x"])
def test_names_people_give_are_taken(name: str) -> None:
    check_name(name)
