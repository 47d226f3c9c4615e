'use strict';

// Many runs as one story: for each service how often it was started again and how that ended, resident
// memory over all of its runs, and a line for each.
const story = (() => {
    const COLORS = { running: 'good', ended: 'accent', killed: 'warn', 'killed at its limit': 'bad' };
    const ENDINGS = Object.keys(COLORS);

    const startOf = (run) => Date.parse(run.summary.process.started_at) / 1000;
    const endOf = (run) => startOf(run) + run.summary.process.uptime_s;

    // Readings of a run, the last summary's among them.
    function readings(run) {
        const last = [run.summary.process.uptime_s, run.summary.memory.rss_bytes];
        const points = run.history.filter((point) => point[0] < last[0]);
        return units.isKnown(last[1]) ? [...points, last] : points;
    }

    function sentence(service) {
        const parts = [`${units.count(service.count)} ${service.count === 1 ? 'run' : 'runs'}`];
        if (service.restarts > 0)
            parts.push(`${units.count(service.restarts)} ` +
                `${service.restarts === 1 ? 'restart' : 'restarts'}`);
        parts.push(`up ${units.duration(service.shortest_s)}` + (service.longest_s >
            service.shortest_s ? ` to ${units.duration(service.longest_s)}` : ''));
        for (const ending of ENDINGS) {
            if (service.endings[ending] > 0)
                parts.push(`${units.count(service.endings[ending])} ${ending}`);
        }
        return parts.join(', ');
    }

    function curve(runs) {
        const drawn = runs.map((run) => ({ run, points: readings(run) }))
            .filter(({ points }) => points.length > 1);
        if (drawn.length === 0)
            return null;
        // Aligned to all times; where a run has no reading its line goes on.
        const [times, ...values] = uPlot.join(drawn.map(({ run, points }) => [
            [startOf(run), ...points.map((point) => startOf(run) + point[0])],
            [null, ...points.map((point) => point[1])]]));
        const limits = drawn.filter(({ run }) => run.summary.process.limit_source !== 'v8')
            .map(({ run }) => run.summary.process.limit_bytes);
        return charts.curve({
            times,
            series: drawn.map(({ run }, index) => ({ label: `pid ${run.summary.process.pid}`,
                values: values[index], color: COLORS[run.ending] })),
            format: units.size, isTimeOfDay: true, limit: limits[limits.length - 1],
            limitName: 'limit',
        });
    }

    // Runs that overlap in time lie in lanes of their own.
    function lanesOf(runs) {
        const lanes = [];
        for (const run of runs) {
            let lane = lanes.find((each) => endOf(each[each.length - 1]) <= startOf(run));
            if (!lane) {
                lane = [];
                lanes.push(lane);
            }
            lane.push(run);
        }
        return lanes;
    }

    function timeline(runs, choose) {
        const from = Math.min(...runs.map(startOf));
        const span = Math.max(...runs.map(endOf)) - from || 1;
        const lanes = lanesOf(runs).map((lane) => dom.make('div', { class: 'lane' },
            ...lane.map((run) => {
                const text = `${units.timeOfDay(startOf(run))}, up ` +
                    `${units.duration(run.summary.process.uptime_s)}, ${run.ending}`;
                const piece = dom.make('button', { type: 'button', class: `run-bar run-${COLORS[run.ending]}`,
                    title: text, 'aria-label': text, onclick: () => choose(run) });
                piece.style.left = `${(startOf(run) - from) / span * 100}%`;
                piece.style.width = `${(endOf(run) - startOf(run)) / span * 100}%`;
                return piece;
            })));
        return dom.make('div', { class: 'timeline', role: 'group', 'aria-label': 'Runs over time' },
            ...lanes);
    }

    function tableOf(runs, choose, hasCommands) {
        return dom.table({ caption: 'Runs, the last one first', rows: runs,
            sortBy: 'started', atFirst: 20, className: 'cards runs-table', select: choose, columns: [
                { key: 'started', title: 'Started', isTitle: true, className: 'word', value: startOf,
                    cell: (run) => units.timeOfDay(startOf(run)) },
                { key: 'program', title: 'Program', value: (run) => run.summary.process.program,
                    cell: (run) => [`${run.summary.process.program} ${run.summary.process.pid}`,
                        hasCommands ? dom.make('span', { class: 'place quiet' },
                            run.summary.process.command) : null] },
                { key: 'up', title: 'Up', isNumber: true, value: (run) => run.summary.process.uptime_s,
                    cell: (run) => units.duration(run.summary.process.uptime_s) },
                { key: 'resident', title: 'Resident, last', isNumber: true,
                    value: (run) => run.summary.memory.rss_bytes,
                    cell: (run) => units.size(run.summary.memory.rss_bytes) },
                { key: 'ending', title: 'How it ended', value: (run) => run.ending,
                    cell: (run) => dom.make('span', {}, dom.make('span',
                        { class: `swatch run-${COLORS[run.ending]}` }), run.ending) },
                { key: 'verdict', title: 'Verdict', value: (run) => run.summary.verdict.state,
                    cell: (run) => dom.badge(run.summary.verdict.state, run.summary.verdict.state) },
            ] }).element;
    }

    function serviceOf(service, model, choose) {
        const runs = service.runs.map((index) => model.runs[index]);
        return dom.make('section', { class: 'service' }, dom.make('h3', { class: 'name' },
            service.command || service.program), dom.make('p', {}, sentence(service)),
        runs.length > 0 ? timeline(runs, choose) : null, curve(runs.filter((run) => run.detailed)),
        runs.length > 0 ? tableOf(runs, choose) : null);
    }

    function risingOf(model) {
        if (model.rising.length === 0)
            return null;
        return dom.make('section', { class: 'service' }, dom.make('h3', {}, 'What rises, in all runs'),
            dom.make('ul', { class: 'rising-list' }, ...model.rising.map((each) => dom.make('li', {},
                dom.badge(`${each.runs} of ${model.runs.length + model.runs_left_out} runs`, 'rising'),
                ` ${each.message}`))));
    }

    // What was started once has no story: all of it in one table.
    function singleRuns(services, model, choose) {
        if (services.length === 0)
            return null;
        const runs = services.map((service) => model.runs[service.runs[0]])
            .sort((left, right) => startOf(left) - startOf(right));
        return dom.make('section', { class: 'service' }, services.length < model.services.length
            ? dom.make('h3', {}, 'Started once') : null, timeline(runs, choose),
        tableOf(runs, choose, true));
    }

    // Those that leak first, else as they were started.
    function inOrder(model) {
        const leaking = (service) => service.runs.filter((index) =>
            model.runs[index].summary.verdict.state === 'leaking').length;
        return [...model.services].sort((left, right) => leaking(right) - leaking(left));
    }

    function render(model, choose) {
        const box = dom.byId('story');
        box.hidden = model.runs.length < 2;
        if (box.hidden)
            return;
        dom.byId('story-title').textContent = model.services.some((service) => service.restarts > 0)
            ? 'Restarts' : 'Runs';
        const isSingle = (service) => service.count === 1 && service.runs.length === 1;
        dom.show(dom.byId('story-body'), risingOf(model),
            ...inOrder(model).filter((service) => !isSingle(service))
                .map((service) => serviceOf(service, model, choose)),
            singleRuns(model.services.filter(isSingle), model, choose),
            model.runs_left_out > 0 ? dom.note(`${units.count(model.runs_left_out)} older runs are ` +
                'not on this page.') : null);
    }

    return { render, readings, startOf };
})();
