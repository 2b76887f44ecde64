# SPDX-License-Identifier: Apache-2.0
"""Wrong requests, and what Docker 28 says to each. Nothing may change after any of them.

A row is (method, path, body, status, text) and, where it matters, headers. The text
is what the message is as a whole, or with re() a pattern found at its start; names in
braces are filled in from the world below."""
import io
import json
import re as regex
import tarfile

import pytest

ID = "[0-9a-f]{64}"


class re(str):
    """A pattern that the message must begin with."""


def tar(dockerfile, name="Dockerfile"):
    """A build context with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        i = tarfile.TarInfo(name)
        i.size = len(dockerfile)
        t.addfile(i, io.BytesIO(dockerfile.encode()))
    return out.getvalue()


def create(status, text, name=None, **body):
    """A container that cannot be made: lower-case keys are of the host configuration."""
    host = {k[5:]: body.pop(k) for k in list(body) if k.startswith("host_")}
    body.setdefault("Image", "busybox")
    body.setdefault("Cmd", ["true"])
    if host:
        body["HostConfig"] = host
    return ("POST", "/containers/create" + (f"?name={name}" if name else ""), body, status, text)


def host(status, text, **h):
    return create(status, text, **{f"host_{k}": v for k, v in h.items()})


def build(status, text, dockerfile, query=""):
    return ("POST", "/build?t=bad-image&networkmode=none" + query, tar(dockerfile), status, text, {"Content-Type": "application/x-tar"})


JSON = {"Content-Type": "application/json"}
NO_C = "No such container: nope"
NO_I = "No such image: nope:latest"
NO_N = "network nope not found"
NO_V = "get nope: no such volume"
NO_X = "No such exec instance: nope"
NO_SWARM = re("This node is not a swarm manager")
MIN_SWAP = "Minimum memoryswap limit should be larger than memory limit, see usage"
PERIOD = "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
QUOTA = "CPU cfs quota can not be less than 1ms (i.e. 1000)"

HTTP = [
    ("GET", "/v1.99/info", None, 400, re(r"client version 1\.99 is too new\. Maximum supported API version is 1\.\d+$")),
    ("GET", "/v2.0/info", None, 400, re(r"client version 2\.0 is too new\. Maximum supported API version is 1\.\d+$")),
    ("GET", "/v1.10/info", None, 400,
     re(r"client version 1\.10 is too old\. Minimum supported API version is 1\.24, please upgrade your client to a newer version$")),
    ("GET", "/nowhere", None, 404, "page not found"),
    ("GET", "/v1.43/nowhere", None, 404, "page not found"),
    ("GET", "/", None, 404, "page not found"),
    ("PUT", "/containers/json", None, 404, "page not found"),
    ("DELETE", "/info", None, 404, "page not found"),
    ("GET", "/containers/create", None, 404, "page not found"),
    ("PATCH", "/networks", None, 404, "page not found"),
    ("POST", "/containers/create", "{", 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", "[]", 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", '{"Image": 7}', 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", '{"Image": "busybox", "Cmd": {"a": 1}}', 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", '{"HostConfig": {"Memory": "1g"}}', 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", '{"HostConfig": {"CpuShares": 1.5}}', 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", '{"Tty": "yes"}', 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", '{"Image": "busybox"} x', 400, re("invalid JSON: |unexpected content after JSON"), JSON),
    ("POST", "/containers/create", "", 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/create", "a=b", 400, "unsupported Content-Type header (text/plain): must be 'application/json'",
     {"Content-Type": "text/plain"}),
    ("POST", "/containers/create", "{}", 400, "malformed Content-Type header (): mime: no media type", {}),
    ("POST", "/networks/create", "{}", 400, "malformed Content-Type header (): mime: no media type", {}),
    ("POST", "/networks/create", "nonsense", 400, re("invalid JSON: "), JSON),
    ("POST", "/networks/create", "x", 400, "unsupported Content-Type header (text/html): must be 'application/json'",
     {"Content-Type": "text/html"}),
    ("POST", "/networks/create", "", 400, re("invalid JSON: got EOF while reading request body"), JSON),
    ("POST", "/volumes/create", "{]", 400, re("invalid JSON: "), JSON),
    ("POST", "/volumes/create", '{"Labels": []}', 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/bad-run/exec", "{", 400, re("invalid JSON: "), JSON),
    ("POST", "/containers/bad-run/update", "[", 400, re("invalid JSON: "), JSON),
    ("POST", "/networks/bad-net/connect", "!", 400, re("invalid JSON: "), JSON),
    ("POST", "/networks/bad-net/disconnect", "", 400, re("invalid JSON: got EOF while reading request body"), JSON),
    ("POST", "/auth", "{", 400, re("invalid JSON: "), JSON),
]

UNKNOWN = [
    ("GET", "/containers/nope/json", None, 404, NO_C),
    ("GET", "/containers/nope/top", None, 404, NO_C),
    ("GET", "/containers/nope/logs?stdout=1", None, 404, NO_C),
    ("GET", "/containers/nope/stats?stream=0", None, 404, NO_C),
    ("GET", "/containers/nope/changes", None, 404, NO_C),
    ("GET", "/containers/nope/export", None, 404, NO_C),
    ("GET", "/containers/nope/archive?path=/", None, 404, NO_C),
    ("PUT", "/containers/nope/archive?path=/", b"", 404, NO_C),
    ("POST", "/containers/nope/start", None, 404, NO_C),
    ("POST", "/containers/nope/stop", None, 404, NO_C),
    ("POST", "/containers/nope/restart", None, 404, NO_C),
    ("POST", "/containers/nope/kill", None, 404, re("(cannot kill container: nope: )?No such container: nope$")),
    ("POST", "/containers/nope/pause", None, 404, NO_C),
    ("POST", "/containers/nope/unpause", None, 404, NO_C),
    ("POST", "/containers/nope/rename?name=x", None, 404, NO_C),
    ("POST", "/containers/nope/update", {}, 404, NO_C),
    ("POST", "/containers/nope/resize?h=1&w=1", None, 404, NO_C),
    ("POST", "/containers/nope/attach?stream=1&stdout=1", None, 404, NO_C),
    ("POST", "/containers/nope/wait", None, 404, NO_C),
    ("POST", "/containers/nope/exec", {"Cmd": ["true"]}, 404, NO_C),
    ("DELETE", "/containers/nope", None, 404, NO_C),
    ("DELETE", "/containers/nope?force=1", None, 404, NO_C),
    ("POST", "/commit?container=nope", None, 404, NO_C),
    ("GET", "/images/nope/json", None, 404, NO_I),
    ("GET", "/images/nope/history", None, 404, NO_I),
    ("GET", "/images/nope/get", None, 404, re("(reference does not exist|No such image: nope)")),
    ("POST", "/images/nope/tag?repo=x", None, 404, NO_I),
    ("DELETE", "/images/nope", None, 404, NO_I),
    ("DELETE", "/images/busybox:nope", None, 404, "No such image: busybox:nope"),
    create(404, NO_I, Image="nope"),
    create(404, "No such image: a.example/b:c", Image="a.example/b:c"),
    ("GET", "/networks/nope", None, 404, NO_N),
    ("DELETE", "/networks/nope", None, 404, NO_N),
    ("POST", "/networks/nope/connect", {"Container": "bad-run"}, 404, NO_N),
    ("POST", "/networks/nope/disconnect", {"Container": "bad-run"}, 404, NO_N),
    ("POST", "/networks/bad-net/connect", {"Container": "nope"}, 404, NO_C),
    ("POST", "/networks/bad-net/disconnect", {"Container": "nope"}, 404, NO_C),
    ("GET", "/volumes/nope", None, 404, NO_V),
    ("DELETE", "/volumes/nope", None, 404, NO_V),
    ("GET", "/exec/nope/json", None, 404, NO_X),
    ("POST", "/exec/nope/start", {}, 404, NO_X),
    ("POST", "/exec/nope/resize?h=1&w=1", None, 404, NO_X),
]

CONFIG = [
    create(400, "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name="a%20b"),
    create(400, "Invalid container name (-a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name="-a"),
    create(400, "Invalid container name (x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name="x"),
    create(409, 'Conflict. The container name "/bad-run" is already in use by container "{run}". '
           'You have to remove (or rename) that container to be able to reuse that name.', name="bad-run"),
    create(400, "invalid reference format: repository name (library/BUSYBOX) must be lowercase", Image="BUSYBOX"),
    create(400, "invalid reference format", Image="busybox:"),
    create(400, re("invalid reference format"), Image="a b"),
    create(400, "the working directory 'here' is invalid, it needs to be an absolute path", WorkingDir="here"),
    create(400, "invalid environment variable: =x", Env=["=x"]),
    create(400, "invalid signal: SIGNOPE", StopSignal="SIGNOPE"),
    create(400, re("invalid port specification: |invalid JSON: "), ExposedPorts={"abc/tcp": {}}),
    create(400, "Interval in Healthcheck cannot be less than 1ms", Healthcheck={"Test": ["NONE"], "Interval": 1}),
    create(400, "Timeout in Healthcheck cannot be less than 1ms", Healthcheck={"Test": ["CMD", "x"], "Timeout": 5}),
    create(400, "Retries in Healthcheck cannot be negative", Healthcheck={"Test": ["CMD", "x"], "Retries": -1}),
    create(400, "StartPeriod in Healthcheck cannot be less than 1ms", Healthcheck={"Test": ["CMD", "x"], "StartPeriod": 9}),
    create(400, "StartInterval in Healthcheck cannot be less than 1ms", Healthcheck={"Test": ["CMD", "x"], "StartInterval": 9}),
    host(400, "Minimum memory limit allowed is 6MB", Memory=1 << 20),
    host(400, "Minimum memory limit allowed is 6MB", Memory=6 * 1024 * 1024 - 1),
    host(400, MIN_SWAP, Memory=64 << 20, MemorySwap=32 << 20),
    host(400, "You should always set the Memory limit when using Memoryswap limit, see usage", MemorySwap=64 << 20),
    host(400, "Minimum memory reservation allowed is 6MB", MemoryReservation=1024),
    host(400, "Minimum memory limit can not be less than memory reservation limit, see usage", Memory=8 << 20, MemoryReservation=16 << 20),
    host(400, "Invalid value: 101, valid memory swappiness range is 0-100", MemorySwappiness=101),
    host(400, re(r"range of CPUs is from 0\.01 to \d+\.00, as there are only \d+ CPUs available$"), NanoCpus=4096 * 10**9),
    host(400, "Conflicting options: Nano CPUs and CPU Period cannot both be set.", NanoCpus=10**9, CpuPeriod=10000),
    host(400, "Conflicting options: Nano CPUs and CPU Quota cannot both be set.", NanoCpus=10**9, CpuQuota=10000),
    host(400, PERIOD, CpuPeriod=999),
    host(400, PERIOD, CpuPeriod=1000001),
    host(400, QUOTA, CpuQuota=999),
    host(400, "Invalid value a-b for cpuset cpus", CpusetCpus="a-b"),
    host(400, re(r"Requested CPUs are not available - requested 4000, available: "), CpusetCpus="4000"),
    host(400, "Invalid value x for cpuset mems", CpusetMems="x"),
    host(400, "Range of blkio weight is from 10 to 1000", BlkioWeight=5),
    host(400, "SHM size can not be less than 0", ShmSize=-1),
    host(400, "Invalid value 1001, range for oom score adj is [-1000, 1000]", OomScoreAdj=1001),
    host(400, "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
         RestartPolicy={"Name": "sometimes"}),
    host(400, "invalid restart policy: maximum retry count can only be used with 'on-failure'",
         RestartPolicy={"Name": "always", "MaximumRetryCount": 3}),
    host(400, "invalid restart policy: maximum retry count cannot be negative", RestartPolicy={"Name": "on-failure", "MaximumRetryCount": -1}),
    host(400, "can't create 'AutoRemove' container with restart policy", AutoRemove=True, RestartPolicy={"Name": "always"}),
    host(400, 'invalid port specification: "abc"', PortBindings={"80/tcp": [{"HostPort": "abc"}]}),
    host(400, 'invalid port specification: "70000"', PortBindings={"80/tcp": [{"HostPort": "70000"}]}),
    host(400, re("invalid port specification: |invalid JSON: "), PortBindings={"80/xyz": [{"HostPort": "1"}]}),
    host(400, 'invalid CapAdd: unknown capability: "CAP_NOPE"', CapAdd=["NOPE"]),
    host(400, 'invalid CapDrop: unknown capability: "CAP_NOPE"', CapDrop=["CAP_NOPE"]),
    host(400, "logger: no log driver named 'nope' is registered", LogConfig={"Type": "nope"}),
    host(400, "unknown log opt 'nope' for json-file log driver", LogConfig={"Type": "json-file", "Config": {"nope": "1"}}),
    host(400, "logger: logging mode not supported: x", LogConfig={"Type": "json-file", "Config": {"mode": "x"}}),
    host(400, "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
         LogConfig={"Type": "json-file", "Config": {"max-buffer-size": "1m"}}),
    host(400, re("invalid .*security-opt.*nope"), SecurityOpt=["nope"]),
    host(400, "bad format for add-host: \"x\"", ExtraHosts=["x"]),
    host(400, re("unknown or invalid runtime name: nope"), Runtime="nope"),
    host(400, re("could not select device driver"), DeviceRequests=[{"Driver": "nope", "Count": 1}]),
    host(400, "invalid PID mode: nope", PidMode="nope"),
    host(400, "invalid IPC mode: nope", IpcMode="nope"),
    host(400, "invalid UTS mode: nope", UTSMode="nope"),
    host(400, re("invalid .*isolation.*nope"), Isolation="nope"),
    host(400, "invalid ulimit type: nope", Ulimits=[{"Name": "nope", "Soft": 1, "Hard": 1}]),
    host(400, "ulimit soft limit must be less than or equal to hard limit: 2 > 1", Ulimits=[{"Name": "nofile", "Soft": 2, "Hard": 1}]),
]

MOUNTS = [
    host(400, re("invalid volume specification: 'x:y'|invalid mount config"), Binds=["x:y"]),
    host(400, "invalid volume specification: '/a:/b:/c:/d'", Binds=["/a:/b:/c:/d"]),
    host(400, "invalid mode: nope", Binds=["/tmp:/b:nope"]),
    host(400, "invalid volume specification: '/tmp:/': invalid specification: destination can't be '/'", Binds=["/tmp:/"]),
    host(400, "Duplicate mount point: /b", Binds=["/tmp:/b", "/etc:/b"]),
    host(400, re('create a b: "a b" includes invalid characters for a local volume name|invalid volume specification'), Binds=["a b:/c"]),
    host(400, 'invalid mount config for type "bind": bind source path does not exist: /nope/nope',
         Mounts=[{"Type": "bind", "Source": "/nope/nope", "Target": "/x"}]),
    host(400, 'invalid mount config for type "bind": field Source must not be empty', Mounts=[{"Type": "bind", "Target": "/x"}]),
    host(400, 'invalid mount config for type "bind": field Target must not be empty', Mounts=[{"Type": "bind", "Source": "/tmp"}]),
    host(400, re("invalid mount config for type \"bind\": invalid mount path: 'x' mount path must be absolute"),
         Mounts=[{"Type": "bind", "Source": "/tmp", "Target": "x"}]),
    host(400, re('invalid mount config for type "tmpfs": field Source must not be specified'),
         Mounts=[{"Type": "tmpfs", "Source": "/tmp", "Target": "/x"}]),
    host(400, 'invalid mount config for type "nope": mount type unknown', Mounts=[{"Type": "nope", "Target": "/x"}]),
    host(400, re('invalid mount config for type "volume": '), Mounts=[{"Type": "volume", "Target": "/"}]),
    host(400, re("invalid mount path: 'x' mount path must be absolute"), Tmpfs={"x": ""}),
    host(404, NO_C, VolumesFrom=["nope"]),
    host(404, re(r"create bad-v2: error looking up volume plugin nope: plugin \"nope\" not found|error looking up volume plugin nope"),
         Mounts=[{"Type": "volume", "Source": "bad-v2", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "nope"}}}]),
]

STATE = [
    ("DELETE", "/containers/bad-run", None, 409,
     'cannot remove container "/bad-run": container is running: stop the container before removing or force remove'),
    ("DELETE", "/containers/bad-paused", None, 409,
     'cannot remove container "/bad-paused": container is paused and must be unpaused first'),
    ("POST", "/containers/bad-paused/start", None, 409, "cannot start a paused container, try unpause instead"),
    ("POST", "/containers/bad-paused/pause", None, 409, re("[cC]ontainer {paused} is already paused$")),
    ("POST", "/containers/bad-paused/exec", {"Cmd": ["true"]}, 409, "container {paused} is paused, unpause the container before exec"),
    ("POST", "/containers/bad-made/pause", None, 409, "container {made} is not running"),
    ("POST", "/containers/bad-made/kill", None, 409, "cannot kill container: bad-made: container {made} is not running"),
    ("POST", "/containers/bad-made/exec", {"Cmd": ["true"]}, 409, "container {made} is not running"),
    ("POST", "/containers/bad-made/resize?h=1&w=1", None, 409, "container {made} is not running"),
    ("GET", "/containers/bad-made/top", None, 409, "container {made} is not running"),
    ("POST", "/containers/bad-run/kill?signal=NOPE", None, 400, "invalid signal: NOPE"),
    ("POST", "/containers/bad-run/kill?signal=1000", None, 400, "invalid signal: 1000"),
    ("POST", "/containers/bad-run/stop?signal=NOPE", None, 400, "invalid signal: NOPE"),
    ("POST", "/containers/bad-run/stop?t=x", None, 400, re('strconv.Atoi: parsing "x": invalid syntax')),
    ("POST", "/containers/bad-run/restart?t=x", None, 400, re('strconv.Atoi: parsing "x": invalid syntax')),
    ("POST", "/containers/bad-run/rename?name=bad-made", None, 409, re('Error when allocating new name: Conflict. The container name "/bad-made" is already in use by container "{made}"')),
    ("POST", "/containers/bad-run/rename?name=a%20b", None, 400,
     "Error when allocating new name: Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
    ("POST", "/containers/bad-run/rename", None, 400, "Neither old nor new names may be empty"),
    ("POST", "/containers/bad-run/rename?name=bad-run", None, 400, "Renaming a container with the same name as its current name"),
    ("POST", "/containers/bad-run/wait?condition=nope", None, 400, 'invalid condition: "nope"'),
    ("GET", "/containers/bad-run/logs", None, 400, "Bad parameters: you must choose at least one stream"),
    ("GET", "/containers/bad-run/logs?stdout=1&since=x", None, 400, re(".*x")),
    ("GET", "/containers/bad-run/logs?stdout=1&until=x", None, 400, re(".*x")),
    ("GET", "/containers/bad-run/stats?stream=1&one-shot=1", None, 400, "cannot have stream=true and one-shot=true"),
    ("POST", "/containers/bad-run/resize?h=a&w=1", None, 400, re("invalid resize height")),
    ("POST", "/containers/bad-run/resize?h=1&w=", None, 400, re("invalid resize width")),
    ("POST", "/containers/bad-run/exec", {"Cmd": []}, 400, re("[Nn]o exec command specified$")),
    ("POST", "/containers/bad-run/exec", {}, 400, re("[Nn]o exec command specified$")),
    ("POST", "/exec/{exec}/start", {"Detach": True}, 409, re("exec command {exec} has already run")),
    ("POST", "/containers/bad-run/update", {"Memory": 1024}, 400, "Minimum memory limit allowed is 6MB"),
    ("POST", "/containers/bad-run/update", {"RestartPolicy": {"Name": "nope"}}, 400, re("invalid restart policy: unknown policy 'nope'")),
    ("POST", "/containers/bad-run/update", {"CpuPeriod": 1}, 400, PERIOD),
    ("GET", "/containers/bad-run/archive", None, 400, re("bad parameter: ")),
    ("GET", "/containers/bad-run/archive?path=/nope", None, 404, "Could not find the file /nope in container bad-run"),
    ("PUT", "/containers/bad-run/archive?path=/nope", tar("x"), 404, "Could not find the file /nope in container bad-run"),
    ("PUT", "/containers/bad-run/archive?path=/tmp", b"nonsense", 500, re(".*unexpected (end|EOF)")),
    ("GET", "/containers/json?filters=nonsense", None, 400, re("invalid filter: ")),
    ("GET", "/containers/json?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("GET", "/containers/json?filters={%22status%22:[%22x%22]}", None, 400, re("invalid filter 'status=x'")),
    ("GET", "/containers/json?limit=x", None, 400, re('strconv.*: parsing "x": invalid syntax')),
    ("GET", "/images/json?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("GET", "/networks?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("GET", "/volumes?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("GET", "/volumes?filters={%22dangling%22:[%22x%22]}", None, 400, re("invalid filter 'dangling=")),
    ("POST", "/containers/prune?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("POST", "/images/prune?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("POST", "/networks/prune?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("POST", "/volumes/prune?filters={%22nope%22:[%22x%22]}", None, 400, "invalid filter 'nope'"),
    ("GET", "/events?since=x&until=1", None, 400, re(".*x")),
    ("GET", "/system/df?type=nope", None, 400, "unknown object type: nope"),
]

THINGS = [
    ("POST", "/networks/create", {"Name": "bad-net"}, 409, "network with name bad-net already exists"),
    ("POST", "/networks/create", {"Name": "bridge"}, 403, "operation is not permitted on predefined bridge network "),
    ("POST", "/networks/create", {"Name": "host"}, 403, "operation is not permitted on predefined host network "),
    ("POST", "/networks/create", {"Name": "none"}, 403, "operation is not permitted on predefined none network "),
    ("POST", "/networks/create", {"Name": ""}, 400, re(".*name")),
    ("POST", "/networks/create", {"Name": "bad-n2", "Driver": "nope"}, 404, re('.*plugin .*not found$')),
    ("POST", "/networks/create", {"Name": "bad-n2", "IPAM": {"Config": [{"Subnet": "10.213.7.128/25"}]}}, 403,
     "invalid pool request: Pool overlaps with other one on this address space"),
    ("POST", "/networks/create", {"Name": "bad-n2", "IPAM": {"Config": [{"Subnet": "nonsense"}]}}, 400, re("invalid network config:\n?.*nonsense|invalid subnet")),
    ("POST", "/networks/create", {"Name": "bad-n2", "IPAM": {"Config": [{"Subnet": "10.214.0.0/24", "Gateway": "10.9.9.9"}]}}, 400, re("invalid network config|.*gateway")),
    ("DELETE", "/networks/bridge", None, 403, "bridge is a pre-defined network and cannot be removed"),
    ("DELETE", "/networks/host", None, 403, "host is a pre-defined network and cannot be removed"),
    ("DELETE", "/networks/none", None, 403, "none is a pre-defined network and cannot be removed"),
    ("DELETE", "/networks/bad-net", None, 403, re('error while removing network: network bad-net has active endpoints')),
    ("POST", "/networks/host/connect", {"Container": "bad-run"}, 400, "container cannot be disconnected from host network or connected to host network"),
    ("POST", "/networks/bad-net/connect", {"Container": "bad-run"}, 403, "endpoint with name bad-run already exists in network bad-net"),
    ("POST", "/networks/bridge/disconnect", {"Container": "bad-run"}, 403, re("container {run} is not connected to network bridge")),
    ("POST", "/volumes/create", {"Name": "a b"}, 400, re('create a b: "a b" includes invalid characters for a local volume name')),
    ("POST", "/volumes/create", {"Name": "../x"}, 400, re('create ../x: "../x" includes invalid characters for a local volume name')),
    ("POST", "/volumes/create", {"Name": "bad-v2", "Driver": "nope"}, 404, re('create bad-v2: error looking up volume plugin nope: plugin "nope" not found')),
    ("POST", "/volumes/create", {"Name": "bad-v2", "DriverOpts": {"nope": "1"}}, 400, re('create bad-v2: invalid option: "nope"')),
    ("DELETE", "/volumes/bad-vol", None, 409, "remove bad-vol: volume is in use - [{run}]"),
    ("DELETE", "/images/busybox", None, 409, re(r'conflict: unable to remove repository reference "busybox" \(must force\) - container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}$')),
    ("POST", "/images/busybox/tag?repo=UPPER", None, 400, re("invalid reference format: repository name .*must be lowercase")),
    ("POST", "/images/busybox/tag?repo=a&tag=b%20c", None, 400, re("invalid tag format|invalid reference format")),
    ("POST", "/images/busybox/tag", None, 400, re("invalid reference format|.*repository")),
    ("POST", "/images/create?fromImage=UPPER", None, 400, re("invalid reference format: repository name .*must be lowercase")),
    ("POST", "/images/create?fromImage=a:b:c", None, 400, re("invalid reference format")),
    ("POST", "/images/create?fromImage=a&tag=b%20c", None, 400, re("invalid tag format|invalid reference format")),
    ("POST", "/images/UPPER/push", None, 400, re("invalid reference format")),
    ("GET", "/images/get", None, 400, re(".+")),
    ("POST", "/images/load", b"nonsense", 500, re(".*unexpected (end|EOF)"), {"Content-Type": "application/x-tar"}),
    ("POST", "/commit?container=bad-made&repo=UPPER", None, 400, re("invalid reference format: repository name .*must be lowercase")),
    ("POST", "/commit?container=bad-made&changes=RUN%20x", None, 400, re(".*run is not a valid change command|.*RUN")),
    build(400, re("dockerfile parse error on line 2: unknown instruction: NOPE"), "FROM busybox\nNOPE x\n"),
    build(400, re("file with no instructions|the Dockerfile .*cannot be empty"), ""),
    build(400, re("no build stage in current context|.*[Nn]o build stage"), "RUN true\n"),
    build(400, re("dockerfile parse error on line 1: FROM requires either one or three arguments"), "FROM\n"),
    build(400, re("dockerfile parse error on line 2: EXPOSE requires at least one argument"), "FROM busybox\nEXPOSE\n"),
    build(400, re("Cannot locate specified Dockerfile: other"), "FROM busybox\n", "&dockerfile=other"),
    build(400, re("invalid reference format"), "FROM busybox\n", "&t=UPPER"),
    build(400, re("error reading build args"), "FROM busybox\n", "&buildargs=x"),
    build(400, re("error reading labels"), "FROM busybox\n", "&labels=x"),
    ("POST", "/build", b"nonsense", 500, re(".*unexpected (end|EOF)"), {"Content-Type": "application/x-tar"}),
]

SWARM = [("GET", p, None, 503, NO_SWARM) for p in
         ("/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/nodes/x", "/services/x", "/secrets/x", "/configs/x", "/tasks/x")] + [
    ("POST", "/services/create", {"Name": "x"}, 503, NO_SWARM),
    ("POST", "/secrets/create", {"Name": "x"}, 503, NO_SWARM),
    ("POST", "/swarm/leave", None, 503, "This node is not part of a swarm"),
    ("GET", "/plugins/nope/json", None, 404, 'plugin "nope" not found'),
    ("POST", "/plugins/nope/enable", None, 404, 'plugin "nope" not found'),
    ("DELETE", "/plugins/nope", None, 404, 'plugin "nope" not found'),
]

ROWS = HTTP + UNKNOWN + CONFIG + MOUNTS + STATE + THINGS + SWARM


def everything(engine):
    """Every container, image, network and volume, with what a wrong request could have changed in them."""
    containers = sorted((c["Id"], c["Names"], c["State"], c["NetworkSettings"]["Networks"].keys()) for c in engine.api("GET", "/containers/json?all=1")[1])
    images = sorted((i["Id"], sorted(i["RepoTags"] or [])) for i in engine.api("GET", "/images/json?all=1")[1])
    networks = sorted(n["Id"] for n in engine.api("GET", "/networks")[1])
    volumes = sorted(v["Name"] for v in engine.api("GET", "/volumes")[1]["Volumes"] or [])
    return json.dumps([containers, images, networks, volumes], default=sorted)


@pytest.fixture(scope="module")
def world(engine):
    """A container that runs, one that is paused, one that was only made; a network and a volume in use; an exec that is over."""
    def ok(method, path, body=None):
        status, answer = engine.api(method, path, body)
        assert status < 300, (method, path, status, answer)
        return answer

    forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"]
    ok("POST", "/networks/create", {"Name": "bad-net", "IPAM": {"Config": [{"Subnet": "10.213.7.0/24"}]}})
    ok("POST", "/volumes/create", {"Name": "bad-vol"})
    w = {}
    for name, host_config in (("run", {"NetworkMode": "bad-net", "Binds": ["bad-vol:/v"]}), ("paused", {"NetworkMode": "none"}), ("made", {})):
        w[name] = ok("POST", f"/containers/create?name=bad-{name}", {"Image": "busybox", "Cmd": forever, "HostConfig": host_config})["Id"]
    ok("POST", "/containers/bad-run/start")
    ok("POST", "/containers/bad-paused/start")
    ok("POST", "/containers/bad-paused/pause")
    w["exec"] = ok("POST", "/containers/bad-run/exec", {"Cmd": ["true"], "AttachStdout": True})["Id"]
    ok("POST", f"/exec/{w['exec']}/start", {})
    yield w
    for name in ("run", "paused", "made"):
        engine.api("DELETE", f"/containers/bad-{name}?force=1&v=1")
    engine.api("DELETE", "/networks/bad-net")
    engine.api("DELETE", "/volumes/bad-vol")


def fill(text, world):
    for k, v in world.items():
        text = text.replace("{" + k + "}", v)
    return text


def label(row):
    body = row[2] if isinstance(row[2], (dict, str)) else ""
    return f"{row[0]} {row[1]} {json.dumps(body.get('HostConfig', body) if isinstance(body, dict) else body)[:60]}"


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_bad_input(engine, world, row):
    method, path, body, status, text, *headers = row
    before = everything(engine)
    got, answer = engine.api(method, fill(path, world), body, headers[0] if headers else None)
    message = answer["message"] if isinstance(answer, dict) and set(answer) == {"message"} else repr(answer)
    assert (got, message) == (status, fill(text, world)) if not isinstance(text, re) else \
        got == status and regex.match(fill(text, world), message), (got, message)
    assert everything(engine) == before
