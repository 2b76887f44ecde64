# SPDX-License-Identifier: Apache-2.0
"""Networks: made, joined, left, names resolved, ports on localhost."""
import re
import socket
import subprocess
import sys
import urllib.request

from coracle_test import wait_until


def fetch(port):
    def once():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=3) as r:
                return r.read().decode()
        except OSError:
            return None
    return wait_until(once, 10, 0.05)


def page(scene, what, *args):
    """A container that serves its own name."""
    n = scene.name(what)
    scene("run", "-d", "--name", n, *args, "busybox", "sh", "-c", f"mkdir /www; echo {n} > /www/index.html; exec httpd -f -p 80 -h /www")
    return n


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def network(scene, what, *args):
    n = scene.name(what, "network")
    assert re.fullmatch(r"[0-9a-f]{64}", scene.out("network", "create", *args, n))
    return n


def ask(scene, net, name):
    """What a container of a network gets from a name."""
    return scene.out("run", "--rm", "--network", net, "busybox", "sh", "-c",
                     f"for i in 1 2 3 4 5; do timeout 3 wget -q -O - http://{name}/ && exit 0; sleep 0.2; done; exit 1")


def refuses(scene, net, name):
    """What the name server of a network says of a name it does not know."""
    r = scene("run", "--rm", "--network", net, "busybox", "nslookup", "-type=a", name, check=False)
    return r.returncode == 1 and f"can't find {name}: NXDOMAIN" in r.stdout


def test_names_and_aliases_resolve(scene):
    net = network(scene, "names")
    n = page(scene, "nameweb", "--network", net, "--network-alias", "site", "--network-alias", "shop")
    for name in n, "site", "shop", scene.inspect(n)["Id"][:12]:
        assert ask(scene, net, name) == n
    assert refuses(scene, net, "nobody-here")
    conf = scene.out("exec", n, "cat", "/etc/resolv.conf")
    assert "nameserver 127.0.0.11" in conf


def test_names_do_not_resolve_across_networks(scene):
    a, b = network(scene, "apart-a"), network(scene, "apart-b")
    n = page(scene, "apart", "--network", a)
    assert refuses(scene, b, n)
    ip = scene.inspect(n)["NetworkSettings"]["Networks"][a]["IPAddress"]
    assert scene.sh("--network", b, f"timeout 1 wget -q -O - http://{ip}/; echo $?") == "143"


def test_connect_and_disconnect(scene):
    net = network(scene, "later", "--subnet", "10.213.7.0/24", "--gateway", "10.213.7.9")
    n = page(scene, "joins")
    scene("network", "connect", "--alias", "late", "--ip", "10.213.7.77", net, n)
    assert sorted(scene.out("exec", n, "ls", "/sys/class/net").split()) == ["eth0", "eth1", "lo"]
    assert ask(scene, net, "late") == n
    there = scene.inspect(n)["NetworkSettings"]["Networks"][net]
    assert there["IPAddress"] == "10.213.7.77" and there["Gateway"] == "10.213.7.9" and "late" in there["Aliases"]
    assert [c["Name"] for c in scene.inspect("--type", "network", net)["Containers"].values()] == [n]
    assert "already exists in network" in scene.refused("network", "connect", net, n)
    scene("network", "disconnect", net, n)
    assert sorted(scene.out("exec", n, "ls", "/sys/class/net").split()) == ["eth0", "lo"]
    assert "is not connected to" in scene.refused("network", "disconnect", net, n)


def test_list_inspect_remove(scene):
    net = network(scene, "plain", "--label", "tier=front", "-o", "com.docker.network.bridge.enable_icc=true")
    shown = scene.inspect("--type", "network", net)
    assert shown["Driver"] == "bridge" and shown["Labels"] == {"tier": "front"} and shown["Scope"] == "local"
    assert re.fullmatch(r"172\.\d+\.0\.0/16|192\.168\.\d+\.0/20", shown["IPAM"]["Config"][0]["Subnet"])
    assert {"bridge", "host", "none", net} <= set(scene.out("network", "ls", "--format", "{{.Name}}").split())
    assert scene.out("network", "ls", "--filter", "label=tier=front", "--format", "{{.Name}} {{.Driver}}") == f"{net} bridge"
    assert f"network with name {net} already exists" in scene.refused("network", "create", net)
    n = scene.box("holds", "--network", net)
    assert "has active endpoints" in scene.refused("network", "rm", net)
    scene("rm", "-f", n)
    assert scene.out("network", "rm", net) == net
    assert f"network {net} not found" in scene.refused("network", "inspect", net)
    assert "cannot be removed" in scene.refused("network", "rm", "bridge")


def test_subnets_may_not_overlap(scene):
    network(scene, "first", "--subnet", "10.213.8.0/24")
    assert "Pool overlaps with other one on this address space" in scene.refused("network", "create", "--subnet", "10.213.8.128/25", "second")


def test_prune(scene):
    net = network(scene, "unused", "--label", f"of={scene.client.name}")
    out = scene.out("network", "prune", "-f", "--filter", f"label=of={scene.client.name}")
    assert out == f"Deleted Networks:\n{net}\n"[:-1] or out == f"Deleted Networks:\n{net}\n"


def test_internal_network_has_no_way_out(scene):
    net = network(scene, "inner", "--internal")
    assert "default" not in scene.out("run", "--rm", "--network", net, "busybox", "ip", "route")


def test_container_host_none(scene):
    n = page(scene, "lender")
    assert scene.out("run", "--rm", "--network", f"container:{n}", "busybox", "wget", "-q", "-O", "-", "http://127.0.0.1/") == n
    links = set(scene.out("run", "--rm", "--network", "host", "busybox", "ls", "/sys/class/net").split())
    assert scene.engine.bridge in links
    assert scene.out("run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net") == "lo"


def test_published_ports(scene):
    p, q = free_port(), free_port()
    n = page(scene, "ports", "-p", f"{p}:80", "-p", f"127.0.0.1:{q}:80/tcp", "--expose", "81")
    assert fetch(p).strip() == n and fetch(q).strip() == n
    assert scene.out("port", n, "80").splitlines()[0] == f"0.0.0.0:{p}"
    assert f"127.0.0.1:{q}->80/tcp" in scene.out("ps", "--filter", f"name={n}", "--format", "{{.Ports}}")
    assert "port is already allocated" in scene.refused("run", "--rm", "-p", f"{p}:80", "busybox", "true")
    scene("stop", "-t", "0", n)
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", p)) != 0
    scene("start", n)
    assert fetch(p).strip() == n


ECHO = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 69))
data, who = s.recvfrom(100)
s.sendto(data.upper(), who)
"""


def test_udp_port(scene):
    p = free_port()
    n = scene.box("udp", "-p", f"{p}:69/udp")
    assert scene.out("port", n).splitlines()[0] == f"69/udp -> 0.0.0.0:{p}"
    server = subprocess.Popen(["nsenter", "-n", "-t", str(scene.inspect(n)["State"]["Pid"]), sys.executable, "-c", ECHO])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)

            def got():
                s.sendto(b"ping", ("127.0.0.1", p))
                try:
                    return s.recv(100)
                except OSError:
                    return None
            assert wait_until(got) == b"PING"
    finally:
        server.kill()
        server.wait()


def test_links_on_the_default_bridge(scene):
    n = page(scene, "linked")
    assert scene.out("run", "--rm", "--link", f"{n}:web", "busybox", "sh", "-c", "grep -w web /etc/hosts").split()[1:] == ["web", scene.inspect(n)["Id"][:12], n]


def test_fixed_address_and_mac(scene):
    net = network(scene, "fixed", "--subnet", "10.213.9.0/24")
    out = scene.sh("--network", net, "--ip", "10.213.9.9", "--mac-address", "02:42:0a:00:00:99", "ip addr show eth0")
    assert "10.213.9.9/24" in out and "02:42:0a:00:00:99" in out
