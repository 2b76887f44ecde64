# SPDX-License-Identifier: Apache-2.0
"""Drives `coracle-runtime shim` as the engine does, over its control socket."""
import array
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNTIME = os.environ.get("CORACLE_RUNTIME", os.path.join(ROOT, "build/bin/coracle-runtime"))
if not os.path.exists(RUNTIME):
    RUNTIME = os.path.join(ROOT, "build/gcc/bin/coracle-runtime")


class Failed(Exception):
    pass


def busybox_root(path):
    os.makedirs(path + "/bin", exist_ok=True)
    for d in ("proc", "sys", "dev", "tmp", "etc", "root"):
        os.makedirs(path + "/" + d, exist_ok=True)
    shutil.copy("/bin/busybox", path + "/bin/busybox")
    for name in "sh cat echo sleep true false kill head tail seq ls stty dd yes tty ps mount umount id env touch rm".split():
        os.link(path + "/bin/busybox", path + "/bin/" + name)
    open(path + "/etc/passwd", "w").write("root:x:0:0:root:/root:/bin/sh\n")


def read_frames(sock, until_end=True, want=None):
    """Docker's multiplexed stream: {1: bytes, 2: bytes}."""
    got, data = {1: b"", 2: b""}, b""
    while True:
        while len(data) >= 8:
            kind, n = struct.unpack(">BxxxI", data[:8])
            if len(data) < 8 + n:
                break
            got[kind] += data[8:8 + n]
            data = data[8 + n:]
        if want is not None and want in got[1] + got[2]:
            return got
        more = sock.recv(65536)
        if not more:
            assert not data, data
            return got
        data += more


class Shim:
    def __init__(self, path, name, args, tty=False, log="json-file", spec=None, **config):
        self.dir = os.path.join(path, name)
        self.bundle = self.dir + "/bundle"
        self.data = self.dir + "/data"
        self.lower = os.path.join(path, "rootfs")
        if not os.path.exists(self.lower):
            busybox_root(self.lower)
        for d in (self.bundle, self.data + "/upper", self.data + "/work"):
            os.makedirs(d)
        subprocess.run([RUNTIME, "spec", "--bundle", self.bundle], check=True)
        c = json.load(open(self.bundle + "/config.json"))
        c["process"].update(args=args, terminal=tty)
        c["root"] = {"path": "rootfs", "readonly": False}
        c["process"]["capabilities"] = {k: ["CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE"] for k in ("bounding", "effective", "permitted")}
        c["linux"]["cgroupsPath"] = "/coracle-test-shim/" + name + "-" + str(os.getpid())
        if spec:
            spec(c)
        json.dump(c, open(self.bundle + "/config.json", "w"))
        self.log = self.data + "/x-json.log"
        self.exit_file = self.data + "/exit.json"
        self.state_root = os.path.join(path, "state")
        conf = {"id": name, "state_root": self.state_root, "exit_file": self.exit_file,
                "rootfs": {"lower": [self.lower], "upper": self.data + "/upper", "work": self.data + "/work"},
                "log": {"format": log, "path": self.log} if isinstance(log, str) else {"path": self.log, **log}}
        conf.update(config)
        json.dump(conf, open(self.bundle + "/shim.json", "w"))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = theirs.fileno()

        def at3():
            n = os.dup(fd)
            os.dup2(n, 3)

        self.p = subprocess.Popen([RUNTIME, "shim", "--bundle", self.bundle], preexec_fn=at3, pass_fds=(3,), stdin=subprocess.DEVNULL)
        theirs.close()
        self.take(ours)
        self.next = 1

    def take(self, sock):
        self.sock = sock
        self.sock.settimeout(20)
        self.events = []

    def reconnect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = os.open(self.bundle, os.O_PATH)
        s.connect("/proc/self/fd/%d/shim.sock" % fd)
        os.close(fd)
        self.take(s)

    def recv(self):
        m = self.sock.recv(1 << 20)
        if not m:
            raise EOFError
        return json.loads(m)

    def call(self, op, fd=None, **fields):
        n, self.next = self.next, self.next + 1
        text = json.dumps({"id": n, "op": op, **fields}).encode()
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        self.sock.sendmsg([text], anc)
        while True:
            m = self.recv()
            if m.get("id") == n:
                if m.get("code"):
                    raise Failed(m["code"], m["error"])
                return m
            self.events.append(m)

    def event(self, name):
        while True:
            for m in self.events:
                if m.get("event") == name:
                    self.events.remove(m)
                    return m
            self.events.append(self.recv())

    def attach(self, stdin=False, stdout=True, stderr=True, **more):
        a, b = socket.socketpair()
        self.call("attach", fd=b.fileno(), stdin=stdin, stdout=stdout, stderr=stderr, **more)
        b.close()
        a.settimeout(20)
        return a

    def exec(self, name, args, tty=False, stdin=False, connect=True, **process):
        p = {"args": args, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}, "terminal": tty, **process}
        if not connect:
            return self.call("exec", exec_id=name, process=p), None
        a, b = socket.socketpair()
        try:
            m = self.call("exec", fd=b.fileno(), exec_id=name, process=p, stdin=stdin, stdout=True, stderr=True)
        finally:
            b.close()
        a.settimeout(20)
        return m, a

    def delete(self, force=True):
        self.call("delete", force=force)
        assert self.p.wait(20) == 0

    def lines(self):
        return [json.loads(x) for x in open(self.log)]

    def text(self, stream=None):
        return "".join(x["log"] for x in self.lines() if stream in (None, x["stream"]))

    def exit(self):
        return json.load(open(self.exit_file))

    def kill(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGKILL)
        self.p.wait()
        subprocess.run([RUNTIME, "--root", self.state_root, "delete", "--force", os.path.basename(self.dir)], stderr=subprocess.DEVNULL)


def wait_for(f, timeout=10):
    end = time.time() + timeout
    while not f():
        assert time.time() < end
        time.sleep(0.01)
