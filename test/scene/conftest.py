# SPDX-License-Identifier: Apache-2.0
"""The fixture `scene`: one client at the shared engine, with names that are removed afterwards."""
import json

import pytest
from coracle_test import clients


class Scene:
    def __init__(self, engine, client):
        self.engine = engine
        self.client = client
        self.made = []

    def __call__(self, *args, **kw):
        """Runs the client; the completed process."""
        return self.engine.cli(self.client, *args, **kw)

    def out(self, *args, **kw):
        """What the client printed, without the last newline."""
        return self(*args, **kw).stdout.rstrip("\n")

    def sh(self, *args, image="busybox"):
        """What a shell in a container printed; the last argument is its script, those before are flags."""
        return self.out("run", "--rm", *args[:-1], image, "sh", "-c", args[-1])

    def refused(self, *args, **kw):
        """What the client said when it must fail."""
        r = self(*args, check=False, **kw)
        assert r.returncode != 0, r
        return r.stderr

    def inspect(self, *args):
        return json.loads(self.out("inspect", *args))[0]

    def name(self, what, kind="container"):
        """A name of this client's own; what has it is removed now and at the end."""
        n = f"{what}-{self.client.name}"
        self.made.append((kind, n))
        self.remove(kind, n)
        return n

    def box(self, what, *args):
        """A container that sleeps; its name."""
        n = self.name(what)
        self("run", "-d", "--name", n, *args, "busybox", "sleep", "1000")
        return n

    def remove(self, kind, name):
        how = {"container": ["rm", "-f", "-v"], "image": ["rmi", "-f"]}.get(kind, [kind, "rm"])
        self.engine.docker(*how, name, check=False)

    def clean(self):
        for kind in "container", "network", "volume", "image":
            for k, n in self.made:
                if k == kind:
                    self.remove(k, n)


@pytest.fixture(params=[c for c in clients() if c.name != "docker20"], ids=lambda c: c.name)
def scene(request, engine):
    if request.param.missing():
        pytest.skip(request.param.missing())
    s = Scene(engine, request.param)
    yield s
    s.clean()
