"""Copyright (C) The im authors

Echoes of compressed messages, with all that python3-websockets can ask for.
"""

import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import \
    ClientPerMessageDeflateFactory

OFFERS = [
    {},
    {'client_max_window_bits': 9},
    {'server_no_context_takeover': True, 'client_no_context_takeover': True},
    {'server_max_window_bits': 12, 'client_max_window_bits': 12},
    {'server_max_window_bits': 9},
    {'server_max_window_bits': 15, 'compress_settings': {'memLevel': 1}},
    {'compress_settings': {'level': 0}},
]

MESSAGES = ['', 'a', 'Grüße, 世界, 𝄞', 'x' * 300, 'x' * 200000,
            ''.join('{"id":%d,"name":"%d"},' % (i, i * 7919 % 1000)
                    for i in range(5000)),
            bytes(i * i * 31 + (i >> 3) & 255 for i in range(70000)), b'\0' * 65536]


async def echo(url, offer):
    factory = ClientPerMessageDeflateFactory(**offer)

    async with websockets.connect(url, compression=None, extensions=[factory],
                                  open_timeout=60) as ws:
        assert ws.extensions, offer

        for message in MESSAGES * 2:
            await ws.send(message)
            assert await ws.recv() == message, (offer, message[:20])


async def main(url):
    for offer in OFFERS:
        await echo(url, offer)


asyncio.run(main(sys.argv[1]))
