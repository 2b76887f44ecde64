# SPDX-License-Identifier: Apache-2.0
"""Images: made, listed, moved, removed; and Dockerfiles."""
import io
import re
import subprocess
import tarfile


def build(scene, folder, what, *flags, **kw):
    tag = scene.name(what, "image")
    out = scene.out("build", "--no-cache", "-t", tag, *flags, str(folder), **kw)
    assert "Successfully built" in out, out
    return tag


def write(folder, **files):
    for name, text in files.items():
        p = folder / name.replace("__", "/")
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text(text)


def test_commit(scene):
    n, tag = scene.box("commit", "-e", "A=1"), scene.name("committed", "image")
    scene("exec", n, "sh", "-c", "echo grown > /grown")
    iid = scene.out("commit", "-m", "it grew", "-a", "Ann", "-c", 'CMD ["cat","/grown"]', "-c", "ENV B=2", n, tag)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", iid)
    assert scene.out("run", "--rm", tag) == "grown"
    i = scene.inspect(tag)
    assert i["Id"] == iid and i["Author"] == "Ann" and i["Comment"] == "it grew" and {"A=1", "B=2"} <= set(i["Config"]["Env"])
    assert len(i["RootFS"]["Layers"]) == 2


def test_export_and_import(scene, tmp_path):
    n, tag = scene.box("export"), scene.name("imported", "image")
    scene("exec", n, "sh", "-c", "echo x > /marker; chown 1:50 /marker")
    f = tmp_path / "root.tar"
    scene("export", "-o", str(f), n)
    assert "marker" in tarfile.open(f).getnames()
    iid = scene.out("import", "-c", 'CMD ["cat","/marker"]', "-m", "flat", str(f), tag)
    assert iid.startswith("sha256:") and scene.out("run", "--rm", tag) == "x"
    assert scene.sh("stat -c %u:%g /marker", image=tag) == "1:50"
    assert len(scene.inspect(tag)["RootFS"]["Layers"]) == 1


def test_save_and_load(scene, tmp_path):
    tag = scene.name("moved", "image")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo saved > /s\nCMD cat /s\n")
    scene("build", "-t", tag, str(tmp_path))
    iid = scene.inspect(tag)["Id"]
    f = tmp_path / "i.tar"
    scene("save", "-o", str(f), tag)
    names = tarfile.open(f).getnames()
    assert "manifest.json" in names and "index.json" in names and "oci-layout" in names
    scene("rmi", tag)
    assert f"Loaded image: {tag}:latest" in scene.out("load", "-i", str(f))
    assert scene.inspect(tag)["Id"] == iid and scene.out("run", "--rm", tag) == "saved"
    data = subprocess.run([*scene.client.argv, "save", tag], env=scene.engine.env(), capture_output=True, check=True).stdout
    subprocess.run([*scene.client.argv, "load", "-q"], env=scene.engine.env(), input=data, capture_output=True, check=True)
    assert "No such image: not-there" in scene.refused("save", "-o", str(tmp_path / "no"), "not-there")


def test_tag_list_history_remove(scene, tmp_path):
    a, b = scene.name("tags-a", "image"), scene.name("tags-b", "image")
    (tmp_path / "Dockerfile").write_text(f'FROM busybox\nLABEL of={scene.client.name}\nRUN echo {scene.client.name} > /who\nCMD ["who"]\n')
    scene("build", "-t", a, str(tmp_path))
    scene("tag", a, f"{b}:v2")
    assert re.search(rf"^{b} +v2 +[0-9a-f]{{12}} ", scene.out("images"), re.M)
    assert sorted(scene.out("images", "--filter", f"label=of={scene.client.name}", "--format", "{{.Repository}}:{{.Tag}}").split()) == \
        [f"{a}:latest", f"{b}:v2"]
    assert scene.out("images", "-q", a) == scene.inspect(a)["Id"][7:19]
    h = scene.out("history", "--no-trunc", "--format", "{{.CreatedBy}}", a).splitlines()
    assert h[0] == '/bin/sh -c #(nop)  CMD ["who"]' and h[1] == f"/bin/sh -c echo {scene.client.name} > /who"
    assert scene.out("rmi", f"{b}:v2") == f"Untagged: {b}:v2"
    n = scene.name("holds")
    scene("create", "--name", n, a)
    assert "is using its referenced image" in scene.refused("rmi", a)
    scene("rm", n)
    gone = scene.out("rmi", a).splitlines()
    assert gone[0] == f"Untagged: {a}:latest" and all(re.fullmatch(r"Deleted: sha256:[0-9a-f]{64}", x) for x in gone[1:]) and len(gone) > 2
    assert f"No such image: {a}" in scene.refused("rmi", a)


def test_image_prune(scene, tmp_path):
    tag = scene.name("dangles", "image")
    for i in "12":
        (tmp_path / "Dockerfile").write_text(f"FROM busybox\nLABEL dangles={scene.client.name}\nRUN echo {i} > /i\n")
        scene("build", "-t", tag, str(tmp_path))
    dangling = scene.out("images", "-q", "--no-trunc", "--filter", "dangling=true", "--filter", f"label=dangles={scene.client.name}").split()
    assert len(dangling) == 1
    out = scene.out("image", "prune", "-f", "--filter", f"label=dangles={scene.client.name}")
    assert f"deleted: {dangling[0]}" in out and "Total reclaimed space:" in out
    assert scene.out("run", "--rm", tag, "cat", "/i") == "2"


def test_stages_and_target(scene, tmp_path):
    write(tmp_path, Dockerfile="FROM busybox AS make\nRUN mkdir /out && echo made > /out/file\n"
          "FROM busybox AS test\nRUN echo tested > /t\n"
          "FROM busybox\nCOPY --from=make /out/file /got\nCOPY --from=0 --chown=daemon:staff /out /all\nCOPY --from=busybox /etc/passwd /p\n")
    tag = build(scene, tmp_path, "stages")
    assert scene.sh("cat /got; stat -c %U:%G /all/file; head -c 4 /p", image=tag) == "made\ndaemon:staff\nroot"
    tested = build(scene, tmp_path, "target", "--target", "test")
    assert scene.sh("cat /t; test -e /got || echo no more", image=tested) == "tested\nno more"
    assert "nowhere" in scene.refused("build", "--target", "nowhere", str(tmp_path))


def test_copy_and_add(scene, tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as t:
        i = tarfile.TarInfo("inner/f")
        i.size, i.uid, i.gid = 3, 7, 8
        t.addfile(i, io.BytesIO(b"abc"))
    write(tmp_path, d__one="1\n", d__two="2\n", x_1="x\n", x_2="y\n", Dockerfile=(
        "FROM busybox\nADD a.tar.gz /tar/\nCOPY a.tar.gz /kept/\nCOPY d /dir/\nCOPY --chown=1:50 x_* /many/\nCOPY [\"d/one\", \"/with space\"]\n"))
    tag = build(scene, tmp_path, "copies")
    assert scene.sh("cat /tar/inner/f; echo; stat -c %u:%g /tar/inner/f; ls /kept /dir /many; stat -c %u:%g /many/x_1; cat '/with space'", image=tag) == \
        "abc\n7:8\n/dir:\none\ntwo\n\n/kept:\na.tar.gz\n\n/many:\nx_1\nx_2\n1:50\n1"
    write(tmp_path, Dockerfile="FROM busybox\nCOPY missing /\n")
    assert "COPY failed: file not found in build context or excluded by .dockerignore: stat missing: file does not exist" in \
        scene.refused("build", str(tmp_path))


def test_arguments_and_expansion(scene, tmp_path):
    write(tmp_path, Dockerfile="ARG BASE=busybox\nFROM $BASE\nARG V=1\nARG W\nENV A=${V} B=${W:-none} C=${V:+set} D='$V'\nENV PATH=$PATH:/more E=\\$V\n"
          "LABEL v=$V\nWORKDIR /w/$V\nRUN echo \"$V-$A\" > r\n")
    tag = build(scene, tmp_path, "args")
    c = scene.inspect(tag)["Config"]
    env = dict(x.split("=", 1) for x in c["Env"])
    assert (env["A"], env["B"], env["C"], env["D"], env["E"]) == ("1", "none", "set", "$V", "$V") and env["PATH"].endswith("/bin:/more")
    assert c["Labels"]["v"] == "1" and c["WorkingDir"] == "/w/1" and scene.out("run", "--rm", tag, "cat", "r") == "1-1"
    tag = build(scene, tmp_path, "args2", "--build-arg", "V=2", "--build-arg", "W=given", "--label", "more=yes")
    c = scene.inspect(tag)["Config"]
    assert "B=given" in c["Env"] and c["WorkingDir"] == "/w/2" and c["Labels"]["more"] == "yes" and "V=2" not in c["Env"]
    assert "[Warning] One or more build-args [Z] were not consumed" in \
        scene.out("build", "--build-arg", "Z=1", str(tmp_path))


def test_onbuild_healthcheck_user_shell_stopsignal(scene, tmp_path):
    write(tmp_path, Dockerfile="FROM busybox\nONBUILD RUN echo triggered > /on\nONBUILD ENV ON=1\n"
          "HEALTHCHECK --interval=5s --timeout=2s --start-period=1s --retries=4 CMD test -e /\n"
          "RUN echo 'x:x:77:50::/:/bin/sh' >> /etc/passwd\nUSER x\nRUN id -u > /tmp/id\nUSER root\nSTOPSIGNAL SIGINT\nEXPOSE 80 53/udp\nVOLUME [\"/v\"]\n"
          "SHELL [\"/bin/ash\", \"-e\", \"-c\"]\nRUN false || echo $0 > /shell\nMAINTAINER Ann\nENTRYPOINT [\"sh\", \"-c\"]\nCMD [\"cat /tmp/id\"]\n")
    tag = build(scene, tmp_path, "parent")
    i = scene.inspect(tag)
    c = i["Config"]
    assert c["OnBuild"] == ["RUN echo triggered > /on", "ENV ON=1"] and c["StopSignal"] == "SIGINT" and c["User"] == "root"
    assert c["Healthcheck"] == {"Test": ["CMD-SHELL", "test -e /"], "Interval": 5 * 10**9, "Timeout": 2 * 10**9, "StartPeriod": 10**9, "Retries": 4}
    assert set(c["ExposedPorts"]) == {"80/tcp", "53/udp"} and list(c["Volumes"]) == ["/v"] and c["Shell"] == ["/bin/ash", "-e", "-c"]
    assert i["Author"] == "Ann" and scene.out("run", "--rm", tag) == "77"
    write(tmp_path, Dockerfile=f"FROM {tag}\nHEALTHCHECK NONE\n")
    child = scene.name("child", "image")
    out = scene.out("build", "-t", child, str(tmp_path))
    assert "# Executing 2 build triggers" in out
    c = scene.inspect(child)["Config"]
    assert not c.get("OnBuild") and "ON=1" in c["Env"] and c["Healthcheck"]["Test"] == ["NONE"]
    assert scene.out("run", "--rm", child, "cat /on") == "triggered"


def test_dockerignore_and_file_name(scene, tmp_path):
    write(tmp_path, keep_txt="k\n", drop_log="d\n", sub__a_log="a\n", sub__b_txt="b\n", sub__keep_log="k\n",
          dockerignore="# comment\n**/*_log\n!sub/keep_log\nDockerfile*\n", Dockerfile_other="FROM busybox\nCOPY . /c\n")
    (tmp_path / "dockerignore").rename(tmp_path / ".dockerignore")
    tag = build(scene, tmp_path, "ignored", "-f", str(tmp_path / "Dockerfile_other"))
    assert scene.sh("cd /c && find . -type f | sort", image=tag).split() == ["./.dockerignore", "./keep_txt", "./sub/b_txt", "./sub/keep_log"]


def test_dockerfile_from_standard_input(scene):
    tag = scene.name("piped", "image")
    out = scene("build", "-t", tag, "-", stdin=None, input="FROM busybox\nRUN echo piped > /p\nCMD cat /p\n").stdout
    assert "Successfully tagged" in out and scene.out("run", "--rm", tag) == "piped"


def test_escape_continuations_and_scratch(scene, tmp_path):
    write(tmp_path, Dockerfile="# escape=`\nFROM busybox\nRUN echo one `\n # a comment in between\n  two > /o\n")
    assert scene.out("run", "--rm", build(scene, tmp_path, "escape"), "cat", "/o") == "one two"
    write(tmp_path, f="f\n", Dockerfile="FROM scratch\nCOPY f /\n")
    assert len(scene.inspect(build(scene, tmp_path, "scratch"))["RootFS"]["Layers"]) == 1


def test_run_in_a_build_has_the_flags_of_the_build(scene, tmp_path):
    write(tmp_path, Dockerfile="FROM busybox\nRUN grep far /etc/hosts > /h; ls /sys/class/net > /n\n")
    tag = build(scene, tmp_path, "flags", "--add-host", "far:10.1.2.3", "--network", "none")
    assert scene.sh("cat /n", image=tag) == "lo"
    tag = build(scene, tmp_path, "flags", "--add-host", "far:10.1.2.3")
    assert scene.sh("cat /h /n", image=tag).split() == ["10.1.2.3", "far", "eth0", "lo"]


def test_unknown_instruction_and_empty_file(scene, tmp_path):
    write(tmp_path, Dockerfile="FROM busybox\nFETCH x\n")
    assert "dockerfile parse error on line 2: unknown instruction: FETCH" in scene.refused("build", str(tmp_path))
    write(tmp_path, Dockerfile="# nothing\n")
    assert "file with no instructions" in scene.refused("build", str(tmp_path))
    write(tmp_path, Dockerfile="RUN x\n")
    assert "no build stage in current context" in scene.refused("build", str(tmp_path)).lower()
