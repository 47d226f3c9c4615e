'use strict';

// A stand-in for a database handle: rows arrive as text, as they do from a socket, and writes are
// announced by a 'change' event so that caches can invalidate what they hold.

const { EventEmitter } = require('node:events');

class Database extends EventEmitter {
    async query(key) {
        await new Promise((resolve) => setImmediate(resolve));
        const orders = [];
        for (let order = 0; order < 110; order++) {
            orders.push(`{"id":${order},"item":"article ${key}-${order}","price":${order}.25,` +
                `"address":"${key} Example Street, floor ${order}, 10115 Berlin"}`);
        }
        return `{"key":"${key}","name":"user ${key}","orders":[${orders.join()}]}`;
    }

    write(key) {
        this.emit('change', key);
    }
}

module.exports = { Database };
