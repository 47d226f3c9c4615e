'use strict';

// Steady load on loopback: node load.js PORT [requests per second] [seconds]

const { readArguments, steadyLoad } = require('../steady-load.js');

steadyLoad(readArguments(100, 20), (number) => ({ path: `/items/${number}` }));
