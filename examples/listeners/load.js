'use strict';

// Steady load on loopback: node load.js PORT [requests per second] [seconds]
// Every request asks for a user nobody asked for before, so every request is a miss.

const { readArguments, steadyLoad } = require('../steady-load.js');

steadyLoad(readArguments(1000 / 60, 60), (number) => ({ path: `/users/u${process.pid}-${number}` }));
