"""The files that build, package and run the checks agree with one another."""

import ast
import os
import re
import subprocess
import tomllib

from packaging.requirements import Requirement
from packaging.version import Version

from tests.repo.source import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _kernels() -> dict[str, str]:
    """The extensions that setup.py lists, read without running it."""
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KERNELS":
            listed: dict[str, str] = ast.literal_eval(node.value)
            return listed
    raise AssertionError("setup.py has no KERNELS")


def _make_variable(name: str) -> list[str]:
    found = re.search(rf"^{name}\s*:?=\s*(.*)$", MAKEFILE, re.MULTILINE)
    assert found, f"the Makefile has no {name}"
    return found[1].split()


def test_every_kernel_source_is_an_extension() -> None:
    sources = {f"cext/{path.name}" for path in (ROOT / "cext").glob("*.pyx")}
    assert set(_kernels().values()) == sources


def test_every_kernel_has_a_stub_that_lint_checks() -> None:
    for module in _kernels():
        assert (ROOT / f"{module.replace('.', '/')}.pyi").is_file(), f"{module} has no stub"
    assert _make_variable("KERNELS") == list(_kernels())


def test_the_integration_run_is_make_test_and_nothing_else() -> None:
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    code = [line for line in run.read_text().splitlines() if line and not line.startswith("#")]
    assert code == ["exec env CI=true make test"]


def test_every_target_is_explained_or_internal() -> None:
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    explained = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert set(phony[1].replace("\\", " ").split()) - explained == {"preflight", "versions"}


def test_the_sdist_carries_the_kernels() -> None:
    assert "graft cext" in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()


def test_what_builds_the_package_also_rebuilds_the_kernels() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert sorted(extras["build"]) == sorted(PYPROJECT["build-system"]["requires"])


def test_the_changelog_has_the_version() -> None:
    version = PYPROJECT["project"]["version"]
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_lock_has_all_that_we_need_within_our_ranges_and_every_hash() -> None:
    text = (ROOT / "deploy" / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.findall(
        r"^([a-z0-9][\w.-]*)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)",
        text,
        re.MULTILINE,
    )
    assert len(blocks) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 20
    pinned = {name: Version(version) for name, version, _ in blocks}
    extras = PYPROJECT["project"]["optional-dependencies"]
    for wanted in map(
        Requirement, [*PYPROJECT["project"]["dependencies"], *extras["parquet"], *extras["pdf"]]
    ):
        assert pinned[wanted.name] in wanted.specifier, wanted
    assert "--find-links" not in text


def test_the_shell_can_read_every_recipe() -> None:
    """A macro with a blank too many is noticed only where it runs, which for the last stage is late."""
    for target in ("demo", "test", "test-long", "fuzz", "packaging"):
        # The shell reads and runs nothing; `make -n` would run the lines that call make.
        command = ["make", "--always-make", target, ".SHELLFLAGS=-nc"]
        read = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
        assert not read.returncode, f"make {target}: {read.stderr}"
