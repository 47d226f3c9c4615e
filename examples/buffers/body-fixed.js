'use strict';

// The fix: only the most recent uploads are kept.

class Uploads {
    constructor() {
        this.kept = [];
        this.limit = 32;
    }

    readBody(chunks) {
        const body = Buffer.concat(chunks);
        this.kept.push(body);
        if (this.kept.length > this.limit) {
            this.kept.shift();
        }
        return body;
    }
}

module.exports = { Uploads };
