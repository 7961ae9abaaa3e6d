"""New random numbers for a process that would else share another's."""

import contextlib
import random
import sys
from typing import Any

# Bound here: user code patches modules, as tests do, and must not hit the worker (test_patched_modules.py).
_seed = random.seed


def reseed() -> None:
    """Seed the global generators anew: Python's and, where they are imported, numpy's and torch's.

    A generator that user code made itself (`random.Random()`, `numpy.random.default_rng()`) is none of these.
    """
    _seed()
    # User code may have put anything there.
    with contextlib.suppress(Exception):
        _module("numpy.random").seed()
    with contextlib.suppress(Exception):
        # That of the CPU. Those of GPUs cannot be here: they do not work in a forked process.
        _module("torch").default_generator.seed()


def _module(name: str) -> Any:
    return sys.modules[name]
