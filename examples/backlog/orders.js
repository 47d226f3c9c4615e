'use strict';

// The backlog: every order is accepted, waits in memory for as long as it takes, and asks again at once
// whenever it is told to come again. Nothing gives up: neither an attempt, nor an order, nor the shop.

const http = require('node:http');

const LINES = 800;

class Orders {
    constructor(inventory) {
        this.inventory = { ...inventory, agent: new http.Agent({ keepAlive: true }) };
        this.queue = new Set();
        this.ending = false;
    }

    async place(url) {
        const order = this.enqueue(url);
        await this.reserve(order);
        this.queue.delete(order);
    }

    enqueue(url) {
        const order = { url, lines: [], attempts: 0 };
        for (let i = 0; i < LINES; i++)
            order.lines.push({ article: `${url}/${i}`, count: i });
        this.queue.add(order);
        return order;
    }

    async reserve(order) {
        const body = JSON.stringify(order.lines);
        while (!this.ending) {
            order.attempts++;
            if (await this.ask(body) === 200)
                return;
        }
    }

    ask(body) {
        return new Promise((resolve) => {
            const request = http.request({ ...this.inventory, method: 'POST', path: '/reserve' });
            request.on('response', (response) => {
                response.resume();
                response.on('end', () => resolve(response.statusCode));
            });
            request.on('error', () => resolve(0));
            request.end(body);
        });
    }

    end() {
        this.ending = true;
        this.inventory.agent.destroy();
    }
}

module.exports = { Orders };
