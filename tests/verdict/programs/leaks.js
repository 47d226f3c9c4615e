'use strict';

// Leaks of Node programs; the function that leaks is named in truth.py.

const { AsyncLocalStorage } = require('node:async_hooks');
const { EventEmitter } = require('node:events');
const { fork } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const { Worker } = require('node:worker_threads');
const { serve, runCase } = require('./service.js');

// Every user adds a listener that nothing removes.
const database = new EventEmitter();
database.setMaxListeners(0);

function watchUser() {
    const user = new Array(400).fill(0.5);
    database.on('change', () => user.length);
}

// A Map by key, whose keys never come again.
const reports = new Map();

function storeReport() {
    reports.set(`report ${reports.size}`, { rows: new Array(400).fill(0.5) });
}

// What V8 has to collect, so that it does.
function wasteSome() {
    return new Array(400).fill(0.5).map((number) => number + 1).length;
}

// Each retry closes over its request, and is never cleared.
function retryLater() {
    const request = new Array(400).fill(0.5);
    setInterval(() => request.length, 60000).unref();
}

// Bodies of 64 KiB are native memory.
const bodies = [];

function keepBody() {
    bodies.push(Buffer.alloc(64 * 1024, 1));
}

// Promises that nobody settles, and what waits for them.
const replies = [];

function waitForReply() {
    const question = new Array(400).fill(0.5);
    const reply = new Promise(() => {});
    reply.then(() => question.length);
    replies.push(reply);
}

// A list of the module's own.
const trail = [];

function recordAccess() {
    trail.push({ who: 'somebody', when: Date.now(), what: new Array(300).fill(0.5) });
}

// Workers that wait for a message for ever.
function startWorker() {
    new Worker('require("node:worker_threads").parentPort.on("message", () => {})', { eval: true,
        resourceLimits: { maxOldGenerationSizeMb: 16 }, stdout: true, stderr: true }).unref();
}

// Connections that nobody ends; the other side is a process of its own.
const connections = [];

function callPeer(port) {
    connections.push(net.connect(port, '127.0.0.1').on('error', () => {}));
}

function callPeers() {
    const environment = { ...process.env };
    delete environment.LD_PRELOAD;
    const peer = fork(__filename, ['peer'], { env: environment, execArgv: [] });
    peer.once('message', (port) => serve(10, () => callPeer(port)));
}

function listenAsPeer() {
    const server = net.createServer(() => {});
    server.listen(0, '127.0.0.1', () => process.send(server.address().port));
    process.on('disconnect', () => process.exit());
}

// ArrayBuffers lie outside of V8's heap.
const frames = [];

function decodeFrame() {
    frames.push(new Float32Array(8 * 1024));
}

// Errors that are kept for a report nobody asks for, with what they carry.
const failures = [];

function rememberFailure() {
    const failure = new Error('the request failed');
    failure.request = new Array(300).fill(0.5);
    failures.push(failure.stack.length > 0 ? failure : null);
}

// Contexts by id that outlive their requests.
const storage = new AsyncLocalStorage();
const contexts = new Map();

function openContext() {
    storage.run({ id: contexts.size, user: new Array(400).fill(0.5) }, () => {
        contexts.set(contexts.size, storage.getStore());
    });
}

// One session in ten, or in twenty, stays of those that are opened and closed.
const sessions = [];
let opened = 0;
let staysOneIn = 10;

function openSession() {
    return { id: opened, data: new Array(200).fill(0.5) };
}

function openAndClose() {
    const session = openSession();
    sessions[opened % staysOneIn === 0 ? sessions.length + 400 : opened % 400] = session;
    opened++;
}

// Strings that are built piece by piece and kept.
const logs = [];

function writeLog() {
    let line = '';
    for (let i = 0; i < 60; i++) {
        line += String.fromCharCode(97 + (i % 26)).repeat(20 + i);
    }
    logs.push(line);
}

// Files that are opened to be looked at.
function openTemplate() {
    fs.openSync(__filename, 'r');
}

runCase({
    listeners: () => serve(500, watchUser),
    map: () => serve(500, storeReport),
    map_and_garbage: () => {
        serve(1500, storeReport);
        serve(1500, wasteSome);
    },
    timers: () => serve(500, retryLater),
    buffers: () => serve(12, keepBody),
    buffers_alone: () => serve(40, keepBody),
    promises: () => serve(500, waitForReply),
    global: () => serve(600, recordAccess),
    workers: () => serve(1.5, startWorker),
    sockets: callPeers,
    peer: listenAsPeer,
    array_buffers: () => serve(25, decodeFrame),
    errors: () => serve(500, rememberFailure),
    contexts: () => serve(500, openContext),
    hidden: () => serve(4000, openAndClose),
    hidden_well: () => {
        staysOneIn = 20;
        serve(4000, openAndClose);
    },
    strings: () => serve(500, writeLog),
    files: () => serve(10, openTemplate),
});
