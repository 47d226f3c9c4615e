'use strict';

// Keeps arrays of 500 numbers for SECONDS: node replaced_elements.js replaced|plain SECONDS. Array.from()
// makes room for small integers, and makes it anew for the first number that is none.

const kept = [];
const [mode, seconds] = process.argv.slice(2);

function remember() {
    for (let i = 0; i < 25; i++) {
        kept.push(mode === 'replaced' ? Array.from({ length: 500 }, (_, n) => n + 0.5)
            : new Array(500).fill(0.5));
    }
}

const timer = setInterval(remember, 10);
setTimeout(() => clearInterval(timer), seconds * 1000);
