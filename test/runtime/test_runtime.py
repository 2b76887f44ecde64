# SPDX-License-Identifier: Apache-2.0
"""The OCI runtime on the real kernel, as root."""
import json
import os
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from runtime_test import Bundle, cgroup_dirs


@pytest.fixture
def b():
    bundle = Bundle()
    yield bundle
    left = bundle.clean()
    assert not left, f"left behind: {left}"


def wait_for(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        r = what()
        if r:
            return r
        time.sleep(0.01)
    raise AssertionError("timed out")


# --- life cycle -----------------------------------------------------------------

def test_run_gives_output_and_exit_code(b):
    p = b.sh("echo out; echo err >&2; exit 42", check=False)
    assert (p.returncode, p.stdout, p.stderr) == (42, "out\n", "err\n")


def test_death_by_signal_is_128_plus(b):
    assert b.sh("sh -c 'kill -TERM $$'; exit $?", check=False).returncode == 143


def test_create_start_state_kill_delete(b):
    pid = b.start()
    assert b.status() == "running"
    st = json.loads(b.call("state", b.id).stdout)
    assert (st["pid"], st["id"], st["bundle"]) == (pid, b.id, b.dir)
    p = b.call("delete", b.id, check=False)
    assert p.returncode == 1 and "is not stopped" in p.stderr
    b.call("kill", b.id, "KILL")
    wait_for(lambda: b.status() == "stopped")
    p = b.call("kill", b.id, check=False)
    assert p.returncode == 1 and "container not running" in p.stderr
    b.call("delete", b.id)
    assert "does not exist" in b.call("state", b.id, check=False).stderr
    assert not cgroup_dirs(b.id)


def test_created_waits_for_start(b):
    c = b.changed()
    c["process"]["args"] = ["touch", "/tmp/started"]
    b.write(c)
    b.quiet("create", "--bundle", b.dir, b.id)
    assert b.status() == "created" and not os.path.exists(b.root + "/tmp/started")
    b.call("start", b.id)
    wait_for(lambda: os.path.exists(b.root + "/tmp/started"))
    assert "cannot start" in b.call("start", b.id, check=False).stderr


def test_same_id_twice_is_refused(b):
    b.start()
    p = b.call("create", "--bundle", b.dir, b.id, check=False)
    assert p.returncode == 1 and "already exists" in p.stderr
    assert b.status() == "running"


def test_pause_resume_ps_list(b):
    pid = b.start()
    b.call("pause", b.id)
    assert b.status() == "paused"
    assert "paused" in b.call("exec", b.id, "true", check=False).stderr
    b.call("resume", b.id)
    assert b.status() == "running"
    assert pid in json.loads(b.call("ps", "--format", "json", b.id).stdout)
    assert [x["id"] for x in json.loads(b.call("list", "--format", "json").stdout)] == [b.id]
    assert b.call("list", "-q").stdout == b.id + "\n"


def test_kill_paused(b):
    b.start()
    b.call("pause", b.id)
    b.call("kill", b.id, "KILL")
    wait_for(lambda: b.status() == "stopped")


# --- errors reach the caller ----------------------------------------------------------

@pytest.mark.parametrize("args,text", [
    (["nosuch"], 'exec: "nosuch": executable file not found in $PATH'),
    (["/nosuch"], 'exec: "/nosuch": stat /nosuch: no such file or directory'),
    (["/etc"], 'exec: "/etc": is a directory'),
    (["/etc/plain"], 'exec: "/etc/plain": permission denied'),
])
def test_program_that_cannot_run(b, args, text):
    open(b.root + "/etc/plain", "w").close()
    p = b.run(*args, check=False)
    assert p.returncode == 1 and text in p.stderr
    assert not cgroup_dirs(b.id)


def bad(field, value):
    def change(c):
        at = c
        *way, last = field.split(".")
        for w in way:
            at = at[int(w)] if w.isdigit() else at.setdefault(w, {})
        at[last] = value
    return change


@pytest.mark.parametrize("change,text", [
    (bad("ociVersion", ""), "ociVersion"),
    (bad("process.args", []), "args must not be empty"),
    (bad("process.cwd", "rel"), "absolute path"),
    (bad("process.cwd", ""), "Cwd"),
    (bad("root.path", "nosuch"), "nosuch"),
    (bad("process.rlimits", [{"type": "RLIMIT_X", "hard": 1, "soft": 1}]), "invalid rlimit type"),
    (bad("linux.namespaces", [{"type": "mount"}, {"type": "mount"}]), "duplicated ns"),
    (bad("linux.namespaces", [{"type": "what"}]), 'namespace "what" does not exist'),
    (bad("linux.sysctl", {"vm.swappiness": "1"}), "not in a separate kernel namespace"),
    (bad("linux.rootfsPropagation", "odd"), "rootfsPropagation"),
    (bad("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}]), "user namespace"),
    (bad("mounts", [{"destination": "/x", "type": "nosuchfs", "source": "x"}]), "nosuchfs"),
    (bad("mounts", [{"destination": "/x", "type": "bind", "source": "/nosuch", "options": ["bind"]}]), "/nosuch"),
    (bad("linux.seccomp", {"defaultAction": "SCMP_ACT_ODD"}), "seccomp"),
    (bad("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_ODD"]}), "architecture"),
    (bad("hooks", {"poststop": [{"path": "rel"}]}), "absolute"),
    (bad("linux.intelRdt", {"closID": "x"}), "intelRdt"),
    (bad("process.oomScoreAdj", 5000), "oomScoreAdj"),
    (bad("linux.resources", {"pids": {"limit": "many"}}), "limit"),
    (bad("linux.resources", {"unified": {"memory.max": "1"}}), "unified"),
    (bad("linux.devices", [{"path": "/dev/x", "type": "z", "major": 1, "minor": 1}]), "type"),
])
def test_bad_configuration_is_refused(b, change, text):
    p = b.run("true", change=change, check=False)
    assert p.returncode == 1 and text in p.stderr, p.stderr
    assert p.stderr.count("\n") == 1


def test_errors_go_to_the_log_as_json(b):
    log = b.path("log")
    p = b.call("--log", log, "--log-format", "json", "state", "nosuch", check=False)
    assert p.returncode == 1
    line = json.loads(open(log).read())
    assert line["level"] == "error" and "does not exist" in line["msg"] and line["time"]


# --- process ---------------------------------------------------------------------------

def test_user_groups_capabilities_limits(b):
    def change(c):
        p = c["process"]
        p["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o27}
        p["capabilities"] = {k: ["CAP_KILL"] for k in ("bounding", "effective", "permitted", "inheritable", "ambient")}
        p["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 77, "soft": 66}]
        p["oomScoreAdj"] = 123
        p["noNewPrivileges"] = True
        p["env"].append("A=b c")
        p["cwd"] = "/made/here"
    out = b.out("id -u; id -g; id -G; umask; ulimit -n; cat /proc/self/oom_score_adj; pwd; echo $A; echo $HOME;"
                "grep -E 'Cap|NoNew' /proc/self/status", change=change).split("\n")
    assert out[:9] == ["1000", "1001", "1001 5 6", "0027", "66", "123", "/made/here", "b c", "/"]
    caps = dict(x.split(":\t") for x in out[9:] if x)
    assert all(caps["Cap" + k] == "0000000000000020" for k in ("Inh", "Prm", "Eff", "Bnd", "Amb")) and caps["NoNewPrivs"] == "1"


def test_home_comes_from_passwd(b):
    with open(b.root + "/etc/passwd", "w") as f:
        f.write("x:x:5:5::/home/x:/bin/sh\n")
    assert b.out("echo $HOME", change=lambda c: c["process"]["user"].update(uid=5)) == "/home/x\n"


def test_no_descriptor_of_the_host_leaks(b):
    r, w = os.pipe()
    os.set_inheritable(w, True)
    out = b.sh("ls /proc/self/fd | wc -l", close_fds=False).stdout
    os.close(r), os.close(w)
    assert int(out) == 4  # 0 1 2 and the folder itself


def test_preserve_fds(b):
    c = b.changed()
    c["process"]["args"] = ["sh", "-c", "echo hello >&3"]
    b.write(c)
    script = f"exec {' '.join(b.argv('run', '--preserve-fds', '1', '--bundle', b.dir, b.id))} 3> {b.path('three')}"
    subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, check=True, timeout=20)
    assert open(b.path("three")).read() == "hello\n"


def test_seccomp_kills_allows_and_fails(b):
    def change(c):
        c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
            {"names": ["sync"], "action": "SCMP_ACT_KILL_PROCESS"}]}
    p = b.sh("mkdir /x; (/bin/busybox sync; true); echo $?; grep Seccomp: /proc/self/status", change=change)
    assert "not supported" in p.stderr and "Bad system call" in p.stderr and p.stdout == "0\nSeccomp:\t2\n"


def test_seccomp_without_no_new_privileges(b):
    def change(c):
        c["process"]["noNewPrivileges"] = False
        c["process"]["user"] = {"uid": 1000, "gid": 1000}
        c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    p = b.sh("mkdir /tmp/x; grep -E 'Seccomp:|CapEff|NoNew' /proc/self/status", change=change, check=False)
    assert "not permitted" in p.stderr
    assert "CapEff:\t0000000000000000" in p.stdout and "Seccomp:\t2" in p.stdout and "NoNewPrivs:\t0" in p.stdout


# --- namespaces --------------------------------------------------------------------------

def test_hostname_domainname_sysctl(b):
    def change(c):
        c["hostname"], c["domainname"] = "boat", "lake"
        c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "12345"}
    assert b.out("hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax", change=change) == \
        "boat\nlake\n1\n12345\n"


def test_network_namespace_by_path(b):
    name = b.id
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        def change(c):
            for n in c["linux"]["namespaces"]:
                if n["type"] == "network":
                    n["path"] = f"/run/netns/{name}"
        want = os.stat(f"/run/netns/{name}").st_ino
        assert b.out("readlink /proc/self/ns/net", change=change) == f"net:[{want}]\n"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_pid_namespace_by_path(b):
    pid = b.start()
    other = Bundle()
    try:
        def change(c):
            for n in c["linux"]["namespaces"]:
                if n["type"] == "pid":
                    n["path"] = f"/proc/{pid}/ns/pid"
        out = other.out("ps -o pid,args", change=change)
        assert "sleep 1000" in out
    finally:
        assert not other.clean()


USERNS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def with_userns(c):
    c["linux"]["namespaces"].append({"type": "user"})
    c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = USERNS


def shift(b):
    subprocess.run(["chown", "-R", "100000:100000", b.root], check=True)


def test_user_namespace(b):
    shift(b)
    out = b.out("id -u; cat /proc/self/uid_map; ls -l /dev/null; touch /tmp/x; stat -c %u /tmp/x; hostname x", change=with_userns, check=False)
    lines = out.split("\n")
    assert lines[0] == "0" and lines[1].split() == ["0", "100000", "65536"] and lines[2].startswith("crw-rw-rw-")
    assert os.stat(b.root + "/tmp/x").st_uid == 100000


def test_user_namespace_with_joined_network(b):
    shift(b)
    subprocess.run(["ip", "netns", "add", b.id], check=True)
    try:
        def change(c):
            with_userns(c)
            for n in c["linux"]["namespaces"]:
                if n["type"] == "network":
                    n["path"] = f"/run/netns/{b.id}"
        want = os.stat(f"/run/netns/{b.id}").st_ino
        assert b.out("readlink /proc/self/ns/net; id -u", change=change) == f"net:[{want}]\n0\n"
    finally:
        subprocess.run(["ip", "netns", "del", b.id], check=True)


def test_exec_in_user_namespace(b):
    shift(b)
    b.start(change=with_userns)
    p = b.call("exec", "--user", "7:8", b.id, "sh", "-c", "id -u; id -g; cat /proc/self/uid_map")
    assert p.stdout.split() == ["7", "8", "0", "100000", "65536"]


def test_time_namespace(b):
    def change(c):
        c["linux"]["namespaces"].append({"type": "time"})
        c["linux"]["timeOffsets"] = {"boottime": {"secs": 10000000}, "monotonic": {"secs": 10000000}}
    assert float(b.out("cat /proc/uptime", change=change).split()[0]) > 10000000


# --- mounts ---------------------------------------------------------------------------------

def mount(**m):
    def change(c):
        c["mounts"].append(m)
    return change


def test_bind_file_read_only(b):
    with open(b.path("file"), "w") as f:
        f.write("content")
    p = b.sh("cat /a/b/file; echo x > /a/b/file", check=False,
             change=mount(destination="/a/b/file", type="bind", source=b.path("file"), options=["bind", "ro"]))
    assert p.stdout == "content" and "Read-only" in p.stderr


def test_recursive_read_only(b):
    src = b.path("src")
    os.makedirs(src + "/sub")
    subprocess.run(["mount", "-t", "tmpfs", "x", src + "/sub"], check=True)
    try:
        p = b.sh("touch /m/sub/x", check=False, change=mount(destination="/m", type="bind", source=src, options=["rbind", "rro"]))
        assert "Read-only" in p.stderr
        b.sh("touch /m/sub/x", change=mount(destination="/m", type="bind", source=src, options=["rbind"]))
    finally:
        subprocess.run(["umount", src + "/sub"], check=True)


def test_tmpcopyup(b):
    os.makedirs(b.root + "/data/d")
    with open(b.root + "/data/d/f", "w") as f:
        f.write("kept")
    out = b.out("cat /data/d/f; grep ' /data ' /proc/mounts; echo new > /data/d/g",
                change=mount(destination="/data", type="tmpfs", source="tmpfs", options=["tmpcopyup", "nosuid"]))
    assert out.startswith("kept") and "tmpfs" in out and not os.path.exists(b.root + "/data/d/g")


def test_idmapped_mount(b):
    src = b.path("src")
    os.makedirs(src)
    subprocess.run(["mount", "-t", "tmpfs", "x", src], check=True)
    try:
        open(src + "/f", "w").close()
        m = [{"containerID": 0, "hostID": 5000, "size": 1000}]
        out = b.sh("stat -c %u /m/f", check=False, change=mount(destination="/m", type="bind", source=src, options=["bind"], uidMappings=m, gidMappings=m))
        assert out.stdout == "5000\n", out.stderr
    finally:
        subprocess.run(["umount", src], check=True)


def test_propagation(b):
    out = b.out("cat /proc/self/mountinfo", change=mount(destination="/m", type="bind", source="/tmp", options=["rbind", "rslave"]))
    line = [x for x in out.split("\n") if " /m " in x][0]
    assert "shared:" not in line
    out = b.out("cat /proc/self/mountinfo", change=lambda c: c["linux"].update(rootfsPropagation="shared"))
    assert "shared:" in [x for x in out.splitlines() if x.split()[4] == "/"][0]


def test_read_only_root_masks_and_read_only_paths(b):
    def change(c):
        c["root"]["readonly"] = True
        c["linux"]["maskedPaths"] = ["/proc/version", "/proc/fs", "/nosuch"]
        c["linux"]["readonlyPaths"] = ["/proc/sys", "/nosuch"]
    p = b.sh("touch /x; cat /proc/version; ls /proc/fs; echo 1 > /proc/sys/net/ipv4/ip_forward; touch /dev/x && echo dev", change=change)
    assert p.stdout == "dev\n" and p.stderr.count("Read-only") == 2


def test_devices(b):
    def change(c):
        c["linux"]["devices"] = [{"path": "/dev/sub/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4},
                                 {"path": "/dev/pipe", "type": "p", "major": 0, "minor": 0}]
        c["linux"]["resources"]["devices"].append({"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rw"})
    out = b.out("stat -c '%F %a %u %g %t:%T' /dev/sub/mine /dev/null; stat -c %F /dev/pipe; readlink /dev/fd; readlink /dev/ptmx", change=change)
    assert out == "character special file 640 3 4 1:5\ncharacter special file 666 0 0 1:3\nfifo\n/proc/self/fd\npts/ptmx\n"


def test_device_rules_hold(b):
    def change(c):
        c["process"]["capabilities"] = {k: ["CAP_MKNOD"] for k in ("bounding", "effective", "permitted")}
    p = b.sh("mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg", change=change, check=False)
    assert "not permitted" in p.stderr and p.returncode


# --- a root file system that means harm ----------------------------------------------------------

def test_links_in_the_image_stay_inside(b):
    """A mount's target that is a link to the host lands inside the root (CVE-2021-30465's kind)."""
    os.makedirs(b.path("outside"))
    os.symlink(b.path("outside"), b.root + "/evil")
    os.symlink("/../../../../../../" + b.path("outside"), b.root + "/evil2")
    b.sh("true", change=lambda c: c["mounts"].extend([
        {"destination": "/evil/x", "type": "tmpfs", "source": "tmpfs"}, {"destination": "/evil2/y", "type": "tmpfs", "source": "tmpfs"}]))
    assert os.listdir(b.path("outside")) == []
    assert os.path.isdir(b.root + b.path("outside") + "/x")


def test_dangling_link_is_made_inside(b):
    os.symlink("../run/resolve/stub.conf", b.root + "/etc/resolv.conf")
    with open(b.path("resolv"), "w") as f:
        f.write("nameserver 1.2.3.4\n")
    out = b.out("cat /etc/resolv.conf", change=mount(destination="/etc/resolv.conf", type="bind", source=b.path("resolv"), options=["bind"]))
    assert "1.2.3.4" in out


def test_proc_as_a_link_is_refused(b):
    """CVE-2019-19921."""
    os.rmdir(b.root + "/proc")
    os.symlink("/tmp", b.root + "/proc")
    assert "ordinary directory" in b.sh("true", check=False).stderr


def test_dev_null_as_another_file_does_not_unmask(b):
    """CVE-2025-31133: what masks is the host's null device."""
    out = b.sh("head -c 5 /proc/version; stat -c %t:%T /proc/version",
               change=lambda c: (c["mounts"].append({"destination": "/dev/null", "type": "bind", "source": "/proc/sys/kernel/core_pattern", "options": ["bind"]}),
                                 c["linux"].update(maskedPaths=["/proc/version"])), check=False)
    assert out.stdout == "1:3\n"


def test_working_folder_cannot_be_a_host_descriptor(b):
    """CVE-2024-21626."""
    for n in range(3, 40):
        p = b.run("sh", "-c", "ls ../../..", change=lambda c: c["process"].update(cwd=f"/proc/self/fd/{n}"), check=False)
        assert p.returncode == 1 and "cwd" in p.stderr + "cwd" and "vmlinuz" not in p.stdout and "root" not in p.stdout.split()


def test_program_cannot_be_overwritten(b):
    """CVE-2019-5736: an image whose program is the runtime itself."""
    from runtime_test import RUNTIME
    before = open(RUNTIME, "rb").read()
    b.start()
    # The program it becomes may be itself, inside: what it then has as its exe cannot be written either.
    subprocess.run(b.argv("exec", b.id, "/proc/self/exe", "spec"), capture_output=True, timeout=20)
    p = b.call("exec", b.id, "/proc/self/exe", "exec", "x", check=False)
    assert p.returncode
    # While exec waits to become the program, its exe is on a read-only mount: writing fails whoever asks.
    p = subprocess.Popen([*b.argv("exec", b.id, "sleep", "5")])
    wait_for(lambda: os.path.exists(f"/proc/{p.pid}/exe"))

    def protected():
        try:
            fd = os.open(f"/proc/{p.pid}/exe", os.O_RDONLY)
        except OSError:
            return False
        ro = bool(os.fstatvfs(fd).f_flag & os.ST_RDONLY)
        os.close(fd)
        return ro
    wait_for(protected)
    p.terminate()
    p.wait()
    assert open(RUNTIME, "rb").read() == before


# --- exec, terminal -----------------------------------------------------------------------------

def test_exec(b):
    b.start()
    p = b.call("exec", "--env", "X=y", "--cwd", "/tmp", "--user", "3:4", "-g", "9", b.id, "sh", "-c", "echo $X $(pwd) $(id -u) $(id -g) $(id -G); exit 9", check=False)
    assert (p.returncode, p.stdout) == (9, "y /tmp 3 4 4 9\n")
    p = b.call("exec", b.id, "nosuch", check=False)
    assert p.returncode == 255 and "executable file not found in $PATH" in p.stderr
    with open(b.path("p.json"), "w") as f:
        json.dump({"args": ["sh", "-c", "grep CapEff /proc/self/status"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"],
                   "capabilities": {"effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"], "bounding": ["CAP_CHOWN"]}}, f)
    assert b.call("exec", "--process", b.path("p.json"), b.id).stdout == "CapEff:\t0000000000000001\n"


def test_exec_is_in_the_cgroup_and_namespaces(b):
    pid = b.start()
    own = sorted(x.split(":", 2)[2] for x in open(f"/proc/{pid}/cgroup"))
    b.quiet("exec", "--detach", "--pid-file", b.path("pid2"), b.id, "sleep", "999")
    pid2 = int(open(b.path("pid2")).read())
    assert sorted(x.split(":", 2)[2] for x in open(f"/proc/{pid2}/cgroup")) == own
    for ns in ("mnt", "pid", "net", "ipc", "uts", "cgroup"):
        assert os.readlink(f"/proc/{pid}/ns/{ns}") == os.readlink(f"/proc/{pid2}/ns/{ns}")
    assert len(json.loads(b.call("ps", "-f", "json", b.id).stdout)) == 2


def console(b, path, got):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(1)

    def take():
        c, _ = s.accept()
        _, fds, _, _ = socket.recv_fds(c, 4096, 1)
        got.append(fds[0])
    t = threading.Thread(target=take)
    t.start()
    return t


def read_all(fd):
    out = b""
    while True:
        try:
            x = os.read(fd, 4096)
        except OSError:
            return out.decode()
        if not x:
            return out.decode()
        out += x


def test_terminal_over_a_console_socket(b):
    got = []
    t = console(b, b.path("console"), got)
    c = b.changed()
    c["process"].update(terminal=True, consoleSize={"width": 91, "height": 33}, args=["sh", "-c", "tty; stty size; stat -c %t:%T /dev/console; test -t 0 && echo yes"])
    b.write(c)
    b.call("create", "--bundle", b.dir, "--console-socket", b.path("console"), b.id)
    t.join(10)
    b.call("start", b.id)
    out = read_all(got[0]).split()
    assert out[:3] == ["/dev/pts/0", "33", "91"] and out[3].startswith("88:") and out[4] == "yes"


def test_exec_terminal(b):
    b.start()
    got = []
    t = console(b, b.path("console"), got)
    b.call("exec", "-t", "-d", "--console-socket", b.path("console"), b.id, "sh", "-c", "tty")
    t.join(10)
    assert read_all(got[0]).strip() == "/dev/pts/0"


def test_run_forwards_signals(b):
    c = b.changed()
    c["process"]["args"] = ["sh", "-c", "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done"]
    b.write(c)
    p = subprocess.Popen(b.argv("run", "--bundle", b.dir, b.id), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    p.send_signal(signal.SIGTERM)
    assert p.communicate(timeout=20)[0] == "got\n" and p.returncode == 3


# --- hooks -------------------------------------------------------------------------------------------

def hook(b, name, script, **kw):
    path = b.path(name + ".sh")
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(path, 0o755)
    return {"path": path, **kw}


def test_all_hooks_in_order_with_state(b):
    log = b.path("hooks")
    kinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    hooks = {k: [hook(b, k, f"echo {k} $(cat) >> {log}\n")] for k in kinds}
    # startContainer runs inside, from the image
    with open(b.root + "/inside.sh", "w") as f:
        f.write("#!/bin/sh\ncat > /tmp/startContainer\n")
    os.chmod(b.root + "/inside.sh", 0o755)
    hooks["startContainer"] = [{"path": "/inside.sh", "env": ["PATH=/bin"]}]
    b.sh("true", change=lambda c: c.update(hooks=hooks, annotations={"a": "b"}))
    seen = [line.split(" ", 1) for line in open(log)]
    assert [x[0] for x in seen] == kinds
    states = [json.loads(x[1]) for x in seen]
    assert [s["status"] for s in states] == ["creating", "creating", "creating", "running", "stopped"]
    assert all(s["id"] == b.id and s["bundle"] == b.dir and s["annotations"] == {"a": "b"} for s in states)
    assert states[0]["pid"] == states[2]["pid"] > 0
    assert json.load(open(b.root + "/tmp/startContainer"))["status"] == "created"


def test_failing_hook_ends_create(b):
    h = {"createRuntime": [hook(b, "h", "echo because >&2; exit 3\n")]}
    p = b.sh("touch /tmp/ran", change=lambda c: c.update(hooks=h), check=False)
    assert p.returncode == 1 and "error running createRuntime hook #0: exit status 3" in p.stderr and "because" in p.stderr
    assert not os.path.exists(b.root + "/tmp/ran")


def test_hook_timeout(b):
    h = {"prestart": [hook(b, "h", "exec sleep 100\n", timeout=1)]}
    start = time.monotonic()
    p = b.sh("true", change=lambda c: c.update(hooks=h), check=False)
    assert "timeout" in p.stderr and time.monotonic() - start < 10


# --- limits ----------------------------------------------------------------------------------------------

def v1(controller, b, name):
    return open(f"/sys/fs/cgroup/{controller}/{b.id}/{name}").read().strip()


is_v1 = os.path.isdir("/sys/fs/cgroup/memory")


@pytest.mark.skipif(not is_v1, reason="cgroup v1 files")
def test_limits_and_update_v1(b):
    def change(c):
        c["linux"]["resources"].update(memory={"limit": 64 << 20, "swap": 128 << 20, "reservation": 32 << 20}, pids={"limit": 50},
                                       cpu={"shares": 512, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"})
    b.start(change=change)
    assert v1("memory", b, "memory.limit_in_bytes") == str(64 << 20) and v1("memory", b, "memory.soft_limit_in_bytes") == str(32 << 20)
    assert (v1("cpu", b, "cpu.shares"), v1("cpu", b, "cpu.cfs_quota_us"), v1("pids", b, "pids.max"), v1("cpuset", b, "cpuset.cpus")) == ("512", "50000", "50", "0")
    b.call("update", "--memory", "256m", "--memory-swap", "512m", "--pids-limit", "60", "--cpu-share", "100", b.id)
    assert (v1("memory", b, "memory.limit_in_bytes"), v1("pids", b, "pids.max"), v1("cpu", b, "cpu.shares")) == (str(256 << 20), "60", "100")
    b.call("update", "-r", "-", b.id, stdin=None, input=json.dumps({"memory": {"limit": 64 << 20, "swap": 64 << 20}}))
    assert v1("memory", b, "memory.limit_in_bytes") == str(64 << 20)
    st = json.loads(b.call("events", "--stats", b.id).stdout)
    assert st["data"]["memory"]["usage"]["limit"] == 64 << 20 and st["data"]["pids"]["current"] == 1


def test_memory_limit_kills(b):
    p = b.sh("head -c 200m /dev/zero | tail", change=lambda c: c["linux"]["resources"].update(memory={"limit": 16 << 20, "swap": 16 << 20}), check=False)
    assert p.returncode


def test_fork_bomb_stops_at_the_limit(b):
    p = b.sh("for i in $(seq 100); do sleep 3 & done; wait", change=lambda c: c["linux"]["resources"].update(pids={"limit": 10}), check=False)
    assert "fork" in p.stderr


# --- killed at any step ---------------------------------------------------------------------------------------

def test_killed_create_is_cleaned_by_delete_force(b):
    """SIGKILL after every so many system calls."""
    c = b.changed()
    c["process"]["args"] = ["sleep", "100"]
    b.write(c)
    for delay in range(0, 60):
        p = subprocess.Popen(b.argv("create", "--bundle", b.dir, b.id), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay / 10000)
        p.kill()
        p.wait()
        b.call("delete", "--force", b.id)
        assert not cgroup_dirs(b.id) and os.listdir(b.state) == [] if os.path.isdir(b.state) else True


def test_many_runs_leave_nothing(b):
    c = b.changed()
    c["process"]["args"] = ["true"]
    b.write(c)
    for i in range(30):
        b.call("run", "--bundle", b.dir, f"{b.id}-{i}")
    ps = [subprocess.Popen(b.argv("run", "--bundle", b.dir, f"{b.id}-p{i}"), stdin=subprocess.DEVNULL) for i in range(20)]
    assert [p.wait(60) for p in ps] == [0] * 20
    assert os.listdir(b.state) == []
    assert not [x for i in range(30) for x in cgroup_dirs(f"{b.id}-{i}")]


def test_features_and_spec(b):
    f = json.loads(b.call("features").stdout)
    assert "rro" in f["mountOptions"] and f["linux"]["seccomp"]["enabled"] and "time" in f["linux"]["namespaces"]
    assert b.call("spec", "--bundle", b.dir, check=False).returncode == 1
