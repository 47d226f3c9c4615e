'use strict';

// What V8's sampler costs while a program allocates as fast as it can, FRAMES deep, in CPU time:
// node sampler_cost.js FRAMES [INTERVAL]. With INTERVAL the inspector samples, at that and no other.

const [frames, interval] = process.argv.slice(2).map(Number);
const TURNS = 300;
let last;

function allocate() {
    for (let i = 0; i < 200000; i++) {
        last = { a: i, b: i, c: i, d: i, e: i, f: i, g: i, h: i };
    }
}

function descend(depth) {
    return depth > 0 ? descend(depth - 1) + 1 : allocate();
}

async function main() {
    if (interval) {
        const session = new (require('node:inspector').Session)();
        session.connect();
        session.post('HeapProfiler.startSampling', { samplingInterval: interval });
    }
    for (let i = 0; i < 10; i++) {
        descend(frames);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const before = process.cpuUsage();
    const start = process.hrtime.bigint();
    for (let i = 0; i < TURNS; i++) {
        descend(frames);
        await new Promise(setImmediate);
    }
    const used = process.cpuUsage(before);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    console.log(`${((used.user + used.system) / 1e6).toFixed(3)} s CPU,`
        + ` ${(TURNS * 200000 * 88 / seconds / 1e9).toFixed(1)} GB/s`, last.a > 0 ? '' : 'nothing');
}

main();
