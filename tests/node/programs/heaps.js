'use strict';

// Two isolates with heaps that stand still, and what V8 says of them as JSON: node --expose-gc heaps.js
// The worker sends its figures to the main thread, which prints both and waits for a summary.

const v8 = require('node:v8');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');

const MEGABYTE = 2 ** 20;
const COLLECTIONS = 3;
const WAIT = 1500;

function fill(megabytes) {
    const kept = [];
    for (let i = 0; i < megabytes * 16; i++) {
        kept.push(Array.from({ length: 8192 }, (_, n) => n + 0.5));
    }
    return kept;
}

// One a turn of the loop, so that each is read by itself.
async function settle() {
    for (let i = 0; i < COLLECTIONS; i++) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        global.gc();
    }
    const heap = v8.getHeapStatistics();
    return {
        used_heap_bytes: heap.used_heap_size,
        total_heap_bytes: heap.total_heap_size,
        heap_limit_bytes: heap.heap_size_limit,
        external_bytes: heap.external_memory,
        array_buffer_bytes: process.memoryUsage().arrayBuffers,
        major_gcs: COLLECTIONS,
    };
}

async function main() {
    const kept = [fill(40), Buffer.alloc(20 * MEGABYTE)];
    const worker = new Worker(__filename, { resourceLimits: { maxOldGenerationSizeMb: 100 } });
    const theirs = await new Promise((resolve) => worker.on('message', resolve));
    const ours = await settle();
    setTimeout(() => {
        console.log(JSON.stringify({ main: ours, worker: theirs, kept: kept.length }));
        process.exit(0);
    }, WAIT);
}

async function work() {
    const kept = fill(10);
    parentPort.postMessage({ ...await settle(), kept: kept.length });
    setInterval(() => kept.length, 100);
}

if (isMainThread) {
    main();
} else {
    work();
}
