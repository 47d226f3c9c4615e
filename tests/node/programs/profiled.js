'use strict';

// An application that profiles its own heap: node profiled.js plain|before|after|snapshot

const inspector = require('node:inspector');

const kept = [];
const mode = process.argv[2];

function remember() {
    for (let i = 0; i < 50; i++) {
        kept.push(Array.from({ length: 500 }, (_, n) => n + 0.5));
    }
}

function named(node) {
    return node.callFrame.functionName === 'remember' || node.children.some(named);
}

function post(session, method, parameters) {
    return new Promise((resolve, reject) => {
        session.post(method, parameters, (error, result) => (error ? reject(error) : resolve(result)));
    });
}

function sleep(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function profile() {
    const session = new inspector.Session();
    session.connect();
    await post(session, 'HeapProfiler.startSampling', { samplingInterval: 16384 });
    await sleep(700);
    const { profile: found } = await post(session, 'HeapProfiler.stopSampling');
    console.log('remember is in the profile:', named(found.head));
    session.disconnect();
}

// The stream's end event, since Node 18's `for await` over it never ends.
function snapshotBytes() {
    return new Promise((resolve) => {
        let bytes = 0;
        const stream = require('node:v8').getHeapSnapshot();
        stream.on('data', (chunk) => { bytes += chunk.length; });
        stream.on('end', () => resolve(bytes));
    });
}

async function main() {
    const timer = setInterval(remember, 20);
    if (mode === 'before') {
        await profile();
    } else if (mode === 'after') {
        await sleep(500);
        await profile();
    } else if (mode === 'snapshot') {
        await sleep(300);
        console.log('snapshot', await snapshotBytes() > 1e6);
    }
    await sleep(1000);
    clearInterval(timer);
    console.log(kept.length > 0);
}

main();
