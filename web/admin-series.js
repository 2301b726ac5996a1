/*
 * Copyright (C) The im authors
 *
 * Numbers over time: rates from what workers have counted, and sparklines.
 */

const SVG = 'http://www.w3.org/2000/svg';

const KEPT = 60;                       /* points of a series, */
const LEAST = 20;                      /* for which a young one has room */
const WIDTH = 120;
const HEIGHT = 32;


/* The last values of one number. */
export class Series {
    constructor() {
        this.values = [];
    }


    add(value) {
        this.values.push(value);

        if (this.values.length > KEPT) {
            this.values.shift();
        }
    }
}


/*
 * Rates of a worker, from two of its reports: totals only grow, so a smaller
 * one is of another worker.
 */
export class Rates {
    constructor(names) {
        this.names = names;
        this.last = null;
        this.now = null;               /* by name; null: not known yet */
        this.series = Object.fromEntries(names.map((n) => [n, new Series()]));
    }


    report(worker) {
        const last = this.last;

        if (last !== null && worker.time <= last.time) {
            return;
        }

        this.last = worker;

        if (last === null) {
            return;
        }

        this.now = {};

        for (const name of this.names) {
            const rate = Math.max(0, worker[name] - last[name]) * 1000
                         / (worker.time - last.time);

            this.now[name] = rate;
            this.series[name].add(rate);
        }
    }
}


function svg(name, attributes) {
    const e = document.createElementNS(SVG, name);

    for (const [key, value] of Object.entries(attributes)) {
        e.setAttribute(key, value);
    }

    return e;
}


/* A line from left to right, with the newest value at the right. */
export class Sparkline {
    constructor() {
        this.area = svg('path', { 'class': 'area' });
        this.line = svg('path', { 'class': 'line' });
        this.element = svg('svg', {
            'class': 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
            preserveAspectRatio: 'none', 'aria-hidden': 'true'
        });
        this.element.append(this.area, this.line);
    }


    draw(series) {
        const values = series.values;
        const top = Math.max(...values, 1e-9);
        const step = WIDTH / (Math.max(values.length, LEAST) - 1);
        const start = WIDTH - (values.length - 1) * step;

        const points = values.map((value, i) =>
            (start + i * step).toFixed(1) + ' '
            + (HEIGHT - 1.5 - value / top * (HEIGHT - 4)).toFixed(1));

        const line = points.length > 1 ? 'M' + points.join('L') : '';

        this.line.setAttribute('d', line);
        this.area.setAttribute('d', line
            ? line + `L${WIDTH} ${HEIGHT}L${start.toFixed(1)} ${HEIGHT}Z` : '');
    }
}
