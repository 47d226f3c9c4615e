'use strict';

// Workers that never come back to their loops once they spin, ended from outside at any moment:
// node storm.js COUNT. Some end by themselves, by an exception or by process.exit, under JavaScript.

const { Worker, isMainThread, workerData } = require('node:worker_threads');

const AT_ONCE = 12;
// By then a worker has worked enough for its heap to be sampled: it is read when it does not come back.
const SAMPLED_MS = 260;
const kept = [];

function hoard() {
    kept.push(Array.from({ length: 50 }, (_, n) => ({ n, text: `entry ${n}` })));
    if (kept.length > 2000) {
        kept.length = 0;
    }
}

function spin(milliseconds) {
    const end = Date.now() + milliseconds;
    while (Date.now() < end) {
        hoard();
    }
}

async function one(index) {
    const worker = new Worker(__filename, { workerData: index, env: index % 2 ? {} : undefined });
    worker.on('error', () => {});
    const gone = new Promise((resolve) => worker.on('exit', resolve));
    await new Promise((resolve) => worker.on('online', resolve));
    await new Promise((resolve) => setTimeout(resolve, SAMPLED_MS + (index * 37) % 200));
    await worker.terminate();
    await gone;
}

async function main(count) {
    let next = 0;
    let done = 0;
    async function lane() {
        while (next < count) {
            await one(next++);
            done++;
        }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    console.log(`${done} workers`);
}

if (isMainThread) {
    main(Number(process.argv[2]));
} else {
    const start = Date.now();
    const work = () => {
        spin(5);
        if (Date.now() - start < SAMPLED_MS) {
            setTimeout(work, 5);
            return;
        }
        spin(20 + (workerData * 53) % 150);
        if (workerData % 7 === 0) {
            throw new Error('ends here');
        } else if (workerData % 7 === 1) {
            process.exit(3);
        }
        spin(1000);
    };
    work();
}
