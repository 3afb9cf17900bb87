"""Advice when the network fails, for downloads and the doctor. Standard library only."""

import errno
import os
import socket
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from dlkit.runtime import shell

_UNREACHABLE = {errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH}


def is_offline():
    """Whether DLKIT_OFFLINE is set to anything but 0, so that no download is attempted."""
    return os.environ.get("DLKIT_OFFLINE", "0") not in ("", "0")


def proxy_for(url):
    """The proxy that urllib uses for a URL, without its user name and password, such as "proxy.edu:3128"; or None."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    return proxy.rpartition("@")[2].rpartition("://")[2].rstrip("/")


def describe_error(error):
    """The text of an exception from urllib, without the credentials of a proxy."""
    plain = isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError)
    text = str(error.reason if plain else error) or type(error).__name__
    for proxy in urllib.request.getproxies().values():
        credentials = proxy.rpartition("@")[0].rpartition("://")[2]
        for secret in filter(None, (credentials, credentials.partition(":")[2])):
            text = text.replace(secret, "…")
    return text


def suggest_fix(error, url):
    """What to do about an exception from the request of a URL, or from writing the file, according to its cause.

    One step in words, without a period because it may end with a command to paste; None where the best advice is to try
    again later.
    """
    proxy, cause = proxy_for(url), getattr(error, "reason", error)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        macos = "run Install Certificates.command in Applications/Python; " if sys.platform == "darwin" else ""
        command = shell.set_variable_command("SSL_CERT_FILE", "/path/to/root.pem")
        return (
            f"check the date of this computer; {macos}in the network of a school or company, ask for its root "
            f"certificate as a PEM file and name it: {command}"
        )
    if "Tunnel connection failed: 407" in str(error) or getattr(error, "code", None) == 407:
        command = shell.set_variable_command("HTTPS_PROXY", f"http://NAME:PASSWORD@{proxy or 'HOST:PORT'}")
        return f"the proxy requires a user name and a password (write @ as %40, and so on): {command}"
    if getattr(cause, "errno", None) == errno.ENOSPC:
        return "make room on the disk"
    if isinstance(cause, socket.gaierror) or getattr(cause, "errno", None) in _UNREACHABLE:
        return f"check the proxy {proxy}, which HTTPS_PROXY or the system names" if proxy else "check the connection"
    return None
