"""Network errors and the advice for them, as the doctor and failed downloads print it."""

import http.server
import re
import shutil
import ssl
import subprocess
import threading

import pytest

from dlkit import doctor
from dlkit.data.dataset import DataError
from dlkit.data.download import Download, fetch
from dlkit.runtime import network

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def no_proxy(monkeypatch):
    """Allows the network and removes settings of proxies and certificates."""
    for name in (*PROXIES, *(name.lower() for name in PROXIES), "DLKIT_OFFLINE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as a web server does, and as a proxy that asks for a password when it should open a tunnel."""

    def do_HEAD(self):
        self.server.requests.append((self.command, self.path))
        self.send_response(407 if self.path.endswith("/login") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()

    def do_CONNECT(self):
        self.server.requests.append((self.command, self.path))
        self.send_error(407)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def web():
    """Function that starts a server on this machine and returns it; its attribute `requests` lists (method, path).

    Given a certificate, it is an HTTPS server. It can serve as a proxy too, since the requests to a proxy look like
    those to a server.
    """
    started = []

    def start(certificate=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.requests = []
        server.handle_error = lambda *arguments: None  # clients that do not trust its certificate disconnect
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate, as (certificate file, key file). No client trusts it unless it is configured to."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl, to make a certificate")
    files = str(tmp_path / "school.pem"), str(tmp_path / "key.pem")
    options = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *options, "-out", files[0], "-keyout", files[1]]
    subprocess.run(line, check=True, capture_output=True)
    return files


def download_from(url):
    """A `Download` whose content does not exist at the URL."""
    return Download("file.bin", "0" * 64, (url,))


def test_doctor_sends_one_head_request(web, no_proxy, monkeypatch):
    server = web()
    monkeypatch.setattr(doctor, "URL", f"http://127.0.0.1:{server.server_port}/mnist.npz")
    assert doctor._network() == ("ok", "network", "127.0.0.1 answers")
    assert server.requests == [("HEAD", "/mnist.npz")]


def test_offline_mode_sends_no_request(web, no_proxy, monkeypatch, posix_shell):
    server = web()
    monkeypatch.setattr(doctor, "URL", f"http://127.0.0.1:{server.server_port}/mnist.npz")
    monkeypatch.setenv("DLKIT_OFFLINE", "1")
    assert doctor._network() == ("note", "network", "not tried, DLKIT_OFFLINE is set → unset DLKIT_OFFLINE")
    assert server.requests == []


def test_unknown_certificate_advice_works(web, certificate, no_proxy, monkeypatch, tmp_path, posix_shell):
    server = web(certificate)
    url = f"https://127.0.0.1:{server.server_port}/mnist.npz"
    monkeypatch.setattr(doctor, "URL", url)
    monkeypatch.setattr(network.sys, "platform", "linux")
    status, _, text = doctor._network()
    assert status == "note"
    assert "CERTIFICATE_VERIFY_FAILED" in text
    assert re.search("→ .*ask for its root certificate .*: export SSL_CERT_FILE=/path/to/root.pem$", text)
    with pytest.raises(DataError) as failure:
        fetch(download_from(url), tmp_path / "new")
    assert "in the network of a school or company, ask for its root certificate" in str(failure.value)
    assert "export SSL_CERT_FILE=/path/to/root.pem\n→ or download it by hand into" in str(failure.value)
    assert "later" not in str(failure.value)
    assert server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    assert doctor._network()[0] == "ok"
    assert server.requests == [("HEAD", "/mnist.npz")]


def test_certificate_advice_names_the_date_and_on_macos_the_script(monkeypatch, posix_shell):
    error = ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired")
    assert network.suggest_fix(error, doctor.URL).startswith("check the date of this computer; ")
    for platform, is_named in (("darwin", True), ("linux", False)):
        monkeypatch.setattr(network.sys, "platform", platform)
        fix = network.suggest_fix(error, doctor.URL)
        assert ("; run Install Certificates.command in" in fix) == is_named
        assert fix.endswith("export SSL_CERT_FILE=/path/to/root.pem")


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_proxy_password_advice_hides_the_password(web, no_proxy, monkeypatch, tmp_path, posix_shell, scheme):
    server = web()
    address = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://student:pa55word@{address}/")
    monkeypatch.setattr(doctor, "URL", f"{scheme}://example.invalid/login")
    status, _, text = doctor._network()
    assert status == "note"
    assert text.startswith(f"example.invalid through the proxy {address} does not answer (")
    assert text.endswith(f": export HTTPS_PROXY=http://NAME:PASSWORD@{address}")
    with pytest.raises(DataError) as failure:
        fetch(download_from(doctor.URL), tmp_path / "new")
    assert f"export HTTPS_PROXY=http://NAME:PASSWORD@{address}\n→ or download it by hand" in str(failure.value)
    assert {method for method, _ in server.requests} == ({"CONNECT"} if scheme == "https" else {"HEAD", "GET"})
    for printed in (text, str(failure.value)):
        assert "student" not in printed
        assert "pa55word" not in printed


def test_working_proxy_is_named(web, no_proxy, monkeypatch):
    server = web()
    monkeypatch.setenv("HTTP_PROXY", f"http://student:pa55word@127.0.0.1:{server.server_port}")
    monkeypatch.setattr(doctor, "URL", "http://example.invalid/mnist.npz")
    answers = f"example.invalid through the proxy 127.0.0.1:{server.server_port} answers"
    assert doctor._network() == ("ok", "network", answers)
    assert server.requests == [("HEAD", "http://example.invalid/mnist.npz")]
    monkeypatch.setenv("NO_PROXY", "example.invalid")
    assert doctor._network()[2].startswith("example.invalid does not answer")


@pytest.mark.parametrize("proxy", ["http:/student:pa55word@127.0.0.1", "http://student:pa55word@127.0.0.1:port"])
def test_misspelled_proxy_is_reported_without_its_password(no_proxy, monkeypatch, tmp_path, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    status, _, text = doctor._network()
    assert status == "note"
    with pytest.raises(DataError, match=r"file\.bin could not be fetched") as failure:
        fetch(download_from(doctor.URL), tmp_path / "new")
    for printed in (text, str(failure.value)):
        assert "pa55word" not in printed


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_unreachable_host_advice_is_connection_or_proxy(no_proxy, monkeypatch, tmp_path, posix_shell, proxy):
    url = "http://127.0.0.1:9/file"
    if proxy:
        url = "http://example.invalid/file"
        monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setattr(doctor, "URL", url)
    fix = "check the proxy 127.0.0.1:9, which HTTPS_PROXY or the system names" if proxy else "check the connection"
    status, _, text = doctor._network()
    assert status == "note"
    assert text.endswith(f"the lessons work without it, faster with DLKIT_OFFLINE=1 → {fix}")
    with pytest.raises(DataError, match=f"\n→ {fix}\n→ or download it by hand into"):
        fetch(download_from(url), tmp_path)
