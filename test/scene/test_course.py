# SPDX-License-Identifier: Apache-2.0
"""Part A of the course, each row with the real clients and ours."""
import os
import re
import shutil
import subprocess
import time
import urllib.request

import pytest
from coracle_test import TOP, BIN, sh, wait_until

NAMESPACES = ["mnt", "uts", "ipc", "pid", "net", "cgroup"]


def name_of(client, what):
    return f"{what}-{client.name}"


def fetch(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as r:
        return r.read().decode()


def page(url, seconds=20):
    def once():
        try:
            return fetch(url, 3)
        except OSError:
            return None
    return wait_until(once, seconds, 0.05)


@pytest.fixture
def box(engine, client):
    """Names of containers that are removed afterwards."""
    names = []

    def make(what):
        n = name_of(client, what)
        engine.docker("rm", "-f", n, check=False)
        names.append(n)
        return n
    yield make
    for n in names:
        engine.docker("rm", "-f", "-v", n, check=False)


def test_a1_run_prints_what_the_program_prints(engine, client):
    r = engine.cli(client, "run", "--rm", "busybox", "echo", "hello", "world")
    assert r.stdout == "hello world\n"
    assert r.stderr == ""


def test_a1_exit_codes_reach_the_shell(engine, client):
    assert engine.cli(client, "run", "--rm", "busybox", "sh", "-c", "exit 7", check=False).returncode == 7
    missing = engine.cli(client, "run", "--rm", "busybox", "no-such-program", check=False)
    assert missing.returncode == 127
    assert 'exec: "no-such-program": executable file not found in $PATH' in missing.stderr
    denied = engine.cli(client, "run", "--rm", "busybox", "/etc/passwd", check=False)
    assert denied.returncode == 126
    assert "permission denied" in denied.stderr
    assert engine.cli(client, "run", "--rm", "--no-such-flag", "busybox", check=False).returncode == 125
    assert engine.cli(client, "run", "--rm", "busybox", "sh", "-c", "sh -c 'kill -9 $$'; exit $?", check=False).returncode == 137


def test_a2_publish_all_ports_gives_a_high_port_with_the_page(engine, client, box):
    engine.load("web")
    n = box("web")
    cid = engine.cli(client, "run", "-d", "-P", "--name", n, "web2048").stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", cid)
    shown = engine.cli(client, "port", n).stdout
    m = re.search(r"^80/tcp -> 0\.0\.0\.0:(\d+)$", shown, re.M)
    assert m and int(m[1]) >= 32768
    assert "2048" in page(f"http://127.0.0.1:{m[1]}/")
    ps = engine.cli(client, "ps").stdout
    assert re.search(rf"^{cid[:12]}\s+web2048\s.*Up .*0\.0\.0\.0:{m[1]}->80/tcp.*\s{n}$", ps, re.M)


def test_a3_interactive_reads_from_a_pipe(engine, client):
    r = engine.cli(client, "run", "-i", "--rm", "busybox", "cat", stdin=None, input="one\ntwo\n")
    assert r.stdout == "one\ntwo\n"


def terminal(engine, client, *args):
    """Starts a client under a terminal of its own; the process and the terminal's other end."""
    import pty
    import fcntl
    import struct
    import termios
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))

    def controlling():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    p = subprocess.Popen(client.argv + list(args), stdin=slave, stdout=slave, stderr=slave, env=engine.env(), preexec_fn=controlling)
    os.close(slave)
    return p, master


def read_until(fd, want, seconds=15):
    import select
    seen = b""
    end = time.time() + seconds
    while want not in seen:
        assert time.time() < end, f"no {want!r} in {seen!r}"
        if select.select([fd], [], [], 0.2)[0]:
            try:
                seen += os.read(fd, 4096)
            except OSError:
                break
    assert want in seen, seen
    return seen


def test_a3_terminal_has_the_windows_size_and_detaches(engine, client, box):
    n = box("tty")
    p, fd = terminal(engine, client, "run", "-it", "--name", n, "busybox", "sh")
    try:
        read_until(fd, b"/ # ")
        os.write(fd, b"stty size\n")
        read_until(fd, b"33 101")
        os.write(fd, b"\x10\x11")
        assert p.wait(10) == 0
        assert engine.docker("inspect", "-f", "{{.State.Running}}", n).stdout.strip() == "true"
    finally:
        p.kill()
        os.close(fd)
    p, fd = terminal(engine, client, "attach", n)
    try:
        os.write(fd, b"\necho back-$((40+2))\n")
        read_until(fd, b"back-42")
        os.write(fd, b"exit 3\n")
        assert p.wait(10) == 3
    finally:
        p.kill()
        os.close(fd)


def test_a7_build_prints_the_classic_text(engine, client, tmp_path, box):
    tag = f"hello-{client.name}:v1"
    ctx = tmp_path / "ctx"
    ctx.mkdir()
    (ctx / "app.txt").write_text("hello\n")
    (ctx / "Dockerfile").write_text('FROM busybox\nWORKDIR /app\nCOPY . /app\nRUN echo building && date +%s%N > /app/stamp\n'
                                    'EXPOSE 5000\nCMD ["cat", "app.txt"]\n')
    first = engine.cli(client, "build", "--no-cache", "-t", tag, str(ctx)).stdout
    want = (r"Sending build context to Docker daemon +[0-9.]+kB\s*\n"
            r"Step 1/6 : FROM busybox\n ---> [0-9a-f]{12}\n"
            r"Step 2/6 : WORKDIR /app\n ---> Running in [0-9a-f]{12}\nRemoving intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\n"
            r"Step 3/6 : COPY \. /app\n ---> [0-9a-f]{12}\n"
            r"Step 4/6 : RUN echo building && date \+%s%N > /app/stamp\n ---> Running in [0-9a-f]{12}\nbuilding\n"
            r"Removing intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\n"
            r"Step 5/6 : EXPOSE 5000\n ---> Running in [0-9a-f]{12}\nRemoving intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\n"
            r'Step 6/6 : CMD \["cat", "app.txt"\]\n ---> Running in [0-9a-f]{12}\nRemoving intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\n'
            rf"Successfully built [0-9a-f]{{12}}\nSuccessfully tagged {tag}\n")
    assert re.fullmatch(want, first.split("\r")[-1]) or re.search(want, first), first
    second = engine.cli(client, "build", "-t", tag, str(ctx)).stdout
    assert second.count(" ---> Using cache") == 5, second
    assert engine.cli(client, "run", "--rm", tag).stdout == "hello\n"
    # A15: a changed file adds one small layer and leaves those below alone
    before = engine.docker("inspect", "-f", "{{json .RootFS.Layers}}", tag).stdout
    (ctx / "app.txt").write_text("changed\n")
    third = engine.cli(client, "build", "-t", tag, str(ctx)).stdout
    assert third.count(" ---> Using cache") == 1, third
    after = engine.docker("inspect", "-f", "{{json .RootFS.Layers}}", tag).stdout
    assert before.split(",")[0] == after.split(",")[0] and before != after
    history = engine.cli(client, "history", tag).stdout
    assert re.search(r"COPY (dir|file):[0-9a-f]{64} in /app", history) or "COPY dir:" in history


def test_a7_a_failing_step_ends_the_build_with_its_code(engine, client, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN exit 9\n")
    r = engine.cli(client, "build", str(tmp_path), check=False)
    assert r.returncode == 9 or r.returncode == 1
    assert "The command '/bin/sh -c exit 9' returned a non-zero code: 9" in r.stderr


def test_a9_ten_steps_with_arguments(engine, client, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target/hotel-1.1.jar").write_bytes(os.urandom(1 << 20))
    (tmp_path / "app-config.yml").write_text("a: 1\n")
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nVOLUME /tmp\nARG JAR_FILE=target/*jar\nARG CONFIG_FILE\nARG DEPENDENCY=target/dependency\nARG LIB=target/lib/*\n"
        "COPY ${JAR_FILE} /app/app.jar\nCOPY ${CONFIG_FILE} /app/app-config.yml\nEXPOSE 8081\n"
        'ENTRYPOINT ["java","-jar","/app/app.jar","--spring.config.location=/app/app-config.yml"]\n')
    tag = f"127.0.0.1:5999/hotel-{client.name}:1.1"
    out = engine.cli(client, "build", "--no-cache", "-t", tag, "--build-arg", "JAR_FILE=target/hotel-1.1.jar", "--build-arg",
                     "CONFIG_FILE=app-config.yml", str(tmp_path)).stdout
    for i, text in enumerate(["FROM busybox", "VOLUME /tmp", "ARG JAR_FILE=target/*jar", "ARG CONFIG_FILE", "ARG DEPENDENCY=target/dependency",
                              "ARG LIB=target/lib/*", "COPY ${JAR_FILE} /app/app.jar", "COPY ${CONFIG_FILE} /app/app-config.yml", "EXPOSE 8081"]):
        assert f"Step {i + 1}/10 : {text}\n" in out
    copy = out[out.index("Step 7/10"):out.index("Step 8/10")]
    assert "Running in" not in copy
    assert out.count("Running in") == 7
    assert f"Successfully tagged {tag}\n" in out
    size = engine.cli(client, "run", "--rm", "--entrypoint", "stat", tag, "-c", "%s", "/app/app.jar").stdout.strip()
    assert size == str(1 << 20)


def test_a13_each_namespace_is_the_containers_own(engine, client):
    out = engine.cli(client, "run", "--rm", "busybox", "sh", "-c", "for n in %s; do readlink /proc/self/ns/$n; done" % " ".join(NAMESPACES[:5])).stdout.split()
    for n, theirs in zip(NAMESPACES, out):
        assert theirs.startswith(f"{n}:[") and theirs != os.readlink(f"/proc/self/ns/{n}")
    ps = engine.cli(client, "run", "--rm", "busybox", "ps", "-o", "pid,comm").stdout.splitlines()
    assert len(ps) == 2 and ps[1].split() == ["1", "ps"]
    assert engine.cli(client, "run", "--rm", "-h", "boat", "busybox", "hostname").stdout == "boat\n"
    links = engine.cli(client, "run", "--rm", "busybox", "ls", "/sys/class/net").stdout.split()
    assert sorted(links) == ["eth0", "lo"]
    assert engine.cli(client, "run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net").stdout.split() == ["lo"]


def cgroup_file(engine, container, controller, name):
    """A control group file of a container, on v1 or v2."""
    pid = engine.docker("inspect", "-f", "{{.State.Pid}}", container).stdout.strip()
    for line in open(f"/proc/{pid}/cgroup"):
        _, names, path = line.strip().split(":", 2)
        if controller in names.split(","):
            return open(f"/sys/fs/cgroup/{controller}{path}/{name}").read().strip()
        if names == "" and not os.path.isdir(f"/sys/fs/cgroup/{controller}"):
            return open(f"/sys/fs/cgroup{path}/{name}").read().strip()
    raise AssertionError(f"{container} is in no {controller} group")


@pytest.mark.parametrize("flags", [["--cpu-period", "100000", "--cpu-quota", "20000"], ["--cpus", "0.2"]], ids=["quota", "cpus"])
def test_a14_a_busy_loop_gets_its_fifth_of_a_cpu(engine, client, box, flags):
    n = box("busy")
    engine.cli(client, "run", "-d", "--name", n, *flags, "busybox", "sh", "-c", "while :; do :; done")
    if os.path.isdir("/sys/fs/cgroup/cpu"):
        assert cgroup_file(engine, n, "cpu", "cpu.cfs_quota_us") == "20000"
        read = lambda: int(cgroup_file(engine, n, "cpuacct", "cpuacct.usage")) / 1e9  # noqa: E731
    else:
        assert cgroup_file(engine, n, "cpu", "cpu.max") == "20000 100000"
        read = lambda: int(re.search(r"usage_usec (\d+)", cgroup_file(engine, n, "cpu", "cpu.stat"))[1]) / 1e6  # noqa: E731
    begin, t = read(), time.time()
    time.sleep(1.5)
    share = (read() - begin) / (time.time() - t)
    assert share < 0.30, share
    engine.cli(client, "update", "--cpu-period", "100000", "--cpu-quota", "50000", *([] if "--cpus" not in flags else []), n,
               check="--cpus" not in flags)


def test_a14_memory_over_the_limit_is_killed_and_said_so(engine, client, box):
    n = box("hungry")
    r = engine.cli(client, "run", "--name", n, "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
                   "x=a; while :; do x=$x$x; done", check=False)
    assert r.returncode == 137
    assert engine.docker("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", n).stdout.strip() == "true 137"


def test_a14_pids_limit_stops_a_fork_bomb(engine, client, box):
    n = box("bomb")
    r = engine.cli(client, "run", "--name", n, "--pids-limit", "20", "busybox", "sh", "-c",
                   "for i in $(seq 60); do sleep 5 & done; wait", check=False)
    assert "fork" in r.stderr or "resource" in r.stderr.lower(), r


def test_a15_diff_shows_what_changed(engine, client, box):
    n = box("diff")
    engine.cli(client, "run", "--name", n, "busybox", "sh", "-c", "echo x > /etc/new; rm /etc/group; echo y >> /etc/passwd")
    assert sorted(engine.cli(client, "diff", n).stdout.split("\n")) == sorted(["C /etc", "A /etc/new", "D /etc/group", "C /etc/passwd", ""])
