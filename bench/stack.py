# Copyright (C) The im authors
#
# The whole service for measurements, started by t/stack, and what processes
# use: CPU time and memory.

import contextlib
import json
import os
import subprocess
import sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Stack:
    """Options are those of Test::Im::Stack; cores are those of all processes."""

    def __init__(self, clone=top, cores=None, **options):
        self.process = subprocess.Popen(
            [clone + '/t/stack', json.dumps(options)], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answer = json.loads(self.process.stdout.readline())
        self.dir = answer['dir']
        self.port = answer['port']

        if cores:
            os.sched_setaffinity(self.process.pid, cores)

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


def children(pid):
    """The workers of a process, such as nginx."""

    with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


def cpu(pids):
    """us of CPU that processes have had, with all of their threads."""

    total = 0

    for pid in pids:
        for task in os.listdir('/proc/%d/task' % pid):
            with open('/proc/%d/task/%s/schedstat' % (pid, task)) as f:
                total += int(f.read().split()[0])

    return total / 1000


def memory(pids):
    """Bytes that are written to by processes, and by none besides them."""

    total = 0

    for pid in pids:
        with open('/proc/%d/smaps_rollup' % pid) as f:
            total += sum(int(line.split()[1]) * 1024 for line in f
                         if line.startswith('Private_Dirty:'))

    return total


policies = {}       # of threads that work by turns: what they had before


def pin(pids, cores, turns=False):
    """On these cores; with turns, in the order in which they have work.

    Turns (SCHED_RR) need a right, and make latency depend less on what else the
    machine does."""

    for pid in pids:
        for task in os.listdir('/proc/%d/task' % pid):
            task = int(task)
            os.sched_setaffinity(task, cores)

            with contextlib.suppress(PermissionError):
                if turns:
                    had = os.sched_getscheduler(task)
                    os.sched_setscheduler(task, os.SCHED_RR, os.sched_param(1))
                    policies.setdefault(task, had)
                elif task in policies:
                    os.sched_setscheduler(task, policies.pop(task),
                                          os.sched_param(0))
