'use strict';

// The leak. The cache itself is bounded, but every miss adds one more 'change' listener to the
// database handle and nothing removes it: the listener's closure keeps the key and the row for
// as long as the handle lives.

class CacheManager {
    constructor(database, limit) {
        this.database = database;
        this.limit = limit;
        this.rows = new Map();
        // The warning about more than ten listeners was silenced, as it was in production.
        database.setMaxListeners(0);
    }

    async getData(key) {
        const cached = this.rows.get(key);
        if (cached !== undefined) {
            return cached;
        }
        const row = JSON.parse(await this.database.query(key));
        this.store(key, row);
        this.database.on('change', (changed) => {
            if (changed === key && this.rows.get(key) === row) {
                this.rows.delete(key);
            }
        });
        return row;
    }

    store(key, row) {
        if (this.rows.size >= this.limit) {
            this.rows.delete(this.rows.keys().next().value);
        }
        this.rows.set(key, row);
    }

    destroy() {
        this.rows.clear();
    }
}

module.exports = { CacheManager };
