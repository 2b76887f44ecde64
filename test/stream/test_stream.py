# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' client library (Go) drives our streaming servers: exec, attach and port-forward in every protocol, through two proxies' worth of hops."""
import fcntl
import glob
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading

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


# --- kubectl itself, every minor that is here

KUBECTLS = sorted(glob.glob("/usr/lib/google-cloud-sdk/bin/kubectl.1.*")) + ([shutil.which("kubectl")] if shutil.which("kubectl") else [])


@pytest.fixture(params=KUBECTLS or [None], ids=lambda k: os.path.basename(k) if k else "none")
def kubectl(request, driver, tmp_path):
    if not request.param:
        pytest.skip("no kubectl here")
    return [request.param, f"--server=http://127.0.0.1:{driver}", f"--cache-dir={tmp_path}", "--kubeconfig=/dev/null"]


def run(kubectl, *args, stdin=b"", ok=0):
    p = subprocess.run([*kubectl, *args], input=stdin, capture_output=True, timeout=60)
    assert p.returncode == ok, p.stderr.decode()
    return p.stdout, p.stderr.decode()


def test_kubectl_exec(kubectl):
    data = os.urandom(1_000_000)
    assert run(kubectl, "exec", "-i", "x", "--", "cat", stdin=data) == (data, "")
    assert run(kubectl, "exec", "x", "--", "both") == (b"out", "err")
    assert len(run(kubectl, "exec", "x", "--", "spit", "5000000")[0]) == 5_000_000
    assert run(kubectl, "exec", "x", "--", "exit", "42", ok=42)[1] == "command terminated with exit code 42\n"
    assert "executable file not found in $PATH" in run(kubectl, "exec", "x", "--", "nosuch", ok=1)[1]


def test_kubectl_attach(kubectl):
    out, err = run(kubectl, "attach", "-i", "x", stdin=b"hello\n")
    assert out == b"hello\n"


def test_kubectl_exec_in_a_terminal_of_this_size(kubectl):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    p = subprocess.Popen([*kubectl, "exec", "-it", "x", "--", "sizes"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    got = b""
    while b"99x33" not in got:
        got += os.read(master, 1000)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 1, 1, 0, 0))
    os.kill(p.pid, signal.SIGWINCH)
    assert p.wait(20) == 0
    os.close(master)


def test_kubectl_port_forward(kubectl):
    echo = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                c, _ = echo.accept()
            except OSError:
                return
            threading.Thread(target=lambda: (shutil.copyfileobj(c.makefile("rb"), c.makefile("wb")), c.shutdown(socket.SHUT_WR), c.close()), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    p = subprocess.Popen([*kubectl, "port-forward", "pod/x", f":{echo.getsockname()[1]}"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(p.stdout.readline().split()[2].rsplit(":", 1)[1])
        data = os.urandom(500_000)
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as c:
                threading.Thread(target=lambda c=c: (c.sendall(data), c.shutdown(socket.SHUT_WR)), daemon=True).start()
                assert b"".join(iter(lambda: c.recv(65536), b"")) == data
    finally:
        p.kill()
        p.wait()
        echo.close()
