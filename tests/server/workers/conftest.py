"""A project for each test, to be spoilt."""

from __future__ import annotations

import pytest
from support import workers


@pytest.fixture
def project(tmp_path):
    """Its folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return workers.write(folder)
