# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coracle_test import Engine, clients  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for i in items:
            i.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def engine():
    """One engine for all scenes that do not harm it, with busybox loaded."""
    e = Engine().start()
    e.load("busybox")
    yield e
    left = e.stop()
    assert not left, f"left behind: {left}"


@pytest.fixture
def own_engine():
    """An engine of this test's own: it may be killed."""
    e = Engine()
    yield e
    left = e.stop()
    assert not left, f"left behind: {left}"


@pytest.fixture(params=clients(), ids=lambda c: c.name)
def client(request):
    if request.param.missing():
        pytest.skip(request.param.missing())
    return request.param
