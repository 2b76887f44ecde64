# SPDX-License-Identifier: Apache-2.0
"""What each kubectl says and does against the control plane (no node: pods stay pending)."""
import json

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1", ports: [{containerPort: 80}]}]}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [cronSpec]
            properties:
              cronSpec: {type: string, pattern: '^[0-9* ]+$'}
              replicas: {type: integer, maximum: 10, default: 1}
          status: {type: object, properties: {replicas: {type: integer}}}
"""


def ns(kubectl):
    name = "v" + kubectl.version.replace(".", "-")
    kubectl("create", "namespace", name, ok=False)
    return name


def test_discovery(kubectl):
    out = kubectl("api-resources").stdout
    for word in ("deployments", "deploy", "customresourcedefinitions", "endpointslices", "PodDisruptionBudget"):
        assert word in out
    assert "apps/v1\n" in kubectl("api-versions").stdout
    assert "Server Version: v1.36" in kubectl("version").stdout or "v1.36" in kubectl("version", "--output=json").stdout
    assert "is running at" in kubectl("cluster-info").stdout


def test_apply_patch_scale_and_delete(kubectl):
    n = "-n" + ns(kubectl)
    assert "web created" in kubectl("apply", n, "-f-", stdin=DEPLOYMENT).stdout
    assert "web unchanged" in kubectl("apply", n, "-f-", stdin=DEPLOYMENT).stdout
    assert "web configured" in kubectl("apply", n, "-f-", stdin=DEPLOYMENT.replace("nginx:1", "nginx:2")).stdout
    assert "serverside-applied" in kubectl("apply", n, "--server-side", "--force-conflicts", "-f-", stdin=DEPLOYMENT).stdout
    assert "web patched" in kubectl("patch", n, "deploy", "web", "-p", '{"spec":{"minReadySeconds":1}}').stdout
    assert "web patched" in kubectl("patch", n, "deploy", "web", "--type=json", "-p", '[{"op":"remove","path":"/spec/minReadySeconds"}]').stdout
    kubectl("label", n, "deploy", "web", "a=b")
    kubectl("annotate", n, "deploy", "web", "c=d")
    kubectl("scale", n, "deploy", "web", "--replicas=3")
    kubectl("set", "image", n, "deploy/web", "c=nginx:3")
    kubectl("rollout", "restart", n, "deploy/web")
    d = json.loads(kubectl("get", n, "deploy", "web", "-ojson").stdout)
    assert d["spec"]["replicas"] == 3 and d["metadata"]["labels"] == {"a": "b"} and d["metadata"]["annotations"]["c"] == "d"
    assert d["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:3"
    out = kubectl("get", n, "deploy").stdout
    assert out.split("\n")[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    out = kubectl("describe", n, "deploy", "web").stdout
    assert "StrategyType:           RollingUpdate" in out and "Image:" in out
    assert "REVISION" in kubectl("rollout", "history", n, "deploy/web").stdout
    assert 'deployment.apps "web" deleted' in kubectl("delete", n, "deploy", "web").stdout
    assert "NotFound" in kubectl("get", n, "deploy", "web", ok=False).stderr


def test_creates_of_all_sorts(kubectl):
    n = "-n" + ns(kubectl)
    kubectl("create", n, "configmap", "cm", "--from-literal=a=b")
    kubectl("create", n, "secret", "generic", "s", "--from-literal=a=b")
    kubectl("create", n, "job", "j", "--image=x")
    kubectl("create", n, "cronjob", "c", "--image=x", "--schedule=* * * * *")
    kubectl("create", n, "role", "r", "--verb=get", "--resource=pods")
    kubectl("create", n, "rolebinding", "rb", "--role=r", "--serviceaccount=x:y")
    kubectl("create", n, "serviceaccount", "sa")
    kubectl("create", n, "service", "nodeport", "np", "--tcp=80:80")
    kubectl("create", n, "ingress", "i", "--rule=a.b/*=svc:80")
    kubectl("create", n, "pdb", "p", "--selector=a=b", "--min-available=1")
    kubectl("create", n, "deployment", "d", "--image=x")
    kubectl("autoscale", n, "deployment", "d", "--max=2")
    kubectl("expose", n, "deployment", "d", "--port=80")
    kubectl("run", n, "p", "--image=x")
    assert json.loads(kubectl("get", n, "secret", "s", "-ojson").stdout)["data"] == {"a": "Yg=="}
    assert kubectl("create", n, "token", "sa").stdout.count(".") == 2
    assert "already exists" in kubectl("create", n, "configmap", "cm", ok=False).stderr
    out = kubectl("get", n, "all").stdout
    for word in ("pod/p", "service/np", "deployment.apps/d", "job.batch/j", "cronjob.batch/c", "horizontalpodautoscaler"):
        assert word in out, out
    kubectl("delete", n, "all", "--all", "--wait=false")


def test_waits_and_watches(kubectl):
    n = "-n" + ns(kubectl)
    kubectl("create", n, "configmap", "w")
    assert "timed out" in kubectl("wait", n, "--for=delete", "cm/w", "--timeout=1s", ok=False).stderr
    kubectl("delete", n, "cm", "w")
    kubectl("wait", n, "--for=delete", "cm/w", "--timeout=5s", ok=False)
    kubectl("run", n, "waits", "--image=x")
    kubectl("wait", n, "--for=jsonpath={.status.phase}=Pending", "pod/waits", "--timeout=10s")
    kubectl("delete", n, "pod", "waits", "--force", "--grace-period=0")


def test_validation(kubectl):
    n = "-n" + ns(kubectl)
    r = kubectl("apply", n, "-f-", stdin=DEPLOYMENT.replace("replicas", "replicaz"), ok=False)
    assert "unknown field" in r.stderr and "replicaz" in r.stderr
    r = kubectl("apply", n, "-f-", stdin=DEPLOYMENT.replace("app: web}}\n  template", "app: other}}\n  template"), ok=False)
    assert "selector" in r.stderr and "does not match template" in r.stderr, r.stderr
    r = kubectl("apply", n, "--dry-run=server", "-f-", stdin=DEPLOYMENT)
    assert "(server dry run)" in r.stdout
    assert "NotFound" in kubectl("get", n, "deploy", "web", ok=False).stderr


def test_explain(kubectl):
    out = kubectl("explain", "pod.spec.containers.image").stdout
    assert "image <string>" in out
    assert "spec" in kubectl("explain", "deployment").stdout


def test_custom_resources(kubectl):
    n = "-n" + ns(kubectl)
    kubectl("apply", "-f-", stdin=CRD)
    kubectl("wait", "--for=condition=established", "--timeout=10s", "crd/crontabs.stable.example.com")
    cr = "apiVersion: stable.example.com/v1\nkind: CronTab\nmetadata: {name: c}\nspec: {cronSpec: '* * *'}\n"
    assert "c created" in kubectl("apply", n, "-f-", stdin=cr).stdout
    assert "unchanged" in kubectl("apply", n, "-f-", stdin=cr).stdout
    out = kubectl("get", n, "ct").stdout.split("\n")
    assert out[0].split() == ["NAME", "SPEC", "REPLICAS"] and out[1].split() == ["c", "*", "*", "*", "1"]
    r = kubectl("apply", n, "-f-", stdin=cr.replace("* * *", "x"), ok=False)
    assert "should match" in r.stderr
    kubectl("scale", n, "ct", "c", "--replicas=4")
    kubectl("patch", n, "ct", "c", "--type=merge", "-p", '{"spec":{"replicas":5}}')
    assert kubectl("get", n, "ct", "c", "-ojsonpath={.spec.replicas}").stdout == "5"
    assert "cronSpec" in kubectl("explain", "crontab.spec").stdout
    kubectl("delete", "crd", "crontabs.stable.example.com")
    assert kubectl("get", n, "ct", ok=False).returncode != 0


def test_who(kubectl):
    n = ns(kubectl)
    kubectl("create", "-n" + n, "serviceaccount", "who", ok=False)
    assert kubectl("auth", "can-i", "get", "pods").stdout.strip() == "yes"
    r = kubectl("auth", "can-i", "get", "pods", f"--as=system:serviceaccount:{n}:who", ok=False)
    assert r.stdout.strip() == "no"
    r = kubectl("get", "pods", f"--as=system:serviceaccount:{n}:who", ok=False)
    assert f'pods is forbidden: User "system:serviceaccount:{n}:who" cannot list resource "pods" in API group "" in the namespace "default"' in r.stderr
