'use strict';

// The first leak: a plain object as a cache, with no bound on its size or on the age of what is in it.
// Every request puts in one entry: the rows, which are JavaScript objects, and the page made of them, a
// Buffer, which is native memory.

const backend = require('./backend.js');

const requestCache = {};

async function renderPage(report) {
    await null;
    const lines = report.rows.map((row) => `${row.row} ${row.item} ${row.sum} ${row.note}`);
    return Buffer.from(`${report.key}\n${lines.join('\n')}\n`.repeat(3));
}

async function loadReport(key) {
    const text = await backend.report(key);
    return JSON.parse(text);
}

async function reportOf(key) {
    if (requestCache[key] === undefined) {
        const report = await loadReport(key);
        requestCache[key] = { report, page: await renderPage(report) };
    }
    return requestCache[key].page;
}

module.exports = { reportOf };
