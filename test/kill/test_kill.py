# SPDX-License-Identifier: Apache-2.0
"""kill -9 while work goes on: what was acknowledged is there afterwards, containers do not notice, nothing is left.

KILL_ROUNDS (default 10) rounds; `make soak` asks for 100."""
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from coracle_test import BIN, Engine, processes, wait_until

ROUNDS = int(os.environ.get("KILL_ROUNDS", "10"))


def test_containers_outlive_the_engine(own_engine):
    e = own_engine.start()
    e.load("busybox")
    e.docker("run", "-d", "--name", "long", "-p", "127.0.0.1::8000", "busybox", "sh", "-c",
             "mkdir /w; echo page >/w/index.html; httpd -p 8000 -h /w; i=0; while :; do echo tick $((i+=1)); sleep 0.05; done")
    e.docker("run", "-d", "--name", "short", "busybox", "sh", "-c", "sleep 1; exit 5")
    e.docker("run", "-d", "--name", "again", "--restart", "always", "busybox", "sh", "-c", "sleep 1")
    port = e.docker("port", "long", "8000").stdout.strip().rsplit(":", 1)[1]
    pid = e.docker("inspect", "-f", "{{.State.Pid}}", "long").stdout.strip()
    e.kill()
    import urllib.request
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read() == b"page\n"
    time.sleep(1.5)
    e.start()
    assert e.docker("inspect", "-f", "{{.State.Pid}} {{.State.Running}}", "long").stdout.split() == [pid, "true"]
    assert e.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "short").stdout.split() == ["exited", "5"]
    wait_until(lambda: e.docker("inspect", "-f", "{{.State.Running}}", "again").stdout.strip() == "true", 10)
    ticks = [int(x.split()[1]) for x in e.docker("logs", "long").stdout.splitlines()]
    assert ticks == list(range(1, len(ticks) + 1)) and len(ticks) > 20
    assert e.docker("exec", "long", "echo", "in").stdout == "in\n"
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read() == b"page\n"
    e.docker("rm", "-f", "long", "short", "again")


def test_nothing_acknowledged_is_lost(own_engine):
    e = own_engine.start()
    e.load("busybox")
    acknowledged, removed, unsure, stop = set(), set(), set(), threading.Event()

    def work(worker):
        n = 0
        while not stop.is_set():
            n += 1
            name = f"w{worker}n{n}"
            r = e.docker("create", "--name", name, "busybox", "true", check=False)
            if r.returncode == 0:
                acknowledged.add(name)
                if n % 3 == 0:
                    e.docker("start", name, check=False)
                if n % 2 == 0:
                    done = e.docker("rm", "-f", name, check=False).returncode == 0
                    (removed if done else unsure).add(name)
            else:
                time.sleep(0.02)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    random.seed(1)
    try:
        for _ in range(ROUNDS):
            time.sleep(random.uniform(0.05, 0.5))
            e.kill()
            e.start()
    finally:
        stop.set()
        for t in threads:
            t.join()
    there = set(e.docker("ps", "-a", "--format", "{{.Names}}").stdout.split())
    assert acknowledged, "no work was done"
    assert acknowledged - removed - unsure <= there, sorted(acknowledged - removed - unsure - there)
    assert not (removed & there), sorted(removed & there)
    ids = e.docker("ps", "-aq").stdout.split()
    if ids:
        e.docker("rm", "-f", *ids, timeout=120)
    wait_until(lambda: not [p for p in processes(e.dir) if " shim " in p], 10)


def test_a_killed_shim_leaves_nothing_mounted(own_engine):
    e = own_engine.start()
    e.load("busybox")
    for i in range(min(ROUNDS, 10)):
        e.docker("run", "-d", "--name", f"s{i}", "busybox", "sleep", "1000")
        shim = [p for p in processes(e.dir) if " shim " in p][0].split()[0]
        os.kill(int(shim), signal.SIGKILL)
        wait_until(lambda: e.docker("inspect", "-f", "{{.State.Running}}", f"s{i}").stdout.strip() == "false", 10)
        e.docker("rm", "-f", f"s{i}")


def test_an_unpack_job_that_dies_silently_fails_the_build(tmp_path):
    """A killed job leaves no last report: what it should have unpacked must not count as done."""
    fake = tmp_path / "coracle-runtime"
    fake.write_text(f'#!/bin/sh\n[ "$1" != unpack ] || {{ cat >/dev/null; exit 0; }}\nexec {BIN}/coracle-runtime "$@"\n')
    fake.chmod(0o755)
    (tmp_path / "ctx").mkdir()
    (tmp_path / "ctx/Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    e = Engine(flags=["--runtime-path", str(fake)]).start()
    try:
        r = e.docker("build", str(tmp_path / "ctx"), check=False)
        assert r.returncode == 1 and "ended without a report" in r.stderr, r.stderr
    finally:
        left = e.stop()
    assert not left, left
