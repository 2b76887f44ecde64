# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes half of the course: a cluster with its own service proxy, and every kubectl that is here."""
import ctypes
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../kube"))
from cluster_test import Cluster, free_port  # noqa: E402
from coracle_test import BIN, sh, wait_until  # noqa: E402

FOLDER = "/usr/lib/google-cloud-sdk/bin"
MINORS = [f"1.{m}" for m in range(27, 34)]


class OwnNetwork:
    """This process, and what it starts, in a network namespace of its own: node ports of two clusters on one machine would meet."""
    def __enter__(self):
        self.before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.libc = ctypes.CDLL(None, use_errno=True)
        if self.libc.unshare(0x40000000):
            raise OSError(ctypes.get_errno(), "unshare")
        sh("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *what):
        self.libc.setns(self.before, 0x40000000)
        os.close(self.before)


class Kubectl:
    def __init__(self, name, argv):
        self.name, self.argv = name, argv

    def missing(self):
        return None if os.path.exists(self.argv[0]) else f"{self.argv[0]} is not here"


def kubectls():
    return [Kubectl("k" + m.replace(".", "-"), [f"{FOLDER}/kubectl.{m}"]) for m in MINORS] + [Kubectl("coracle", [os.path.join(BIN, "coracle"), "kubectl"])]


class CourseCluster(Cluster):
    """With a service proxy: rules, device and name server's address of its own."""
    def node_flags(self):
        e = self.engine
        return ["--node-name", self.node_name, "--kubeconfig", os.path.join(e.config, "node.kubeconfig"), "--listen", f"127.0.0.1:{self.kubelet_port}",
                "--cgroup-root", self.cgroup_root, "--node-ip", "127.0.0.1", "--proxy-kubeconfig", os.path.join(e.config, "proxy.kubeconfig"), "--nft-table", f"n{e.table}", "--dns-link", f"d{e.bridge}"[:15], "--cluster-dns", f"10.96.77.{os.getpid() % 200 + 10}"]

    def start_node(self, wait=True):
        self.start("node", *self.node_flags())
        if wait:
            wait_until(lambda: self.node_ready() == "True")

    def stop(self):
        self.kubectl("delete", "deployments,daemonsets,jobs,cronjobs,pods", "--all", "-A", "--timeout=30s", check=False)
        self.stop_role("node")
        e = self.engine
        sh(os.path.join(BIN, "coracled"), "node", "--root", e.root, "--run", e.run, "--config", e.config, *self.node_flags(), "--cleanup", check=False)
        return super().stop()


class Scene:
    """One kubectl in a namespace of its own."""
    def __init__(self, cluster, client):
        self.cluster, self.client, self.ns = cluster, client, f"c-{client.name}"
        self.ours = client.argv[-1] == "kubectl"
        self.env = dict(os.environ, KUBECONFIG=cluster.kubeconfig, HOME=os.path.join(cluster.engine.dir, client.name))
        self("create", "namespace", self.ns)
        self.children = []

    def __call__(self, *args, check=True, timeout=60, stdin=None):
        more = {} if "-n" in args or "-A" in args or args[0] in ("explain", "api-resources", "api-versions", "version") else {"n": self.ns}
        argv = [*self.client.argv, *(["-n", more["n"]] if more else []), *args]
        return sh(*argv, check=check, timeout=timeout, env=self.env, **({"input": stdin, "stdin": None} if stdin is not None else {}))

    def out(self, *args, **kw):
        return self(*args, **kw).stdout.rstrip("\n")

    def rows(self, *args):
        """Cells of a table, without its head."""
        return [line.split() for line in self.out(*args).split("\n")[1:]]

    def wait_pods(self, selector, n, seconds=40):
        """Names of n running, ready pods."""
        def look():
            rows = [r for r in self.rows("get", "pods", "-l", selector) if r and r[0] != "No"]
            ready = [r[0] for r in rows if r[1].split("/")[0] == r[1].split("/")[1] and r[2] == "Running"]
            return ready if len(ready) == n == len(rows) else None
        return wait_until(look, seconds, 0.2)

    def background(self, *args, first=True):
        """A command that goes on; its first line."""
        p = subprocess.Popen([*self.client.argv, "-n", self.ns, *args], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.children.append(p)
        return p.stdout.readline().rstrip("\n") if first else ""

    def end(self):
        for p in self.children:
            p.terminate()
            p.wait(10)
        self.cluster.kubectl("delete", "namespace", self.ns, "--wait=false", check=False)


def fetch(url, seconds=15):
    """What a URL answers, asked again while nothing listens."""
    import urllib.request
    end = time.time() + seconds
    while True:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as r:
                return r.read().decode()
        except OSError:
            if time.time() > end:
                raise
            time.sleep(0.1)


__all__ = ["CourseCluster", "OwnNetwork", "Kubectl", "Scene", "fetch", "free_port", "kubectls"]
