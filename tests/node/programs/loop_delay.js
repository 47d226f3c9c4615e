'use strict';
// Keeps its event loop busy in a known way, and prints what Node says of it as JSON.
//
//   node loop_delay.js KIND SECONDS
//
// KIND: calm    a turn of 5 to 50 ms now and then
//       heavy   busy two thirds of the time
//       saturated  no pause at all
//       server  an HTTP server that blocks for 5 to 50 ms a request; a worker asks
//       nested  spawnSync, which runs a loop of its own within a callback
const { monitorEventLoopDelay, performance } = require('node:perf_hooks');
const { Worker, isMainThread, workerData } = require('node:worker_threads');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');

const RESOLUTION = 10;
const PAUSE = { calm: 120, heavy: 12, server: 60 };
const LENGTHS = [5, 10, 20, 50];

// Numerical Recipes' generator: the same sequence in every run.
let state = 20261121;
function random() {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
}

function block() {
    const end = performance.now() + LENGTHS[Math.floor(random() * LENGTHS.length)];
    while (performance.now() < end);
}

function again(kind, work) {
    if (kind in PAUSE)
        setTimeout(work, PAUSE[kind] * 2 * random());
    else
        setImmediate(work);
}

function work(kind) {
    block();
    again(kind, () => work(kind));
}

function nest() {
    spawnSync('sleep', ['0.08']);
    setTimeout(nest, 300 * random());
}

function ask(port) {
    http.get({ port, host: '127.0.0.1' }, (response) => {
        response.resume();
        response.on('end', () => again('server', () => ask(port)));
    });
}

function serve() {
    const server = http.createServer((request, response) => {
        block();
        response.end('done');
    });
    server.listen(0, '127.0.0.1', () => {
        new Worker(__filename, { workerData: server.address().port });
    });
}

// How long this thread was ready to run and did not.
function waited() {
    try {
        return Number(fs.readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]) / 1e9;
    } catch {
        return 0;
    }
}

function main(kind, seconds) {
    const histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
    histogram.enable();
    const waitedBefore = waited();
    const before = performance.eventLoopUtilization();
    if (kind === 'server')
        serve();
    else
        setImmediate(kind === 'nested' ? nest : () => work(kind));
    setTimeout(() => {
        const delay = (nanoseconds) => (nanoseconds / 1e6 - RESOLUTION) / 1e3;
        console.log(JSON.stringify({
            delay_p50_s: delay(histogram.percentile(50)),
            delay_p95_s: delay(histogram.percentile(95)),
            delay_p99_s: delay(histogram.percentile(99)),
            delay_max_s: delay(histogram.max),
            utilization: performance.eventLoopUtilization(before).utilization,
            starved: (waited() - waitedBefore) / seconds,
        }));
    }, seconds * 1000 - 100);
    setTimeout(() => process.exit(0), seconds * 1000 + 500);
}

if (isMainThread)
    main(process.argv[2], Number(process.argv[3]));
else
    ask(workerData);
