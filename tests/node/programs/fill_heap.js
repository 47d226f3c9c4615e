'use strict';

// Fills the JavaScript heap, about 10 MB a second, until it is ended.

const kept = [];

function remember() {
    for (let i = 0; i < 25; i++) {
        kept.push({ id: kept.length, values: Array.from({ length: 500 }, (_, n) => n + 0.5) });
    }
}

setInterval(remember, 10);
