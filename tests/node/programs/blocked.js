'use strict';

// A thread that never comes back to its event loop: node blocked.js now|later|worker|idle SECONDS.
// With idle it does not even allocate.

const { Worker, isMainThread, workerData } = require('node:worker_threads');

const kept = [];

function hoard() {
    for (let n = 0; n < 100; n++) {
        kept.push({ n, text: `entry ${n}`, list: [n, n + 1, n + 2] });
    }
}

function churn() {
    return Array.from({ length: 1000 }, (_, n) => n + 0.5).length;
}

// Keeps some 2 MB a second and throws much more away.
function spin(seconds) {
    const end = Date.now() + seconds * 1000;
    let turns = 0;
    while (Date.now() < end) {
        for (let i = 0; i < 50; i++) {
            churn();
        }
        if (turns < (Date.now() + seconds * 1000 - end) / 10) {
            turns++;
            for (let i = 0; i < 2; i++) {
                hoard();
            }
        }
    }
}

const [mode, seconds] = isMainThread ? process.argv.slice(2) : ['now', workerData];
if (mode === 'now') {
    spin(Number(seconds));
} else if (mode === 'idle') {
    for (let i = 0; ; i = (i + 1) | 0);
} else if (mode === 'later') {
    setTimeout(spin, 300, Number(seconds));
} else {
    new Worker(__filename, { workerData: seconds }).on('exit', () => console.log('worker gone'));
}
