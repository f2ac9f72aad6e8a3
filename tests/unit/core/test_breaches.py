"""The book of breaches: ids, idempotence, order."""

from __future__ import annotations

import hashlib

import pytest

from mm_monitor.core.breaches import BreachBook
from mm_monitor.core.model import Breach, breach_id


def opened(book: BreachBook, start: int, contract: str = "C0") -> Breach:
    return book.open("lapse", "M0", contract, "K0", start, "absent", {}, start + 5)


@pytest.mark.criterion("BRCH-01")
def test_id_is_the_hash_of_its_identity() -> None:
    text = b"book|3|lapse|M0|C0|17"
    assert breach_id("book", 3, "lapse", "M0", "C0", 17) == hashlib.sha256(text).hexdigest()[:32]


@pytest.mark.criterion("BRCH-01")
def test_opening_again_later_changes_nothing() -> None:
    book = BreachBook("book", 1)
    first = opened(book, 17)
    assert book.open("lapse", "M0", "C0", "K0", 17, "absent", {}, 9_999) == first
    assert [e.action for e in book.drain()] == ["opened"]


def test_an_end_noticed_again_does_not_end_the_next_breach() -> None:
    book = BreachBook("book", 1)
    opened(book, 10)
    book.close("lapse", "M0", "C0", 20, 25)
    opened(book, 40)
    book.close("lapse", "M0", "C0", 20, 45)
    assert book.is_open("lapse", "M0", "C0")
    assert [e.action for e in book.drain()] == ["opened", "closed", "opened"]


@pytest.mark.criterion("BRCH-02")
def test_withdrawn_breaches_are_told_and_gone() -> None:
    book = BreachBook("book", 1)
    opened(book, 10)
    book.drain()
    book.withdraw("lapse", 30)
    assert [e.action for e in book.drain()] == ["withdrawn"]
    assert book.sorted() == []


def test_sorted_by_start_kind_maker_contract() -> None:
    book = BreachBook("book", 1)
    for start, contract in ((20, "C0"), (10, "C2"), (10, "C1")):
        opened(book, start, contract)
    assert [(b.start, b.contract) for b in book.sorted()] == [(10, "C1"), (10, "C2"), (20, "C0")]
