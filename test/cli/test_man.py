# SPDX-License-Identifier: Apache-2.0
"""The manual pages that the command tables give: each command that help lists is there."""
import os
import re
import subprocess

import pytest

from coracle_test import BIN


@pytest.mark.parametrize("line", ["docker", "kubectl"])
def test_every_listed_command_is_in_the_manual(line):
    def out(*words):
        return subprocess.run([os.path.join(BIN, "coracle"), line, *words], capture_output=True, text=True, check=True).stdout
    listed = [w for w in re.findall(r"^  ([a-z-]+) +\S", out("--help"), re.M) if w not in (line, "options", "help")]
    assert len(listed) > 25, listed
    page = out("--generate-man").replace("\\-", "-")
    told = {w for row in re.findall(rf"^(?:\.SS {line}|Also:) (.+)", page, re.M) for w in re.findall(r"[a-z-]+", row)}
    assert not set(listed) - told
    assert page.startswith(".TH CORACLE-" + line.upper()) and not re.search(r"^\.(?!TH|SH|SS|TP|B )", page, re.M), "only the macros that are meant"
