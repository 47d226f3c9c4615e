'use strict';

// What the Node programs of the corpus share: work that is due by the clock, so that a busy machine
// delays it and changes no total, and a choice of cases by name.

const TICK_MS = 10;
const started = performance.now();

function seconds() {
    return (performance.now() - started) / 1000;
}

// Calls `step` so many times a second, and some of them at once; `rate` may be a function of the time.
function serve(rate, step, atOnce = 0) {
    let last = seconds();
    let owed = atOnce;
    setInterval(() => {
        const now = seconds();
        owed += (now - last) * (typeof rate === 'function' ? rate(now) : rate);
        last = now;
        for (; owed >= 1; owed--) {
            step();
        }
    }, TICK_MS);
}

// Some 8 bytes a number.
function row(numbers) {
    return new Array(numbers).fill(performance.now() + 0.5);
}

// What every service does beside: work for a request, all of which is garbage at once.
function answerRequest() {
    return JSON.stringify({ rows: new Array(200).fill(0.5), at: seconds() }).length;
}

// V8 collects when enough was allocated; a service of some age has seen many collections, one of
// twenty seconds few. With --expose-gc they come twice a second.
if (global.gc) {
    setInterval(() => global.gc(), 500);
}

function runCase(cases) {
    const run = cases[process.argv[2]];
    if (!run) {
        console.error(Object.keys(cases).join('\n'));
        process.exit(2);
    }
    serve(200, answerRequest);
    run();
    console.log('begun');
}

module.exports = { seconds, serve, row, runCase };
