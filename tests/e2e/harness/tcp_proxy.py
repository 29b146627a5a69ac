# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that cuts, holds, delays and throttles on demand; all of them on one thread."""

import asyncio
import collections
import threading

UP, DOWN = "up", "down"  # towards the server, towards the client
CHUNK = 65536


class Loop:
    """An event loop of its own thread, for any number of proxies."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)  # connections end in every way there is
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine, timeout=30):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def close(self):
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _cancel_all(self):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class Proxy:
    """Passes what comes to `port` on to `target`, a port too, or what target() says for each connection
    (None: nobody is there)."""

    def __init__(self, loop, port, target):
        self.port = port
        self._loop = loop
        self._target = target if callable(target) else lambda: target
        self._connections = set()
        self._open = collections.Counter()  # by target
        self._held = set()
        self._refusing = False
        self._delay = 0.0
        self._rate = None
        self._server = loop.run(asyncio.start_server(self._serve, "127.0.0.1", port, limit=CHUNK))

    def close(self):
        self._loop.run(self._close())

    async def _close(self):
        self._server.close()
        self._abort()

    # --- what it does to the bytes; any thread

    def hold(self, *directions):
        """Nothing passes in these directions, and nobody is told: a cable that was pulled out."""
        self._loop.run(self._set(_held=set(directions)))

    def refuse(self):
        """Every connection breaks, and every new one at once."""
        self._loop.run(self._set(_refusing=True, abort=True))

    def break_all(self):
        """Every connection breaks; new ones are welcome."""
        self._loop.run(self._set(abort=True))

    def slow(self, delay=0.0, rate=None):
        """Seconds that every byte takes, bytes a second of each connection and direction."""
        self._loop.run(self._set(_delay=delay, _rate=rate))

    def heal(self):
        self._loop.run(self._set(_held=set(), _refusing=False, _delay=0.0, _rate=None))

    def connections(self, target=None):
        """How many there are now; to one target."""
        return len(self._connections) if target is None else self._open[target]

    async def _set(self, abort=False, **members):
        for name, value in members.items():
            setattr(self, name, value)
        if abort:
            self._abort()

    def _abort(self):
        for writers in list(self._connections):
            for writer in writers:
                writer.transport.abort()

    # --- on the loop's thread

    async def _serve(self, reader, writer):
        target = self._target()
        if self._refusing or target is None:
            writer.transport.abort()
            return
        self._open[target] += 1  # at once: others may be about to choose, too
        try:
            await self._join(reader, writer, target)
        except OSError:
            pass
        finally:
            self._open[target] -= 1
            if not writer.is_closing():
                writer.transport.abort()

    async def _join(self, reader, writer, target):
        upstream, up_writer = await asyncio.open_connection("127.0.0.1", target, limit=CHUNK)
        pair = (writer, up_writer)
        self._connections.add(pair)
        up = asyncio.ensure_future(self._pump(reader, up_writer, UP))
        down = asyncio.ensure_future(self._pump(upstream, writer, DOWN))
        try:
            if self._refusing:
                raise ConnectionError
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if not down.done():
                up.result()
                await down
            down.result()
            # The server has closed. A request that still came would be answered by nobody, and nobody told.
            writer.close()
        finally:
            for pump in (up, down):
                pump.cancel()
            self._connections.discard(pair)
            up_writer.transport.abort()

    async def _pump(self, reader, writer, direction):
        """Two tasks, so that a delay is one of each byte and not of the sum of them."""
        queue = asyncio.Queue(64)
        passing = asyncio.ensure_future(self._pass_on(queue, writer, direction))
        clock = asyncio.get_running_loop().time
        try:
            while data := await reader.read(CHUNK):
                await queue.put((clock() + self._delay, data))
            await queue.put((0, b""))
            await passing
        finally:
            passing.cancel()

    async def _pass_on(self, queue, writer, direction):
        clock = asyncio.get_running_loop().time
        while True:
            due, data = await queue.get()
            while (wait := due - clock()) > 0 or direction in self._held:
                await asyncio.sleep(min(max(wait, 0.01), 0.05))
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            if self._rate:
                await asyncio.sleep(len(data) / self._rate)
            writer.write(data)
            await writer.drain()
