'use strict';

// Healthy Node programs whose memory looks like a leak for a while.

const http = require('node:http');
const net = require('node:net');
const { Worker } = require('node:worker_threads');
const zlib = require('node:zlib');
const { seconds, serve, row, runCase } = require('./service.js');

// Only what the garbage collector's own pace shows: much garbage, nothing kept.
function makeGarbage() {
    return { rows: [new Array(300).fill(0.5), new Array(300).fill(0.5), new Array(300).fill(0.5)] };
}

// A full cache: the oldest goes when a new one comes. It is filled at once, before the loop first waits.
const cache = new Map();
let entries = 0;
let capacity = 4000;

function putInCache() {
    cache.set(entries, { id: entries, values: new Array(200).fill(0.5) });
    entries++;
    if (cache.size > capacity) {
        cache.delete(cache.keys().next().value);
    }
}

// The same and larger, but what is kept is made by a function that V8 soon compiles into its caller:
// one site falls then while the other one rises.
function putMadeElsewhere() {
    capacity = 8000;
    cache.set(entries, { id: entries, values: row(200) });
    entries++;
    if (cache.size > capacity) {
        cache.delete(cache.keys().next().value);
    }
}

// Timers of two seconds, each with its request: a plateau after two seconds.
function answerLater() {
    const request = new Array(300).fill(0.5);
    setTimeout(() => request.length, 2000);
}

// Random keys of a bounded set: fills ever more slowly.
const table = new Map();

function lookUp() {
    const key = Math.floor(Math.random() * 3000);
    if (!table.has(key) || Math.random() < 0.02) {
        table.set(key, { key, values: new Array(200).fill(0.5) });
    }
}

// Code is loaded and compiled for three seconds.
const compiled = [];

function warmUp() {
    if (compiled.length < 600) {
        const body = `let sum = ${compiled.length}; for (let i = 0; i < 40; i++) { sum += i * i; } ` +
            `const table = [${new Array(40).fill(0.5).join(', ')}]; return sum + table.length;`;
        compiled.push(new Function(body));
    }
    compiled[Math.floor(Math.random() * compiled.length)]();
}

// Streams whose native state V8 frees with the objects, when it collects.
function compress() {
    const stream = zlib.createGzip();
    stream.on('data', () => {});
    stream.end(Buffer.alloc(20000, 'compressible '));
}

// The last 64 bodies.
const bodies = [];
let received = 0;

function receiveBody() {
    bodies[received++ % 64] = Buffer.alloc(64 * 1024, 1);
}

// Objects that nothing but a weak reference keeps.
const weak = new Map();
let weakened = 0;
const registry = new FinalizationRegistry((key) => weak.delete(key));

function keepWeakly() {
    const value = { values: new Array(300).fill(0.5) };
    weak.set(weakened, new WeakRef(value));
    registry.register(value, weakened++);
}

// Two thousand promises at once after six seconds, each settled within four.
function burst() {
    setTimeout(() => {
        for (let i = 0; i < 2000; i++) {
            const order = new Array(300).fill(0.5);
            new Promise((resolve) => setTimeout(resolve, Math.random() * 4000)).then(() => order.length);
        }
    }, 6000);
}

// Rows are gathered for two seconds, then stored and let go.
let batch = [];
let stored = 0;

function gather() {
    batch.push(new Array(200).fill(0.5));
    if (seconds() - stored > 2) {
        batch = [];
        stored = seconds();
    }
}

// Sessions of a second, by days of eight seconds.
const sessions = [];

function visit() {
    sessions.push({ ends: seconds() + 1, data: new Array(200).fill(0.5) });
    while (sessions[0].ends < seconds()) {
        sessions.shift();
    }
}

function dayAndNight() {
    serve((now) => 1000 + 800 * Math.sin(now * Math.PI / 4), visit);
}

// A server and its clients, on connections that are kept.
function serveHttp() {
    const server = http.createServer((request, response) => {
        response.end(JSON.stringify({ url: request.url, rows: new Array(100).fill(0.5) }));
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        serve(150, () => {
            // A kept connection may be closed by the server just as it is used.
            http.get({ port, agent, path: '/reports' }, (response) => response.resume())
                .on('error', () => {});
        });
    });
}

// Connections that are made for each question, and ended.
function connectBriefly() {
    const server = net.createServer((socket) => socket.end('goodbye'));
    server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        serve(40, () => net.connect(port, '127.0.0.1').resume());
    });
}

// Two workers at a time, each for a second.
function workInTurn() {
    const workers = [];
    serve(2, () => {
        workers.push(new Worker('setInterval(() => {}, 1000)', { eval: true }));
        if (workers.length > 2) {
            workers.shift().terminate();
        }
    });
}

runCase({
    garbage: () => serve(800, makeGarbage),
    lru: () => serve(1500, putInCache, 4000),
    inlined: () => serve(1500, putMadeElsewhere, 8000),
    timers: () => serve(500, answerLater),
    filling: () => serve(1000, putInCache),
    exponential: () => serve(1200, lookUp),
    warm_up: () => serve(200, warmUp),
    zlib: () => serve(60, compress),
    zlib_alone: () => serve(60, compress),
    bodies: () => serve(60, receiveBody),
    weak: () => serve(500, keepWeakly),
    burst,
    batches: () => serve(800, gather),
    day_and_night: dayAndNight,
    http: serveHttp,
    connections: connectBriefly,
    workers: workInTurn,
});
