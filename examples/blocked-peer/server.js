'use strict';

// A service that reports each request to a collector of metrics, through a client it did not write.
// A proxy refuses the collector's address. FIXED=1 reports with the repaired client; COLLECTOR is the
// collector's port, by default one where nobody listens; PORT has a default.

const http = require('node:http');

const { Metrics } = require(process.env.FIXED === '1' ? './metrics-fixed.js' : './metrics.js');

const metrics = new Metrics({ host: '127.0.0.1', port: Number(process.env.COLLECTOR || 9) });

const server = http.createServer((request, response) => {
    metrics.count({ name: 'requests', url: request.url, agent: request.headers['user-agent'] });
    response.end('done');
});

server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
    console.log(`listening on ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
        metrics.end();
        server.close();
        server.closeAllConnections();
    });
}
