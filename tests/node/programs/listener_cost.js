'use strict';

// What one listener of examples/listeners keeps alive, measured by V8 itself: the growth of the heap
// in use over many misses, with a garbage collection before each reading. Needs --expose-gc.

const { Database } = require('../../../examples/listeners/database.js');
const { CacheManager } = require('../../../examples/listeners/cache.js');

const MISSES = 2000;

async function ask(cache, prefix) {
    for (let i = 0; i < MISSES; i++) {
        await cache.getData(`${prefix}-${i}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
    global.gc();
    return process.memoryUsage().heapUsed;
}

async function main() {
    const cache = new CacheManager(new Database(), 500);
    const before = await ask(cache, 'u1');
    const after = await ask(cache, 'u2');
    console.log(Math.round((after - before) / MISSES));
}

main();
