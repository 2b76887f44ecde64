# SPDX-License-Identifier: Apache-2.0
"""Engines for tests: each with folders, sockets, bridge and nftables table of its own, and a count of what it leaves behind."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("CORACLE_BUILD", os.path.join(TOP, "build"))
BIN = os.path.join(BUILD, "bin")


def sh(*args, check=True, timeout=60, **kw):
    """Runs a program; its completed process with text output."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    r = subprocess.run(args, capture_output=True, text=True, timeout=timeout, **kw)
    if check and r.returncode:
        raise AssertionError(f"{' '.join(args)}: exit {r.returncode}\n{r.stdout}\n{r.stderr}")
    return r


def wait_until(what, seconds=20, step=0.02):
    """Waits for what() to be true; an assertion otherwise."""
    end = time.time() + seconds
    while time.time() < end:
        v = what()
        if v:
            return v
        time.sleep(step)
    raise AssertionError(f"not within {seconds} s: {what}")


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Client:
    """A docker command line: the real one, Debian's old one, or ours."""

    def __init__(self, name, argv):
        self.name = name
        self.argv = argv

    def missing(self):
        """Why it cannot be used here, or None."""
        return None if os.path.exists(self.argv[0]) else f"{self.argv[0]}: the distribution has no such client"

    def __repr__(self):
        return self.name


def clients():
    return [
        Client("docker28", [os.environ.get("DOCKER28", "/usr/local/bin/docker")]),
        Client("docker20", [os.path.join(BUILD, "peers/usr/bin/docker")]),
        Client("coracle", [os.path.join(BIN, "coracle"), "docker"]),
    ]


def real_client():
    return next(c for c in clients() if not c.missing())


class Engine:
    serial = 0

    def __init__(self, flags=(), name=None):
        Engine.serial += 1
        self.tag = name or f"{os.getpid() % 10000}x{Engine.serial}"
        self.dir = tempfile.mkdtemp(prefix=f"coracle-t{self.tag}-", dir="/tmp")
        self.root, self.run, self.config = (os.path.join(self.dir, x) for x in ("root", "run", "config"))
        for d in (self.root, self.run, self.config):
            os.makedirs(d)
        os.chmod(self.dir, 0o755)
        self.bridge = f"crt{self.tag}"
        self.table = f"coracle_t{self.tag}"
        self.pod_cidr = f"10.{100 + os.getpid() % 100}.{Engine.serial % 250}.0/24"
        self.cri_sock = os.path.join(self.run, "cri.sock")
        self.sock = os.path.join(self.run, "docker.sock")
        self.flags = list(flags)
        self.process = None
        self.log = os.path.join(self.dir, "engine.log")
        self.before = leftovers(self)

    def argv(self):
        return [os.path.join(BIN, "coracled"), "engine", "--root", self.root, "--run", self.run, "--config", self.config,
                "--host", f"unix://{self.sock}", "--bridge", self.bridge, "--nft-table", self.table,
                "--cgroup-parent", f"/{self.bridge}", "--pod-bridge", f"{self.bridge}p", "--pod-cidr", self.pod_cidr] + self.flags

    def start(self):
        log = open(self.log, "ab")
        self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        wait_until(self.ready, 30)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("the engine ended: " + open(self.log).read()[-3000:])
        try:
            return self.api("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def api(self, method, path, body=None, headers=None, timeout=30):
        """(status, decoded JSON or text)"""
        c = UnixHTTP(self.sock, timeout)
        try:
            h = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                h.setdefault("Content-Type", "application/json")
            c.request(method, path, body, h)
            r = c.getresponse()
            data = r.read()
            text = data.decode("utf-8", "replace")
            if (r.getheader("Content-Type") or "").startswith("application/json"):
                try:
                    return r.status, json.loads(text)
                except ValueError:
                    return r.status, text
            return r.status, text
        finally:
            c.close()

    def env(self):
        e = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}
        e["DOCKER_HOST"] = f"unix://{self.sock}"
        e["DOCKER_CONFIG"] = os.path.join(self.dir, "client")
        return e

    def cli(self, client, *args, check=True, timeout=60, **kw):
        return sh(*client.argv, *args, check=check, timeout=timeout, env=self.env(), **kw)

    def docker(self, *args, **kw):
        """The newest real client that is here."""
        return self.cli(real_client(), *args, **kw)

    def kill(self):
        """kill -9 of the engine alone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Stops containers and engine, removes the folders, and says what is left."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGPWR)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        end = time.time() + 5
        while True:
            left = {k: sorted(set(v) - set(self.before[k])) for k, v in leftovers(self).items()}
            left = {k: v for k, v in left.items() if v}
            if not left or time.time() > end:
                break
            time.sleep(0.1)
        if os.environ.get("KEEP"):
            print("kept", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        return left

    def load(self, name):
        """Imports a base image made by tools/base-image."""
        e = self.env()
        e["DOCKER"] = real_client().argv[0]
        e["BASE_IMAGE_CACHE"] = os.path.join(BUILD, "images")
        sh(os.path.join(TOP, "tools/base-image"), "--load", name, env=e, timeout=300)


def mounts(own):
    """Lines of mountinfo, without those of other instances: what lies in /tmp or /run/coracle and not below `own`."""
    with open("/proc/self/mountinfo") as f:
        return [m for m in f if own in m or not ("/tmp/" in m or "/run/coracle" in m)]


def processes(needle):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                cmd = f.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if needle in cmd and int(pid) != os.getpid() and "pytest" not in cmd:
            found.append(f"{pid} {cmd.strip()}")
    return found


def leftovers(engine):
    """What an engine could leave on the machine, by kind."""
    with open("/proc/self/mounts") as f:
        mounts = [m.split()[1] for m in f if engine.dir in m]
    groups = []
    for base, dirs, _ in os.walk("/sys/fs/cgroup"):
        groups += [os.path.join(base, d) for d in dirs if f"/{engine.bridge}" in os.path.join(base, d)]
    return {
        "mounts": mounts,
        "processes": processes(engine.dir),
        "cgroups": groups,
        "links": [x for x in os.listdir("/sys/class/net") if x.startswith(engine.bridge)],
        "tables": [t for t in sh("nft", "list", "tables", check=False).stdout.splitlines() if t.endswith(engine.table)],
    }
