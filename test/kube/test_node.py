# SPDX-License-Identifier: Apache-2.0
"""The kubelet with a real server, engine and kubectl."""
import json
import os
import signal
import subprocess
import time
import urllib.request

import pytest
from coracle_test import wait_until

SLEEP = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]


def state(pod, container="c0", which="state", lists=("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")):
    for l in lists:
        for c in pod["status"].get(l, []):
            if c["name"] == container:
                return c[which]
    return {}


def status_of(pod, container="c0"):
    for l in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for c in pod["status"].get(l, []):
            if c["name"] == container:
                return c


def condition(pod, kind):
    return next((c["status"] for c in pod["status"].get("conditions", []) if c["type"] == kind), None)


def test_a_pod_runs_and_is_deleted_within_a_second(cluster):
    cluster.pod("runs", [{"command": SLEEP}])
    p = cluster.wait_pod("runs", lambda p: condition(p, "Ready") == "True")
    assert p["status"]["podIP"] and p["status"]["qosClass"] == "BestEffort" and p["status"]["hostIP"] == "127.0.0.1"
    assert p["status"]["startTime"] and status_of(p)["started"] and status_of(p)["restartCount"] == 0
    reasons = [r for _, r, _ in cluster.events("runs")]
    assert reasons == ["Pulled", "Created", "Started"]
    time.sleep(0.3)      # until the shell has its trap
    began = time.time()
    cluster.delete("runs")
    assert time.time() - began < 2
    wait_until(lambda: not os.path.exists(f"{cluster.engine.root}/node/pods/{p['metadata']['uid']}"))


def test_what_ends_well_has_succeeded_and_what_ends_badly_failed(cluster):
    cluster.pod("good", [{"command": ["true"]}], restartPolicy="Never")
    cluster.pod("bad", [{"command": ["sh", "-c", "exit 3"]}], restartPolicy="Never")
    p = cluster.wait_phase("good", "Succeeded")
    assert state(p)["terminated"]["reason"] == "Completed" and condition(p, "Ready") == "False"
    p = cluster.wait_phase("bad", "Failed")
    assert state(p)["terminated"]["exitCode"] == 3 and state(p)["terminated"]["reason"] == "Error"
    cluster.delete("good", "bad")


def test_a_container_that_crashes_is_restarted_then_backs_off(cluster):
    cluster.pod("crash", [{"command": ["sh", "-c", "exit 1"]}])
    p = cluster.wait_pod("crash", lambda p: state(p).get("waiting", {}).get("reason") == "CrashLoopBackOff")
    assert status_of(p)["restartCount"] == 1
    assert "back-off 10s restarting failed container=c0 pod=crash_default(" in state(p)["waiting"]["message"]
    assert status_of(p)["lastState"]["terminated"]["exitCode"] == 1
    assert any(r == "BackOff" for _, r, _ in cluster.events("crash"))
    status, text = cluster.kubelet("/containerLogs/default/crash/c0?previous=true")
    assert status == 200
    cluster.delete("crash")


def test_images_that_cannot_be_had(cluster):
    cluster.pod("never", [{"image": "nowhere.invalid/none:1", "imagePullPolicy": "Never"}])
    cluster.pod("name", [{"image": "UPPER/case"}])
    cluster.pod("pull", [{"image": "127.0.0.1:1/none:1"}])
    p = cluster.wait_pod("never", lambda p: state(p).get("waiting", {}).get("reason") == "ErrImageNeverPull")
    assert p["status"]["phase"] == "Pending"
    cluster.wait_pod("name", lambda p: state(p).get("waiting", {}).get("reason") == "InvalidImageName")
    cluster.wait_pod("pull", lambda p: state(p).get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff"))
    p = cluster.wait_pod("pull", lambda p: state(p).get("waiting", {}).get("reason") == "ImagePullBackOff")
    assert state(p)["waiting"]["message"].startswith('Back-off pulling image "127.0.0.1:1/none:1"')
    r = cluster.kubectl("logs", "never", check=False)
    assert r.stderr == 'Error from server (BadRequest): container "c0" in pod "never" is waiting to start: ErrImageNeverPull\n'
    r = cluster.kubectl("logs", "pull", check=False)
    assert r.stderr == 'Error from server (BadRequest): container "c0" in pod "pull" is waiting to start: trying and failing to pull image\n'
    r = cluster.kubectl("logs", "pull", "-p", check=False)
    assert r.stderr == 'Error from server (BadRequest): previous terminated container "c0" in pod "pull" not found\n'
    cluster.delete("never", "name", "pull")


def test_init_containers_run_in_order_before_the_others(cluster):
    mounts = [{"name": "v", "mountPath": "/v"}]
    cluster.pod("init", [{"command": ["sh", "-c", "cat /v/log; sleep 100"], "volumeMounts": mounts}],
                initContainers=[{"command": ["sh", "-c", "sleep 0.3; echo one >> /v/log"], "volumeMounts": mounts},
                                {"command": ["sh", "-c", "echo two >> /v/log"], "volumeMounts": mounts}],
                volumes=[{"name": "v", "emptyDir": {}}])
    p = cluster.wait_phase("init", "Running")
    assert condition(p, "Initialized") == "True"
    wait_until(lambda: cluster.logs("init") == "one\ntwo\n")
    cluster.delete("init", grace=1)


def test_a_failed_init_container_fails_the_pod(cluster):
    cluster.pod("initbad", [{"command": SLEEP}], initContainers=[{"command": ["false"]}], restartPolicy="Never")
    p = cluster.wait_phase("initbad", "Failed")
    assert condition(p, "Initialized") == "False"
    cluster.delete("initbad")


def test_a_sidecar_starts_first_and_ends_last(cluster):
    mounts = [{"name": "v", "mountPath": "/v"}]
    cluster.pod("side", [{"command": ["sh", "-c", "test -e /v/up && echo saw; sleep 0.3"], "volumeMounts": mounts}],
                initContainers=[{"restartPolicy": "Always", "command": ["sh", "-c", "touch /v/up; trap 'exit 0' TERM; while :; do sleep 0.1; done"],
                                 "volumeMounts": mounts, "startupProbe": {"exec": {"command": ["test", "-e", "/v/up"]}, "periodSeconds": 1}}],
                volumes=[{"name": "v", "emptyDir": {}}], restartPolicy="Never")
    p = cluster.wait_phase("side", "Succeeded")
    assert state(p, "i0")["terminated"]["exitCode"] == 0
    assert cluster.logs("side") == "saw\n"
    cluster.delete("side")


def test_environment_and_volumes_of_config_maps_secrets_and_the_pod_itself(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "default"}, "data": {"a": "1", "b.txt": "two"}},
                  {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "se", "namespace": "default"}, "stringData": {"pw": "geheim"}})
    script = ("echo $A $PW $NAME $IP_OK $LIM $FULL $P_a; cat /cm/b.txt; echo; cat /se/x/pw; echo; cat /da/labels; echo; cat /proj/one /proj/name; echo;"
              "stat -c %a /se/x/pw; hostname; readlink /cm/..data >/dev/null && echo linked; sleep 100")
    cluster.pod("env", [{
        "command": ["sh", "-c", script], "resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}},
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "cm"}}],
        "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}},
                {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "se", "key": "pw"}}},
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "IP_OK", "value": "ip"},
                {"name": "LIM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
                {"name": "FULL", "value": "$(NAME)-$(A)-$$(A)-$(NONE)"}],
        "volumeMounts": [{"name": "cm", "mountPath": "/cm"}, {"name": "se", "mountPath": "/se"}, {"name": "da", "mountPath": "/da"},
                         {"name": "proj", "mountPath": "/proj"}]}],
        volumes=[{"name": "cm", "configMap": {"name": "cm"}},
                 {"name": "se", "secret": {"secretName": "se", "defaultMode": 0o400, "items": [{"key": "pw", "path": "x/pw"}]}},
                 {"name": "da", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                 {"name": "proj", "projected": {"sources": [
                     {"configMap": {"name": "cm", "items": [{"key": "a", "path": "one"}]}},
                     {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}],
        metadata={"labels": {"app": "x"}})
    p = cluster.wait_phase("env", "Running")
    assert p["status"]["qosClass"] == "Guaranteed"
    want = "1 geheim env ip 64 env-1-$(A)-$(NONE) 1\ntwo\ngeheim\napp=\"x\"\n1env\n400\nenv\nlinked\n"
    wait_until(lambda: cluster.logs("env") == want or None, 5) if cluster.logs("env") != want else None
    assert cluster.logs("env") == want
    cluster.delete("env", grace=1)


def test_a_missing_config_map_holds_the_container_until_it_is_there(cluster):
    cluster.pod("late", [{"command": ["sh", "-c", "echo $A; sleep 100"], "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]}])
    p = cluster.wait_pod("late", lambda p: state(p).get("waiting", {}).get("reason") == "CreateContainerConfigError")
    assert state(p)["waiting"]["message"] == 'configmap "late" not found'
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late", "namespace": "default"}, "data": {"a": "now"}})
    cluster.wait_phase("late", "Running")
    wait_until(lambda: cluster.logs("late") == "now\n")
    cluster.delete("late", grace=1)


def test_a_service_account_token_and_the_authority_are_mounted(cluster):
    cluster.pod("token", [{"command": ["sh", "-c", "cd /var/run/secrets/kubernetes.io/serviceaccount; cat namespace; echo; head -n 1 ca.crt; cut -c1-2 token; sleep 100"]}],
                automountServiceAccountToken=True)
    cluster.wait_phase("token", "Running")
    wait_until(lambda: cluster.logs("token") == "default\n-----BEGIN CERTIFICATE-----\ney\n")
    cluster.delete("token", grace=1)


def test_liveness_restarts_and_readiness_takes_out(cluster):
    cluster.pod("probes", [
        {"command": ["sh", "-c", "touch /tmp/ok; sleep 1; rm /tmp/ok; sleep 100"],
         "livenessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}},
        {"command": ["sh", "-c", "sleep 1; mkdir /w; echo hi > /w/index.html; httpd -f -p 8080 -h /w"],
         "readinessProbe": {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1}},
        {"command": ["sh", "-c", "httpd -f -p 9000"], "readinessProbe": {"tcpSocket": {"port": 9000}, "periodSeconds": 1}}])
    cluster.wait_pod("probes", lambda p: status_of(p, "c1")["ready"] and status_of(p, "c2")["ready"])
    p = cluster.wait_pod("probes", lambda p: status_of(p, "c0")["restartCount"] >= 1)
    ev = cluster.events("probes")
    assert any(r == "Unhealthy" and m.startswith("Liveness probe failed: cat: can't open '/tmp/ok'") for _, r, m in ev), ev
    assert ("Normal", "Killing", "Container c0 failed liveness probe, will be restarted") in ev
    cluster.delete("probes", grace=1)


def test_hooks_termination_message_and_deadline(cluster):
    cluster.pod("hooks", [{"command": ["sh", "-c", "trap 'cat /tmp/* > /dev/termination-log; exit 0' TERM; while :; do sleep 0.1; done"],
                           "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo post > /tmp/a"]}},
                                         "preStop": {"exec": {"command": ["sh", "-c", "echo pre > /tmp/b"]}}}}],
                activeDeadlineSeconds=2, terminationGracePeriodSeconds=5, restartPolicy="Never")
    p = cluster.wait_phase("hooks", "Failed", 15)
    p = cluster.wait_pod("hooks", lambda p: "terminated" in state(p))
    assert p["status"]["reason"] == "DeadlineExceeded"
    assert state(p)["terminated"]["message"] == "post\npre\n"
    cluster.delete("hooks")


def test_the_last_lines_of_the_log_are_the_message_of_an_error(cluster):
    cluster.pod("fallback", [{"command": ["sh", "-c", "echo what went wrong; exit 7"], "terminationMessagePolicy": "FallbackToLogsOnError"}],
                restartPolicy="Never")
    p = cluster.wait_phase("fallback", "Failed")
    assert state(p)["terminated"]["message"] == "what went wrong\n"
    cluster.delete("fallback")


def test_security_contexts_resources_and_kinds_of_volumes(cluster):
    script = ("id -u; id -g; id -G; touch /x 2>/dev/null || echo ro; stat -c '%g' /e; touch /e/f && stat -c '%g' /e/f; df /m | tail -1 | cut -d' ' -f1;"
              "cat /etc/hosts | grep 10.9.9.9; cat /sub/f; grep -c . /etc/resolv.conf >/dev/null && grep ndots /etc/resolv.conf; "
              "grep NoNewPrivs /proc/self/status; sleep 100")
    host = os.path.join(cluster.engine.dir, "host")
    cluster.pod("sec", [{"command": ["sh", "-c", script],
                         "securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "runAsGroup": 2000, "capabilities": {"drop": ["ALL"]}},
                         "volumeMounts": [{"name": "e", "mountPath": "/e"}, {"name": "m", "mountPath": "/m"}, {"name": "h", "mountPath": "/h"},
                                          {"name": "cm", "mountPath": "/sub/f", "subPath": "f"}]}],
                securityContext={"runAsUser": 1000, "fsGroup": 3000, "supplementalGroups": [4000]},
                hostAliases=[{"ip": "10.9.9.9", "hostnames": ["alias.example"]}],
                volumes=[{"name": "e", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                         {"name": "h", "hostPath": {"path": host, "type": "DirectoryOrCreate"}}, {"name": "cm", "configMap": {"name": "sec"}}])
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sec", "namespace": "default"}, "data": {"f": "subbed"}})
    cluster.wait_phase("sec", "Running")
    want = ["1000", "2000", "2000 3000 4000", "ro", "3000", "3000", "tmpfs", "10.9.9.9\talias.example", "subbedoptions ndots:5", "NoNewPrivs:\t1"]
    wait_until(lambda: len(cluster.logs("sec").splitlines()) >= len(want))
    assert cluster.logs("sec").splitlines() == want
    assert os.path.isdir(host)
    cluster.delete("sec", grace=1)


def test_run_as_non_root_is_checked(cluster):
    cluster.pod("root", [{"command": SLEEP, "securityContext": {"runAsNonRoot": True}}])
    p = cluster.wait_pod("root", lambda p: state(p).get("waiting", {}).get("reason") == "CreateContainerConfigError")
    assert "container has runAsNonRoot and image will run as root" in state(p)["waiting"]["message"]
    cluster.delete("root")


def test_host_network_and_a_config_map_that_changes(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "live", "namespace": "default"}, "data": {"v": "1"}})
    cluster.pod("hostnet", [{"command": ["sh", "-c", "head -n 1 /etc/hosts; sleep 100"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                hostNetwork=True, volumes=[{"name": "v", "configMap": {"name": "live"}}])
    p = cluster.wait_phase("hostnet", "Running")
    assert p["status"]["podIP"] == "127.0.0.1"
    wait_until(lambda: cluster.logs("hostnet") == "# Kubernetes-managed hosts file (host network).\n")
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "live", "namespace": "default"}, "data": {"v": "2"}})
    wait_until(lambda: cluster.kubelet("/run/default/hostnet/c0?cmd=cat%20/v/v", "POST") == (200, "2"), 5)
    cluster.delete("hostnet", grace=1)


def test_logs_follow_tail_and_timestamps(cluster):
    cluster.pod("logs", [{"command": ["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done; echo err >&2"]}], restartPolicy="Never")
    cluster.wait_pod("logs", lambda p: state(p))
    wait_until(lambda: cluster.kubelet("/containerLogs/default/logs/c0")[0] == 200)
    assert cluster.logs("logs", query="?follow=true") == "line 1\nline 2\nline 3\nline 4\nline 5\nerr\n"
    assert cluster.logs("logs", query="?tailLines=2") == "line 5\nerr\n"
    assert cluster.logs("logs", query="?limitBytes=4") == "line"
    assert cluster.logs("logs", query="?tailLines=0") == ""
    first = cluster.logs("logs", query="?timestamps=true").splitlines()[0]
    assert first.endswith("Z line 1") and first[4] == "-"
    assert cluster.kubelet("/containerLogs/default/logs/none")[0] == 404
    cluster.delete("logs")


def test_the_kubelets_own_api(cluster):
    cluster.pod("api", [{"command": SLEEP}])
    cluster.wait_phase("api", "Running")
    assert cluster.kubelet("/healthz") == (200, "ok")
    pods = json.loads(cluster.kubelet("/pods")[1])
    assert "api" in [p["metadata"]["name"] for p in pods["items"]]
    assert cluster.kubelet("/run/default/api/c0?cmd=echo%20hi", "POST") == (200, "hi\n")
    s = json.loads(cluster.kubelet("/stats/summary")[1])
    mine = next(p for p in s["pods"] if p["podRef"]["name"] == "api")
    assert mine["containers"][0]["name"] == "c0" and mine["memory"]["workingSetBytes"] > 0
    assert 'container_memory_working_set_bytes{container="c0",namespace="default",pod="api"}' in cluster.kubelet("/metrics/resource")[1]
    cluster.delete("api")


def test_a_node_that_was_killed_adopts_what_runs(own_cluster):
    c = own_cluster
    c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "default"}, "data": {"v": "1"}})
    c.pod("stays", [{"command": SLEEP, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}], volumes=[{"name": "v", "configMap": {"name": "cm"}}],
          automountServiceAccountToken=True)
    c.pod("goes", [{"command": SLEEP}])
    before = c.wait_phase("stays", "Running")
    c.wait_phase("goes", "Running")
    c.stop_role("node", signal.SIGKILL)
    c.kubectl("delete", "pod", "goes", "--grace-period=0", "--force")
    c.start_node()
    time.sleep(1)
    after = c.get("pod", "stays")
    assert status_of(after)["containerID"] == status_of(before)["containerID"] and status_of(after)["restartCount"] == 0
    wait_until(lambda: len(json.loads(c.kubelet("/pods")[1])["items"]) == 1)
    wait_until(lambda: len(os.listdir(f"{c.engine.root}/node/pods")) == 1)
    c.pod("more", [{"command": SLEEP}])
    c.wait_phase("more", "Running")
    c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "default"}, "data": {"v": "2"}})
    wait_until(lambda: c.kubelet("/run/default/stays/c0?cmd=cat%20/v/v", "POST") == (200, "2"), 5)


def test_a_node_killed_in_the_middle_loses_no_pod(own_cluster):
    c = own_cluster
    for i in range(6):
        c.pod(f"p{i}", [{"command": SLEEP}, {"command": SLEEP}], initContainers=[{"command": ["true"]}])
        time.sleep(0.05 * i)
        c.stop_role("node", signal.SIGKILL)
        c.start_node(wait=False)
    for i in range(6):
        p = c.wait_pod(f"p{i}", lambda p: condition(p, "Ready") == "True")
        assert status_of(p, "c0")["restartCount"] == 0


def test_kubectl_logs_exec_attach_cp_and_port_forward(cluster):
    cluster.pod("kc", [{"command": ["sh", "-c", "echo started; mkdir /w; echo served > /w/x; httpd -p 8080 -h /w; read a; echo got $a; sleep 100"],
                        "stdin": True}])
    cluster.wait_phase("kc", "Running")
    wait_until(lambda: cluster.kubectl("logs", "kc").stdout == "started\n")
    assert cluster.kubectl("exec", "kc", "--", "echo", "hi").stdout == "hi\n"
    r = cluster.kubectl("exec", "kc", "--", "sh", "-c", "exit 9", check=False)
    assert r.returncode == 9
    assert cluster.kubectl("exec", "-i", "kc", "--", "cat", stdin="through\n").stdout == "through\n"
    src = os.path.join(cluster.engine.dir, "src")
    open(src, "w").write("copied")
    cluster.kubectl("cp", src, "default/kc:/tmp/dst")
    assert cluster.kubectl("exec", "kc", "--", "cat", "/tmp/dst").stdout == "copied"
    p = subprocess.Popen(["kubectl", "port-forward", "pod/kc", ":8080"], stdout=subprocess.PIPE, text=True,
                         env=dict(os.environ, KUBECONFIG=cluster.kubeconfig))
    port = p.stdout.readline().split(":")[1].split(" ")[0]
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/x", timeout=10).read() == b"served\n"
    p.kill()
    p.wait()
    cluster.delete("kc", grace=1)


def test_kubectl_debug_adds_a_container_that_sees_the_others_processes(cluster):
    cluster.pod("dbg", [{"command": ["sleep", "1234"]}])
    cluster.wait_phase("dbg", "Running")
    cluster.kubectl("debug", "dbg", "--image=busybox", "--image-pull-policy=IfNotPresent", "--target=c0", "-c", "d", "--", "sh", "-c", "ps; sleep 100")
    p = cluster.wait_pod("dbg", lambda p: "running" in state(p, "d"))
    wait_until(lambda: "sleep 1234" in cluster.kubectl("logs", "dbg", "-c", "d").stdout)
    assert status_of(p, "c0")["restartCount"] == 0
    cluster.delete("dbg", grace=1)


def test_services_are_in_the_environment(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "my-svc", "namespace": "default"},
                   "spec": {"ports": [{"name": "web", "port": 80}], "selector": {"a": "b"}}})
    time.sleep(0.5)
    cluster.pod("svcenv", [{"command": ["sh", "-c", "env | grep -E '^(MY_SVC|KUBERNETES)_' | sort; sleep 100"]}])
    cluster.wait_phase("svcenv", "Running")
    wait_until(lambda: "MY_SVC_SERVICE_PORT_WEB=80\n" in cluster.logs("svcenv"))
    text = cluster.logs("svcenv")
    assert "MY_SVC_PORT=tcp://10." in text and "KUBERNETES_SERVICE_HOST=10.96.0.1\n" in text and "MY_SVC_PORT_80_TCP_PROTO=tcp\n" in text
    cluster.delete("svcenv", grace=1)


def test_a_claim_bound_to_a_host_path_is_mounted(cluster):
    host = os.path.join(cluster.engine.dir, "pv")
    cluster.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv1"},
                   "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": host}, "storageClassName": "manual",
                            "persistentVolumeReclaimPolicy": "Retain"}},
                  {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim", "namespace": "default"},
                   "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "manual", "volumeName": "pv1", "resources": {"requests": {"storage": "1Gi"}}}})
    try:
        wait_until(lambda: cluster.get("pvc", "claim")["status"].get("phase") == "Bound", 5)
    except AssertionError:
        pytest.skip("nobody binds claims")
    cluster.pod("claims", [{"command": ["sh", "-c", "echo kept > /d/f; sleep 100"], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}],
                volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "claim"}}])
    cluster.wait_phase("claims", "Running")
    wait_until(lambda: os.path.exists(host + "/f") and open(host + "/f").read() == "kept\n")
    cluster.delete("claims", grace=1)
    assert os.path.exists(host + "/f")


def test_a_deployment_rolls_out(cluster):
    def dep(text):
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
                "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
                         "template": {"metadata": {"labels": {"app": "web"}},
                                      "spec": {"terminationGracePeriodSeconds": 1, "containers": [
                                          {"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", f"echo {text}; sleep 1000"],
                                           "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}]}}}}
    cluster.apply(dep("one"))
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    cluster.apply(dep("two"))
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    wait_until(lambda: cluster.kubectl("logs", "-l", "app=web", check=False).stdout == "two\n" * 3)
    cluster.kubectl("delete", "deployment", "web", "--timeout=40s")


def test_limits_change_in_place(cluster):
    cluster.pod("resize", [{"command": SLEEP, "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}},
                           {"command": SLEEP, "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "100m"}},
                            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}])
    before = cluster.wait_phase("resize", "Running")
    patch = {"spec": {"containers": [{"name": "c0", "resources": {"requests": {"cpu": "150m"}, "limits": {"cpu": "300m", "memory": "96Mi"}}},
                                     {"name": "c1", "resources": {"requests": {"cpu": "120m"}, "limits": {"cpu": "120m"}}}]}}
    r = cluster.kubectl("patch", "pod", "resize", "--subresource", "resize", "-p", json.dumps(patch), check=False)
    if r.returncode:
        cluster.delete("resize")
        pytest.skip(f"the server has no resize: {r.stderr}")
    p = cluster.wait_pod("resize", lambda p: status_of(p, "c0")["resources"]["limits"]["memory"] == "96Mi" and status_of(p, "c1")["restartCount"] == 1)
    assert status_of(p, "c0")["containerID"] == status_of(before, "c0")["containerID"]
    cg = cluster.kubectl("exec", "resize", "-c", "c0", "--", "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null",
                         check=False).stdout
    assert str(96 << 20) in cg or not cg
    cluster.delete("resize")


def test_sysctls_that_harm_others_are_refused(cluster):
    cluster.pod("sysbad", [{"command": SLEEP}], securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "10000"}]})
    p = cluster.wait_phase("sysbad", "Failed")
    assert p["status"]["reason"] == "SysctlForbidden"
    cluster.pod("sysgood", [{"command": ["sh", "-c", "cat /proc/sys/kernel/shm_rmid_forced; sleep 100"]}],
                securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]})
    cluster.wait_phase("sysgood", "Running")
    wait_until(lambda: cluster.logs("sysgood") == "1\n")
    cluster.delete("sysbad", "sysgood", grace=1)


def test_an_image_can_be_a_volume(cluster):
    cluster.pod("imgvol", [{"command": ["sh", "-c", "ls /img/bin/busybox; touch /img/x 2>/dev/null || echo ro; sleep 100"],
                            "volumeMounts": [{"name": "i", "mountPath": "/img"}]}],
                volumes=[{"name": "i", "image": {"reference": "busybox", "pullPolicy": "IfNotPresent"}}])
    cluster.wait_phase("imgvol", "Running")
    wait_until(lambda: cluster.logs("imgvol") == "/img/bin/busybox\nro\n")
    cluster.delete("imgvol", grace=1)


def test_labels_that_change_are_seen_in_a_volume(cluster):
    cluster.pod("labels", [{"command": SLEEP, "volumeMounts": [{"name": "d", "mountPath": "/d"}]}], metadata={"labels": {"a": "1"}},
                volumes=[{"name": "d", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}}])
    cluster.wait_phase("labels", "Running")
    cluster.kubectl("label", "pod", "labels", "a=2", "--overwrite")
    wait_until(lambda: cluster.kubelet("/run/default/labels/c0?cmd=cat%20/d/l", "POST") == (200, 'a="2"'), 5)
    cluster.delete("labels", grace=1)


def test_engine_and_server_may_be_killed_under_the_node(own_cluster):
    c = own_cluster
    c.pod("stays", [{"command": SLEEP}])
    c.pod("dies", [{"command": ["sleep", "1000"]}])
    before = c.wait_pod("stays", lambda p: condition(p, "Ready") == "True")
    c.wait_pod("dies", lambda p: condition(p, "Ready") == "True")
    c.engine.process.kill()
    c.engine.process.wait()
    wait_until(lambda: c.node_ready() == "False", 25)
    c.engine.start()
    wait_until(lambda: c.node_ready() == "True", 25)
    after = c.get("pod", "stays")
    assert status_of(after)["containerID"] == status_of(before)["containerID"] and status_of(after)["restartCount"] == 0
    c.stop_role("server", signal.SIGKILL)
    pid = subprocess.run(["pgrep", "-f", "^sleep 1000$"], capture_output=True, text=True).stdout.split()
    mine = [p for p in pid if c.engine.bridge in open(f"/proc/{p}/cgroup").read() or c.cgroup_root in open(f"/proc/{p}/cgroup").read()]
    for p in mine:
        os.kill(int(p), signal.SIGKILL)
    time.sleep(1)
    c.start("server", "--listen", f"127.0.0.1:{c.api_port}", "--node-name", c.node_name)
    p = c.wait_pod("dies", lambda p: status_of(p)["restartCount"] == 1 and condition(p, "Ready") == "True", 40)
    assert status_of(p)["lastState"]["terminated"]["exitCode"] == 137
    assert status_of(c.get("pod", "stays"))["restartCount"] == 0


def test_an_image_behind_a_password_needs_a_pull_secret(cluster):
    import base64
    import crypt
    from cluster_test import free_port
    from coracle_test import BIN
    d, port = os.path.join(cluster.engine.dir, "registry"), free_port()
    os.makedirs(d)
    open(d + "/htpasswd", "w").write("me:" + crypt.crypt("geheim", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
    reg = subprocess.Popen([BIN + "/coracled", "registry", "--root", d, "--addr", f"127.0.0.1:{port}", "--htpasswd", d + "/htpasswd"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        image = f"127.0.0.1:{port}/private/bb:1"
        wait_until(lambda: cluster.engine.docker("login", "-u", "me", "-p", "geheim", f"127.0.0.1:{port}", check=False).returncode == 0)
        cluster.engine.docker("tag", "busybox", image)
        cluster.engine.docker("push", image)
        cluster.engine.docker("rmi", image)
        auth = base64.b64encode(b"me:geheim").decode()
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull", "namespace": "default"}, "type": "kubernetes.io/dockerconfigjson",
                       "data": {".dockerconfigjson": base64.b64encode(json.dumps({"auths": {f"127.0.0.1:{port}": {"auth": auth}}}).encode()).decode()}})
        cluster.pod("noauth", [{"image": image, "command": SLEEP}])
        cluster.pod("auth", [{"image": image, "command": SLEEP, "imagePullPolicy": "Always"}], imagePullSecrets=[{"name": "pull"}])
        cluster.wait_pod("noauth", lambda p: state(p).get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff"))
        p = cluster.wait_phase("auth", "Running")
        assert status_of(p)["image"] == image
        assert any(r == "Pulled" and m.startswith(f'Successfully pulled image "{image}" in ') for _, r, m in cluster.events("auth"))
        cluster.delete("noauth", "auth", grace=1)
    finally:
        reg.kill()
        reg.wait()


def test_a_long_log_is_rotated_and_read_across_the_rotation(cluster):
    cluster.pod("big", [{"command": ["sh", "-c", "head -c 11000000 /dev/zero | tr '\\0' x | fold -w 1000; echo; echo turned; while :; do sleep 1; echo more; done"]}])
    p = cluster.wait_phase("big", "Running")
    d = f"{cluster.engine.root}/node/logs/default_big_{p['metadata']['uid']}/c0"
    wait_until(lambda: len(os.listdir(d)) == 2, 25, 0.3)
    wait_until(lambda: os.path.getsize(d + "/0.log") > 0, 10)
    text = cluster.logs("big")
    assert text.count("x" * 1000 + "\n") == 11000 and "turned\n" in text and text.endswith("more\n")
    assert cluster.logs("big", query="?tailLines=1") == "more\n"
    cluster.delete("big", grace=1)


def test_kubectl_run_interactively(cluster):
    r = cluster.kubectl("run", "inter", "-i", "--rm", "--restart=Never", "--image=busybox", "--image-pull-policy=IfNotPresent", "--", "cat", stdin="typed\n")
    assert r.stdout.startswith("typed\n") and 'pod "inter" deleted' in r.stdout


def test_a_pod_deleted_while_it_is_being_made_leaves_nothing(cluster):
    for i in range(6):
        cluster.pod(f"quick{i}", [{"command": SLEEP}], volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}])
        time.sleep(0.03 * i)
        cluster.kubectl("delete", "pod", f"quick{i}", "--grace-period=0", "--force")
    wait_until(lambda: not [p for p in json.loads(cluster.kubelet("/pods")[1])["items"] if p["metadata"]["name"].startswith("quick")], 15)
    pods = os.path.join(cluster.engine.run, "pods")
    alive = len(json.loads(cluster.kubelet("/pods")[1])["items"])
    wait_until(lambda: len(os.listdir(pods)) == alive if os.path.isdir(pods) else True, 10)
    assert len(os.listdir(f"{cluster.engine.root}/node/pods")) == alive


def test_who_may_ask_the_kubelet(cluster):
    import base64
    import ssl
    import urllib.error

    def ask(path, cert=None, token=None):
        c = ssl.create_default_context()
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        if cert:
            c.load_cert_chain(*cert)
        q = urllib.request.Request(f"https://127.0.0.1:{cluster.kubelet_port}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(q, context=c, timeout=10) as r:
                return r.status
        except urllib.error.HTTPError as x:
            return x.code
    assert ask("/healthz") == 200
    assert ask("/pods") == 401
    assert ask("/pods", token="nonsense") == 401
    raw = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json", "--kubeconfig", cluster.engine.config + "/node.kubeconfig").stdout)
    files = []
    for field in ("client-certificate-data", "client-key-data"):
        files.append(os.path.join(cluster.engine.dir, "n-" + field))
        with open(files[-1], "wb") as f:
            f.write(base64.b64decode(raw["users"][0]["user"][field]))
    assert ask("/pods", cert=files) == 403
    cluster.kubectl("create", "serviceaccount", "reader")
    cluster.kubectl("create", "clusterrole", "metrics", "--verb=get", "--resource=nodes/metrics")
    cluster.kubectl("create", "clusterrolebinding", "metrics", "--clusterrole=metrics", "--serviceaccount=default:reader")
    token = cluster.kubectl("create", "token", "reader").stdout.strip()
    wait_until(lambda: ask("/metrics/resource", token=token) == 200, 5)
    assert ask("/pods", token=token) == 403


def test_an_empty_dir_that_outgrows_its_limit_costs_the_pod(cluster):
    cluster.pod("greedy", [{"command": ["sh", "-c", "head -c 3000000 /dev/zero > /e/f; sleep 1000"], "volumeMounts": [{"name": "e", "mountPath": "/e"}]}],
                volumes=[{"name": "e", "emptyDir": {"sizeLimit": "1Mi"}}])
    p = cluster.wait_phase("greedy", "Failed", 25)
    assert p["status"]["reason"] == "Evicted" and p["status"]["message"] == 'Usage of EmptyDir volume "e" exceeds the limit "1Mi". '
    cluster.delete("greedy")
    assert any(r == "NodeReady" for _, r, _ in cluster.events(cluster.node_name))
