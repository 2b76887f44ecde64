# SPDX-License-Identifier: Apache-2.0
"""A control plane of this test's own (`coracled server`), and the kubectl binaries that are on the machine."""
import glob
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import http.client

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def kubectls():
    found = shutil.which("kubectl")
    if not found:
        return []
    return sorted(glob.glob(os.path.join(os.path.dirname(os.path.realpath(found)), "kubectl.1.*")))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, listen="127.0.0.1"):
        self.listen = listen
        self.dir = tempfile.mkdtemp(prefix="api-test-")
        os.chmod(self.dir, 0o711)    # the server runs as a user of its own
        self.port = free_port()
        self.process = None
        self.context = None

    def start(self):
        self.process = subprocess.Popen(
            [os.environ.get("CORACLED", os.path.join(ROOT, "build/bin/coracled")), "server", "--root", self.dir + "/root", "--run", self.dir + "/run",
             "--config", self.dir + "/config", "--listen", f"{self.listen}:{self.port}"],
            stderr=open(self.dir + "/log", "ab"))
        for _ in range(200):
            if b"server serves" in open(self.dir + "/log", "rb").read().split(b"BEGIN")[-1]:
                return self
            assert self.process.poll() is None, open(self.dir + "/log").read()
            time.sleep(0.05)
        raise AssertionError(open(self.dir + "/log").read())

    def kill(self, sig=signal.SIGKILL):
        self.process.send_signal(sig)
        self.process.wait(20)
        with open(self.dir + "/log", "ab") as f:
            f.write(b"BEGIN\n")

    def stop(self):
        self.kill(signal.SIGTERM)
        assert self.process.returncode == 0, open(self.dir + "/log").read()
        shutil.rmtree(self.dir)

    @property
    def kubeconfig(self):
        return self.dir + "/config/kubeconfig"

    def kubectl(self, binary, *args, stdin=None, ok=True):
        home = os.path.join(self.dir, "home-" + os.path.basename(binary))
        os.makedirs(home, exist_ok=True)
        r = subprocess.run([binary, *args], input=stdin, capture_output=True, text=True, timeout=60,
                           env={"HOME": home, "KUBECONFIG": self.kubeconfig, "PATH": os.environ["PATH"]})
        if ok:
            assert r.returncode == 0, f"{args}: {r.stdout}{r.stderr}"
        return r

    def tls(self):
        if self.context:
            return self.context
        import base64
        import re
        text = open(self.kubeconfig).read()
        files = {}
        for name in ("certificate-authority-data", "client-certificate-data", "client-key-data"):
            path = os.path.join(self.dir, name)
            with open(path, "wb") as f:
                f.write(base64.b64decode(re.search(name + r": *(\S+)", text).group(1)))
            files[name] = path
        c = ssl.create_default_context(cafile=files["certificate-authority-data"])
        c.load_cert_chain(files["client-certificate-data"], files["client-key-data"])
        self.context = c
        return c

    def connect(self, timeout=30):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls(), timeout=timeout)

    def ask(self, method, path, body=None, **headers):
        c = self.connect()
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, json.loads(data) if data[:1] == b"{" else data, r.headers


@pytest.fixture(scope="module")
def server():
    s = Server().start()
    yield s
    s.stop()


@pytest.fixture
def own_server():
    s = Server().start()
    yield s
    s.stop()


@pytest.fixture(params=kubectls() or [None], ids=lambda p: os.path.basename(p) if p else "none")
def kubectl(request, server):
    if not request.param:
        pytest.skip("no kubectl on this machine")

    def run(*args, **kw):
        return server.kubectl(request.param, *args, **kw)
    run.version = os.path.basename(request.param).removeprefix("kubectl.")
    run.server = server
    return run
