'use strict';

// Stand-ins for a session store and a database: both answer with text, as a socket would.

async function answer(text) {
    await new Promise((resolve) => setImmediate(resolve));
    return text;
}

function session(id) {
    const grants = [];
    for (let grant = 0; grant < 200; grant++) {
        grants.push(`{"resource":"folder ${id}-${grant}","may":["read","write","share"]}`);
    }
    return answer(`{"id":"${id}","name":"user of ${id}","grants":[${grants.join()}]}`);
}

function report(key) {
    const rows = [];
    for (let row = 0; row < 300; row++) {
        rows.push(`{"row":${row},"item":"article ${key}-${row}","sum":${row}.75,"note":"as ordered"}`);
    }
    return answer(`{"key":"${key}","rows":[${rows.join()}]}`);
}

module.exports = { session, report };
