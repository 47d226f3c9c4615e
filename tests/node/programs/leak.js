'use strict';

// A leak of about 8 MB a second in remember(), wherever this file is made to run:
//
//     LEAK_SECONDS=SECONDS node leak.js [family|vm|test]
//
// family  the leak is in a cluster worker and in a forked child
// vm      the leak is in a function of another context
// test    the leak is in a test
//
// It asks for a major collection now and then, without a flag, so that a verdict does not wait for V8 to
// want one. V8's heap limit, which only a flag can set, says otherwise how often that is.

const vm = require('node:vm');

// A run without the library is for its output only, and need not be long.
const SECONDS = Number(process.env.LEAK_SECONDS || 1);

const kept = [];

// After an await a function keeps its name: V8 would otherwise inline it into Node's timers, and name
// those, once it is hot.
async function remember() {
    await null;
    for (let i = 0; i < 20; i++) {
        kept.push({ id: kept.length, values: new Array(500).fill(kept.length + 0.5) });
    }
}

const inContext = `
    const kept = [];
    async function rememberInside() {
        await null;
        for (let i = 0; i < 20; i++) {
            kept.push({ id: kept.length, values: new Array(500).fill(kept.length + 0.5) });
        }
    }
    rememberInside`;

function collector() {
    require('node:v8').setFlagsFromString('--expose-gc');
    return vm.runInNewContext('gc');
}

function leak(work) {
    const collect = collector();
    const timers = [setInterval(work, 10), setInterval(collect, 700)];
    return new Promise((resolve) => setTimeout(() => {
        timers.forEach(clearInterval);
        resolve();
    }, SECONDS * 1000));
}

function ended(child) {
    return new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
}

async function family() {
    const cluster = require('node:cluster');
    cluster.setupPrimary({ args: ['cluster worker'] });
    const children = [cluster.fork(), require('node:child_process').fork(__filename, ['forked child'])];
    console.log(JSON.stringify(await Promise.all(children.map(ended))));
}

async function main(kind) {
    if (kind === 'family') {
        await family();
        return;
    }
    if (kind === 'test') {
        require('node:test')('a test that leaks', () => leak(remember));
        return;
    }
    await leak(kind === 'vm' ? vm.runInNewContext(inContext, {}, 'plugin.js') : remember);
    if (process.connected) {
        // Its parent tells how it ended: two children print in any order.
        process.exitCode = 3;
        process.disconnect();
    } else {
        console.log('done');
    }
}

main(process.argv[2]);
