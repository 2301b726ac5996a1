# Copyright (C) The im authors
#
# Rows in rounds: each system has its turn, and the floor is measured before and
# after them, so that other work of the machine concerns all alike.

import sys
import time

from statistics import geometric_mean

import rows
from load import Failed
from systems import KINDS, Absent

# peers are as far away as they are: every third round does
PEERS_EACH = 3


class Pool:
    """The systems that run, by title and by what a row wants of them."""

    def __init__(self, builds):
        self.builds = builds        # of im, by title
        self.running = {}

    def get(self, title, kind):
        if title in self.builds:
            kind = dict(kind, build=self.builds[title])

        make, options = KINDS.get(title, KINDS[rows.IM])
        kind = {name: kind[name] for name in options if name in kind}
        key = (title, tuple(kind.items()))

        if key not in self.running:
            system = make(title, **kind)

            try:
                system.start()
            except Absent:
                system.end()
                raise

            self.running[key] = system

        return self.running[key]

    def end(self):
        while self.running:
            self.running.popitem()[1].end()


class Rounds:
    """A row in its rounds; failed is what failed at the floor and at im."""

    def __init__(self, row, pool, peers, size):
        self.row = row
        self.pool = Pool(pool.builds) if row.fresh else pool
        self.size = size
        self.runs = {}
        self.failed = []
        self.ours = list(pool.builds)
        self.titles = []

        for title in row.systems:
            if title == rows.IM:
                self.titles += self.ours
            elif title.startswith(rows.FLOOR) or title in peers:
                self.titles.append(title)

    def measure(self, title):
        try:
            system = self.pool.get(title, self.row.kind)
            self.runs.setdefault(title, []).append(
                self.row.measure(system, self.size))
        except (Absent, Failed) as e:
            fault = '%s: %s: %s' % (self.row.name, title, e)
            print('# ' + fault, file=sys.stderr)
            self.titles.remove(title)

            if title == rows.FLOOR or title in self.ours:
                self.failed.append(fault)
        finally:
            if self.row.fresh:
                self.pool.end()

    def each(self, title):
        """In each of how many rounds a system is measured."""

        return 1 if title in self.ours or title == self.row.base \
            else PEERS_EACH

    def all(self, rounds):
        begin = time.monotonic()

        for i in range(rounds if self.row.often else min(rounds, 2)):
            for title in list(self.titles):
                if i % self.each(title) == 0:
                    self.measure(title)

        if self.row.base in self.titles and not self.size.quick:
            self.measure(self.row.base)

        for title in self.runs:
            self.compare(title)

        print('# %s: %d s' % (self.row.name, time.monotonic() - begin),
              file=sys.stderr)

    def compare(self, title):
        """Adds a system's runs to the lines, with those of the base around."""

        base = self.runs.get(self.row.base, [])

        for i, values in enumerate(self.runs[title]):
            first = i * self.each(title)
            around = base[first:first + 2] if title != self.row.base else []

            for n, (value, parts) in enumerate(values):
                line = self.row.lines[n]
                line.base = self.row.base
                line.add(title, value, parts=parts,
                         base=geometric_mean(run[n][0] for run in around)
                         if around else None)
