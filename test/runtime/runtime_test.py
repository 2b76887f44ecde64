# SPDX-License-Identifier: Apache-2.0
"""A bundle of busybox and the runtime's command line, with a count of what is left behind."""
import copy
import json
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNTIME = os.environ.get("CORACLE_RUNTIME", os.path.join(ROOT, "build/bin/coracle-runtime"))
if not os.path.exists(RUNTIME):
    RUNTIME = os.path.join(ROOT, "build/gcc/bin/coracle-runtime")
BUSYBOX = "/bin/busybox"


def cgroup_dirs(name):
    out = []
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        out += [os.path.join(top, d) for d in dirs if d == name]
    return out


class Bundle:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="runtime-test-", dir="/tmp")
        self.root = os.path.join(self.dir, "rootfs")
        self.state = os.path.join(self.dir, "state")
        self.id = os.path.basename(self.dir)
        for d in ("bin", "proc", "sys", "dev", "etc", "tmp", "usr"):
            os.makedirs(os.path.join(self.root, d))
        os.chmod(os.path.join(self.root, "tmp"), 0o1777)
        os.chmod(self.dir, 0o755)
        shutil.copy(BUSYBOX, os.path.join(self.root, "bin/busybox"))
        subprocess.run([BUSYBOX, "chroot", self.root, "/bin/busybox", "--install", "-s", "/bin"], check=True)
        self.call("spec", "--bundle", self.dir)
        with open(self.path("config.json")) as f:
            self.config = json.load(f)
        self.config["process"]["terminal"] = False
        self.config["root"]["readonly"] = False

    def path(self, name):
        return os.path.join(self.dir, name)

    def argv(self, *args):
        return [RUNTIME, "--root", self.state, *args]

    def call(self, *args, check=True, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("timeout", 30)
        p = subprocess.run(self.argv(*args), capture_output=True, text=True, **kw)
        if check and p.returncode:
            raise AssertionError(f"{args}: {p.returncode}: {p.stderr}")
        return p

    def quiet(self, *args):
        """For what leaves a process behind, which would hold the pipes of call()."""
        null = subprocess.DEVNULL
        subprocess.run(self.argv(*args), stdin=null, stdout=null, stderr=null, check=True, timeout=30)

    def write(self, config=None):
        with open(self.path("config.json"), "w") as f:
            json.dump(config or self.config, f)

    def changed(self, **top):
        c = copy.deepcopy(self.config)
        c.update(top)
        return c

    def run(self, *args, change=None, check=True, **kw):
        c = copy.deepcopy(self.config)
        c["process"]["args"] = list(args)
        if change:
            change(c)
        self.write(c)
        return self.call("run", "--bundle", self.dir, self.id, check=check, **kw)

    def sh(self, script, **kw):
        return self.run("sh", "-c", script, **kw)

    def out(self, script, **kw):
        return self.sh(script, **kw).stdout

    def start(self, *args, change=None):
        """A container in the background."""
        c = copy.deepcopy(self.config)
        c["process"]["args"] = list(args) or ["sleep", "1000"]
        if change:
            change(c)
        self.write(c)
        with open(self.path("out"), "w") as out:
            subprocess.run(self.argv("create", "--bundle", self.dir, "--pid-file", self.path("pid"), self.id), stdin=subprocess.DEVNULL,
                           stdout=out, stderr=out, check=True, timeout=30)
        self.call("start", self.id)
        return int(open(self.path("pid")).read())

    def status(self):
        return json.loads(self.call("state", self.id).stdout)["status"]

    def clean(self):
        """Ends everything; gives what was left behind."""
        self.call("delete", "--force", self.id)
        left = cgroup_dirs(self.id)
        left += os.listdir(self.state) if os.path.isdir(self.state) else []
        with open("/proc/self/mountinfo") as f:
            left += [line for line in f if self.dir in line]
        shutil.rmtree(self.dir, ignore_errors=True)
        return left
