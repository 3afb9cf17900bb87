"""Faults made on purpose: a faulty web server, a disk that is full or read-only; and the memory that code takes."""

import hashlib
import http.server
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONTENT = bytes(range(256)) * 5000  # 1.28 MB, more than one block; what the faulty server serves
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ERRORS = {"/missing": 404, "/busy": 503}


class FaultyHandler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the path of the request selects what goes wrong. Paths without a fault of their own work."""

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path in ERRORS:
            self.send_error(ERRORS[self.path])
        elif self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.send_body(CONTENT[:-1] + b"x" if self.path == "/wrong" else CONTENT)

    def send_body(self, body):
        if self.path == "/stall":
            self.wfile.write(body[:700_000])
            self.server.over.wait(20)
        elif self.path == "/cut":
            self.wfile.write(body[:-5000])
        elif self.path == "/slow":
            for start in range(0, len(body), 64_000):
                self.wfile.write(body[start : start + 64_000])
                time.sleep(0.02)
        else:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class FaultyServer(http.server.ThreadingHTTPServer):
    """Server for `FaultyHandler`; each request gets a thread, so that a stalled one does not block the others."""

    def handle_error(self, request, client_address):
        """Prints nothing, since clients are killed and give up on purpose."""


def memory_growth(function):
    """Measures the peak memory of a function, as the bytes by which this process grows while the function runs.

    Unlike `tracemalloc`, this includes memory that C libraries allocate. The peak that the operating system records is
    reset through /proc before the call. Where there is no /proc, only growth beyond the earlier peak is measured.
    """
    resource = pytest.importorskip("resource")
    if (clear_refs := Path("/proc/self/clear_refs")).exists():
        clear_refs.write_text("5")  # resets the peak, see proc(5)

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    before = peak()
    function()
    return peak() - before


LOOPBACK = (
    "import fcntl, socket, struct; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH', b'lo', 0x41))"  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
)


def mounted(folder, options, *, network=True):
    """Makes the beginning of a command whose program finds a small or read-only file system at a folder.

    `[*mounted(folder, "size=600k"), "python", "script.py"]` runs the script in a user namespace of its own, in which a
    temporary file system (tmpfs) is mounted at the folder. This needs no administrator rights, and the mount ends
    with the program. Where the system does not allow it, the test is skipped.

    Args:
        folder: Path of the folder, which is made.
        options: String, options for `mount`, such as "size=600k" for a small disk or "ro" for a read-only one.
        network: Boolean, default True. With False the program can reach only this machine itself.

    Returns:
        List of strings, the words to put in front of a command.
    """
    unshare = ["unshare", "-rm" if network else "-rmn"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs Linux with user namespaces, to mount a file system")
    folder.mkdir()
    loopback = "true" if network else f'"{sys.executable}" -c "{LOOPBACK}"'
    return [*unshare, "sh", "-c", f'mount -t tmpfs -o {options} tmpfs "{folder}" && {loopback} && exec "$@"', "-"]
