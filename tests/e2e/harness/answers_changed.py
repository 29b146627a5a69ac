# SPDX-License-Identifier: Apache-2.0
"""A way to Kafka on which some of its answers are changed or lost, so that a client sees what no broker does on demand.

Give the broker `advertised.listeners` with this port, and the client this port as bootstrap. Requests and
answers: https://kafka.apache.org/protocol, Produce and InitProducerId."""

import collections
import socket
import struct
import threading

from harness.ports import release_port, take_port

PRODUCE, INIT_PRODUCER_ID, DESCRIBE_CONFIGS = 0, 22, 32
MESSAGE_TOO_LARGE, OUT_OF_ORDER_SEQUENCE_NUMBER, CLUSTER_AUTHORIZATION_FAILED = 10, 45, 31


def _produce_error_at(answer, version):
    """Of the first partition; librdkafka asks for no other."""
    assert version < 9, "a flexible version"
    return 4 + 4 + 2 + struct.unpack_from(">h", answer, 8)[0] + 4 + 4


def _init_producer_id_error_at(_, version):
    return 4 + (version >= 2) + 4


ERROR_AT = {PRODUCE: _produce_error_at, INIT_PRODUCER_ID: _init_producer_id_error_at}


class AnswersChanged:
    def __init__(self):
        self.port = take_port()
        self.target = None  # the broker's port, set before the first client comes
        self._wanted = collections.defaultdict(list)  # api -> error codes of the next answers
        self._withheld = set()  # apis
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def answer(self, api, code, times=1):
        """The next answers to this request carry this error, whatever the broker said or did."""
        with self._lock:
            self._wanted[api] += [code] * times

    def withhold(self, api):
        """From now on no answer to this request arrives."""
        with self._lock:
            self._withheld.add(api)

    def left(self, api):
        with self._lock:
            return len(self._wanted[api])

    def close(self):
        self._listener.close()
        release_port(self.port)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                if self._listener.fileno() < 0:
                    return
                client.close()
                continue
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asked = {}  # correlation id -> (api, version)
            threading.Thread(target=self._pass, args=(client, broker, asked, _remember), daemon=True).start()
            threading.Thread(target=self._pass, args=(broker, client, asked, self._change), daemon=True).start()

    @staticmethod
    def _pass(source, sink, asked, look):
        try:
            with source.makefile("rb") as stream:
                while len(head := stream.read(4)) == 4:
                    frame = bytearray(stream.read(struct.unpack(">i", head)[0]))
                    if look(frame, asked):
                        sink.sendall(head + frame)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _change(self, answer, asked):
        api, version = asked.pop(struct.unpack_from(">i", answer)[0])
        with self._lock:
            code = self._wanted[api].pop(0) if self._wanted[api] else None
            passed_on = api not in self._withheld
        if code is not None:
            struct.pack_into(">h", answer, ERROR_AT[api](answer, version), code)
        return passed_on


def _remember(request, asked):
    api, version, number = struct.unpack_from(">hhi", request)
    asked[number] = (api, version)
    return True
