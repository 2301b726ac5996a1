# Copyright (C) The im authors
#
# The whole service for measurements, started by t/stack.

import json
import os
import subprocess
import sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Stack:
    """Options are those of Test::Im::Stack."""

    def __init__(self, **options):
        self.process = subprocess.Popen(
            [top + '/t/stack', json.dumps(options)], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answer = json.loads(self.process.stdout.readline())
        self.dir = answer['dir']
        self.port = answer['port']
        self.ask('start')
        self.pids = self.ask('ready')['pids']

    def ask(self, command):
        self.process.stdin.write(command + '\n')
        answer = json.loads(self.process.stdout.readline()
                            or '{"error": "t/stack has ended"}')

        if 'error' in answer:
            sys.exit(command + ': ' + answer['error'])

        return answer

    def end(self):
        self.ask('end 1')
        self.process.stdin.close()
        self.process.wait()
