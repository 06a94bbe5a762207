"""A TCP relay that resets all of its connections again and again: `resetting_relay.py HOST PORT EVERY_S`.

It listens on a port of 127.0.0.1 that it prints, and begins to reset at a line on its standard input. So ends what goes
through a load balancer or a tunnel whose middle is restarted, as between an API server and its nodes (konnectivity).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Hand on what comes, to its end."""
    while part := await source.read(65536):
        sink.write(part)
        await sink.drain()
    sink.write_eof()


async def main(host: str, port: int, every_s: float) -> None:
    """Relay until the process is ended."""
    clients: set[asyncio.StreamWriter] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.add(writer)
        onward_reader, onward = await asyncio.open_connection(host, port)
        try:
            await asyncio.gather(pump(reader, onward), pump(onward_reader, writer))
        except OSError:
            pass
        finally:
            clients.discard(writer)
            onward.transport.abort()
            writer.close()

    def reset() -> None:
        for writer in clients:
            # Closing with nothing to linger for is a reset.
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        asyncio.get_running_loop().call_later(every_s, reset)

    def begin() -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin)
        reset()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    asyncio.get_running_loop().add_reader(sys.stdin, begin)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
