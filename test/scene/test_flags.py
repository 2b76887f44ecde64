# SPDX-License-Identifier: Apache-2.0
"""Flags of `run` and `create`: what each does to the container."""
import os
import re

import pytest
from coracle_test import wait_until



def status(scene, *flags):
    """/proc/self/status of a container's first process."""
    return dict(line.split(":\t", 1) for line in scene.sh(*flags, "cat /proc/self/status").splitlines() if ":\t" in line)


def group_file(scene, name, controller, v1, v2):
    pid = scene.inspect(name)["State"]["Pid"]
    for line in open(f"/proc/{pid}/cgroup"):
        _, names, path = line.strip().split(":", 2)
        if controller in names.split(","):
            return open(f"/sys/fs/cgroup/{controller}{path}/{v1}").read().strip()
        if names == "" and not os.path.isdir(f"/sys/fs/cgroup/{controller}"):
            return open(f"/sys/fs/cgroup{path}/{v2}").read().strip()
    raise AssertionError(f"{name} is in no {controller} group")


def test_env_file_and_env(scene, tmp_path):
    f = tmp_path / "env"
    f.write_text("# a comment\nONE=1\nTWO=two words\nFROM_HOST\nTHREE=3\n")
    out = scene.sh("--env-file", str(f), "-e", "THREE=drei", "-e", "EMPTY=", "env | sort")
    env = dict(line.split("=", 1) for line in out.splitlines())
    assert env["ONE"] == "1" and env["TWO"] == "two words" and env["THREE"] == "drei" and env["EMPTY"] == ""
    assert "FROM_HOST" not in env


def test_workdir_is_made(scene):
    assert scene.sh("-w", "/a/b/c", "pwd") == "/a/b/c"


@pytest.mark.parametrize("user,want", [("daemon", "1 1 1"), ("1234", "1234 0 0"), ("1:50", "1 50 50"), ("nobody:staff", "65534 50 50")])
def test_user(scene, user, want):
    assert scene.sh("-u", user, "echo $(id -u) $(id -g) $(id -G)") == want


def test_user_unknown_is_refused(scene):
    assert "unable to find user ghost" in scene.refused("run", "--rm", "-u", "ghost", "busybox", "true")


def test_group_add(scene):
    assert scene.sh("-u", "daemon", "--group-add", "staff", "--group-add", "777", "id -G").split() == ["1", "50", "777"]


def test_mount_kinds(scene, tmp_path):
    (tmp_path / "f").write_text("from the host\n")
    v = scene.name("mounted", "volume")
    out = scene.sh("--mount", f"type=bind,src={tmp_path},dst=/b,readonly", "--mount", f"type=volume,source={v},target=/v",
                   "--mount", "type=tmpfs,destination=/t,tmpfs-size=1048576,tmpfs-mode=700",
                   "cat /b/f; echo x > /b/f; echo kept > /v/x; stat -c %a /t; grep ' /t ' /proc/mounts")
    assert "from the host" in out and "\n700\n" in out and "size=1024k" in out
    assert (tmp_path / "f").read_text() == "from the host\n"
    assert scene.sh("-v", f"{v}:/v:ro", "cat /v/x; touch /v/y 2>&1 || true") == "kept\ntouch: /v/y: Read-only file system"


def test_mount_of_a_missing_path_is_refused(scene):
    assert "bind source path does not exist: /no/such/path" in scene.refused(
        "run", "--rm", "--mount", "type=bind,src=/no/such/path,dst=/x", "busybox", "true")


def test_tmpfs(scene):
    assert re.search(r"tmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime,size=64k", scene.sh("--tmpfs", "/run:size=65536", "grep ' /run ' /proc/mounts"))


def test_entrypoint(scene):
    assert scene.out("run", "--rm", "--entrypoint", "echo", "busybox", "a", "b") == "a b"


def test_memory_and_its_kin(scene):
    n = scene.box("mem", "--memory", "32m", "--memory-swap", "64m", "--memory-reservation", "16m", "--cpus", "0.5", "--cpuset-cpus", "0",
                  "--pids-limit", "55", "--cpu-shares", "512")
    h = scene.inspect(n)["HostConfig"]
    assert (h["Memory"], h["MemorySwap"], h["MemoryReservation"]) == (32 << 20, 64 << 20, 16 << 20)
    assert h["NanoCpus"] == 500000000 and h["CpusetCpus"] == "0" and h["PidsLimit"] == 55 and h["CpuShares"] == 512
    assert group_file(scene, n, "memory", "memory.limit_in_bytes", "memory.max") == str(32 << 20)
    assert group_file(scene, n, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    assert group_file(scene, n, "pids", "pids.max", "pids.max") == "55"
    assert scene.out("exec", n, "grep", "Cpus_allowed_list", "/proc/self/status") == "Cpus_allowed_list:\t0"


def test_memory_too_small_is_refused(scene):
    assert "Minimum memory limit allowed is 6MB" in scene.refused("run", "--rm", "-m", "1m", "busybox", "true")


def test_device(scene):
    out = scene.sh("--device", "/dev/loop-control:/dev/mine:r", "stat -c '%F %t:%T' /dev/mine; dd if=/dev/zero of=/dev/mine count=1 2>&1 | grep -o 'not permitted'")
    assert out == "character special file a:ed\nnot permitted"
    assert "error gathering device information" in scene.refused("run", "--rm", "--device", "/dev/nothing-here", "busybox", "true")


def block_device(path):
    """The whole disk that holds a path, or None."""
    d = os.stat(path).st_dev
    node = os.path.realpath(f"/sys/dev/block/{os.major(d)}:{os.minor(d)}")
    if not os.path.exists(node):
        return None
    if os.path.exists(os.path.join(node, "partition")):
        node = os.path.dirname(node)
    return "/dev/" + os.path.basename(node)


def test_block_write_limit_is_kept(scene):
    disk = block_device(scene.engine.root)
    if not disk or not os.path.exists(disk):
        pytest.skip("the data folder is on no block device")
    v = scene.name("slow", "volume")
    script = ("read a x < /proc/uptime; dd if=/dev/zero of=/v/f bs=256k count=8 oflag=direct 2> /dev/null || exit 1; read b x < /proc/uptime; rm /v/f; "
              "echo $a $b")

    def seconds(out):
        begin, end = map(float, out.split())
        return end - begin
    free = seconds(scene.sh("-v", f"{v}:/v", script))
    held = seconds(scene.sh("-v", f"{v}:/v", "--device-write-bps", f"{disk}:1mb", script))
    assert 1.5 < held < 4, (free, held)
    assert free < 1


def test_capabilities(scene):
    assert status(scene)["CapEff"].strip() == "00000000a80425fb"
    assert status(scene, "--cap-drop", "ALL")["CapEff"].strip() == "0" * 16
    assert int(status(scene, "--cap-drop", "ALL", "--cap-add", "NET_ADMIN")["CapEff"], 16) == 1 << 12
    assert int(status(scene, "--cap-add", "SYS_TIME")["CapEff"], 16) == 0xa80425fb | 1 << 25
    assert int(status(scene, "--privileged")["CapEff"], 16) & 1 << 21
    assert "Operation not permitted" in scene.sh("--cap-drop", "CHOWN", "chown 1 /tmp 2>&1 || true")
    assert 'invalid CapAdd: unknown capability: "CAP_MAGIC"' in scene.refused("run", "--rm", "--cap-add", "magic", "busybox", "true")


def test_privileged(scene):
    assert scene.sh("--privileged", "mkdir /m && mount -t tmpfs none /m && echo mounted; test -e /dev/loop-control && echo devices") == "mounted\ndevices"
    assert "permission denied" in scene.sh("mkdir /m; mount -t tmpfs none /m 2>&1 || true")


def test_read_only(scene):
    assert scene.sh("--read-only", "--tmpfs", "/tmp", "touch /x 2>&1; touch /tmp/y && echo yes") == "touch: /x: Read-only file system\nyes"


def test_seccomp_and_no_new_privileges(scene):
    assert status(scene)["Seccomp"] == "2" and status(scene)["NoNewPrivs"] == "0"
    s = status(scene, "--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges")
    assert s["Seccomp"] == "0" and s["NoNewPrivs"] == "1"
    assert scene.sh("unshare -U true 2>&1 || true").endswith("Operation not permitted")


def test_masked_and_read_only_paths(scene):
    assert scene.sh("cat /proc/keys; ls -A /sys/firmware; (echo 1 > /proc/sys/vm/swappiness) 2>&1 || true") == \
        "sh: can't create /proc/sys/vm/swappiness: Read-only file system"


@pytest.mark.parametrize("kind", ["pid", "ipc", "uts"])
def test_host_namespaces(scene, kind):
    assert scene.sh(f"--{kind}", "host", f"readlink /proc/self/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")
    assert scene.sh(f"readlink /proc/self/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")


def test_namespaces_of_another_container(scene):
    n = scene.box("donor", "--ipc", "shareable")
    pid = scene.inspect(n)["State"]["Pid"]
    for kind in "pid", "ipc":
        assert scene.sh(f"--{kind}", f"container:{n}", f"readlink /proc/self/ns/{kind}") == os.readlink(f"/proc/{pid}/ns/{kind}")


def test_labels(scene, tmp_path):
    (tmp_path / "l").write_text("c=3\n")
    n = scene.box("labelled", "--label", "a=1", "-l", "b", "--label-file", str(tmp_path / "l"))
    assert scene.inspect(n)["Config"]["Labels"] == {"a": "1", "b": "", "c": "3"}


def test_ulimit_shm_sysctl(scene):
    assert scene.sh("--ulimit", "nofile=123:456", "ulimit -Sn; ulimit -Hn") == "123\n456"
    assert "size=65536k" in scene.sh("grep /dev/shm /proc/mounts")
    assert "size=1024k" in scene.sh("--shm-size", "1m", "grep /dev/shm /proc/mounts")
    assert scene.sh("--sysctl", "net.ipv4.ip_unprivileged_port_start=99", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == "99"


def test_init_is_process_one(scene):
    assert "init" in scene.sh("--init", "cat /proc/1/comm")


def test_hosts_and_name_servers(scene):
    hosts = scene.sh("--add-host", "far:10.9.8.7", "--add-host", "gate:host-gateway", "cat /etc/hosts")
    assert re.search(r"^10\.9\.8\.7\s+far$", hosts, re.M) and re.search(r"^[0-9.]+\s+gate$", hosts, re.M)
    conf = scene.sh("--dns", "192.0.2.1", "--dns-search", "example.org", "--dns-option", "ndots:3", "cat /etc/resolv.conf")
    assert re.search(r"^nameserver 192\.0\.2\.1$", conf, re.M) and re.search(r"^search example\.org$", conf, re.M)
    assert re.search(r"^options .*ndots:3", conf, re.M)


def test_hostname_and_domain(scene):
    assert scene.sh("-h", "boat", "--domainname", "sea", "hostname; hostname -f; cat /etc/hostname") == "boat\nboat.sea\nboat"


def test_log_driver_none(scene):
    n = scene.name("quiet")
    scene("run", "--name", n, "--log-driver", "none", "busybox", "echo", "said")
    assert "does not support reading" in scene.refused("logs", n)


def test_log_rotation(scene):
    n = scene.name("chatty")
    scene("run", "-d", "--name", n, "--log-driver", "json-file", "--log-opt", "max-size=4k", "--log-opt", "max-file=2", "busybox",
          "sh", "-c", "for i in $(seq 400); do echo line $i; done")
    scene("wait", n)
    lines = wait_until(lambda: (x := scene.out("logs", n).splitlines()) and x[-1] == "line 400" and x)
    assert 10 < len(lines) < 200
    assert "unknown log opt" in scene.refused("run", "--rm", "--log-opt", "colour=red", "busybox", "true")


def test_health(scene):
    n = scene.box("healthy", "--health-cmd", "test -e /tmp/well", "--health-interval", "200ms", "--health-retries", "2", "--health-timeout", "5s",
                  "--health-start-period", "0s")
    state = lambda: scene.inspect(n)["State"]["Health"]["Status"]  # noqa: E731
    wait_until(lambda: state() == "unhealthy")
    assert "(unhealthy)" in scene.out("ps", "--filter", f"name={n}")
    scene("exec", n, "touch", "/tmp/well")
    wait_until(lambda: state() == "healthy")
    assert scene.out("ps", "-q", "--filter", "health=healthy", "--filter", f"name={n}")
    log = scene.inspect(n)["State"]["Health"]["Log"]
    assert len(log) <= 5 and log[-1]["ExitCode"] == 0


def test_stop_signal_and_timeout(scene):
    n = scene.name("polite")
    scene("run", "-d", "--name", n, "--stop-signal", "USR1", "busybox", "sh", "-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done")
    wait_until(lambda: "ready" in scene.out("logs", n))
    scene("stop", n)
    assert scene.inspect(n)["State"]["ExitCode"] == 9
    m = scene.box("deaf", "--stop-timeout", "1")
    scene("stop", m, timeout=8)
    assert scene.inspect(m)["State"]["ExitCode"] == 137


def test_restart_policies(scene):
    n = scene.name("again")
    scene("run", "-d", "--name", n, "--restart", "on-failure:2", "busybox", "false")
    wait_until(lambda: (i := scene.inspect(n)) and i["RestartCount"] == 2 and not i["State"]["Running"] and not i["State"]["Restarting"])
    assert scene.inspect(n)["State"]["ExitCode"] == 1
    m = scene.name("always")
    scene("run", "-d", "--name", m, "--restart", "always", "busybox", "sleep", "0.1")
    wait_until(lambda: scene.inspect(m)["RestartCount"] >= 2)
    scene("stop", m)
    assert scene.inspect(m)["State"]["Status"] == "exited"
    assert "onflicting options" in scene.refused("run", "--rm", "--restart", "always", "busybox", "true")


def test_volumes_from(scene):
    v = scene.name("shared", "volume")
    n = scene.box("owner", "-v", f"{v}:/data")
    scene("exec", n, "sh", "-c", "echo theirs > /data/f")
    assert scene.sh("--volumes-from", n, "cat /data/f; echo mine > /data/g") == "theirs"
    assert "Read-only" in scene.sh("--volumes-from", f"{n}:ro", "touch /data/z 2>&1 || true")


def test_create_then_start_attached(scene):
    n = scene.name("made")
    cid = scene.out("create", "--name", n, "busybox", "echo", "late")
    assert scene.inspect(n)["State"]["Status"] == "created" and scene.inspect(n)["Id"] == cid
    assert scene.out("start", "-a", n) == "late"


def test_cidfile_and_names_in_use(scene, tmp_path):
    n = scene.name("once")
    f = tmp_path / "cid"
    cid = scene.out("run", "-d", "--cidfile", str(f), "--name", n, "busybox", "true")
    assert f.read_text() == cid
    assert f'The container name "/{n}" is already in use by container "{cid}"' in scene.refused("run", "--name", n, "busybox", "true")
