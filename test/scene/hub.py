# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Docker Hub: HTTPS, a token service, `library/` names, one image a name. Counts what it refuses."""
import base64
import gzip
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import threading
import urllib.parse

TOKEN = "stand-in-token"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_certificate(folder):
    """A CA and a certificate for localhost and 127.0.0.1; the folder then holds ca.crt server.crt server.key."""
    run = lambda *a: subprocess.run(a, cwd=folder, check=True, capture_output=True)  # noqa: E731
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=test CA",
        "-keyout", "ca.key", "-out", "ca.crt")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key",
        "-out", "server.csr")
    with open(os.path.join(folder, "ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "ext",
        "-out", "server.crt")


class Hub:
    def __init__(self, folder, users=None):
        make_certificate(folder)
        self.folder = str(folder)
        self.users = users or {}
        self.images = {}
        self.blobs = {}
        self.asked = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *a):
                pass

            def reply(self, status, body=b"", kind="application/json", **headers):
                if not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for k, v in headers.items():
                    self.send_header(k.replace("_", "-"), v)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self):
                hub.answer(self)
            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.path.join(folder, "server.crt"), os.path.join(folder, "server.key"))
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, name, tag, tar, config):
        """One-layer image from an uncompressed tar; config is the "config" object."""
        layer = gzip.compress(tar, mtime=0)
        conf = json.dumps({"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z", "config": config,
                           "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}, "history": [{"created_by": "made for the test"}]}).encode()
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": kind,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(conf), "digest": digest(conf)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(layer), "digest": digest(layer)}]}).encode()
        other = json.dumps({"schemaVersion": 2}).encode()
        index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": [
            {"mediaType": kind, "digest": digest(other), "size": len(other), "platform": {"architecture": "s390x", "os": "linux"}},
            {"mediaType": kind, "digest": digest(manifest), "size": len(manifest), "platform": {"architecture": "amd64", "os": "linux"}}]}).encode()
        for b in (layer, conf):
            self.blobs[digest(b)] = b
        for key, body, k in ((tag, index, "application/vnd.docker.distribution.manifest.list.v2+json"), (digest(index), index,
                             "application/vnd.docker.distribution.manifest.list.v2+json"), (digest(manifest), manifest, kind)):
            self.images[(name, key)] = (body, k)
        return digest(index)

    def answer(self, h):
        url = urllib.parse.urlparse(h.path)
        self.asked.append(f"{h.command} {h.path}")
        auth = h.headers.get("Authorization", "")
        if url.path == "/token":
            q = urllib.parse.parse_qs(url.query)
            if auth.startswith("Basic "):
                user, _, password = base64.b64decode(auth[6:]).decode().partition(":")
                if self.users.get(user) != password:
                    return h.reply(401, {"details": "incorrect username or password"})
            assert q["service"] == ["stand-in"]
            return h.reply(200, {"token": TOKEN, "expires_in": 300})
        if auth != f"Bearer {TOKEN}":
            scope = ""
            parts = url.path.split("/")
            if len(parts) > 4:
                scope = f',scope="repository:{"/".join(parts[2:-2])}:pull"'
            return h.reply(401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]},
                           WWW_Authenticate=f'Bearer realm="{self.url}/token",service="stand-in"{scope}')
        if url.path == "/v2/":
            return h.reply(200, {})
        if "/manifests/" in url.path:
            name, key = url.path[4:].split("/manifests/")
            found = self.images.get((name, key))
            if not found:
                return h.reply(404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]})
            return h.reply(200, found[0], found[1], Docker_Content_Digest=digest(found[0]))
        if "/blobs/" in url.path:
            blob = self.blobs.get(url.path.rsplit("/", 1)[1])
            if blob is None:
                return h.reply(404, {"errors": [{"code": "BLOB_UNKNOWN", "message": "blob unknown"}]})
            return h.reply(200, blob, "application/octet-stream")
        return h.reply(404, {"errors": [{"code": "UNSUPPORTED"}]})
