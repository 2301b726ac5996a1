# Copyright (C) The im authors
#
# What was measured as a table in Markdown, and as a picture.
#
# A line has a title, a unit, a target, and the values of each system, one of each
# round: in the unit, and as ratios to the floor of the round where there is one.

import textwrap

from statistics import median
from xml.sax.saxutils import escape


class Line:
    def __init__(self, title, unit, target=''):
        self.title = title
        self.unit = unit
        self.target = target
        self.base = None            # the system that ratios are to
        self.values = {}
        self.ratios = {}
        self.parts = {}
        self.absent = {}

    def add(self, system, value, base=None, parts=None):
        self.values.setdefault(system, []).append(value)

        if base:
            self.ratios.setdefault(system, []).append(value / base)

        for part in parts or {}:
            self.parts.setdefault(system, {}).setdefault(part, []).append(
                parts[part])

    def measure(self):
        return 'x %s (%s)' % (self.base, self.unit) if self.ratios \
            else self.unit

    def shown(self, system):
        """What a bar is of."""

        if self.ratios and system == self.base:
            return [1]

        return self.ratios.get(system) or self.values.get(system)


def number(value, digits=None):
    if digits is None:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2

    return '{:,.{}f}'.format(value, digits)


def spread(values, suffix='', digits=None):
    """The median, and the least and the most."""

    text = number(median(values), digits) + suffix

    if len(values) > 1:
        text += ' (%s-%s)' % (number(min(values), digits),
                              number(max(values), digits))

    return text


def cell(line, system):
    if system in line.ratios:
        return spread(line.ratios[system], 'x', 2)

    return spread(line.values[system]) if system in line.values else '-'


def markdown(head, rows):
    """A table whose columns stand below each other."""

    widths = [max(len(row[i]) for row in [head] + rows)
              for i in range(len(head))]

    def line(row):
        return '| ' + ' | '.join(
            text.ljust(width) for text, width in zip(row, widths)) + ' |'

    return '\n'.join([line(head),
                      '|' + '|'.join('-' * (w + 2) for w in widths) + '|']
                     + [line(row) for row in rows])


def text(lines, systems):
    return markdown(['', 'measured in'] + systems + ['target of im'], [
        [line.title, line.measure()] + [cell(line, s) for s in systems]
        + [line.target or '-'] for line in lines if line.values])


def parts(lines, system):
    """Where the time of a system goes, and what else a run has seen."""

    rows = []

    for line in lines:
        found = line.parts.get(system)

        if found:
            rows.append([line.title, line.unit, spread(line.values[system]),
                         ', '.join('%s %s' % (name, spread(found[name]))
                                   for name in found)])

    return markdown(['', 'measured in', system, 'of it'], rows)


# the picture

STYLE = '''
text { font: 13px "Helvetica Neue", Arial, sans-serif; fill: #1f2733 }
.card { fill: #fbfcfd; stroke: #d5dbe3 }
.head { font-size: 17px; font-weight: bold }
.note, .unit { fill: #5a6675; font-size: 11.5px }
.value { font-size: 11.5px }
.line { stroke: #e3e8ee }
.one { stroke: #5a6675; stroke-dasharray: 3 3 }
.target { fill: #c2304f }
%s
@media (prefers-color-scheme: dark) {
  text { fill: #e4e9ef }
  .card { fill: #141a22; stroke: #2f3946 }
  .note, .unit { fill: #9aa7b6 }
  .line { stroke: #26303c }
  .one { stroke: #9aa7b6 }
  .target { fill: #ff6b86 }
%s
}
'''

# of the systems in their order: by day and by night
COLOURS = (('#0b7f79', '#2bb5ab'), ('#7f8da0', '#8796aa'),
           ('#b07a2e', '#cf9a4c'), ('#7a67b5', '#9a88d6'),
           ('#5b8f3a', '#7fb65b'))

WIDTH, LEFT, RIGHT, BAR, GAP = 900, 330, 130, 13, 3


def bar(x, y, width, kind, label):
    return ('<rect x="%d" y="%.1f" width="%.1f" height="%d" rx="2" class="%s"/>'
            '<text x="%.1f" y="%.1f" class="value">%s</text>\n'
            % (x, y, width, BAR, kind, x + width + 6, y + BAR - 2.5,
               escape(label)))


def label(line, y):
    """What a line is, and where that ends."""

    out = ''

    for text in textwrap.wrap(line.title, 41):
        out += '<text x="20" y="%.1f">%s</text>\n' % (y + 11, escape(text))
        y += 15

    out += ('<text x="20" y="%.1f" class="unit">%s</text>\n'
            % (y + 10, escape(line.measure())))

    return out, y + 14


def group(line, systems, y):
    """The bars of a line and where they end."""

    shown = [(i, median(line.shown(s))) for i, s in enumerate(systems)
             if line.shown(s)]
    goal = target(line) or 0
    scale = (WIDTH - LEFT - RIGHT) / (max([goal] + [value for _, value in shown])
                                      or 1)
    bottom = y + len(shown) * (BAR + GAP)
    out, end = label(line, y)

    for n, (i, value) in enumerate(shown):
        out += bar(LEFT, y + n * (BAR + GAP), max(value * scale, 1), 's%d' % i,
                   number(value, 2 if line.ratios else None))

    if line.ratios:
        out += ('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="one"/>\n'
                % (LEFT + scale, LEFT + scale, y - 3, bottom))

    if goal:
        out += ('<path d="M%.1f %.1f l-4 -6 h8 z" class="target"/>\n'
                % (LEFT + goal * scale, y - 0.5))

    return out, max(end, bottom)


def target(line):
    try:
        return float(line.target.split()[0].rstrip('x').replace(',', ''))
    except (IndexError, ValueError):
        return None


def picture(lines, systems, title, note):
    y = 98
    out = ''

    for line in lines:
        if not any(line.shown(s) for s in systems):
            continue

        bars, y = group(line, systems, y)
        y += 10
        out += bars + ('<line x1="20" x2="%d" y1="%.1f" y2="%.1f" '
                       'class="line"/>\n' % (WIDTH - 20, y, y))
        y += 14

    legend = ''
    x = 20

    for i, system in enumerate(systems):
        legend += ('<rect x="%d" y="62" width="12" height="12" rx="2" '
                   'class="s%d"/><text x="%d" y="73">%s</text>\n'
                   % (x, i, x + 18, escape(system)))
        x += 40 + 8 * len(system)

    legend += ('<path d="M%d 65 h8 l-4 6 z" class="target"/>'
               '<text x="%d" y="73">target of im</text>'
               '<line x1="%d" x2="%d" y1="60" y2="76" class="one"/>'
               '<text x="%d" y="73">1 x</text>\n'
               % (x, x + 14, x + 115, x + 115, x + 122))
    style = STYLE % tuple(
        '\n'.join('  .s%d { fill: %s }' % (i, colour[mode])
                  for i, colour in enumerate(COLOURS)) for mode in (0, 1))

    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
            'role="img" aria-label="%s">\n<style>%s</style>\n'
            '<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" class="card"/>\n'
            '<text x="20" y="32" class="head">%s</text>\n'
            '<text x="20" y="50" class="note">%s</text>\n%s%s</svg>\n'
            % (WIDTH, y, escape(title), style, WIDTH - 1, y - 1, escape(title),
               escape(note), legend, out))
