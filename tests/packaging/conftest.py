"""Copies of the repository to build from, and environments to install into.

Nothing here needs a network: the fresh environments see the packages of the one that runs the
tests.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[2]
# Everything that a distribution is made from.
SOURCES = ("asdex", "rules", "pyproject.toml", "README.md", "LICENSE")


def run(command, cwd):
    """Standard output of a command that must succeed and must not see the repository."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment, used from an empty directory."""

    root: Path

    @property
    def python(self):
        folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        return self.root / folder / name

    def install(self, *what):
        """Install without dependencies, without isolation and without an index."""
        self._pip("--no-deps", "--no-build-isolation", *what)

    def install_with_dependencies(self, name, folder, *options):
        """Install by name, with all that it asks for, from the wheels in a folder."""
        self._pip("--find-links", folder, *options, name)

    def _pip(self, *what):
        pip = (sys.executable, "-m", "pip", "--python", self.python)
        run((*pip, "install", "--quiet", *what), cwd=self.root)

    def python_run(self, code, *options):
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        return run((self.python, "-P", "-W", "error", *options, "-c", code), cwd=elsewhere)


@pytest.fixture
def new_environment(tmp_path):
    """A function that makes a fresh environment, which sees the packages of this one too."""

    def make(name):
        root = tmp_path / name
        run((sys.executable, "-m", "venv", "--without-pip", root), cwd=tmp_path)
        environment = Environment(root)
        purelib = environment.python_run("import sysconfig; print(sysconfig.get_path('purelib'))")
        # A path file adds directories after this environment's own, and does not follow the path
        # files in them: an editable asdex of the outer environment stays out.
        outer = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        Path(purelib.strip(), "outer.pth").write_text("\n".join(outer) + "\n")
        return environment

    return make


@pytest.fixture
def source_tree(tmp_path):
    """A copy of the repository's sources, away from it."""
    tree = tmp_path / "source"
    tree.mkdir()
    for name in SOURCES:
        path = REPOSITORY / name
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, tree / name, ignore=ignored)
        else:
            shutil.copy(path, tree / name)
    return tree


@pytest.fixture
def build(tmp_path):
    """A function that builds the wheel or the sdist of a source tree."""

    def build(tree, kind):
        out = tmp_path / f"dist-{kind}-{tree.name}"
        command = (sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", out)
        run((*command, tree), cwd=tmp_path)
        (distribution,) = out.iterdir()
        return distribution

    return build
