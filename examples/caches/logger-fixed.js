'use strict';

// The closure keeps the line and nothing else.

const DELAY = 10_000;
let written = 0;

async function logLater(request, user) {
    await null;
    const line = `${request.method} ${request.url} ${user.grants.length}\n`;
    setTimeout(() => {
        written += line.length;
    }, DELAY);
}

module.exports = { logLater, bytesWritten: () => written };
