'use strict';

// A shop: every order is reserved in the inventory before the customer has an answer. FIXED=1 takes the
// repaired orders; INVENTORY is the port of the inventory; PORT has a default.

const http = require('node:http');

const { Orders } = require(process.env.FIXED === '1' ? './orders-fixed.js' : './orders.js');

const orders = new Orders({ host: '127.0.0.1', port: Number(process.env.INVENTORY) });

const server = http.createServer(async (request, response) => {
    request.resume();
    try {
        await orders.place(request.url);
        response.end('reserved');
    } catch (error) {
        response.statusCode = 503;
        response.end(error.message);
    }
});

server.listen(Number(process.env.PORT || 0), '127.0.0.1', 4096, () => {
    console.log(`listening on ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
        orders.end();
        server.close();
        server.closeAllConnections();
    });
}
