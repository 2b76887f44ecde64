# SPDX-License-Identifier: Apache-2.0
"""Workloads whose pods really run: controllers, scheduler, kubelet and engine together."""
import json

from coracle_test import wait_until

LOOP = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]


def workload(kind, name, command=LOOP, version="apps/v1", containers=None, **spec):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": dict({
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {
            "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
            "containers": containers or [{"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": command}]}}}, **spec)}


def pods(cluster, label):
    r = cluster.kubectl("get", "pods", "-l", label, "-o", "json")
    return json.loads(r.stdout)["items"]


def gone(cluster, kind, name, label):
    cluster.kubectl("delete", kind, name, "--timeout=20s")
    wait_until(lambda: not pods(cluster, label), 20, 0.1)


def test_a_deployment_runs_heals_and_rolls(cluster):
    cluster.apply(workload("Deployment", "web", replicas=2))
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", "deployment/web", "--timeout=30s").stdout
    first = {p["metadata"]["uid"] for p in pods(cluster, "app=web")}
    cluster.kubectl("delete", "pod", pods(cluster, "app=web")[0]["metadata"]["name"])
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", "deployment/web", "--timeout=30s").stdout
    wait_until(lambda: len(pods(cluster, "app=web")) == 2, 20, 0.1)
    assert len(first & {p["metadata"]["uid"] for p in pods(cluster, "app=web")}) == 1
    cluster.kubectl("set", "env", "deployment/web", "A=b")
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", "deployment/web", "--timeout=30s").stdout
    cluster.kubectl("rollout", "undo", "deployment/web")
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", "deployment/web", "--timeout=30s").stdout
    wait_until(lambda: len(pods(cluster, "app=web")) == 2 and not any(p["spec"]["containers"][0].get("env") for p in pods(cluster, "app=web")), 20, 0.1)
    gone(cluster, "deployment", "web", "app=web")


def test_a_job_counts_real_ends(cluster):
    j = workload("Job", "count", ["true"], "batch/v1", completions=3, parallelism=2)
    del j["spec"]["selector"]
    j["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    cluster.apply(j)
    cluster.kubectl("wait", "--for=condition=complete", "job/count", "--timeout=30s")
    o = cluster.get("job", "count")
    assert o["status"]["succeeded"] == 3 and not o["status"].get("failed")
    assert {p["status"]["phase"] for p in pods(cluster, "job-name=count")} == {"Succeeded"}
    gone(cluster, "job", "count", "job-name=count")


def test_a_daemon_set_and_a_stateful_set_with_a_claim_run(cluster):
    cluster.apply(workload("DaemonSet", "agent"))
    cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=30s")
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "", "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": f"{cluster.engine.dir}/disk", "type": "DirectoryOrCreate"}}}
    write = ["sh", "-c", "hostname > /data/name; trap exit TERM; while :; do sleep 0.1; done"]
    db = workload("StatefulSet", "db", replicas=1, serviceName="db", containers=[{
        "name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": write, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "",
                                                                     "resources": {"requests": {"storage": "1Gi"}}}}])
    cluster.apply(volume, db)
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=30s")
    assert cluster.get("pvc", "data-db-0")["status"]["phase"] == "Bound"
    with open(f"{cluster.engine.dir}/disk/name") as f:
        assert f.read() == "db-0\n"
    gone(cluster, "daemonset", "agent", "app=agent")
    gone(cluster, "statefulset", "db", "app=db")
    cluster.kubectl("delete", "pvc", "data-db-0")
    cluster.kubectl("delete", "pv", "disk")


def test_a_service_has_the_addresses_of_what_runs(cluster):
    cluster.apply(workload("Deployment", "srv", replicas=2),
                  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "srv"}, "spec": {"selector": {"app": "srv"}, "ports": [{"port": 80}]}})

    def there():
        s = (cluster.get("endpoints", "srv") or {}).get("subsets")
        return s and sorted(a["ip"] for a in s[0].get("addresses", [])) == sorted(p["status"].get("podIP", "") for p in pods(cluster, "app=srv")) \
            and len(s[0]["addresses"]) == 2
    wait_until(there, 30, 0.1)
    gone(cluster, "deployment", "srv", "app=srv")
    wait_until(lambda: not cluster.get("endpoints", "srv").get("subsets"), 10, 0.1)
    cluster.kubectl("delete", "service", "srv")
