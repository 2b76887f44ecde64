# SPDX-License-Identifier: Apache-2.0
"""Raw HTTPS: limits, restarts, many writers, watches under load."""
import gzip
import json
import ssl
import threading
import http.client
import subprocess

import pytest

from conftest import Server

MAPS = "/api/v1/namespaces/default/configmaps"


def cm(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_limits(server):
    status, s, _ = server.ask("POST", MAPS, cm("big", x="y" * (2 << 20)))
    assert status == 413 or status == 422, s
    status, s, _ = server.ask("POST", MAPS, "{" + " " * (4 << 20))
    assert status == 413 and s["reason"] == "RequestEntityTooLarge"
    status, s, _ = server.ask("POST", MAPS, "{nonsense")
    assert status == 400 and s["kind"] == "Status"
    status, s, _ = server.ask("POST", MAPS, "[" * 100000)
    assert status == 400
    status, s, _ = server.ask("PATCH", MAPS + "/none", "{}")
    assert status == 415
    status, s, _ = server.ask("GET", "/apis/apps/v1/namespaces/default/nothing")
    assert status == 404


def test_strangers(server):
    c = http.client.HTTPSConnection("127.0.0.1", server.port, context=ssl._create_unverified_context())
    c.request("GET", "/version")
    r = c.getresponse()
    assert r.status == 200
    r.read()
    c.request("GET", "/api/v1/secrets")
    r = c.getresponse()
    assert r.status == 403
    r.read()
    c.request("GET", "/api/v1/secrets", headers={"Authorization": "Bearer nonsense"})
    r = c.getresponse()
    assert r.status == 401 and json.loads(r.read())["reason"] == "Unauthorized"


def test_gzip():
    """Long answers are compressed, but not for who is on this machine's loopback."""
    addresses = [a for a in subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split() if "." in a]
    server = Server("0.0.0.0").start()
    try:
        for i in range(30):
            server.ask("POST", MAPS, cm(f"gz{i}", x="y" * 9000))
        _, l, headers = server.ask("GET", MAPS, Accept_Encoding="gzip")
        assert headers["Content-Encoding"] is None and l["kind"] == "ConfigMapList"
        if not addresses:
            pytest.skip("this machine has loopback only")
        context = server.tls()
        context.check_hostname = False
        c = http.client.HTTPSConnection(addresses[0], server.port, context=context, timeout=30)
        c.request("GET", MAPS, headers={"Accept-Encoding": "gzip"})
        r = c.getresponse()
        assert r.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(r.read()))["kind"] == "ConfigMapList"
    finally:
        server.stop()


def test_counter(server):
    """Sixteen writers raise one number; conflicts are told, nothing is lost."""
    server.ask("POST", MAPS, cm("counter", n="0"))
    won = []

    def raise_it():
        for _ in range(10):
            while True:
                _, o, _ = server.ask("GET", MAPS + "/counter")
                o["data"]["n"] = str(int(o["data"]["n"]) + 1)
                status, _, _ = server.ask("PUT", MAPS + "/counter", o)
                assert status in (200, 409)
                if status == 200:
                    won.append(1)
                    break
    threads = [threading.Thread(target=raise_it) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    _, o, _ = server.ask("GET", MAPS + "/counter")
    assert int(o["data"]["n"]) == 80 == len(won)


def test_watchers_see_all(server):
    """Every watcher sees every change, in order, once."""
    _, l, _ = server.ask("GET", MAPS)
    rv = l["metadata"]["resourceVersion"]
    seen = [[] for _ in range(8)]

    def watch(into):
        c = server.connect()
        c.request("GET", f"{MAPS}?watch=true&resourceVersion={rv}&timeoutSeconds=6&labelSelector=t%3Dw")
        r = c.getresponse()
        for line in r:
            ev = json.loads(line)
            into.append((ev["type"], ev["object"]["metadata"]["name"], int(ev["object"]["metadata"]["resourceVersion"])))
        c.close()
    threads = [threading.Thread(target=watch, args=(s,)) for s in seen]
    [t.start() for t in threads]
    for i in range(50):
        o = cm(f"w{i}")
        o["metadata"]["labels"] = {"t": "w"}
        assert server.ask("POST", MAPS, o)[0] == 201
        if i % 2:
            assert server.ask("DELETE", f"{MAPS}/w{i}")[0] == 200
    [t.join() for t in threads]
    assert len(seen[0]) == 75 and all(s == seen[0] for s in seen)
    assert [x[2] for x in seen[0]] == sorted(x[2] for x in seen[0])


def test_killed(own_server):
    """What was acknowledged is there after a kill; watches from before go on or are told 410."""
    done = []
    for i in range(40):
        if own_server.ask("POST", MAPS, cm(f"k{i}"))[0] == 201:
            done.append(f"k{i}")
    rv = own_server.ask("GET", f"{MAPS}/{done[10]}")[1]["metadata"]["resourceVersion"]
    own_server.kill()
    own_server.start()
    c = own_server.connect()
    c.request("GET", f"{MAPS}?watch=true&resourceVersion={rv}&timeoutSeconds=2")
    events = [json.loads(line) for line in c.getresponse()]
    assert [ev["object"]["metadata"]["name"] for ev in events if ev["type"] == "ADDED"][:len(done) - 11] == done[11:]
    _, l, _ = own_server.ask("GET", MAPS)
    names = {o["metadata"]["name"] for o in l["items"]}
    assert set(done) <= names
    assert own_server.ask("GET", "/readyz")[1] == b"ok"


def test_addresses_under_churn(own_server):
    """Services come, change and go from many clients at once: no address or port is given twice, none is lost."""
    import random
    services = "/api/v1/namespaces/default/services"
    statuses = []

    def churn(seed):
        r, c = random.Random(seed), own_server.connect()
        for _ in range(60):
            name, kind = f"s{r.randint(0, 9)}", r.choice(["ClusterIP", "NodePort"])
            what = r.randint(0, 2)
            if what == 0:
                c.request("POST", services, json.dumps({"metadata": {"name": name}, "spec": {"type": kind, "ports": [{"port": 80}]}}),
                          {"Content-Type": "application/json"})
            elif what == 1:
                c.request("PATCH", f"{services}/{name}", json.dumps({"spec": {"type": kind}}), {"Content-Type": "application/merge-patch+json"})
            else:
                c.request("DELETE", f"{services}/{name}")
            r2 = c.getresponse()
            r2.read()
            statuses.append(r2.status)
    threads = [threading.Thread(target=churn, args=(i,)) for i in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert max(statuses) < 500
    specs = [s["spec"] for s in own_server.ask("GET", "/api/v1/services")[1]["items"]]
    addresses = [s["clusterIP"] for s in specs]
    ports = [p["nodePort"] for s in specs for p in s["ports"] if p.get("nodePort")]
    assert len(addresses) == len(set(addresses)) and len(ports) == len(set(ports))
    metrics = own_server.ask("GET", "/metrics")[1].decode()
    assert f'resource="serviceaddresses"}} {len(addresses)}\n' in metrics
    assert f'resource="nodeports"}} {len(ports)}\n' in metrics
