# SPDX-License-Identifier: Apache-2.0
"""Server-side apply, patches and rules in CEL, as each kubectl sees them."""
import json

import pytest

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: "1"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1", ports: [{containerPort: 80}]}]}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ranges.rules.example.com}
spec:
  group: rules.example.com
  scope: Namespaced
  names: {plural: ranges, singular: range, kind: Range}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations:
            - {rule: "self.min <= self.max", message: "min is above max"}
            properties:
              min: {type: integer, default: 1}
              max: {type: integer, default: 10, x-kubernetes-validations: [{rule: "self >= oldSelf", message: "may not shrink"}]}
              ports:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, port: {type: integer, minimum: 1}}}
"""
RANGE = """
apiVersion: rules.example.com/v1
kind: Range
metadata: {name: r}
spec: {ports: [{name: a, port: 1}]}
"""


@pytest.fixture
def run(kubectl, request):
    # one for each test: the last one's may still be going
    name = f"apply-{kubectl.version.replace('.', '-')}-{abs(hash(request.node.name)) % 100000}"
    kubectl("create", "namespace", name)

    def in_namespace(*args, **kw):
        return kubectl(args[0], "-n" + name, *args[1:], **kw)
    yield in_namespace
    kubectl("delete", "namespace", name, "--wait=false")


def owners(run, kind, name):
    o = json.loads(run("get", kind, name, "-ojson", "--show-managed-fields").stdout)
    return {(m["manager"], m["operation"]): m["fieldsV1"] for m in o["metadata"]["managedFields"]}


def test_conflicts_and_force(run):
    run("apply", "--server-side", "--field-manager=one", "-f-", stdin=DEPLOYMENT)
    fields = owners(run, "deployment", "web")["one", "Apply"]
    assert fields["f:metadata"] == {"f:labels": {"f:a": {}}}
    assert fields["f:spec"]["f:selector"] == {}
    assert fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']["f:ports"] == {
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    other = DEPLOYMENT.replace("replicas: 1", "replicas: 2")
    r = run("apply", "--server-side", "--field-manager=two", "-f-", stdin=other, ok=False)
    assert 'Apply failed with 1 conflict: conflict with "one": .spec.replicas' in r.stderr
    run("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f-", stdin=other)
    assert "f:replicas" not in owners(run, "deployment", "web")["one", "Apply"]["f:spec"]


def test_what_is_not_applied_any_more_goes(run):
    run("apply", "--server-side", "-f-", stdin=DEPLOYMENT)
    run("apply", "--server-side", "-f-", stdin=DEPLOYMENT.replace(', labels: {a: "1"}', "").replace(", ports: [{containerPort: 80}]", ""))
    o = json.loads(run("get", "deployment", "web", "-ojson").stdout)
    assert "labels" not in o["metadata"] and "ports" not in o["spec"]["template"]["spec"]["containers"][0]


def test_client_side_apply_and_patches(run):
    run("apply", "-f-", stdin=DEPLOYMENT)
    run("patch", "deployment", "web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"x","image":"y"}]}}}}')
    run("apply", "-f-", stdin=DEPLOYMENT.replace("nginx:1", "nginx:2").replace(', labels: {a: "1"}', ""))
    o = json.loads(run("get", "deployment", "web", "-ojson").stdout)
    assert {c["name"]: c["image"] for c in o["spec"]["template"]["spec"]["containers"]} == {"c": "nginx:2", "x": "y"}
    assert "labels" not in o["metadata"]
    r = run("patch", "deployment", "web", "--type=json", "-p", '[{"op":"test","path":"/spec/replicas","value":9}]', ok=False)
    assert "testing value /spec/replicas failed" in r.stderr
    run("patch", "deployment", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":3}]')
    assert run("get", "deployment", "web", "-ojsonpath={.spec.replicas}").stdout == "3"


def test_rules_of_custom_resources(run, server):
    run("apply", "-f-", stdin=CRD)
    run("wait", "--for=condition=established", "--timeout=10s", "crd/ranges.rules.example.com")
    body = '{"apiVersion":"rules.example.com/v1","kind":"Range","metadata":{"name":"x","nope":1},"spec":{"min":1,"min":2,"foo":1}}'
    ranges = "/apis/rules.example.com/v1/namespaces/default/ranges?dryRun=All"
    status, s, _ = server.ask("POST", ranges + "&fieldValidation=Strict", body)
    assert status == 400 and s["message"] == ('Range in version "v1" cannot be handled as a Range: strict decoding error: duplicate field "spec.min", '
                                              'unknown field "metadata.nope", unknown field "spec.foo"')
    status, _, h = server.ask("POST", ranges, body)
    assert status == 201 and len(h.get_all("Warning")) == 3
    run("apply", "--server-side", "--field-manager=one", "-f-", stdin=RANGE)
    run("apply", "--server-side", "--field-manager=two", "-f-", stdin=RANGE.replace("name: a, port: 1", "name: b, port: 2"))
    assert run("get", "range", "r", "-ojsonpath={.spec.ports[*].name} {.spec.max}").stdout == "a b 10"
    for patch, why in (('{"spec":{"min":50}}', "min is above max"), ('{"spec":{"max":5}}', "may not shrink"),
                       ('{"spec":{"ports":[{"name":"a","port":0}]}}', "should be greater than or equal to 1"),
                       ('{"spec":{"ports":[{"name":"a"},{"name":"a"}]}}', 'Duplicate value: {"name":"a"}')):
        assert why in run("patch", "range", "r", "--type=merge", "-p", patch, ok=False).stderr
    r = run("apply", "-f-", stdin=CRD.replace("self.min <= self.max", "self.min <= nope"), ok=False)
    assert "undeclared reference to 'nope'" in r.stderr
