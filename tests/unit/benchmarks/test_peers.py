"""The job that peers are compared by: what we make of it is what plain Python makes of it."""

import numpy as np
import pytest

from benchmarks.peers import ours, python_loop
from benchmarks.peers.install import pins
from benchmarks.peers.job import make


@pytest.mark.parametrize("shape", ["session", "random"])
def test_we_do_the_job_of_the_peers(shape: str) -> None:
    job = make(20_000, shape)
    quoted = ours.prepare(job)()()
    assert quoted.sum() > 0
    np.testing.assert_array_equal(quoted, python_loop.prepare(job)()())


def test_every_peer_is_pinned() -> None:
    assert pins().keys() == {"csp", "polars", "duckdb", "numba", "bytewax", "confluent-kafka"}
    assert all(pins().values())
