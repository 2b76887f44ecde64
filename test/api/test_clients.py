# SPDX-License-Identifier: Apache-2.0
"""Other clients than kubectl: Kubernetes' Go, Python and JavaScript libraries, helm (`make api-clients`)."""
import os
import shutil
import subprocess

import pytest

from conftest import ROOT

HERE = os.path.dirname(os.path.abspath(__file__))


def test_go(server):
    """Protobuf, an informer that begins with what is there, update, apply, scale, a lease as a lock."""
    binary = os.path.join(ROOT, "build/api-client")
    if not os.path.exists(binary):
        pytest.skip("no build/api-client (make api-clients)")
    r = subprocess.run([binary, server.kubeconfig], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    assert r.stdout.split("\n")[:4] == ["add go", "update go", "update go map[a:b x:y]", "delete"]
    assert "leading\nstopped\n" in r.stdout


def test_python(server, tmp_path):
    kubernetes = pytest.importorskip("kubernetes")
    from kubernetes import client, config, dynamic, watch
    api = config.new_client_from_config(server.kubeconfig)
    v1, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    v1.create_namespaced_config_map("default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="py"), data={"a": "b"}))
    v1.patch_namespaced_config_map("py", "default", {"data": {"c": "d"}})
    cm = v1.read_namespaced_config_map("py", "default")
    assert cm.data == {"a": "b", "c": "d"}
    cm.data["e"] = "f"
    v1.replace_namespaced_config_map("py", "default", cm)
    seen = [ev["object"].metadata.name for ev in watch.Watch().stream(v1.list_namespaced_config_map, "default", timeout_seconds=1)]
    assert "py" in seen
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels={"a": "b"}), spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="i")]))
    apps.create_namespaced_deployment("default", client.V1Deployment(
        metadata=client.V1ObjectMeta(name="py"), spec=client.V1DeploymentSpec(selector={"matchLabels": {"a": "b"}}, template=template)))
    apps.patch_namespaced_deployment_scale("py", "default", {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment_scale("py", "default").spec.replicas == 2
    apps.delete_namespaced_deployment("py", "default", propagation_policy="Foreground")
    with pytest.raises(kubernetes.client.ApiException) as e:
        v1.read_namespaced_pod("nope", "default")
    assert e.value.status == 404
    maps = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery")).resources.get(api_version="v1", kind="ConfigMap")
    r = maps.server_side_apply(namespace="default", name="ssa", field_manager="py",
                               body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": {"x": "1"}})
    assert r.metadata.managedFields[0].operation == "Apply"
    v1.delete_namespaced_config_map("py", "default")


def test_javascript(server):
    js = os.path.join(ROOT, "build/js")
    if not os.path.isdir(js + "/node_modules") or not shutil.which("node"):
        pytest.skip("no build/js (make api-clients)")
    shutil.copy(os.path.join(HERE, "client/client.mjs"), js)
    r = subprocess.run(["node", "client.mjs", server.kubeconfig], cwd=js, capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    assert r.stdout.split("\n") == ["{ a: 'b' }", "ADDED { a: 'b', c: 'd' }", "informer", "1", "{ a: 'b', c: 'd', z: '1' }", "404", ""]


def test_helm(server):
    """A chart with a definition, a custom resource and a hook: install, upgrade, roll back, uninstall."""
    binary = shutil.which("helm", path=os.path.join(ROOT, "build") + ":" + os.environ["PATH"])
    if not binary:
        pytest.skip("no helm (make api-clients)")

    def helm(*args):
        r = subprocess.run([binary, *args], capture_output=True, text=True, timeout=100,
                           env={"HOME": server.dir, "KUBECONFIG": server.kubeconfig, "PATH": os.environ["PATH"]})
        assert r.returncode == 0, r.stdout + r.stderr
        return r.stdout
    chart = os.path.join(HERE, "chart")
    helm("install", "r1", chart)
    helm("upgrade", "r1", chart, "--set", "replicas=3")
    path = "/apis/apps/v1/namespaces/default/deployments/r1-web"
    assert server.ask("GET", path)[1]["spec"]["replicas"] == 3
    helm("rollback", "r1", "1")
    assert server.ask("GET", path)[1]["spec"]["replicas"] == 1
    assert server.ask("GET", "/apis/stable.example.com/v1/namespaces/default/crontabs/r1-ct")[0] == 200
    assert "deployed" in helm("list")
    helm("uninstall", "r1")
    assert server.ask("GET", path)[0] == 404
