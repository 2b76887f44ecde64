# SPDX-License-Identifier: Apache-2.0
"""The image store on the real unpacker, without an engine: archives, our registry, a stand-in for Docker Hub with TLS and tokens."""
import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test/scene"))
from hub import Hub  # noqa: E402

BIN = os.path.join(TOP, "build/bin")
DRIVER = os.path.join(BIN, "image-driver")


@pytest.fixture(scope="session", autouse=True)
def driver_built():
    subprocess.run(["make", "-s", "-C", TOP, "build/gcc/bin/image-driver"], check=True)


class Store:
    def __init__(self, root, **env):
        self.root, self.env = str(root), {**os.environ, **env}

    def __call__(self, *args, ok=True):
        p = subprocess.run([DRIVER, self.root, os.path.join(BIN, "coracle-runtime"), *args], env=self.env, capture_output=True, text=True, timeout=60)
        assert (p.returncode == 0) == ok, p.stdout + p.stderr
        return p.stdout if ok else p.stderr.strip()

    def files(self):
        return [os.path.join(d, f) for d, _, fs in os.walk(os.path.join(self.root, "image")) for f in fs]


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in files.items():
            i = tarfile.TarInfo(name)
            i.size, i.mode = len(data), 0o4755
            t.addfile(i, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "root")


@pytest.fixture
def based(store, tmp_path):
    """base:v1 and derived:v2 on it, which hides one file and adds one."""
    (tmp_path / "base.tar").write_bytes(tar_of({"bin/tool": b"x" * 10000, "etc/passwd": b"root:x:0:0::/:/bin/sh\n"}))
    store("import", str(tmp_path / "base.tar"), "base:v1")
    up = tmp_path / "up"
    (up / "etc").mkdir(parents=True)
    (up / "etc/new").write_text("hi\n")
    os.mknod(up / "etc/passwd", 0o20000, 0)
    store("commit", str(up), "base:v1", "derived:v2")
    return store


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    p = subprocess.Popen([os.path.join(BIN, "coracled"), "registry", "--root", str(tmp_path_factory.mktemp("reg")), "--addr", f"127.0.0.1:{port}"],
                         stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.02)
    yield f"127.0.0.1:{port}"
    p.terminate()
    p.wait(10)


def test_save_and_load_keep_ids_modes_and_whiteouts(based, tmp_path):
    before = based("list")
    based("save", str(tmp_path / "a.tar"), "base:v1", "derived:v2")
    based("rm", "derived:v2")
    based("rm", "base:v1")
    assert based.files() == []
    assert based("load", str(tmp_path / "a.tar")) == "Loaded image: base:v1\nLoaded image: derived:v2\n"
    assert based("list") == before
    top, bottom = based("dirs", "derived:v2").split()
    assert os.stat(top + "/etc/passwd").st_mode & 0o170000 == 0o20000
    assert os.stat(bottom + "/bin/tool").st_mode & 0o7777 == 0o4755
    subprocess.run(["zstd", "-q", str(tmp_path / "a.tar")], check=True)
    based("load", str(tmp_path / "a.tar.zst"))
    subprocess.run(["xz", "-k", "-0", str(tmp_path / "a.tar")], check=True)
    assert based("load", str(tmp_path / "a.tar.xz"), ok=False) == "xz compression is not supported: use gzip, zstd or no compression"


def test_push_and_pull_through_our_registry(based, registry):
    name = f"{registry}/derived:v2"
    based("tag", "derived:v2", name)
    assert ": Pushed\n" in based("push", name)
    assert ": Layer already exists\n" in based("push", name)
    for n in (name, "derived:v2", "base:v1"):
        based("rm", n)
    assert based.files() == []
    out = based("pull", name)
    assert out.startswith("v2: Pulling from derived\n") and f"Status: Downloaded newer image for {name}\n" in out
    assert "Image is up to date" in based("pull", name)


def test_docker_hub_with_tls_and_tokens(tmp_path):
    hub = Hub(tmp_path, users={"ann": "secret"})
    digest = hub.add("library/hello-world", "latest", tar_of({"hello": b"hi"}), {"Cmd": ["/hello"]})
    config = tmp_path / "config"
    (config / f"certs.d/localhost:{hub.port}").mkdir(parents=True)
    try:
        # localhost is checked too when it plays the hub
        s = Store(tmp_path / "root", IMAGE_HUB=hub.url, IMAGE_CONFIG=str(config))
        assert "certificate signed by unknown authority" in s("pull", "hello-world", ok=False)
        shutil.copy(tmp_path / "ca.crt", config / f"certs.d/localhost:{hub.port}")
        out = s("pull", "hello-world").splitlines()
        assert out[0] == "latest: Pulling from library/hello-world"
        assert out[-2:] == [f"Digest: {digest}", "Status: Downloaded newer image for hello-world:latest"]
        assert any("/token?" in a and "repository%3Alibrary%2Fhello-world%3Apull" in a for a in hub.asked)
        assert s("pull", "hello-world:nope", ok=False) == "manifest for hello-world:nope not found: manifest unknown: manifest unknown"
        ann = Store(tmp_path / "root", IMAGE_HUB=hub.url, IMAGE_CONFIG=str(config), IMAGE_USER="ann", IMAGE_PASSWORD="wrong")
        assert ann("pull", "hello-world", ok=False) == "unauthorized: incorrect username or password"
    finally:
        hub.stop()


def test_a_blob_that_lies_is_refused(tmp_path):
    hub = Hub(tmp_path)
    hub.add("library/bad", "latest", tar_of({"a": b"1"}), {})
    config = tmp_path / "config"
    (config / f"certs.d/localhost:{hub.port}").mkdir(parents=True)
    shutil.copy(tmp_path / "ca.crt", config / f"certs.d/localhost:{hub.port}")
    for d, blob in hub.blobs.items():
        if blob[:2] == b"\x1f\x8b":
            hub.blobs[d] = blob[:-1] + b"\x77"
    try:
        s = Store(tmp_path / "root", IMAGE_HUB=hub.url, IMAGE_CONFIG=str(config))
        assert "verification failed for digest" in s("pull", "bad", ok=False)
        assert s.files() == [] and s("list") == ""
    finally:
        hub.stop()
