'use strict';

// A service whose handlers do heavy work.
//   GET /import   parses a document of 3 MB
//   GET /export   reads and hashes a file of 16 MB
//   GET /login    hashes a password
//   GET /health   answers at once, when the loop lets it
// FIXED=1 serves with the repaired work.js; PORT has a default.

const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const work = require(process.env.FIXED === '1' ? './work-fixed.js' : './work.js');

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'blocked-loop-'));
const file = path.join(directory, 'export');
fs.writeFileSync(file, Buffer.alloc(16 * 2 ** 20, 'leakshim '));
// What a client would send; one document serves for all.
const order = '{"id":1234567,"item":"an article of some sort","price":12.25,"paid":true}';
const orders = `{"orders":[${order}${`,${order}`.repeat(3 * 2 ** 20 / (order.length + 1))}]}`;

const handlers = {
    '/import': () => work.importOrders(orders),
    '/export': () => work.exportFile(file),
    '/login': () => work.login('correct horse'),
    '/health': () => 'fine',
};

async function handle(request, response) {
    const handler = handlers[request.url];
    if (handler === undefined) {
        response.statusCode = 404;
        response.end();
        return;
    }
    response.end(String(await handler()));
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
        fs.rmSync(directory, { recursive: true });
        work.end();
        server.close();
        server.closeAllConnections();
    });
}
