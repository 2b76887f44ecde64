# SPDX-License-Identifier: Apache-2.0
"""`coracle up` over what a killed supervisor left: its roles are ended, containers are not. `coracle down` too finds them."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from coracle_test import BIN, TOP, wait_until

CORACLE = os.path.join(BIN, "coracle")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_up_after_the_supervisor_was_killed():
    d = tempfile.mkdtemp(prefix="coracle-sup-")
    os.chmod(d, 0o711)
    run, env = f"{d}/run", dict(os.environ, DOCKER_HOST=f"unix://{d}/run/docker.sock")
    flags = ["--root", f"{d}/root", "--run", run, "--config", f"{d}/etc", "--no-docker-sock", "--api-listen", f"127.0.0.1:{free_port()}",
             "--kubelet-listen", f"127.0.0.1:{free_port()}", "--node-name", "sup", "--server-flags", "--cluster-cidr 10.242.0.0/16",
             "--node-flags", f"--pod-logs {d}/logs --nft-table crsup_node --dns-link crsupdns0 --cgroup-root /crsup", "--", "--bridge", "crsup0",
             "--nft-table", "crsup", "--pod-bridge", "crsuppod0", "--cgroup-parent", "/crsupdocker", "--pod-cidr", "10.242.0.0/24", "--cluster-cidr", "10.242.0.0/16"]

    def do(*words):
        r = subprocess.run([CORACLE, *words], env=env, capture_output=True, text=True, timeout=90)
        assert r.returncode == 0, (words, r.stdout, r.stderr, open(f"{d}/root/log/supervisor.log").read()[-1500:])
        return r.stdout.strip()

    def roles():
        return dict(line.split() for line in open(f"{run}/roles"))

    try:
        subprocess.run([os.path.join(TOP, "tools", "base-image"), "busybox", f"{d}/busybox.tar"], check=True)
        do("up", *flags)
        do("docker", "import", f"{d}/busybox.tar", "busybox:1")
        box = do("docker", "run", "-d", "busybox:1", "sleep", "300")
        pid = do("docker", "inspect", "-f", "{{.State.Pid}}", box)
        before = roles()
        os.kill(int(open(f"{run}/supervisor.pid").read()), signal.SIGKILL)
        do("up", *flags)
        after = roles()
        assert set(before) == set(after) and not set(before.values()) & set(after.values())
        wait_until(lambda: not any(os.path.exists(f"/proc/{p}") for p in before.values()), 10)
        assert do("docker", "inspect", "-f", "{{.State.Status}} {{.State.Pid}}", box) == f"running {pid}"
        assert "Ready" in do("kubectl", "--kubeconfig", f"{d}/etc/kubeconfig", "get", "nodes")
        os.kill(int(open(f"{run}/supervisor.pid").read()), signal.SIGKILL)  # and down works without one
    finally:
        r = subprocess.run([CORACLE, "down", *flags], env=env, capture_output=True, text=True, timeout=120)
        left = {p: open(f"/proc/{p}/cmdline").read() for p in os.listdir("/proc") if p.isdigit() and d in open(f"/proc/{p}/cmdline").read()}
        for p in left:
            os.kill(int(p), signal.SIGKILL)
        shutil.rmtree(d, ignore_errors=True)
    assert r.returncode == 0 and not left, (r.stderr, left)
    assert "crsup" not in subprocess.run(["sh", "-c", "ip -br link; nft list tables; find /sys/fs/cgroup -maxdepth 2 -name '*crsup*'; mount"], capture_output=True, text=True).stdout
