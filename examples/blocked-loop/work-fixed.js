'use strict';

// The fix: a worker thread parses, a stream reads piece by piece, Node's thread pool hashes. The loop is
// free in between.

const crypto = require('node:crypto');
const fs = require('node:fs');
const { pipeline } = require('node:stream/promises');
const { promisify } = require('node:util');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');

const pbkdf2 = promisify(crypto.pbkdf2);
const waiting = [];
let parser;

if (!isMainThread) {
    parentPort.on('message', (text) => parentPort.postMessage(JSON.parse(text).orders.length));
} else {
    parser = new Worker(__filename);
    // Answers come in the order of the questions.
    parser.on('message', (count) => waiting.shift()(count));
}

function importOrders(text) {
    return new Promise((resolve) => {
        waiting.push(resolve);
        parser.postMessage(text);
    });
}

async function exportFile(path) {
    const hash = crypto.createHash('sha256');
    await pipeline(fs.createReadStream(path), hash);
    return hash.digest('hex');
}

async function login(password) {
    return (await pbkdf2(password, 'salt', 400_000, 32, 'sha512')).toString('hex');
}

module.exports = { importOrders, exportFile, login, end: () => parser.terminate() };
