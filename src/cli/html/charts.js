'use strict';

// Curves over time, drawn by uPlot on a canvas, and sparklines. A canvas takes no colours from the
// style sheet: curves are made anew when the theme changes.
const charts = (() => {
    const HEIGHT = 220;
    // 1, 2, 5, 10, ...
    const decades = (number) => Array.from({ length: number }, (_, exponent) =>
        [1, 2, 5].map((digit) => digit * 10 ** exponent)).flat();
    const POWERS_OF_TWO = Array.from({ length: 60 }, (_, exponent) => 2 ** exponent);
    const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800,
        21600, 43200, ...decades(18).map((step) => 86400 * step)];
    const WHOLE = decades(18);
    const alive = new Set();
    const probe = dom.make('span', { hidden: true });

    function color(name) {
        if (!probe.isConnected)
            document.body.append(probe);
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color;
    }

    // Times of day in UTC, as everywhere on the page; the day where a curve covers several.
    function timeTicks(times) {
        const days = times[times.length - 1] - times[0] > 86400;
        return (_, splits, __, ___, step) => splits.map((split) => {
            const [date, time] = units.iso(split).split('T');
            if (step >= 86400)
                return date.slice(5);
            return `${days ? `${date.slice(5)} ` : ''}${time.slice(0, step < 60 ? 8 : 5)}`;
        });
    }

    function top(values, limit, error) {
        const known = values.filter(units.isKnown);
        const highest = Math.max(...known, known[known.length - 1] + error || 0, 0);
        // A limit far above would press the curve flat; it is named in words then.
        const withLimit = limit && limit < 4 * highest ? Math.max(highest, limit) : highest;
        return withLimit > 0 ? withLimit * 1.08 : 1;
    }

    function drawLimit(chart, limit, name) {
        const y = chart.valToPos(limit, 'y', true);
        const { ctx, bbox } = chart;
        if (y < bbox.top || y > bbox.top + bbox.height)
            return;
        ctx.save();
        ctx.strokeStyle = color('bad');
        ctx.fillStyle = color('bad');
        ctx.lineWidth = devicePixelRatio;
        ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.textAlign = 'left';
        ctx.textBaseline = 'alphabetic';
        ctx.fillText(name, bbox.left + 6 * devicePixelRatio, y - 5 * devicePixelRatio);
        ctx.restore();
    }

    // The standard error stands at the last point: it is known of what is live, not of the past.
    function drawError(chart, time, value, error) {
        const x = chart.valToPos(time, 'x', true);
        const { ctx } = chart;
        const [from, to] = [value - error, value + error].map((end) =>
            chart.valToPos(Math.max(end, 0), 'y', true));
        const half = 4 * devicePixelRatio;
        ctx.save();
        ctx.strokeStyle = color('text');
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.beginPath();
        for (const y of [from, to]) {
            ctx.moveTo(x - half, y);
            ctx.lineTo(x + half, y);
        }
        ctx.moveTo(x, from);
        ctx.lineTo(x, to);
        ctx.stroke();
        ctx.restore();
    }

    function axis(extra) {
        return { stroke: color('quiet'), font: '12px system-ui, sans-serif', ticks: { show: false },
            grid: { stroke: color('line'), width: 1 }, ...extra };
    }

    function optionsOf(host, chart, readout) {
        const { format, limit, limitName, error = 0, isTimeOfDay } = chart;
        const draw = [];
        const values = chart.series.flatMap((series) => series.values);
        if (limit)
            draw.push((plot) => drawLimit(plot, limit, limitName));
        if (error > 0) {
            const last = chart.times.length - 1;
            draw.push((plot) => drawError(plot, chart.times[last], chart.series[0].values[last],
                error));
        }
        return {
            width: Math.max(host.clientWidth, 200),
            height: HEIGHT,
            legend: { show: false },
            padding: [8, 30, 0, 0],
            cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 } },
            scales: {
                x: { time: false },
                y: { range: () => [0, top(values, limit, error)] },
            },
            axes: [
                axis({ incrs: SECONDS, space: isTimeOfDay ? 90 : 60, size: 32,
                    values: isTimeOfDay ? timeTicks(chart.times)
                        : (_, splits) => splits.map((split) => units.duration(split)) }),
                axis({ incrs: chart.isWhole ? WHOLE : POWERS_OF_TWO, size: 70, space: 36,
                    values: (_, splits) => splits.map(format) }),
            ],
            series: [{}, ...chart.series.map((series) => ({
                label: series.label,
                stroke: color(series.color),
                width: 2,
                points: { show: chart.times.length <= 24 },
                fill: chart.series.length === 1 ? color(`${series.color}-fill`) : undefined,
                spanGaps: !!series.spansGaps,
            }))],
            hooks: {
                draw,
                setCursor: [(plot) => readout(plot.cursor.idx)],
            },
        };
    }

    function describe({ times, series, format, isTimeOfDay }) {
        const when = isTimeOfDay ? units.timeOfDay : units.duration;
        const [first] = series;
        if (series.length > 1) {
            const highest = Math.max(...series.flatMap((each) => each.values.filter(units.isKnown)));
            return `${series.length} curves from ${when(times[0])} to ` +
                `${when(times[times.length - 1])}, at most ${format(highest)}`;
        }
        const known = first.values.filter(units.isKnown);
        if (known.length === 0)
            return '';
        return `${first.label}: ${format(known[0])} at ${when(times[0])}, ` +
            `${format(known[known.length - 1])} at ${when(times[times.length - 1])}, ` +
            `at most ${format(Math.max(...known))}`;
    }

    // Readings in the order of time; a damaged history may have others between them.
    function inOrder({ times, series }) {
        let last = -Infinity;
        const places = [...times.keys()].filter((place) => {
            const isLater = times[place] > last;
            last = Math.max(last, times[place]);
            return isLater;
        });
        return { times: places.map((place) => times[place]), series: series.map((each) => ({ ...each,
            values: places.map((place) => each.values[place]) })) };
    }

    /*
     * A chart of { times, series: [{ label, values, color }], format, isWhole, limit, limitName,
     * error, isTimeOfDay }; `times` in seconds.
     */
    function curve(given) {
        const chart = { ...given, ...inOrder(given) };
        const summary = describe(chart);
        const host = dom.make('div', { class: 'chart', role: 'img', 'aria-label': summary });
        const line = dom.make('p', { class: 'readout quiet' }, summary);
        const when = chart.isTimeOfDay ? units.timeOfDay : units.duration;
        let plot = null;

        function readout(index) {
            if (index === null || index === undefined) {
                line.textContent = summary;
                return;
            }
            const parts = chart.series.filter((series) => units.isKnown(series.values[index]))
                .map((series) => `${series.label} ${chart.format(series.values[index])}`);
            line.textContent = `${when(chart.times[index])}: ${parts.join(', ')}`;
        }

        function build() {
            plot?.destroy();
            plot = new uPlot(optionsOf(host, chart, readout),
                [chart.times, ...chart.series.map((series) => series.values)], host);
        }

        const entry = { host, build };
        new ResizeObserver(() => {
            if (!host.isConnected || host.clientWidth === 0)
                return;
            if (plot === null) {
                alive.add(entry);
                build();
            } else if (plot.width !== host.clientWidth)
                plot.setSize({ width: Math.max(host.clientWidth, 200), height: HEIGHT });
        }).observe(host);
        return dom.make('div', { class: 'chart-box' }, host, line);
    }

    function repaint() {
        for (const entry of alive) {
            if (entry.host.isConnected)
                entry.build();
            else
                alive.delete(entry);
        }
    }

    function spark(values, kind) {
        const [width, height] = [96, 24];
        const highest = Math.max(...values, 1e-9);
        const points = values.map((value, index) =>
            `${(index / (values.length - 1) * (width - 2) + 1).toFixed(1)},` +
            `${(height - 2 - Math.max(value, 0) / highest * (height - 4)).toFixed(1)}`);
        return dom.draw('svg', { class: `spark spark-${kind}`, viewBox: `0 0 ${width} ${height}`,
            width, height, 'aria-hidden': 'true' },
        dom.draw('polygon', { points: `1,${height - 1} ${points.join(' ')} ${width - 1},${height - 1}` }),
        dom.draw('polyline', { points: points.join(' ') }));
    }

    return { curve, spark, repaint };
})();
