# SPDX-License-Identifier: Apache-2.0
"""cri-tools' crictl against our server: what streams, and that it understands the rest. `make crictl` installs it."""
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coracle_test import BUILD, Engine, sh, wait_until  # noqa: E402
from cri_client import EXITED, Cri  # noqa: E402

CRICTL = os.environ.get("CRICTL", os.path.join(BUILD, "crictl"))
pytestmark = pytest.mark.skipif(not os.path.exists(CRICTL), reason="no crictl: make crictl")


@pytest.fixture(scope="module")
def eng():
    e = Engine().start()
    e.load("busybox")
    yield e
    left = e.stop()
    assert not left, f"left behind: {left}"


@pytest.fixture
def cri(eng):
    c = Cri(eng.cri_sock)
    yield c
    c.remove_all()
    c.close()


def argv(eng, *args):
    return [CRICTL, "--config", "/dev/null", "-r", f"unix://{eng.cri_sock}", "-i", f"unix://{eng.cri_sock}", "-t", "20s", *args]


def crictl(eng, *args, **kw):
    return sh(*argv(eng, *args), **kw)


def test_life(cri, eng, tmp_path):
    (tmp_path / "p.json").write_text(json.dumps(dict(metadata=dict(name="p", namespace="n", uid="u", attempt=1), log_directory=str(tmp_path), linux={})))
    (tmp_path / "c.json").write_text(json.dumps(dict(metadata=dict(name="c"), image=dict(image="busybox"), command=["sh", "-c", "echo begun; sleep 1000"],
                                                     log_path="c.log", linux={})))
    p = crictl(eng, "runp", str(tmp_path / "p.json")).stdout.strip()
    c = crictl(eng, "create", p, str(tmp_path / "c.json"), str(tmp_path / "p.json")).stdout.strip()
    crictl(eng, "start", c)
    wait_until(lambda: crictl(eng, "logs", c).stdout == "begun\n")
    assert c[:13] in crictl(eng, "ps").stdout and p[:13] in crictl(eng, "pods").stdout
    assert json.loads(crictl(eng, "inspect", c).stdout)["status"]["state"] == "CONTAINER_RUNNING"
    assert json.loads(crictl(eng, "inspectp", p).stdout)["status"]["state"] == "SANDBOX_READY"
    pid = json.loads(crictl(eng, "inspect", c).stdout)["info"]["pid"]
    assert os.readlink(f"/proc/{pid}/ns/net") == f"net:[{os.stat(json.loads(crictl(eng, 'inspectp', p).stdout)['info']['netNamespace']).st_ino}]"
    assert json.loads(crictl(eng, "inspecti", "busybox").stdout)["info"]["imageSpec"]["os"] == "linux"
    assert "docker.io/library/busybox" in crictl(eng, "images").stdout
    assert json.loads(crictl(eng, "stats", "-o", "json").stdout)["stats"][0]["attributes"]["id"] == c
    crictl(eng, "update", "--cpu-quota", "30000", c)
    crictl(eng, "stopp", p)
    crictl(eng, "rmp", p)


def test_exec_streams(cri, eng):
    c = cri.container(cri.pod())
    assert crictl(eng, "exec", c, "echo", "hi").stdout == "hi\n"
    r = crictl(eng, "exec", c, "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert r.stdout == "out\n" and "err\n" in r.stderr and r.returncode != 0 and "exit code 7" in r.stderr
    data = os.urandom(300000)
    r = subprocess.run(argv(eng, "exec", "-i", c, "cat"), input=data, capture_output=True, timeout=60)
    assert r.stdout == data
    assert crictl(eng, "exec", c, "head", "-c", "5000000", "/dev/zero").stdout == "\0" * 5000000
    assert "not found" in crictl(eng, "exec", c, "nothere", check=False).stderr
    for way in ("spdy", "websocket"):
        assert crictl(eng, "exec", "--transport", way, c, "echo", way).stdout == way + "\n"


def test_exec_ends_with_its_client(cri, eng):
    c = cri.container(cri.pod())
    x = subprocess.Popen(argv(eng, "exec", "-i", c, "sleep", "4321"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_until(lambda: "sleep 4321" in cri.out(c, "ps"))
    x.kill()
    x.wait()
    wait_until(lambda: "sleep 4321" not in cri.out(c, "ps"))


def test_attach(cri, eng):
    p = cri.pod()
    c = cri.container(p, command=["sh", "-c", "while read x; do echo got $x; done; echo end; sleep 0.2"], stdin=True, stdin_once=True)
    r = subprocess.run(argv(eng, "attach", "-i", c), input=b"one\ntwo\n", capture_output=True, timeout=30)
    assert r.stdout == b"got one\ngot two\nend\n", r
    wait_until(lambda: cri.status(c).state == EXITED)


def test_port_forward(cri, eng):
    p = cri.pod()
    c = cri.container(p, command=["sh", "-c", "mkdir /w; echo inside > /w/index.html; httpd -f -p 127.0.0.1:8080 -h /w"])
    wait_until(lambda: "127.0.0.1:8080" in cri.out(c, "netstat -tln"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    f = subprocess.Popen(argv(eng, "port-forward", p[0], f"{port}:8080"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        def get():
            try:
                with socket.create_connection(("127.0.0.1", port), 2) as s:
                    s.settimeout(2)
                    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    return b"inside\n" in b"".join(iter(lambda: s.recv(1000), b""))
            except OSError:
                return False
        wait_until(get)
        assert all(get() for _ in range(10))
    finally:
        f.send_signal(signal.SIGINT)
        f.wait(10)
