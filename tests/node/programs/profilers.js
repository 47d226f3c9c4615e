'use strict';

// Ways an application profiles its own heap: node profilers.js MODE. Prints a line of JSON for each
// profile: whether it names remember(), how many samples it has, and the median of the bytes that a
// sample stands for, which is the interval in force as long as the objects are small against it.

const inspector = require('node:inspector');
const { Worker, isMainThread, workerData } = require('node:worker_threads');

const INTERVAL = 16384;
const kept = [];

function remember() {
    for (let i = 0; i < 400; i++) {
        kept.push({ i, text: `entry ${i} of many`, list: [i, i + 1, i + 2] });
    }
    if (kept.length > 400000) {
        kept.length = 0;
    }
}

function sleep(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function named(node) {
    return node.callFrame.functionName === 'remember' || node.children.some(named);
}

function describe(profile) {
    const sizes = profile.samples.map((sample) => sample.size).sort((a, b) => a - b);
    console.log(JSON.stringify({
        named: named(profile.head), samples: sizes.length, interval: sizes[sizes.length >> 1] ?? 0,
    }));
}

function open() {
    const session = new inspector.Session();
    session.connect();
    return (method, parameters) => new Promise((resolve, reject) => {
        session.post(method, parameters,
            (error, result) => (error ? reject(new Error(error.message)) : resolve(result)));
    });
}

const post = open();

async function profile(milliseconds) {
    await post('HeapProfiler.startSampling', { samplingInterval: INTERVAL });
    await sleep(milliseconds);
    describe((await post('HeapProfiler.stopSampling')).profile);
}

const modes = {
    async plain() {
        await sleep(1500);
    },
    async before() {
        await profile(1000);
        await sleep(3500);
    },
    async after() {
        await sleep(1300);
        await profile(1000);
        await sleep(3500);
    },
    async again() {
        await sleep(1300);
        for (let i = 0; i < 6; i++) {
            await profile(500);
            await sleep(100);
        }
    },
    // Stopped and started again within one turn of the loop, so that no reading sees it free.
    async swapped() {
        await sleep(1300);
        await post('HeapProfiler.startSampling', { samplingInterval: INTERVAL });
        await post('HeapProfiler.stopSampling');
        await profile(1500);
    },
    // The thread ends while its own profiler runs.
    async abandoned() {
        await sleep(500);
        await post('HeapProfiler.startSampling', { samplingInterval: INTERVAL });
        await post('HeapProfiler.stopSampling');
        await post('HeapProfiler.startSampling', { samplingInterval: INTERVAL });
        await sleep(500);
    },
};

async function main(mode) {
    const timer = setInterval(remember, 10);
    await modes[mode]();
    clearInterval(timer);
}

const [where, mode] = isMainThread ? process.argv.slice(2) : ['main', workerData];
if (where === 'worker') {
    new Worker(__filename, { workerData: mode }).on('exit', (code) => console.log('worker', code));
} else {
    main(mode);
}
