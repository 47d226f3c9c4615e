'use strict';

// Reads the data of the page and shows a run; with several, the one that is chosen.
(() => {
    const THEMES = { auto: 'light', light: 'dark', dark: 'auto' };
    const STORED = 'leakshim-theme';
    const model = JSON.parse(dom.byId('data').textContent);
    model.frames = model.frames.map(([name, file, line, module, offset, language]) =>
        ({ function: name, file, line, module, offset, language }));

    function remembered() {
        try {
            return localStorage.getItem(STORED);
        } catch {
            return null; // a browser may keep nothing for pages from files
        }
    }

    function setTheme(theme) {
        const button = dom.byId('theme');
        if (theme === 'auto')
            delete document.documentElement.dataset.theme;
        else
            document.documentElement.dataset.theme = theme;
        button.textContent = `Theme: ${theme}`;
        button.onclick = () => {
            setTheme(THEMES[theme]);
            try {
                localStorage.setItem(STORED, THEMES[theme]);
            } catch {
                // Not remembered, then.
            }
        };
        charts.repaint();
    }

    function limitText(process) {
        if (!process.limit_bytes)
            return 'no memory limit';
        const source = { v8: 'JavaScript heap limit', cgroup: 'container limit', rlimit:
            'address space limit' }[process.limit_source] ?? 'limit';
        return `${source} ${units.size(process.limit_bytes)}`;
    }

    const ENDINGS = { running: 'up', ended: 'ended after', killed: 'killed after',
        'killed at its limit': 'killed at its limit after' };

    function processLine(run) {
        const { process } = run.summary;
        dom.show(dom.byId('process'),
            dom.make('span', {}, `${process.program} pid ${process.pid}, ` +
                `${ENDINGS[run.ending]} ${units.duration(process.uptime_s)}, ${limitText(process)}`),
            dom.make('code', { class: 'command' }, process.command));
    }

    function tile(name, value, detail, share, kind) {
        return dom.make('div', { class: 'tile' }, dom.make('span', { class: 'tile-name' }, name),
            dom.make('span', { class: 'tile-value' }, value),
            units.isKnown(share) ? sections.bar(share, kind) : null,
            dom.make('span', { class: 'quiet' }, detail ?? ''));
    }

    /** In nine cases of ten; a summary of an older version has none. */
    function rangeText(memory) {
        if (!units.isKnown(memory.seconds_to_limit_low))
            return '';
        return units.isKnown(memory.seconds_to_limit_high)
            ? `${units.duration(memory.seconds_to_limit_low)} to ${units.duration(memory.seconds_to_limit_high)}`
            : `${units.duration(memory.seconds_to_limit_low)} or more`;
    }

    function tiles(run) {
        const { memory, process, verdict, event_loops: loops, health } = run.summary;
        const isHeap = process.limit_source === 'v8';
        const used = isHeap ? memory.v8_heap_bytes : memory.rss_bytes;
        const filled = process.limit_bytes && units.isKnown(used) ? used / process.limit_bytes : null;
        const slowest = loops.reduce((worst, loop) => !worst || loop.delay_p99_s > worst.delay_p99_s
            ? loop : worst, null);
        dom.show(dom.byId('tiles'),
            tile('Growth', units.sizeRate(memory.rss_growth_bytes_per_s), 'of the resident memory'),
            tile(run.ending === 'running' ? 'Limit reached in' : 'Limit, at that rate, in', units.isKnown(memory.seconds_to_limit)
                ? units.duration(memory.seconds_to_limit) : 'not in sight', [limitText(process),
                rangeText(memory)].filter(Boolean).join('; ')),
            tile('Resident', units.size(memory.rss_bytes), filled === null ? 'in the end'
                : `${isHeap ? 'JavaScript heap ' : ''}${units.share(filled)} of the limit`, filled,
            filled > 0.8 ? 'bad' : 'accent'),
            tile('Rising sites', units.count(verdict.rising_sites), `of ${units.count(health.sites)} sites known`),
            slowest ? tile('Event loop, 99 %', units.delay(slowest.delay_p99_s),
                `${slowest.thread}, ${units.share(slowest.utilization)} busy`) : null,
            tile('Tracking', health.state, health.lost_acquires + health.lost_releases > 0
                ? `${units.count(health.lost_acquires + health.lost_releases)} lost` : 'nothing lost'));
    }

    function warnings(run) {
        const list = [];
        if (run.ending.startsWith('killed'))
            list.push('The process was killed, or died by a signal: these are the figures of its last ' +
                'interval.');
        if (run.summary.health.state !== 'active')
            list.push('Part of the process was not tracked; the notes at the end of the page say what.');
        dom.show(dom.byId('warnings'), ...list.map((text) => dom.make('p', { class: 'warning' }, text)));
    }

    function resident(run) {
        const points = story.readings(run);
        const { process } = run.summary;
        dom.show(dom.byId('resident-body'), points.length < 2
            ? dom.note('There is no history.jsonl beside this summary, or it has one line only.')
            : charts.curve({
                times: points.map((point) => point[0]),
                series: [{ label: 'resident', values: points.map((point) => point[1]),
                    color: run.summary.verdict.state === 'leaking' ? 'bad' : 'accent' }],
                format: units.size, limit: process.limit_source === 'v8' ? null : process.limit_bytes,
                limitName: limitText(process),
            }));
    }

    function contents() {
        const cards = [...document.querySelectorAll('main section.card')].filter((card) =>
            !card.hidden);
        dom.show(dom.byId('contents'), ...cards.map((card) => dom.make('a', { href: `#${card.id}` },
            card.querySelector('h2').textContent)));
    }

    function runTitle(run) {
        const title = dom.byId('run-title');
        title.hidden = model.runs.length < 2;
        title.textContent = run.summary.verdict.message;
        dom.byId('run').dataset.verdict = run.summary.verdict.state;
    }

    function showRun(index) {
        const run = model.runs[index];
        dom.byId('run-select').value = String(index);
        for (const part of [processLine, tiles, warnings, runTitle, resident])
            part(run);
        sites.render(run, model);
        flame.render(run, model);
        sections.render(run);
        contents();
    }

    function chooseRun(run) {
        showRun(model.runs.indexOf(run));
        dom.byId('run').scrollIntoView();
    }

    function runChoice() {
        const select = dom.byId('run-select');
        dom.byId('run-choice').hidden = model.runs.length < 2;
        dom.show(select, ...model.runs.map((run, index) => dom.make('option', { value: String(index) },
            `${run.summary.process.program} ${run.summary.process.pid}, ` +
            `${units.timeOfDay(story.startOf(run)).slice(5, 19)}, ${run.ending}`)));
        select.addEventListener('input', () => showRun(Number(select.value)));
    }

    // Of the runs that rise the last, else the last of all.
    function firstShown() {
        const rising = model.runs.findLastIndex((run) => run.detailed &&
            run.summary.verdict.state === 'leaking');
        return rising >= 0 ? rising : model.runs.length - 1;
    }

    setTheme(remembered() in THEMES ? remembered() : 'auto');
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', charts.repaint);
    runChoice();
    story.render(model, chooseRun);
    showRun(firstShown());
    dom.byId('footer').textContent = `leakshim ${model.version}, page made ` +
        `${units.timeOfDay(model.made_at)}. Curves by uPlot (MIT licence). Nothing of this page is ` +
        'loaded from elsewhere.';
})();
