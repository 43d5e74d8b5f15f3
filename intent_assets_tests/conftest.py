"""Projects to run jobs on, and the command line run in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from intent_assets_tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project of this test alone."""
    return Project(tmp_path)


@pytest.fixture(scope="module")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Makes projects that live as long as the module's tests; arguments are environment variables."""

    def make(**environ: str) -> Project:
        return Project(tmp_path_factory.mktemp("project"), dict(environ))

    return make


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `intent-assets ARGUMENTS` for a project, in this process."""
    from intent_assets.cli import main

    def run(project: Project, *arguments: str, **environ: str) -> Said:
        monkeypatch.chdir(project.root)
        monkeypatch.setenv("COLUMNS", "200")
        for name, value in {**project.variables(), **environ}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["intent-assets", *arguments])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        return Said(int(str(code or 0)), printed.out, printed.err)

    return run
