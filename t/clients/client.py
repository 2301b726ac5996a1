"""Copyright (C) The im authors

Joins room 1 and prints each frame as a line, until stdin ends.
"""

import asyncio
import sys

import websockets


async def receive(ws):
    async for frame in ws:
        print(frame, flush=True)


async def main(url):
    async with websockets.connect(url, open_timeout=60) as ws:
        await ws.send('{"auth":null,"roomId":1}')
        task = asyncio.ensure_future(receive(ws))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await ws.close(1000)
        await task

    return 0 if ws.close_code == 1000 else 1


sys.exit(asyncio.run(main(sys.argv[1])))
