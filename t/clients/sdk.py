"""Copyright (C) The im authors

centrifuge-python: subscribes to a channel, prints each publication as a line,
and publishes what it reads from stdin, a line each; a line "cut" breaks its
connection.  With "protobuf" behind the URL it speaks that.
"""

import asyncio
import base64
import json
import sys

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler


def show(*args):
    print(json.dumps(args), flush=True)


class OfClient(ClientEventHandler):
    async def on_connected(self, ctx):
        show('connected')

    async def on_disconnected(self, ctx):
        show('disconnected', ctx.code)

    async def on_error(self, ctx):
        print(ctx.error, file=sys.stderr, flush=True)


class OfSubscription(SubscriptionEventHandler):
    async def on_subscribed(self, ctx):
        show('subscribed')

    async def on_publication(self, ctx):
        show('publication', payload(ctx.pub.data))


# In Protobuf, payloads are bytes.
def payload(data):
    if not isinstance(data, bytes):
        return data

    try:
        return json.loads(data)
    except ValueError:
        return {'base64': base64.b64encode(data).decode()}


async def main(url, protobuf):
    client = Client(url, events=OfClient(), min_reconnect_delay=0.05,
                    timeout=60, use_protobuf=protobuf)
    sub = client.new_subscription('open:py', events=OfSubscription(),
                                  positioned=True, recoverable=True)

    await sub.subscribe()
    await client.connect()

    loop = asyncio.get_running_loop()

    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)

        if line == '':
            break

        if line == 'cut\n':
            await client._conn.close(4000)
        else:
            await sub.publish(line.encode() if protobuf else json.loads(line))
            show('published')

    await client.disconnect()


asyncio.run(main(sys.argv[1], 'protobuf' in sys.argv[2:]))
