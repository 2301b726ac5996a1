"""Copyright (C) The im authors

cent 4, the library of Python backends for Centrifugo 3 and 4: what each of its
methods answers, a line of JSON.
"""

import json
import sys

from cent import Client, ResponseError


def show(call, *args, **kwargs):
    try:
        answer = call(*args, **kwargs)
    except ResponseError as error:
        answer = ['error', str(error)]

    print(json.dumps(answer), flush=True)


def main(url, key):
    client = Client(url, api_key=key, timeout=60)

    show(client.publish, 'chat:4', {'n': 1})
    show(client.broadcast, ['chat:4', 'nowhere'], {'n': 2})
    show(client.history, 'chat:4', limit=10)
    show(client.presence, 'chat:4')
    show(client.presence_stats, 'chat:4')
    show(client.channels, pattern='none:*')
    show(client.info)
    show(client.subscribe, 'nobody', 'chat:4')
    show(client.unsubscribe, 'nobody', 'chat:4')
    show(client.disconnect, 'nobody')
    show(client.history_remove, 'chat:4')
    show(client.publish, 'nowhere', 1)

    # several commands in one request

    client.add('publish', client.get_publish_params('chat:4', 3))
    client.add('publish', client.get_publish_params('nowhere', 4))
    client.add('history', client.get_history_params('chat:4', limit=1,
                                                    reverse=True))
    show(client.send)


main(*sys.argv[1:])
