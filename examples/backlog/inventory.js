'use strict';

// The slow dependency: two seconds for an answer, to at most 50 requests at a time. Those beyond wait as long
// and are then told to come again. PORT has a default.

const http = require('node:http');

const AT_ONCE = 50;
const ANSWER_MS = 2000;

let busy = 0;

const server = http.createServer((request, response) => {
    const taken = busy < AT_ONCE;
    busy += taken ? 1 : 0;
    request.resume();
    setTimeout(() => {
        busy -= taken ? 1 : 0;
        response.statusCode = taken ? 200 : 503;
        response.end(taken ? 'reserved' : 'come again');
    }, ANSWER_MS);
});

server.listen(Number(process.env.PORT || 0), '127.0.0.1', 4096, () => {
    console.log(`listening on ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
        server.close();
        server.closeAllConnections();
    });
}
