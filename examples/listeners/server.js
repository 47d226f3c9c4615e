'use strict';

// A small user API with an in-memory cache in front of its database.
//   GET /users/<key>   the row, from the cache or from the database
//   GET /stats         requests, misses, listeners and memory as JSON
// FIXED=1 serves with the repaired cache; PORT and CACHE_LIMIT have defaults.

const http = require('node:http');
const { Database } = require('./database.js');
const { CacheManager } = require(process.env.FIXED === '1' ? './cache-fixed.js' : './cache.js');

const database = new Database();
const cache = new CacheManager(database, Number(process.env.CACHE_LIMIT || 500));
let requests = 0;

function stats() {
    return {
        requests,
        listeners: database.listenerCount('change'),
        cached: cache.rows.size,
        memory: process.memoryUsage(),
    };
}

async function handle(request, response) {
    if (request.url === '/stats') {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(stats()));
        return;
    }
    const match = /^\/users\/([\w-]+)$/.exec(request.url);
    if (!match) {
        response.statusCode = 404;
        response.end();
        return;
    }
    requests++;
    const row = await cache.getData(match[1]);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name: row.name, orders: row.orders.length }));
}

const server = http.createServer((request, response) => {
    handle(request, response).catch((error) => {
        response.statusCode = 500;
        response.end(error.message);
    });
});

server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
    console.log(`listening on ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
        cache.destroy();
        server.close();
        server.closeAllConnections();
    });
}
