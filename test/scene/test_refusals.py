# SPDX-License-Identifier: Apache-2.0
"""Wrong inputs, with the status and the text that Docker 28 gives."""
import json

import pytest

NO_SWARM = ('This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
            'and try again.')

# method, path, body, status, text
ROUTES = [
    ("GET", "/v1.99/info", None, 400, "client version 1.99 is too new. Maximum supported API version is 1.51"),
    ("GET", "/v1.12/info", None, 400,
     "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"),
    ("GET", "/nosuch", None, 404, "page not found"),
    ("GET", "/v1.41/nosuch", None, 404, "page not found"),
    ("PUT", "/info", None, 404, "page not found"),
    ("POST", "/containers/create", "{", 400, "invalid JSON: unexpected end of JSON input"),
    ("POST", "/containers/create", "", 400, "invalid JSON: got EOF while reading request body"),
    ("POST", "/containers/create", {}, 400, "config cannot be empty in order to create a container"),
    ("POST", "/containers/create", {"Image": "nope"}, 404, "No such image: nope:latest"),
    ("POST", "/containers/create?name=a/b", {"Image": "busybox"}, 400,
     "Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
    ("POST", "/containers/create?name=a", {"Image": "busybox"}, 400,
     "Invalid container name (a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
    ("GET", "/containers/nope/json", None, 404, "No such container: nope"),
    ("GET", "/containers/nope/top", None, 404, "No such container: nope"),
    ("GET", "/containers/nope/stats", None, 404, "No such container: nope"),
    ("GET", "/containers/nope/changes", None, 404, "No such container: nope"),
    ("GET", "/containers/nope/export", None, 404, "No such container: nope"),
    ("GET", "/containers/nope/logs?stdout=1", None, 404, "No such container: nope"),
    ("GET", "/containers/nope/logs", None, 400, "Bad parameters: you must choose at least one stream"),
    ("POST", "/containers/nope/start", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/stop", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/restart", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/kill", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/pause", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/unpause", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/rename?name=xy", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/rename?name=", None, 400, "Neither old nor new names may be empty"),
    ("POST", "/containers/nope/update", {}, 404, "No such container: nope"),
    ("POST", "/containers/nope/wait", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/wait?condition=foo", None, 400, 'invalid condition: "foo"'),
    ("POST", "/containers/nope/attach?stream=1", None, 404, "No such container: nope"),
    ("POST", "/containers/nope/exec", {"Cmd": ["true"]}, 404, "No such container: nope"),
    ("POST", "/containers/nope/exec", {"Cmd": []}, 400, "no exec command specified"),
    ("GET", "/containers/nope/archive?path=/x", None, 404, "No such container: nope"),
    ("PUT", "/containers/nope/archive?path=/x", None, 404, "No such container: nope"),
    ("GET", "/containers/nope/archive?path=", None, 400, "bad parameter: 'path' cannot be empty"),
    ("DELETE", "/containers/nope", None, 404, "No such container: nope"),
    ("GET", "/containers/json?filters={\"foo\":[\"x\"]}", None, 400, "invalid filter 'foo'"),
    ("GET", "/containers/json?filters={\"status\":[\"x\"]}", None, 400, "invalid filter 'status=x'"),
    ("GET", "/containers/json?filters={\"health\":[\"x\"]}", None, 400, "invalid filter 'health=x'"),
    ("GET", "/containers/json?filters={\"exited\":[\"x\"]}", None, 400, "invalid filter 'exited=x'"),
    ("GET", "/containers/json?filters={\"before\":[\"nope\"]}", None, 404, "No such container: nope"),
    ("POST", "/containers/prune?filters={\"foo\":[\"x\"]}", None, 400, "invalid filter 'foo'"),
    ("GET", "/exec/nope/json", None, 404, "No such exec instance: nope"),
    ("POST", "/exec/nope/start", {}, 404, "No such exec instance: nope"),
    ("POST", "/exec/nope/resize?h=1&w=1", None, 404, "No such exec instance: nope"),
    ("GET", "/images/nope/json", None, 404, "No such image: nope:latest"),
    ("GET", "/images/nope/history", None, 404, "No such image: nope:latest"),
    ("DELETE", "/images/nope", None, 404, "No such image: nope:latest"),
    ("POST", "/images/nope/tag?repo=x", None, 404, "No such image: nope:latest"),
    ("POST", "/images/create", None, 400, "invalid reference format"),
    ("GET", "/images/json?filters={\"foo\":[\"x\"]}", None, 400, "invalid filter 'foo'"),
    ("GET", "/images/json?filters={\"dangling\":[\"x\"]}", None, 400, "invalid filter 'dangling=x'"),
    ("POST", "/images/prune?filters={\"foo\":[\"x\"]}", None, 400, "invalid filter 'foo'"),
    ("GET", "/networks/nope", None, 404, "network nope not found"),
    ("DELETE", "/networks/nope", None, 404, "network nope not found"),
    ("DELETE", "/networks/bridge", None, 403, "bridge is a pre-defined network and cannot be removed"),
    ("DELETE", "/networks/host", None, 403, "host is a pre-defined network and cannot be removed"),
    ("POST", "/networks/create", {"Name": "bridge"}, 403, "operation is not permitted on predefined bridge network "),
    ("POST", "/networks/nope/connect", {"Container": "nope"}, 404, None),
    ("GET", "/networks?filters={\"type\":[\"x\"]}", None, 400, "invalid filter: 'type'='x'"),
    ("GET", "/volumes/nope", None, 404, "get nope: no such volume"),
    ("DELETE", "/volumes/nope", None, 404, "get nope: no such volume"),
    ("POST", "/volumes/create", {"Name": "a/b"}, 400,
     'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
     'If you intended to pass a host directory, use absolute path'),
    ("POST", "/volumes/create", {"Name": "a"}, 400,
     "create a: volume name is too short, names should be at least two alphanumeric characters"),
    ("POST", "/volumes/create", {"Name": "ab", "Driver": "foo"}, 404,
     'create ab: error looking up volume plugin foo: plugin "foo" not found'),
    ("POST", "/volumes/create", {"Name": "ab", "DriverOpts": {"foo": "x"}}, 400, 'create ab: invalid option: "foo"'),
    ("GET", "/volumes?filters={\"foo\":[\"x\"]}", None, 400, "invalid filter 'foo'"),
    ("GET", "/events?filters={\"foo\":[\"x\"]}", None, 400, "invalid filter 'foo'"),
    ("GET", "/system/df?type=zz", None, 400, "unknown object type: zz"),
    ("GET", "/swarm", None, 503, NO_SWARM),
    ("GET", "/nodes", None, 503, NO_SWARM),
    ("GET", "/services", None, 503, NO_SWARM),
    ("GET", "/tasks", None, 503, NO_SWARM),
    ("GET", "/secrets", None, 503, NO_SWARM),
    ("GET", "/configs", None, 503, NO_SWARM),
    ("POST", "/services/create", {}, 503, NO_SWARM),
    ("POST", "/swarm/leave", None, 503, "This node is not part of a swarm"),
]

# body of a create (with Image), status, text
CREATES = [
    ({"WorkingDir": "rel"}, 400, "the working directory 'rel' is invalid, it needs to be an absolute path"),
    ({"Env": ["=x"]}, 400, "invalid environment variable: =x"),
    ({"Env": [""]}, 400, "invalid environment variable: "),
    ({"StopSignal": "SIGFOO"}, 400, "invalid signal: SIGFOO"),
    ({"ExposedPorts": {"x": {}}}, 400, None),
    ({"Healthcheck": {"Interval": 5}}, 400, "Interval in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": {"Timeout": 5}}, 400, "Timeout in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": {"Retries": -1}}, 400, "Retries in Healthcheck cannot be negative"),
    ({"Healthcheck": {"StartPeriod": 5}}, 400, "StartPeriod in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": {"StartInterval": 5}}, 400, "StartInterval in Healthcheck cannot be less than 1ms"),
]

HOSTS = [
    ({"Binds": ["/a:b"]}, 400, "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute"),
    ({"Binds": ["/a:/b:xx"]}, 400, "invalid mode: xx"),
    ({"Binds": ["/a:/"]}, 400, "invalid volume specification: '/a:/': invalid specification: destination can't be '/'"),
    ({"Binds": ["/a:/b:ro:x"]}, 400, "invalid volume specification: '/a:/b:ro:x'"),
    ({"Binds": ["/a:/b", "/c:/b"]}, 400, "Duplicate mount point: /b"),
    ({"VolumesFrom": ["nope"]}, 404, "No such container: nope"),
    ({"VolumesFrom": ["nope:xx"]}, 400, "invalid mode for volumes-from: xx"),
    ({"Mounts": [{"Type": "bind", "Source": "/nonexist", "Target": "/x"}]}, 400,
     'invalid mount config for type "bind": bind source path does not exist: /nonexist'),
    ({"Mounts": [{"Type": "bind", "Target": "/x"}]}, 400, 'invalid mount config for type "bind": field Source must not be empty'),
    ({"Mounts": [{"Type": "bind", "Source": "/tmp"}]}, 400, 'invalid mount config for type "bind": field Target must not be empty'),
    ({"Mounts": [{"Type": "bind", "Source": "tmp", "Target": "/x"}]}, 400,
     "invalid mount config for type \"bind\": invalid mount path: 'tmp' mount path must be absolute"),
    ({"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "x"}]}, 400,
     "invalid mount config for type \"bind\": invalid mount path: 'x' mount path must be absolute"),
    ({"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x", "VolumeOptions": {"NoCopy": True}}]}, 400,
     'invalid mount config for type "bind": field VolumeOptions must not be specified'),
    ({"Mounts": [{"Type": "volume", "Source": "v", "Target": "/x", "BindOptions": {"Propagation": "shared"}}]}, 400,
     'invalid mount config for type "volume": field BindOptions must not be specified'),
    ({"Mounts": [{"Type": "tmpfs", "Source": "v", "Target": "/x"}]}, 400,
     'invalid mount config for type "tmpfs": field Source must not be specified'),
    ({"Mounts": [{"Type": "foo", "Target": "/x"}]}, 400, 'invalid mount config for type "foo": mount type unknown'),
    ({"Tmpfs": {"rel": ""}}, 400, "invalid mount path: 'rel' mount path must be absolute"),
    ({"NetworkMode": "container:"}, 400, "invalid container format container:<name|id>"),
    ({"NetworkMode": "container:x", "PublishAllPorts": True}, 400,
     "conflicting options: port publishing and the container type network mode"),
    ({"NetworkMode": "container:x", "Dns": ["1.1.1.1"]}, 400, "conflicting options: dns and the network mode"),
    ({"NetworkMode": "container:x", "ExtraHosts": ["a:1.1.1.1"]}, 400,
     "conflicting options: custom host-to-IP mapping and the network mode"),
    ({"NetworkMode": "container:x", "Links": ["a"]}, 400,
     "conflicting options: container type network can't be used with links. This would result in undefined behavior"),
    ({"NetworkMode": "host", "Links": ["a"]}, 400,
     "conflicting options: host type networking can't be used with links. This would result in undefined behavior"),
    ({"Memory": 100}, 400, "Minimum memory limit allowed is 6MB"),
    ({"MemorySwap": 10000000}, 400, "You should always set the Memory limit when using Memoryswap limit, see usage"),
    ({"NanoCpus": 9000000000000}, 400, None),
    ({"CapAdd": ["FOO"]}, 400, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
    ({"CapDrop": ["FOO"]}, 400, 'invalid CapDrop: unknown capability: "CAP_FOO"'),
    ({"RestartPolicy": {"Name": "foo"}}, 400,
     "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"),
    ({"RestartPolicy": {"Name": "always"}, "AutoRemove": True}, 400, "can't create 'AutoRemove' container with restart policy"),
    ({"PortBindings": {"x/tcp": []}}, 400, 'invalid port specification: "x/tcp"'),
    ({"LogConfig": {"Type": "foo"}}, 400, "logger: no log driver named 'foo' is registered"),
    ({"SecurityOpt": ["foo=bar"]}, 400, 'invalid --security-opt 2: "foo=bar"'),
    ({"ShmSize": -1}, 400, "SHM size can not be less than 0"),
    ({"OomScoreAdj": 1001}, 400, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
    ({"BlkioWeight": 5}, 400, "Range of blkio weight is from 10 to 1000"),
    ({"PidMode": "foo"}, 400, "invalid PID mode: foo"),
    ({"Runtime": "foo"}, 400, "unknown or invalid runtime name: foo"),
]


def ask(engine, method, path, body):
    from urllib.parse import quote
    where, _, query = path.partition("?")
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if isinstance(body, dict):
        body = json.dumps(body)
    return engine.api(method, where + ("?" + quote(query, safe="=&") if query else ""), body, headers)


def ids(engine):
    return {c["Id"] for c in engine.api("GET", "/containers/json?all=1")[1]}


@pytest.fixture(scope="module", autouse=True)
def before(engine):
    return ids(engine)


def check(got, status, text):
    assert got[0] == status, got
    message = got[1]["message"]
    assert message == text if text is not None else message, message


@pytest.mark.parametrize("method,path,body,status,text", ROUTES, ids=lambda v: None)
def test_route_refuses(engine, method, path, body, status, text):
    check(ask(engine, method, path, body), status, text)


@pytest.mark.parametrize("body,status,text", CREATES, ids=lambda v: None)
def test_create_refuses_a_configuration(engine, body, status, text):
    check(ask(engine, "POST", "/containers/create", {"Image": "busybox", **body}), status, text)


@pytest.mark.parametrize("host,status,text", HOSTS, ids=lambda v: None)
def test_create_refuses_a_host_configuration(engine, host, status, text):
    check(ask(engine, "POST", "/containers/create", {"Image": "busybox", "HostConfig": host}), status, text)


def test_nothing_is_left_by_what_was_refused(engine, before):
    assert ids(engine) == before
