'use strict';

// Steady load on loopback: node load.js PORT [requests per second] [seconds]
// Customers do not wait for one another: each has a connection of its own.

const { readArguments, steadyLoad } = require('../steady-load.js');

steadyLoad({ ...readArguments(60, 24), connections: Infinity },
    (number) => ({ path: `/orders/${number}`, method: 'POST' }));
