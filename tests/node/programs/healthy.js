'use strict';

// Three programs that look like leaks between collections and are none, each in an isolate of its own:
// node healthy.js SECONDS
//
//   a full LRU cache with a steady turnover            (a worker)
//   a service with much memory in steady use, whose data are made anew in turn by another function
//   than the one that loaded them                      (a worker)
//   a loop with so much room that it rarely collects   (the main thread)

const { Worker, isMainThread, workerData } = require('node:worker_threads');

const TICK = 10;

// About 8 MB, full after two seconds; every entry lives for as long.
const cache = new Map();
const CACHE_ENTRIES = 2000;
let cached = 0;

async function putInCache() {
    await null;
    for (let i = 0; i < 10; i++) {
        const key = `key ${cached++}`;
        cache.set(key, { key, values: new Array(500).fill(cached + 0.5) });
        if (cache.size > CACHE_ENTRIES) {
            cache.delete(cache.keys().next().value);
        }
    }
}

// About 60 MB from the start; in ten seconds all of it has been made anew.
const tables = [];
const TABLES = 1000;
let replaced = 0;

async function replaceTable() {
    await null;
    const rows = [];
    for (let i = 0; i < 16; i++) {
        rows.push(new Array(500).fill(replaced + 0.5));
    }
    tables[replaced++ % TABLES] = rows;
}

async function loadTables() {
    await null;
    for (let i = 0; i < TABLES; i++) {
        const rows = [];
        for (let row = 0; row < 16; row++) {
            rows.push(new Array(500).fill(i + 0.5));
        }
        tables.push(rows);
    }
}

// Sessions that live for three seconds: long enough to become old, and so garbage that stays until V8
// has a reason to collect.
const sessions = [];

async function openSession() {
    await null;
    sessions.push({ opened: Date.now(), state: new Array(4000).fill(sessions.length + 0.5) });
    while (sessions[0].opened < Date.now() - 3000) {
        sessions.shift();
    }
}

if (isMainThread) {
    const seconds = Number(process.argv[2]);
    for (const kind of ['cache', 'tables']) {
        // As in a container: with gigabytes of room V8 would hardly collect while the test lasts.
        new Worker(__filename, { workerData: kind, resourceLimits: { maxOldGenerationSizeMb: 300 } });
    }
    setInterval(openSession, TICK);
    setTimeout(() => process.exit(0), seconds * 1000);
} else if (workerData === 'cache') {
    setInterval(putInCache, TICK);
} else {
    loadTables();
    setInterval(replaceTable, TICK);
}
