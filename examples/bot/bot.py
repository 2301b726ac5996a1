"""Copyright (C) The im authors

A chat bot that joins rooms as a client, by a token that it signs itself.  It
answers /help, and messages that mention it, by POST /im/push.

It keeps its place in each room in a file.  An answer has an id that follows
from the question, so that one that is sent again is delivered once.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from centrifuge import (Client, ClientEventHandler, StreamPosition,
                        SubscriptionEventHandler)

URL = os.environ.get('IM_URL', 'ws://127.0.0.1:8080/connection/websocket')
API = os.environ.get('IM_API', 'http://127.0.0.1:8080/im')
SECRET = os.environ.get('IM_SECRET', '/etc/im/secret')
USER = os.environ.get('BOT_USER', 'bot:helper')
NAME = os.environ.get('BOT_NAME', 'helper')
ROOMS = os.environ.get('BOT_ROOMS', 'lobby').split(',')
STATE = os.environ.get('BOT_STATE', 'bot.json')
LIFE = int(os.environ.get('BOT_TOKEN_LIFE', '3600'))    # s

WAITING = 1000      # messages that wait for their answer
RETRY = 10          # s, the longest pause between two attempts


def log(*words):
    print(time.strftime('%Y-%m-%dT%H:%M:%S'), *words, flush=True)


def compact(value):
    return json.dumps(value, separators=(',', ':')).encode()


def token():
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b'=')

    with open(SECRET, 'rb') as f:
        secret = f.read()

    claims = {'sub': USER, 'info': {'name': NAME},
              'exp': int(time.time()) + LIFE}
    text = (part(compact({'alg': 'HS256', 'typ': 'JWT'})) + b'.'
            + part(compact(claims)))

    log('signs a token')

    return (text + b'.' + part(hmac.digest(secret, text, 'sha256'))).decode()


class Places:
    """The place in each room: what is up to there has its answer."""

    def __init__(self):
        self.places = {}

        if os.path.exists(STATE):
            with open(STATE, encoding='utf-8') as f:
                self.places = json.load(f)

    def save(self, room, offset, epoch):
        """A file that is half written must not take the place of a whole one."""
        self.places[room] = {'offset': offset, 'epoch': epoch}

        with open(STATE + '.new', 'w', encoding='utf-8') as f:
            json.dump(self.places, f)

        os.replace(STATE + '.new', STATE)


def answer(text, sender):
    """What the bot says to a message; None: nothing."""
    words = re.split(r'[^\w@/:-]+', text.strip().lower())

    if words[0] == '/help':
        return f'I am {NAME}.  Mention me as @{NAME}, or say /help.'

    if f'@{NAME.lower()}' in words:
        return f'{sender}, I am here.  Say /help to see what I can do.'

    return None


def said(pub):
    """Bots don't answer bots: two of them would never end."""
    text = pub.data.get('msg') if isinstance(pub.data, dict) else pub.data

    if (pub.info is None or not pub.info.user
            or pub.info.user.startswith('bot:') or not isinstance(text, str)):
        return None

    info = pub.info.conn_info
    name = info.get('name') if isinstance(info, dict) else None

    return answer(text, name or pub.info.user)


def ask(path, body=None):
    """Status and body of an answer; OSError: there is none."""
    request = urllib.request.Request(
        API + path, data=None if body is None else compact(body),
        headers={'Content-Type': 'application/json'})

    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read()

    except urllib.error.HTTPError as e:
        return e.code, e.read()


async def repeat(*args):
    """Asks until it is answered with something else than an error of ours."""
    pause = 0.1

    while True:
        try:
            status, text = await asyncio.to_thread(ask, *args)

            if status < 500:
                return status, text

            log('tries again:', status)

        except OSError as e:
            log('tries again:', e)

        await asyncio.sleep(pause)
        pause = min(pause * 2, RETRY)


class Room(SubscriptionEventHandler):

    def __init__(self, bot, room):
        self.bot = bot
        self.room = room
        self.epoch = ''
        self.tried = False      # the place that the file has

    async def place(self, room):
        """Where to begin: from the file, else behind the last message."""
        saved = self.bot.places.places.get(room)

        if saved is not None and not self.tried:
            self.tried = True
            return StreamPosition(**saved)

        if saved is not None:
            log('has missed messages of', room)

        status, text = await repeat(
            f'/rooms/{urllib.parse.quote(room, safe="")}/history?limit=1')

        if status != 200:
            raise RuntimeError(f'history of {room}: {status} {text}')

        data = json.loads(text)['data']
        self.bot.places.save(room, data['seq'], data['epoch'])

        return StreamPosition(offset=data['seq'], epoch=data['epoch'])

    async def on_subscribed(self, ctx):
        log('is in', self.room)
        self.epoch = ctx.stream_position.epoch if ctx.stream_position else ''

    async def on_publication(self, ctx):
        self.bot.take(self.room, self.epoch, ctx.pub)

    async def on_unsubscribed(self, ctx):
        self.bot.end(f'{self.room}: {ctx.reason}')

    async def on_error(self, ctx):
        log(f'{self.room}:', ctx.error)


class Bot(ClientEventHandler):

    def __init__(self):
        self.places = Places()
        self.queue = asyncio.Queue(WAITING)
        self.ended = asyncio.get_running_loop().create_future()

    def end(self, why):
        """None: in order.  Whatever supervises the bot starts it again."""
        if not self.ended.done():
            self.ended.set_result(why)

    def take(self, *message):
        try:
            self.queue.put_nowait(message)

        except asyncio.QueueFull:
            self.end('too much waits for its answer')

    async def answers(self):
        """One after the other, in their order."""
        while True:
            room, epoch, pub = await self.queue.get()
            msg = said(pub)

            if msg is not None:
                question = compact([USER, room, pub.offset, pub.data])
                status, text = await repeat('/push', {
                    'id': hashlib.sha256(question).hexdigest(),
                    'rooms': [room],
                    'from': {'user': USER, 'name': NAME},
                    'data': {'msg': msg}})
                log('answers in' if status == 200 else 'may not answer in',
                    room, '' if status == 200 else text)

            if pub.offset:
                self.places.save(room, pub.offset, epoch)

            self.queue.task_done()

    async def on_connected(self, ctx):
        log('is connected')

    async def on_connecting(self, ctx):
        log('connects:', ctx.reason)

    async def on_disconnected(self, ctx):
        self.end(ctx.reason)

    async def on_error(self, ctx):
        log('error:', ctx.error)


async def main():
    async def fresh():
        return token()

    bot = Bot()
    client = Client(URL, events=bot, get_token=fresh)

    for room in ROOMS:
        events = Room(bot, room)
        sub = client.new_subscription(room, events=events, recoverable=True,
                                      get_state=events.place)
        await sub.subscribe()

    loop = asyncio.get_running_loop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, bot.end, None)

    answers = asyncio.create_task(bot.answers())
    await client.connect()

    why = await bot.ended

    if why is not None:
        log('ends:', why)
        return 1

    await client.disconnect()
    await bot.queue.join()
    answers.cancel()

    return 0


sys.exit(asyncio.run(main()))
