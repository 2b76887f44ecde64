#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
cri-tools' critest (v1.34) against our server, offline: the images that it names are made of our busybox and tagged through Docker.
Left out is what cannot be had so: pulls from gcr.io (Image Manager; test_cri.py pulls from our registry) and the set-user-id program of
NoNewPrivs; MaskedPaths masks /bin/ls, which is busybox itself here. `make critest` installs and runs it; arguments go to critest, e.g. --ginkgo.focus=Networking.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from coracle_test import BUILD, Engine  # noqa: E402

SKIP = "Image Manager|NoNewPrivs|MaskedPaths"
PAGE = "<html><head><title>Welcome to nginx!</title></head><body>Welcome to nginx!</body></html>"
PGREP = r"""RUN printf '#!/bin/sh\nfor p in /proc/[0-9]*; do [ "$(cat $p/comm 2>/dev/null)" = "$1" ] && basename $p; done\n' > /bin/pgrep && chmod 755 /bin/pgrep
"""
IPCS = r"""RUN printf '#!/bin/sh\ncat /proc/sysvipc/shm\n' > /bin/ipcs && chmod 755 /bin/ipcs
"""


def web(port):
    return (f"FROM busybox\nRUN mkdir -p /www /var/run && echo '{PAGE}' > /www/index.html\n"
            f"RUN printf '#!/bin/sh\\necho $$ > /var/run/nginx.pid\\nhttpd -f -p {port} -h /www\\nexit\\n' > /bin/nginx && chmod 755 /bin/nginx\n"
            "CMD [\"/bin/nginx\", \"master process\"]\n")


IMAGES = {
    "registry.k8s.io/e2e-test-images/busybox:1.29-2": "FROM busybox\n" + PGREP + IPCS,
    "registry.k8s.io/e2e-test-images/nginx:1.14-2": web(80),
    "registry.k8s.io/e2e-test-images/httpd:2.4.39-4":
        "FROM busybox\nRUN mkdir /w && echo '<html><body><h1>It works!</h1></body></html>' > /w/index.html\n"
        "CMD [\"sh\", \"-c\", \"echo httpd begins; exec httpd -f -p 80 -h /w\"]\n",
    "gcr.io/k8s-staging-cri-tools/hostnet-nginx-amd64": web(12003),
    "gcr.io/k8s-staging-cri-tools/test-image-predefined-group":
        "FROM busybox\nRUN echo default-user:x:1000:1000::/:/bin/sh >> /etc/passwd && echo default-user:x:1000: >> /etc/group && "
        "echo group-defined-in-image:x:50000:default-user >> /etc/group\nUSER 1000\n",
}


def main():
    program = os.environ.get("CRITEST", os.path.join(BUILD, "critest"))
    e = Engine().start()
    try:
        e.load("busybox")
        for name, text in IMAGES.items():
            e.docker("build", "-t", name, "-", input=text, stdin=None)
        end = f"unix://{e.cri_sock}"
        r = subprocess.run([program, f"--runtime-endpoint={end}", f"--image-endpoint={end}", "--ginkgo.no-color", f"--ginkgo.skip={SKIP}",
                            "--ginkgo.timeout=900s", *sys.argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=e.dir)
        with open(os.path.join(BUILD, "critest.log"), "w") as f:
            f.write(r.stdout)
        for line in sorted(set(re.findall(r"^\s*(\[FAIL\].*|.*Passed.*Failed.*)$", r.stdout, re.M))):
            print(line)
    finally:
        left = e.stop()
    if left:
        print("left behind:", left)
    return 1 if r.returncode or left else 0


if __name__ == "__main__":
    sys.exit(main())
