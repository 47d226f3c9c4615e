'use strict';

// An upload service.
//   POST /upload   answers with the length of the body
//   GET /stats     uploads kept and memory as JSON
// FIXED=1 serves with the repaired body.js.

const http = require('node:http');
const { Uploads } = require(process.env.FIXED === '1' ? './body-fixed.js' : './body.js');

const uploads = new Uploads();
let requests = 0;

const server = http.createServer((request, response) => {
    if (request.url === '/stats') {
        const stats = { requests, kept: uploads.kept.length, memory: process.memoryUsage() };
        response.end(JSON.stringify(stats));
        return;
    }
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
        requests++;
        const body = uploads.readBody(chunks);
        response.end(String(body.length));
    });
});

server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
    console.log(`listening on ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
        server.close();
        server.closeAllConnections();
    });
}
