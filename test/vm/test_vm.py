# SPDX-License-Identifier: Apache-2.0
"""cgroup version 2, with and without systemd as process 1, on the distribution's own kernel: in a virtual machine, because the
machine that runs the tests may have neither."""
import os
import shutil
import subprocess
import tempfile

import pytest

from coracle_test import BIN, TOP

pytestmark = pytest.mark.timeout(600)

IMAGES = os.path.join(TOP, "build", "vm")
HERE = os.path.dirname(os.path.abspath(__file__))

SCENE = r"""
set -eu
fail() { echo "FAILED: $*"; tail -n 5 /var/lib/coracle/log/*.log; exit 1; }
is() { [ "$1" = "$2" ] || fail "$3: is '$1', not '$2'"; }
docker() { ./coracle docker "$@"; }
kubectl() { ./coracle kubectl "$@"; }
./coracle up || fail "up"
export DOCKER_HOST=unix:///run/coracle/docker.sock KUBECONFIG=/etc/coracle/kubeconfig
docker import -c 'CMD ["sh"]' busybox.tar busybox:1 >/dev/null
g=/sys/fs/cgroup
is "$(docker run --rm --memory 64m --cpus 0.5 --pids-limit 20 busybox:1 sh -c "cat $g/memory.max $g/cpu.max $g/pids.max" | tr '\n' ' ')" "67108864 50000 100000 20 " "limits inside"
r=0; docker run --name oom -m 16m busybox:1 sh -c 'exec tail /dev/zero' || r=$?
is $r 137 "exit code of what used too much memory"
is "$(docker inspect -f '{{.State.OOMKilled}}' oom)" true "out of memory is said"
docker run -d --name forks --pids-limit 10 busybox:1 sh -c 'while :; do sleep 60 & done' >/dev/null
sleep 1; [ "$(docker exec forks cat $g/pids.current 2>/dev/null || echo 10)" -le 11 ] || fail "pids"
docker run -d --name loop --cpus 0.2 busybox:1 sh -c 'while :; do :; done' >/dev/null
a=$(docker exec loop cat $g/cpu.stat | sed -n 's/usage_usec //p'); sleep 3; b=$(docker exec loop cat $g/cpu.stat | sed -n 's/usage_usec //p')
[ $((b - a)) -lt 1200000 ] || fail "a quota of 20 % gave $((b - a)) us in 3 s"
docker pause loop >/dev/null; is "$(docker inspect -f '{{.State.Status}}' loop)" paused "pause"; docker unpause loop >/dev/null
docker update --memory 32m --memory-swap 32m loop >/dev/null; is "$(docker exec loop cat $g/memory.max)" 33554432 "update"
docker exec --privileged loop true
docker run --rm --device /dev/zero busybox:1 sh -c 'head -c1 /dev/zero >/dev/null && ! head -c1 /dev/kmsg 2>/dev/null' || fail "devices"
docker stats --no-stream loop | grep -q loop || fail "stats"
kubectl create deployment web --image=busybox:1 --replicas=2 -- sh -c 'mkdir /w; hostname >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
kubectl set resources deployment web --limits=memory=64Mi,cpu=200m >/dev/null
kubectl rollout status deploy/web --timeout=60s >/dev/null || { kubectl get pods; kubectl get events; fail "rollout"; }
kubectl expose deploy web --port=80 --type=NodePort >/dev/null
p=$(kubectl get pods -l app=web --sort-by=.metadata.creationTimestamp -o jsonpath='{.items[*].metadata.name}' | sed 's/.* //')
is "$(kubectl exec $p -- cat $g/memory.max)" 67108864 "a pod's limit"
port=$(kubectl get svc web -o jsonpath='{.spec.ports[0].nodePort}')
ok=; for i in 1 2 3 4 5 6 7 8 9 10; do curl -sm 2 http://127.0.0.1:$port/ | grep -q web- && ok=1 && break; sleep 0.5; done; [ "$ok" ] || fail "node port"
is "$(kubectl exec $p -- nslookup kubernetes.default.svc.cluster.local | grep -cw 10.96.0.1)" 1 "cluster names"
if [ -d /run/systemd/system ]; then
	systemctl is-active coracle >/dev/null || fail "unit"
	# the unit is killed: what it runs stays, and systemd brings it back
	pid=$(docker inspect -f '{{.State.Pid}}' loop)
	systemctl kill -s KILL --kill-who=all coracle; sleep 0.5
	kill -0 $pid || fail "a container went with the unit"
	for i in $(seq 60); do docker ps >/dev/null 2>&1 && break; sleep 0.5; done
	is "$(docker inspect -f '{{.State.Status}}' loop)" running "a container after its engine was killed"
fi
./coracle down || fail "down"
! mount | grep -q coracle || fail "mounts left: $(mount | grep coracle)"
is "$(nft list tables)" "" "tables left"
is "$(find $g -name '*docker*' -o -name '*kubepods*' -o -name '*coracle-shims*')" "" "cgroups left"
echo all well
"""


def machine(systemd, scene):
    if not shutil.which("qemu-system-x86_64"):
        subprocess.run([os.path.join(TOP, "tools", "deps"), "qemu-system-x86"], check=True)
    subprocess.run([os.path.join(HERE, "prepare"), IMAGES], check=True)
    work = tempfile.mkdtemp(prefix="coracle-vmwork-")
    try:
        for name in ("coracle", "coracled", "coracle-runtime"):
            shutil.copy(os.path.join(BIN, name), work)
        subprocess.run([os.path.join(TOP, "tools", "base-image"), "busybox", os.path.join(work, "busybox.tar")], check=True)
        with open(os.path.join(work, "run"), "w") as f:
            f.write(scene)
        r = subprocess.run([os.path.join(HERE, "run"), *(["--systemd"] if systemd else []), IMAGES, work], capture_output=True, text=True)
        assert r.returncode == 0 and r.stdout.endswith("all well\n"), (r.stdout + r.stderr)[-6000:]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def test_engine_and_cluster_on_cgroup_v2():
    machine(False, SCENE)


def test_engine_and_cluster_under_systemd():
    machine(True, SCENE)
