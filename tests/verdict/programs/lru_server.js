'use strict';

// A healthy HTTP service: reports by number, the 2,000 most recently used of which are kept.

const http = require('node:http');

const CAPACITY = 2000;
const reports = new Map();

function makeReport(path) {
    return { path, rows: new Array(200).fill(Math.random()), text: path.repeat(40) };
}

function getReport(path) {
    const report = reports.get(path) || makeReport(path);
    reports.delete(path);
    reports.set(path, report);
    if (reports.size > CAPACITY) {
        reports.delete(reports.keys().next().value);
    }
    return report;
}

const server = http.createServer((request, response) => {
    response.end(JSON.stringify(getReport(request.url)));
});

server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
process.once('SIGTERM', () => process.exit(0));
