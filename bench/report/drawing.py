# SPDX-License-Identifier: BSD-3-Clause
"""What a page is made of: values with units, tables, bars, and latency by percentile."""
import html
import math

from histograms import PERCENTS, merged, percentile

SIDES = {'echo': '#888888', 'device': '#c0392b'}
ROWS = [('open', 'latency', 'open loop, from due', ''),
        ('open', 'service', 'open loop, service', '6 4'),
        ('closed', 'service', 'closed loop, service', '2 3')]
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 900, 420, 80, 40, 50, 20
NINES = 5  # the axis ends at 99.999 %
UNKNOWN = '–'


def text(value):
    return html.escape(str(value))


def counted(nb, noun):
    return f'{nb} {noun}' if nb == 1 else f'{nb} {noun}s'


# ---- values: None is unknown

def digits(value):
    """Three of them that count, and never an exponent."""
    return f'{value:.0f}' if value >= 99.95 else f'{value:.3g}'


def scaled(value, sizes, smallest):
    if value is None:
        return UNKNOWN
    for size, name in sizes:
        if value >= size:
            return f'{digits(value / size)} {name}'
    return f'{digits(value)} {smallest}'


def unit(ns):
    return scaled(ns, ((1e9, 's'), (1e6, 'ms'), (1e3, 'µs')), 'ns')


def rate(per_second):
    return scaled(per_second, ((1e6, 'M/s'), (1e3, 'k/s')), '/s')


def fixed(value, places):
    return UNKNOWN if value is None else f'{value:.{places}f}'


# ---- tables and bars

def wide(rows):
    """A table; what is too wide for the window scrolls in a box of its own."""
    yield '<div class="wide"><table>'
    yield from rows
    yield '</table></div>'


def rows_table(heading, rows, words=()):
    """`words`: the columns that hold text, which may be broken."""
    def cells(row):
        return ''.join(f'<td{kind}>{text(cell)}</td>' for kind, cell in zip(kinds[1:], row[1:]))

    kinds = [' class="text"' if i in words else '' for i in range(len(heading))]
    yield from wide(['<tr>' + ''.join(f'<th{kind}>{text(h)}</th>'
                                      for kind, h in zip(kinds, heading)) + '</tr>']
                    + [f'<tr><th>{text(row[0])}</th>{cells(row)}</tr>' for row in rows])


def figures_table(rows):
    """[(name, count, percentiles and maximum in ns)]"""
    return rows_table(['', 'count'] + [f'p{p:g}' for p in PERCENTS] + ['max'],
                      [(name, f'{count:,}', *(unit(ns) for ns in values))
                       for name, count, values in rows])


def figures_row(name, figures):
    keys = [f'p{p:g}_ns' for p in PERCENTS] + ['max_ns']
    return name, figures['count'], [figures[key] for key in keys]


def bars(rows):
    """[(name, colour, ns)] as one plot, without what is unknown."""
    rows = [row for row in rows if row[2] is not None]
    if not rows:
        return '<p>Too few samples for a median.</p>'
    most = max(value for _, _, value in rows) or 1
    height = 24 * len(rows) + 8
    parts = []
    for i, (name, colour, value) in enumerate(rows):
        width = 560 * value / most
        parts.append(f'<text x="210" y="{24 * i + 20}" class="end">{text(name)}</text>'
                     f'<rect x="220" y="{24 * i + 6}" width="{width:.1f}" height="18" '
                     f'fill="{colour}"/>'
                     f'<text x="{226 + width:.0f}" y="{24 * i + 20}">{unit(value)}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'


# ---- the plot: percentiles on an axis on which each further nine takes as much room

def x_of(percent):
    return LEFT + (WIDTH - LEFT - RIGHT) * min(-math.log10(1 - percent / 100), NINES) / NINES


def y_scale(curves):
    values = [v for points in curves for _, v in points]
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    per_decade = (HEIGHT - TOP - BOTTOM) / (high - low)
    return low, high, lambda ns: TOP + per_decade * (high - math.log10(ns))


def curve(edges):
    total = sum(count for _, count in edges)
    points, seen = [], 0
    for high, count in edges:
        seen += count
        if total - seen >= 10:
            points.append((100 * seen / total, max(high, 1)))
    return thinned(points)


def thinned(points):
    """Without those that lie within a pixel of the one before."""
    kept = []
    for point in points:
        if not kept or point is points[-1] or x_of(point[0]) - x_of(kept[-1][0]) >= 1:
            kept.append(point)
    return kept


def axes(low, high, y):
    for exponent in range(low, high + 1):
        at = y(10 ** exponent)
        yield (f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" '
               'class="grid"/>')
        yield f'<text x="{LEFT - 8}" y="{at + 4:.1f}" class="end">{unit(10 ** exponent)}</text>'
    for percent in [0] + PERCENTS + [99.999]:
        at = x_of(percent)
        yield (f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" '
               'class="grid"/>')
        yield f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" class="mid">{percent:g} %</text>'
    yield (f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 8}" class="mid">'
           'part of the commands that took at most …</text>')


def plot(result):
    curves = {}
    for side in SIDES:
        for loop, what, _, _ in ROWS:
            points = curve(merged(result, side, loop, what))
            if points:
                curves[side, loop, what] = points
    if not curves:
        return '<p>Too few commands for a curve.</p>'
    low, high, y = y_scale(curves.values())
    parts = list(axes(low, high, y))
    for (side, loop, what), points in curves.items():
        dash = next(d for l, w, _, d in ROWS if (l, w) == (loop, what))
        line = ' '.join(f'{x_of(p):.1f},{y(v):.1f}' for p, v in points)
        parts.append(f'<polyline points="{line}" stroke="{SIDES[side]}" '
                     f'stroke-dasharray="{dash}"/>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'


def legend(result):
    for side, colour in SIDES.items():
        for loop, what, name, dash in ROWS:
            if merged(result, side, loop, what):
                yield ('<span><svg viewBox="0 0 40 8" width="40" height="8">'
                       f'<line x1="0" x2="40" y1="4" y2="4" stroke="{colour}" stroke-width="2" '
                       f'stroke-dasharray="{dash}"/></svg> {side}, {name}</span>')


def percentile_table(result):
    rows = []
    for side in SIDES:
        for loop, what, name, _ in ROWS:
            edges = merged(result, side, loop, what)
            if edges:
                rows.append((f'{side}, {name}', sum(count for _, count in edges),
                             [percentile(edges, p) for p in PERCENTS] + [edges[-1][0]]))
    return figures_table(rows)
