# SPDX-License-Identifier: Apache-2.0
"""Crowds of peers that do nothing, or half of something, harm nobody else."""
import os
import socket
import time


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    return s


def ask(s):
    s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    got = b""
    while not got.endswith(b"OK"):
        piece = s.recv(4096)
        assert piece, got
        got += piece


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_a_thousand_idle_and_a_thousand_half_open_connections_harm_nobody(own_engine):
    e = own_engine.start()
    pid = e.process.pid
    crowd = []
    try:
        ask(connect(e.sock))
        before = resident_kb(pid)
        for _ in range(1000):
            s = connect(e.sock)
            ask(s)
            crowd.append(s)
            s = connect(e.sock)
            s.sendall(b"GET /_ping HTTP/1.1\r\nHo")
            crowd.append(s)
        began = time.monotonic()
        for _ in range(100):
            s = connect(e.sock)
            ask(s)
            s.close()
        assert time.monotonic() - began < 2
        # A state object and a few bytes of a head each, no fiber.
        assert resident_kb(pid) - before < 2000
        # Half-open heads can still be finished.
        crowd[1].sendall(b"st: x\r\n\r\n")
        assert crowd[1].recv(4096).startswith(b"HTTP/1.1 200 ")
        assert len(os.listdir(f"/proc/{pid}/task")) < 20
    finally:
        for s in crowd:
            s.close()
