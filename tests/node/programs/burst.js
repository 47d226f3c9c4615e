'use strict';

// Keeps some memory, then allocates as fast as it can for SECONDS, then keeps as much again:
// node --expose-gc burst.js SECONDS. Prints what each of the two keeps, as the heap says, and
// how much of a core the burst had.

const kept = [];

function early() {
    for (let i = 0; i < 200000; i++) {
        kept.push({ a: i, b: [i, i + 1], c: { d: i + 0.5 } });
    }
}

function late() {
    for (let i = 0; i < 200000; i++) {
        kept.push({ a: i, b: [i, i + 1], c: { d: i + 0.5 } });
    }
}

function burst() {
    let last;
    for (let i = 0; i < 100000; i++) {
        last = { a: i, b: i, c: i, d: i, e: i, f: i };
    }
    return last;
}

function used() {
    globalThis.gc();
    return process.memoryUsage().heapUsed;
}

function sleep(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function main(seconds) {
    // Sampling starts at a wait, when the isolate has lived for some time.
    for (let i = 0; i < 12; i++) {
        await sleep(100);
    }
    const sizes = [used()];
    early();
    sizes.push(used());
    const before = process.cpuUsage();
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end) {
        burst();
        await new Promise(setImmediate);
    }
    const { user, system } = process.cpuUsage(before);
    sizes.push(used());
    late();
    sizes.push(used());
    // As above: a heap is read when its thread goes to wait, and no sooner than the last reading's
    // cost allows. A thread that never wakes again would not be read again.
    for (let i = 0; i < 12; i++) {
        await sleep(100);
    }
    console.log(JSON.stringify({
        early: sizes[1] - sizes[0], late: sizes[3] - sizes[2], busy: (user + system) / 1e6 / seconds,
    }));
    kept.push(main);
}

main(Number(process.argv[2]));
