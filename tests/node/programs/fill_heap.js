'use strict';

// Fills the JavaScript heap, about 10 MB a second, until it is ended.

const kept = [];

// After an await a function keeps its name: V8 would otherwise inline it into Node's timers, and name
// those, once it is hot.
async function remember() {
    await null;
    for (let i = 0; i < 25; i++) {
        kept.push({ id: kept.length, values: Array.from({ length: 500 }, (_, n) => n + 0.5) });
    }
}

setInterval(remember, 10);
