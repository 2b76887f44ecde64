# SPDX-License-Identifier: Apache-2.0
"""Part B of the course: a Kubernetes, by every kubectl."""
import http.server
import json
import os
import threading

import pytest
from coracle_test import wait_until
from course_test import CourseCluster, Kubectl, OwnNetwork, Scene, fetch, free_port, kubectls


@pytest.fixture(scope="module")
def cluster():
    with OwnNetwork():
        c = CourseCluster(images=("busybox", "web"))
        yield c
        left = c.stop()
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="module", params=kubectls(), ids=lambda c: c.name)
def k(request, cluster):
    if request.param.missing():
        pytest.skip(request.param.missing())
    s = Scene(cluster, request.param)
    yield s
    s.end()


@pytest.fixture(scope="module")
def ours(cluster):
    """What needs one client only, once: ours."""
    s = Scene(cluster, Kubectl("once", kubectls()[-1].argv))
    yield s
    s.end()


def deployment(name, image="web2048", replicas=1, **container):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": {
            "terminationGracePeriodSeconds": 0, "containers": [dict({"name": "c", "image": image, "imagePullPolicy": "IfNotPresent", "ports": [{"containerPort": 80}]}, **container)]}}}}


def test_b3_run_get_describe(k):
    """kubectl run nginx --image --port, and what get and describe show of it"""
    assert k.out("run", "nginx", "--image=web2048", "--image-pull-policy=IfNotPresent", "--port=8080") == "pod/nginx created"
    k.wait_pods("run=nginx", 1)
    assert k.out("get", "pod").split("\n")[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    text = k.out("describe", "pod", "nginx")
    assert "Image:" in text and "8080/TCP" in text and "Successfully assigned" in text and "Started" in text
    assert "No resources found" in k("get", "daemonset").stderr


def test_b4_componentstatuses(k):
    rows = {r[0]: r[1:] for r in k.rows("get", "componentstatuses")}
    assert set(rows) == {"controller-manager", "scheduler", "etcd-0"} and all(r[0] == "Healthy" for r in rows.values())


def test_b5_what_the_server_has(k):
    assert "deployments" in k.out("api-resources") and "apps/v1" in k.out("api-versions").split("\n")
    assert "KIND:" in k.out("explain", "pods") and "annotations" in k.out("explain", "pods.metadata")


def test_b6_generators(k):
    r = k("run", "--generator=run-pod/v1", "old", "--image=web2048", "--image-pull-policy=IfNotPresent", check=False)
    assert (r.returncode == 0 and "deprecated" in r.stderr) if k.ours else "unknown flag: --generator" in r.stderr
    assert "Usage:" in k.out("run", "--help") and "Usage:" in k.out("create", "--help") and "Usage:" in k.out("apply", "--help")


def test_b7_to_b11_a_deployment_and_its_service(k, tmp_path):
    """create deployment; apply from file and URL; expose; get -o yaml; describe"""
    assert k.out("create", "deployment", "--image=web2048", "made") == "deployment.apps/made created"
    path = tmp_path / "web.json"
    path.write_text(json.dumps(deployment("web")))
    assert k.out("apply", "-f", str(path)) == "deployment.apps/web created"
    assert k.out("apply", "-f", str(path)) == "deployment.apps/web unchanged"

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert k.out("apply", "-f", f"http://127.0.0.1:{server.server_port}/web.json") == "deployment.apps/web unchanged"
    finally:
        server.shutdown()
        server.server_close()
    k.wait_pods("app=web", 1)
    assert k.rows("get", "deployment", "web")[0][1] == "1/1"
    assert "kind: Deployment" in k.out("get", "deploy", "web", "-o", "yaml") and "RollingUpdateStrategy:" in k.out("describe", "deployment", "web")
    assert k.out("expose", "deployment", "web", "--port=80", "--type=NodePort") == "service/web exposed"
    port = k.out("get", "svc", "web", "-o", "jsonpath={.spec.ports[0].nodePort}")
    assert "2048" in fetch(f"http://127.0.0.1:{port}/") and "2048" in fetch(f"http://localhost:{port}/")


def test_b9_and_b10_proxy_and_port_forward(k):
    pod = k.wait_pods("app=web", 1)[0]
    port = free_port()
    assert k.background("proxy", f"--port={port}") == f"Starting to serve on 127.0.0.1:{port}"
    assert "2048" in fetch(f"http://localhost:{port}/api/v1/namespaces/{k.ns}/pods/{pod}/proxy/")
    one, two = free_port(), free_port()
    assert k.background("port-forward", pod, f"{one}:80") == f"Forwarding from 127.0.0.1:{one} -> 80"
    assert "2048" in fetch(f"http://127.0.0.1:{one}/")
    assert k.background("port-forward", pod, f"{two}:80", "--address", "0.0.0.0") == f"Forwarding from 0.0.0.0:{two} -> 80"
    assert "2048" in fetch(f"http://127.0.0.1:{two}/")


def test_b11_a_service_at_port_30123(ours):
    ours("apply", "-f", "-", stdin=json.dumps(deployment("fixed")))
    ours("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "fixed"}, "spec": {
        "type": "NodePort", "selector": {"app": "fixed"}, "ports": [{"port": 80, "targetPort": 80, "nodePort": 30123}]}}))
    ours.wait_pods("app=fixed", 1)
    assert "2048" in fetch("http://127.0.0.1:30123/") and "2048" in fetch("http://localhost:30123/")


def test_b12_two_replicas_heal_roll_and_roll_back(k):
    k("apply", "-f", "-", stdin=json.dumps(deployment("nginx-deployment", replicas=2)))
    pods = k.wait_pods("app=nginx-deployment", 2)
    k("delete", "pod", pods[0])
    assert len(set(k.wait_pods("app=nginx-deployment", 2)) & set(pods)) == 1
    assert k.out("set", "image", "deployment/nginx-deployment", "c=busybox").endswith("image updated")
    wait_until(lambda: "busybox" in k.out("get", "pods", "-l", "app=nginx-deployment", "-o", "jsonpath={..image}"), 20, 0.2)
    assert "rolled back" in k.out("rollout", "undo", "deployment/nginx-deployment")
    assert "successfully rolled out" in k.out("rollout", "status", "deployment/nginx-deployment", "--timeout=40s")
    assert "REVISION" in k.out("rollout", "history", "deployment/nginx-deployment")
    k("delete", "deployment", "nginx-deployment")


def test_b2_a_secret_by_variable_and_by_file(k):
    k("create", "secret", "generic", "login", "--from-literal=word=sesame")
    k("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "teller"}, "spec": {"restartPolicy": "Never", "containers": [
        {"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", "echo $WORD; cat /login/word"], "env": [
            {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "word"}}}], "volumeMounts": [{"name": "v", "mountPath": "/login"}]}],
        "volumes": [{"name": "v", "secret": {"secretName": "login"}}]}}))
    k("wait", "pod/teller", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=40s")
    assert k.out("logs", "teller") == "sesame\nsesame"


def test_b2_a_daemon_set_and_a_cron_job(ours):
    o = deployment("agent", "busybox", command=["sleep", "1000"])
    del o["spec"]["replicas"]
    ours("apply", "-f", "-", stdin=json.dumps(dict(o, kind="DaemonSet")))
    ours.wait_pods("app=agent", 1)
    assert ours.rows("get", "daemonset")[0][:6] == ["agent", "1", "1", "1", "1", "1"]
    ours("create", "cronjob", "tick", "--image=busybox", "--schedule=* * * * *", "--dry-run=client", "-o", "yaml", "--", "echo", "tock")
    ours("create", "cronjob", "tick", "--image=busybox", "--schedule=0 0 1 1 *", "--", "echo", "tock")
    ours("patch", "cronjob", "tick", "--type=json", "-p", '[{"op":"add","path":"/spec/jobTemplate/spec/template/spec/containers/0/imagePullPolicy","value":"IfNotPresent"}]')
    ours("create", "job", "now", "--from=cronjob/tick")
    ours("wait", "job/now", "--for=condition=complete", "--timeout=40s")
    assert ours.out("logs", "job/now") == "tock"


def test_b2_a_custom_resource(k):
    group = k.ns + ".example.org"
    k("apply", "-f", "-", stdin=json.dumps({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"boats.{group}"}, "spec": {
        "group": group, "scope": "Namespaced", "names": {"plural": "boats", "singular": "boat", "kind": "Boat"}, "versions": [{
            "name": "v1", "served": True, "storage": True, "additionalPrinterColumns": [{"name": "Seats", "type": "integer", "jsonPath": ".spec.seats"}],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"seats": {"type": "integer", "description": "How many sit in it."}}}}}}}]}}))
    k("wait", f"crd/boats.{group}", "--for=condition=established", "--timeout=20s")
    k("apply", "-f", "-", stdin=json.dumps({"apiVersion": f"{group}/v1", "kind": "Boat", "metadata": {"name": "round"}, "spec": {"seats": 2}}))
    assert k.out("get", f"boats.{group}").split("\n")[0].split() == ["NAME", "SEATS"] and k.rows("get", f"boats.{group}")[0] == ["round", "2"]
    wait_until(lambda: "How many sit in it." in k("explain", f"boats.{group}.spec.seats" if k.ours else "boats.spec.seats", f"--api-version={group}/v1", check=False).stdout, 20, 0.5)
    k("delete", "crd", f"boats.{group}")


def test_nothing_is_written_to_the_users_folder(k):
    assert not os.path.exists(os.path.join(k.env["HOME"], ".kube", "config"))
