'use strict';

// The callsites: a table that can be searched and sorted, and behind each row its curve and stack.
const sites = (() => {
    const KINDS = { heap: 'heap blocks', js: 'JavaScript objects', map: 'mappings', thread: 'threads',
        socket: 'sockets', file: 'descriptors', custom: 'own resources' };
    // What a descriptor weighs where bytes and numbers are put into one order, as in the summary.
    const DESCRIPTOR_BYTES = 16384;

    // More in one chart cannot be told apart.
    const CURVES = 6;

    // Descriptors have no size and a thread's stack is mostly untouched; the program's own may have one.
    const isCounted = (site) => ['socket', 'file', 'thread'].includes(site.resource) ||
        (site.resource === 'custom' && !site.acquired_bytes);

    const growthText = (site) => isCounted(site) ? units.countRate(site.growth_count_per_s)
        : units.sizeRate(site.growth_bytes_per_s);
    const growthWeight = (site) => isCounted(site) ? site.growth_count_per_s * DESCRIPTOR_BYTES
        : site.growth_bytes_per_s;
    const liveWeight = (site) => isCounted(site) ? site.live_count * DESCRIPTOR_BYTES
        : site.live_bytes;

    function liveText(site) {
        if (isCounted(site))
            return units.UNKNOWN;
        return site.error_bytes > 0
            ? `~${units.size(site.live_bytes)} ± ${units.size(site.error_bytes)}`
            : units.size(site.live_bytes);
    }

    const nameOf = (site) => site.function || site.location || '(no name)';

    function frameName(frame) {
        if (frame.function)
            return frame.function;
        if (frame.module)
            return `${units.baseName(frame.module)}+${frame.offset ?? ''}`;
        return frame.language === 'js' ? '(anonymous)' : '(no name)';
    }

    function framePlace(frame) {
        if (frame.file)
            return frame.line ? `${frame.file}:${frame.line}` : frame.file;
        return frame.module ? `${frame.module}+${frame.offset ?? '?'}` : '';
    }

    // The runtime's own: neither the program's nor a module's of its.
    const isInternal = (frame) => (frame.file ?? '').startsWith('node:') ||
        /^(Builtins_|node::|v8::|uv_|uv__|_start$|__libc_start)/.test(frame.function ?? '');

    const LANGUAGES = { js: 'JS', jit: 'JIT', c: 'native' };

    function stackOf(site, model) {
        if (site.stack.length === 0)
            return dom.note('There is no stack for this site.');
        let isNamed = false;
        const items = site.stack.map((index) => {
            const frame = model.frames[index];
            const isSite = !isNamed && frame.function && frame.function === site.function;
            isNamed ||= isSite;
            return dom.make('li', { class: `${isInternal(frame) ? 'internal' : ''} ${isSite ? 'named'
                : ''}` },
            dom.badge(LANGUAGES[frame.language] ?? frame.language, frame.language),
            dom.make('span', { class: 'frame-name' }, frameName(frame)),
            dom.make('span', { class: 'frame-place quiet' }, framePlace(frame)));
        });
        return dom.make('ol', { class: 'stack' }, ...items);
    }

    // The standard error at the last point of the curve. It is known of what is live at the end, which
    // for JavaScript is another reading; the variance of samples goes with their sum.
    function lastError(site) {
        const [, bytes] = site.series[site.series.length - 1];
        return site.live_bytes > 0 && bytes > 0
            ? site.error_bytes * Math.sqrt(bytes / site.live_bytes) : 0;
    }

    function curveOf(site) {
        if (site.series.length < 2)
            return dom.note(site.series.length === 0 ? 'There are no readings of this site yet.'
                : 'One reading is no curve.');
        const box = dom.make('div', {});
        const byCount = isCounted(site);
        const options = [
            { name: 'Bytes', index: 1, format: units.size, error: lastError(site) },
            { name: 'Number', index: 2, format: units.count, isWhole: true },
        ].filter((option) => !(byCount && option.index === 1));
        const buttons = options.map((option) => dom.make('button', { type: 'button',
            class: 'button', 'aria-pressed': 'false', onclick: () => show(option) }, option.name));

        function show(option) {
            buttons.forEach((button, index) => button.setAttribute('aria-pressed',
                String(options[index] === option)));
            dom.show(box, charts.curve({
                times: site.series.map((point) => point[0]),
                series: [{ label: option.name === 'Bytes' ? 'live' : 'live, number',
                    values: site.series.map((point) => point[option.index]),
                    color: site.verdict === 'rising' ? 'bad' : 'accent' }],
                format: option.format, isWhole: option.isWhole, error: option.error,
            }));
        }

        show(options[0]);
        return dom.make('div', {}, options.length > 1 ? dom.make('div', { class: 'buttons' },
            ...buttons) : null, box);
    }

    function threadsOf(site) {
        if (!site.threads)
            return null;
        const { threads } = site;
        return dom.facts([
            ['Running', units.count(threads.running)],
            ['Finished, not joined', units.count(threads.finished)],
            ['Detached', units.count(threads.detached)],
            ['Stacks', units.size(threads.stack_bytes)],
            ['Names', (threads.names ?? []).map((each) => `${each.name} (${each.count})`).join(', ')],
        ]);
    }

    function detailOf(site, model) {
        const name = nameOf(site);
        return dom.make('div', { class: 'site-detail' },
            dom.make('div', { class: 'site-curve' }, dom.make('h3', {}, 'Live over time'),
                curveOf(site)),
            dom.make('div', { class: 'site-facts' }, dom.make('h3', {}, 'Figures'), dom.facts([
                ['Verdict', `${site.verdict}${site.confidence > 0
                    ? `, ${units.share(site.confidence)} sure` : ''}`],
                ['Growth', `${growthText(site)}${isCounted(site) ? ''
                    : `, ${units.countRate(site.growth_count_per_s)} in number`}`],
                ['Live', isCounted(site) ? units.count(site.live_count)
                    : `${liveText(site)} in ${units.count(site.live_count)}`],
                ['Most ever', site.peak_live_bytes > 0 ? units.size(site.peak_live_bytes) : null],
                ['Reserved', site.reserved_bytes > 0 ? units.size(site.reserved_bytes) : null],
                ['Half is older than', units.isKnown(site.median_age_s)
                    ? units.duration(site.median_age_s) : null],
                ['Acquired', units.isKnown(site.acquired_count) ? units.count(site.acquired_count)
                    : null],
                ['Released', units.isKnown(site.released_count) ? units.count(site.released_count)
                    : null],
                ['Module', site.module || null],
                ['Id', site.id],
            ]), threadsOf(site),
            dom.make('button', { type: 'button', class: 'button',
                onclick: () => flame.search(name) }, 'Find it in the flame graph')),
            dom.make('div', { class: 'site-stack' }, dom.make('h3', {}, 'Stack, innermost first'),
                stackOf(site, model)),
            site.peers?.length > 0 ? dom.make('div', { class: 'site-peers' },
                dom.make('h3', {}, 'Peers'), sections.peerTable([site])) : null);
    }

    function textOf(site, model) {
        return [site.function, site.location, site.module, site.id, site.resource, site.verdict,
            ...site.stack.flatMap((index) => [model.frames[index].function, model.frames[index].file,
                model.frames[index].module]),
            ...(site.peers ?? []).map((peer) => peer.address)].join('\n').toLowerCase();
    }

    function columnsOf() {
        return [
            { key: 'name', title: 'Site', isTitle: true, value: nameOf, className: 'site-name',
                cell: (site) => [dom.make('span', { class: 'name' }, nameOf(site)),
                    dom.make('span', { class: 'place quiet' }, site.location ?? '')] },
            { key: 'kind', title: 'Kind', className: 'word', value: (site) => site.resource,
                cell: (site) => dom.make('span', { title: KINDS[site.resource] }, site.resource) },
            { key: 'verdict', title: 'Verdict', value: (site) => site.verdict,
                cell: (site) => dom.badge(site.verdict, site.verdict) },
            { key: 'growth', title: 'Growth', isNumber: true, value: growthWeight, cell: growthText },
            { key: 'live', title: 'Live', isNumber: true, value: liveWeight, cell: liveText,
                hint: '± is the standard error of sampling: the truth is within twice that in 19 cases of 20' },
            { key: 'count', title: 'Number', isNumber: true, value: (site) => site.live_count,
                cell: (site) => units.count(site.live_count) },
            { key: 'age', title: 'Age', isNumber: true, hint: 'Half of what is live is older',
                value: (site) => site.median_age_s, cell: (site) => units.duration(site.median_age_s) },
            { key: 'curve', title: 'Curve', className: 'spark-cell',
                cell: (site) => site.series.length < 2 ? ''
                    : charts.spark(site.series.map((point) => point[isCounted(site) ? 2 : 1]),
                        site.verdict) },
        ];
    }

    function choice(label, words) {
        return dom.make('select', { 'aria-label': label }, dom.make('option', { value: '' }, label),
            ...words.map(([value, title]) => dom.make('option', { value }, title)));
    }

    // The kinds or verdicts there are.
    const wordsOf = (list, key) => [...new Set(list.map((site) => site[key]))].sort()
        .map((word) => [word, word]);

    // The rising sites in one chart; those without a size have one of their own.
    function growthChart(list, place, label, format, isWhole) {
        const drawn = list.filter((site) => site.series.length > 1).slice(0, CURVES);
        if (drawn.length === 0)
            return null;
        const [times, ...values] = uPlot.join(drawn.map((site) => [
            site.series.map((point) => point[0]), site.series.map((point) => point[place])]));
        const name = (site) => `${site.resource} ${nameOf(site)}`;
        return dom.make('div', { class: 'growth-chart' }, dom.make('h3', { class: 'unseen' }, label),
            charts.curve({ times, format, isWhole, series: drawn.map((site, index) => ({
                label: name(site), values: values[index], color: `curve-${index}` })) }),
            dom.make('ul', { class: 'legend' }, ...drawn.map((site, index) => dom.make('li', {},
                dom.make('button', { type: 'button', class: 'link', title: site.location,
                    onclick: () => find(nameOf(site)) },
                dom.make('span', { class: `swatch curve-${index}` }),
                dom.make('span', { class: 'name' }, name(site))), ` ${growthText(site)}`))));
    }

    function renderGrowth(run) {
        const rising = run.summary.sites.filter((site) => site.verdict === 'rising');
        const parts = [
            growthChart(rising.filter((site) => !isCounted(site)), 1, 'Live bytes', units.size, false),
            growthChart(rising.filter(isCounted), 2, 'Live number', units.count, true),
        ].filter(Boolean);
        dom.byId('growth').hidden = parts.length === 0;
        dom.show(dom.byId('growth-body'), ...parts);
    }

    // Shows the sites of a name in the table.
    function find(name) {
        const search = dom.byId('site-search');
        search.value = name;
        search.dispatchEvent(new Event('input'));
        dom.byId('sites').scrollIntoView();
        search.focus({ preventScroll: true });
    }

    function render(run, model) {
        const list = run.summary.sites;
        renderGrowth(run);
        const body = dom.byId('sites-body');
        if (list.length === 0) {
            dom.show(body, dom.note(run.detailed
                ? 'This run has no sites: nothing was sampled, or nothing lives any more.'
                : 'Only the newest runs have their sites on this page; make a page of this run alone.'));
            return;
        }
        const texts = new Map(list.map((site) => [site, textOf(site, model)]));
        const search = dom.make('input', { type: 'search', placeholder: 'Function, file, module, peer',
            'aria-label': 'Search the sites', id: 'site-search', autocomplete: 'off',
            spellcheck: 'false' });
        const kind = choice('Every kind', wordsOf(list, 'resource'));
        const verdict = choice('Every verdict', wordsOf(list, 'verdict'));
        // Where the page is narrow the table has no heads.
        const order = choice('Worst first', columnsOf().filter((column) => column.value)
            .map((column) => [column.key, `By ${column.title.toLowerCase()}`]));
        const found = dom.make('output', { class: 'quiet', id: 'site-count' });
        const grid = dom.table({ caption: 'Sites: the rising ones first, by growth', columns: columnsOf(),
            rows: list, atFirst: 15, className: 'cards sites-table', expand: (site) => detailOf(site, model),
            emptyText: 'No site is like that.' });

        function narrow() {
            const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
            const shown = grid.filter((site) => (!kind.value || site.resource === kind.value) &&
                (!verdict.value || site.verdict === verdict.value) &&
                words.every((word) => texts.get(site).includes(word)));
            found.textContent = shown === list.length ? `${units.count(shown)} sites`
                : `${units.count(shown)} of ${units.count(list.length)} sites`;
        }

        for (const control of [search, kind, verdict])
            control.addEventListener('input', narrow);
        order.classList.add('if-narrow');
        order.addEventListener('input', () => grid.sort(order.value));
        narrow();
        dom.show(body, dom.make('div', { class: 'controls' }, search, kind, verdict, order, found),
            grid.element,
            run.summary.health.sites > list.length + run.sites_left_out
                ? dom.note(`The summary lists ${units.count(list.length + run.sites_left_out)} of the ` +
                    `${units.count(run.summary.health.sites)} sites known.`) : null,
            run.sites_left_out > 0 ? dom.note(`${units.count(run.sites_left_out)} more are in ` +
                'summary.json.') : null,
            list.some((site) => site.resource === 'js') ? dom.note(
                'JavaScript lines are where the function starts. A curve of JavaScript has only ' +
                'readings made right after a major collection.') : null);
    }

    return { render, isCounted, nameOf, frameName, framePlace, isInternal, liveWeight };
})();
