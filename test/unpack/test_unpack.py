# SPDX-License-Identifier: Apache-2.0
"""coracle-runtime unpack on the real kernel: every job, and layers that mean harm."""
import io
import json
import os
import socket
import stat
import struct
import subprocess
import tarfile
import threading
import time

import pytest
from coracle_test import mounts

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNTIME = os.environ.get("CORACLE_RUNTIME", os.path.join(ROOT, "build/bin/coracle-runtime"))
if not os.path.exists(RUNTIME):
    RUNTIME = os.path.join(ROOT, "build/gcc/bin/coracle-runtime")


class Failed(Exception):
    pass


def job(op, data=b"", want_out=False, **fields):
    """Runs one job; gives (report, bytes of standard output)."""
    text = json.dumps({"op": op, **fields}).encode()
    job_r, job_w = os.pipe()
    rep_r, rep_w = os.pipe()
    os.write(job_w, text)
    os.close(job_w)

    def fds():
        a, b = os.dup(rep_w), os.dup(job_r)
        os.dup2(a, 100)
        os.dup2(b, 101)
        os.dup2(100, 3)
        os.dup2(101, 4)

    p = subprocess.Popen([RUNTIME, "unpack"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         preexec_fn=fds, pass_fds=(3, 4))
    os.close(rep_w)
    os.close(job_r)
    lines = []
    t = threading.Thread(target=lambda: lines.extend(os.fdopen(rep_r).read().splitlines()))
    t.start()
    out, err = p.communicate(data)
    t.join()
    reports = [json.loads(x) for x in lines]
    assert reports and reports[-1].get("done"), (reports, err)
    last = reports[-1]
    assert err == b"", err
    assert (p.returncode == 0) == (last.get("code", 0) == 0)
    if last.get("code"):
        raise Failed(last["code"], last["error"])
    for r in reports[:-1]:
        last = {**r, **last}
    return last, out


def tar(*entries, fmt=tarfile.PAX_FORMAT):
    """entries: (name, kind, more) -> bytes"""
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w", format=fmt) as t:
        for name, kind, more in entries:
            i = tarfile.TarInfo(name)
            i.type = kind
            body = more.get("data", b"")
            i.size = len(body) if kind == tarfile.REGTYPE else 0
            for k in ("mode", "uid", "gid", "mtime", "linkname", "devmajor", "devminor", "pax_headers"):
                if k in more:
                    setattr(i, k, more[k])
            t.addfile(i, io.BytesIO(body))
    return b.getvalue()


D, F, L, H, C, P = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE


def tree(path):
    got = {}
    for base, dirs, files in os.walk(path):
        for n in dirs + files:
            p = os.path.join(base, n)
            st = os.lstat(p)
            k = os.path.relpath(p, path)
            if stat.S_ISLNK(st.st_mode):
                got[k] = "-> " + os.readlink(p)
            elif stat.S_ISREG(st.st_mode):
                got[k] = open(p, "rb").read()
            elif stat.S_ISDIR(st.st_mode):
                got[k] = "dir"
            else:
                got[k] = "%o %x" % (stat.S_IFMT(st.st_mode), st.st_rdev)
    return got


@pytest.fixture
def d(tmp_path):
    class X:
        path = str(tmp_path)

        def dir(self, name):
            p = os.path.join(self.path, name)
            os.makedirs(p, exist_ok=True)
            return p
    before = mounts(str(tmp_path))
    yield X()
    assert mounts(str(tmp_path)) == before


CAP = struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0)


def test_layer_everything(d):
    to = d.dir("l")
    data = tar(("./", D, {"mode": 0o711}), ("etc/", D, {"mode": 0o751, "mtime": 1000000000, "uid": 3}),
               ("etc/passwd", F, {"data": b"root", "mode": 0o640, "uid": 5, "gid": 6, "mtime": 1100000000}),
               ("etc/link", L, {"linkname": "/etc/passwd", "mtime": 1200000000}), ("etc/hard", H, {"linkname": "etc/passwd"}),
               ("bin/ping", F, {"data": b"x" * 100000, "mode": 0o4755, "pax_headers": {"SCHILY.xattr.security.capability": CAP.decode("latin1")}}),
               ("dev/null", C, {"devmajor": 1, "devminor": 3, "mode": 0o666}), ("fifo", P, {}),
               ("etc/.wh.gone", F, {}), ("opq/", D, {}), ("opq/.wh..wh..opq", F, {}), ("d" * 200 + "/" + "e" * 150, F, {"data": b"long"}))
    rep, _ = job("layer", data, target={"dir": to})
    assert rep["entries"] == 12 and rep["size"] == 4 + 100000 + 4
    st = os.stat(to + "/etc")
    assert stat.S_IMODE(st.st_mode) == 0o751 and st.st_mtime == 1000000000 and st.st_uid == 3
    st = os.stat(to + "/etc/passwd")
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_mtime, st.st_nlink) == (0o640, 5, 6, 1100000000, 2)
    assert os.lstat(to + "/etc/link").st_mtime == 1200000000
    assert stat.S_IMODE(os.stat(to + "/bin/ping").st_mode) == 0o4755
    assert stat.S_IMODE(os.stat(to).st_mode) == 0o711
    w = os.lstat(to + "/etc/gone")
    assert stat.S_ISCHR(w.st_mode) and w.st_rdev == 0
    assert os.getxattr(to + "/opq", "trusted.overlay.opaque") == b"y"
    assert os.stat(to + "/dev/null").st_rdev == os.makedev(1, 3)
    assert open(to + "/" + "d" * 200 + "/" + "e" * 150).read() == "long"


def test_capability_survives_layer_pack_layer(d):
    a, b = d.dir("a"), d.dir("b")
    open(a + "/ping", "w").close()
    os.setxattr(a + "/ping", "security.capability", CAP)
    _, one = job("pack", target={"dir": a})
    job("layer", one, target={"dir": b})
    assert os.getxattr(b + "/ping", "security.capability") == CAP


def test_pack_is_deterministic_and_comes_back(d):
    a, b = d.dir("a"), d.dir("b")
    os.makedirs(a + "/x/y")
    for i in range(50):
        open(a + "/x/f%d" % i, "w").write("n" * i * 1000)
    os.link(a + "/x/f1", a + "/x/y/same")
    os.mknod(a + "/x/gone", stat.S_IFCHR, 0)
    os.utime(a + "/x/gone", (1000, 1000))
    os.setxattr(a + "/x/y", "trusted.overlay.opaque", b"y")
    os.symlink("nowhere", a + "/x/s")
    s = socket.socket(socket.AF_UNIX)
    s.bind(a + "/x/sock")
    rep, one = job("pack", target={"dir": a})
    _, two = job("pack", target={"dir": a})
    assert one == two and rep["size"] == len(one)
    names = tarfile.open(fileobj=io.BytesIO(one)).getnames()
    assert "x/.wh.gone" in names and "x/y/.wh..wh..opq" in names and "x/sock" not in names
    assert names[0] == "x"
    job("layer", one, target={"dir": b})
    os.unlink(a + "/x/sock")
    assert tree(a) == tree(b)
    assert os.getxattr(b + "/x/y", "trusted.overlay.opaque") == b"y"
    _, three = job("pack", target={"dir": b})
    assert three == one


def test_sparse_and_gnu_tar(d):
    src, to = d.dir("s"), d.dir("t")
    with open(src + "/hole", "wb") as f:
        f.write(b"head")
        f.seek(10 << 20)
        f.write(b"tail")
        f.truncate(20 << 20)
    open(src + "/" + "n" * 180, "w").write("x")
    for fmt in ("gnu", "pax", "oldgnu"):
        data = subprocess.run(["tar", "-S", "--format=" + fmt, "-C", src, "-c", "."], stdout=subprocess.PIPE, check=True).stdout
        assert len(data) < 1 << 20
        t = d.dir("t-" + fmt)
        job("layer", data, target={"dir": t})
        assert tree(t) == tree(src)
        assert os.stat(t + "/hole").st_blocks * 512 < 2 << 20
    for v in ("0.0", "0.1", "1.0"):
        data = subprocess.run(["tar", "-S", "--format=pax", "--sparse-version=" + v, "-C", src, "-c", "."], stdout=subprocess.PIPE, check=True).stdout
        t = d.dir("t-" + v)
        job("layer", data, target={"dir": t})
        assert tree(t) == tree(src)


HOSTILE = [
    ("dotdot", [("../out/evil", F, {"data": b"x"})], True),
    ("absolute", [("/../../out/evil", F, {"data": b"x"})], True),
    ("dotdot inside", [("a/../../out/evil", F, {"data": b"x"})], True),
    ("link then write", [("l", L, {"linkname": "/OUT"}), ("l/evil", F, {"data": b"x"})], None),
    ("relative link then write", [("l", L, {"linkname": "../out"}), ("l/evil", F, {"data": b"x"})], None),
    ("link to root then write", [("l", L, {"linkname": "/"}), ("l/evil", F, {"data": b"x"})], None),
    ("link chain", [("a", L, {"linkname": "b"}), ("b", L, {"linkname": "../../../../../.."}), ("a/evil", F, {"data": b"x"})], None),
    ("hard link outside", [("h", H, {"linkname": "../out/secret"})], True),
    ("hard link absolute", [("h", H, {"linkname": "/OUT/secret"})], True),
    ("hard link through link", [("l", L, {"linkname": "/OUT"}), ("h", H, {"linkname": "l/secret"})], True),
    ("overwrite through link", [("l", L, {"linkname": "/OUT/secret"}), ("l", F, {"data": b"evil"})], None),
    ("whiteout outside", [("../.wh.out", F, {})], True),
    ("whiteout dotdot", [(".wh...", F, {})], True),
    ("whiteout dot", [("a/.wh..", F, {})], True),
    ("opaque through link", [("l", L, {"linkname": "/OUT"}), ("l/.wh..wh..opq", F, {})], None),
    ("whiteout through link", [("l", L, {"linkname": "/OUT"}), ("l/.wh.secret", F, {})], None),
    ("device 0:0", [("x", C, {"devmajor": 0, "devminor": 0})], True),
    ("proc magic", [("l", L, {"linkname": "/proc/self/root"}), ("l/evil", F, {"data": b"x"})], None),
    ("name too long", [("n" * 300, F, {"data": b"x"})], True),
    ("unknown kind", [("x", b"Z", {})], True),
    ("trusted attribute", [("f", F, {"data": b"x", "pax_headers": {"SCHILY.xattr.trusted.overlay.redirect": "/etc"}})], False),
]


@pytest.mark.parametrize("name,entries,fails", HOSTILE, ids=[h[0] for h in HOSTILE])
def test_hostile_layer(d, name, entries, fails):
    out, to = d.dir("out"), d.dir("in/deep/l")
    open(out + "/secret", "w").write("mine")
    before = tree(out)
    fixed = [(n.replace("OUT", out.lstrip("/")), k, {a: (b.replace("/OUT", out) if isinstance(b, str) else b) for a, b in m.items()})
             for n, k, m in entries]
    try:
        job("layer", tar(*fixed), target={"dir": to})
        failed = False
    except Failed:
        failed = True
    if fails is not None:
        assert failed == fails
    assert tree(out) == before and not os.listxattr(out)
    assert sorted(os.listdir(d.path)) == ["in", "out"] and os.listdir(d.path + "/in") == ["deep"]
    if os.path.lexists(to + "/f"):
        assert "trusted.overlay.redirect" not in os.listxattr(to + "/f")


def test_huge_and_cut_archives(d):
    to = d.dir("l")
    i = tarfile.TarInfo("big")
    i.size = 1 << 62
    with pytest.raises(Failed):
        job("layer", i.tobuf(tarfile.GNU_FORMAT) + b"x" * 100000, target={"dir": to})
    with pytest.raises(Failed) as e:
        job("layer", tar(("a", F, {"data": b"x" * 5000}))[:2000], target={"dir": to})
    assert "unexpected end" in e.value.args[1]
    with pytest.raises(Failed):
        job("layer", os.urandom(4096), target={"dir": to})


def test_a_device_in_a_layer_cannot_be_opened_by_the_worker(d):
    # archive of a device node gives the node, never what is behind it
    to = d.dir("l")
    job("layer", tar(("kmem", C, {"devmajor": 1, "devminor": 1, "mode": 0o666})), target={"dir": to})
    _, out = job("archive", target={"dir": to}, path="/kmem")
    assert tarfile.open(fileobj=io.BytesIO(out)).getmembers()[0].type == C


def overlay(d, *layers, upper=True):
    t = {"lower": list(layers)}
    if upper:
        t["upper"], t["work"] = d.dir("upper"), d.dir("work")
    return t


def test_many_layers(d):
    layers = []
    for i in range(120):
        p = d.dir("layers/sha256-%064d/diff" % i)
        open(p + "/f", "w").write(str(i))
        open(p + "/g%d" % i, "w").write(str(i))
        layers.append(p)
    rep, out = job("export", target={"lower": layers})
    t = tarfile.open(fileobj=io.BytesIO(out))
    assert len(t.getnames()) == 121 and t.extractfile("f").read() == b"0"


def test_stat_and_archive(d):
    lo = d.dir("lo")
    os.makedirs(lo + "/etc/sub")
    open(lo + "/etc/hosts", "w").write("hello")
    os.symlink("../etc/hosts", lo + "/etc/ln")
    os.symlink("/etc", lo + "/dirln")
    t = overlay(d, lo)

    def members(path):
        rep, out = job("archive", target=t, path=path)
        return rep, tarfile.open(fileobj=io.BytesIO(out)).getnames()
    rep, names = members("/etc/hosts")
    assert names == ["hosts"] and rep["stat"]["name"] == "hosts" and rep["stat"]["size"] == 5 and rep["stat"]["mode"] == 0o644
    assert members("/etc")[1] == ["etc", "etc/hosts", "etc/ln", "etc/sub"]
    assert members("/etc/.")[1] == [".", "./hosts", "./ln", "./sub"]
    assert members("/dirln")[1] == ["dirln"]
    assert members("/dirln/")[1] == ["dirln", "dirln/hosts", "dirln/ln", "dirln/sub"]
    rep, _ = job("stat", target=t, path="/etc/ln")
    assert rep["stat"]["linkTarget"] == "/etc/hosts" and rep["stat"]["mode"] == (1 << 27 | 0o777)
    rep, _ = job("stat", target=t, path="/")
    assert rep["stat"]["name"] == "/" and rep["stat"]["mode"] & 1 << 31
    with pytest.raises(Failed) as e:
        job("stat", target=t, path="/nope")
    assert e.value.args[0] == 2


def test_extract(d):
    lo = d.dir("lo")
    os.makedirs(lo + "/app/dir")
    os.makedirs(lo + "/etc")
    os.symlink("/app", lo + "/ln")
    open(lo + "/etc/passwd", "w").write("root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/w:\n")
    open(lo + "/etc/group", "w").write("web:x:35:\n")
    t = overlay(d, lo)
    job("extract", tar(("f", F, {"data": b"1", "uid": 77, "mtime": 5})), target=t, path="/ln")
    st = os.stat(d.path + "/upper/app/f")
    assert st.st_uid == 77 and st.st_mtime == 5
    job("extract", tar(("g", F, {"data": b"1", "uid": 77})), target=t, path="/app", chown="web")
    st = os.stat(d.path + "/upper/app/g")
    assert (st.st_uid, st.st_gid) == (33, 35)
    with pytest.raises(Failed) as e:
        job("extract", tar(("dir", F, {"data": b"1"})), target=t, path="/app", no_overwrite_dir_non_dir=True)
    assert "cannot overwrite directory" in e.value.args[1]
    with pytest.raises(Failed) as e:
        job("extract", tar(("f", D, {})), target=t, path="/app", no_overwrite_dir_non_dir=True)
    assert "cannot overwrite non-directory" in e.value.args[1]
    with pytest.raises(Failed) as e:
        job("extract", b"\0" * 1024, target=t, path="/app/f")
    assert "not a directory" in e.value.args[1]
    # volumes of the container
    vol = d.dir("vol")
    job("extract", tar(("v", F, {"data": b"1"})), target={**t, "mounts": [{"source": vol, "target": "/app/dir"}]}, path="/app/dir")
    assert os.listdir(vol) == ["v"]
    with pytest.raises(Failed) as e:
        job("extract", tar(("w", F, {"data": b"1"})), target={**t, "mounts": [{"source": vol, "target": "/app/dir", "read_only": True}]}, path="/app/dir")
    assert e.value.args[0] == 30


def test_changes(d):
    lo, up, wk, mnt = d.dir("lo"), d.dir("up"), d.dir("wk"), d.dir("mnt")
    for p in ("etc/a", "etc/b", "usr/lib/x", "tmp/t1", "tmp/t2", "same/s", "opq/one", "opq/two", "kind"):
        os.makedirs(os.path.dirname(lo + "/" + p), exist_ok=True)
        open(lo + "/" + p, "w").write(p)
    subprocess.run(["unshare", "-m", "sh", "-ec", f"""
        mount -t overlay overlay -o lowerdir={lo},upperdir={up},workdir={wk} {mnt}
        cd {mnt}; echo new > etc/a; rm etc/b; touch usr/lib/new; mkdir -p fresh/deep; echo 1 > fresh/deep/f
        rm -rf tmp; chmod 644 same/s; rm -rf opq; mkdir opq; echo 1 > opq/one; rm kind; mkdir kind; touch kind/in"""], check=True)
    rep, _ = job("changes", target={"lower": [lo], "upper": up})
    got = {(c["Path"], c["Kind"]) for c in rep["changes"]}
    assert got == {("/etc", 0), ("/etc/a", 0), ("/etc/b", 2), ("/usr", 0), ("/usr/lib", 0), ("/usr/lib/new", 1), ("/fresh", 1),
                   ("/fresh/deep", 1), ("/fresh/deep/f", 1), ("/tmp", 2), ("/opq", 0), ("/opq/one", 0), ("/opq/two", 2),
                   ("/kind", 0), ("/kind/in", 1)}
    assert [c["Path"] for c in rep["changes"]] == sorted(c["Path"] for c in rep["changes"])
    rep, _ = job("changes", target={"lower": [lo], "upper": up}, skip=["/etc", "/tmp"])
    assert not any(c["Path"].startswith(("/etc", "/tmp")) for c in rep["changes"])


def copy(d, paths, dest, src="src", to="to", **more):
    return job("copy", target={"dir": d.path + "/" + to}, source={"dir": d.path + "/" + src}, paths=paths, path=dest, **more)


@pytest.fixture
def ctx(d):
    src, to = d.dir("src"), d.dir("to")
    os.makedirs(src + "/sub/deep")
    os.makedirs(src + "/.hid")
    os.makedirs(to + "/etc")
    for p in ("a.txt", "b.txt", "c.md", "sub/s1", "sub/deep/s2", ".hid/h"):
        open(src + "/" + p, "w").write(p)
        os.utime(src + "/" + p, (1, 1000000001))
    os.chown(src + "/a.txt", 1000, 1000)
    os.chmod(src + "/a.txt", 0o4750)
    os.symlink("a.txt", src + "/ln")
    os.symlink("sub", src + "/dirln")
    os.symlink("/../../etc/passwd", src + "/evil")
    os.symlink("/nowhere", src + "/sub/dangling")
    open(to + "/etc/passwd", "w").write("web:x:33:34::/w:\n")
    open(to + "/etc/group", "w").write("web:x:35:\nstaff:x:50:\n")
    return d


def test_copy_rules(ctx):
    d, to = ctx, ctx.path + "/to"
    copy(d, ["a.txt"], "/x/y/z")
    st = os.stat(to + "/x/y/z")
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode), st.st_mtime) == (0, 0, 0o4750, 1000000001)
    assert stat.S_IMODE(os.stat(to + "/x/y").st_mode) == 0o755
    copy(d, ["a.txt"], "/dir/")
    assert os.listdir(to + "/dir") == ["a.txt"]
    copy(d, ["b.txt"], "/dir")
    assert sorted(os.listdir(to + "/dir")) == ["a.txt", "b.txt"]
    copy(d, ["*.txt", "c.md"], "/many/")
    assert sorted(os.listdir(to + "/many")) == ["a.txt", "b.txt", "c.md"]
    copy(d, ["sub"], "/s")
    assert tree(to + "/s") == {"s1": b"sub/s1", "deep": "dir", "deep/s2": b"sub/deep/s2", "dangling": "-> /nowhere"}
    copy(d, ["dirln/"], "/s3/")
    assert "s1" in os.listdir(to + "/s3")
    copy(d, ["ln"], "/fromlink")
    assert open(to + "/fromlink").read() == "a.txt" and not os.path.islink(to + "/fromlink")
    copy(d, ["."], "/all")
    assert sorted(os.listdir(to + "/all")) == sorted(os.listdir(d.path + "/src"))
    copy(d, ["s*/d*/s?"], "/w/")
    assert os.listdir(to + "/w") == ["s2"]
    copy(d, ["a.txt"], "/own", chown="web", chmod=0o600)
    st = os.stat(to + "/own")
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (33, 35, 0o600)
    copy(d, ["a.txt"], "/own", chown="7:staff")
    st = os.stat(to + "/own")
    assert (st.st_uid, st.st_gid) == (7, 50)
    copy(d, ["a.txt"], "/kept", keep_owner=True)
    assert os.stat(to + "/kept").st_uid == 1000
    os.chmod(d.path + "/src/sub", 0o1770)
    os.chown(d.path + "/src/sub", 999, 998)
    d.dir("vol")
    copy(d, ["/sub"], "/", to="vol", keep_owner=True, source_dir="/")
    st = os.stat(d.path + "/vol")
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (999, 998, 0o1770) and "s1" in os.listdir(d.path + "/vol")
    # merged, and other kinds replaced
    os.mkdir(to + "/s/s1x")
    os.unlink(to + "/s/s1")
    os.mkdir(to + "/s/s1")
    copy(d, ["sub"], "/s")
    assert open(to + "/s/s1").read() == "sub/s1" and os.path.isdir(to + "/s/s1x")
    # the destination goes through links of the target, inside it
    os.symlink("/real/there", to + "/via")
    copy(d, ["b.txt"], "/via/f")
    assert open(to + "/real/there/f").read() == "b.txt"
    os.symlink("../../../../../../etc/evil", to + "/out")
    copy(d, ["b.txt"], "/out")
    assert open(to + "/etc/evil").read() == "b.txt" and not os.path.exists("/etc/evil")


def test_copy_errors(ctx):
    for paths, dest, text in ((["nope"], "/x", "file not found in build context or excluded by .dockerignore: stat nope: file does not exist"),
                              (["../../etc/passwd"], "/x", "file does not exist"), (["evil"], "/x", "file does not exist"),
                              (["*.nope"], "/x/", "no source files were specified"),
                              (["a.txt", "b.txt"], "/x", "must be a directory and end with a /"),
                              (["[a"], "/x", "syntax error in pattern")):
        with pytest.raises(Failed) as e:
            copy(ctx, paths, dest)
        assert text in e.value.args[1]
    with pytest.raises(Failed) as e:
        copy(ctx, ["a.txt"], "/x", chown="nobody")
    assert "can't find uid for user nobody" in e.value.args[1]


def test_copy_from_a_stage_to_a_stage(ctx):
    d = ctx
    src = {"lower": [d.path + "/src"]}
    job("copy", target=overlay(d, d.path + "/to"), source=src, paths=["/sub/"], path="/etc/new")
    assert "s1" in os.listdir(d.path + "/upper/etc/new")


def test_sum(ctx):
    d = ctx

    def of(*paths):
        return job("sum", target={"dir": d.path + "/to"}, source={"dir": d.path + "/src"}, paths=list(paths))[0]["digest"]
    one = of(".")
    os.utime(d.path + "/src/b.txt", (5, 5))
    assert of(".") == one and one.startswith("sha256:") and len(one) == 71
    sub = of("sub")
    os.chmod(d.path + "/src/b.txt", 0o600)
    assert of(".") != one and of("sub") == sub
    two = of(".")
    open(d.path + "/src/b.txt", "w").write("b.txu")
    assert of(".") != two
    assert of("*.md") == of("c.md")


def test_mkdir_du_lookup(ctx):
    d, t = ctx, {"dir": ctx.path + "/to"}
    job("mkdir", target=t, paths=["/w/x/y", "/etc"], files=["/etc/hosts", "/dev/console"], links={"/etc/mtab": "/proc/mounts"}, chown="web")
    assert os.stat(t["dir"] + "/w/x/y").st_uid == 33 and os.path.isfile(t["dir"] + "/dev/console")
    assert os.readlink(t["dir"] + "/etc/mtab") == "/proc/mounts"
    with pytest.raises(Failed) as e:
        job("mkdir", target=t, paths=["/etc/passwd"])
    assert "is not a directory" in e.value.args[1]
    os.link(d.path + "/src/a.txt", d.path + "/src/a2.txt")
    rep, _ = job("du", target={"dir": d.path + "/src"})
    want = sum(os.lstat(os.path.join(b, f)).st_size for b, ds, fs in os.walk(d.path + "/src") for f in fs + [x for x in ds if os.path.islink(os.path.join(b, x))] if f != "a2.txt")
    assert rep["size"] == want
    open(t["dir"] + "/etc/passwd", "w").write("root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:Web:/var/www:/bin/false\n")
    open(t["dir"] + "/etc/group", "w").write("root:x:0:\nweb:x:35:\nstaff:x:50:web,x\nwheel:x:10:root\n")

    def who(user, **more):
        u = job("lookup", target=t, user=user, **more)[0]["user"]
        return u["uid"], u["gid"], u.get("gids", []), u["home"]
    assert who("") == (0, 0, [10], "/root")
    assert who("web") == (33, 34, [50], "/var/www")
    assert who("33") == (33, 34, [50], "/var/www")
    assert who("web:staff") == (33, 50, [], "/var/www")
    assert who("1234") == (1234, 0, [], "/")
    assert who("1234:77", groups=["staff", "99"]) == (1234, 77, [50, 99], "/")
    for bad, text in (("nobody", "unable to find user nobody: no matching entries in passwd file"),
                      ("web:none", "unable to find group none: no matching entries in group file"),
                      ("4294967295", "uids and gids must be in range 0-2147483647")):
        with pytest.raises(Failed) as e:
            who(bad)
        assert e.value.args[1] == text


def test_running_container(d):
    lo, up, wk, mnt = d.dir("lo"), d.dir("up"), d.dir("wk"), d.dir("mnt")
    for p in ("etc", "proc", "tmp", "bin"):
        os.makedirs(lo + "/" + p)
    subprocess.run(["cp", "/bin/busybox", lo + "/bin/"], check=True)
    p = subprocess.Popen(["unshare", "-m", "sh", "-ec", f"""
        mount -t overlay overlay -o lowerdir={lo},upperdir={up},workdir={wk} {mnt}
        mount -t proc proc {mnt}/proc; mount -t tmpfs tmpfs {mnt}/tmp; mkdir {mnt}/old; cd {mnt}; pivot_root . old
        exec /bin/busybox sh -c '/bin/busybox umount -l /old; echo ready; exec /bin/busybox sleep 100'"""], stdout=subprocess.PIPE)
    try:
        p.stdout.readline()
        t = {"pid": p.pid}
        job("extract", tar(("f", F, {"data": b"hi"})), target=t, path="/tmp")
        _, out = job("archive", target=t, path="/tmp/f")
        assert tarfile.open(fileobj=io.BytesIO(out)).extractfile("f").read() == b"hi"
        _, out = job("export", target=t)
        names = tarfile.open(fileobj=io.BytesIO(out)).getnames()
        assert "bin/busybox" in names and "proc" in names and not any(n.startswith(("proc/", "tmp/")) for n in names)
        start = open("/proc/%d/stat" % p.pid).read().rsplit(")", 1)[1].split()[19]
        job("stat", target={"pid": p.pid, "pid_start": int(start)}, path="/")
        with pytest.raises(Failed) as e:
            job("stat", target={"pid": p.pid, "pid_start": int(start) + 1}, path="/")
        assert e.value.args[0] == 3
    finally:
        p.kill()
        p.wait()


def test_a_killed_job_takes_its_worker_along(d):
    to = d.dir("l")
    job_r, job_w = os.pipe()
    os.write(job_w, json.dumps({"op": "layer", "target": {"dir": to}}).encode())
    os.close(job_w)
    p = subprocess.Popen([RUNTIME, "unpack", "--job", str(job_r), "--report", "2"], pass_fds=(job_r,), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(job_r)
    p.stdin.write(tar(("a", F, {"data": b"x"}))[:1024])
    p.stdin.flush()
    while not os.path.exists(to + "/a"):
        time.sleep(0.01)
    kids = [int(x) for x in subprocess.run(["pgrep", "-P", str(p.pid)], stdout=subprocess.PIPE, text=True).stdout.split()]
    assert kids
    p.kill()
    p.wait()
    for _ in range(100):
        if not any(os.path.exists("/proc/%d" % k) and open("/proc/%d/stat" % k).read().split(")")[1].split()[0] != "Z" for k in kids):
            break
        time.sleep(0.02)
    else:
        assert False, kids


def test_bad_jobs(d):
    for fields in ({"op": "fly", "target": {"dir": d.path}}, {"op": "stat", "target": {}}, {"op": "stat", "target": {"dir": "/nope"}},
                   {"op": "copy", "target": {"dir": d.path}}, {"op": "stat", "bogus": 1, "target": {}},
                   {"op": "stat", "target": {"lower": ["/nope"]}}, {"op": "stat", "target": {"pid": 999999999}}):
        with pytest.raises(Failed):
            job(**fields)
