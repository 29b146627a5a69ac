# SPDX-License-Identifier: Apache-2.0
"""The process behind harness.strangers: plays those who should not get in, until SIGTERM; then prints what they got.

    strangers_process.py SETTINGS   (JSON: port, oauth, opaque, adobe: paths; keys: paths of keys that exist;
                                     rate: requests a second of each kind; bodies: of those with a large body;
                                     connections: how many in all; mark: stands in whatever is secret)"""

import asyncio
import base64
import collections
import json
import os
import resource
import signal
import sys
import time

SETTINGS = json.loads(sys.argv[1])
MARK = SETTINGS["mark"]
LARGE = b"[" + b" " * (4 * 1024 * 1024 - 2) + b"]"
WORKERS = 4  # connections of each kind that ask

answers = collections.defaultdict(collections.Counter)
connections = collections.Counter()


def b64url(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def noise(count):
    return base64.urlsafe_b64encode(os.urandom(count)).rstrip(b"=").decode()


def jwt(**header):
    payload = {"iss": SETTINGS["issuer"], "aud": SETTINGS["audience"], "sub": "x", "exp": int(time.time()) + 600}
    return f"{b64url({'alg': 'RS256', 'typ': 'at+jwt', **header})}.{b64url(payload)}.{MARK}{noise(256 - len(MARK) // 4 * 3)}"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def signature():
    """256 bytes, less than any modulus."""
    return base64.b64encode(b"\1" + (MARK.encode() + os.urandom(256))[:255]).decode()


def signed(*paths):
    found = {}
    for number, path in enumerate(paths, 1):
        found[f"x-adobe-digital-signature-{number}"] = signature()
        found[f"x-adobe-public-key{number}-path"] = path
    return found


def strange_path():
    return f"/prod/keys/pub-key-{os.urandom(5).hex()}.pem"


# Kind -> what gives (path, headers, body).
KINDS = {
    "opaque, where JWTs are wanted": lambda: (SETTINGS["oauth"], bearer(MARK + noise(32)), b"[]"),
    "opaque": lambda: (SETTINGS["opaque"], bearer(MARK + noise(32)), b"[]"),
    "JWT": lambda: (SETTINGS["oauth"], bearer(jwt()), b"[]"),
    "JWT with a key of its own": lambda: (SETTINGS["oauth"], bearer(jwt(kid=noise(8))), b"[]"),
    "JWT in another's name": lambda: (SETTINGS["oauth"], bearer(jwt(kid=SETTINGS["kid"])), b"[]"),
    "JWT, where it is asked about": lambda: (SETTINGS["opaque"], bearer(jwt(kid=noise(8))), b"[]"),
    "strange keys": lambda: (SETTINGS["adobe"], signed(strange_path(), strange_path()), b"[]"),
    "known keys": lambda: (SETTINGS["adobe"], signed(*SETTINGS["keys"]), b"[]"),
    "no proof": lambda: (SETTINGS["adobe"], {}, b"[]"),
    "large, no proof": lambda: (SETTINGS["adobe"], {}, LARGE),
    "large, known keys": lambda: (SETTINGS["adobe"], signed(*SETTINGS["keys"]), LARGE),
}


async def ask(reader, writer, path, headers, body):
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    await reader.readexactly(int(head.partition("content-length:")[2].split("\r\n")[0]))
    return head.split(" ", 2)[1]


async def worker(kind, rate, number):
    """Evenly spread over the second; what comes late is not caught up with."""
    make, gap = KINDS[kind], WORKERS / rate
    due = time.monotonic() + gap * number / WORKERS
    writer = None
    while True:
        await asyncio.sleep(max(0, due - time.monotonic()))
        due = max(due + gap, time.monotonic())
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", SETTINGS["port"])
            answers[kind][await ask(reader, writer, *make())] += 1
        except (OSError, EOFError):
            answers[kind]["none"] += 1
            if writer is not None:
                writer.close()
            writer = None


async def holder(half):
    """A connection without a request, or with half of one; a new one when it is cut."""
    kind = "half a request" if half else "idle"
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", SETTINGS["port"])
        except OSError:
            connections[kind + ", not taken"] += 1
            await asyncio.sleep(0.5)
            continue
        connections[kind] += 1
        if half:
            writer.write(f"POST {SETTINGS['adobe']} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[".encode())
        try:
            await reader.read()
        except OSError:
            pass
        writer.close()
        await asyncio.sleep(0.1)


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tasks = []
    for kind in KINDS:
        rate = SETTINGS["bodies"] if kind.startswith("large") else SETTINGS["rate"]
        tasks += [asyncio.create_task(worker(kind, rate, number)) for number in range(WORKERS if rate > 0 else 0)]
    for number in range(SETTINGS["connections"] - len(tasks)):
        tasks.append(asyncio.create_task(holder(number % 2 == 0)))
        if number % 20 == 0:
            await asyncio.sleep(0.01)
    print("all are there", flush=True)
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({"answers": answers, "connections": connections}))


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
os.nice(10)  # they stand for other machines: that they take this one's time is not what is looked at
asyncio.run(main())
