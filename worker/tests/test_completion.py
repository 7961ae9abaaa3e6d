"""Where the cursor stands for completion and inspection."""

import pytest

from replpool_worker.completion import complete, inspect


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\f\n"])
def test_a_line_ends_where_jedi_says_so(end: str) -> None:
    code = f"x = 1{end}le"
    assert "len" in complete(code, len(code), {})["matches"]
    assert inspect(code + "n", 10**12, {})["found"]
