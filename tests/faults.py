"""Things that go wrong, made on purpose: a server that misbehaves, a disk that is full or cannot be written to."""

import hashlib
import http.server
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONTENT = bytes(range(256)) * 5000  # 1.28 MB, more than one block
SHA256 = hashlib.sha256(CONTENT).hexdigest()
BODIES = {"/wrong": CONTENT[:-1] + b"x", "/long": CONTENT + b"more", "/short": CONTENT[:-5000]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        times = self.server.asked.count(self.path)
        if self.path == "/missing" or (self.path == "/busy" and times < 3):
            self.send_error(404 if self.path == "/missing" else 503)
        elif self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        else:
            body = BODIES.get(self.path, CONTENT)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.send_body(body, times)

    def send_body(self, body, times):
        if self.path == "/stall":
            self.wfile.write(body[:700_000])
            self.server.over.wait(20)
        elif self.path == "/cut" or (self.path == "/cut-once" and times == 1):
            self.wfile.write(body[:-5000])
        elif self.path == "/slow":
            for start in range(0, len(body), 64_000):
                self.wfile.write(body[start : start + 64_000])
                time.sleep(0.02)
        else:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Clients that are killed or give up are what this is about."""


def growth(function):
    """Bytes by which `function` makes this process grow at most; without /proc, past its largest size so far."""
    resource = pytest.importorskip("resource")
    if (forget := Path("/proc/self/clear_refs")).exists():
        forget.write_text("5")  # the largest size so far, see proc(5)

    def largest():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    before = largest()
    function()
    return largest() - before


LOOPBACK = (
    "import fcntl, socket, struct; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH', b'lo', 0x41))"  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
)


def mounted(folder, options, *, network=True):
    """A command that runs the rest with a small file system of its own at `folder`; skips where that cannot be.

    Without `network` nothing but this machine itself can be reached.
    """
    own = ["unshare", "-rm" if network else "-rmn"]
    if not shutil.which("unshare") or subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs Linux with user namespaces, to mount a file system")
    folder.mkdir()
    loopback = "true" if network else f'"{sys.executable}" -c "{LOOPBACK}"'
    return [*own, "sh", "-c", f'mount -t tmpfs -o {options} tmpfs "{folder}" && {loopback} && exec "$@"', "-"]
