# SPDX-License-Identifier: Apache-2.0
"""A whole cluster for scenes: engine, server and node, each with folders, ports and cgroups of its own."""
import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from coracle_test import BIN, Engine, sh, wait_until

KUBECTL = os.environ.get("KUBECTL", "/usr/bin/kubectl")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    def __init__(self, images=("busybox",)):
        self.engine = Engine().start()
        for i in images:
            self.engine.load(i)
        e = self.engine
        self.api_port, self.kubelet_port = free_port(), free_port()
        self.kubeconfig = os.path.join(e.config, "kubeconfig")
        self.cgroup_root = f"/{e.bridge}k"
        self.node_name = "n1"
        self.processes = {}
        self.start("server", "--listen", f"127.0.0.1:{self.api_port}", "--node-name", self.node_name)
        wait_until(lambda: os.path.exists(self.kubeconfig) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0)
        self.start_node()

    def start(self, role, *flags):
        e = self.engine
        log = open(os.path.join(e.dir, f"{role}.log"), "ab")
        self.processes[role] = subprocess.Popen(
            [os.environ.get(f"CORACLE_{role.upper()}_BIN", os.path.join(BIN, "coracled")), role, "--root", e.root, "--run", e.run, "--config", e.config, *flags],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()

    def start_node(self, wait=True):
        e = self.engine
        self.start("node", "--node-name", self.node_name, "--kubeconfig", os.path.join(e.config, "node.kubeconfig"),
                   "--listen", f"127.0.0.1:{self.kubelet_port}", "--cgroup-root", self.cgroup_root,
                   "--node-ip", "127.0.0.1", "--log-level", "debug", "--proxy-kubeconfig", "none")
        if wait:
            wait_until(lambda: self.node_ready() == "True")

    def node_ready(self):
        r = self.kubectl("get", "node", self.node_name, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}", check=False)
        return r.stdout.strip()

    def stop_role(self, role, sig=signal.SIGTERM):
        p = self.processes.pop(role, None)
        if p:
            p.send_signal(sig)
            p.wait(20)

    def log(self, role):
        return open(os.path.join(self.engine.dir, f"{role}.log")).read()

    def kubectl(self, *args, check=True, timeout=60, stdin=None):
        return sh(KUBECTL, *args, check=check, timeout=timeout, env=dict(os.environ, KUBECONFIG=self.kubeconfig, HOME=self.engine.dir),
                  **({"input": stdin, "stdin": None} if stdin is not None else {}))

    def apply(self, *objects):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "--validate=false", "-f", "-", stdin=text)

    def get(self, kind, name, ns="default"):
        r = self.kubectl("get", kind, name, "-n", ns, "-o", "json", check=False)
        return json.loads(r.stdout) if r.returncode == 0 else None

    def pod(self, name, containers, **spec):
        """Makes a pod bound to the node. containers: dicts; a missing image is busybox."""
        meta = spec.pop("metadata", {})
        cs = [dict({"name": f"c{i}", "image": "busybox", "imagePullPolicy": "IfNotPresent"}, **c) for i, c in enumerate(containers)]
        inits = [dict({"name": f"i{i}", "image": "busybox", "imagePullPolicy": "IfNotPresent"}, **c)
                 for i, c in enumerate(spec.pop("initContainers", []))]
        s = dict({"nodeName": self.node_name, "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, "containers": cs}, **spec)
        if inits:
            s["initContainers"] = inits
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": dict({"name": name, "namespace": "default"}, **meta), "spec": s})

    def wait_pod(self, name, what, seconds=30):
        """Waits until what(pod) is true; the pod."""
        last = {}

        def look():
            last["pod"] = p = self.get("pod", name)
            return p if p and what(p) else None
        try:
            return wait_until(look, seconds, 0.1)
        except AssertionError:
            raise AssertionError(f"pod {name}: {json.dumps(last['pod'] and last['pod'].get('status'), indent=1)}\n{self.log('node')[-2000:]}")

    def wait_phase(self, name, phase, seconds=30):
        return self.wait_pod(name, lambda p: p["status"].get("phase") == phase, seconds)

    def delete(self, *names, grace=None):
        self.kubectl("delete", "pod", *names, "--ignore-not-found", *(["--grace-period", str(grace)] if grace is not None else []))

    def events(self, name):
        r = self.kubectl("get", "events", "-o", "json", "--field-selector", f"involvedObject.name={name}")
        return [(i["type"], i["reason"], i["message"]) for i in json.loads(r.stdout)["items"]]

    def kubelet(self, path, method="GET"):
        """(status, text) of the kubelet's own API, as the cluster's administrator."""
        d = self.engine.dir
        cfg = json.loads(self.kubectl("config", "view", "--raw", "-o", "json").stdout)
        user = cfg["users"][0]["user"]
        cert, key = os.path.join(d, "admin.crt"), os.path.join(d, "admin.key")
        for path_, field in ((cert, "client-certificate-data"), (key, "client-key-data")):
            with open(os.open(path_, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(base64.b64decode(user[field]))
        c = ssl.create_default_context()
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        c.load_cert_chain(cert, key)
        q = urllib.request.Request(f"https://127.0.0.1:{self.kubelet_port}{path}", method=method)
        try:
            with urllib.request.urlopen(q, context=c, timeout=30) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as x:
            return x.code, x.read().decode()

    def logs(self, pod, container="c0", query=""):
        status, text = self.kubelet(f"/containerLogs/default/{pod}/{container}{query}")
        assert status == 200, text
        return text

    def stop(self):
        self.kubectl("delete", "deployments,daemonsets,statefulsets,jobs,cronjobs,replicasets", "--all", "-A", "--timeout=30s", check=False)
        r = self.kubectl("delete", "pods", "--all", "-A", "--timeout=30s", check=False)
        self.stop_role("node")
        self.stop_role("server")
        for top in os.listdir("/sys/fs/cgroup"):
            self.remove_cgroup(os.path.join("/sys/fs/cgroup", top) + self.cgroup_root)
        left = self.engine.stop()
        return left or (r.returncode and r.stderr)

    def remove_cgroup(self, path):
        for top, _, _ in os.walk(path, topdown=False):
            for _ in range(50):
                try:
                    os.rmdir(top)
                    break
                except OSError:
                    time.sleep(0.02)
