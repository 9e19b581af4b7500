"""A project for each test, to be spoilt."""

from __future__ import annotations

import shutil

import pytest
from support.project import write


@pytest.fixture(scope="session")
def _project(tmp_path_factory):
    return write(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(_project, tmp_path):
    """Its folder."""
    return shutil.copytree(_project, tmp_path / "project")
