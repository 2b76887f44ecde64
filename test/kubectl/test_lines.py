# SPDX-License-Identifier: Apache-2.0
"""The table of lines.py with the real kubectl and ours: standard output, errors and exit codes are the same, but for what KNOWN says."""
import os
import sys

import pytest

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "../kube")]
import compare  # noqa: E402
from cluster_test import Cluster  # noqa: E402
from coracle_test import BIN  # noqa: E402
from lines import FILES, KNOWN, LINES  # noqa: E402


def test_ours_says_what_the_real_one_says(tmp_path):
    if not os.path.exists(compare.REAL):
        pytest.skip("no kubectl 1.33 here")
    c = Cluster()
    try:
        sides = compare.prepare(c.kubeconfig, str(tmp_path), [os.path.join(BIN, "coracle"), "kubectl"], FILES)
        bad = [f"##### {line}\n{difference}" for line, how, difference in compare.run(LINES, sides) if difference and line not in KNOWN]
        compare.clean(sides)
    finally:
        left = c.stop()
    assert not bad, f"{len(bad)} of {len(LINES)} lines differ\n" + "\n".join(bad)
    assert not left, f"left behind: {left}"


def test_every_known_difference_stands_in_the_manual():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/kubectl.md")) as f:
        manual = " ".join(f.read().split())
    assert not [reason for reason in set(KNOWN.values()) if " ".join(reason.split()) not in manual]
