'use strict';

// Elements, and tables that sort. Text is only ever set as text: nothing here parses HTML, and the
// page's policy would not let it.
const dom = (() => {
    const SVG = 'http://www.w3.org/2000/svg';

    function fill(element, attributes, children) {
        for (const [name, value] of Object.entries(attributes)) {
            if (name.startsWith('on'))
                element.addEventListener(name.slice(2), value);
            else if (value === true)
                element.setAttribute(name, '');
            else if (value !== false && value !== null && value !== undefined)
                element.setAttribute(name, value);
        }
        element.append(...children.flat().filter((child) => child !== null && child !== undefined));
        return element;
    }

    function make(tag, attributes = {}, ...children) {
        return fill(document.createElement(tag), attributes, children);
    }

    function draw(tag, attributes = {}, ...children) {
        return fill(document.createElementNS(SVG, tag), attributes, children);
    }

    // Puts children in the place of what an element holds; those that are null are left out.
    function show(element, ...children) {
        element.replaceChildren();
        return fill(element, {}, children);
    }

    const byId = (id) => document.getElementById(id);

    function compare(left, right) {
        if (typeof left === 'string' || typeof right === 'string')
            return String(left ?? '').localeCompare(String(right ?? ''), 'en', { numeric: true });
        return (left ?? -Infinity) - (right ?? -Infinity);
    }

    /*
     * A table, in a box that scrolls sideways, of `rows` by `columns`: { key, title, hint, value(row) to sort by, cell(row) to show,
     * isNumber }. `expand(row)` gives what opens below a row; `select(row)` is told of a click
     * instead. Sorted by the column `sortBy`, from the highest if `isDescending`; the order of the
     * rows as given when there is no such column. More rows than `atFirst` come on request.
     */
    function table({ caption, columns, rows, expand, select, className = 'cards', sortBy = null,
        isDescending = true, atFirst = Infinity, emptyText = 'Nothing to show.' }) {
        let order = { key: sortBy, isDescending };
        let shown = rows;
        const open = new Set();
        const body = make('tbody');
        const buttons = new Map();
        const heads = columns.map((column) => {
            const button = make('button', { type: 'button', class: 'sort', title: column.hint,
                onclick: () => sortOn(column) }, column.title);
            buttons.set(column.key, button);
            return make('th', { scope: 'col', class: column.isNumber ? 'number' : null },
                column.value ? button : make('span', { title: column.hint }, column.title));
        });
        const more = make('button', { type: 'button', class: 'button more', onclick: () => {
            atFirst = Infinity;
            render();
        } });
        const element = make('div', {}, make('div', { class: 'scroller', tabindex: '0', role: 'group',
            'aria-label': caption }, make('table', { class: `table ${className}` },
            make('caption', { class: 'unseen' }, caption),
            make('thead', {}, make('tr', {}, ...heads)), body)), more);

        function sortOn(column) {
            const isSame = order.key === column.key;
            order = { key: column.key, isDescending: isSame ? !order.isDescending : !!column.isNumber };
            render();
        }

        function toggle(row, button, place) {
            if (select) {
                select(row);
                return;
            }
            const isOpen = !open.has(row);
            if (isOpen)
                open.add(row);
            else
                open.delete(row);
            button.setAttribute('aria-expanded', String(isOpen));
            place.classList.toggle('open', isOpen);
            if (isOpen)
                place.after(detailOf(row));
            else
                place.nextElementSibling.remove();
        }

        function detailOf(row) {
            const cell = make('td', { colspan: String(columns.length) });
            const detail = make('tr', { class: 'detail' }, cell);
            // Charts measure the cell, which has to be in the page by then.
            queueMicrotask(() => cell.append(expand(row)));
            return detail;
        }

        function renderRow(row) {
            const canOpen = expand || select;
            const isOpen = open.has(row);
            const place = make('tr', { class: `${canOpen ? 'can-open' : ''} ${isOpen ? 'open' : ''}` });
            let button = null;
            columns.forEach((column, index) => {
                let content = column.cell(row);
                if (canOpen && column.isTitle) {
                    button = make('button', { type: 'button', class: 'opener',
                        'aria-expanded': expand ? String(isOpen) : null }, content);
                    content = button;
                }
                place.append(make(index === 0 && !column.isNumber ? 'th' : 'td',
                    { scope: index === 0 && !column.isNumber ? 'row' : null,
                        class: `${column.isNumber ? 'number' : ''} ${column.className ?? ''}`,
                        'data-title': column.title }, content));
            });
            if (canOpen)
                place.addEventListener('click', (event) => {
                    const isSelecting = String(getSelection()).length > 0;
                    if (!isSelecting || event.target.closest('button'))
                        toggle(row, button, place);
                });
            return isOpen ? [place, detailOf(row)] : [place];
        }

        function render() {
            const column = columns.find((candidate) => candidate.key === order.key);
            const list = column
                ? [...shown].sort((left, right) => compare(column.value(left), column.value(right)) *
                    (order.isDescending ? -1 : 1))
                : shown;
            columns.forEach((each, index) => {
                const isSorted = each.key === order.key;
                heads[index].setAttribute('aria-sort', !isSorted ? 'none'
                    : order.isDescending ? 'descending' : 'ascending');
            });
            body.replaceChildren(...list.slice(0, atFirst).flatMap(renderRow));
            more.hidden = list.length <= atFirst;
            more.textContent = `Show all ${list.length}`;
            if (list.length === 0)
                body.append(make('tr', {}, make('td', { colspan: String(columns.length),
                    class: 'quiet' }, emptyText)));
        }

        render();
        return {
            element,
            // As a click on the head of that column; '' is the order of the rows as given.
            sort(key) {
                const column = columns.find((candidate) => candidate.key === key);
                order = { key, isDescending: !!column?.isNumber };
                render();
            },
            // Shows only those of the rows that a filter lets through.
            filter(keep) {
                shown = rows.filter(keep);
                render();
                return shown.length;
            },
        };
    }

    const badge = (text, kind) => make('span', { class: `badge badge-${kind}` }, text);

    // Facts as a list of names and values; values that are null are left out.
    function facts(entries) {
        return make('dl', { class: 'facts' }, ...entries.filter(([, value]) => value !== null)
            .map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))));
    }

    const note = (text) => make('p', { class: 'quiet' }, text);

    return { make, draw, show, byId, table, badge, facts, note };
})();
