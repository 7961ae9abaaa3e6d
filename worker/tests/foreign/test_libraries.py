"""What the libraries of notebooks show in a session of a real service, and what is told of their arrays and frames."""

import base64
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from foreign.service import Service, ServiceSession

pytestmark = pytest.mark.foreign

SECONDS = 120.0
PNG = "image/png"
PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture
def session(service: Service) -> Iterator[ServiceSession]:
    made = ServiceSession(service)
    yield made
    made.delete()


def run(session: ServiceSession, code: str, status: str = "ok") -> dict[str, Any]:
    """The outcome of one execution."""
    outcome = session.run(code, SECONDS)
    assert outcome["status"] == status, outcome
    return outcome


def kinds(outcome: dict[str, Any]) -> list[set[str]]:
    """The kinds of each display."""
    return [set(one["data"]) for one in outcome["displays"]]


def size(bundle: dict[str, Any]) -> tuple[int, int]:
    """Width and height of its PNG."""
    image = base64.b64decode(bundle["data"][PNG])
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", image[16:24])
    return width, height


def test_open_figures_are_shown_after_an_execution_and_once(session: ServiceSession) -> None:
    shown = run(session, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nfig = plt.figure(); fig.add_subplot()")
    assert kinds(shown) == [{PNG, "text/plain"}] * 2
    assert run(session, "plt.get_fignums()")["result"]["data"] == {"text/plain": "[]"}
    assert run(session, "5")["displays"] == []
    assert run(session, "plt.get_backend()")["result"]["data"]["text/plain"] == "'agg'"


def test_figures_of_an_execution_that_fails_are_shown(session: ServiceSession) -> None:
    shown = run(session, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\n1 / 0", "error")
    assert kinds(shown) == [{PNG, "text/plain"}]
    assert shown["error"]["name"] == "ZeroDivisionError"


def test_a_figure_that_is_the_result_is_shown_once(session: ServiceSession) -> None:
    shown = run(session, "import matplotlib.pyplot as plt\nfig, axes = plt.subplots(figsize=(3, 2), dpi=50)\nfig")
    assert shown["displays"] == []
    # Tight, as notebooks have it.
    width, height = size(shown["result"])
    assert abs(width - 150) < 30
    assert abs(height - 100) < 30
    assert PNG in run(session, "fig")["result"]["data"]


def test_plt_show_shows_at_once_and_closes(session: ServiceSession) -> None:
    shown = run(
        session, "import matplotlib.pyplot as plt\nplt.plot([1]); plt.show(); n = plt.get_fignums(); plt.plot([2])\nn"
    )
    assert kinds(shown) == [{PNG, "text/plain"}] * 2
    assert shown["result"]["data"]["text/plain"] == "[]"
    assert "non-interactive" not in shown["stderr"]
    shown = run(session, "fig = plt.figure(); fig.add_subplot(); fig.show()")
    assert len(shown["displays"]) == 1
    assert run(session, "plt.plot([1]); plt.close()\nplt.figure()\nNone")["displays"] == []


def test_each_frame_of_an_animation_by_pause_is_shown(session: ServiceSession) -> None:
    run(session, "import matplotlib.pyplot as plt")
    code = "line, = plt.plot([1, 2])\nfor i in range(3):\n    line.set_ydata([i, 1]); plt.pause(0.01)"
    images = [one["data"][PNG] for one in run(session, code)["displays"]]
    assert len(images) == len(set(images)) == 3


def test_a_figure_that_cannot_be_drawn_is_told_of(session: ServiceSession) -> None:
    shown = run(session, r"import matplotlib.pyplot as plt; plt.plot([1]); plt.title(r'$\frac{$'); None")
    assert kinds(shown) == [{"text/plain"}]
    assert "ParseSyntaxException" in shown["stderr"] or "ParseFatalException" in shown["stderr"]
    assert run(session, "plt.plot([1]); None")["displays"][0]["data"].keys() == {PNG, "text/plain"}


def test_ipython_display_leads_here(session: ServiceSession) -> None:
    shown = run(
        session,
        "from IPython.display import *\nfrom IPython import get_ipython\n"
        "display(HTML('<b>'), Markdown('#'), Latex('$x$'), SVG('<svg/>'), JSON({'a': 1}), Javascript('1'))\n"
        "get_ipython() is None",
    )
    expected = [
        "text/html",
        "text/markdown",
        "text/latex",
        "image/svg+xml",
        "application/json",
        "application/javascript",
    ]
    assert kinds(shown) == [{kind, "text/plain"} for kind in expected]
    assert shown["displays"][4]["data"]["application/json"] == {"a": 1}
    assert (shown["stdout"], shown["result"]["data"]["text/plain"]) == ("", "True")
    updated = run(session, "h = display(1, display_id='d')\nupdate_display(2, display_id='d')")
    assert [one["data"]["text/plain"] for one in updated["displays"]] == ["2"]
    assert run(session, "display(1)\nclear_output()")["displays"] == []


def test_images_and_plotly_figures_and_frames_have_their_kinds(session: ServiceSession) -> None:
    shown = run(session, "from PIL import Image\nImage.new('RGB', (30, 20))")
    assert size(shown["result"]) == (30, 20)
    shown = run(session, "import plotly.graph_objects as go\nfig = go.Figure(go.Bar(y=[1, 2]))\nfig.show()\nfig")
    assert kinds(shown) == [{PLOTLY, "text/html"}]
    assert shown["result"]["data"].keys() == {PLOTLY, "text/html", "text/plain"}
    assert shown["result"]["data"][PLOTLY]["data"][0]["type"] == "bar"
    assert shown["stderr"] == ""
    shown = run(session, "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\ndisplay(df.style)\ndf")
    assert kinds(shown) == [{"text/html", "text/plain"}]
    assert shown["result"]["data"]["text/plain"] == "   a\n0  1\n1  2"
    assert "<table" in shown["result"]["data"]["text/html"]
    assert run(session, "df.a")["result"]["data"].keys() == {"text/plain"}
    shown = run(session, "import polars as pl\npl.DataFrame({'a': [1, 2]})")
    assert shown["result"]["data"].keys() == {"text/html", "text/plain"}
    assert kinds(run(session, "df.plot(); None")) == [{PNG, "text/plain"}]


NAMES = """
import numpy as np, pandas as pd, polars as pl, xarray as xr
class Mine(np.ndarray): pass
class Frame(pd.DataFrame):
    shape = property(lambda self: exit())
    __len__ = __getattr__ = lambda self, *_: exit()
array = np.zeros((3, 4)); scalar = np.float32(1.5); zero = np.array(7, dtype="int8"); mine = np.zeros(2).view(Mine)
fields = np.zeros(2, [("a", "i4"), ("b", "M8[ns]")]); masked = np.ma.zeros(5)
texts = np.array(["abc"]); objects = np.array([{}])
frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}); series = frame.a; words = frame.b; index = pd.Index([1.5, 2])
times = pd.Series(pd.date_range("2020", periods=3, tz="UTC")); some = pd.array([1, None], dtype="Int64")
category = pd.Series(["a", "b"], dtype="category"); levels = pd.MultiIndex.from_tuples([(1, 2)]); hidden = Frame(frame)
polar = pl.DataFrame({"a": [1, 2], "b": [1.0, 2.0]}); column = polar["a"]; cube = xr.DataArray(np.zeros((2, 3, 4)))
missing = pd.Series([1, None], dtype="Int64")
"""
EXPECTED: dict[str, tuple[list[int], str | None, int | None]] = {
    "array": ([3, 4], "float64", 96),
    "scalar": ([], "float32", 4),
    "zero": ([], "int8", 1),
    "mine": ([2], "float64", 16),
    "fields": ([2], "{a: int32, b: datetime64[ns]}", 24),
    "masked": ([5], "float64", 40),
    "texts": ([1], "str96", 12),
    "objects": ([1], "object", 8),
    "frame": ([2, 2], None, None),
    "series": ([2], "int64", 16),
    "index": ([2], "float64", 16),
    "category": ([2], "category", 2),
    "missing": ([2], "Int64", 18),
    "levels": ([1], None, None),
    "hidden": ([2, 2], None, None),
    "polar": ([2, 2], None, 32),
    "column": ([2], "Int64", 16),
    "cube": ([2, 3, 4], "float64", 192),
}


def test_arrays_and_frames_are_listed_with_shape_dtype_and_bytes(session: ServiceSession) -> None:
    run(session, NAMES)
    items = {item["name"]: item for item in session.variables()["items"]}
    for name, (shape, dtype, bytes_) in EXPECTED.items():
        assert items[name]["shape"] == shape, name
        assert items[name].get("dtype") == dtype, name
        if bytes_ is not None:
            assert items[name]["size"] == bytes_, name
    assert items["times"]["dtype"] == run(session, "str(times.dtype)")["result"]["data"]["text/plain"].strip("'")
    assert items["array"]["summary"] == "<ndarray (3, 4) float64>"
    assert items["scalar"]["summary"] == "np.float32(1.5)"
    assert items["frame"]["summary"] == "<DataFrame (2, 2)>"
    assert items["series"]["summary"] == "<Series (2,) int64>"
    previews = [session.variables(name)["preview"]["data"]["text/plain"] for name in ("array", "frame")]
    assert previews[0] == f"<ndarray (3, 4) float64>\n{[[0.0] * 4] * 3}"
    assert previews[1].startswith("<DataFrame (2, 2)>\n'a': int64 [1, 2]\n'b': ")


CHANGES = {
    "a cell of an array": ("x = np.zeros(1000)", "x[500] = 1"),
    "a cell of an array in another order": ("x = np.asfortranarray(np.zeros((30, 40)))", "x[5, 6] = 1"),
    "a cell of a slice": ("x = np.zeros((50, 60))[::2, ::3]", "x[5, 6] = 1"),
    "the dtype of an array": ("x = np.zeros(1000)", "x.dtype = 'i8'"),
    "the shape of an array": ("x = np.zeros(1000)", "x.shape = 10, 100"),
    "all of a large array": ("x = np.zeros(10**7)", "x += 1"),
    "the first of a large array": ("x = np.zeros(10**7)", "x[0] = 1"),
    "the last of a large array": ("x = np.zeros(10**7)", "x[-1] = 1"),
    "an object in an array": ("x = np.array([{}, 5], dtype=object)", "x[1] = 'five'"),
    "a time": ("x = np.zeros(9, 'M8[s]')", "x[3] += 5"),
    "what is masked": ("x = np.ma.zeros(9)", "x[3] = np.ma.masked"),
    "an array in a dict": ("x = {'a': [np.zeros(9)]}", "x['a'][0][3] = 1"),
    "a cell of a frame": ("x = pd.DataFrame({'a': range(9), 'b': 1.5})", "x.loc[3, 'a'] = 100"),
    "a text of a frame": ("x = pd.DataFrame({'a': list('abc')})", "x.loc[1, 'a'] = 'new'"),
    "a new column": ("x = pd.DataFrame({'a': range(9)})", "x['b'] = 1"),
    "a column's name": ("x = pd.DataFrame({'a': range(9)})", "x.columns = ['b']"),
    "rows that go": ("x = pd.DataFrame({'a': range(9)})", "x.drop(3, inplace=True)"),
    "an index": ("x = pd.DataFrame({'a': range(9)})", "x.index += 1"),
    "a value of a series": ("x = pd.Series([1, None], dtype='Int64')", "x[0] = 7"),
    "a new column in polars": ("x = pl.DataFrame({'a': [1]})", "x.insert_column(1, pl.Series('b', [1]))"),
    "a cell of xarray": ("x = xr.DataArray(np.zeros((2, 3)))", "x[1, 1] = 5"),
}


def test_changes_in_place_are_told_of_arrays_and_frames(session: ServiceSession) -> None:
    run(session, "import numpy as np, pandas as pd, polars as pl, xarray as xr")
    for what, (before, change) in CHANGES.items():
        run(session, before)
        assert run(session, "repr(x); x is None")["variables"]["changed"] == [], f"{what}: only read"
        assert run(session, change)["variables"]["changed"] == ["x"], what


FOREIGN_MEMORY = """
import ctypes, mmap, numpy as np, os
with open('data', 'wb') as file: file.write(bytes(1 << 16))
mapped = np.memmap('data', dtype=[('x', 'i4'), ('y', 'i4')], mode='r+')
part, record = np.asarray(mapped)[8:], mapped[1000]
file = open('data', 'r+b')
buffer = np.frombuffer(mmap.mmap(file.fileno(), 0), 'u1')
anonymous = ctypes.CDLL(None).mmap
anonymous.restype = ctypes.c_void_p
anonymous.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
pointer = anonymous(None, 4096, 3, 0x22, -1, 0)
pointed = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint8)), (4096,))
shrunk = np.zeros(1 << 20, 'u1')
view = shrunk[:: -(1 << 10)]
"""


def test_arrays_over_memory_that_goes_end_no_session(session: ServiceSession) -> None:
    run(session, FOREIGN_MEMORY)
    run(session, "os.truncate('data', 0)")
    run(session, "ctypes.CDLL(None).munmap(ctypes.c_void_p(pointer), ctypes.c_size_t(4096))")
    run(session, "shrunk.resize(10, refcheck=False)")
    assert {item["name"]: item for item in session.variables()["items"]}["record"]["summary"] == "np.void(…)"
    assert run(session, "kept = 1")["variables"]["added"] == ["kept"]
    assert run(session, "kept = 2")["variables"]["changed"] == ["kept"]


def test_changes_of_views_and_of_bytes_are_told(session: ServiceSession) -> None:
    run(session, "import numpy as np\nx = np.zeros((50, 50)).T[3:, ::-2]\ny = np.frombuffer(bytearray(80))")
    assert run(session, "x[0, 0] = y[1] = 5")["variables"]["changed"] == ["x", "y"]
