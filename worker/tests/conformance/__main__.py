"""Write docs/conformance.md."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent / "src")]

from conformance.table import PAGE, page  # noqa: E402

PAGE.write_text(page())
