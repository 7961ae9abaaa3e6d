"""One chapter a file; `table.py` finds them."""
