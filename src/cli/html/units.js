'use strict';

// Figures as people read them, as in summary.txt: sizes are binary, growth is decimal and per minute,
// or per hour when slow. What is not known is an en dash.
const units = (() => {
    const UNKNOWN = '–';
    const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
    const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

    const isKnown = (value) => typeof value === 'number' && Number.isFinite(value);

    function figure(value, decimals) {
        return value.toFixed(decimals).replace(/\.0+$/, '');
    }

    function scaled(value, base, names) {
        let unit = 0;
        while (unit + 1 < names.length && value >= base - 0.5) {
            value /= base;
            unit++;
        }
        return `${figure(value, unit > 0 && value < 99.95 ? 1 : 0)} ${names[unit]}`;
    }

    function size(bytes) {
        if (!isKnown(bytes))
            return UNKNOWN;
        return (bytes < 0 ? '-' : '') + scaled(Math.abs(bytes), 1024, BINARY);
    }

    function count(value) {
        if (!isKnown(value))
            return UNKNOWN;
        return Math.round(value).toLocaleString('en-US');
    }

    // The figure per minute, or per hour where that would be too small to read.
    function perTime(perSecond, leastPerMinute) {
        let amount = Math.abs(perSecond) * 60;
        let time = '/min';
        if (amount < leastPerMinute) {
            amount *= 60;
            time = '/h';
        }
        if (amount < 0.05)
            return { amount: 0, sign: '', time: '/min' };
        return { amount, sign: perSecond < 0 ? '-' : '+', time };
    }

    function sizeRate(bytesPerSecond) {
        if (!isKnown(bytesPerSecond))
            return UNKNOWN;
        const { amount, sign, time } = perTime(bytesPerSecond, 100e3);
        return sign + scaled(amount, 1000, DECIMAL) + time;
    }

    function countRate(perSecond) {
        if (!isKnown(perSecond))
            return UNKNOWN;
        const { amount, sign, time } = perTime(perSecond, 1);
        return sign + (amount < 9.95 ? figure(amount, 1) : count(amount)) + time;
    }

    function duration(seconds) {
        if (!isKnown(seconds) || seconds < 0)
            return UNKNOWN;
        if (seconds < 9.95)
            return `${figure(seconds, 1)} s`;
        let whole = Math.round(seconds);
        const parts = [];
        for (const [length, name] of [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']]) {
            const amount = Math.floor(whole / length);
            whole -= amount * length;
            if (amount > 0)
                parts.push(`${amount} ${name}`);
            else if (parts.length > 0)
                break;
            if (parts.length === 2)
                break;
        }
        return parts.join(' ');
    }

    function delay(seconds) {
        if (!isKnown(seconds))
            return UNKNOWN;
        if (seconds < 0.0009995)
            return `${figure(Math.max(seconds, 0) * 1e6, 0)} µs`;
        if (seconds < 0.9995)
            return `${figure(seconds * 1e3, seconds < 0.00995 ? 1 : 0)} ms`;
        return `${figure(seconds, seconds < 9.95 ? 1 : 0)} s`;
    }

    function share(value) {
        if (!isKnown(value))
            return UNKNOWN;
        const percent = Math.min(Math.max(value * 100, 0), 100);
        if (percent > 0 && percent < 0.05)
            return '<0.1 %';
        return `${figure(percent > 99 && percent < 100 ? 99 : percent, percent < 1 ? 1 : 0)} %`;
    }

    // Within what a Date can hold.
    const iso = (seconds) => new Date(Math.min(Math.max(seconds, -8e12), 8e12) * 1000).toISOString();

    function timeOfDay(seconds) {
        if (!isKnown(seconds))
            return UNKNOWN;
        return `${iso(seconds).slice(0, 19).replace('T', ' ')} UTC`;
    }

    // "server.js:40" of "/srv/users/src/server.js:40".
    const baseName = (path) => path.slice(path.lastIndexOf('/') + 1);

    return { UNKNOWN, isKnown, size, count, sizeRate, countRate, duration, delay, share, iso, timeOfDay,
        baseName };
})();
