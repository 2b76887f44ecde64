# SPDX-License-Identifier: Apache-2.0
"""kill -9 under the Kubernetes store while it is written to: nothing acknowledged is lost, no revision is used twice,
history has neither gap nor duplicate, and what a watch told is what is there afterwards.

KILL_ROUNDS (default 10) rounds on one file; `make soak` asks for 100."""
import os
import random
import subprocess
import time

from coracle_test import BIN

DRIVER = os.path.join(BIN, "store-driver")
ROUNDS = int(os.environ.get("KILL_ROUNDS", "10"))


def lines(data):
    """Whole lines only: the last one may have been cut."""
    return [x.split(" ") for x in data.decode().split("\n")[:-1]]


def write_and_kill(path, seconds):
    p = subprocess.Popen([DRIVER, "write", path], stdout=subprocess.PIPE)
    time.sleep(seconds)
    p.kill()
    out, _ = p.communicate()
    assert p.returncode == -9, out[-500:]
    return lines(out)


def dump(path):
    r = subprocess.run([DRIVER, "dump", path], stdout=subprocess.PIPE, timeout=60)
    assert r.returncode == 0
    return lines(r.stdout)


class History:
    """Everything that is known: by revision, what happened."""

    def __init__(self):
        self.events = {}
        self.newest = 1

    def saw(self, revision, key, now):
        revision = int(revision)
        assert self.events.setdefault(revision, (key, now)) == (key, now), f"revision {revision} means two things"

    def check(self, facts):
        """A dump against what is known; what it adds is known from now on."""
        head = [f for f in facts if f[0] == "open"][0]
        revision, compacted = int(head[1]), int(head[2])
        told = [(int(f[1]), f[2], f[3], f[4]) for f in facts if f[0] == "event"]
        state = {f[2]: (int(f[1]), f[3]) for f in facts if f[0] == "base"}
        first = max(compacted, 1)
        assert [t[0] for t in told] == list(range(first + 1, revision + 1)), "history has a gap or a duplicate"
        assert revision >= max(self.events, default=1), "an acknowledged write is lost"
        for r, key, prev, now in told:
            assert prev == (state[key][1] if key in state else "-"), f"the value before revision {r} is another"
            self.saw(r, key, now)
            if now == "-":
                del state[key]
            else:
                state[key] = (r, now)
        there = {f[2]: (int(f[1]), f[3]) for f in facts if f[0] == "key"}
        assert there == state, "the keys are not what history makes them"
        for key, (r, value) in there.items():
            self.saw(r, key, value)
        last = {}
        for r in sorted(self.events):
            last[self.events[r][0]] = (r, self.events[r][1])
        for key, (r, now) in last.items():
            assert (there.get(key) == (r, now)) if now != "-" else key not in there, f"{key} is not what was written last"
        self.newest = revision


def test_nothing_acknowledged_is_lost(tmp_path):
    path = str(tmp_path / "store.db")
    h = History()
    random.seed(7)
    n = 0
    for _ in range(ROUNDS):
        facts = write_and_kill(path, 0.05 + random.random() * 0.4)
        for f in facts:
            if f[0] == "open":
                assert int(f[1]) == h.newest or not h.events
            elif f[0] == "done":
                assert int(f[1]) > h.newest, "a revision was used again"
                h.saw(f[1], f[2], f[3])
                n += 1
            elif f[0] == "event":
                assert int(f[1]) > h.newest
                h.saw(f[1], f[2], f[4])
        told = [int(f[1]) for f in facts if f[0] == "event"]
        assert told == list(range(h.newest + 1, h.newest + 1 + len(told))), "the watch has a gap or a duplicate"
        h.check(dump(path))
    assert n > 10 * ROUNDS
