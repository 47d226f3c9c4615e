'use strict';

// Workers that start, allocate and end, one after the other: node many_workers.js COUNT

const { Worker, isMainThread, parentPort } = require('node:worker_threads');

async function main(count) {
    let done = 0;
    for (let i = 0; i < count; i++) {
        const worker = new Worker(__filename, i % 3 === 0 ? { env: {} } : {});
        const code = await new Promise((resolve, reject) => {
            worker.on('error', reject);
            worker.on('exit', resolve);
            worker.on('message', () => i % 5 === 0 && worker.terminate());
        });
        if (code === 0 || i % 5 === 0) {
            done++;
        }
    }
    console.log(`${done} workers`);
}

if (isMainThread) {
    main(Number(process.argv[2]));
} else {
    const kept = [];
    let turns = 0;
    const timer = setInterval(() => {
        kept.push(Array.from({ length: 20000 }, (_, n) => ({ n })));
        if (++turns === 3) {
            clearInterval(timer);
            parentPort.postMessage(kept.length);
        }
    }, 2);
}
