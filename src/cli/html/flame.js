'use strict';

// A flame graph that hangs from its root: program, kind of resource, then the frames from the outermost
// on. Each frame is a button, so that it can be reached and read without a mouse.
const flame = (() => {
    const ROW = 22;
    // Narrower frames cannot be hit; what they hold is in the frame above.
    const LEAST_SHARE = 0.001;
    const VALUES = [
        { key: 'live', title: 'Live bytes', of: (site) => site.live_bytes, format: units.size },
        { key: 'growth', title: 'Growth', of: (site) => site.growth_bytes_per_s,
            format: units.sizeRate },
        { key: 'count', title: 'Live number', of: (site) => site.live_count, format: units.count },
    ];
    let state = null;

    function nodeOf(name, place, language, depth, parent) {
        return { name, place, language, depth, parent, value: 0, children: new Map(), sites: [] };
    }

    function childOf(node, key, name, place, language) {
        let child = node.children.get(key);
        if (!child) {
            child = nodeOf(name, place, language, node.depth + 1, node);
            node.children.set(key, child);
        }
        return child;
    }

    function build(run, model, value) {
        const root = nodeOf(run.summary.process.program || 'all', run.summary.process.command, 'root',
            0, null);
        for (const site of run.summary.sites) {
            const weight = value.of(site);
            if (!(weight > 0))
                continue;
            const path = [root, childOf(root, `kind ${site.resource}`, site.resource, '', 'kind')];
            const frames = site.stack.map((index) => model.frames[index]).reverse();
            for (const frame of frames) {
                const name = sites.frameName(frame);
                path.push(childOf(path[path.length - 1],
                    JSON.stringify([name, frame.file, frame.module, frame.language]), name,
                    sites.framePlace(frame), sites.isInternal(frame) ? 'internal' : frame.language));
            }
            if (frames.length === 0)
                path.push(childOf(path[1], `site ${site.id}`, sites.nameOf(site), 'no stack',
                    'internal'));
            for (const node of path) {
                node.value += weight;
                node.sites.push(site);
            }
        }
        return root;
    }

    const childrenOf = (node) => [...node.children.values()]
        .sort((left, right) => right.value - left.value);

    // What of a node is not in any child.
    function ownOf(node) {
        return node.value - childrenOf(node).reduce((sum, child) => sum + child.value, 0);
    }

    function matches(node, words) {
        return words.length > 0 && words.every((word) =>
            `${node.name}\n${node.place}`.toLowerCase().includes(word));
    }

    // The sum of the outermost frames that match: a frame below one of them is in it already.
    function matched(node, words) {
        if (matches(node, words))
            return node.value;
        return childrenOf(node).reduce((sum, child) => sum + matched(child, words), 0);
    }

    function place(node, left, width) {
        const button = dom.make('button', { type: 'button', class: `frame frame-${node.language}`,
            role: 'treeitem', 'aria-level': String(node.depth + 1), tabindex: '-1',
            'aria-label': labelOf(node) }, dom.make('span', {}, node.name));
        button.style.top = `${node.depth * ROW}px`;
        button.style.left = `${left * 100}%`;
        button.style.width = `${width * 100}%`;
        button.classList.toggle('rising', node.sites.some((site) => site.verdict === 'rising'));
        button.classList.toggle('above', isAbove(node, state.zoomed));
        button.classList.toggle('match', matches(node, state.words));
        state.buttons.set(node, button);
        state.nodes.set(button, node);
        state.deepest = Math.max(state.deepest, node.depth);
        state.graph.append(button);
    }

    function isAbove(node, other) {
        for (let each = other.parent; each; each = each.parent) {
            if (each === node)
                return true;
        }
        return false;
    }

    function layOut(node, left, width) {
        if (width < LEAST_SHARE)
            return;
        place(node, left, width);
        for (const child of childrenOf(node)) {
            const share = width * child.value / node.value;
            layOut(child, left, share);
            left += share;
        }
    }

    function labelOf(node) {
        const share = state.root.value > 0 ? node.value / state.root.value : 0;
        return `${node.name}${node.place && node.place !== node.name ? `, ${node.place}` : ''}: ` +
            `${state.value.format(node.value)}, ${units.share(share)}`;
    }

    function tell(node) {
        const own = ownOf(node);
        const rising = new Set(node.sites.filter((site) => site.verdict === 'rising')).size;
        dom.show(state.readout, dom.make('strong', {}, node.name), ` ${state.value.format(node.value)}`,
            `, ${units.share(node.value / state.root.value)} of all`,
            own > node.value * 0.001 && own < node.value * 0.999
                ? `, ${state.value.format(own)} of it its own` : null,
            rising > 0 ? `, ${rising} rising ${rising === 1 ? 'site' : 'sites'} below` : null,
            dom.make('span', { class: 'quiet' }, ` ${node.place}`));
    }

    function focusOn(node) {
        const button = state.buttons.get(node);
        if (!button)
            return;
        for (const each of state.buttons.values())
            each.tabIndex = -1;
        button.tabIndex = 0;
        button.focus({ preventScroll: false });
    }

    function paint() {
        const { graph, root } = state;
        graph.replaceChildren();
        state.buttons = new Map();
        state.nodes = new Map();
        state.deepest = 0;
        if (!(root.value > 0)) {
            graph.style.height = 'auto';
            dom.show(graph, dom.note(state.value.key === 'growth' ? 'Nothing grows.'
                : 'Nothing is live.'));
            dom.show(state.readout);
            state.reset.disabled = true;
            return;
        }
        const above = [];
        for (let node = state.zoomed.parent; node; node = node.parent)
            above.unshift(node);
        for (const node of above)
            place(node, 0, 1);
        layOut(state.zoomed, 0, 1);
        graph.style.height = `${(state.deepest + 1) * ROW}px`;
        state.buttons.get(state.zoomed).tabIndex = 0;
        state.reset.disabled = state.zoomed === root;
        tell(state.zoomed);
        tellMatches();
    }

    function tellMatches() {
        const sum = matched(state.root, state.words);
        state.found.textContent = state.words.length === 0 ? ''
            : sum > 0 ? `${units.share(sum / state.root.value)} matches` : 'No frame matches';
    }

    function zoom(node) {
        state.zoomed = node;
        paint();
        focusOn(node);
    }

    function highlight() {
        state.words = state.search.value.toLowerCase().split(/\s+/).filter(Boolean);
        for (const [node, button] of state.buttons)
            button.classList.toggle('match', matches(node, state.words));
        tellMatches();
    }

    function choose(value) {
        state.value = value;
        state.root = build(state.run, state.model, value);
        state.zoomed = state.root;
        state.choices.forEach((button, index) => button.setAttribute('aria-pressed',
            String(VALUES[index] === value)));
        paint();
    }

    function step(node, key) {
        const visible = (list) => list.filter((each) => state.buttons.has(each));
        const siblings = node.parent ? visible(childrenOf(node.parent)) : [node];
        const place = siblings.indexOf(node);
        switch (key) {
        case 'ArrowDown': return visible(childrenOf(node))[0];
        case 'ArrowUp': return node.parent;
        case 'ArrowRight': return siblings[place + 1];
        case 'ArrowLeft': return siblings[place - 1];
        case 'Home': return state.zoomed;
        default: return null;
        }
    }

    function onKey(event) {
        const node = state.nodes.get(event.target);
        if (!node)
            return;
        if (event.key === 'Escape') {
            zoom(state.zoomed.parent ?? state.root);
            event.preventDefault();
            return;
        }
        const next = step(node, event.key);
        if (next) {
            focusOn(next);
            event.preventDefault();
        }
    }

    function listen(graph) {
        const nodeAt = (event) => state.nodes.get(event.target.closest('.frame'));
        graph.addEventListener('click', (event) => nodeAt(event) && zoom(nodeAt(event)));
        graph.addEventListener('keydown', onKey);
        for (const kind of ['pointerover', 'focusin'])
            graph.addEventListener(kind, (event) => nodeAt(event) && tell(nodeAt(event)));
    }

    function legend() {
        const words = [['js', 'JavaScript'], ['c', 'native'], ['jit', 'generated code'],
            ['internal', 'of the runtime']];
        return dom.make('p', { class: 'legend quiet' }, ...words.map(([language, text]) =>
            dom.make('span', {}, dom.make('span', { class: `swatch frame-${language}` }), text)),
        dom.make('span', {}, dom.make('span', { class: 'swatch rising' }), 'has a rising site'));
    }

    function render(run, model) {
        const body = dom.byId('flame-body');
        if (run.summary.sites.length === 0) {
            dom.show(body, dom.note('There are no sites to draw.'));
            state = null;
            return;
        }
        const graph = dom.make('div', { class: 'flame', role: 'tree', 'aria-label':
            'Flame graph: arrow keys move, Enter zooms, Escape goes back' });
        const search = dom.make('input', { type: 'search', placeholder: 'Highlight',
            'aria-label': 'Highlight frames', id: 'flame-search', autocomplete: 'off',
            spellcheck: 'false', oninput: () => highlight() });
        const choices = VALUES.map((value) => dom.make('button', { type: 'button', class: 'button',
            'aria-pressed': 'false', 'data-value': value.key, onclick: () => choose(value) },
        value.title));
        state = { run, model, graph, search, choices, words: [], buttons: new Map(), nodes: new Map(),
            readout: dom.make('p', { class: 'readout', id: 'flame-readout' }),
            found: dom.make('output', { class: 'quiet', id: 'flame-found' }),
            reset: dom.make('button', { type: 'button', class: 'button', id: 'flame-reset',
                onclick: () => zoom(state.root) }, 'Whole graph') };
        listen(graph);
        dom.show(body,
            dom.make('div', { class: 'controls' },
                dom.make('div', { class: 'buttons', role: 'group', 'aria-label': 'Width of a frame' },
                    ...choices),
                search, state.found, state.reset),
            state.readout, dom.make('div', { class: 'flame-box' }, graph), legend());
        choose(VALUES[run.summary.sites.some((site) => site.verdict === 'rising' &&
            site.growth_bytes_per_s > 0) ? 1 : 0]);
    }

    // From elsewhere on the page: highlights, and shows the graph.
    function searchFor(text) {
        if (!state)
            return;
        state.search.value = text;
        highlight();
        dom.byId('flame').scrollIntoView();
        state.search.focus({ preventScroll: true });
    }

    return { render, search: searchFor };
})();
