"""Who gets which shares, over every course of joining, leaving and dying that chance brings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.cluster.sharing import shared_out

F = frozenset


def test_the_first_gets_all_and_the_second_what_the_first_lets_go() -> None:
    assert shared_out(4, {"a": F()}) == {"a": [0, 1, 2, 3]}
    first = shared_out(4, {"a": F({0, 1, 2, 3}), "b": F()})
    assert first == {"a": [0, 1], "b": []}  # nobody gets what another still runs
    assert shared_out(4, {"a": F({0, 1}), "b": F()}) == {"a": [0, 1], "b": [2, 3]}


def test_what_the_dead_ran_goes_to_those_with_the_least() -> None:
    assert shared_out(4, {"b": F({2}), "c": F({3})}) == {"b": [0, 2], "c": [1, 3]}


def test_more_members_than_shares_leave_some_waiting() -> None:
    assert shared_out(2, {"a": F({0}), "b": F({1}), "c": F()}) == {"a": [0], "b": [1], "c": []}


def test_two_that_claim_one_share_both_let_go() -> None:
    assert shared_out(3, {"a": F({0, 1}), "b": F({1, 2})}) == {"a": [0], "b": [2]}


@given(shares=st.integers(1, 12), data=st.data())
def test_nobody_gets_what_another_runs_and_all_settle_evenly(
    shares: int, data: st.DataObject
) -> None:
    members = data.draw(st.sets(st.sampled_from("abcde"), min_size=1))
    running = {m: F(data.draw(st.sets(st.integers(0, shares + 1)), label=m)) for m in members}
    for _ in range(
        4
    ):  # rounds: everybody lets go of what was not given to them, then runs the rest
        told = shared_out(shares, running)
        assert told.keys() == members
        given = [share for had in told.values() for share in had]
        assert len(given) == len(set(given))
        for member, had in told.items():
            others = set().union(*(running[m] for m in members if m != member))
            assert not others & set(had)
        running = {member: F(had) for member, had in told.items()}
    sizes = [len(held) for held in running.values()]
    assert sum(sizes) == shares
    assert max(sizes) - min(sizes) <= 1
    assert {m: F(had) for m, had in shared_out(shares, running).items()} == running  # and stays
