'use strict';

// Steady load on loopback: node load.js PORT [requests per second] [seconds]
// Every request asks for another report, in a session of its own.

const { readArguments, steadyLoad } = require('../steady-load.js');

steadyLoad(readArguments(1000 / 60, 60), (number) => {
    const key = `u${process.pid}-${number}`;
    return { path: `/reports/${key}`, headers: { 'x-request-id': key } };
});
