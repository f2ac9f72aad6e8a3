"""The list of compiled extensions; everything else is in pyproject.toml.

Each mode owns a directory, because Cython decides by file time, not by directives, what to
regenerate: `build/release/` for the kernels that ship, `build/debug/` (MM_MONITOR_DEBUG=1) for
those that check every index of a memoryview, `build/asan/` (MM_MONITOR_DEBUG=asan) for those whose
every pointer the address sanitizer watches too.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

MODE = {"": "release", "0": "release", "1": "debug", "asan": "asan"}[
    os.environ.get("MM_MONITOR_DEBUG", "")
]
DEBUG = MODE != "release"
OUT = f"build/{MODE}"
SANITIZE = ["-fsanitize=address"] if MODE == "asan" else []
QUIET = ["-Wno-address-of-packed-member"]  # x86 and ARM64 read any address
EXACT = ["-ffp-contract=off"]  # every double is rounded where the source says, on every machine
FAST = ["-O3", "-g0"]  # no word of the directory that it was built in: equal sources, equal bytes
# What few rows need stays out of the loop that all of them go through: some 5 % less time a row.
LOOP = {"mm_monitor.kernels._engine": ["-fno-inline-functions-called-once"]}
DEBUGGING = ["-O1", "-g", *SANITIZE]

KERNELS = {
    "mm_monitor.kernels._engine": "cext/engine.pyx",
    "mm_monitor.kernels._merge": "cext/merge.pyx",
    "mm_monitor.kernels._decode": "cext/decode.pyx",
    "mm_monitor.kernels._scan_json": "cext/scan_json.pyx",
    "mm_monitor.kernels._scan_fix": "cext/scan_fix.pyx",
    "mm_monitor.kernels._messages": "cext/messages.pyx",
    "mm_monitor.kernels._pricing": "cext/pricing.pyx",
    "mm_monitor.kernels._accounts": "cext/accounts.pyx",
    "mm_monitor.kernels._crossings": "cext/crossings.pyx",
    "mm_monitor.kernels._records": "cext/records.pyx",
}
HEADERS = sorted(str(path) for ending in ("*.pxd", "*.h") for path in Path("cext").glob(ending))

DIRECTIVES = {
    "language_level": 3,
    "binding": True,  # signatures that stubtest can compare with the stubs
    "autotestdict": False,  # nor names in the modules that no stub has
    "auto_pickle": False,
    "boundscheck": DEBUG,
    "initializedcheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "show_performance_hints": not DEBUG,
}

# One place for what is built, whichever command builds it: nothing is compiled twice.
OPTIONS: dict[str, dict[str, str | int]] = {
    "build": {"build_base": OUT, "build_lib": f"{OUT}/lib"},
    "build_ext": {
        "build_lib": f"{OUT}/lib",
        "build_temp": f"{OUT}/temp",
        "parallel": os.cpu_count() or 1,
    },
}


def extension(name: str, source: str) -> Extension:
    """One kernel module; `MM_DEBUG` is 1 or 0 in its C, for assertions that cost nothing."""
    return Extension(
        name,
        [source],
        include_dirs=["cext"],
        depends=HEADERS,
        define_macros=[("MM_DEBUG", "1" if DEBUG else "0")],
        extra_compile_args=[
            *QUIET,
            *EXACT,
            *(DEBUGGING if DEBUG else [*FAST, *LOOP.get(name, [])]),
        ],
        extra_link_args=SANITIZE,
    )


setup(
    ext_modules=cythonize(
        [extension(name, source) for name, source in KERNELS.items()],
        build_dir=f"{OUT}/cython",
        include_path=["cext"],
        compiler_directives=DIRECTIVES,
        quiet=True,
    ),
    options=OPTIONS,
)
