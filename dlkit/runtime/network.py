"""Why the network fails, and what to do about it; for downloads and the doctor. Standard library only."""

from __future__ import annotations

import errno
import os
import socket
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from dlkit.runtime import shell

_UNREACHABLE = {errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH}


def offline():
    """True when DLKIT_OFFLINE is set to anything but 0: no download is tried."""
    return os.environ.get("DLKIT_OFFLINE", "0") not in ("", "0")


def open_url(url, *, timeout, method="GET"):
    """Asks for an address, through the proxy and with the certificates that the environment names now.

    Unlike `urllib.request.urlopen`, which remembers those of its first call.

    Args:
        url: string.
        timeout: seconds without a byte after which to give up.
        method: string, "GET" or "HEAD".

    Returns:
        An `http.client.HTTPResponse`.
    """
    return urllib.request.build_opener().open(urllib.request.Request(url, method=method), timeout=timeout)


def proxy_of(url):
    """The proxy that urllib uses for an address.

    Returns:
        A string such as "proxy.school.edu:3128", without the user name and password it may be set with, or None.
    """
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    return proxy.rpartition("@")[2].rpartition("://")[2].rstrip("/")


def reason(error):
    """The text of an exception from urllib, without the credentials of a proxy."""
    plain = isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError)
    text = str(error.reason if plain else error) or type(error).__name__
    for proxy in urllib.request.getproxies().values():
        credentials = proxy.rpartition("@")[0].rpartition("://")[2]
        for secret in filter(None, (credentials, credentials.partition(":")[2])):
            text = text.replace(secret, "…")
    return text


def advice(error, url):
    """What to do about an exception from urllib, by its cause.

    Args:
        error: the exception.
        url: string, the address that was asked for.

    Returns:
        A step in words, without a full stop since it may end with a line to paste; None where there is no better
        one than to try again later.
    """
    text, proxy = str(error), proxy_of(url)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return _about_certificates(text)
    if "Tunnel connection failed: 407" in text or getattr(error, "code", None) == 407:
        login = shell.set_line("HTTPS_PROXY", f"http://NAME:PASSWORD@{proxy or 'HOST:PORT'}")
        return f"the proxy wants a user name and a password (write special characters as %40 for @ and so on): {login}"
    cause = getattr(error, "reason", error)
    if isinstance(cause, socket.gaierror) or getattr(cause, "errno", None) in _UNREACHABLE:
        return f"check the proxy {proxy}, which HTTPS_PROXY or the system names" if proxy else "check the connection"
    return None


def _about_certificates(text):
    if "expired" in text or "not yet valid" in text:
        return "check the date and time of this computer"
    school = "in the network of a school or company, ask for its root certificate as a PEM file and name it: "
    school += shell.set_line("SSL_CERT_FILE", "/path/to/root.pem")
    if sys.platform != "darwin":
        return school
    script = "/Applications/Python {}.{}/Install Certificates.command".format(*sys.version_info[:2])
    return f"{shell.line('open', script)} installs Python's own certificates; {school}"
