#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the same commands with the real docker client and with `coracle docker`
against one engine, and compares standard output, standard error and exit codes.

  compare.py --engine unix:///run/coracle/docker.sock --image busybox [--ours build/bin/coracle] [--real docker] [-v]

Each command runs with names of its own (@ becomes a or b), which are made equal
before comparing, as are ids, times and sizes that move. The image must be in the
engine and hold a shell. Exits with the number of differences; those that are
meant are in doc/cli-differences.md.
"""
import argparse, os, pathlib, re, shutil, subprocess, sys, tempfile

# A line a command. "!cmd" is run but not compared. "<text|" gives standard input.
CASES = r"""
!rm -f c@ d@ e@
!volume rm -f v@ w@
!network rm -f n@
ps --nope
ps -z
ps x
ps -n
ps --all=foo
ps --format {{.Nope}}
ps --format {{
foo
container foo
run
run --memory abc IMAGE
run --cpus x IMAGE
run -p 99999:1 IMAGE
run -p 80: IMAGE
run -p 80:80/foo IMAGE
run -v :: IMAGE
run --mount type=bind,src=/a IMAGE
run --mount target=/a,foo=1 IMAGE
run --ulimit x IMAGE
run --ulimit nofile=2:1 IMAGE
run --restart always --rm IMAGE
run --restart foo: IMAGE
run --pid x IMAGE
run --no-healthcheck --health-cmd x IMAGE
run --pull foo IMAGE
run --env-file /nonexistent IMAGE
run -a foo IMAGE
run -d -a stdout IMAGE
run --link a:b:c IMAGE
run --dns x IMAGE
run --add-host x IMAGE
run --device /dev/null:/x:q IMAGE
run --memory-swappiness 200 IMAGE
run --detach-keys foo IMAGE true
run --rm FOO
run --rm a:b:c
run -t -i --rm IMAGE true
run --rm IMAGE echo hello
run --rm IMAGE sh -c 'echo out; echo err >&2; exit 7'
run --rm IMAGE nosuchcommand
run --rm IMAGE /etc
<some input|run --rm -i IMAGE cat
run --rm -e A=1 -e B IMAGE sh -c 'echo $A$B'
run --rm -w /tmp -u 1:2 -h box IMAGE sh -c 'pwd; id -u; id -g; hostname'
run --rm --entrypoint echo IMAGE x y
run -d --name c@ -l k=v -p 127.0.0.1::80 -v v@:/data IMAGE sleep 1000
run -d --name c@ IMAGE sleep 1
create --name d@ IMAGE sh -c 'echo created'
ps -a --filter name=^/[cd]@$ --format {{.Names}}|{{.Image}}|{{.Command}}|{{.State}}|{{.Labels}}|{{.Mounts}}|{{.Networks}}
ps -a --filter name=^/d@$
ps -aq --no-trunc --filter name=^/d@$
ps --filter foo
ps --filter foo=bar
inspect -f {{.Name}}|{{.Config.Image}}|{{json.Config.Cmd}} c@
inspect -f {{.Name}}|{{.Config.Image}}|{{json .Config.Cmd}}|{{.Config.Labels}}|{{.HostConfig.Binds}} c@
inspect -f {{range.NetworkSettings.Networks}}{{.Gateway}}{{end}} c@
inspect -f {{range $p, $c := .NetworkSettings.Ports}}{{$p}}{{(index $c 0).HostIp}}{{end}} c@
inspect -f {{.State.Status}}{{.State.Running}}{{.State.ExitCode}} c@
inspect -f {{.Nope}} c@
inspect -f {{.State.Nope}} c@
inspect -f {{ c@
inspect nosuch
inspect --type image nosuch
inspect --type foo nosuch
container inspect nosuch
image inspect nosuch
network inspect nosuch
volume inspect nosuch
volume inspect v@ --format {{.Name}}{{.Driver}}{{.Scope}}
start d@
start -a d@
start nosuch
logs d@
logs --tail 0 d@
logs nosuch
exec c@ echo in
exec c@ sh -c 'exit 9'
exec c@ nosuchcommand
exec -e X=y -w /tmp c@ sh -c 'echo $X; pwd'
exec d@ true
exec nosuch true
exec -it c@ true
<data|exec -i c@ cat
exec -d c@ true
top nosuch
top d@
port c@ 81
port nosuch
pause c@
exec c@ true
pause c@
unpause c@
unpause c@
rename c@ e@
rename nosuch x
rename e@ c@
update c@
update --memory 64m --memory-swap 128m c@
update nosuch --cpus 1
diff d@
diff nosuch
cp nosuch:/x /tmp
cp /nonexistent c@:/
cp a b
cp c@:/nope /tmp
cp c@:/etc/hostname -
<|cp - c@:/nope
commit d@ img@:1
commit nosuch
images img@
images --format {{.Repository}}:{{.Tag}} img@
history -q img@:1
tag img@:1 img@:2
tag nosuch x
tag img@:1 UPPER
rmi img@:2
rmi nosuch
rmi -f nosuch
save nosuch -o /tmp/coracle-compare.tar
export nosuch -o /tmp/coracle-compare.tar
load -i /nonexistent
import /nonexistent
network create n@
network create n@
network create --subnet foo n@
network create --subnet 10.99.0.0/16 --gateway 10.98.0.1 n@
network ls --filter name=n@ --format {{.Name}}|{{.Driver}}|{{.Scope}}
network connect n@ c@
network connect nosuch c@
network disconnect n@ c@
network disconnect n@ c@
network rm n@
network rm nosuch
network rm bridge
volume create w@
volume ls -q --filter name=w@
volume rm w@
volume rm nosuch
volume rm v@
kill -s FOO c@
kill nosuch
stop -t 0 c@
stop nosuch
restart nosuch
wait c@
wait nosuch
attach c@
attach nosuch
rm nosuch
rm -f nosuch
rm c@ d@
pull UPPER
push UPPER
push img@:nosuch
login -u x
logout nosuch.example
rmi img@:1
build /nonexistent
build -f nosuch CTX
build -t img@:3 CTX
build -q CTX
build --iidfile /tmp/coracle-compare.iid -t img@:4 CTX
build -t UPPER CTX
build CTXBAD
build --target nosuch CTX
<FROM IMAGE
RUN echo piped
|build -
rmi img@:3 img@:4
context ls --format {{.Name}}
context show
context inspect nosuch
context use nosuch
context create -
context rm nosuch
system df --format {{.Type}}
info --format {{.OSType}}
version --format {{.Server.Os}}
events --since 0 --until 1
container prune --filter foo
rename x
tag a
wait
network rm
image rm
"""

def parse(text):
    stdin, lines = None, []
    for line in text.strip("\n").split("\n"):
        if stdin is not None:
            if "|" in line:
                head, line = line.split("|", 1)
                yield line, stdin + head
                stdin = None
            else:
                stdin += line + "\n"
        elif line.startswith("<"):
            if "|" in line:
                head, line = line[1:].split("|", 1)
                yield line, head
            else:
                stdin = line[1:] + "\n"
        else:
            yield line, None

def words(line):
    """Like a shell's: single quotes hold together, and so do braces, so that templates need no quotes."""
    out, word, quote, depth, any_ = [], "", False, 0, False
    for i, ch in enumerate(line):
        if ch == "'":
            quote, any_ = not quote, True
        elif ch == " " and not quote and depth <= 0:
            if word or any_:
                out.append(word)
            word, any_ = "", False
        else:
            depth += line[i:i + 2] == "{{"
            depth -= line[i:i + 2] == "}}"
            word += ch
    return out + ([word] if word or any_ else [])

NOTICE = re.compile(r"DEPRECATED: The legacy builder.*?https://docs\.docker\.com/go/buildx/\n\n", re.S)

def level(text, letter):
    text = NOTICE.sub("", text)
    text = re.sub(r"\b(sha256:)?[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "ID", text)
    text = re.sub(r"\d+ (seconds?|minutes?)|Less than a second|About a minute|1 second", "TIME", text)
    text = re.sub(r"\b(c|d|e|v|w|n|img)%s\b" % letter, r"\1@", text)
    text = re.sub(r"/tmp/ctx-\w+", "CTX", text)
    text = re.sub(r"[ \t]+", " ", text)
    return text

def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--engine", required=True)
    ap.add_argument("--image", default="busybox")
    ap.add_argument("--ours", default="build/bin/coracle")
    ap.add_argument("--real", default=shutil.which("docker"))
    ap.add_argument("-v", action="store_true")
    a = ap.parse_args()
    work = tempfile.mkdtemp(prefix="ctx-", dir="/tmp")
    ctx, bad = pathlib.Path(work, "good"), pathlib.Path(work, "bad")
    for d, run in ((ctx, "echo built"), (bad, "exit 3")):
        d.mkdir()
        (d / "Dockerfile").write_text(f"FROM {a.image}\nWORKDIR /w\nCOPY . /w\nRUN {run}\nCMD [\"true\"]\n")
        (d / "file").write_text("x\n")
    env = dict(os.environ, DOCKER_HOST=a.engine, DOCKER_CONFIG=work + "/config")
    env.pop("DOCKER_CONTEXT", None)
    differences = total = 0
    for line, stdin in parse(CASES):
        quiet = line.startswith("!")
        got = []
        for letter, program in (("a", [a.real]), ("b", [a.ours, "docker"])):
            argv = [w.replace("@", letter).replace("IMAGE", a.image).replace("CTXBAD", str(bad)).replace("CTX", str(ctx))
                    for w in words(line.lstrip("!"))]
            text = stdin.replace("IMAGE", a.image) if stdin is not None else None
            try:
                p = subprocess.run(program + argv, env=env, capture_output=True, timeout=60,
                                   **({"input": text.encode()} if text is not None else {"stdin": subprocess.DEVNULL}))
                got.append((p.returncode, level(p.stdout.decode(errors="replace"), letter), level(p.stderr.decode(errors="replace"), letter)))
            except subprocess.TimeoutExpired:
                got.append(("timeout", "", ""))
        if quiet:
            continue
        total += 1
        if got[0] != got[1]:
            differences += 1
            print(f"--- {line}")
            for name, x in zip(("real", "ours"), got):
                print(f"  {name}: exit {x[0]}\n    out {x[1]!r}\n    err {x[2]!r}")
        elif a.v:
            print(f"same {line}")
    shutil.rmtree(work)
    print(f"{total} commands, {differences} differ")
    return min(differences, 100)

if __name__ == "__main__":
    sys.exit(main())
