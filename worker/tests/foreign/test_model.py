"""The agent's model test of transactions, where numpy and pandas are installed."""

import os
import subprocess

import pytest

from foreign.service import ROOT, Service, ServiceSession

pytestmark = pytest.mark.foreign


def test_transactions_of_arrays_and_frames_leave_what_a_model_says(service: Service) -> None:
    session = ServiceSession(service)
    python = session.plain.python
    session.delete()
    ended = subprocess.run(
        ["npx", "mocha", "session-agent/test/transactions-model.test.ts", "--grep", "arrays and frames"],
        cwd=ROOT,
        env={**os.environ, "REPLPOOL_TEST_PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passing" in ended.stdout, ended.stdout
