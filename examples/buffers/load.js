'use strict';

// Steady load on loopback: node load.js PORT [uploads per second] [seconds] [bytes]

const { readArguments, steadyLoad } = require('../steady-load.js');

const body = Buffer.alloc(Number(process.argv[5] || 64 * 1024), 'x');

steadyLoad(readArguments(20, 60, ' [BYTES]'), () => ({ path: '/upload', method: 'POST', body }));
