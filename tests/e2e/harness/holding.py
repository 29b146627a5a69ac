# SPDX-License-Identifier: Apache-2.0
"""A receiver over HTTP/2 that answers nobody before so many requests are there at the same time, then everybody."""

import socket
import threading

import h2.config
import h2.connection
import h2.events


class Holding:
    def __init__(self, requests, on_connection=lambda: None):
        self.wanted, self.connections = requests, 0
        self._on_connection = on_connection
        self._arrived, self._lock = {}, threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._on_connection()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        with self._lock:
            connection.initiate_connection()
            peer.sendall(connection.data_to_send())
        with peer:
            while data := peer.recv(65536):
                with self._lock:
                    for event in connection.receive_data(data):
                        if isinstance(event, h2.events.DataReceived):
                            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        elif isinstance(event, h2.events.StreamEnded):
                            self._arrived[connection, event.stream_id] = peer
                        elif isinstance(event, h2.events.StreamReset):
                            self._arrived.pop((connection, event.stream_id), None)
                    peer.sendall(connection.data_to_send())
                    if len(self._arrived) >= self.wanted:
                        self._answer()

    def _answer(self):
        for (connection, stream), peer in self._arrived.items():
            connection.send_headers(stream, [(":status", "200")], end_stream=True)
            peer.sendall(connection.data_to_send())
        self._arrived.clear()
        self.wanted = 0
