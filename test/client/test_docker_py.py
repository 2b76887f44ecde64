# SPDX-License-Identifier: Apache-2.0
"""A program on docker-py drives containers, images, networks, logs and exec."""
import io
import tarfile

import docker
import pytest


@pytest.fixture(scope="module")
def api(engine):
    c = docker.DockerClient(base_url=f"unix://{engine.sock}", timeout=60)
    yield c
    c.close()


def test_version_and_ping(api):
    assert api.ping()
    v = api.version()
    assert v["ApiVersion"] == "1.51" and v["MinAPIVersion"] == "1.24"
    assert api.info()["OSType"] == "linux"


def test_run_returns_the_output(api):
    assert api.containers.run("busybox", ["echo", "from python"], remove=True) == b"from python\n"
    with pytest.raises(docker.errors.ContainerError) as x:
        api.containers.run("busybox", "sh -c 'echo bad >&2; exit 3'", remove=True)
    assert x.value.exit_status == 3 and b"bad" in x.value.stderr
    with pytest.raises(docker.errors.ImageNotFound):
        api.api.create_container("no-such-image-here")


def test_life_of_a_container(api):
    c = api.containers.run("busybox", "sh -c 'while :; do echo tick; sleep 0.1; done'", detach=True, name="py-life",
                           labels={"a": "b"}, environment={"X": "1"}, stop_signal="SIGKILL")
    try:
        assert c.status in ("created", "running")
        lines = c.logs(stream=True, follow=True)
        assert next(lines) == b"tick\n"
        code, out = c.exec_run(["sh", "-c", "echo $X; exit 4"], environment={"X": "2"})
        assert (code, out) == (4, b"2\n")
        code, (out, err) = c.exec_run("sh -c 'echo o; echo e >&2'", demux=True)
        assert (code, out, err) == (0, b"o\n", b"e\n")
        assert [x.name for x in api.containers.list(filters={"label": "a=b"})] == ["py-life"]
        c.pause()
        c.reload()
        assert c.status == "paused"
        c.unpause()
        s = c.stats(stream=False)
        assert s["memory_stats"]["usage"] > 0 and s["cpu_stats"]["cpu_usage"]["total_usage"] > 0
        assert c.top()["Titles"]
        c.rename("py-renamed")
        c.restart(timeout=1)
        c.stop(timeout=1)
        assert c.wait()["StatusCode"] == 137
    finally:
        c.remove(force=True)
    with pytest.raises(docker.errors.NotFound):
        api.containers.get("py-renamed")


def test_files_go_in_and_out(api):
    c = api.containers.create("busybox", "true")
    try:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as t:
            info = tarfile.TarInfo("note")
            info.size = 5
            t.addfile(info, io.BytesIO(b"hello"))
        assert c.put_archive("/tmp", raw.getvalue())
        data, stat = c.get_archive("/tmp/note")
        assert stat["name"] == "note" and stat["size"] == 5
        with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as t:
            assert t.extractfile("note").read() == b"hello"
        assert {"Path": "/tmp/note", "Kind": 1} in c.diff()
    finally:
        c.remove(force=True)


def test_build_tag_and_remove(api):
    image, log = api.images.build(fileobj=io.BytesIO(b"FROM busybox\nLABEL made=py\nCMD echo built\n"), tag="py-built:1", rm=True)
    assert image.labels["made"] == "py"
    assert api.containers.run("py-built:1", remove=True) == b"built\n"
    assert image.tag("py-other", "2")
    assert "py-other:2" in api.images.get("py-built:1").tags
    assert image.history()[0]["CreatedBy"].endswith('CMD ["/bin/sh" "-c" "echo built"]')
    saved = b"".join(image.save())
    api.images.remove("py-built:1")
    api.images.remove("py-other:2")
    with pytest.raises(docker.errors.ImageNotFound):
        api.images.get("py-built:1")
    assert api.images.load(saved)
    with pytest.raises(docker.errors.BuildError):
        api.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN false\n"), rm=True, forcerm=True)


def test_networks_resolve_names(api):
    n = api.networks.create("py-net", driver="bridge", labels={"x": "y"})
    try:
        a = api.containers.run("busybox", "sleep 100", detach=True, name="py-a", network="py-net")
        try:
            out = api.containers.run("busybox", "ping -c 1 -W 2 py-a", network="py-net", remove=True)
            assert b"1 packets received" in out
            n.reload()
            assert [c.name for c in n.containers] == ["py-a"]
            n.disconnect(a)
            n.reload()
            assert n.containers == []
        finally:
            a.remove(force=True)
    finally:
        n.remove()


def test_volumes_keep_data(api):
    v = api.volumes.create("py-vol", labels={"k": "v"})
    try:
        api.containers.run("busybox", "sh -c 'echo kept >/data/x'", volumes={"py-vol": {"bind": "/data", "mode": "rw"}}, remove=True)
        assert api.containers.run("busybox", "cat /data/x", volumes={"py-vol": {"bind": "/data", "mode": "ro"}}, remove=True) == b"kept\n"
    finally:
        v.remove()


def test_events_tell_what_happened(api):
    import time
    begin = time.time()
    api.containers.run("busybox", "true", name="py-ev", remove=True)
    seen = [e["Action"] for e in api.events(since=begin, until=time.time() + 1, decode=True, filters={"container": "py-ev"})]
    assert seen[:2] == ["create", "attach"] or seen[0] == "create"
    assert "start" in seen and "die" in seen and "destroy" in seen


def test_output_does_not_arrive_together_with_the_head(engine, api):
    """docker-py reads the answer's head through a buffer and then from the bare socket: what came along with the head would be lost."""
    import json
    import socket
    import time
    c = api.containers.run("busybox", "sleep 100", detach=True)
    try:
        for _ in range(5):
            ident = api.api.exec_create(c.id, ["echo", "out"])["Id"]
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(engine.sock)
                body = json.dumps({"Detach": False, "Tty": False}).encode()
                s.sendall(b"POST /exec/%s/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
                          b"Content-Length: %d\r\n\r\n" % (ident.encode(), len(body)) + body)
                time.sleep(0.05)
                head = s.recv(65536)
                assert head.endswith(b"\r\n\r\n"), head
                rest = b""
                while part := s.recv(65536):
                    rest += part
                assert rest == b"\x01\0\0\0\0\0\0\x04out\n"
    finally:
        c.remove(force=True)
