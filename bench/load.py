# Copyright (C) The im authors
#
# One run of the generator, build/bench/im_load, against a system, and what the
# system's processes spend between its marks.

import contextlib
import json
import os
import subprocess

from stack import pin, top
from systems import CLIENTS


class Failed(Exception):
    """A delivery was lost, doubled or reordered, or nothing was measured."""


def faults(result):
    """What is wrong in the run, but for stalled clients that were closed."""

    counts = {
        'lost': result['lost'], 'doubled': result['duplicated'],
        'reordered': result['reordered'], 'not known': result['unknown'],
        'not connected': result['connect']['failed'],
        'closed': result['closed']['clients'],
        'refused': result['publish']['refused'],
        'unanswered': result['publish']['unanswered'],
    }

    for name in ('connect', 'publish'):
        if 'probe' in result:
            counts['lost at the probe, ' + name] \
                = result['probe'][name]['lost']

    found = ['%s: %d' % (name, n) for name, n in counts.items() if n]
    found += [result[part]['error'] for part in ('connect', 'publish')
              if result[part].get('error')]

    return '; '.join(found)


class Load:
    """Options are im_load's, with _ for -; how are those of the system."""

    def __init__(self, system, cores=CLIENTS, how=None, turns=False, **options):
        self.system = system
        self.cpu = {}
        self.memory = {}
        self.marks = {}
        self.result = None
        options = {'port': system.port, **system.options(**(how or {})),
                   **options}
        self.process = subprocess.Popen(
            [top + '/build/bench/im_load', '--wait']
            + ['--%s=%s' % (name.replace('_', '-'), value)
               for name, value in options.items()],
            text=True, bufsize=1, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: pin([os.getpid()], cores, turns))

    def until(self, mark):
        """Goes on to a mark, where it waits, or to the result."""

        while self.result is None:
            line = self.process.stdout.readline()

            if not line:
                raise Failed('im_load: '
                             + self.process.stderr.read().strip()[-300:])

            said = json.loads(line)

            if 'result' in said:
                self.result = said['result']
                break

            name = said['mark']
            self.marks[name] = said
            self.cpu[name] = self.system.cpu()
            self.memory[name] = self.system.memory()

            if name == mark:
                break

            self.go_on()

    def go_on(self):
        self.process.stdin.write('\n')

    def finish(self):
        """The result; fails by what is wrong in it."""

        if self.marks:
            self.go_on()

        self.until(None)

        if faults(self.result):
            raise Failed(faults(self.result))

        return self.result

    def end(self):
        if self.result is None:
            self.process.kill()

        self.process.communicate()

    def spent(self, begin, end, count):
        """us of each kind of process between two marks, for one of count."""

        if count <= 0:
            raise Failed('nothing was measured')

        return {name: (self.cpu[end][name] - self.cpu[begin][name]) / count
                for name in self.cpu[end]}


@contextlib.contextmanager
def held(system, mark='connected', **options):
    """A run that waits at a mark, and then ends."""

    load = Load(system, **options)

    try:
        load.until(mark)
        yield load
        load.finish()
    finally:
        load.end()
        system.settle()


def run(system, **options):
    with held(system, 'start', **options) as load:
        pass

    return load
