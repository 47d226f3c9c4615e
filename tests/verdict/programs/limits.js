'use strict';

// Programs that leak until a limit stops them; tests/verdict/limits.py sets it. The rate is in bytes a
// second.

const { serve, row, runCase } = require('./service.js');

const rate = Number(process.argv[3]);
const ROW_NUMBERS = 250;
// 8 bytes a number, and the headers of the array and of its elements.
const ROW_BYTES = 8 * ROW_NUMBERS + 48;
const BODY_BYTES = 64 * 1024;

const rows = [];
const bodies = [];

function keepRow() {
    rows.push(row(ROW_NUMBERS));
}

function wasteSome() {
    return JSON.stringify(row(ROW_NUMBERS)).length;
}

function keepBody() {
    bodies.push(Buffer.alloc(BODY_BYTES, 1));
}

runCase({
    rows: () => serve(rate / ROW_BYTES, keepRow),
    // Five times as much is garbage at once.
    busy: () => {
        serve(rate / ROW_BYTES, keepRow);
        serve(rate / ROW_BYTES, wasteSome);
    },
    bodies: () => serve(rate / BODY_BYTES, keepBody),
});
