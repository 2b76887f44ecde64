# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' client library (Go) drives our streaming servers: exec, attach and port-forward in every protocol, through two proxies' worth of hops."""
import os
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(scope="module")
def driver():
    subprocess.run(["make", "-s", "-C", TOP, "build/gcc/bin/stream-driver"], check=True)
    p = subprocess.Popen([f"{TOP}/build/gcc/bin/stream-driver"], stdout=subprocess.PIPE, text=True)
    yield p.stdout.readline().strip()
    p.terminate()
    assert p.wait(10) == -15


needs_go = pytest.mark.skipif(not shutil.which("go"), reason="no Go here")


@needs_go
def test_client_go_executors_and_port_forward(driver):
    subprocess.run(["make", "-s", "-C", TOP, "build/stream-oracle"], check=True)
    out = subprocess.run([f"{TOP}/build/stream-oracle", driver], capture_output=True, text=True, timeout=300)
    failed = [x for x in out.stdout.splitlines() if not x.startswith("ok ")]
    assert out.returncode == 0 and not failed, "\n".join(failed) + out.stderr
    assert len(out.stdout.splitlines()) > 100


@needs_go
def test_our_clients_against_kubernetes_servers():
    """cri-streaming as containerd serves it, behind the API server's translator and tunnel."""
    subprocess.run(["make", "-s", "-C", TOP, "build/stream-oracle", "build/gcc/bin/stream-client"], check=True)
    server = subprocess.Popen([f"{TOP}/build/stream-oracle", "serve"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        out = subprocess.run([f"{TOP}/build/gcc/bin/stream-client", *server.stdout.readline().split()], capture_output=True, text=True, timeout=100)
    finally:
        server.kill()
        server.wait()
    assert out.returncode == 0, out.stdout + out.stderr
    assert len(out.stdout.splitlines()) == 19
