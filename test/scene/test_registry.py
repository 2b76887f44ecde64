# SPDX-License-Identifier: Apache-2.0
"""Course A10 to A12 and A1's pull: a private registry, push, pull, and a stand-in for Docker Hub."""
import os
import re
import socket
import subprocess

import pytest
from coracle_test import BIN, Engine, wait_until


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Registry:
    def __init__(self, folder):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen([os.path.join(BIN, "coracled"), "registry", "--root", str(folder), "--addr", self.address],
                                        stdin=subprocess.DEVNULL)
        wait_until(self.ready, 10)

    def ready(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    os.chmod(folder, 0o777)
    r = Registry(folder)
    yield r
    r.stop()


def test_a11_push_and_a12_pull_elsewhere(engine, client, registry):
    ref = f"{registry.address}/hello-{client.name}:v1"
    engine.cli(client, "tag", "busybox", ref)
    out = engine.cli(client, "push", ref).stdout
    assert f"The push refers to repository [{registry.address}/hello-{client.name}]" in out
    digest = re.search(r"v1: digest: (sha256:[0-9a-f]{64}) size: \d+", out)
    assert digest, out
    again = engine.cli(client, "push", ref).stdout
    assert "Layer already exists" in again and digest[1] in again
    engine.cli(client, "rmi", ref)
    out = engine.cli(client, "pull", ref).stdout
    assert f"v1: Pulling from hello-{client.name}" in out
    assert f"Digest: {digest[1]}" in out
    assert f"Status: Downloaded newer image for {ref}" in out
    assert engine.cli(client, "run", "--rm", ref, "echo", "pulled").stdout == "pulled\n"
    assert f"Status: Image is up to date for {ref}" in engine.cli(client, "pull", ref).stdout
    engine.docker("rmi", ref)


def test_a12_another_engine_pulls_and_runs(engine, registry, own_engine):
    ref = f"{registry.address}/other:v1"
    engine.docker("tag", "busybox", ref)
    engine.docker("push", ref)
    engine.docker("rmi", ref)
    own_engine.start()
    r = own_engine.docker("run", "--rm", ref, "echo", "there")
    assert r.stdout == "there\n"
    assert f"Unable to find image '{ref}' locally" in r.stderr
    own_engine.docker("rmi", ref)


def test_pulling_what_is_not_there_fails_with_dockers_words(engine, client, registry):
    r = engine.cli(client, "pull", f"{registry.address}/nothing:here", check=False)
    assert r.returncode == 1
    assert "not found" in r.stderr or "manifest unknown" in r.stderr
