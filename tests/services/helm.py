"""Builds Helm into the user's cache, by Go from its module proxy: `python -m tests.services.helm`.

It takes minutes of processor and is no service, so `make services` leaves it alone; without it the chart's tests skip.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.services import find

MODULE = "helm.sh/helm/v3/cmd/helm"
SECONDS = 1_800


def main() -> int:
    """0 also where there is no Go: then it says so."""
    if (there := find.helm()) is not None:
        print(f"==> helm: {there}")
        return 0
    go = find.program("go")
    if go is None:
        print("==> helm: cannot be built (needs Go); the tests of the chart will be skipped")
        return 0
    home = find.cache_dir() / f"helm-{find.HELM_VERSION}"
    print(f"==> helm: building {find.HELM_VERSION} into {home}", flush=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        built = Path(scratch) / "bin"
        done = subprocess.run(
            [go, "install", "-trimpath", "-ldflags=-s -w", f"{MODULE}@{find.HELM_VERSION}"],
            env={**os.environ, "GOBIN": str(built)}, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            print("\n".join(done.stderr.splitlines()[-5:]))
            return 1
        if not home.is_dir():  # another run may have been faster
            built.rename(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
