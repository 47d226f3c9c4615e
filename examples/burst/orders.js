'use strict';

// The burst: a connection for each order at once. None leaks, but all are open at the same moment.
// FIXED=1 keeps eight connections busy.
//   node orders.js [orders] [seconds it stays afterwards]

const net = require('node:net');

const count = Number(process.argv[2] || 10000);
const stay = Number(process.argv[3] || 20);
const AT_ONCE = 8;

const database = net.createServer((connection) => {
    connection.on('data', () => setTimeout(() => connection.end('stored'), 200));
    connection.on('error', () => {});
});

function store(order) {
    return new Promise((resolve) => {
        const connection = net.connect(database.address().port, '127.0.0.1');
        connection.on('connect', () => connection.write(`store ${order}`));
        connection.on('data', () => {});
        connection.on('error', () => resolve(false));
        connection.on('close', () => resolve(true));
    });
}

async function storeAllAtOnce(orders) {
    const done = [];
    orders.forEach((order) => done.push(store(order)));
    return Promise.all(done);
}

async function storeAFewAtATime(orders) {
    const workers = Array.from({ length: AT_ONCE }, async () => {
        while (orders.length > 0)
            await store(orders.pop());
    });
    return Promise.all(workers);
}

database.listen(0, '127.0.0.1', 4096, async () => {
    const orders = Array.from({ length: count }, (_, i) => i);
    const storeAll = process.env.FIXED === '1' ? storeAFewAtATime : storeAllAtOnce;
    // A quiet time before, so that the burst is not the start.
    await new Promise((resolve) => setTimeout(resolve, 4000));
    await storeAll(orders);
    console.log('stored');
    setTimeout(() => process.exit(0), stay * 1000);
});
