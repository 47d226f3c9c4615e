'use strict';

// The sections of a run that are small: balance, modules, peers, loops, JavaScript heaps, health.
const sections = (() => {
    const PARTS = [
        ['v8_heap_bytes', 'JavaScript heaps', 'What V8 has mapped: objects and their code'],
        ['live_heap_bytes', 'Live heap blocks', 'Blocks of malloc that are live'],
        ['allocator_slack_bytes', 'Allocator slack', 'Held by the allocator beyond those'],
        ['mapping_bytes', 'Mappings', 'Anonymous mappings the program made itself'],
        ['stack_bytes', 'Stacks', 'Of the main thread and of those it made'],
        ['file_bytes', 'Files', 'Executable, libraries and other files mapped'],
        ['own_bytes', 'leakshim', 'Its tables and its thread’s stack'],
        ['unexplained_bytes', 'Unexplained', 'The rest; below zero when estimates add up to too much'],
    ];

    function bar(share, kind = 'accent') {
        const filled = dom.make('span', { class: `bar-filled bar-${kind}` });
        filled.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
        return dom.make('span', { class: 'bar-whole', 'aria-hidden': 'true' }, filled);
    }

    function hide(id, isHidden) {
        dom.byId(id).hidden = isHidden;
    }

    function balance(run) {
        const { memory } = run.summary;
        const parts = PARTS.map(([key, title, hint], index) => ({ key, title, hint, index,
            bytes: memory[key] })).filter((part) => units.isKnown(part.bytes) && part.bytes !== 0);
        // A negative rest cannot be drawn; the others then add up to more than is resident.
        const whole = parts.reduce((sum, part) => sum + Math.max(part.bytes, 0), 0);
        const strip = dom.make('div', { class: 'strip', role: 'img', 'aria-label':
            parts.map((part) => `${part.title} ${units.size(part.bytes)}`).join(', ') },
        ...parts.filter((part) => part.bytes > 0).map((part) => {
            const piece = dom.make('span', { class: `part-${part.index}`,
                title: `${part.title}: ${units.size(part.bytes)}` });
            piece.style.flexGrow = String(part.bytes / whole);
            return piece;
        }));
        const grid = dom.table({ caption: 'Parts of the resident memory', rows: parts, className: '',
            columns: [
                { key: 'title', title: 'Part', value: (part) => part.title, cell: (part) => [
                    dom.make('span', { class: `swatch part-${part.index}` }), part.title,
                    dom.make('span', { class: 'place quiet' }, part.hint)] },
                { key: 'bytes', title: 'Size', isNumber: true, value: (part) => part.bytes,
                    cell: (part) => units.size(part.bytes) },
                { key: 'share', title: 'Share', isNumber: true, value: (part) => part.bytes,
                    cell: (part) => part.bytes < 0 ? units.UNKNOWN
                        : units.share(part.bytes / memory.rss_bytes) },
            ] });
        const missing = PARTS.filter(([key]) => !units.isKnown(memory[key])).map((part) => part[1]);
        dom.show(dom.byId('balance-body'), strip, grid.element,
            missing.length > 0 ? dom.note(`Not known here, and so in the rest: ${missing.join(', ')}.`)
                : null,
            memory.parts_age_s >= 0.1 ? dom.note(`The parts were read ${units.duration(memory.parts_age_s)} ` +
                'before: what came or went since is in the rest.') : null,
            memory.mapped ? dom.note(`Addresses mapped: ${units.size(memory.mapped.committed_bytes)} ` +
                `committed, ${units.size(memory.mapped.reserved_bytes)} reserved only.`) : null);
    }

    function modules(run) {
        const list = run.summary.modules;
        hide('modules', list.length === 0);
        const most = Math.max(...list.map((module) => module.live_bytes ?? 0), 1);
        const name = (module) => module.path ?? 'JavaScript and generated code';
        dom.show(dom.byId('modules-body'), dom.table({
            caption: 'Modules by what their sites hold', rows: list, columns: [
                { key: 'path', title: 'Module', value: name, cell: (module) => [
                    dom.make('span', { class: 'name' }, units.baseName(name(module))),
                    module.path ? dom.make('span', { class: 'place quiet' }, module.path) : null] },
                { key: 'rising', title: 'Rising sites', isNumber: true,
                    value: (module) => module.rising_sites, cell: (module) => module.rising_sites > 0
                        ? dom.badge(units.count(module.rising_sites), 'rising') : '0' },
                { key: 'growth', title: 'Growth', isNumber: true,
                    value: (module) => module.growth_bytes_per_s,
                    cell: (module) => units.sizeRate(module.growth_bytes_per_s) },
                { key: 'live', title: 'Live', isNumber: true, value: (module) => module.live_bytes,
                    cell: (module) => units.size(module.live_bytes) },
                { key: 'bar', title: '', className: 'bar-cell', cell: (module) =>
                    bar((module.live_bytes ?? 0) / most, module.rising_sites > 0 ? 'bad' : 'accent') },
            ] }).element);
    }

    function peerRows(list) {
        return list.flatMap((site) => (site.peers ?? []).map((peer) => ({ ...peer, site })));
    }

    function errorText(peer) {
        return Object.entries(peer.errors ?? {}).map(([name, number]) =>
            `${name} ${units.count(number)}`).join(', ');
    }

    function peerTable(list) {
        const rows = peerRows(list).sort((left, right) => right.failed - left.failed ||
            right.opened - left.opened);
        const address = (peer) => peer.address ?? 'all others';
        return dom.table({ caption: 'Addresses, those with failures first', rows,
            columns: [
                { key: 'address', title: 'Address', value: address, cell: (peer) => [
                    dom.make('span', { class: 'name' }, address(peer)),
                    peer.failed > 0 ? dom.make('span', { class: 'place bad-text' },
                        `failed: ${errorText(peer) || units.count(peer.failed)}`) : null] },
                { key: 'opened', title: 'Opened', isNumber: true, value: (peer) => peer.opened,
                    cell: (peer) => units.count(peer.opened),
                    hint: 'Calls of connect, or sockets accepted' },
                { key: 'rate', title: 'Rate', isNumber: true, value: (peer) => peer.opened_per_s,
                    cell: (peer) => units.countRate(peer.opened_per_s).replace('+', '') },
                { key: 'live', title: 'Live', isNumber: true, value: (peer) => peer.live,
                    cell: (peer) => units.count(peer.live) },
                { key: 'unused', title: 'Unused', isNumber: true, value: (peer) => peer.unused,
                    cell: (peer) => units.count(peer.unused),
                    hint: 'Open, older than an interval, and nothing was ever sent or received' },
                { key: 'failed', title: 'Failed', isNumber: true, value: (peer) => peer.failed,
                    cell: (peer) => peer.failed > 0 ? dom.badge(units.count(peer.failed), 'rising')
                        : '0' },
                { key: 'connect', title: 'Connect', isNumber: true, hint: 'Median time to connect',
                    value: (peer) => peer.connect_p50_s, cell: (peer) => units.delay(peer.connect_p50_s) },
                { key: 'life', title: 'Life', isNumber: true, hint: 'Median life of those closed',
                    value: (peer) => peer.life_p50_s, cell: (peer) => units.delay(peer.life_p50_s) },
                { key: 'site', title: 'Opened by', value: (peer) => sites.nameOf(peer.site),
                    cell: (peer) => dom.make('span', { class: 'name' }, sites.nameOf(peer.site)) },
            ] }).element;
    }

    function peers(run) {
        const list = run.summary.sites;
        hide('peers', peerRows(list).length === 0);
        dom.show(dom.byId('peers-body'), peerTable(list));
    }

    function loops(run) {
        const list = run.summary.event_loops;
        hide('loops', list.length === 0);
        const delay = (key, title) => ({ key, title, isNumber: true, value: (loop) => loop[key],
            cell: (loop) => loop[key] >= 0.1 ? dom.make('strong', { class: 'bad-text' },
                units.delay(loop[key])) : units.delay(loop[key]) });
        dom.show(dom.byId('loops-body'), dom.note('How late a timer of the last interval was that should ' +
            'have fired, and how busy the thread was.'),
        dom.table({ caption: 'Event loops', rows: list, columns: [
            { key: 'thread', title: 'Thread', value: (loop) => loop.thread, cell: (loop) => [
                dom.make('span', { class: 'name' }, loop.thread),
                dom.make('span', { class: 'place quiet' }, `thread ${loop.thread_id}`)] },
            delay('delay_p50_s', 'Median'), delay('delay_p95_s', '95 %'), delay('delay_p99_s', '99 %'),
            delay('delay_max_s', 'Longest'),
            { key: 'busy', title: 'Busy', isNumber: true, value: (loop) => loop.utilization,
                cell: (loop) => units.share(loop.utilization) },
            { key: 'bar', title: '', className: 'bar-cell', cell: (loop) => bar(loop.utilization,
                loop.utilization > 0.9 ? 'bad' : 'accent') },
        ] }).element);
    }

    function isolates(run) {
        const list = run.summary.isolates ?? [];
        hide('isolates', list.length === 0);
        const sized = (key, title, hint) => ({ key, title, hint, isNumber: true,
            value: (isolate) => isolate[key], cell: (isolate) => units.size(isolate[key]) });
        dom.show(dom.byId('isolates-body'), dom.table({
            caption: 'JavaScript heaps', rows: list, columns: [
                { key: 'thread', title: 'Isolate', value: (isolate) => isolate.number,
                    cell: (isolate) => [dom.make('span', { class: 'name' },
                        `${isolate.number} ${isolate.thread}`), isolate.state === 'tracked' ? null
                        : dom.make('span', { class: 'place bad-text' },
                            'set aside: another profiler has it')] },
                sized('used_heap_after_gc_bytes', 'After collection',
                    'In use after the last major collection: the figure that rises when something leaks'),
                sized('used_heap_bytes', 'In use', 'With dead objects that are not yet collected'),
                sized('heap_limit_bytes', 'Limit'),
                sized('external_bytes', 'Outside', 'Memory outside the heap that its objects hold'),
                { key: 'gcs', title: 'Major collections', isNumber: true,
                    value: (isolate) => isolate.major_gcs, cell: (isolate) =>
                        units.count(isolate.major_gcs) },
                { key: 'bar', title: '', className: 'bar-cell', cell: (isolate) => {
                    const used = (isolate.used_heap_after_gc_bytes ?? isolate.used_heap_bytes ?? 0) /
                        (isolate.heap_limit_bytes ?? Infinity);
                    return bar(used, used > 0.8 ? 'bad' : 'accent');
                } },
            ] }).element);
    }

    function health(run) {
        const { health: facts, settings } = run.summary;
        const isExact = settings.mode === 'exact';
        const sampling = isExact ? 'Every block is counted: live figures are exact.'
            : `Heap bytes are sampled, one in ${units.size(settings.sample)} on average. ± is the ` +
              'standard error: the truth is within twice that in 19 cases of 20.';
        const losses = facts.lost_acquires + facts.lost_releases + facts.sites_overflowed;
        dom.show(dom.byId('health-body'), dom.make('p', {}, sampling),
            dom.make('p', {}, losses === 0 ? 'Nothing was lost.' : 'Some of it was lost; see below.'),
            facts.notes.length > 0 ? dom.make('ul', { class: 'notes' },
                ...facts.notes.map((note) => dom.make('li', {}, note))) : null,
            dom.facts([
                ['State', dom.badge(facts.state, facts.state)],
                ['Not tracked for want of room', units.count(facts.lost_acquires)],
                ['Releases not accounted', units.count(facts.lost_releases)],
                ['Sites', units.count(facts.sites)],
                ['Found the tables full', units.count(facts.sites_overflowed)],
                ['Own memory', units.size(facts.own_bytes)],
                ['Own processor time', units.delay(facts.own_cpu_s)],
                ['Share of a processor', run.summary.process.uptime_s > 0
                    ? units.share(facts.own_cpu_s / run.summary.process.uptime_s) : null],
                ['Mode', settings.mode],
                ['Interval', units.duration(settings.interval)],
                ['Tracked', settings.track],
                ['JavaScript samples', units.isKnown(settings.js_sample)
                    ? `one in ${units.size(settings.js_sample)}` : 'off'],
                ['Frames kept', units.count(settings.depth)],
                ['Allocator', settings.allocator],
                ['Summary', `number ${units.count(run.summary.sequence)}, ` +
                    `${units.timeOfDay(Date.parse(run.summary.written_at) / 1000)}`],
            ]));
    }

    function render(run) {
        for (const section of [balance, modules, peers, loops, isolates, health])
            section(run);
    }

    return { render, peerTable, bar };
})();
