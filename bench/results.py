# Copyright (C) The im authors
#
# What is written of all rows: bench/RESULTS.md and its picture.

import datetime
import os
import platform
import re
import subprocess

import table
from rows import FLOOR_URING
from stack import top
from systems import CENTRIFUGO

HEAD = '''# What im costs

Written by `make bench`; [docs/performance.md](../docs/performance.md) says what each row is and how
to read it.

%s

A ratio is of the CPU time of all processes of a system, nginx's workers, Redis, `im_logic` and
`im_job` together, to that of the floor, a program that does one send for each delivery and nothing
else, in its runs before and after.  Values are medians, with the least and the most of all rounds.
Only ratios are comparable with those of another machine.

![the table as a picture](results.svg)

%s

Where the time of im goes, and what else its runs have seen:

%s
'''


def said(*command):
    try:
        run = subprocess.run(command, capture_output=True, text=True)
        return (run.stdout + run.stderr).strip()
    except FileNotFoundError:
        return ''


def version(pattern, *command):
    found = re.search(pattern, said(*command))

    return found.group(1) if found else 'none'


def processor():
    with open('/proc/cpuinfo') as f:
        found = re.search(r'model name\s*: (.*)', f.read())

    return found.group(1) if found else platform.machine()


def gigabytes():
    return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9


def facts():
    changed = said('git', '-C', top, 'status', '--porcelain',
                   '--untracked-files=no')

    return [
        ('date', datetime.datetime.now(datetime.timezone.utc)
         .strftime('%Y-%m-%d %H:%M UTC')),
        ('commit', said('git', '-C', top, 'log', '-1', '--format=%h %s')
         + ', with changes' * bool(changed)),
        ('machine', '%d cores of %s, %.0f GB'
         % (os.cpu_count(), processor(), gigabytes())),
        ('kernel', platform.release()),
        ('nginx', version(r'nginx/([\d.]+)', 'nginx', '-v')),
        ('Redis', version(r'v=([\d.]+)', 'redis-server', '--version')),
        ('nchan', version(r'(\S+)', 'dpkg-query', '-W', '-f=${Version}',
                          'libnginx-mod-nchan')),
        ('Centrifugo', version(r'\tmod\t\S*centrifugo\S*\tv(\S+)', 'go',
                               'version', '-m', CENTRIFUGO)),
    ]


def write(lines, systems, rounds, took):
    found = facts() + [('rounds', '%d, in %d s' % (rounds, took))]
    fact = dict(found)
    note = '; '.join((fact['machine'], 'kernel ' + fact['kernel'],
                      fact['date'], '%d rounds' % rounds))

    with open(top + '/bench/RESULTS.md', 'w') as f:
        f.write(HEAD % (table.markdown(['', ''], [list(fact)
                                                  for fact in found]),
                        table.text(lines, systems), table.parts(lines, 'im')))

    with open(top + '/bench/results.svg', 'w') as f:
        f.write(table.picture(
            lines, sorted(systems[1:], key=lambda s: s == FLOOR_URING),
            'What im costs, beside others', note))
