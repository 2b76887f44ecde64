# SPDX-License-Identifier: Apache-2.0
"""The shim on the real kernel."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coracle_test import mounts  # noqa: E402
from harness import RUNTIME, Failed, Shim, read_frames, wait_for  # noqa: E402


@pytest.fixture
def make(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("s"))
    made, before = [], mounts(path)

    def new(args, name=None, **more):
        s = Shim(path, name or "c%d" % len(made), args, **more)
        made.append(s)
        return s
    yield new
    for s in made:
        try:
            log = open(s.bundle + "/shim.log").read()
        except OSError:
            log = ""
        s.kill()
        assert log == "", log
    assert mounts(path) == before
    shutil.rmtree(path)
    for d in glob.glob("/sys/fs/cgroup/*/coracle-test-shim") + glob.glob("/sys/fs/cgroup/coracle-test-shim"):
        assert not [x for x in os.listdir(d) if os.path.isdir(d + "/" + x)], d
        os.rmdir(d)


SH = "/bin/sh"


def test_output_status_and_log(make):
    s = make([SH, "-c", "echo hi; echo err >&2; printf 'no end \\001<\\377'; exit 3"])
    a = s.attach()
    m = s.call("start")
    assert m["pid"] > 0
    assert s.event("started")["pid"] == m["pid"]
    assert read_frames(a) == {1: b"hi\nno end \x01<\xff", 2: b"err\n"}
    assert s.event("exited")["status"] == 3
    e = s.exit()
    assert e["status"] == 3 and e["id"] == "c0" and e["time"] >= e["started"]
    assert s.text("stdout") == "hi\nno end \x01<\ufffd" and s.text("stderr") == "err\n"
    with pytest.raises(Failed):
        s.attach()
    s.delete()
    assert not os.path.exists(s.state_root + "/c0")


def test_exit_is_on_disk_before_it_is_told(make):
    for i in range(10):
        s = make([SH, "-c", "exit %d" % i])
        s.call("start")
        assert s.event("exited")["status"] == i and s.exit()["status"] == i
        s.delete()


def test_signals(make):
    s = make(["/bin/sleep", "100"], spec=lambda c: c["process"].update(args=[SH, "-c", "trap 'exit 9' TERM; sleep 100 & wait"]))
    s.call("start")
    time.sleep(0.2)
    s.call("kill", signal=15)
    assert s.event("exited")["status"] == 9
    s.delete()
    s = make(["/bin/sleep", "100"])
    s.call("start")
    s.call("kill", signal=9)
    m = s.event("exited")
    assert m["status"] == 137 and m["signal"] == 9
    with pytest.raises(Failed) as e:
        s.call("kill", signal=9)
    assert e.value.args[0] == 3
    s.delete()


def test_signal_dispositions_are_default_in_the_container(make):
    s = make(["/bin/cat", "/proc/self/status"])
    a = s.attach()
    s.call("start")
    text = read_frames(a)[1].decode()
    got = dict(x.split(":\t") for x in text.splitlines() if x.startswith(("SigBlk", "SigIgn")))
    assert got == {"SigBlk": "0" * 16, "SigIgn": "0" * 16}
    s.delete()


def test_no_descriptors_leak_into_the_container(make):
    s = make(["/bin/ls", "/proc/self/fd"])
    a = s.attach()
    s.call("start")
    # ls itself has the folder open as 3
    assert read_frames(a)[1].split() == [b"0", b"1", b"2", b"3"]
    s.delete()


def test_stdin_once(make):
    s = make(["/bin/cat"], open_stdin=True, stdin_once=True)
    a = s.attach(stdin=True)
    s.call("start")
    a.sendall(b"one ")
    a.sendall(b"two")
    a.shutdown(socket.SHUT_WR)
    assert read_frames(a)[1] == b"one two"
    assert s.event("exited")["status"] == 0
    s.delete()


def test_stdin_stays_open_for_the_next_client(make):
    s = make(["/bin/cat"], open_stdin=True)
    a = s.attach(stdin=True)
    s.call("start")
    a.sendall(b"first\n")
    read_frames(a, want=b"first")
    a.close()
    b = s.attach(stdin=True)
    b.sendall(b"second\n")
    b.shutdown(socket.SHUT_WR)
    read_frames(b, want=b"second")
    assert s.call("state")["state"]["stdin_open"]
    s.call("close_stdin")
    assert s.event("exited")["status"] == 0
    s.delete()


def test_big_input_and_output_come_whole(make):
    s = make(["/bin/cat"], open_stdin=True, stdin_once=True, log="none")
    a = s.attach(stdin=True)
    s.call("start")
    data = os.urandom(5 << 20)
    pid = os.fork()
    if pid == 0:
        a.sendall(data)
        a.shutdown(socket.SHUT_WR)
        os._exit(0)
    got = read_frames(a)[1]
    os.waitpid(pid, 0)
    assert got == data
    s.delete()


def test_a_slow_client_makes_the_container_wait_and_loses_nothing(make):
    s = make([SH, "-c", "seq 1 300000; echo done >&2"], log="none")
    a = s.attach()
    b = s.attach(stdout=True, stderr=False)
    s.call("start")
    time.sleep(0.5)
    assert s.call("state")["state"]["status"] == "running"
    rss = int([x for x in open("/proc/%d/status" % s.p.pid) if x.startswith("RssAnon")][0].split()[1])
    assert rss < 2000
    want = "".join("%d\n" % i for i in range(1, 300001)).encode()
    got = []
    import threading
    t = threading.Thread(target=lambda: got.append(read_frames(b)))
    t.start()
    x = read_frames(a)
    t.join()
    assert x[1] == want and x[2] == b"done\n" and got[0][1] == want and got[0][2] == b""
    s.event("exited")
    s.delete()


def test_a_client_that_stalls_is_cut_when_configured(make):
    s = make([SH, "-c", "seq 1 300000; echo done"], stall_seconds=1)
    s.attach()
    s.call("start")
    assert s.event("exited")["status"] == 0
    assert s.text().endswith("300000\ndone\n")
    s.delete()


def test_many_clients(make):
    s = make([SH, "-c", "seq 1 1000"])
    cs = [s.attach() for i in range(64)]
    with pytest.raises(Failed):
        s.attach()
    s.call("start")
    want = "".join("%d\n" % i for i in range(1, 1001)).encode()
    for c in cs:
        assert read_frames(c)[1] == want
    s.delete()


def read_until(sock, want):
    data = b""
    while want not in data:
        more = sock.recv(65536)
        assert more, data
        data += more
    return data


def test_terminal_resize_and_detach(make):
    s = make([SH], tty=True, open_stdin=True)
    a = s.attach(stdin=True, client="me")
    s.call("start")
    a.sendall(b"tty; echo a$((1+1))\n")
    assert b"/dev/" in read_until(a, b"a2")
    s.call("resize", height=33, width=101)
    a.sendall(b"stty size\n")
    read_until(a, b"33 101")
    # half a sequence goes on to the shell: ctrl-p alone is not swallowed
    a.sendall(b"\x10\x11")
    m = s.event("detached")
    assert m["client"] == "me"
    while a.recv(4096):
        pass
    assert s.call("state")["state"]["status"] == "running"
    b = s.attach(stdin=True, detach_keys="a,b")
    b.sendall(b"echo x$((2+2))\n")
    read_until(b, b"x4")
    b.sendall(b"a")
    b.sendall(b"b")
    s.event("detached")
    c = s.attach(stdin=True)
    c.sendall(b"exit 5\n")
    assert s.event("exited")["status"] == 5
    with pytest.raises(Failed):
        s.attach(detach_keys="ctrl-")
    assert "x4" in s.text()
    s.delete()


def test_exec(make):
    s = make(["/bin/sleep", "1000"])
    s.call("start")
    m, a = s.exec("e1", [SH, "-c", "echo out; echo err >&2; exit 7"])
    assert read_frames(a) == {1: b"out\n", 2: b"err\n"}
    x = s.event("exec_exited")
    assert x["exec_id"] == "e1" and x["status"] == 7
    m, a = s.exec("e2", ["/bin/cat"], stdin=True)
    a.sendall(b"text")
    a.shutdown(socket.SHUT_WR)
    assert read_frames(a)[1] == b"text"
    assert s.event("exec_exited")["status"] == 0
    m, a = s.exec("e3", [SH], tty=True, stdin=True)
    s.call("exec_resize", exec_id="e3", height=20, width=90)
    a.sendall(b"stty size; exit 4\n")
    read_until(a, b"20 90")
    assert s.event("exec_exited")["status"] == 4
    with pytest.raises(Failed) as e:
        s.exec("e4", ["/bin/nope"])
    assert "no such file" in e.value.args[1] or "not found" in e.value.args[1]
    with pytest.raises(Failed) as e:
        s.exec("e5", ["nope"])
    assert "executable file not found in $PATH" in e.value.args[1]
    s.exec("e6", ["/bin/sleep", "1000"], connect=False)
    s.call("exec_kill", exec_id="e6", signal=9)
    assert s.event("exec_exited")["status"] == 137
    # the stream of a process that leaves children behind ends all the same
    t = time.time()
    m, a = s.exec("e7", [SH, "-c", "sleep 1000 & echo x"])
    assert read_frames(a)[1] == b"x\n" and time.time() - t < 6
    assert not s.lines()
    assert [x for x in s.call("state")["state"].get("execs", [])] == []
    s.call("kill", signal=9)
    s.event("exited")
    with pytest.raises(Failed):
        s.exec("e8", ["/bin/true"])
    s.delete()


def test_exec_detach_keys(make):
    s = make(["/bin/sleep", "1000"])
    s.call("start")
    m, a = s.exec("e", [SH], tty=True, stdin=True)
    a.sendall(b"\x10\x11")
    assert s.event("detached")["exec_id"] == "e"
    assert s.call("state")["state"]["execs"][0]["running"]
    s.call("exec_kill", exec_id="e", signal=9)
    s.event("exec_exited")
    s.call("delete", force=True)


def test_pause_top_stats_update(make):
    s = make([SH, "-c", "sleep 1000 & sleep 1000; true"])
    s.call("start")
    wait_for(lambda: len(s.call("top")["pids"]) == 3)
    st = s.call("stats")["stats"]
    assert st["cpu_usage_ns"] > 0 and st["memory_usage"] > 0 and st["pids_current"] >= 3
    s.call("pause")
    assert s.call("state")["state"]["status"] == "paused"
    with pytest.raises(Failed):
        s.call("pause")
    s.call("resume")
    with pytest.raises(Failed):
        s.call("resume")
    s.call("update", resources={"memory": {"limit": 64 << 20}, "pids": {"limit": 20}})
    st = s.call("stats")["stats"]
    assert st["memory_limit"] == 64 << 20 and st["pids_limit"] == 20
    s.call("kill", signal=9, all=True)
    assert s.event("exited")["status"] == 137
    s.delete()


def test_oom_is_told_and_stored(make):
    def spec(c):
        c["linux"]["resources"] = {"memory": {"limit": 8 << 20, "swap": 8 << 20}}
    s = make([SH, "-c", "exec tail /dev/zero"], spec=spec)
    s.call("start")
    s.event("oom")
    m = s.event("exited")
    assert m["status"] == 137 and m["oom"] and s.exit()["oom"]
    s.delete()


def test_log_rotation(make):
    s = make([SH, "-c", "seq 1 2000"], log={"format": "json-file", "max_size": 10000, "max_file": 3})
    s.call("start")
    s.event("exited")
    names = sorted(os.listdir(s.data))
    assert [n for n in names if "log" in n] == ["x-json.log", "x-json.log.1", "x-json.log.2"]
    all_ = []
    for n in ("x-json.log.2", "x-json.log.1", "x-json.log"):
        assert os.path.getsize(s.data + "/" + n) < 10100
        all_ += [json.loads(x)["log"] for x in open(s.data + "/" + n)]
    assert all_ == ["%d\n" % i for i in range(2001 - len(all_), 2001)] and len(all_) > 200
    s.delete()
    s = make([SH, "-c", "seq 1 2000"], log={"format": "json-file", "max_size": 10000})
    s.call("start")
    s.event("exited")
    assert s.lines()[-1]["log"] == "2000\n" and os.path.getsize(s.log) < 10100
    s.delete()


def test_cri_log_and_reopen(make):
    s = make(["/bin/cat"], log={"format": "cri"}, open_stdin=True, stdin_once=True)
    a = s.attach(stdin=True)
    s.call("start")
    a.sendall(b"one\n")
    read_frames(a, want=b"one")
    os.rename(s.log, s.log + ".old")
    s.call("reopen_log")
    a.sendall(b"x" * 20000 + b"\nend")
    a.shutdown(socket.SHUT_WR)
    s.event("exited")
    old, new = open(s.log + ".old").read(), open(s.log).read().splitlines()
    assert old.endswith("Z stdout F one\n")
    assert [x.split(" ", 3)[1:] for x in new] == [["stdout", "P", "x" * 16384], ["stdout", "F", "x" * 3616], ["stdout", "P", "end"]]
    s.delete()


def test_paused_containers_can_be_killed_and_deleted(make):
    for last in ("kill", "delete"):
        s = make(["/bin/sleep", "1000"])
        s.call("start")
        s.call("pause")
        if last == "kill":
            s.call("kill", signal=9)
            assert s.event("exited")["status"] == 137
        s.delete()


def test_a_client_of_a_container_that_does_not_start_is_let_go(make):
    for args in (["nope"], ["/etc/passwd"]):
        s = make(args)
        a = s.attach(stdin=True)
        with pytest.raises(Failed):
            s.call("start")
        assert a.recv(100) == b""
        s.delete()
    s = make(["/bin/true"])
    a = s.attach()
    s.delete()
    assert a.recv(100) == b""


def test_errors_reach_the_engine(make):
    s = make(["/bin/nope"])
    with pytest.raises(Failed) as e:
        s.call("start")
    assert "no such file or directory" in e.value.args[1].lower() or "not found" in e.value.args[1]
    s.delete()
    s = make(["nope"])
    with pytest.raises(Failed) as e:
        s.call("start")
    assert 'exec: "nope": executable file not found in $PATH' in e.value.args[1]
    s.delete()
    s = make(["/bin/true"])
    for op in ("fly", "pause", "stats", "kill"):
        with pytest.raises(Failed):
            s.call(op)
    s.delete()


def test_engine_dies_and_a_new_one_takes_over(make):
    s = make([SH, "-c", "while :; do echo tick; sleep 0.05; done"], open_stdin=True)
    s.call("start")
    s.exec("x", ["/bin/sleep", "1000"], connect=False)
    s.sock.close()
    time.sleep(0.3)
    s.reconnect()
    st = s.call("state")["state"]
    assert st["status"] == "running" and st["pid"] > 0 and st["pid_start"] > 0 and st["execs"][0]["id"] == "x"
    read_frames(s.attach(), want=b"tick")
    s.call("kill", signal=9)
    assert s.event("exited")["status"] == 137
    s.delete()


def test_exec_that_ends_without_an_engine_is_remembered(make):
    s = make(["/bin/sleep", "1000"])
    s.call("start")
    s.exec("x", [SH, "-c", "sleep 0.3; exit 6"], connect=False)
    s.sock.close()
    time.sleep(0.8)
    s.reconnect()
    x = s.call("state")["state"]["execs"][0]
    assert not x.get("running") and x["status"] == 6
    s.call("delete", force=True)


def test_exit_without_an_engine_cleans_up(make):
    s = make([SH, "-c", "sleep 0.3; exit 8"])
    s.call("start")
    s.sock.close()
    assert s.p.wait(10) == 0
    assert s.exit()["status"] == 8
    assert not os.path.exists(s.state_root + "/c0") and not os.path.exists(s.bundle + "/shim.sock")


def test_killed_shim_leaves_no_mount_and_force_delete_cleans(make):
    s = make(["/bin/sleep", "1000"])
    pid = s.call("start")["pid"]
    before = mounts(s.bundle)
    s.p.kill()
    s.p.wait()
    assert mounts(s.bundle) == before
    subprocess.run([RUNTIME, "--root", s.state_root, "delete", "--force", "c0"], check=True)
    wait_for(lambda: not os.path.exists("/proc/%d" % pid) or open("/proc/%d/stat" % pid).read().split(")")[1].split()[0] == "Z")
    assert not os.path.exists(s.state_root + "/c0")


def test_shared_mounts(make):
    s = make(["/bin/true"], shared_mounts=True)
    s.call("start")
    assert s.event("exited")["status"] == 0
    assert s.bundle + "/rootfs" in open("/proc/self/mountinfo").read()
    s.delete()
    assert s.bundle + "/rootfs" not in open("/proc/self/mountinfo").read()


def test_orphans_are_reaped_and_memory_is_small(make):
    s = make([SH, "-c", "while :; do (sleep 0.01 &) ; sleep 0.02; done"], spec=lambda c: c["linux"].update(
        namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "pid"]))
    s.call("start")
    time.sleep(1)
    kids = subprocess.run(["ps", "--ppid", str(s.p.pid), "-o", "stat="], stdout=subprocess.PIPE, text=True).stdout.split()
    assert len([k for k in kids if k.startswith("Z")]) <= 1
    # text is shared by all shims; with one of them the kernel counts it as private, too
    private = sum(int(x.split()[1]) for x in open("/proc/%d/smaps_rollup" % s.p.pid) if x.startswith("Private_Dirty"))
    assert private < 300, private
    s.call("kill", signal=9, all=True)
    s.event("exited")
    s.delete()


def test_init(make):
    def spec(c):
        c["process"]["args"] = ["/sbin/docker-init", "--"] + c["process"]["args"]
        c["mounts"].append({"destination": "/sbin/docker-init", "type": "bind", "source": RUNTIME, "options": ["bind", "ro"]})
    s = make([SH, "-c", "(sleep 0.05 &); sleep 0.3; ps; exit 3"], spec=spec)
    a = s.attach()
    s.call("start")
    out = read_frames(a)[1].decode()
    assert "/sbin/docker-init -- /bin/sh" in out and "Z" not in [x.split()[3] for x in out.splitlines()[1:] if len(x.split()) > 4], out
    assert s.event("exited")["status"] == 3
    s.delete()
    s = make(["/bin/sleep", "100"], spec=spec)
    s.call("start")
    time.sleep(0.1)
    s.call("kill", signal=15)
    assert s.event("exited")["status"] == 143
    s.delete()


@pytest.mark.parametrize("tool", ["runc", "crun"])
def test_another_runtime(make, tool):
    path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin") or os.path.join(os.path.dirname(RUNTIME), "../../peers/usr/bin", tool)
    if not os.path.exists(path) or subprocess.run([path, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no " + tool)
    s = make([SH, "-c", "echo hi; sleep 1000"], runtime=path)
    a = s.attach()
    s.call("start")
    read_frames(a, want=b"hi")
    m, b = s.exec("e", [SH, "-c", "echo in; exit 5"])
    assert read_frames(b)[1] == b"in\n"
    assert s.event("exec_exited")["status"] == 5
    assert len(s.call("top")["pids"]) >= 1
    s.call("kill", signal=9)
    assert s.event("exited")["status"] == 137
    s.delete()
    s = make([SH], tty=True, open_stdin=True, runtime=path)
    a = s.attach(stdin=True)
    s.call("start")
    a.sendall(b"tty; exit 2\n")
    assert s.event("exited")["status"] == 2
    s.delete()
    s = make(["nope"], runtime=path)
    with pytest.raises(Failed) as e:
        s.call("start")
    assert "nope" in e.value.args[1]
    s.delete()


def test_kill_the_shim_at_any_moment(make):
    for i in range(20):
        s = make([SH, "-c", "echo x; sleep 0.01"])
        s.sock.send(json.dumps({"id": 1, "op": "start"}).encode())
        time.sleep(i * 0.001)
        s.p.send_signal(signal.SIGKILL)
        s.p.wait()
        s.kill()
        assert not os.path.exists(s.state_root + "/" + os.path.basename(s.dir))
