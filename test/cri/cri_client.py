# SPDX-License-Identifier: Apache-2.0
"""A CRI client for tests: messages are made at run time from api/cri/runtime.kind, calls go through grpcio."""
import os
import re

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
F = descriptor_pb2.FieldDescriptorProto
SCALARS = {"string": F.TYPE_STRING, "bool": F.TYPE_BOOL, "int32": F.TYPE_INT32, "int64": F.TYPE_INT64, "uint32": F.TYPE_UINT32,
           "uint64": F.TYPE_UINT64, "bytes": F.TYPE_BYTES, "float64": F.TYPE_DOUBLE}


def _field(m, name, number, typ):
    f = m.field.add(name=name, number=number, label=F.LABEL_OPTIONAL)
    if typ.startswith("map["):
        key, value = re.match(r"map\[(\w+)\](.*)", typ).groups()
        entry = m.nested_type.add(name=re.sub(r"(^|_)(\w)", lambda x: x.group(2).upper(), name) + "Entry")
        entry.options.map_entry = True
        _field(entry, "key", 1, key)
        _field(entry, "value", 2, value)
        f.label, f.type, f.type_name = F.LABEL_REPEATED, F.TYPE_MESSAGE, f".cri.{m.name}.{entry.name}"
        return
    if typ.startswith("[]"):
        f.label = F.LABEL_REPEATED
        typ = typ[2:]
    typ = typ.lstrip("*")
    if typ in SCALARS:
        f.type = SCALARS[typ]
    else:
        f.type, f.type_name = F.TYPE_MESSAGE, ".cri." + typ


def _load():
    d = descriptor_pb2.FileDescriptorProto(name="cri.proto", package="cri", syntax="proto3")
    m = None
    with open(os.path.join(TOP, "api/cri/runtime.kind")) as f:
        for line in f:
            w = line.split("#")[0].split()
            if line.startswith("kind "):
                m = d.message_type.add(name=w[1])
            elif w and line[0] == "\t":
                pb = [x for x in w[2:] if x.startswith("pb=")]
                _field(m, w[0], int(pb[0][3:]), w[1])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(d)
    return {x.name: message_factory.GetMessageClass(pool.FindMessageTypeByName("cri." + x.name)) for x in d.message_type}


M = _load()
IMAGE = {"ListImages", "StreamImages", "ImageStatus", "PullImage", "RemoveImage", "ImageFsInfo"}
ODD = {"GetContainerEvents": ("GetEventsRequest", "ContainerEventResponse")}
READY, NOTREADY = 0, 1
CREATED, RUNNING, EXITED = 0, 1, 2
POD, CONTAINER, NODE, TARGET = 0, 1, 2, 3


class Cri:
    def __init__(self, sock):
        self.channel = grpc.insecure_channel("unix://" + sock, options=[("grpc.max_receive_message_length", 32 << 20)])

    def close(self):
        self.channel.close()

    def call(self, method, rpc_timeout=60, **fields):
        q, p = ODD.get(method, (method + "Request", method + "Response"))
        path = f"/runtime.v1.{'Image' if method in IMAGE else 'Runtime'}Service/{method}"
        make = self.channel.unary_stream if method.startswith("Stream") or method in ODD else self.channel.unary_unary
        f = make(path, request_serializer=lambda x: x.SerializeToString(), response_deserializer=M[p].FromString)
        return f(M[q](**fields), timeout=rpc_timeout, wait_for_ready=True)

    # --- the everyday path
    def pod(self, name="pod", **more):
        c = dict(metadata=dict(name=name, namespace="default", uid="uid-" + name, attempt=0), hostname=name)
        c.update(more)
        c = M["PodSandboxConfig"](**c)
        return self.call("RunPodSandbox", config=c).pod_sandbox_id, c

    def container(self, pod, name="c", command=("sleep", "1000"), image="busybox", start=True, **more):
        sandbox, config = pod
        c = dict(metadata=dict(name=name, attempt=0), image=dict(image=image), command=list(command), log_path=f"{name}.log")
        c.update(more)
        cid = self.call("CreateContainer", pod_sandbox_id=sandbox, config=M["ContainerConfig"](**c), sandbox_config=config).container_id
        if start:
            self.call("StartContainer", container_id=cid)
        return cid

    def status(self, cid):
        return self.call("ContainerStatus", container_id=cid).status

    def pod_status(self, pid):
        return self.call("PodSandboxStatus", pod_sandbox_id=pid).status

    def sh(self, cid, script, timeout=20):
        r = self.call("ExecSync", container_id=cid, cmd=["sh", "-c", script], timeout=timeout)
        return r.exit_code, r.stdout.decode(), r.stderr.decode()

    def out(self, cid, script):
        code, out, err = self.sh(cid, script)
        assert code == 0, (code, out, err)
        return out.strip()

    def ids(self):
        return [p.id for p in self.call("ListPodSandbox").items]

    def remove_all(self):
        for i in self.ids():
            self.call("StopPodSandbox", pod_sandbox_id=i)
            self.call("RemovePodSandbox", pod_sandbox_id=i)
