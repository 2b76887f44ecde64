# SPDX-License-Identifier: Apache-2.0
"""The controllers in a real server, driven by the real kubectl. No pod runs here: the tests are the scheduler and the kubelet."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from cluster_test import KUBECTL, free_port
from coracle_test import BIN, sh, wait_until


class Server:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="coracle-control-")
        os.chmod(self.dir, 0o755)     # the server has a user of its own
        self.port = free_port()
        self.kubeconfig = os.path.join(self.dir, "etc", "kubeconfig")
        self.start()

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "coracled"), "server", "--root", f"{self.dir}/root", "--run", f"{self.dir}/run", "--config", f"{self.dir}/etc",
                 "--listen", f"127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: os.path.exists(self.kubeconfig) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0)

    def end(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(20)

    def stop(self):
        code = self.end()
        with open(os.path.join(self.dir, "log")) as f:
            log = f.read()
        shutil.rmtree(self.dir)
        assert code == 0, log[-3000:]
        return log

    def kubectl(self, *args, check=True, timeout=60, stdin=None):
        return sh(KUBECTL, *args, check=check, timeout=timeout, env=dict(os.environ, KUBECONFIG=self.kubeconfig, HOME=self.dir),
                  **({"input": stdin, "stdin": None} if stdin is not None else {}))

    def apply(self, text, ns=None):
        return self.kubectl("apply", *(["-n", ns] if ns else []), "-f", "-", stdin=text)

    def get(self, kind, name=None, ns="default", label=None):
        r = self.kubectl("get", kind, *([name] if name else []), "-n", ns, "-o", "json", *(["-l", label] if label else []), check=False)
        if r.returncode:
            return None
        o = json.loads(r.stdout)
        return o if name else o["items"]

    def status(self, kind, name, status, ns="default"):
        self.kubectl("patch", kind, name, "-n", ns, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}), check=False)

    def pods(self, label=None, ns="default"):
        return self.get("pods", ns=ns, label=label)

    def run_pods(self, label=None, ns="default"):
        """What is not ready becomes so; what is being deleted goes."""
        n = 0
        for p in self.pods(label, ns) or []:
            name = p["metadata"]["name"]
            if "deletionTimestamp" in p["metadata"]:
                self.kubectl("delete", "pod", name, "-n", ns, "--grace-period=0", "--force", "--wait=false", check=False)
            elif p["status"].get("phase") in ("Succeeded", "Failed"):
                continue
            elif not any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", [])):
                n += 1
                self.status("pod", name, {"phase": "Running", "podIP": f"10.1.0.{n}", "conditions": [
                    {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}, ns)

    def until(self, what, seconds=20, play=None):
        def look():
            if play is not None:
                self.run_pods(ns=play)
            return what()
        try:
            return wait_until(look, seconds, 0.1)
        except AssertionError:
            with open(os.path.join(self.dir, "log")) as f:
                raise AssertionError(f.read()[-2000:])

    def events(self, name, ns="default"):
        r = self.kubectl("get", "events", "-n", ns, "-o", "json", "--field-selector", f"involvedObject.name={name}")
        return {(i["reason"], i["message"]) for i in json.loads(r.stdout)["items"]}


@pytest.fixture(scope="module")
def server():
    if not os.path.exists(KUBECTL):
        pytest.skip("no kubectl here")
    s = Server()
    yield s
    log = s.stop()
    assert " error server: " not in log, log[-3000:]


@pytest.fixture
def ns(server, request):
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    server.kubectl("create", "namespace", name)
    yield name
    server.kubectl("delete", "namespace", name, "--wait=false", check=False)
    server.until(lambda: server.get("namespace", name) is None, 30, play=name)


def workload(kind, name, spec, image="nginx", version="apps/v1"):
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": dict({
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}}}, **spec)})


def image_count(server, ns, image):
    return sum(p["spec"]["containers"][0]["image"] == image and "deletionTimestamp" not in p["metadata"] for p in server.pods(ns=ns))


def condition(o, kind):
    return next((c for c in o["status"].get("conditions", []) if c["type"] == kind), {})


def test_a_deployment_rolls_out_pauses_and_is_undone(server, ns):
    k = lambda *a, **kw: server.kubectl(*a, "-n", ns, **kw)  # noqa: E731
    server.apply(workload("Deployment", "web", {"replicas": 3}), ns)
    server.until(lambda: server.get("deployment", "web", ns)["status"].get("availableReplicas") == 3, play=ns)
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=5s").stdout
    k("set", "image", "deployment/web", "c=httpd")
    server.until(lambda: image_count(server, ns, "httpd") == 3 and len(server.pods(ns=ns)) == 3, play=ns)
    server.until(lambda: condition(server.get("deployment", "web", ns), "Progressing")["reason"] == "NewReplicaSetAvailable", play=ns)
    assert [l.split()[0] for l in k("rollout", "history", "deployment/web").stdout.splitlines()[2:] if l] == ["1", "2"]
    k("rollout", "undo", "deployment/web")
    server.until(lambda: image_count(server, ns, "nginx") == 3 and len(server.pods(ns=ns)) == 3, play=ns)
    assert server.get("deployment", "web", ns)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    k("rollout", "pause", "deployment/web")
    k("set", "image", "deployment/web", "c=busybox")
    server.until(lambda: condition(server.get("deployment", "web", ns), "Progressing")["reason"] == "DeploymentPaused")
    assert image_count(server, ns, "busybox") == 0
    k("rollout", "resume", "deployment/web")
    server.until(lambda: image_count(server, ns, "busybox") == 3, play=ns)
    text = k("describe", "deployment", "web").stdout
    assert re.search(r"ScalingReplicaSet +\S+ +deployment-controller +Scaled up replica set web-\w+ from 0 to 3", text), text
    k("scale", "deployment/web", "--replicas=0")
    server.until(lambda: not server.pods(ns=ns), play=ns)


def test_a_deployment_that_recreates_has_no_two_versions_at_once(server, ns):
    server.apply(workload("Deployment", "web", {"replicas": 2, "strategy": {"type": "Recreate"}}), ns)
    server.until(lambda: server.get("deployment", "web", ns)["status"].get("availableReplicas") == 2, play=ns)
    server.kubectl("set", "image", "deployment/web", "c=httpd", "-n", ns)

    def done():
        images = {p["spec"]["containers"][0]["image"] for p in server.pods(ns=ns)}
        assert len(images) < 2
        return images == {"httpd"} and server.get("deployment", "web", ns)["status"].get("availableReplicas") == 2
    server.until(done, play=ns)


def test_a_replica_set_adopts_and_releases(server, ns):
    server.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lost", "labels": {"app": "rs"}},
                             "spec": {"containers": [{"name": "c", "image": "nginx"}]}}), ns)
    server.apply(workload("ReplicaSet", "rs", {"replicas": 2}), ns)
    server.until(lambda: server.get("pod", "lost", ns)["metadata"].get("ownerReferences"))
    server.until(lambda: len(server.pods(ns=ns)) == 2)
    server.kubectl("label", "pod", "lost", "app=other", "--overwrite", "-n", ns)
    server.until(lambda: len(server.pods(ns=ns)) == 3 and not server.get("pod", "lost", ns)["metadata"].get("ownerReferences"))


def test_a_replication_controller_keeps_its_number(server, ns):
    server.apply(json.dumps({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "rc"}, "spec": {
        "replicas": 2, "selector": {"app": "rc"},
        "template": {"metadata": {"labels": {"app": "rc"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}}), ns)
    server.until(lambda: server.get("rc", "rc", ns)["status"].get("readyReplicas") == 2, play=ns)
    server.kubectl("scale", "rc", "rc", "--replicas=1", "-n", ns)
    server.until(lambda: len(server.pods(ns=ns)) == 1, play=ns)
    assert server.get("rc", "rc", ns)["status"]["replicas"] == 1


def test_a_quota_is_told_as_a_failure_and_forgotten(server, ns):
    server.kubectl("create", "quota", "few", "--hard=pods=1", "-n", ns)
    server.apply(workload("Deployment", "web", {"replicas": 3}), ns)
    server.until(lambda: condition(server.get("rs", ns=ns)[0], "ReplicaFailure").get("reason") == "FailedCreate")
    server.until(lambda: condition(server.get("deployment", "web", ns), "ReplicaFailure").get("status") == "True")
    assert "exceeded quota" in condition(server.get("deployment", "web", ns), "ReplicaFailure")["message"]
    server.kubectl("scale", "deployment/web", "--replicas=1", "-n", ns)
    server.until(lambda: not condition(server.get("rs", ns=ns)[0], "ReplicaFailure"), play=ns)


def test_deleting_takes_along_waits_or_orphans(server, ns):
    for cascade, pods_left in (("background", 0), ("foreground", 0), ("orphan", 2)):
        server.apply(workload("Deployment", cascade, {"replicas": 2}), ns)
        server.until(lambda: len(server.pods(f"app={cascade}", ns)) == 2)
        server.kubectl("delete", "deployment", cascade, "-n", ns, f"--cascade={cascade}", "--timeout=20s")
        server.until(lambda: len(server.pods(f"app={cascade}", ns)) == pods_left)
        if cascade == "orphan":
            server.until(lambda: not server.get("rs", ns=ns, label="app=orphan")[0]["metadata"].get("ownerReferences"))


def test_a_service_follows_its_pods(server, ns):
    server.apply(workload("Deployment", "web", {"replicas": 2}), ns)
    server.kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080", "-n", ns)
    server.until(lambda: server.get("endpoints", "web", ns) is not None)
    assert not server.get("endpoints", "web", ns).get("subsets")
    server.until(lambda: len((server.get("endpoints", "web", ns).get("subsets") or [{}])[0].get("addresses", [])) == 2, play=ns)
    s = server.get("endpointslices", ns=ns, label="kubernetes.io/service-name=web")
    assert len(s) == 1 and s[0]["ports"][0]["port"] == 8080 and len(s[0]["endpoints"]) == 2
    server.kubectl("delete", "service", "web", "-n", ns)
    server.until(lambda: server.get("endpoints", "web", ns) is None and not server.get("endpointslices", ns=ns))


def test_a_namespace_waits_for_finalizers(server):
    server.kubectl("create", "namespace", "held")
    server.until(lambda: server.get("serviceaccount", "default", "held") and server.get("configmap", "kube-root-ca.crt", "held"))
    server.apply(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "finalizers": ["example.com/held"]}}), "held")
    server.kubectl("delete", "namespace", "held", "--wait=false")
    ns = server.until(lambda: (lambda n: condition(n, "NamespaceFinalizersRemaining").get("status") == "True" and n)(server.get("namespace", "held")))
    assert ns["status"]["phase"] == "Terminating"
    assert "configmaps. has 1 resource instances" in condition(ns, "NamespaceContentRemaining")["message"]
    server.kubectl("patch", "configmap", "x", "-n", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    server.until(lambda: server.get("namespace", "held") is None)


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
"""


def test_custom_resources_own_and_are_owned(server, ns):
    server.apply(CRD)
    server.until(lambda: server.kubectl("get", "boats", "-n", ns, check=False).returncode == 0)
    server.apply(json.dumps({"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "a"}}), ns)
    a = server.get("boats", "a", ns)
    own = [{"apiVersion": "example.com/v1", "kind": "Boat", "name": "a", "uid": a["metadata"]["uid"], "blockOwnerDeletion": True}]
    server.apply(json.dumps({"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "b", "ownerReferences": own}}), ns)
    server.apply(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "ownerReferences": own}}), ns)
    time.sleep(0.5)
    assert server.get("boats", "b", ns) and server.get("configmap", "c", ns)
    server.kubectl("delete", "boats", "a", "-n", ns, "--cascade=foreground", "--timeout=20s")
    server.until(lambda: not server.get("boats", ns=ns) and server.get("configmap", "c", ns) is None)


def test_a_stateful_set_comes_up_in_order(server, ns):
    server.apply(workload("StatefulSet", "db", {"replicas": 2, "serviceName": "db"}), ns)
    server.until(lambda: [p["metadata"]["name"] for p in server.pods(ns=ns)] == ["db-0"])
    server.until(lambda: server.get("sts", "db", ns)["status"].get("readyReplicas") == 2, play=ns)
    server.kubectl("set", "image", "sts/db", "c=httpd", "-n", ns)
    server.until(lambda: image_count(server, ns, "httpd") == 2, play=ns)
    server.kubectl("rollout", "undo", "sts/db", "-n", ns)
    server.until(lambda: image_count(server, ns, "nginx") == 2, play=ns)
    s = server.until(lambda: (lambda s: s["status"].get("updateRevision") == s["status"].get("currentRevision") and s)(server.get("sts", "db", ns)), play=ns)
    assert s["status"]["updatedReplicas"] == 2


NODE = '{"apiVersion":"v1","kind":"Node","metadata":{"name":"%s","labels":{"disk":"%s"}}}'


def test_a_daemon_set_follows_the_nodes(server, ns):
    spec = {"template": {"metadata": {"labels": {"app": "agent"}}, "spec": {
        "nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}], "containers": [{"name": "c", "image": "nginx"}]}}}
    server.apply(workload("DaemonSet", "agent", spec), ns)
    for name, disk in (("d1", "ssd"), ("d2", "ssd"), ("d3", "slow")):
        server.kubectl("create", "-f", "-", stdin=NODE % (name, disk))
    try:
        server.until(lambda: server.get("ds", "agent", ns)["status"].get("numberReady") == 2, play=ns)
        server.kubectl("label", "node", "d3", "disk=ssd", "--overwrite")
        server.until(lambda: server.get("ds", "agent", ns)["status"].get("numberReady") == 3, play=ns)
        cidrs = [n["spec"].get("podCIDR") for n in server.get("nodes")]
        assert len(set(cidrs)) == len(cidrs) and all(cidrs)
        server.kubectl("set", "image", "ds/agent", "c=httpd", "-n", ns)
        server.until(lambda: image_count(server, ns, "httpd") == 3, play=ns)
        server.kubectl("rollout", "undo", "ds/agent", "-n", ns)
        server.until(lambda: image_count(server, ns, "nginx") == 3, play=ns)
    finally:
        server.kubectl("delete", "node", "d1", "d2", "d3")


def finish(server, ns, phase="Succeeded"):
    for p in server.pods(ns=ns):
        if p["status"].get("phase") not in ("Succeeded", "Failed"):
            server.status("pod", p["metadata"]["name"], {"phase": phase}, ns)


def job(name, **spec):
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": dict({
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}}, **spec)})


def test_a_job_completes_and_another_fails(server, ns):
    server.apply(job("good", completions=3, parallelism=2), ns)

    def done():
        finish(server, ns)
        return condition(server.get("job", "good", ns), "Complete").get("status") == "True"
    server.until(done)
    j = server.get("job", "good", ns)
    assert j["status"]["succeeded"] == 3 and not j["status"].get("active") and j["status"]["completionTime"]
    assert not any(p["metadata"].get("finalizers") for p in server.pods(ns=ns))
    assert "condition met" in server.kubectl("wait", "--for=condition=complete", "job/good", "-n", ns, "--timeout=5s").stdout
    server.apply(job("bad", backoffLimit=0), ns)
    server.until(lambda: server.pods("job-name=bad", ns))
    finish(server, ns, "Failed")
    server.until(lambda: condition(server.get("job", "bad", ns), "Failed").get("reason") == "BackoffLimitExceeded")
    server.kubectl("delete", "job", "good", "bad", "-n", ns)
    server.until(lambda: not server.pods(ns=ns))


def test_an_indexed_job_and_one_that_goes_by_itself(server, ns):
    server.apply(job("each", completions=3, parallelism=3, completionMode="Indexed", ttlSecondsAfterFinished=1), ns)
    server.until(lambda: len(server.pods(ns=ns)) == 3)
    assert sorted(p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for p in server.pods(ns=ns)) == ["0", "1", "2"]
    finish(server, ns)
    server.until(lambda: server.get("job", "each", ns) is None and not server.pods(ns=ns))


def test_a_cron_job_makes_a_job_by_hand_and_by_the_clock(server, ns):
    server.kubectl("create", "cronjob", "tick", "--image=busybox", "--schedule=* * * * *", "-n", ns, "--", "true")
    server.kubectl("create", "job", "now", "--from=cronjob/tick", "-n", ns)
    server.until(lambda: len(server.get("jobs", ns=ns)) >= 1)
    server.until(lambda: any(j["metadata"]["name"].startswith("tick-") for j in server.get("jobs", ns=ns)), 75)
    assert server.get("cronjob", "tick", ns)["status"]["lastScheduleTime"]


def test_a_budget_stops_evictions(server, ns):
    server.apply(workload("Deployment", "web", {"replicas": 2}), ns)
    server.kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1", "-n", ns)
    server.until(lambda: server.get("pdb", "web", ns)["status"].get("disruptionsAllowed") == 1, play=ns)
    names = [p["metadata"]["name"] for p in server.pods(ns=ns)]

    def evict(name):
        body = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": ns}})
        return server.kubectl("create", "--raw", f"/api/v1/namespaces/{ns}/pods/{name}/eviction", "-f", "-", stdin=body, check=False)
    assert evict(names[0]).returncode == 0
    r = evict(names[1])
    assert r.returncode != 0 and "Cannot evict pod as it would violate the pod's disruption budget" in r.stderr, r


def test_a_server_killed_in_a_roll_out_goes_on_where_it_was(server, ns):
    server.apply(workload("Deployment", "web", {"replicas": 6}), ns)
    server.until(lambda: server.get("deployment", "web", ns)["status"].get("availableReplicas") == 6, play=ns)
    server.kubectl("set", "image", "deployment/web", "c=httpd", "-n", ns)
    for _ in range(3):
        server.run_pods(ns=ns)
        server.end(signal.SIGKILL)
        server.start()
        live = [p for p in server.pods(ns=ns) if "deletionTimestamp" not in p["metadata"]]
        assert len(live) <= 8
    server.until(lambda: image_count(server, ns, "httpd") == 6 and server.get("deployment", "web", ns)["status"].get("updatedReplicas") == 6, 40, play=ns)
    server.until(lambda: len(server.pods(ns=ns)) == 6, play=ns)


def test_when_nothing_changes_nothing_is_written(server, ns):
    server.apply(workload("Deployment", "web", {"replicas": 2}), ns)
    server.until(lambda: server.get("deployment", "web", ns)["status"].get("availableReplicas") == 2, play=ns)
    time.sleep(2)

    def versions():
        """Of what controllers write; the scheduler goes on telling that pods fit nowhere."""
        kinds = "deployments,replicasets,daemonsets,statefulsets,controllerrevisions,jobs,endpoints,endpointslices,configmaps,serviceaccounts,namespaces"
        items = json.loads(server.kubectl("get", kinds, "-n", ns, "-o", "json").stdout)["items"]
        return {(i["kind"], i["metadata"]["name"]): i["metadata"]["resourceVersion"] for i in items}
    before = versions()
    assert ("Deployment", "web") in before
    time.sleep(5)
    assert versions() == before
