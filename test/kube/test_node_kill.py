# SPDX-License-Identifier: Apache-2.0
"""kill -9 of node, engine and server in turn while pods come and go: nothing that was acknowledged is lost, nothing runs twice, nothing stays."""
import json
import os
import random
import signal
import time

from coracle_test import wait_until

SLEEP = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
ROUNDS = int(os.environ.get("KILL_ROUNDS", "12"))


def ready(p):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))


def kill(c, role):
    if role == "engine":
        c.engine.process.kill()
        c.engine.process.wait()
        c.engine.start()
    elif role == "server":
        c.stop_role("server", signal.SIGKILL)
        c.start("server", "--listen", f"127.0.0.1:{c.api_port}", "--node-name", c.node_name)
        wait_until(lambda: c.kubectl("get", "--raw", "/readyz", check=False).returncode == 0)
    else:
        c.stop_role("node", signal.SIGKILL)
        c.start_node(wait=False)


def test_pods_survive_kills_of_everything_below_them(own_cluster):
    c = own_cluster
    r = random.Random(7)
    alive = {}
    for i in range(ROUNDS):
        name = f"k{i}"
        c.pod(name, [{"command": SLEEP}, {"command": SLEEP}], initContainers=[{"command": ["true"]}],
              volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}], terminationGracePeriodSeconds=2)
        alive[name] = None
        time.sleep(r.random() * 0.3)
        if len(alive) > 4:
            gone = sorted(alive)[0]
            c.kubectl("delete", "pod", gone, "--wait=false")
            del alive[gone]
        kill(c, ("node", "engine", "server")[i % 3])
    wait_until(lambda: c.node_ready() == "True", 30)
    for name in alive:
        p = c.wait_pod(name, ready, 60)
        for s in p["status"]["containerStatuses"]:
            # an engine that dies between create and start may cost one try, never a running container
            assert s["restartCount"] <= 1, (name, s)
    wait_until(lambda: len(json.loads(c.kubectl("get", "pods", "-o", "json").stdout)["items"]) == len(alive), 30)
    wait_until(lambda: len(os.listdir(f"{c.engine.root}/node/pods")) == len(alive), 30)
    wait_until(lambda: len(os.listdir(f"{c.engine.root}/node/logs")) == len(alive), 30)
    mounts = open("/proc/self/mountinfo").read()
    assert mounts.count(f"{c.engine.root}/node/pods/") == len(alive), "one tmpfs each"
