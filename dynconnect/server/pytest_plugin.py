"""The plugin of pytest that is there where dynconnect is installed: the fixture `dynconnect`.

Only here: pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dynconnect.server.testing import TestServer


@pytest.fixture
def dynconnect() -> Callable[..., TestServer]:
    """Makes servers in memory, with clients of each protocol: see `dynconnect.server.testing.TestServer`.

    ``async with dynconnect("api.binpb", "plugins/") as server: client = server.client("grpc")``
    """
    from dynconnect.server.testing import TestServer

    return TestServer
