"""Named mistakes, as changes of the source, and for each the law's test that must see it.

A mutant that no law kills would say that the law is a decoration. `old` must occur exactly once in its file.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOWS = "tests.laws.test_windows:test_windows_hold_all_obliged_time"
LAID = "tests.laws.test_windows:test_windows_are_laid_in_the_slots_own_obliged_time"
CONSERVATION = "tests.laws.test_conservation:test_all_obliged_time_is_accounted_for"
SPLIT = "tests.laws.test_split:test_any_split_gives_the_same_state"
READING = "tests.laws.test_reading:test_reading_changes_nothing"
NOTICING = "tests.laws.test_reading:test_a_breach_is_the_same_whenever_it_is_noticed"
RESTART = "tests.laws.test_snapshot:test_a_restart_is_never_noticed"
SAME_BYTES = "tests.laws.test_snapshot:test_the_same_state_gives_the_same_bytes"
PARITY = "tests.kernels.test_engine:test_the_kernel_is_its_plain_twin"
MERGE_PARITY = "tests.kernels.test_merge:test_the_merge_is_its_plain_twin"
ORDER = "tests.laws.test_order:test_a_permutation_within_the_lateness_changes_nothing"


@dataclass(frozen=True)
class Mutant:
    """`test` is module:function; a mutant in `cext` is compiled, with every index checked if `debug`."""

    law: str
    name: str
    file: str
    old: str
    new: str
    test: str
    debug: bool = False
    seen_as: str = "AssertionError"  # how the test must fail

    @property
    def compiled(self) -> bool:
        return self.file.startswith("cext/")

    def patched(self, text: str) -> str:
        """The file's text with the mistake in it."""
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.file} has {text.count(self.old)} times {self.old!r}"
            )
        return text.replace(self.old, self.new)


def _core(law: str, name: str, file: str, old: str, new: str, test: str) -> Mutant:
    return Mutant(law, name, f"mm_monitor/core/{file}", old, new, test)


PYTHON = (
    _core(
        "L1", "exclusions for all are forgotten", "totals.py",
        "np.where(gone, 0, for_all)", "np.where(gone, 0, 0)", CONSERVATION,
    ),
    _core(
        "L1", "a newcomer is judged from the day's start", "relayout.py",
        'slots["n_last"][begins | begins_dead] = new.cons["n_val"][con][begins | begins_dead]',
        "pass", CONSERVATION,
    ),
    _core(
        "L1", "a new layout begins all windows anew", "relayout.py",
        "getattr(new, name)[after] = getattr(old, name)[before]", "pass", WINDOWS,
    ),
    _core(
        "L2", "every batch settles before it", "evaluator.py",
        "edges = self.accruals.apply(rows, self.counts)",
        'edges = self.accruals.settle(int(rows["ts"][0])) + self.accruals.apply(rows, self.counts)',
        SPLIT,
    ),
    _core(
        "L2", "a rewound batch is counted twice", "evaluator.py",
        "self.counts[:], self.last = mark.counts, mark.last", "self.last = mark.last", SPLIT,
    ),
    _core(
        "L2", "a crossing is where its batch ends", "reach.py",
        "self._locate(rows, before)",
        "self._open(self._check(self.evaluator.last), self.evaluator.last, 0)", SPLIT,
    ),
    _core(
        "L3", "reading settles", "evaluator.py",
        "copy.load(self.accruals)\n        edges = copy.settle(t)",
        "edges = self.accruals.settle(t)\n        copy.load(self.accruals)", READING,
    ),
    _core(
        "L3", "a guess opens breaches", "evaluator.py",
        "if not estimate:\n            self.notice", "if edges:\n            self.notice", NOTICING,
    ),
    _core(
        "L4", "a breach starts when it is noticed", "edges.py",
        'accruals.instant(int(self.book.slot_con[slot]), int(edge["n"])),', "noticed_at,", NOTICING,
    ),
    _core(
        "L4", "a crossing is where one looks", "reach.py",
        "since = first_instant(since, t, partial(self._exceeds, self.found))", "since = t",
        NOTICING,
    ),
    _core(
        "L4", "an old end closes a new breach", "breaches.py",
        "if key is None or self.found[key].start > end:", "if key is None:", NOTICING,
    ),
    _core(
        "L5", "a feed that is down comes up by a restart", "snapshot.py",
        'conditions.feed.update({(scope, maker): since for scope, maker, since in state["feed"]})',
        "pass", RESTART,
    ),
    _core(
        "L5", "graces and windows start again", "snapshot.py",
        "getattr(accruals, name)[moved] = state[name]", "pass", RESTART,
    ),
    Mutant(
        "L7", "a part that lags is not waited for", "mm_monitor/sources/merge.py",
        "least = min(", "least = max(", ORDER,
    ),
    Mutant(
        "L7", "no lateness is allowed for", "mm_monitor/sources/merge.py",
        "allowed = least - self.lateness if", "allowed = least if", ORDER,
    ),
)  # fmt: skip

# Their occasion is rare: it takes more examples.
RARE = (
    Mutant(
        "L4", "evidence shows the theo that came after", "cext/engine.pyx",
        "return LAPSED <= s.state < DEEMED and (w.p.longest >= 0 or w.p.grace >= 0)", "return False",
        NOTICING,
    ),
    _core(
        "L5", "how it was cut is in the bytes", "snapshot.py",
        '"last": evaluator.last,', '"last": evaluator.last, "safe": evaluator.reach.safe_until,',
        SAME_BYTES,
    ),
    Mutant(
        "L1", "what is excluded for all is in no window", "cext/accrue.pxd",
        "add_windows(w, s, EXEMPT, t - c.t_last)", "pass", WINDOWS,
    ),
    _core(
        "L1", "an obligation that ends loses its exempt time", "relayout.py",
        'past["exempt"][ends] += for_all[ends]', "pass", CONSERVATION,
    ),
    Mutant(
        "L7", "the instant of the watermark leaves early", "mm_monitor/sources/merge.py",
        "kernels.count_before(run.rows, self.watermark)",
        "kernels.count_before(run.rows, self.watermark + 1)", ORDER,
    ),
)  # fmt: skip

_OVERRUN = (
    "L6", "slots beyond the last", "cext/rows.pxd",
    "    for k in range(c.slots):\n        s = slot_at(w, c.slot0 + k)\n        if afresh",
    "    for k in range(c.slots + w.slot_count):\n        s = slot_at(w, c.slot0 + k)\n        if afresh",
    PARITY,
)  # fmt: skip

# Each costs a compilation.
COMPILED = (
    Mutant(
        "L1", "deemed time is lost", "cext/accrue.pxd",
        "    elif s.state == DEEMED:\n        s.quoted += d", "    elif s.state == DEEMED:\n        s.quoted += 0",
        CONSERVATION,
    ),
    Mutant(
        "L1", "the rest of a stretch starts no window", "cext/windows.pxd",
        "d -= whole * width", "d = 0", LAID,
    ),
    Mutant(
        "L6", "the least size is too small", "cext/judge.pxd",
        "(b and b < c.min_size)", "(b and b <= c.min_size)", PARITY,
    ),
    Mutant(
        "L6", "a lapse of just the permitted length breaks", "cext/accrue.pxd",
        "before <= w.p.longest < s.current", "before <= w.p.longest <= s.current", PARITY,
    ),
    Mutant(
        "L7", "a row that comes twice counts twice", "cext/merge.pyx",
        "if out.last == NULL or before(out.last, row):", "if row != NULL:", MERGE_PARITY,
    ),
    Mutant(*_OVERRUN, debug=True, seen_as="IndexError"),
)  # fmt: skip

# The same overrun where no index is checked: no exception tells of it, only the twin does.
SILENT = Mutant(*_OVERRUN)
