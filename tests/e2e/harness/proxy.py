# SPDX-License-Identifier: Apache-2.0
"""A forward proxy (CONNECT) that leads every host to one port of ours, and tells which were asked for."""

import socket
import socketserver
import threading

from harness.ports import release_port, take_port


class Proxy:
    def __init__(self, target_port):
        self.port = take_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked = []
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                method, target, _ = self.rfile.readline().decode("latin-1").split(" ", 2)
                while self.rfile.readline().strip():
                    pass
                proxy.asked.append((method, target))
                if method != "CONNECT":
                    self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                    return
                with socket.create_connection(("127.0.0.1", target_port)) as other:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=_copy, args=(other, self.connection), daemon=True)
                    back.start()
                    _copy(self.connection, other)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        release_port(self.port)


def _copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
