# SPDX-License-Identifier: Apache-2.0
"""What is done with containers that exist: listed, read, entered, copied, watched, changed, ended."""
import json
import os
import re
import select
import socket
import subprocess
import tarfile
import time

from coracle_test import Engine, clients, wait_until
from hub import make_certificate


def popen(scene, *args):
    return subprocess.Popen([*scene.client.argv, *args], env=scene.engine.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def test_ps_filters_and_formats(scene):
    who = f"who={scene.client.name}"
    a, b = scene.box("ps-a", "--label", who, "--label", "n=1"), scene.name("ps-b")
    scene("run", "--name", b, "--label", who, "busybox", "sh", "-c", "exit 3", check=False)
    names = lambda *f: scene.out("ps", *f, "--filter", f"label={who}", "--format", "{{.Names}}").split()  # noqa: E731
    assert names() == [a] and names("-a") == [b, a]
    assert names("-a", "--filter", "exited=3") == [b] and names("-a", "--filter", "status=running") == [a]
    assert names("-a", "--filter", f"name={b}") == [b] and names("--filter", "label=n=1") == [a]
    assert names("-a", "--filter", f"before={b}") == [a] and names("-a", "--filter", f"since={a}") == [b]
    assert names("-a", "--filter", "ancestor=busybox") == [b, a] and names("-n", "1") == [b] and names("-l") == [b]
    assert names("-a", "--filter", "volume=/nowhere") == []
    cid = scene.inspect(a)["Id"]
    assert scene.out("ps", "-q", "--filter", f"id={cid[:10]}") == cid[:12] and scene.out("ps", "-q", "--no-trunc", "-f", f"id={cid}") == cid
    line = scene.out("ps", "-a", "--filter", f"name={b}", "--format", "{{.ID}}|{{.Image}}|{{.Command}}|{{.Status}}|{{.Label \"who\"}}")
    assert re.fullmatch(rf'[0-9a-f]{{12}}\|busybox\|"sh -c \'exit 3\'"\|Exited \(3\) .* ago\|{scene.client.name}', line)
    shown = json.loads(scene.out("ps", "-a", "-s", "--filter", f"name={b}", "--format", "json"))
    assert shown["State"] == "exited" and shown["Names"] == b and "virtual" in shown["Size"]
    assert "invalid filter 'nonsense'" in scene.refused("ps", "--filter", "nonsense=1")


def test_logs(scene):
    n = scene.name("logs")
    scene("run", "-d", "--name", n, "busybox", "sh", "-c", "for i in 1 2 3; do echo out $i; done; echo err >&2; sleep 1.2; echo last; sleep 1")
    wait_until(lambda: (r := scene("logs", n)) and r.stdout == "out 1\nout 2\nout 3\n" and r.stderr == "err\n")
    stamped = scene.out("logs", "-t", n).splitlines()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out 1", stamped)
    p = popen(scene, "logs", "-f", "--tail", "0", n)
    assert p.communicate(timeout=10)[0] == "last\n" and p.returncode == 0
    stamp = scene.out("logs", "-t", "--tail", "1", n).split()[0]
    assert scene.out("logs", "--since", stamp, n) == "last"
    assert scene.out("logs", "--tail", "1", n) == "last" and scene.out("logs", "--tail", "0", n) == ""
    assert scene.out("logs", "--until", "2001-01-01T00:00:00Z", n) == ""
    assert "No such container: nobody" in scene.refused("logs", "nobody")


def test_exec(scene):
    n = scene.box("exec", "-e", "A=1")
    assert scene.out("exec", "-e", "B=2", "-w", "/tmp", "-u", "daemon", n, "sh", "-c", "echo $A $B $(pwd) $(id -u)") == "1 2 /tmp 1"
    assert scene("exec", n, "sh", "-c", "echo o; echo e >&2; exit 4", check=False).returncode == 4
    assert scene.out("exec", "-i", n, "cat", stdin=None, input="in\n") == "in"
    scene("exec", "-d", n, "sh", "-c", "echo done > /tmp/d")
    wait_until(lambda: scene("exec", n, "cat", "/tmp/d", check=False).stdout == "done\n")
    missing = scene("exec", n, "no-such-program", check=False)
    assert missing.returncode == 127 and "executable file not found in $PATH" in missing.stderr + missing.stdout
    mine = next(x for x in open("/proc/self/status") if x.startswith("CapBnd"))
    assert scene.out("exec", "--privileged", n, "grep", "CapEff", "/proc/self/status").split()[1] == mine.split()[1]
    scene("stop", "-t", "0", n)
    assert "is not running" in scene.refused("exec", n, "true")


def test_cp_both_ways(scene, tmp_path):
    n = scene.box("cp")
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f").write_text("deep\n")
    (tmp_path / "x").write_text("plain\n")
    (tmp_path / "x").chmod(0o640)
    scene("cp", str(tmp_path / "x"), f"{n}:/tmp/y")
    assert scene.out("exec", n, "stat", "-c", "%a %s", "/tmp/y") == "640 6"
    scene("cp", str(tmp_path / "d"), f"{n}:/tmp")
    scene("cp", f"{tmp_path}/d/.", f"{n}:/root")
    assert scene.out("exec", n, "cat", "/tmp/d/e/f", "/root/e/f") == "deep\ndeep"
    scene("cp", f"{n}:/tmp/d", str(tmp_path / "back"))
    assert (tmp_path / "back/e/f").read_text() == "deep\n"
    scene("cp", f"{n}:/tmp/y", str(tmp_path / "z"))
    assert (tmp_path / "z").read_text() == "plain\n"
    out = subprocess.run([*scene.client.argv, "cp", f"{n}:/tmp/y", "-"], env=scene.engine.env(), capture_output=True, check=True).stdout
    (tmp_path / "t.tar").write_bytes(out)
    assert tarfile.open(tmp_path / "t.tar").getnames() == ["y"]
    subprocess.run([*scene.client.argv, "cp", "-", f"{n}:/home"], env=scene.engine.env(), input=out, check=True, capture_output=True)
    assert scene.out("exec", n, "cat", "/home/y") == "plain"
    scene("stop", "-t", "0", n)
    scene("cp", f"{n}:/home/y", str(tmp_path / "stopped"))
    assert "Could not find the file /not-there in container" in scene.refused("cp", f"{n}:/not-there", str(tmp_path))


def test_cp_does_not_follow_links_out_of_the_container(scene, tmp_path):
    n = scene.box("cplink")
    scene("exec", n, "ln", "-s", str(tmp_path), "/tmp/way")
    scene("exec", n, "mkdir", "-p", str(tmp_path))
    (tmp_path / "x").write_text("theirs\n")
    src = tmp_path / "src"
    src.write_text("new\n")
    scene("cp", str(src), f"{n}:/tmp/way/x")
    assert (tmp_path / "x").read_text() == "theirs\n" and scene.out("exec", n, "cat", f"{tmp_path}/x") == "new"


def test_stats_and_top(scene):
    n = scene.box("stats", "-m", "64m")
    row = json.loads(scene.out("stats", "--no-stream", "--format", "json", n))
    assert row["Name"] == n and row["PIDs"] == "1" and row["MemUsage"].endswith("/ 64MiB") and re.fullmatch(r"\d+\.\d\d%", row["CPUPerc"])
    assert re.search(rf"CONTAINER ID +NAME +CPU %.*\n[0-9a-f]{{12}} +{n} ", scene.out("stats", "--no-stream", n))
    top = scene.out("top", n).splitlines()
    assert top[0].split()[:3] == ["UID", "PID", "PPID"] and top[1].endswith("sleep 1000")
    assert scene.out("top", n, "-o", "pid,comm").splitlines()[1].split()[1] == "sleep"


def test_events(scene):
    n = scene.name("events")
    begin = time.time() - 0.01
    scene("run", "--rm", "--name", n, "busybox", "sh", "-c", "exit 5", check=False)
    end = time.time() + 0.01
    ask = ["events", "--since", f"{begin:.6f}", "--until", f"{end:.6f}"]
    seen = scene.out(*ask, "--filter", f"container={n}", "--format", "{{.Type}} {{.Action}}").splitlines()
    assert seen == ["container create", "container attach", "container start", "container die", "container destroy"]
    die = json.loads(scene.out(*ask, "--filter", f"container={n}", "--filter", "event=die", "--format", "json"))
    assert die["Actor"]["Attributes"]["exitCode"] == "5" and die["Actor"]["Attributes"]["image"] == "busybox"
    assert "network connect" in scene.out(*ask, "--filter", "type=network")
    p = popen(scene, "events", "--filter", f"container={n}", "--filter", "event=create", "--format", "{{.Actor.Attributes.name}}")

    def told():
        scene.engine.docker("create", "--name", n, "busybox", "true")
        return select.select([p.stdout], [], [], 0.3)[0] or scene.remove("container", n)
    try:
        wait_until(told)
        assert p.stdout.readline() == f"{n}\n"
    finally:
        p.kill()
        p.wait()


def test_rename_and_update(scene):
    n, m = scene.box("rename", "-m", "64m", "--memory-swap", "64m"), scene.name("renamed")
    scene("rename", n, m)
    assert scene.inspect(m)["Name"] == f"/{m}"
    assert f"No such object: {n}" in scene.refused("inspect", n).replace("no such object", "No such object")
    assert scene.out("update", "-m", "128m", "--memory-swap", "256m", "--cpus", "0.5", "--restart", "unless-stopped", "--pids-limit", "44", m) == m
    h = scene.inspect(m)["HostConfig"]
    assert h["Memory"] == 128 << 20 and h["NanoCpus"] == 500000000 and h["RestartPolicy"]["Name"] == "unless-stopped" and h["PidsLimit"] == 44
    pid = scene.inspect(m)["State"]["Pid"]
    group = dict(x.strip().split(":", 2)[1:] for x in open(f"/proc/{pid}/cgroup"))
    if "memory" in group:
        assert open(f"/sys/fs/cgroup/memory{group['memory']}/memory.limit_in_bytes").read().strip() == str(128 << 20)


def test_pause_and_unpause(scene):
    n = scene.box("pause")
    scene("pause", n)
    assert scene.inspect(n)["State"]["Status"] == "paused" and "(Paused)" in scene.out("ps", "--filter", f"name={n}")
    assert "is paused" in scene.refused("exec", n, "true")
    assert "already paused" in scene.refused("pause", n)
    scene("unpause", n)
    assert scene.out("exec", n, "echo", "awake") == "awake"
    assert "is not paused" in scene.refused("unpause", n)


def test_stop_start_restart_kill_wait(scene):
    n = scene.name("life")
    scene("run", "-d", "--name", n, "busybox", "sh", "-c", "trap 'exit 6' TERM; trap 'exit 8' HUP; echo up; while :; do sleep 0.05; done")
    ready = lambda times: wait_until(lambda: scene.out("logs", n).count("up") == times)  # noqa: E731
    ready(1)
    p = popen(scene, "wait", n)
    time.sleep(0.2)
    assert scene.out("stop", n) == n
    assert p.communicate(timeout=5)[0] == "6\n"
    assert scene.out("start", n) == n
    ready(2)
    first = scene.inspect(n)["State"]["StartedAt"]
    assert scene.out("restart", n) == n
    ready(3)
    assert scene.inspect(n)["State"]["StartedAt"] > first
    assert scene.out("kill", "-s", "HUP", n) == n
    assert scene.out("wait", n) == "8"
    assert "is not running" in scene.refused("kill", n)
    assert scene.out("stop", n) == n
    assert "No such container: nobody" in scene.refused("stop", "nobody")


def test_rm(scene):
    n = scene.box("rm")
    assert "container is running: stop the container before removing or force remove" in scene.refused("rm", n)
    assert scene.out("rm", "-f", n) == n
    assert "No such container" in scene.refused("rm", n)
    assert scene.out("container", "ls", "-aq", "--filter", f"name={n}") == ""


def test_diff(scene):
    n = scene.box("diff")
    scene("exec", n, "sh", "-c", "echo a > /tmp/new; rm -r /home; chmod 700 /root")
    assert sorted(scene.out("diff", n).splitlines()) == ["A /tmp/new", "C /root", "C /tmp", "D /home"]


def test_container_prune(scene):
    who = f"prune={scene.client.name}"
    n = scene.name("pruned")
    scene("run", "--name", n, "--label", who, "busybox", "true")
    cid = scene.inspect(n)["Id"]
    out = scene.out("container", "prune", "-f", "--filter", f"label={who}")
    assert f"Deleted Containers:\n{cid}\n" in out and "Total reclaimed space:" in out


def test_system(scene):
    scene.box("system")
    df = scene.out("system", "df")
    assert [x.split("  ")[0] for x in df.splitlines()] == ["TYPE", "Images", "Containers", "Local Volumes", "Build Cache"]
    assert "busybox" in scene.out("system", "df", "-v")
    info = json.loads(scene.out("info", "--format", "{{json .}}"))
    assert info["ContainersRunning"] >= 1 and info["Images"] >= 1 and info["OSType"] == "linux"
    version = json.loads(scene.out("version", "--format", "{{json .}}"))
    assert version["Server"]["Os"] == "linux" and version["Server"]["ApiVersion"]


def test_system_prune(scene):
    who = f"sysprune={scene.client.name}"
    n, net = scene.name("sysgone"), scene.name("sysnet", "network")
    scene("create", "--name", n, "--label", who, "busybox")
    scene("network", "create", "--label", who, net)
    out = scene.out("system", "prune", "-f", "--filter", f"label={who}")
    assert "Deleted Containers:" in out and f"Deleted Networks:\n{net}" in out and "Total reclaimed space: " in out


def test_client_over_tls(tmp_path):
    """A client on another host: TLS, and the client must have a certificate."""
    make_certificate(tmp_path)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    run = lambda *a: subprocess.run(a, cwd=tmp_path, check=True, capture_output=True)  # noqa: E731
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=client", "-keyout", "key.pem", "-out", "c.csr")
    (tmp_path / "cext").write_text("extendedKeyUsage=clientAuth\n")
    run("openssl", "x509", "-req", "-in", "c.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "cext", "-out", "cert.pem")
    os.rename(tmp_path / "ca.crt", tmp_path / "ca.pem")
    e = Engine(flags=["--host", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", str(tmp_path / "ca.pem"),
                      "--tlscert", str(tmp_path / "server.crt"), "--tlskey", str(tmp_path / "server.key")]).start()
    try:
        e.load("busybox")
        for c in clients():
            if c.missing():
                continue
            remote = ["-H", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", str(tmp_path / "ca.pem")]
            mine = ["--tlscert", str(tmp_path / "cert.pem"), "--tlskey", str(tmp_path / "key.pem")]
            assert e.cli(c, *remote, *mine, "run", "-i", "--rm", "busybox", "cat", stdin=None, input="far\n").stdout == "far\n"
            assert e.cli(c, *remote, "ps", check=False).returncode != 0
            assert e.cli(c, "-H", f"tcp://127.0.0.1:{port}", "ps", check=False).returncode != 0
            env = {**e.env(), "DOCKER_HOST": f"tcp://127.0.0.1:{port}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
            assert subprocess.run([*c.argv, "info", "-f", "{{.OSType}}"], env=env, capture_output=True, text=True).stdout == "linux\n"
    finally:
        left = e.stop()
    assert not left, left
