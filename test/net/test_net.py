# SPDX-License-Identifier: Apache-2.0
"""net/ and dns/ on the real kernel, in a network of namespaces: `host` runs net-tool, `outside` is a neighbour on its wire."""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import pytest

BIN = os.path.join(os.path.dirname(__file__), "..", "..", "build", "bin")
HOST, OUT = "198.51.100.1", "198.51.100.2"


def run(*args, check=True):
    return subprocess.run(args, check=check, text=True, capture_output=True, timeout=30)


def inside(ns, code, *args, wait=True):
    """Python code in a network namespace (a path)."""
    p = subprocess.Popen(["nsenter", f"--net={ns}", sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not wait:
        return p
    out, err = p.communicate(timeout=30)
    assert p.returncode == 0, err
    return out.strip()


SERVE = """
import socket, sys
proto, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if proto == "tcp":
    s = socket.create_server((addr, port)); print("up", flush=True)
    while True:
        c, peer = s.accept(); c.sendall(peer[0].encode()); c.close()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((addr, port)); print("up", flush=True)
while True:
    d, peer = s.recvfrom(2048); s.sendto(peer[0].encode(), peer)
"""
ASK = """
import socket, sys
proto, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
try:
    if proto == "tcp":
        c = socket.create_connection((addr, port), timeout=1.5); print(c.recv(100).decode())
    else:
        c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.settimeout(1.5); c.sendto(b"x", (addr, port)); print(c.recv(100).decode())
except OSError as e:
    print("no:", type(e).__name__)
"""
DNS = """
import json, socket, struct, sys
name, qtype, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
q = struct.pack(">HHHHHH", 4711, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0" + struct.pack(">HH", qtype, 1)
if how == "tcp":
    s = socket.create_connection(("127.0.0.11", 53), timeout=8); s.sendall(struct.pack(">H", len(q)) + q)
    f = s.makefile("rb"); r = f.read(struct.unpack(">H", f.read(2))[0])
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(8); s.connect(("127.0.0.11", 53)); s.send(q); r = s.recv(4096)
rid, flags, nq, na = struct.unpack(">HHHH", r[:8])
assert rid == 4711
at, got = len(q), []
for i in range(na):
    t, c, ttl, n = struct.unpack(">HHIH", r[at + 2:at + 12]); d = r[at + 12:at + 12 + n]; at += 12 + n
    got.append(socket.inet_ntoa(d) if t == 1 else d.hex() if t != 12 else ".".join(p for p in d.decode("latin1").split() ) or d.decode("latin1"))
print(json.dumps([flags & 15, got]))
"""
# An upstream server that knows one answer and says who asked by which protocol.
UPSTREAM = """
import socket, struct, sys, threading
addr = sys.argv[1]
def answer(q):
    end = 12
    while q[end]: end += q[end] + 1
    head = q[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
    return head + q[12:end + 5] + b"\\xc0\\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("203.0.113.7")
def tcp(s):
    while True:
        c, _ = s.accept(); f = c.makefile("rb"); q = f.read(struct.unpack(">H", f.read(2))[0]); a = answer(q); c.sendall(struct.pack(">H", len(a)) + a); c.close()
t = socket.create_server((addr, 53)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind((addr, 53))
threading.Thread(target=tcp, args=(t,), daemon=True).start()
print("up", flush=True)
while True:
    q, peer = u.recvfrom(2048); u.sendto(answer(q), peer)
"""


class Net:
    def __init__(self):
        self.tag = f"cnt{os.getpid()}"
        self.run = tempfile.mkdtemp(prefix="coracle-net-")
        self.children, self.log = [], open(os.path.join(self.run, "log"), "w")
        for ns in ("h", "o"):
            run("ip", "netns", "add", self.tag + ns)
        self.host, self.out = f"/run/netns/{self.tag}h", f"/run/netns/{self.tag}o"
        h, o = ["ip", "-n", self.tag + "h"], ["ip", "-n", self.tag + "o"]
        run(*h, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self.tag + "o")
        for x, addr in ((h, HOST), (o, OUT)):
            run(*x, "addr", "add", addr + "/24", "dev", "wire")
            run(*x, "link", "set", "wire", "up")
            run(*x, "link", "set", "lo", "up")
        self.start()

    def start(self):
        env = dict(os.environ, CORACLED=os.path.join(BIN, "coracled"))
        self.tool = subprocess.Popen(["nsenter", f"--net={self.host}", os.path.join(BIN, "net-tool"), self.run, "cnt0", "cnt"], env=env, text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        assert self.tool.stdout.readline() == "ok\n"

    def raw(self, *words):
        self.tool.stdin.write(" ".join(words) + "\n")
        self.tool.stdin.flush()
        return self.tool.stdout.readline().strip()

    def __call__(self, *words):
        r = self.raw(*words)
        assert r.startswith("ok"), r
        return r.split()[1:]

    def kill(self):
        self.tool.send_signal(signal.SIGKILL)
        self.tool.wait()

    def container(self, letter, name, *networks, **opts):
        """A sandbox on networks; its id, path and addresses."""
        cid = letter * 64
        path = self("sandbox", cid, name, *[f"{k}={v}" for k, v in opts.items()])[0]
        return cid, path, [self("attach", cid, *n.split())[1].split("/")[0] for n in networks]

    def serve(self, ns, proto, port, addr="0.0.0.0", code=SERVE):
        p = inside(ns, code, *([proto, addr, port] if code is SERVE else [addr]), wait=False)
        assert p.stdout.readline() == "up\n", p.stderr.read()
        self.children.append(p)
        return p

    def close(self):
        for p in self.children:
            p.kill()
            p.wait()
        for c in "abcdef":
            self("close", c * 64)
        for w in self("ls"):
            if w.split(":")[0] not in ("bridge", "host", "none"):
                self("rm", w.split(":")[0])
        self("down")
        self.tool.stdin.close()
        assert self.tool.wait(timeout=10) == 0
        left = [x for x in os.listdir(self.run + "/netns") + os.listdir(self.run + "/net")]
        rules = run("nsenter", f"--net={self.host}", "nft", "list", "ruleset").stdout
        for _ in range(200):        # the kernel removes veths behind a dropped namespace
            links = {x["ifname"] for x in json.loads(run("ip", "-n", self.tag + "h", "-j", "link").stdout)}
            if links == {"lo", "wire"}:
                break
            time.sleep(0.05)
        dns = run("pgrep", "-f", f"coracled dns --run {self.run}", check=False).stdout
        for ns in ("h", "o"):
            run("ip", "netns", "del", self.tag + ns)
        run("rm", "-rf", self.run)
        assert not left and links == {"lo", "wire"} and not dns, (left, links, dns)
        return rules


@pytest.fixture
def net():
    n = Net()
    yield n
    rules = n.close()
    assert "cnt" not in rules, rules


def ask(ns, addr, port, proto="tcp"):
    return inside(ns, ASK, proto, addr, port)


def resolve(ns, name, qtype=1, how="udp"):
    return json.loads(inside(ns, DNS, name, qtype, how))


@pytest.mark.parametrize("bridge_nf", [0, 1])
def test_published_port_from_everywhere(net, bridge_nf):
    """Both with and without bridged packets passing through iptables' hooks (br_netfilter)."""
    path = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    if os.path.exists(path):
        run("nsenter", f"--net={net.host}", "sh", "-c", f"echo {bridge_nf} > {path}")
    cid, web, [addr] = net.container("a", "web", "bridge")
    _, other, _ = net.container("b", "other", "bridge")
    net("create", "second")
    _, far, _ = net.container("c", "far", "second")
    net.serve(web, "tcp", 80)
    net.serve(web, "udp", 53)
    net("publish", cid, "8080,80", "5353,53/udp")
    assert ask(net.out, HOST, 8080) == OUT              # from outside, source address kept
    assert ask(net.out, HOST, 5353, "udp") == OUT
    assert ask(net.host, "127.0.0.1", 8080) == "172.17.0.1"
    assert ask(net.host, "127.0.0.1", 5353, "udp") == "172.17.0.1"
    assert ask(net.host, HOST, 8080) == HOST
    assert ask(web, HOST, 8080) == "172.17.0.1"         # hairpin: its own port through the host
    assert ask(other, HOST, 8080) == "172.17.0.1"       # a neighbour on the same bridge
    assert ask(far, HOST, 8080) == "172.18.0.2"         # another bridge
    assert ask(far, "172.17.0.1", 8080) == "172.18.0.2"
    net("unpublish", cid)
    assert ask(net.out, HOST, 8080).startswith("no")
    assert ask(net.host, "127.0.0.1", 8080).startswith("no")


def test_what_is_not_published_stays_closed(net):
    _, web, [addr] = net.container("a", "web", "bridge")
    net("create", "second")
    net("create", "inner", "internal=1")
    net("create", "noicc", "opt=com.docker.network.bridge.enable_icc=false")
    _, near, _ = net.container("b", "near", "bridge")
    _, far, _ = net.container("c", "far", "second")
    net.serve(web, "tcp", 80)
    run("ip", "-n", net.tag + "o", "route", "add", "172.16.0.0/12", "via", HOST)
    assert ask(near, addr, 80) != "" and not ask(near, addr, 80).startswith("no")
    assert ask(net.host, addr, 80) == "172.17.0.1"
    assert ask(net.out, addr, 80).startswith("no")      # routed straight at it
    assert ask(far, addr, 80).startswith("no")          # isolation
    _, in1, [a1] = net.container("d", "in1", "inner")
    _, in2, [a2] = net.container("e", "in2", "inner")
    net.serve(in1, "tcp", 80)
    net.serve(net.out, "tcp", 90)
    assert ask(in2, a1, 80) == a2
    assert ask(in2, OUT, 90).startswith("no") and ask(in2, addr, 80).startswith("no")
    assert ask(near, a1, 80).startswith("no")
    assert ask(near, OUT, 90) == HOST                   # leaving is masqueraded
    net("close", "d" * 64)
    net("close", "e" * 64)
    _, x1, [b1] = net.container("d", "x1", "noicc")
    _, x2, _ = net.container("e", "x2", "noicc")
    net.serve(x1, "tcp", 80)
    assert ask(x2, b1, 80).startswith("no")
    assert ask(net.host, b1, 80) != "" and ask(x2, OUT, 90) == HOST


def test_loopback_services_stay_unreachable(net):
    cid, web, [addr] = net.container("a", "web", "bridge")
    net.serve(web, "tcp", 80)
    net.serve(net.host, "tcp", 7000, "127.0.0.1")
    net("publish", cid, "127.0.0.1,8080,80")
    assert ask(net.host, "127.0.0.1", 8080) == "172.17.0.1"
    assert ask(net.out, HOST, 8080).startswith("no")
    # Both attackers send packets for 127.0.0.1 at the host on purpose.
    for ns, dev, gw in ((net.tag + "o", "wire", HOST), (web, "eth0", "172.17.0.1")):
        path = ns if ns.startswith("/") else f"/run/netns/{ns}"
        run("nsenter", f"--net={path}", "sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{dev}/route_localnet; ip addr del 127.0.0.1/8 dev lo; "
            f"ip route flush table local; ip route add 127.0.0.1 via {gw}; ip route add local {OUT if dev == 'wire' else addr} dev {dev} table local")
        assert ask(path, "127.0.0.1", 7000).startswith("no")
        assert ask(path, "127.0.0.1", 8080).startswith("no")


def test_ports_of_others_are_respected(net):
    a, _, [addr] = net.container("a", "web", "bridge")
    b, _, _ = net.container("b", "db", "bridge")
    net.serve(net.host, "tcp", 9000)
    r = net.raw("publish", a, "9000,80")
    assert r.startswith("error EADDRINUSE driver failed programming external connectivity on endpoint web (")
    assert r.endswith(f"failed to bind host port for 0.0.0.0:9000:{addr}:80/tcp: address already in use")
    net("publish", a, "8080,80", "0,81", "9000-9010,82")
    assert net("ports", a) == ["0.0.0.0:8080:80/tcp", "0.0.0.0:32768:81/tcp", "0.0.0.0:9001:82/tcp"]
    assert net.raw("publish", b, "8080,80").endswith("Bind for 0.0.0.0:8080 failed: port is already allocated")
    assert net.raw("publish", b, "127.0.0.1,8080,80").endswith("Bind for 127.0.0.1:8080 failed: port is already allocated")
    # and others cannot take ours
    code = "import socket,sys\ntry: socket.create_server(('', 8080)); print('taken')\nexcept OSError as e: print(e.errno)"
    assert inside(net.host, code) == "98"
    net("close", a)
    assert inside(net.host, code) == "taken"


def test_everything_survives_the_engine(net):
    net("create", "mine")
    a, web, [addr] = net.container("a", "web", "mine alias=www")
    b, db, _ = net.container("b", "db", "mine")
    net.serve(web, "tcp", 80)
    net("publish", a, "8080,80")
    assert resolve(db, "web") == [0, [addr]]
    net.kill()
    assert ask(net.out, HOST, 8080) == OUT
    assert resolve(db, "www") == [0, [addr]]
    net.start()
    assert net("ports", a) == ["0.0.0.0:8080:80/tcp"] and net("endpoints", a) == [f"eth0={addr}"]
    assert ask(net.out, HOST, 8080) == OUT
    c, third, [addr3] = net.container("c", "third", "mine")
    assert addr3 not in (addr,) and resolve(db, "third") == [0, [addr3]]
    # the dns process dies too: the engine brings its successor to the same state
    pid = int(run("pgrep", "-f", f"coracled dns --run {net.run}").stdout)
    os.kill(pid, signal.SIGKILL)
    net("rename", b, "database")
    deadline = time.time() + 10
    while time.time() < deadline:
        try:
            if resolve(third, "database")[1] and resolve(third, "web") == [0, [addr]]:
                break
        except AssertionError:
            time.sleep(0.05)
    else:
        raise AssertionError("names did not come back")
    assert resolve(db, "db")[1] == []
    net.kill()
    net.start()
    net("collect", b)
    assert net("endpoints", a) == [] and not net("ports", a)
    assert ask(net.out, HOST, 8080).startswith("no")
    assert net("endpoints", b)


def test_names(net):
    net("create", "mine")
    net("create", "other")
    upstream = net.serve(net.host, "udp", 53, "127.0.0.53", UPSTREAM)
    opts = {"dns": "127.0.0.53"}
    a, web, [addr] = net.container("a", "web", "mine alias=www alias=Shared", hostname="box", **opts)
    b, db, [addr2] = net.container("b", "db", "mine alias=shared", **opts)
    c, far, [addr3] = net.container("c", "far", "other alias=shared", **opts)
    for name in ("web", "WEB", "www", "box", "a" * 12, "web.mine"):
        assert resolve(db, name) == [0, [addr]], name
    assert sorted(resolve(db, "shared")[1]) == sorted([addr, addr2])
    assert len({tuple(resolve(db, "shared")[1]) for _ in range(40)}) == 2      # round robin
    assert resolve(far, "shared") == [0, [addr3]]
    assert resolve(db, "web", 28) == [0, []]                                  # AAAA of a known name
    assert "web" in bytes.fromhex(resolve(db, ".".join(reversed(addr.split("."))) + ".in-addr.arpa", 12)[1][0].encode("latin1").hex()).decode("latin1")
    assert resolve(far, "web") == [0, ["203.0.113.7"]]                        # unknown there: forwarded
    assert resolve(db, "example.org") == [0, ["203.0.113.7"]]
    assert resolve(db, "web", how="tcp") == [0, [addr]]
    assert resolve(db, "example.org", how="tcp") == [0, ["203.0.113.7"]]
    # a container may have port 53 of every address itself
    own = net.serve(db, "udp", 53)
    assert ask(db, "127.0.0.1", 53, "udp") == "127.0.0.1" and resolve(db, "web") == [0, [addr]]
    # connect and disconnect move what is seen
    net("attach", c, "mine")
    assert resolve(far, "web") == [0, [addr]]
    net("detach", c, "mine")
    assert resolve(far, "web") == [0, ["203.0.113.7"]]
    upstream.kill()
    upstream.wait()
    assert resolve(db, "example.org") == [2, []]                              # SERVFAIL


def test_connect_moves_the_default_route_and_the_ports(net):
    net("create", "aaa")
    a, web, [addr] = net.container("a", "web", "bridge")
    net.serve(web, "tcp", 80)
    net("publish", a, "8080,80")
    second = net("attach", a, "aaa")[1].split("/")[0]
    route = run("nsenter", f"--net={web}", "ip", "route", "show", "default").stdout
    assert "172.18.0.1" in route
    assert ask(net.out, HOST, 8080) == OUT
    net("detach", a, "aaa")
    assert "172.17.0.1" in run("nsenter", f"--net={web}", "ip", "route", "show", "default").stdout
    assert ask(net.out, HOST, 8080) == OUT
    assert net("endpoints", a) == [f"eth0={addr}"] and second != addr


def test_beside_a_firewall_that_drops(net):
    run("nsenter", f"--net={net.host}", "nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }")
    a, web, _ = net.container("a", "web", "bridge")
    net.serve(web, "tcp", 80)
    net("publish", a, "8080,80")
    assert ask(net.out, HOST, 8080).startswith("no")
    net("create", "mine")           # any change of bridges looks at the others' chains again, as a start does
    assert ask(net.out, HOST, 8080) == OUT
    b, far, _ = net.container("b", "far", "mine")
    assert ask(far, "172.17.0.2", 80).startswith("no")  # our isolation holds all the same
    rules = run("nsenter", f"--net={net.host}", "nft", "list table ip filter").stdout
    assert rules.count("coracle cnt") == 4


def test_refusals(net):
    net("create", "mine", "subnet=10.77.0.0/24")
    for words, text in {
        ("create", "mine"): "error EEXIST network with name mine already exists",
        ("create", "host"): "error EPERM operation is not permitted on predefined host network",
        ("create", "x", "subnet=10.77.0.0/16"): "error EACCES invalid pool request: Pool overlaps with other one on this address space",
        ("create", "x", "subnet=10.78.0.1/16"): "invalid subnet 10.78.0.1/16: it should be 10.78.0.0/16",
        ("create", "x", "driver=macvlan"): "error EOPNOTSUPP network driver macvlan is not supported by this engine; use bridge, host or none",
        ("rm", "bridge"): "error EPERM bridge is a pre-defined network and cannot be removed",
        ("rm", "nothere"): "error ENOENT network nothere not found",
    }.items():
        r = net.raw(*words)
        while "invalid network config:" in r and "it should be" not in r:
            r = net.tool.stdout.readline().strip()
        assert text in r, (words, r)
    a, _, _ = net.container("a", "web", "mine ip=10.77.0.9")
    b, _, _ = net.container("b", "db")
    assert net.raw("attach", b, "mine", "ip=10.77.0.9") == "error EADDRINUSE Address already in use"
    assert net.raw("attach", a, "mine") == "error EEXIST endpoint with name web already exists in network mine"
    assert 'network mine has active endpoints (name:"web"' in net.raw("rm", "mine")


def test_a_udp_flow_under_way_follows_the_publication(net):
    """Its first packets met a closed port; those after the publication reach the container, from the same socket."""
    a, web, _ = net.container("a", "web", "bridge")
    net.serve(web, "udp", 53)
    code = """
import socket, sys, time
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.bind(("", 40000)); c.settimeout(0.2)
print("up", flush=True)
for _ in range(60):
    c.sendto(b"x", (sys.argv[1], 5353))
    try: print(c.recv(100).decode(), flush=True); break
    except OSError: pass
"""
    p = inside(net.out, code, HOST, wait=False)
    assert p.stdout.readline() == "up\n"
    time.sleep(0.6)
    net("publish", a, "5353,53/udp")
    assert p.stdout.readline().strip() == OUT
    p.wait(timeout=10)
