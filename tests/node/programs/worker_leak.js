'use strict';

// A leak inside a worker thread, for so many seconds: node worker_leak.js SECONDS [empty]
// With "empty" the worker gets no environment at all.

const { Worker, isMainThread, workerData } = require('node:worker_threads');

const kept = [];

// After an await a function keeps its name: V8 would otherwise inline it into Node's timers, and name
// those, once it is hot.
async function remember() {
    await null;
    for (let i = 0; i < 20; i++) {
        kept.push({ id: kept.length, text: Array.from({ length: 500 }, (_, n) => n + 0.5) });
    }
}

if (isMainThread) {
    const settings = {
        workerData: Number(process.argv[2]),
        // As in a container: with gigabytes of room V8 would hardly collect while the test lasts.
        resourceLimits: { maxOldGenerationSizeMb: 320 },
    };
    if (process.argv[3] === 'empty') {
        settings.env = {};
    }
    const worker = new Worker(__filename, settings);
    worker.on('error', (error) => console.log(`worker: ${error}`));
    worker.on('exit', (code) => console.log(`worker: exit ${code}`));
} else {
    const timer = setInterval(remember, 20);
    setTimeout(() => clearInterval(timer), workerData * 1000);
}
