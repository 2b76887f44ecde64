# SPDX-License-Identifier: Apache-2.0
"""Volumes: named, anonymous, filled from the image, in use, pruned."""
import os
import re


def test_named_volume_lasts(scene):
    v = scene.name("lasting", "volume")
    assert scene.out("volume", "create", "--label", "kind=test", v) == v
    scene.sh("-v", f"{v}:/data", "echo kept > /data/f")
    assert scene.sh("-v", f"{v}:/data", "cat /data/f") == "kept"
    shown = scene.inspect("--type", "volume", v)
    assert shown["Name"] == v and shown["Driver"] == "local" and shown["Scope"] == "local" and shown["Labels"] == {"kind": "test"}
    assert open(os.path.join(shown["Mountpoint"], "f")).read() == "kept\n"
    assert scene.out("volume", "ls", "-q", "--filter", f"name={v}") == v
    assert re.search(rf"^local +{v}$", scene.out("volume", "ls"), re.M)


def test_volume_in_use_is_kept(scene):
    v = scene.name("used", "volume")
    n = scene.box("user", "-v", f"{v}:/data")
    cid = scene.inspect(n)["Id"]
    assert f"volume is in use - [{cid}]" in scene.refused("volume", "rm", v)
    assert scene.inspect(n)["Mounts"][0]["Name"] == v
    scene("rm", "-f", "-v", n)
    assert scene.out("volume", "rm", v) == v
    assert f"get {v}: no such volume" in scene.refused("volume", "inspect", v)


def test_anonymous_volume_goes_with_rm(scene):
    before = set(scene.out("volume", "ls", "-q").split())
    scene.sh("-v", "/data", "touch /data/x")
    assert set(scene.out("volume", "ls", "-q").split()) == before
    n = scene.box("anon", "-v", "/data")
    made = scene.inspect(n)["Mounts"][0]["Name"]
    assert re.fullmatch(r"[0-9a-f]{64}", made)
    scene("rm", "-f", n)
    assert made in scene.out("volume", "ls", "-q", "--filter", "dangling=true").split()
    scene("volume", "rm", made)


def test_a_new_volume_gets_what_the_image_has_there(scene):
    v, w = scene.name("copied", "volume"), scene.name("uncopied", "volume")
    assert "passwd" in scene.sh("-v", f"{v}:/etc/", "ls /etc")
    assert scene.sh("-v", f"{v}:/mnt", "cat /mnt/passwd") == scene.sh("cat /etc/passwd")
    assert scene.sh("--mount", f"type=volume,src={w},dst=/home2,volume-nocopy", "ls /home2") == ""


def test_bind_mount_shows_the_hosts_files(scene, tmp_path):
    (tmp_path / "a").write_text("host\n")
    assert scene.sh("-v", f"{tmp_path}:/b", "cat /b/a; echo box > /b/c") == "host"
    assert (tmp_path / "c").read_text() == "box\n"
    assert "Read-only" in scene.sh("-v", f"{tmp_path}:/b:ro", "touch /b/d 2>&1 || true")
    assert scene.sh("-v", f"{tmp_path}/new/folder:/b", "ls /b") == "" and (tmp_path / "new/folder").is_dir()


def test_tmpfs_volume_with_options(scene):
    v = scene.name("memory", "volume")
    scene("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m", v)
    assert "size=1024k" in scene.sh("-v", f"{v}:/m", "grep ' /m ' /proc/mounts")


def test_prune(scene):
    label = f"of={scene.client.name}"
    v = scene.name("stale", "volume")
    scene("volume", "create", "--label", label, v)
    out = scene.out("volume", "prune", "-a", "-f", "--filter", f"label={label}")
    assert f"Deleted Volumes:\n{v}\n" in out and "Total reclaimed space: 0B" in out
    assert v not in scene.out("volume", "ls", "-q").split()


def test_bad_names_are_refused(scene):
    assert "includes invalid characters for a local volume name" in scene.refused("volume", "create", "a/b")
    assert "no such volume" in scene.refused("volume", "rm", "not-there")
