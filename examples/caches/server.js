'use strict';

// A report service with a cache, a middleware and a logger.
//   GET /reports/<key>   the report as text
//   GET /stats           requests and memory as JSON
// FIXED=1 serves with the repaired parts; PORT has a default.

const http = require('node:http');

const suffix = process.env.FIXED === '1' ? '-fixed.js' : '.js';
const { identify } = require(`./identify${suffix}`);
const { reportOf } = require(`./reports${suffix}`);
const { logLater, bytesWritten } = require(`./logger${suffix}`);
let requests = 0;

async function handle(request, response) {
    if (request.url === '/stats') {
        response.end(JSON.stringify({ requests, logged: bytesWritten(), memory: process.memoryUsage() }));
        return;
    }
    const match = /^\/reports\/([\w-]+)$/.exec(request.url);
    if (!match) {
        response.statusCode = 404;
        response.end();
        return;
    }
    requests++;
    const user = await identify(request);
    await logLater(request, user);
    response.setHeader('content-type', 'text/plain');
    response.end(await reportOf(match[1]));
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

// The logger's timers would hold the process for ten seconds more.
for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => process.exit(0));
}
