"""The one door to compiled code: exact integer loops over rows of memory that the caller owns, and option prices.

There is no slow path behind it: if the kernels are not built, importing this says how to build them. Set
`MM_MONITOR_KERNEL_DIR` to a directory with `mm_monitor/kernels/_*.so` to use another build (the debug one checks every
index). The plain twins, which are the specification, are `mm_monitor.kernels.reference*`.
"""

import os
from pathlib import Path

_other_build = os.environ.get("MM_MONITOR_KERNEL_DIR")
if _other_build:
    __path__.insert(0, str(Path(_other_build, "mm_monitor", "kernels")))

try:
    from mm_monitor.kernels._accounts import fold_accounts
    from mm_monitor.kernels._crossings import Looks
    from mm_monitor.kernels._decode import (
        check_quotes,
        check_theos,
        decode_quotes,
        decode_theos,
    )
    from mm_monitor.kernels._engine import (
        Arrays,
        apply_rows,
        compare,
        end_rests,
        note_fill,
        restate,
        set_clocks,
        set_stress,
        set_underlying,
        settle,
        shrink,
        slacks,
    )
    from mm_monitor.kernels._merge import count_before, merge_runs, survey, tell
    from mm_monitor.kernels._messages import Messages, count_messages, count_quotes
    from mm_monitor.kernels._pricing import price_columns, vol_columns
    from mm_monitor.kernels._records import crc32c, find_batches, read_records
    from mm_monitor.kernels._scan_fix import scan_quotes as scan_fix_quotes
    from mm_monitor.kernels._scan_json import fill_names
    from mm_monitor.kernels._scan_json import scan_quotes as scan_json_quotes
    from mm_monitor.kernels._scan_json import scan_theos as scan_json_theos
except ImportError as error:
    raise ImportError(
        f"mm-monitor's kernels are not built ({error}); build them with: python setup.py build_ext --inplace"
    ) from error

__all__ = [
    "Arrays",
    "Looks",
    "Messages",
    "apply_rows",
    "check_quotes",
    "check_theos",
    "compare",
    "count_before",
    "count_messages",
    "count_quotes",
    "crc32c",
    "decode_quotes",
    "decode_theos",
    "end_rests",
    "fill_names",
    "find_batches",
    "fold_accounts",
    "merge_runs",
    "note_fill",
    "price_columns",
    "read_records",
    "restate",
    "scan_fix_quotes",
    "scan_json_quotes",
    "scan_json_theos",
    "set_clocks",
    "set_stress",
    "set_underlying",
    "settle",
    "shrink",
    "slacks",
    "survey",
    "tell",
    "vol_columns",
]
