'use strict';

// A heap that grows and is collected by the program's own word: the tables of V8's new pages are made
// under collectNow, and what V8's sampler keeps of each sample under keepRows. Both end with the rows
// still there.

const kept = [];

function keepRows() {
    for (let i = 0; i < 1000; i++) {
        kept.push(new Array(100).fill(i + 0.5));
    }
}

function collectNow() {
    global.gc();
}

let rounds = 0;
const timer = setInterval(() => {
    keepRows();
    collectNow();
    if (++rounds === 40) {
        clearInterval(timer);
    }
}, 50);
