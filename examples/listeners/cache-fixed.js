'use strict';

// The fix: one listener serves the whole cache, and destroy() removes it.

class CacheManager {
    constructor(database, limit) {
        this.database = database;
        this.limit = limit;
        this.rows = new Map();
        this.invalidate = (changed) => this.rows.delete(changed);
        database.on('change', this.invalidate);
    }

    async getData(key) {
        const cached = this.rows.get(key);
        if (cached !== undefined) {
            return cached;
        }
        const row = JSON.parse(await this.database.query(key));
        this.store(key, row);
        return row;
    }

    store(key, row) {
        if (this.rows.size >= this.limit) {
            this.rows.delete(this.rows.keys().next().value);
        }
        this.rows.set(key, row);
    }

    destroy() {
        this.database.off('change', this.invalidate);
        this.rows.clear();
    }
}

module.exports = { CacheManager };
