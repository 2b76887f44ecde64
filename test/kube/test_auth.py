# SPDX-License-Identifier: Apache-2.0
"""Who one is and what one may: the server alone, with the real kubectl."""
import base64
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from cluster_test import KUBECTL, free_port
from coracle_test import BIN, sh, wait_until


class Server:
    def __init__(self, folder):
        self.dir, self.port = str(folder), free_port()
        self.kubeconfig = f"{self.dir}/config/kubeconfig"
        self.start()

    def start(self):
        self.log = open(f"{self.dir}/log", "ab")
        d = self.dir
        self.process = subprocess.Popen([f"{BIN}/coracled", "server", "--root", f"{d}/root", "--run", f"{d}/run", "--config", f"{d}/config", "--listen",
                                         f"127.0.0.1:{self.port}", "--node-name", "n1"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(lambda: os.path.exists(self.kubeconfig) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0
        self.log.close()

    def kubectl(self, *args, kubeconfig=None, check=True, stdin=None):
        env = dict(os.environ, KUBECONFIG=kubeconfig or self.kubeconfig, HOME=self.dir)
        return sh(KUBECTL, *args, check=check, env=env, **({"input": stdin, "stdin": None} if stdin is not None else {}))

    def out(self, *args, **kw):
        return self.kubectl(*args, **kw).stdout.strip()

    def refused(self, *args, **kw):
        r = self.kubectl(*args, check=False, **kw)
        assert r.returncode != 0
        return r.stderr.strip()

    def with_token(self, token):
        """A kubeconfig with this token and no certificate."""
        cfg = json.loads(self.out("config", "view", "--raw", "-o", "json"))
        cfg["users"][0]["user"] = {"token": token}
        path = f"{self.dir}/token{len(os.listdir(self.dir))}"
        with open(path, "w") as f:
            json.dump(cfg, f)
        return path

    def raw(self, path, token=None):
        ctx = ssl.create_default_context(cafile=f"{self.dir}/root/server/pki/ca.crt")
        req = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(req, context=ctx, timeout=10) as r:
                return r.status, json.load(r)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not os.path.exists(KUBECTL):
        pytest.skip("no kubectl here")
    s = Server(tmp_path_factory.mktemp("auth"))
    yield s
    s.stop()


def namespace(server, name):
    server.kubectl("create", "namespace", name)
    return name


def test_keys_are_nobody_elses_to_read(server):
    pki = f"{server.dir}/root/server/pki"
    assert os.stat(pki).st_mode & 0o777 == 0o700
    for f in os.listdir(pki):
        assert os.stat(f"{pki}/{f}").st_mode & 0o777 == (0o600 if f.endswith(".key") else 0o644), f
    assert os.stat(server.kubeconfig).st_mode & 0o777 == 0o600


def test_strangers_see_little(server):
    status, body = server.raw("/api/v1/pods")
    assert status == 403
    assert body["message"] == 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope'
    assert body["details"] == {"kind": "pods"}
    status, body = server.raw("/api/v1/pods", token="nonsense")
    assert (status, body["reason"], body["message"]) == (401, "Unauthorized", "Unauthorized")
    assert server.raw("/version")[0] == 200
    assert server.raw("/apis")[0] == 403


def test_an_account_may_what_its_bindings_say(server):
    ns = namespace(server, "bound")
    server.kubectl("create", "sa", "bob", "-n", ns)
    bob = server.with_token(server.out("create", "token", "bob", "-n", ns))
    assert server.out("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", kubeconfig=bob) == f"system:serviceaccount:{ns}:bob"
    text = f'pods is forbidden: User "system:serviceaccount:{ns}:bob" cannot list resource "pods" in API group "" in the namespace "{ns}"'
    assert server.refused("get", "pods", "-n", ns, kubeconfig=bob) == f"Error from server (Forbidden): {text}"
    server.kubectl("create", "rolebinding", "b", "-n", ns, "--clusterrole=view", f"--serviceaccount={ns}:bob")
    wait_until(lambda: server.kubectl("get", "pods", "-n", ns, kubeconfig=bob, check=False).returncode == 0, 5)
    server.refused("get", "secrets", "-n", ns, kubeconfig=bob)
    server.refused("get", "pods", "-n", "default", kubeconfig=bob)
    assert server.out("auth", "can-i", "list", "deployments.apps", "-n", ns, kubeconfig=bob) == "yes"
    assert server.kubectl("auth", "can-i", "delete", "pods", "-n", ns, kubeconfig=bob, check=False).stdout.strip() == "no"
    assert "[get list watch]" in server.out("auth", "can-i", "--list", "-n", ns, kubeconfig=bob)
    as_bob = f"--as=system:serviceaccount:{ns}:bob"
    assert server.out("auth", "can-i", "get", "pods", "-n", ns, as_bob) == "yes"
    assert server.refused("get", "nodes", "--as=somebody") == \
        'Error from server (Forbidden): nodes is forbidden: User "somebody" cannot list resource "nodes" in API group "" at the cluster scope'
    assert server.refused("get", "nodes", "--as=root", "--as-group=system:masters", kubeconfig=bob).startswith("Error from server (Forbidden): ")
    # nobody gives what he has not
    server.kubectl("create", "rolebinding", "a", "-n", ns, "--clusterrole=admin", f"--serviceaccount={ns}:bob")
    wait_until(lambda: server.kubectl("create", "role", "ok", "--verb=get", "--resource=pods", "-n", ns, kubeconfig=bob, check=False).returncode == 0, 5)
    text = server.refused("create", "role", "r", "--verb=get", "--resource=nodes", "-n", ns, kubeconfig=bob)
    assert "is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}" in text
    assert "not currently held" in server.refused("create", "rolebinding", "r", "--clusterrole=cluster-admin", "--user=x", "-n", ns, kubeconfig=bob)
    # the account goes, and with it the token
    server.kubectl("delete", "sa", "bob", "-n", ns)
    assert "Unauthorized" in server.refused("auth", "whoami", kubeconfig=bob)


def test_tokens_have_an_audience_and_a_review(server):
    ns = namespace(server, "audience")
    server.kubectl("create", "sa", "a", "-n", ns)
    token = server.out("create", "token", "a", "-n", ns, "--audience=vault", "--duration=600s")
    assert server.raw("/api", token=token)[0] == 401
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (claims["aud"], claims["sub"], claims["exp"] - claims["iat"]) == (["vault"], f"system:serviceaccount:{ns}:a", 600)
    assert claims["kubernetes.io"]["serviceaccount"]["uid"] == server.out("get", "sa", "a", "-n", ns, "-o", "jsonpath={.metadata.uid}")

    def review(**spec):
        obj = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        return json.loads(server.out("create", "-f", "-", "-o", "json", "--validate=false", stdin=json.dumps(obj)))["status"]
    good = review(token=token, audiences=["vault", "other"])
    assert good["authenticated"] and good["audiences"] == ["vault"] and good["user"]["username"] == claims["sub"]
    bad = review(token=token)
    assert not bad.get("authenticated") and "audiences" in bad["error"]
    assert "may not specify a duration less than 10 minutes" in server.refused("create", "token", "a", "-n", ns, "--duration=60s")
    keys = json.loads(server.out("get", "--raw", "/openid/v1/jwks"))["keys"]
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert head["alg"] == "ES256" and [k for k in keys if k["kid"] == head["kid"]]
    about = json.loads(server.out("get", "--raw", "/.well-known/openid-configuration"))
    assert about["issuer"] == claims["iss"]


def test_a_secret_that_asks_for_a_token_gets_one(server):
    ns = namespace(server, "legacy")
    server.kubectl("create", "sa", "a", "-n", ns)
    server.kubectl("apply", "--validate=false", "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "s", "namespace": ns, "annotations": {"kubernetes.io/service-account.name": "a"}}}))
    data = wait_until(lambda: json.loads(server.out("get", "secret", "s", "-n", ns, "-o", "json")).get("data"), 5)
    assert sorted(data) == ["ca.crt", "namespace", "token"]
    a = server.with_token(base64.b64decode(data["token"]).decode())
    assert server.out("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", kubeconfig=a) == f"system:serviceaccount:{ns}:a"
    server.kubectl("delete", "sa", "a", "-n", ns)
    wait_until(lambda: server.kubectl("get", "secret", "s", "-n", ns, check=False).returncode != 0, 5)


def csr(server, name, subject, signer, usages=("client auth",), **spec):
    key = f"{server.dir}/{name}.key"
    text = sh("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", subject).stdout
    server.kubectl("apply", "--validate=false", "-f", "-", stdin=json.dumps({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": dict({"request": base64.b64encode(text.encode()).decode(), "signerName": f"kubernetes.io/{signer}", "usages": list(usages)}, **spec)}))
    return key


def test_approved_requests_are_signed(server):
    key = csr(server, "alice", "/O=dev/CN=alice", "kube-apiserver-client", username="mallory")
    one = json.loads(server.out("get", "csr", "alice", "-o", "json"))
    assert one["spec"]["username"] == "kubernetes-admin" and "system:masters" in one["spec"]["groups"]
    server.kubectl("certificate", "approve", "alice")
    text = wait_until(lambda: json.loads(server.out("get", "csr", "alice", "-o", "json"))["status"].get("certificate"), 5)
    cert = f"{server.dir}/alice.crt"
    with open(cert, "wb") as f:
        f.write(base64.b64decode(text))
    cfg = json.loads(server.out("config", "view", "--raw", "-o", "json"))
    cfg["users"][0]["user"] = {"client-certificate": cert, "client-key": key}
    path = f"{server.dir}/alice.kubeconfig"
    with open(path, "w") as f:
        json.dump(cfg, f)
    who = json.loads(server.out("auth", "whoami", "-o", "json", kubeconfig=path))["status"]["userInfo"]
    assert (who["username"], who["groups"]) == ("alice", ["dev", "system:authenticated"])
    csr(server, "bad", "/O=system:masters/CN=mallory", "kube-apiserver-client")
    server.kubectl("certificate", "approve", "bad")
    state = wait_until(lambda: [c for c in json.loads(server.out("get", "csr", "bad", "-o", "json"))["status"]["conditions"] if c["type"] == "Failed"], 5)
    assert "system:masters" in state[0]["message"]
    csr(server, "no", "/CN=bob", "kube-apiserver-client")
    server.kubectl("certificate", "deny", "no")
    assert "Denied" in server.out("get", "csr", "no")


def test_a_node_is_kept_to_itself(server):
    node = f"{server.dir}/config/node.kubeconfig"
    assert server.out("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", kubeconfig=node) == "system:node:n1"
    server.kubectl("create", "secret", "generic", "used", "--from-literal=a=b")
    server.kubectl("create", "secret", "generic", "unused", "--from-literal=a=b")

    def pod(name, node_name, secret):
        return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "nodeName": node_name, "containers": [{"name": "c", "image": "i", "envFrom": [{"secretRef": {"name": secret}}]}]}})
    server.kubectl("create", "--validate=false", "-f", "-", stdin=pod("mine", "n1", "used"))
    server.kubectl("create", "--validate=false", "-f", "-", stdin=pod("theirs", "n2", "unused"))
    wait_until(lambda: server.kubectl("get", "secret", "used", kubeconfig=node, check=False).returncode == 0, 5)
    assert "no relationship found between node 'n1' and this object" in server.refused("get", "secret", "unused", kubeconfig=node)
    server.refused("get", "secrets", kubeconfig=node)
    text = server.refused("delete", "pod", "theirs", "--wait=false", kubeconfig=node)
    assert 'node "n1" can only delete pods with spec.nodeName set to itself' in text
    server.kubectl("delete", "pod", "mine", "--wait=false", "--grace-period=0", "--force", kubeconfig=node)
    server.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}), kubeconfig=node)
    assert 'is not allowed to modify node "n2"' in server.refused("create", "--validate=false", "-f", "-", kubeconfig=node, stdin=json.dumps(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}}))


def test_everything_survives_a_restart(server):
    ns = namespace(server, "restart")
    server.kubectl("create", "sa", "a", "-n", ns)
    server.kubectl("create", "clusterrolebinding", "restart", "--clusterrole=view", f"--serviceaccount={ns}:a")
    a = server.with_token(server.out("create", "token", "a", "-n", ns))
    wait_until(lambda: server.kubectl("get", "pods", "-A", kubeconfig=a, check=False).returncode == 0, 5)
    before = open(server.kubeconfig).read()
    server.kubectl("delete", "clusterrole", "system:basic-user")
    server.stop()
    server.start()
    assert open(server.kubeconfig).read() == before
    server.kubectl("get", "pods", "-A", kubeconfig=a)
    server.kubectl("get", "clusterrole", "system:basic-user")
    rules = json.loads(server.out("get", "clusterrole", "admin", "-o", "json"))["rules"]
    assert any("rolebindings" in r["resources"] for r in rules) and any("pods/log" in r["resources"] for r in rules)


def test_roles_that_collect_others_follow_them(server):
    server.kubectl("apply", "--validate=false", "-f", "-", stdin=json.dumps({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "more", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}]}))
    for role in ("view", "edit", "admin"):
        wait_until(lambda: "widgets" in server.out("get", "clusterrole", role, "-o", "json"), 5)
    server.kubectl("delete", "clusterrole", "more")
    for role in ("view", "edit", "admin"):
        wait_until(lambda: "widgets" not in server.out("get", "clusterrole", role, "-o", "json"), 5)
