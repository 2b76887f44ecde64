# SPDX-License-Identifier: Apache-2.0
"""The node drives another CRI runtime: Debian's containerd 1.6 (which has no event stream), on the host's network, with our OCI runtime below."""
import os
import shutil
import subprocess

import pytest
from coracle_test import BIN, BUILD, wait_until

PEERS = os.environ.get("CORACLE_PEERS", os.path.join(BUILD, "peers"))
CONFIG = """version = 2
root = "{d}/root"
state = "{d}/state"
[grpc]
  address = "{d}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "docker.io/library/pausing:latest"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{d}/coracle-runtime"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{d}/cni"
    conf_dir = "{d}/cni"
"""


@pytest.fixture
def containerd(own_cluster):
    c = own_cluster
    if not os.path.exists(PEERS + "/usr/bin/containerd"):
        pytest.skip("no containerd here (make peers)")
    d = os.path.join(c.engine.dir, "ctd")
    os.makedirs(d)
    shutil.copy(BIN + "/coracle-runtime", d)
    open(d + "/config.toml", "w").write(CONFIG.format(d=d))
    path = f"{PEERS}/usr/bin:{PEERS}/usr/sbin:{os.environ['PATH']}"
    p = subprocess.Popen([PEERS + "/usr/bin/containerd", "-c", d + "/config.toml"], stdout=open(d + "/log", "w"), stderr=subprocess.STDOUT,
                         env=dict(os.environ, PATH=path), start_new_session=True)
    wait_until(lambda: os.path.exists(d + "/containerd.sock"))
    c.engine.docker("create", "--name", "pz", "busybox")
    c.engine.docker("commit", "--change", 'CMD ["sleep","100000"]', "pz", "pausing:latest")
    c.engine.docker("rm", "pz")
    c.engine.docker("save", "-o", d + "/images.tar", "pausing:latest", "busybox:latest")
    subprocess.run([PEERS + "/usr/bin/ctr", "-a", d + "/containerd.sock", "-n", "k8s.io", "images", "import", d + "/images.tar"], check=True,
                   stdout=subprocess.DEVNULL)
    c.stop_role("node")
    c.start("node", "--node-name", c.node_name, "--kubeconfig", c.engine.config + "/node.kubeconfig", "--listen", f"127.0.0.1:{c.kubelet_port}",
            "--cgroup-root", c.cgroup_root, "--node-ip", "127.0.0.1", "--proxy-kubeconfig", "none",
            "--container-runtime-endpoint", f"unix://{d}/containerd.sock")
    yield c
    p.terminate()
    p.wait(20)
    for line in open("/proc/self/mountinfo").read().splitlines()[::-1]:
        at = line.split(" ")[4]
        if at.startswith(d):
            subprocess.run(["umount", "-l", at])
    c.stop_role("node")


def test_containerd_runs_pods(containerd):
    c = containerd
    anywhere = {"hostNetwork": True, "tolerations": [{"operator": "Exists"}]}
    c.pod("ctd", [{"command": ["sh", "-c", "echo hello; trap exit TERM; while :; do sleep 0.1; done"],
                   "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}], initContainers=[{"command": ["true"]}], **anywhere)
    p = c.wait_phase("ctd", "Running")
    assert p["status"]["containerStatuses"][0]["containerID"].startswith("containerd://")
    wait_until(lambda: c.logs("ctd") == "hello\n")
    assert c.kubectl("exec", "ctd", "-c", "c0", "--", "echo", "hi").stdout == "hi\n"
    c.pod("crash", [{"command": ["false"]}], **anywhere)
    c.wait_pod("crash", lambda p: p["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    c.delete("ctd", "crash")
