'use strict';

// The repair: so many orders are in work and so many wait, and who comes then is told so at once. An
// attempt has a time limit, and an order has few attempts, with a pause before each that is longer than the
// one before.

const http = require('node:http');

const LINES = 800;
const AT_ONCE = 40;
const WAITING_MAX = 40;
const ATTEMPTS_MAX = 3;
const TIMEOUT_MS = 5000;
const PAUSE_MS = 200;

class Orders {
    constructor(inventory) {
        this.inventory = {
            ...inventory, agent: new http.Agent({ keepAlive: true, maxSockets: AT_ONCE }),
        };
        this.busy = 0;
        this.waiting = [];
    }

    async place(url) {
        await this.enter();
        try {
            await this.reserve(this.describe(url));
        } finally {
            this.leave();
        }
    }

    describe(url) {
        const order = { url, lines: [], attempts: 0 };
        for (let i = 0; i < LINES; i++)
            order.lines.push({ article: `${url}/${i}`, count: i });
        return order;
    }

    /** A place among those in work; an error when too many wait for one. */
    async enter() {
        if (this.busy < AT_ONCE) {
            this.busy++;
        } else if (this.waiting.length < WAITING_MAX) {
            await new Promise((resolve) => this.waiting.push(resolve));
        } else {
            throw new Error('too many orders, come again');
        }
    }

    /** The place goes to who has waited longest. */
    leave() {
        const next = this.waiting.shift();
        if (next)
            next();
        else
            this.busy--;
    }

    async reserve(order) {
        const body = JSON.stringify(order.lines);
        for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
            if (await this.ask(body) === 200)
                return;
            await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** attempt));
        }
        throw new Error('the inventory does not answer');
    }

    ask(body) {
        return new Promise((resolve) => {
            const request = http.request({
                ...this.inventory, method: 'POST', path: '/reserve',
                signal: AbortSignal.timeout(TIMEOUT_MS),
            });
            request.on('response', (response) => {
                response.resume();
                response.on('end', () => resolve(response.statusCode));
            });
            request.on('error', () => resolve(0));
            request.end(body);
        });
    }

    end() {
        this.inventory.agent.destroy();
    }
}

module.exports = { Orders };
