# SPDX-License-Identifier: Apache-2.0
"""Course A1: `docker run hello-world` against a stand-in for Docker Hub (HTTPS, token service, library/ names)."""
import os
import re
import shutil

import pytest
from coracle_test import BUILD, TOP, Engine, sh
from hub import Hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    h = Hub(tmp_path_factory.mktemp("hub"), users={"ann": "secret"})
    tar = os.path.join(h.folder, "hello.tar")
    sh(os.path.join(TOP, "tools/base-image"), "hello", tar, env={**os.environ, "BASE_IMAGE_CACHE": os.path.join(BUILD, "images")})
    with open(tar, "rb") as f:
        h.digest = h.add("library/hello-world", "latest", f.read(), {"Cmd": ["/hello"]})
    yield h
    h.stop()


@pytest.fixture(scope="module")
def hub_engine(hub):
    e = Engine(flags=["--hub-url", hub.url])
    certs = os.path.join(e.config, "certs.d", f"localhost:{hub.port}")
    os.makedirs(certs)
    shutil.copy(os.path.join(hub.folder, "ca.crt"), certs)
    e.start()
    yield e
    left = e.stop()
    assert not left, left


def test_a1_hello_world(hub_engine, hub, client):
    hub_engine.docker("rmi", "-f", "hello-world", check=False)
    r = hub_engine.cli(client, "run", "--rm", "hello-world")
    assert "Hello from Coracle!" in r.stdout
    lines = r.stderr.splitlines()
    assert lines[0] == "Unable to find image 'hello-world:latest' locally"
    assert lines[1] == "latest: Pulling from library/hello-world"
    assert re.search(r"^[0-9a-f]{12}: Pull complete$", r.stderr, re.M)
    assert lines[-2:] == [f"Digest: {hub.digest}", "Status: Downloaded newer image for hello-world:latest"]
    again = hub_engine.cli(client, "run", "--rm", "hello-world")
    assert again.stderr == "" and "Hello from Coracle!" in again.stdout


def test_pull_by_digest_and_missing_names(hub_engine, hub, client):
    out = hub_engine.cli(client, "pull", f"hello-world@{hub.digest}").stdout
    assert f"docker.io/library/hello-world@{hub.digest}: Pulling from library/hello-world" in out or "Pulling from library/hello-world" in out
    r = hub_engine.cli(client, "pull", "no-such-name", check=False)
    assert r.returncode == 1 and ("not found" in r.stderr or "pull access denied" in r.stderr or "manifest unknown" in r.stderr)


def test_a_damaged_layer_is_refused(hub_engine, hub):
    tar = os.path.join(hub.folder, "hello.tar")
    with open(tar, "rb") as f:
        hub.add("library/damaged", "latest", f.read() + b"\0" * 10240, {"Cmd": ["/hello"]})
    body, _ = hub.images[("library/damaged", "latest")]
    good = dict(hub.blobs)
    try:
        for d in hub.blobs:
            if d not in good or len(hub.blobs[d]) > 2000:
                hub.blobs[d] = hub.blobs[d][:-20] + b"x" * 20
        r = hub_engine.docker("pull", "damaged", check=False)
        assert r.returncode == 1, r.stdout
        assert hub_engine.docker("images", "-q", "damaged").stdout == ""
    finally:
        hub.blobs.update(good)


def test_login_tells_right_from_wrong(hub_engine, hub, client):
    good = hub_engine.cli(client, "login", "-u", "ann", "--password-stdin", f"localhost:{hub.port}", stdin=None, input="secret")
    assert "Login Succeeded" in good.stdout
    bad = hub_engine.cli(client, "login", "-u", "ann", "--password-stdin", f"localhost:{hub.port}", stdin=None, input="wrong", check=False)
    assert bad.returncode == 1 and "unauthorized" in bad.stderr.lower()
    hub_engine.cli(client, "logout", f"localhost:{hub.port}")
