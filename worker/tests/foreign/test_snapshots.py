"""Rollbacks and branches of sessions that work with numpy and pandas, on the interpreter that a service has made."""

from collections.abc import Iterator

import pytest

from agent import Launcher
from foreign.service import Service, ServiceSession
from pair import Pair

pytestmark = pytest.mark.foreign


@pytest.fixture(scope="module")
def launcher(service: Service) -> Iterator[Launcher]:
    """One whose sessions have the libraries."""
    session = ServiceSession(service)
    made = Launcher(session.plain.python)
    session.delete()
    made.start_zygote(preload=["numpy", "pandas"], cpu=2, env={"OPENBLAS_NUM_THREADS": "2"})
    yield made
    assert made.close() == 0


@pytest.fixture
def pair(launcher: Launcher) -> Iterator[Pair]:
    """A worker that is replaced by its twins."""
    made = Pair(launcher)
    yield made
    launcher.kill(made.worker)
    made.worker.close()


def test_a_rollback_undoes_changes_of_arrays_and_keeps_their_random_numbers(pair: Pair) -> None:
    pair.run("import numpy as np; a = np.arange(5); np.random.seed(3); g = np.random.default_rng(4)")
    pair.run("import copy; n, m = np.random.get_state(), copy.deepcopy(g.bit_generator.state)")
    pair.try_and_undo("a += 1; a[0] = 9; np.random.rand(); g.random()")
    assert pair.run("a.tolist()") == "[0, 1, 2, 3, 4]"
    assert (
        pair.run("bool((np.random.get_state()[1] == n[1]).all()), np.random.get_state()[2] == n[2]") == "(True, True)"
    )
    assert pair.run("g.bit_generator.state == m") == "True"


def test_a_rollback_undoes_changes_of_frames(pair: Pair) -> None:
    pair.run("import pandas as pd; f = pd.DataFrame({'a': [1, 2]})")
    pair.try_and_undo("f['b'] = 1; f.loc[0, 'a'] = 7; f.drop(index=1, inplace=True)")
    assert pair.run("f.to_dict('list')") == "{'a': [1, 2]}"


def test_a_pool_that_stops_itself_at_a_fork_is_no_hindrance(pair: Pair) -> None:
    pair.run("import os, numpy as np; a = np.ones((600, 600)); b = a @ a")
    threads = "len(os.listdir('/proc/self/task'))"
    assert int(pair.run(threads)) > 2
    pair.try_and_undo("b = a @ b")
    assert pair.run("float(b[0, 0]), float((a @ a)[1, 1])") == "(600.0, 600.0)"
    assert int(pair.run(threads)) > 2


def test_branches_have_the_arrays_and_random_numbers_of_their_own(pair: Pair) -> None:
    pair.run(
        "import numpy as np; np.random.seed(3); a = np.arange(1 << 20); b = np.ones((600, 600)) @ np.ones((600, 600))"
    )
    branches = [pair.launcher.branch(pair.worker, frozen) for frozen in pair.worker.fork("b1", "b2")]
    pair.run("a[:] = 0")
    drawn = {pair.run("np.random.randint(1 << 62)")}
    for branch in branches:
        assert branch.run("int(a.sum())").text == str(sum(range(1 << 20)))
        assert branch.run("float((b @ b)[0, 0])").text == "216000000.0"
        drawn.add(branch.run("np.random.randint(1 << 62)").text)
        pair.launcher.kill(branch)
        branch.close()
    assert len(drawn) == 3


def test_an_array_counts_by_its_data_in_a_copy(pair: Pair) -> None:
    pair.run("import numpy as np; a = np.ones(1 << 20); v = a[:5]; s = np.arange(3)")
    copy = pair.worker.snapshot(["copy"])
    assert [one["name"] for one in copy["value"]["notCopied"]] == ["a"]
    pair.run("s += 1")
    pair.worker.ask("rollback", snapshot=copy["snapshot"])
    assert pair.run("s.tolist()") == "[0, 1, 2]"
