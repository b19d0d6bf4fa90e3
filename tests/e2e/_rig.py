"""Python with the libraries of scripts/python-rig.txt, and a schema registry.

A test that needs them begins with

    import _lib as lib
    import _rig as rig
    rig.enter()

which runs it again with that Python. rig.registry() starts the registry once
for the file; rig.guarded() is a proxy in front of it that wants a password and
can speak TLS.
"""
import atexit
import base64
import http.client
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import _lib as lib


def enter():
    """Replaces the process by the rig's Python; exits with 77 if there is
    none."""
    if os.environ.get("TG_RIG"):
        return
    made = subprocess.run(
        ["bash", "-c", '. "$1/scripts/lib.sh" && python_rig', "-",
         lib.SOURCE_DIR], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    if made.returncode != 0:
        print(made.stderr[-2000:])
        print("no Python environment with fastavro and confluent-kafka")
        sys.exit(lib.SKIPPED)
    python = made.stdout.strip()
    os.execve(python, [python, *sys.argv], dict(os.environ, TG_RIG="1"))


_registry = None


def registry():
    """URL of a registry of this file's own."""
    global _registry
    if _registry is None:
        _registry = Registry()
        atexit.register(_registry.remove)
    return _registry.url


class Registry:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tidegate-registry-")
        self.env = dict(os.environ, TG_SERVERS=self.folder)
        self.script = os.path.join(lib.SOURCE_DIR, "scripts", "servers")
        started = subprocess.run(
            [self.script, "registry", "start"], env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        found = [line for line in started.stdout.splitlines()
                 if line.startswith("registry=")]
        lib.check(found, "no registry:", started.stderr[-2000:])
        self.url = found[0][len("registry="):]

    def remove(self):
        subprocess.run([self.script, "registry", "stop"], env=self.env,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        server = self.server
        server.requests.append(self.command + " " + self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if server.user and self.headers.get("Authorization") != server.user:
            return self.reply(
                401, b'{"error_code":401,"message":"user or password wrong"}')
        to = http.client.HTTPConnection(server.target.netloc, timeout=30)
        to.request(self.command, server.target.path + self.path, body,
                   {"Content-Type": "application/json"})
        got = to.getresponse()
        text = got.read()
        to.close()
        self.reply(got.status, text, got.getheader("Content-Type") or "")

    do_GET = do_POST = handle_one


def guarded(case, user=None, tls=False):
    """A proxy before the registry: wants user ("name:password"), and with tls
    a PEM file of its own certificate comes as second value."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.target = urllib.parse.urlsplit(registry())
    server.requests = []
    server.user = user and "Basic " + base64.b64encode(user.encode()).decode()
    pem, scheme = None, "http"
    if tls:
        key, pem, scheme = case.path("key.pem"), case.path("cert.pem"), "https"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-keyout", key, "-out", pem, "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.cleanups.append(server.shutdown)
    url = "%s://127.0.0.1:%d" % (scheme, server.server_address[1])
    return url, pem, server
