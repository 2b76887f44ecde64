# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster_test import KUBECTL, Cluster  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    if not os.path.exists(KUBECTL):
        pytest.skip("no kubectl here")
    c = Cluster()
    yield c
    left = c.stop()
    assert not left, f"left behind: {left}"


@pytest.fixture
def own_cluster():
    if not os.path.exists(KUBECTL):
        pytest.skip("no kubectl here")
    c = Cluster()
    yield c
    left = c.stop()
    assert not left, f"left behind: {left}"
