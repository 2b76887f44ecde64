# SPDX-License-Identifier: Apache-2.0
"""The container runtime interface on real sandboxes and containers."""
import base64
import crypt
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coracle_test import BIN, Engine, sh, wait_until  # noqa: E402
from cri_client import CONTAINER, CREATED, EXITED, M, NODE, NOTREADY, POD, READY, RUNNING, TARGET, Cri  # noqa: E402


@pytest.fixture(scope="module")
def eng():
    e = Engine().start()
    e.load("busybox")
    yield e
    left = e.stop()
    assert not left, f"left behind: {left}"


@pytest.fixture
def cri(eng):
    c = Cri(eng.cri_sock)
    yield c
    c.remove_all()
    assert not c.call("ListContainers").containers
    c.close()


def sandbox_ns(network=POD, pid=CONTAINER, ipc=POD, **more):
    return dict(security_context=dict(namespace_options=dict(network=network, pid=pid, ipc=ipc), **more))


def refused(code, f, *args, **kw):
    with pytest.raises(grpc.RpcError) as x:
        f(*args, **kw)
    assert x.value.code() == code, x.value
    return x.value.details()


def test_everyday(cri, eng, tmp_path):
    p = cri.pod("web", log_directory=str(tmp_path), labels={"app": "web", "tier": "1"}, annotations={"note": "x"})
    st = cri.pod_status(p[0])
    assert st.state == READY and st.metadata.name == "web" and st.labels["app"] == "web" and st.annotations["note"] == "x"
    assert st.network.ip.startswith(eng.pod_cidr.rsplit(".", 1)[0])
    c = cri.container(p, "main", ["sh", "-c", "echo out; echo err >&2; printf tail; sleep 1000"], labels={"c": "1"}, start=False)
    assert cri.status(c).state == CREATED
    cri.call("StartContainer", container_id=c)
    s = cri.status(c)
    assert s.state == RUNNING and s.started_at > s.created_at > 0 and s.finished_at == 0 and s.labels["c"] == "1"
    assert s.image.image == "docker.io/library/busybox:latest" and s.image_id.startswith("sha256:")
    log = tmp_path / "main.log"
    wait_until(lambda: len(log.read_text().splitlines()) == 2)
    for line in log.read_text().splitlines():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout F out|stderr F err)", line), line
    assert cri.out(c, "hostname") == "web"
    assert cri.sh(c, "echo o; echo e >&2; exit 7") == (7, "o\n", "e\n")
    assert [x.id for x in cri.call("ListContainers", filter=dict(label_selector={"c": "1"})).containers] == [c]
    assert not cri.call("ListContainers", filter=dict(label_selector={"c": "2"})).containers
    assert not cri.call("ListContainers", filter=dict(state=dict(state=EXITED))).containers
    assert [x.id for x in cri.call("ListPodSandbox", filter=dict(label_selector={"app": "web"}, state=dict(state=READY))).items] == [p[0]]
    assert not cri.call("ListPodSandbox", filter=dict(id="0" * 64)).items
    began = time.time()
    cri.call("StopContainer", container_id=c, timeout=1)
    assert time.time() - began < 5
    s = cri.status(c)
    assert (s.state, s.exit_code, s.reason) == (EXITED, 137, "Error") and s.finished_at > s.started_at
    assert log.read_text().endswith("stdout P tail\n")
    cri.call("StopContainer", container_id=c, timeout=1)
    cri.call("RemoveContainer", container_id=c)
    cri.call("RemoveContainer", container_id=c)
    refused(grpc.StatusCode.NOT_FOUND, cri.status, c)
    cri.call("StopPodSandbox", pod_sandbox_id=p[0])
    cri.call("StopPodSandbox", pod_sandbox_id=p[0])
    assert cri.pod_status(p[0]).state == NOTREADY
    refused(grpc.StatusCode.FAILED_PRECONDITION, cri.container, p)
    cri.call("RemovePodSandbox", pod_sandbox_id=p[0])
    cri.call("RemovePodSandbox", pod_sandbox_id=p[0])
    refused(grpc.StatusCode.NOT_FOUND, cri.pod_status, p[0])


def test_version_and_status(cri):
    assert cri.call("Version", version="v1").runtime_api_version == "v1"
    s = cri.call("Status", verbose=True)
    assert {c.type: c.status for c in s.status.conditions} == {"RuntimeReady": True, "NetworkReady": True}
    assert cri.call("RuntimeConfig").linux.cgroup_driver == 1


def test_ends(cri):
    p = cri.pod("ends")
    done = cri.container(p, "done", ["true"])
    fails = cri.container(p, "fails", ["sh", "-c", "exit 3"])
    wait_until(lambda: cri.status(done).state == EXITED and cri.status(fails).state == EXITED)
    assert (cri.status(done).exit_code, cri.status(done).reason) == (0, "Completed")
    assert (cri.status(fails).exit_code, cri.status(fails).reason) == (3, "Error")
    absent = cri.container(p, "absent", ["/no/such/program"], start=False)
    assert "no such file" in refused(grpc.StatusCode.INVALID_ARGUMENT, cri.call, "StartContainer", container_id=absent)
    s = cri.status(absent)
    assert (s.state, s.exit_code, s.reason) == (EXITED, 128, "StartError") and "no such file" in s.message
    refused(grpc.StatusCode.FAILED_PRECONDITION, cri.call, "StartContainer", container_id=done)


def test_stop_signal(cri):
    p = cri.pod("signal")
    c = cri.container(p, command=["sh", "-c", "trap 'exit 42' USR1; while true; do sleep 0.1; done"], stop_signal=29)
    wait_until(lambda: cri.sh(c, "grep -q 'SigCgt.*[2a6e]..$' /proc/1/status")[0] == 0, 5)
    cri.call("StopContainer", container_id=c, timeout=10)
    assert cri.status(c).exit_code == 42 and cri.status(c).stop_signal == 29


def test_names_are_unique(cri):
    p = cri.pod("twice")
    assert "is reserved for" in refused(grpc.StatusCode.ALREADY_EXISTS, cri.pod, "twice")
    cri.container(p, "c")
    assert "is reserved for" in refused(grpc.StatusCode.ALREADY_EXISTS, cri.container, p, "c")
    refused(grpc.StatusCode.NOT_FOUND, cri.container, p, "other", image="no/such:image")
    cri.container(p, "other")


def test_docker_and_cri_do_not_see_each_other(cri, eng):
    p = cri.pod("hidden")
    c = cri.container(p)
    d = eng.docker("run", "-d", "busybox", "sleep", "1000").stdout.strip()
    assert [x["Id"] for x in eng.api("GET", "/containers/json?all=1")[1]] == [d]
    assert [x.id for x in cri.call("ListContainers").containers] == [c]
    for what in (c, c[:12], p[0]):
        assert eng.api("GET", f"/containers/{what}/json")[0] == 404
        assert eng.api("DELETE", f"/containers/{what}?force=1")[0] == 404
    refused(grpc.StatusCode.NOT_FOUND, cri.status, d)
    assert {n["Name"] for n in eng.api("GET", "/networks")[1]} == {"bridge", "host", "none"}
    assert eng.api("GET", "/networks/pods")[0] == 404
    assert eng.api("GET", "/info")[1]["Containers"] == 1
    cri.call("StopContainer", container_id=c, timeout=0)
    eng.docker("rm", "-f", d)
    for what in ("containers", "networks", "volumes", "images"):
        assert eng.api("POST", f"/{what}/prune")[0] == 200
    assert cri.status(c).state == EXITED
    assert eng.api("GET", "/_ping")[0] == 200


def test_network(cri, eng):
    a, b = cri.pod("a"), cri.pod("b", dns_config=dict(servers=["10.96.0.10"], searches=["x.svc.cluster.local", "cluster.local"], options=["ndots:5"]))
    ca = cri.container(a, command=["sh", "-c", "while true; do echo hello | nc -l -p 8080; done"])
    cb = cri.container(b)
    ip = cri.pod_status(a[0]).network.ip
    assert ip in cri.out(ca, "ip addr show eth0")
    wait_until(lambda: cri.sh(cb, f"nc -w 2 {ip} 8080 </dev/null")[1] == "hello\n")
    assert cri.out(cb, "cat /etc/resolv.conf").splitlines() == ["search x.svc.cluster.local cluster.local", "nameserver 10.96.0.10", "options ndots:5"]
    with socket.create_connection((ip, 8080), 5) as s:
        assert s.recv(100) == b"hello\n"
    # also to a neighbour by way of the gateway, where services are rewritten
    assert cri.out(cb, f"ip route get {ip}").split()[:3] == [ip, "via", eng.pod_cidr.replace("0/24", "1")]
    # two containers of a pod share the network and /dev/shm, and System V memory
    c2 = cri.container(a, "second")
    wait_until(lambda: cri.sh(c2, "nc -w 2 127.0.0.1 8080 </dev/null")[1] == "hello\n")
    cri.out(c2, "echo shared > /dev/shm/x")
    assert cri.out(ca, "cat /dev/shm/x") == "shared"
    for ns in ("net", "ipc", "uts"):
        assert cri.out(ca, f"readlink /proc/self/ns/{ns}") == cri.out(c2, f"readlink /proc/self/ns/{ns}")
        assert cri.out(ca, f"readlink /proc/self/ns/{ns}") not in (os.readlink(f"/proc/self/ns/{ns}"), cri.out(cb, f"readlink /proc/self/ns/{ns}"))
    assert cri.out(ca, "readlink /proc/self/ns/pid") != cri.out(c2, "readlink /proc/self/ns/pid")


def test_pods_are_open_and_docker_is_not(cri, eng):
    p = cri.pod("open")
    c = cri.container(p, command=["sh", "-c", "while true; do echo pod | nc -l -p 8080; done"])
    ip = cri.pod_status(p[0]).network.ip
    d = eng.docker("run", "-d", "busybox", "sh", "-c", "while true; do echo docker | nc -l -p 8080; done").stdout.strip()
    try:
        other = eng.api("GET", f"/containers/{d}/json")[1]["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        wait_until(lambda: eng.docker("exec", d, "nc", "-w", "2", ip, "8080", check=False).stdout == "pod\n")
        wait_until(lambda: eng.docker("exec", d, "nc", "-w", "2", "127.0.0.1", "8080", check=False).stdout == "docker\n")
        assert cri.sh(c, f"nc -w 1 {other} 8080")[0] != 0
    finally:
        eng.docker("rm", "-f", d)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_host_ports(cri):
    port = free_port()
    p = cri.pod("ports", port_mappings=[dict(container_port=8080, host_port=port)])
    cri.container(p, command=["sh", "-c", "while true; do echo port | nc -l -p 8080; done"])

    def asks():
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as s:
                return s.recv(100) == b"port\n"
        except OSError:
            return False
    wait_until(asks)
    assert "already allocated" in refused(grpc.StatusCode.UNKNOWN, cri.pod, "again", port_mappings=[dict(container_port=1, host_port=port)])
    cri.pod("other", port_mappings=[dict(container_port=1, host_port=0)])


def test_who_comes_through_a_port(cri, eng):
    """A neighbour keeps its address; a pod that reaches itself must not."""
    port, gateway = free_port(), eng.pod_cidr.replace("0/24", "1")
    a = cri.pod("a", port_mappings=[dict(container_port=8080, host_port=port)])
    script = "mkdir -p /w/cgi-bin; printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' > /w/cgi-bin/who; chmod 755 /w/cgi-bin/who; exec httpd -f -p 8080 -h /w"
    ca, b = cri.container(a, command=["sh", "-c", script]), cri.pod("b")
    cb = cri.container(b)

    def who(c):
        return cri.sh(c, f"(printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n'; sleep 0.3) | nc -w 2 {gateway} {port} | tail -1")[1].strip()
    wait_until(lambda: who(cb))
    assert cri.pod_status(b[0]).network.ip in who(cb)
    assert gateway in who(ca)


def test_host_namespaces(cri):
    p = cri.pod("host", linux=sandbox_ns(NODE, NODE, NODE))
    c = cri.container(p, linux=sandbox_ns(NODE, NODE, NODE))
    for ns in ("net", "ipc", "uts", "pid"):
        assert cri.out(c, f"readlink /proc/self/ns/{ns}") == os.readlink(f"/proc/self/ns/{ns}")
    assert cri.pod_status(p[0]).network.ip == ""
    assert cri.out(c, "cat /etc/hosts").split() == open("/etc/hosts").read().split()


def test_shared_process_namespace(cri):
    p = cri.pod("pids", linux=sandbox_ns(pid=POD))
    a = cri.container(p, "a", linux=sandbox_ns(pid=POD))
    b = cri.container(p, "b", linux=sandbox_ns(pid=POD))
    own = cri.container(p, "own", linux=sandbox_ns(pid=CONTAINER))
    assert cri.out(a, "readlink /proc/self/ns/pid") == cri.out(b, "readlink /proc/self/ns/pid") != cri.out(own, "readlink /proc/self/ns/pid")
    assert cri.out(a, "ps | grep -c 'sleep 100[0]'") == "2"
    assert "hold" in cri.out(b, "ps | head -2")
    assert len(cri.call("ListContainers").containers) == 3
    assert cri.pod_status(p[0]).linux.namespaces.options.pid == POD
    t = cri.container(p, "debug", linux=dict(security_context=dict(namespace_options=dict(pid=TARGET, target_id=own))))
    assert cri.out(t, "readlink /proc/self/ns/pid") == cri.out(own, "readlink /proc/self/ns/pid")


def test_a_shared_process_namespace_that_ends_ends_its_sandbox(cri, eng):
    p = cri.pod("over", linux=sandbox_ns(pid=POD))
    c = cri.container(p, linux=sandbox_ns(pid=POD))
    holder = [x for x in sh("ps", "-eo", "pid,args").stdout.splitlines() if x.split(None, 1)[1] == "/pause hold"]
    mine = [int(x.split()[0]) for x in holder if eng.bridge in open(f"/proc/{x.split()[0]}/cgroup").read()]
    assert len(mine) == 1
    os.kill(mine[0], signal.SIGKILL)
    wait_until(lambda: cri.pod_status(p[0]).state == NOTREADY and cri.status(c).state == EXITED)
    refused(grpc.StatusCode.FAILED_PRECONDITION, cri.container, p, "late")


def test_sysctls(cri):
    p = cri.pod("sysctl", linux=dict(sysctls={"net.ipv4.ip_local_port_range": "20000 30000", "kernel.shm_rmid_forced": "1"}))
    c = cri.container(p)
    assert cri.out(c, "cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/shm_rmid_forced").split() == ["20000", "30000", "1"]
    refused(grpc.StatusCode.INVALID_ARGUMENT, cri.pod, "bad", linux=dict(sysctls={"vm.swappiness": "1"}))
    assert len(cri.ids()) == 1


def test_security(cri):
    p = cri.pod("sec")

    def with_sc(name, **sc):
        return cri.container(p, name, linux=dict(security_context=sc))
    c = with_sc("user", run_as_user=dict(value=1000), run_as_group=dict(value=2000), supplemental_groups=[3000, 4000], no_new_privs=True)
    assert cri.out(c, "id -u; id -g; id -G").splitlines()[:2] == ["1000", "2000"]
    assert {"3000", "4000"} <= set(cri.out(c, "id -G").split())
    assert "NoNewPrivs:\t1" in cri.out(c, "cat /proc/1/status")
    u = cri.status(c).user.linux
    assert (u.uid, u.gid, sorted(u.supplemental_groups)) == (1000, 2000, [2000, 3000, 4000])
    c = with_sc("caps", capabilities=dict(add_capabilities=["NET_ADMIN"], drop_capabilities=["CAP_CHOWN"]))
    bits = int(re.search(r"CapEff:\t(\w+)", cri.out(c, "cat /proc/self/status")).group(1), 16)
    assert bits >> 12 & 1 and not bits & 1
    c = with_sc("none", capabilities=dict(drop_capabilities=["ALL"]))
    assert "CapEff:\t0000000000000000" in cri.out(c, "cat /proc/self/status")
    c = with_sc("ro", readonly_rootfs=True)
    assert "Read-only" in cri.sh(c, "touch /x")[2]
    c = with_sc("seccomp", seccomp=dict(profile_type=0))
    assert "Seccomp:\t2" in cri.out(c, "cat /proc/self/status")
    c = with_sc("unconfined", seccomp=dict(profile_type=1))
    assert "Seccomp:\t0" in cri.out(c, "cat /proc/self/status")
    c = with_sc("masked", masked_paths=["/proc/timer_list"], readonly_paths=["/proc/sys"])
    assert cri.out(c, "cat /proc/timer_list") == "" and "Read-only" in cri.sh(c, "echo 1 > /proc/sys/kernel/domainname")[2]
    assert "no privileged container" in refused(grpc.StatusCode.INVALID_ARGUMENT, with_sc, "priv", privileged=True)
    refused(grpc.StatusCode.INVALID_ARGUMENT, with_sc, "badcap", capabilities=dict(add_capabilities=["NO_SUCH"]))
    refused(grpc.StatusCode.INVALID_ARGUMENT, with_sc, "group", run_as_group=dict(value=1))
    p = cri.pod("priv", linux=sandbox_ns(privileged=True))
    c = with_sc("priv", privileged=True)
    assert int(cri.out(c, "ls /dev | wc -l")) > 20 and "Seccomp:\t0" in cri.out(c, "cat /proc/self/status")
    assert cri.sh(c, "mkdir -p /mnt && mount -t tmpfs x /mnt && umount /mnt")[0] == 0


def test_command_environment_and_user_of_image(cri):
    p = cri.pod("cmd")
    c = cri.container(p, "args", ["sh", "-c"], args=["echo $A-$B; pwd; sleep 1000"], envs=[dict(key="A", value=b"1"), dict(key="B", value=b"two words")],
                      working_dir="/tmp")
    assert cri.out(c, "echo $A; echo $B; pwd; echo $HOSTNAME").splitlines() == ["1", "two words", "/tmp", "cmd"]


def test_mounts(cri, tmp_path):
    (tmp_path / "rw").mkdir()
    (tmp_path / "ro").mkdir()
    (tmp_path / "ro" / "f").write_text("x")
    (tmp_path / "hosts").write_text("1.2.3.4 me\n")
    p = cri.pod("mounts")
    c = cri.container(p, mounts=[dict(container_path="/rw", host_path=str(tmp_path / "rw")),
                                 dict(container_path="/ro", host_path=str(tmp_path / "ro"), readonly=True),
                                 dict(container_path="/new", host_path=str(tmp_path / "made/here")),
                                 dict(container_path="/etc/hosts", host_path=str(tmp_path / "hosts"))])
    cri.out(c, "echo hi > /rw/f")
    assert (tmp_path / "rw/f").read_text() == "hi\n" and (tmp_path / "made/here").is_dir()
    assert "Read-only" in cri.sh(c, "echo x > /ro/f")[2]
    assert cri.out(c, "cat /etc/hosts") == "1.2.3.4 me"
    assert len(cri.status(c).mounts) == 4


def test_mount_propagation(cri, tmp_path):
    d = tmp_path / "shared"
    d.mkdir()
    sh("mount", "-t", "tmpfs", "none", str(d))
    sh("mount", "--make-shared", str(d))
    try:
        (d / "sub").mkdir()
        (d / "back").mkdir()
        p = cri.pod("prop", linux=sandbox_ns(privileged=True))
        slave = cri.container(p, "slave", mounts=[dict(container_path="/d", host_path=str(d), propagation=1)])
        private = cri.container(p, "private", mounts=[dict(container_path="/d", host_path=str(d))])
        both = cri.container(p, "both", mounts=[dict(container_path="/d", host_path=str(d), propagation=2)],
                             linux=dict(security_context=dict(privileged=True)))
        sh("mount", "-t", "tmpfs", "none", str(d / "sub"))
        (d / "sub" / "f").write_text("seen")
        assert cri.out(slave, "cat /d/sub/f") == "seen" == cri.out(both, "cat /d/sub/f")
        assert cri.sh(private, "cat /d/sub/f")[0] != 0
        cri.out(both, "mount -t tmpfs none /d/back && echo up > /d/back/f")
        assert (d / "back/f").read_text() == "up\n" and cri.out(slave, "cat /d/back/f") == "up"
        cri.remove_all()
    finally:
        for x in (d / "sub", d / "back", d):
            sh("umount", "-l", str(x), check=False)


def cgroup_value(cid, controller, name):
    with open("/proc/self/mountinfo") as f:
        root = next(line.split()[4] for line in f if re.search(rf"\bcgroup2?\b.*\b{controller}\b", line))
    for base, dirs, _ in os.walk(root):
        if cid in dirs:
            return open(os.path.join(base, cid, name)).read().strip()
    raise AssertionError(f"no cgroup of {cid} below {root}")


def test_resources_and_cgroup_parent(cri, eng):
    parent = f"/{eng.bridge}/kubepods/burstable/podX"
    p = cri.pod("res", linux=dict(cgroup_parent=parent))
    c = cri.container(p, linux=dict(resources=dict(cpu_period=100000, cpu_quota=50000, cpu_shares=512, memory_limit_in_bytes=64 << 20, oom_score_adj=500)))
    assert f"{parent}/{c}" in cri.out(c, "cat /proc/self/cgroup")
    assert cgroup_value(c, "memory", "memory.limit_in_bytes") == str(64 << 20)
    assert cgroup_value(c, "cpu", "cpu.cfs_quota_us") == "50000" and cgroup_value(c, "cpu", "cpu.shares") == "512"
    assert cri.out(c, "cat /proc/1/oom_score_adj") == "500"
    cri.call("UpdateContainerResources", container_id=c, linux=dict(cpu_quota=20000, memory_limit_in_bytes=128 << 20))
    assert cgroup_value(c, "memory", "memory.limit_in_bytes") == str(128 << 20) and cgroup_value(c, "cpu", "cpu.cfs_quota_us") == "20000"
    r = cri.status(c).resources.linux
    assert (r.memory_limit_in_bytes, r.cpu_quota, r.cpu_shares) == (128 << 20, 20000, 512)
    cri.call("UpdatePodSandboxResources", pod_sandbox_id=p[0], resources=dict(cpu_quota=30000))
    s = cri.call("ContainerStats", container_id=c).stats
    assert s.memory.working_set_bytes.value > 0 and s.cpu.usage_core_nano_seconds.value > 0
    assert cri.call("PodSandboxStats", pod_sandbox_id=p[0]).stats.linux.containers[0].attributes.id == c


def test_out_of_memory(cri):
    p = cri.pod("oom")
    c = cri.container(p, command=["sh", "-c", "x=$(head -c 100000000 /dev/zero | tail -c 90000000 | tr '\\0' x); echo $x"],
                      linux=dict(resources=dict(memory_limit_in_bytes=16 << 20)))
    wait_until(lambda: cri.status(c).state == EXITED)
    assert cri.status(c).reason == "OOMKilled"


def test_exec_sync_limits(cri):
    p = cri.pod("execs")
    c = cri.container(p)
    assert "timeout 1s exceeded" in refused(grpc.StatusCode.DEADLINE_EXCEEDED, cri.call, "ExecSync", container_id=c, cmd=["sleep", "100"], timeout=1)
    wait_until(lambda: cri.sh(c, "ps | grep -c 'sleep 10[0]$'")[1].strip() == "0")
    assert len(cri.call("ExecSync", container_id=c, cmd=["head", "-c", "3000000", "/dev/zero"]).stdout) == 3000000
    with pytest.raises(grpc.RpcError, match="executable file not found"):
        cri.call("ExecSync", container_id=c, cmd=["nothere"])
    refused(grpc.StatusCode.NOT_FOUND, cri.call, "ExecSync", container_id="f" * 64, cmd=["true"])


def test_log_is_reopened(cri, tmp_path):
    p = cri.pod("logs", log_directory=str(tmp_path))
    c = cri.container(p, "main", ["sh", "-c", "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.05; done"], log_path="main/0.log")
    log = tmp_path / "main/0.log"
    wait_until(lambda: log.exists() and log.stat().st_size)
    log.rename(tmp_path / "main/0.log.old")
    cri.call("ReopenContainerLog", container_id=c)
    wait_until(lambda: log.exists() and log.stat().st_size)
    cri.call("StopContainer", container_id=c, timeout=0)
    lines = ((tmp_path / "main/0.log.old").read_text() + log.read_text()).splitlines()
    assert [int(x.rsplit(" ", 1)[1]) for x in lines] == list(range(1, len(lines) + 1))
    refused(grpc.StatusCode.FAILED_PRECONDITION, cri.call, "ReopenContainerLog", container_id=c)


def test_events(cri):
    got = []
    stream = cri.call("GetContainerEvents")

    def read():
        try:
            for x in stream:
                got.append((x.container_id, x.container_event_type))
        except grpc.RpcError:
            pass
    t = threading.Thread(target=read)
    t.start()
    time.sleep(0.3)
    p = cri.pod("events")
    c = cri.container(p)
    cri.call("StopContainer", container_id=c, timeout=0)
    cri.call("RemoveContainer", container_id=c)
    wait_until(lambda: [k for i, k in got if i == c] == [0, 1, 2, 3])
    stream.cancel()
    t.join()


def test_images_of_docker_are_pinned(cri, eng):
    images = cri.call("ListImages").images
    i = next(x for x in images if "docker.io/library/busybox:latest" in x.repo_tags)
    assert i.pinned and i.size > 0
    for name in ("busybox", "docker.io/library/busybox:latest", i.id):
        assert cri.call("ImageStatus", image=dict(image=name)).image.id == i.id
        cri.call("RemoveImage", image=dict(image=name))
        assert eng.api("GET", "/images/busybox/json")[0] == 200
    assert not cri.call("ImageStatus", image=dict(image="nothing/here")).HasField("image")
    cri.call("RemoveImage", image=dict(image="nothing/here"))
    assert cri.call("ImageFsInfo").image_filesystems[0].used_bytes.value > 0


def test_pull(cri, eng, tmp_path):
    port = free_port()
    reg = subprocess.Popen([os.path.join(BIN, "coracled"), "registry", "--root", str(tmp_path), "--addr", f"127.0.0.1:{port}"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(tmp_path / "log", "w"))
    try:
        name = f"127.0.0.1:{port}/test/bb:1"

        def up():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        wait_until(up)
        eng.docker("build", "-t", name, "-", input="FROM busybox\nRUN echo pulled > /f\nUSER 1234\n", stdin=None)
        eng.docker("push", name)
        eng.docker("rmi", name)
        assert not cri.call("ImageStatus", image=dict(image=name)).HasField("image")
        ref = cri.call("PullImage", image=dict(image=name)).image_ref
        i = cri.call("ImageStatus", image=dict(image=name)).image
        assert i.id == ref and not i.pinned and i.uid.value == 1234 and i.repo_digests[0].startswith(f"127.0.0.1:{port}/test/bb@sha256:")
        assert eng.api("GET", f"/images/{name}/json")[0] == 404 == eng.api("GET", f"/images/{ref}/json")[0]
        assert eng.api("DELETE", f"/images/{ref}?force=1")[0] == 404
        eng.docker("pull", name)
        assert eng.docker("images", "-q", "--no-trunc", name).stdout.strip() == ref and cri.call("ImageStatus", image=dict(image=name)).image.pinned
        assert eng.api("DELETE", f"/images/{ref}?force=1")[0] == 200
        assert eng.api("GET", f"/images/{ref}/json")[0] == 404
        i = cri.call("ImageStatus", image=dict(image=name)).image
        assert i.id == ref and not i.pinned
        assert name not in eng.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout
        eng.api("POST", "/images/prune", {})
        eng.docker("image", "prune", "-af")
        p = cri.pod("pulled")
        c = cri.container(p, image=ref)
        assert cri.out(c, "cat /f; id -u").split() == ["pulled", "1234"]
        assert cri.status(c).image_ref == i.repo_digests[0]
        cri.call("RemovePodSandbox", pod_sandbox_id=p[0])
        cri.call("RemoveImage", image=dict(image=ref))
        assert not cri.call("ImageStatus", image=dict(image=name)).HasField("image")
        refused(grpc.StatusCode.NOT_FOUND, cri.call, "PullImage", image=dict(image=f"127.0.0.1:{port}/no/such:1"))
    finally:
        reg.kill()
        reg.wait()
        eng.load("busybox")


def test_pull_with_a_password(cri, eng, tmp_path):
    port = free_port()
    (tmp_path / "pw").write_text("me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
    reg = subprocess.Popen([os.path.join(BIN, "coracled"), "registry", "--root", str(tmp_path / "r"), "--addr", f"127.0.0.1:{port}",
                            "--htpasswd", str(tmp_path / "pw")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(tmp_path / "log", "w"))
    try:
        name = f"127.0.0.1:{port}/private/bb:1"
        wait_until(lambda: sh("curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/v2/", check=False).returncode == 0)
        eng.docker("login", "-u", "me", "--password-stdin", f"127.0.0.1:{port}", input="secret", stdin=None)
        eng.docker("tag", "busybox", name)
        eng.docker("push", name)
        eng.docker("rmi", name)
        pull = lambda **auth: cri.call("PullImage", image=dict(image=name), auth=auth)  # noqa: E731
        with pytest.raises(grpc.RpcError, match="(?i)auth|denied"):
            cri.call("PullImage", image=dict(image=name))
        with pytest.raises(grpc.RpcError, match="(?i)auth|denied"):
            pull(username="me", password="wrong")
        assert pull(username="me", password="secret").image_ref.startswith("sha256:")
        cri.call("RemoveImage", image=dict(image=name))
        assert pull(auth=base64.b64encode(b"me:secret").decode()).image_ref.startswith("sha256:")
        cri.call("RemoveImage", image=dict(image=name))
    finally:
        reg.kill()
        reg.wait()


def test_the_subnet_that_was_told_is_kept(own_engine):
    e = own_engine.start()
    e.load("busybox")
    cri = Cri(e.cri_sock)
    other = e.pod_cidr.replace(".0/24", ".128/25")
    refused(grpc.StatusCode.INVALID_ARGUMENT, cri.call, "UpdateRuntimeConfig", runtime_config=dict(network_config=dict(pod_cidr="x")))
    cri.call("UpdateRuntimeConfig", runtime_config=dict(network_config=dict(pod_cidr=other)))
    for again in range(2):
        p = cri.pod("told")
        assert int(cri.pod_status(p[0]).network.ip.rsplit(".", 1)[1]) > 128
        cri.remove_all()
        e.kill()
        e.start()
    cri.close()


def test_many_at_once(cri):
    def one(i):
        try:
            p = cri.pod(f"many{i}")
            c = cri.container(p, command=["sh", "-c", "exit 0" if i % 2 else "sleep 1000"])
            assert cri.status(c).id == c
            cri.call("StopPodSandbox", pod_sandbox_id=p[0])
            cri.call("RemovePodSandbox", pod_sandbox_id=p[0])
        except Exception as x:  # noqa: BLE001
            wrong.append(x)
    wrong = []
    ts = [threading.Thread(target=one, args=(i,)) for i in range(20)]
    [t.start() for t in ts]
    [t.join() for t in ts]
    assert not wrong
    assert not cri.ids()


# --- the engine dies


def test_pods_survive_the_engine(own_engine, tmp_path):
    e = own_engine.start()
    e.load("busybox")
    cri = Cri(e.cri_sock)
    p = cri.pod("live", log_directory=str(tmp_path), linux=sandbox_ns(pid=POD))
    c = cri.container(p, "main", ["sh", "-c", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"])
    short = cri.container(p, "short", ["sh", "-c", "sleep 0.5; exit 9"])
    pid = int(cri.out(c, "cat /proc/self/stat | cut -d' ' -f4") or 0)
    before = cri.status(c), cri.pod_status(p[0])
    e.kill()
    time.sleep(1)
    e.start()
    assert cri.pod_status(p[0]).state == READY and cri.pod_status(p[0]).network.ip == before[1].network.ip
    s = cri.status(c)
    assert s.state == RUNNING and s.started_at == before[0].started_at and pid >= 0
    s = cri.status(short)
    assert (s.state, s.exit_code, s.reason) == (EXITED, 9, "Error") and s.finished_at - s.started_at < 900_000_000
    lines = (tmp_path / "main.log").read_text().splitlines()
    assert [int(x.rsplit(" ", 1)[1]) for x in lines] == list(range(1, len(lines) + 1))
    assert cri.out(c, "echo alive") == "alive"
    again = cri.container(p, "again", linux=sandbox_ns(pid=POD))
    assert cri.out(again, "hostname") == "live" and cri.out(again, "readlink /proc/self/ns/net") == cri.out(c, "readlink /proc/self/ns/net")
    assert "is reserved for" in refused(grpc.StatusCode.ALREADY_EXISTS, cri.pod, "live")
    assert "is reserved for" in refused(grpc.StatusCode.ALREADY_EXISTS, cri.container, p, "again")
    cri.remove_all()
    cri.close()


def test_killed_in_the_middle(own_engine):
    """Whatever was acknowledged is there; what was not leaves nothing behind."""
    e = own_engine.start()
    e.load("busybox")
    for turn in range(int(os.environ.get("ROUNDS", "6"))):
        cri = Cri(e.cri_sock)
        known, stop = [], threading.Event()

        def work(n):
            i = 0
            while not stop.is_set():
                try:
                    p = cri.pod(f"t{turn}n{n}i{i}")
                    known.append(p[0])
                    cri.container(p)
                    i += 1
                except grpc.RpcError:
                    return
        ts = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        [t.start() for t in ts]
        time.sleep(0.15 + 0.07 * (turn % 8))
        e.kill()
        stop.set()
        cri.close()
        [t.join() for t in ts]
        e.start()
        cri = Cri(e.cri_sock)
        assert set(known) <= set(cri.ids())
        for i in known:
            assert cri.pod_status(i).state == READY
        for k in cri.call("ListContainers").containers:
            assert k.pod_sandbox_id in cri.ids()
        cri.remove_all()
        assert not cri.call("ListContainers").containers
        assert not os.listdir(os.path.join(e.run, "pods"))
        cri.close()


def test_after_a_boot(own_engine):
    e = own_engine.start()
    e.load("busybox")
    cri = Cri(e.cri_sock)
    p = cri.pod("old")
    c = cri.container(p)
    e.kill()
    # what a boot takes: processes and mounts
    for line in sh("ps", "-eo", "pid,args").stdout.splitlines():
        if e.run in line and "shim" in line:
            os.kill(int(line.split()[0]), signal.SIGKILL)
    for base in ("pods", "netns"):
        for d, _, files in os.walk(os.path.join(e.run, base), topdown=False):
            for f in files:
                sh("umount", "-l", os.path.join(d, f), check=False)
            sh("umount", "-l", d, check=False)
    sh("sh", "-c", f"rm -rf {e.run}/pods {e.run}/netns {e.run}/net {e.run}/shim/*")
    e.start()
    assert cri.pod_status(p[0]).state == NOTREADY
    assert cri.status(c).state == EXITED
    q = cri.pod("new")
    cri.out(cri.container(q), "true")
    cri.remove_all()
    cri.close()


def test_down_with_pods(own_engine):
    e = own_engine.start()
    e.load("busybox")
    cri = Cri(e.cri_sock)
    cri.container(cri.pod("one"))
    cri.close()
