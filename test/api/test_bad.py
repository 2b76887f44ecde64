# SPDX-License-Identifier: Apache-2.0
"""Wrong requests: the status, the reason and the sentence that Kubernetes gives."""
import pytest

M = "/api/v1/namespaces/default/configmaps"
P = "/api/v1/namespaces/default/pods"
D = "/apis/apps/v1/namespaces/default/deployments"
S = "/api/v1/namespaces/default/services"
C = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def meta(**k):
    return {"metadata": dict({"name": "x"}, **k)}


def pod(**k):
    return dict(meta(), spec={"containers": [dict({"name": "c", "image": "i"}, **k)]})


def service(name="s", **k):
    return {"metadata": {"name": name}, "spec": k}


def definition(schema=None, **k):
    v = {"name": "v1", "served": True, "storage": True}
    if schema is not None:
        v["schema"] = {"openAPIV3Schema": schema}
    return {"metadata": {"name": "foos.a.b"}, "spec": dict({"group": "a.b", "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo"}, "versions": [v]}, **k)}


BAD = [
    ("POST", M, "", 400, "BadRequest", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"),
    ("POST", M, "{", 400, "BadRequest", "unexpected end of JSON input ({)"),
    ("POST", M, '{"metadata":{"name":5}}', 400, "BadRequest", 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string'),
    ("POST", M, dict(meta(), kind="Pod", apiVersion="v1"), 400, "BadRequest", 'Pod in version "v1" cannot be handled as a ConfigMap'),
    ("POST", M, dict(meta(), apiVersion="apps/v1"), 400, "BadRequest", "the API version in the data (apps/v1) does not match the expected API version (v1)"),
    ("POST", M, meta(name="UPPER"), 422, "Invalid", 'ConfigMap "UPPER" is invalid: metadata.name: Invalid value: "UPPER": a lowercase RFC 1123 subdomain must consist of'),
    ("POST", M, meta(name="x" * 300), 422, "Invalid", "must be no more than 253"),
    ("POST", M, meta(labels={"a b": "c"}), 422, "Invalid", 'metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters'),
    ("POST", M, dict(meta(), data={"a/b": "c"}), 422, "Invalid", 'data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters'),
    ("POST", M, meta(namespace="other"), 400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"),
    ("POST", M, {"metadata": {}}, 422, "Invalid", 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
    ("POST", M, meta(resourceVersion="5"), 400, "BadRequest", "resourceVersion should not be set on objects to be created"),
    ("POST", "/api/v1/namespaces/none/configmaps", meta(), 404, "NotFound", 'namespaces "none" not found'),
    ("POST", "/api/v1/configmaps", meta(), 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    ("PUT", M, meta(), 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    ("POST", M + "/x", meta(), 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    ("PUT", M + "/x", meta(name="y"), 400, "BadRequest", "the name of the object (y) does not match the name on the URL (x)"),
    ("PUT", M + "/x", meta(), 404, "NotFound", 'configmaps "x" not found'),
    ("DELETE", M + "/nope", None, 404, "NotFound", 'configmaps "nope" not found'),
    ("PATCH", M + "/x", "{}", 415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: application/json-patch+json"),
    ("GET", M + "?continue=zzz", None, 400, "BadRequest", "continue key is not valid"),
    ("GET", M + "?resourceVersion=x", None, 400, "BadRequest", "invalid resource version"),
    ("GET", M + "?labelSelector=a%20b", None, 400, "BadRequest", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ("GET", M + "?fieldSelector=foo%3Dbar", None, 400, "BadRequest", "field label not supported: foo"),
    ("GET", P + "?fieldSelector=spec.foo%3Dbar", None, 400, "BadRequest", "field label not supported: spec.foo"),
    ("GET", M + "?resourceVersionMatch=Exact", None, 422, "Invalid", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
    ("GET", M + "?watch=1&sendInitialEvents=true", None, 422, "Invalid", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
    ("GET", "/apis/apps/v1/namespaces/default/deployments/none", None, 404, "NotFound", 'deployments.apps "none" not found'),
    ("GET", D + "/none/scale", None, 404, "NotFound", 'deployments.apps "none" not found'),
    ("POST", D + "/none/scale", {}, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    ("GET", P + "/none/log", None, 404, "NotFound", 'pods "none" not found'),
    ("POST", P + "/none/eviction", meta(name="none"), 404, "NotFound", 'pods "none" not found'),
    ("POST", P, pod(name=""), 422, "Invalid", 'Pod "x" is invalid: spec.containers[0].name: Required value'),
    ("POST", P, pod(image=""), 422, "Invalid", 'Pod "x" is invalid: spec.containers[0].image: Required value'),
    ("POST", P, dict(meta(), spec={"containers": []}), 422, "Invalid", 'Pod "x" is invalid: spec.containers: Required value'),
    ("POST", P, pod(imagePullPolicy="Foo"), 422, "Invalid", 'spec.containers[0].imagePullPolicy: Unsupported value: "Foo": supported values: "Always", "IfNotPresent", "Never"'),
    ("POST", P, pod(ports=[{"containerPort": 70000}]), 422, "Invalid", "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"),
    ("POST", P, pod(resources={"limits": {"cpu": "abc"}}), 400, "BadRequest", "quantities must match the regular expression"),
    ("POST", P, pod(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}), 422, "Invalid", 'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'),
    ("POST", P, pod(volumeMounts=[{"name": "v", "mountPath": "/x"}]), 422, "Invalid", 'spec.containers[0].volumeMounts[0].name: Not found: "v"'),
    ("POST", P, dict(meta(), spec={"serviceAccountName": "no", "containers": [{"name": "c", "image": "i"}]}), 403, "Forbidden", 'pods "x" is forbidden: error looking up service account default/no: serviceaccount "no" not found'),
    ("POST", P, dict(meta(), spec={"priorityClassName": "no", "containers": [{"name": "c", "image": "i"}]}), 403, "Forbidden", 'pods "x" is forbidden: no PriorityClass with name no was found'),
    ("POST", D, {"metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}, 422, "Invalid", 'Deployment.apps "d" is invalid: '),
    ("POST", S, service(), 422, "Invalid", 'Service "s" is invalid: spec.ports: Required value'),
    ("POST", S, service(type="Foo", ports=[{"port": 80}]), 422, "Invalid", 'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'),
    ("POST", S, service(ports=[{"port": 80}, {"port": 81}]), 422, "Invalid", "spec.ports[0].name: Required value"),
    ("POST", S, service(clusterIP="1.2.3.4", ports=[{"port": 80}]), 422, "Invalid", "is not in the valid range. The range of valid IPs is 10.96.0.0/12"),
    ("POST", S, service(type="NodePort", ports=[{"port": 80, "nodePort": 80}]), 422, "Invalid", "provided port is not in the valid range. The range of valid ports is 30000-32767"),
    ("POST", S, service(type="ExternalName"), 422, "Invalid", "spec.externalName: Required value"),
    ("DELETE", "/api/v1/namespaces/default", None, 403, "Forbidden", 'namespaces "default" is forbidden: this namespace may not be deleted'),
    ("DELETE", "/api/v1/namespaces", None, 405, "MethodNotAllowed", "the server does not allow this method"),
    ("DELETE", M + "/kube-root-ca.crt?propagationPolicy=Foo", None, 422, "Invalid", 'propagationPolicy: Unsupported value: "Foo": supported values: "Background", "Foreground", "Orphan"'),
    ("DELETE", M + "/kube-root-ca.crt", {"preconditions": {"uid": "1"}}, 409, "Conflict", "Precondition failed: UID in precondition: 1, UID in object meta: "),
    ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {"expirationSeconds": 5}}, 422, "Invalid", "may not specify a duration less than 10 minutes"),
    ("POST", C, dict(definition({"type": "object"}), metadata={"name": "x"}), 422, "Invalid", 'must be spec.names.plural+"."+spec.group'),
    ("POST", C, definition(), 422, "Invalid", "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"),
    ("POST", C, definition({"type": "object", "properties": {"x": {"type": "foo"}}}), 422, "Invalid", "properties[x].type: Unsupported value"),
    ("POST", C, definition({"type": "object"}, scope="Foo"), 422, "Invalid", 'spec.scope: Unsupported value: "Foo": supported values: "Cluster", "Namespaced"'),
    ("POST", C, definition({"type": "object"}, conversion={"strategy": "Webhook"}), 422, "Invalid", "spec.conversion.strategy: Unsupported value"),
]


@pytest.mark.parametrize("method,path,body,status,reason,text", BAD, ids=range(len(BAD)))
def test_refused(server, method, path, body, status, reason, text):
    got, s, _ = server.ask(method, path, body)
    assert got == status, s
    assert s["kind"] == "Status" and s["status"] == "Failure" and s["code"] == status and s["reason"] == reason
    assert text in s["message"]


def test_strict(server):
    body = '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"strict"},"dat":{},"data":{"a":"1","a":"2"}}'
    _, s, _ = server.ask("POST", M + "?fieldValidation=Strict", body)
    assert s["message"] == 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dat", duplicate field "data.a"'
    status, _, h = server.ask("POST", M, body)
    assert status == 201 and h.get_all("Warning") == ['299 - "unknown field \\"dat\\""', '299 - "duplicate field \\"data.a\\""']


@pytest.mark.parametrize("path", ["/nothing", "/api/v2/pods", "/apis/foo/v1/bars", "/api/v1/namespaces/default/foos", P + "/x/foo"])
def test_nothing_there(server, path):
    status, text, _ = server.ask("GET", path)
    assert status == 404 and text == b"404 page not found\n"
