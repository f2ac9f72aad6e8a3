"""Merge of sorted runs of tape rows by (ts, kind, part, offset, sub): the one total order of the tape.

Plain twin: mm_monitor/kernels/reference.py.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy
from layout cimport Row

cdef enum:
    MAX_RUNS = 1024


cdef inline bint before(const Row* a, const Row* b) noexcept nogil:
    if a.ts != b.ts:
        return a.ts < b.ts
    if a.kind != b.kind:
        return a.kind < b.kind
    if a.part != b.part:
        return a.part < b.part
    if a.offset != b.offset:
        return a.offset < b.offset
    return a.sub < b.sub


def first_unsorted(const Row[::1] rows):
    """Index of the first row that comes before its predecessor, or the number of rows if none does."""
    cdef int64_t i, n = rows.shape[0]
    with nogil:
        for i in range(1, n):
            if before(&rows[i], &rows[i - 1]):
                break
        else:
            i = n
    return i if n else 0


def merge_runs(list runs, Row[::1] out):
    """Merge sorted runs into `out`, dropping repeats of one (ts, kind, part, offset, sub); returns rows written.

    `out` must hold the sum of the lengths. At most 1024 runs.
    """
    cdef const Row* heads[MAX_RUNS]
    cdef const Row* ends[MAX_RUNS]
    cdef const Row* best
    cdef const Row* last = NULL
    cdef const Row[::1] run
    cdef int64_t total = 0, written = 0
    cdef int k, j, n = 0
    if len(runs) > MAX_RUNS:
        raise ValueError(f"runs: at most {MAX_RUNS}, got {len(runs)}")
    keep = []
    for item in runs:
        run = item
        if run.shape[0]:
            keep.append(run)
            heads[n] = &run[0]
            ends[n] = heads[n] + run.shape[0]
            total += run.shape[0]
            n += 1
    if out.shape[0] < total:
        raise ValueError(f"out: at least {total} rows, got {out.shape[0]}")
    with nogil:
        while n:
            k = 0
            for j in range(1, n):
                if before(heads[j], heads[k]):
                    k = j
            best = heads[k]
            heads[k] += 1
            if heads[k] == ends[k]:
                n -= 1
                heads[k] = heads[n]
                ends[k] = ends[n]
            if last != NULL and not before(last, best):
                continue
            memcpy(&out[written], best, sizeof(Row))
            last = &out[written]
            written += 1
    return written
