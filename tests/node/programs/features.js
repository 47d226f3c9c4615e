'use strict';

// Many parts of Node whose results are always the same.

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const vm = require('node:vm');
const zlib = require('node:zlib');
const { Worker } = require('node:worker_threads');
const { pipeline } = require('node:stream/promises');
const { promisify } = require('node:util');

function digest(data) {
    return crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);
}

async function compress() {
    const data = Buffer.alloc(3e6, 'leakshim ');
    const packed = await promisify(zlib.brotliCompress)(data.subarray(0, 2e5));
    const back = await promisify(zlib.gunzip)(await promisify(zlib.gzip)(data));
    return [packed.length, back.equals(data)];
}

async function files() {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'features-'));
    const from = path.join(directory, 'from');
    const to = path.join(directory, 'to');
    fs.writeFileSync(from, Buffer.alloc(1e6, 'abc'));
    await pipeline(fs.createReadStream(from), zlib.createGzip(), fs.createWriteStream(to));
    const size = zlib.gunzipSync(fs.readFileSync(to)).length;
    fs.rmSync(directory, { recursive: true });
    return size;
}

function worker(settings) {
    const code = `const { parentPort, workerData } = require('node:worker_threads');
        parentPort.postMessage([workerData.length, Object.keys(process.env).length > 0]);`;
    return new Promise((resolve, reject) => {
        const started = new Worker(code, { eval: true, workerData: 'x'.repeat(1000), ...settings });
        started.on('message', resolve);
        started.on('error', reject);
    });
}

async function requests() {
    const server = http.createServer((request, response) => request.pipe(response));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${server.address().port}/`;
    const lengths = [];
    for (let i = 1; i <= 20; i++) {
        const answer = await fetch(url, { method: 'POST', body: 'y'.repeat(i * 5000) });
        lengths.push((await answer.text()).length);
    }
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    return lengths;
}

async function webAssembly() {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 100 });
    memory.grow(50);
    return memory.buffer.byteLength;
}

async function main() {
    console.log('key', crypto.pbkdf2Sync('a', 'b', 20000, 32, 'sha512').toString('hex'));
    console.log('scrypt', (await promisify(crypto.scrypt)('a', 'b', 32)).toString('hex'));
    console.log('compress', await compress());
    console.log('files', await files());
    console.log('workers', await Promise.all([worker({}), worker({ env: {} })]));
    console.log('requests', await requests());
    console.log('memory', await webAssembly());
    console.log('vm', vm.runInNewContext('[...Array(1000).keys()].reduce((a, b) => a + b)'));
    console.log('big', digest(JSON.stringify(Array.from({ length: 2e5 }, (_, i) => ({ i })))));
    console.log('lookup', (await require('node:dns').promises.lookup('localhost')).address);
    console.log('stack', (() => { try { (function f() { f(); })(); } catch (e) { return e.message; } })());
    console.log('range', (() => { try { Buffer.alloc(2 ** 53); } catch (e) { return e.code; } })());
    process.on('exit', (code) => console.log('exit', code));
}

main();
