"""Makes mutants and lets a law's test try them, each in a process of its own: a mutant may do anything.

`python -m tests.laws.workshop MODULE:TEST EXAMPLES` runs one test on whatever `mm_monitor` is on the path, with a fixed
seed and no shrinking, and says what it raised. `... compile FILE MODULE BUILD debug|release` compiles one kernel.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.laws.mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]
SURVIVED = "survived"
DIRECTIVES = {"language_level": 3, "wraparound": False, "cdivision": True}
KERNELS = {"merge.pyx": "_merge"}  # every other file belongs to the engine


@dataclass(frozen=True)
class Bench:
    """Where one mutant lies: first on the path, and where its kernels are if they are its own."""

    home: Path
    kernels: Path | None

    def environment(self) -> dict[str, str]:
        """Of a process that is to import the mutant."""
        env = {key: value for key, value in os.environ.items() if key != "MM_MONITOR_KERNEL_DIR"}
        env["PYTHONPATH"] = os.pathsep.join([str(self.home), str(ROOT)])
        return env if self.kernels is None else env | {"MM_MONITOR_KERNEL_DIR": str(self.kernels)}


def make(mutant: Mutant, home: Path) -> Bench:
    """The mutant's files in `home`, compiled if need be."""
    folder = Path(mutant.file).parts[0]
    shutil.copytree(ROOT / folder, home / folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = home / mutant.file
    path.write_text(mutant.patched(path.read_text(encoding="utf-8")), encoding="utf-8")
    if not mutant.compiled:
        return Bench(home, None)
    module = KERNELS.get(path.name, "_engine")
    source, build = home / "cext" / f"{module[1:]}.pyx", home / "build"
    mode = "debug" if mutant.debug else "release"
    arguments = ["compile", str(source), module, str(build), mode]
    run = subprocess.run(
        [sys.executable, "-m", "tests.laws.workshop", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(f"{mutant.name} does not compile:\n{run.stdout}{run.stderr}")
    return Bench(home, build)


def verdict(mutant: Mutant, bench: Bench, examples: int) -> str:
    """The type of what the law's test raised, SURVIVED, or how the process ended."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.laws.workshop", mutant.test, str(examples)],
        cwd=bench.home, env=bench.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        return f"exit {run.returncode}: {run.stderr[-2000:]}"
    return run.stdout.split()[-1]


def _compile(source: str, module: str, build: str, mode: str) -> None:
    from Cython.Build import cythonize
    from setuptools import Extension
    from setuptools.dist import Distribution

    debug = mode == "debug"
    extension = Extension(
        f"mm_monitor.kernels.{module}",
        [source],
        include_dirs=[str(Path(source).parent)],
        define_macros=[("MM_DEBUG", str(int(debug)))],
        extra_compile_args=["-O0", "-w"],
    )
    made = cythonize(
        [extension],
        build_dir=f"{build}/cython",
        include_path=[str(Path(source).parent)],
        compiler_directives={**DIRECTIVES, "boundscheck": debug, "initializedcheck": debug},
        quiet=True,
    )
    command = Distribution({"ext_modules": made}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = build, f"{build}/temp"
    command.ensure_finalized()
    command.run()


def _try(test: str, examples: int) -> str:
    from hypothesis import HealthCheck, Phase, seed, settings

    module, _, name = test.partition(":")
    law = getattr(importlib.import_module(module), name)
    tried = settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(seed(1)(law))  # fmt: skip
    try:
        tried()
    except Exception as error:  # noqa: BLE001 - whatever the mistake leads to is the answer
        return type(error).__name__
    return SURVIVED


if __name__ == "__main__":
    if sys.argv[1] == "compile":
        _compile(*sys.argv[2:])
    else:
        print(_try(sys.argv[1], int(sys.argv[2])))
