# SPDX-License-Identifier: Apache-2.0
"""exec, attach, cp, port-forward, logs and proxy through the whole chain (API server, kubelet, CRI), with every kubectl that is here."""
import base64
import fcntl
import glob
import json
import os
import pty
import signal
import socket
import ssl
import struct
import subprocess
import termios
import time
import urllib.request

import pytest
from cluster_test import KUBECTL
from coracle_test import wait_until

KUBECTLS = sorted(glob.glob("/usr/lib/google-cloud-sdk/bin/kubectl.1.*")) or [KUBECTL]
DATA = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def pods(cluster):
    cluster.pod("talks", [{"command": ["sh", "-c", "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done"]}])
    cluster.pod("web", [{"command": ["sh", "-c", "mkdir /www; echo hello > /www/index.html; httpd -f -p 8080 -h /www"], "ports": [{"containerPort": 8080}]}])
    cluster.wait_phase("talks", "Running")
    cluster.wait_phase("web", "Running")
    yield cluster
    cluster.delete("talks", "web", grace=0)


class Kubectl:
    def __init__(self, path, cluster):
        self.argv = [path, f"--kubeconfig={cluster.kubeconfig}", f"--cache-dir={cluster.engine.dir}/kubectl-cache"]

    def __call__(self, *args, stdin=b""):
        p = subprocess.run([*self.argv, *args], input=stdin, capture_output=True, timeout=60)
        return p.returncode, p.stdout, p.stderr.decode()

    def start(self, *args, **how):
        return subprocess.Popen([*self.argv, *args], stdout=subprocess.PIPE, **how)


@pytest.fixture(params=KUBECTLS, ids=os.path.basename)
def kubectl(request, pods):
    return Kubectl(request.param, pods)


def lines(p, n):
    try:
        return [p.stdout.readline() for _ in range(n)]
    finally:
        p.kill()
        p.wait()


def test_exec_carries_all_bytes_and_the_exit_code(kubectl):
    assert kubectl("exec", "-i", "talks", "--", "cat", stdin=DATA) == (0, DATA, "")
    code, out, err = kubectl("exec", "talks", "--", "head", "-c", "20000000", "/dev/zero")
    assert (code, len(out), err) == (0, 20_000_000, "")
    assert kubectl("exec", "talks", "--", "sh", "-c", "echo o; echo e >&2; exit 9") == (9, b"o\n", "e\ncommand terminated with exit code 9\n")
    assert kubectl("exec", "-i", "talks", "--", "sh", "-c", "exit 3", stdin=DATA)[0] == 3
    code, _, err = kubectl("exec", "talks", "--", "nosuch")
    assert code == 1 and 'exec: "nosuch": executable file not found in $PATH' in err
    for i in range(10):
        assert kubectl("exec", "talks", "--", "echo", f"x{i}") == (0, b"x%d\n" % i, "")


def test_a_terminal_follows_its_size(kubectl):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    p = subprocess.Popen([*kubectl.argv, "exec", "-it", "talks", "--", "sh", "-c", "sleep 0.3; stty size; read x; stty size; echo \"[$x]\""],
                         stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    got = b""
    while b"33 99" not in got:
        got += os.read(master, 1000)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    os.kill(p.pid, signal.SIGWINCH)
    time.sleep(0.3)
    os.write(master, b"hi\r")
    try:
        while b"[hi]" not in got:
            got += os.read(master, 1000)
    except OSError:
        pass
    assert p.wait(20) == 0 and b"50 120" in got and b"[hi]" in got
    os.close(master)


def test_attach_and_follow(kubectl):
    for args in (["attach", "talks"], ["logs", "-f", "--tail=1", "talks"]):
        got = lines(kubectl.start(*args, stderr=subprocess.DEVNULL), 3)
        assert all(x.startswith(b"line ") for x in got), (args, got)


def test_cp_both_ways(kubectl, tmp_path):
    (tmp_path / "f").write_bytes(DATA)
    assert kubectl("cp", str(tmp_path / "f"), "talks:/tmp/f")[0] == 0
    assert kubectl("cp", "talks:/tmp/f", str(tmp_path / "g"))[0] == 0
    assert (tmp_path / "g").read_bytes() == DATA


def test_port_forward_and_proxy(kubectl):
    p = kubectl.start("port-forward", "pod/web", ":8080", stderr=subprocess.PIPE, text=True)
    try:
        port = int(p.stdout.readline().split()[2].rsplit(":", 1)[1])
        for _ in range(20):
            assert urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read() == b"hello\n"
    finally:
        p.kill()
        p.wait()
    assert kubectl("get", "--raw", "/api/v1/namespaces/default/pods/web:8080/proxy/") == (0, b"hello\n", "")


def test_clients_that_vanish_leave_nothing_open(pods):
    k = Kubectl(KUBECTLS[-1], pods)

    def open_files():
        return [len(os.listdir(f"/proc/{x.pid}/fd")) for x in pods.processes.values()]
    before = open_files()
    left = [k.start("exec", "talks", "--", "sleep", "1000"), k.start("exec", "-i", "talks", "--", "cat", stdin=subprocess.PIPE),
            k.start("port-forward", "pod/web", ":8080"), k.start("logs", "-f", "talks"), k.start("attach", "talks", stderr=subprocess.DEVNULL)]
    left[2].stdout.readline()
    wait_until(lambda: all(a >= b + 4 for a, b in zip(open_files(), before)), 10)
    for p in left:
        p.kill()
        p.wait()
    wait_until(lambda: all(a <= b for a, b in zip(open_files(), before)), 15)


# --- clients that are not kubectl

def messages(cluster, path, protocol, seconds=1.0):
    """Handshakes by hand; status and what comes in that time, as (opcode, bytes)."""
    user = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)["users"][0]["user"]
    d = cluster.engine.dir
    for name, field in (("ws.crt", "client-certificate-data"), ("ws.key", "client-key-data")):
        with open(os.open(f"{d}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
            f.write(base64.b64decode(user[field]))
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    ctx.load_cert_chain(f"{d}/ws.crt", f"{d}/ws.key")
    with ctx.wrap_socket(socket.create_connection(("127.0.0.1", cluster.api_port))) as s:
        s.sendall((f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + (f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else "") + "\r\n").encode())
        s.settimeout(seconds)
        b, end = b"", time.monotonic() + seconds
        try:
            while time.monotonic() < end and (x := s.recv(65536)):
                b += x
        except TimeoutError:
            pass
    head, _, b = b.partition(b"\r\n\r\n")
    found = []
    while len(b) >= 2:
        n, at = b[1] & 127, 2
        if n == 126:
            n, at = int.from_bytes(b[2:4], "big"), 4
        elif n == 127:
            n, at = int.from_bytes(b[2:10], "big"), 10
        found.append((b[0] & 15, b[at:at + n]))
        b = b[at + n:]
    return int(head.split()[1]), found


POD = "/api/v1/namespaces/default/pods/"


def test_websocket_channels_of_other_clients(pods):
    run = POD + "talks/exec?command=echo&command=hi&stdout=true&stderr=true"
    assert messages(pods, run, "channel.k8s.io") == (101, [(2, b"\1"), (2, b"\1hi\n"), (8, b"\3\xe8")])
    assert messages(pods, run, None)[1] == [(2, b"\1"), (2, b"\1hi\n"), (8, b"\3\xe8")]
    status, got = messages(pods, run, "v4.channel.k8s.io")
    assert json.loads(got[2][1][1:]) == {"metadata": {}, "status": "Success"}
    status, got = messages(pods, run, "v4.base64.channel.k8s.io")
    assert got[:2] == [(1, b"1"), (1, b"1aGkK")] and json.loads(base64.b64decode(got[2][1][1:]))["status"] == "Success"
    assert messages(pods, run, "v9.channel.k8s.io")[0] == 403
    status, got = messages(pods, POD + "web/portforward?ports=8080", "v4.channel.k8s.io")
    assert got == [(2, b"\0\x90\x1f"), (2, b"\1\x90\x1f")]


def test_logs_and_watches_over_websocket(pods):
    status, got = messages(pods, POD + "talks/log?follow=true&tailLines=2", "binary.k8s.io")
    assert status == 101 and got[0] == (2, b"") and b"".join(x for _, x in got).startswith(b"line ") and len(got) > 3
    status, got = messages(pods, POD + "talks/log?tailLines=1", "base64.binary.k8s.io")
    assert base64.b64decode(got[1][1]).startswith(b"line ") and got[-1] == (8, b"\3\xe8")
    status, got = messages(pods, "/api/v1/namespaces?watch=1", None)
    assert status == 101 and all(op == 1 and json.loads(x)["type"] == "ADDED" for op, x in got) and len(got) >= 4
    assert messages(pods, POD + "nosuch/log", "binary.k8s.io")[0] == 404
