'use strict';

// Opens the pages that run.py made and uses them as a person would.
//   node browse.js PLAYWRIGHT CHROMIUM PAGES

const fs = require('node:fs');
const path = require('node:path');

const [, , playwright, executablePath, pages] = process.argv;
const { chromium } = require(path.resolve(playwright));
const expected = JSON.parse(fs.readFileSync(path.join(pages, 'expected.json'), 'utf8'));
const PHONE = { width: 360, height: 740 };

let passed = 0;
let failed = 0;

function check(name, condition, evidence) {
    if (condition)
        passed++;
    else
        failed++;
    console.log(`${condition ? 'ok' : 'not ok'} ${name}`);
    if (!condition && evidence !== undefined)
        console.log(`#   ${JSON.stringify(evidence)}`);
}

const equal = (name, found, wanted) => check(name, JSON.stringify(found) === JSON.stringify(wanted),
    { found, wanted });

// A page that is open, with all that went wrong on it.
async function open(browser, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const faults = [];
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('dialog', (dialog) => faults.push(`dialog ${dialog.message()}`));
    page.on('request', (request) => {
        if (!request.url().startsWith('file:') || request.url().endsWith('/x'))
            faults.push(`request ${request.url()}`);
    });
    await page.goto(`file://${path.resolve(pages, `${name}.html`)}`);
    return { page, faults, context };
}

async function close(name, { page, faults, context }, picture = name) {
    await page.screenshot({ path: path.join(pages, `${picture}.png`), fullPage: true });
    equal(`${picture}: no error and no request`, faults, []);
    await context.close();
}

const textsOf = (page, selector) => page.locator(selector).allTextContents();
const width = (page, selector) => page.locator(selector).first().evaluate((element) =>
    element.getBoundingClientRect().width);

// How much of a canvas is painted, and in how many colours.
const paint = (page, selector) => page.locator(selector).first().evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colors = new Set();
    let painted = 0;
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 0) {
            painted++;
            colors.add(`${data[i] >> 5},${data[i + 1] >> 5},${data[i + 2] >> 5}`);
        }
    }
    return { painted, colors: [...colors].sort() };
});

async function verdict(page, summary) {
    equal('the verdict is the headline', await page.textContent('h1'), summary.verdict.message);
    check('and tells in the title', (await page.title()).startsWith(`${summary.verdict.state}: `));
    const tiles = await textsOf(page, '.tile-value');
    check('figures stand below it', tiles.length >= 5 && tiles[3] === String(
        summary.verdict.rising_sites), tiles);
}

async function sorting(page, summary) {
    const names = () => textsOf(page, '.sites-table .site-name .name');
    const wanted = summary.sites.slice(0, 15).map((site) => site.function ?? site.location);
    equal('sites come as in the summary, the rising ones first', await names(), wanted);
    const head = page.locator('.sites-table th', { hasText: 'Number' });
    await head.locator('button').click();
    equal('a click on a head sorts', await head.getAttribute('aria-sort'), 'descending');
    const counts = async () => (await textsOf(page, '.sites-table tbody tr > td:nth-child(6)'))
        .map((text) => Number(text.replace(/,/g, '')));
    const falling = await counts();
    equal('from the highest', falling, [...falling].sort((left, right) => right - left));
    await head.locator('button').press('Enter');
    const rising = await counts();
    equal('and with the key Enter from the lowest', rising,
        [...rising].sort((left, right) => left - right));
    check('which is another order', falling[0] > rising[0]);
}

async function searching(page, summary, word) {
    const rows = page.locator('.sites-table tbody tr');
    await page.fill('#site-search', word);
    check(`a search for ${word} leaves those sites`, await rows.count() < summary.sites.length &&
        (await textsOf(page, '.sites-table .site-name .name')).includes(word));
    check('and says how many', / of .* sites$/.test(await page.textContent('#site-count')));
    await page.fill('#site-search', 'no such function');
    equal('a search without result says so', await rows.allTextContents(), ['No site is like that.']);
    await page.fill('#site-search', '');
    await page.selectOption('select[aria-label="Every verdict"]', 'rising');
    equal('rising sites alone', await rows.count(),
        summary.sites.filter((site) => site.verdict === 'rising').length);
}

async function opening(page, site) {
    const opener = page.locator('.sites-table .opener').first();
    await opener.click();
    equal('a click opens a site', await opener.getAttribute('aria-expanded'), 'true');
    await page.waitForSelector('.site-curve canvas');
    const curve = await paint(page, '.site-curve canvas');
    check('its curve is drawn', curve.painted > 2000 && curve.colors.length > 3, curve);
    equal('its whole stack is there', await page.locator('.site-stack li').count(), site.stack.length);
    const before = await page.textContent('.site-curve .readout');
    await page.locator('.site-curve .u-over').hover();
    check('the curve is read where the pointer is',
        await page.textContent('.site-curve .readout') !== before, before);
    await page.locator('.site-curve button', { hasText: 'Number' }).click();
    check('its number has a curve too', /number/.test(await page.textContent('.site-curve .readout')));
    await opener.press('Enter');
    equal('the key Enter closes it', await page.locator('.site-detail').count(), 0);
    await opener.press('Enter');
    equal('and opens it', await page.locator('.site-detail').count(), 1);
}

async function flames(page, word) {
    const frame = page.locator('.flame .frame', { hasText: word }).first();
    const whole = await width(page, '.flame');
    for (const value of ['live', 'growth', 'count']) {
        await page.click(`[data-value=${value}]`);
        check(`a flame graph of ${value}`, await page.locator('.flame .frame').count() > 2 &&
            Math.abs(await width(page, '.flame .frame') - whole) < 2);
    }
    const before = await width(page, `.flame .frame:has-text("${word}")`);
    await frame.click();
    check('a click zooms', before < whole - 2 && Math.abs(await width(page,
        `.flame .frame:has-text("${word}")`) - whole) < 2, { before, whole });
    check('and says what it is', (await page.textContent('#flame-readout')).startsWith(word));
    await page.keyboard.press('ArrowUp');
    check('arrow keys move', await page.evaluate((name) => document.activeElement.matches('.frame') &&
        document.activeElement.textContent !== name, word));
    await page.click('#flame-reset');
    check('and back', await page.isDisabled('#flame-reset'));
    await page.fill('#flame-search', word);
    check('a search highlights', await page.locator('.frame.match').count() > 0 &&
        /%/.test(await page.textContent('#flame-found')));
    await page.fill('#flame-search', 'no such frame');
    equal('and says when there is none', await page.textContent('#flame-found'), 'No frame matches');
}

async function theme(page) {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const bright = await background();
    const chart = (await paint(page, '#resident canvas')).colors;
    await page.click('#theme');
    equal('the theme can be set', [await page.textContent('#theme'), await background()],
        ['Theme: light', bright]);
    await page.click('#theme');
    check('to dark', await background() !== bright);
    check('curves are drawn anew for it', JSON.stringify((await paint(page, '#resident canvas')).colors)
        !== JSON.stringify(chart));
    await page.reload();
    equal('and is remembered', await page.textContent('#theme'), 'Theme: dark');
    check('as it was', await background() !== bright);
    await page.click('#theme');
    await page.emulateMedia({ colorScheme: 'dark' });
    check('without a choice it is the system’s', await background() !== bright);
}

// Names for everything that can be used, headings in order, ids once.
async function accessible(page, name) {
    const faults = await page.evaluate(() => {
        const list = [];
        for (const element of document.querySelectorAll('button, input, select, [role=img], table')) {
            const label = element.getAttribute('aria-label') ?? element.getAttribute('aria-labelledby') ??
                element.closest('label')?.textContent ?? element.caption?.textContent ??
                element.textContent;
            if (!label.trim())
                list.push(`no name: ${element.outerHTML.slice(0, 120)}`);
        }
        let level = 0;
        for (const heading of document.querySelectorAll('h1, h2, h3')) {
            if (!heading.checkVisibility())
                continue;
            const next = Number(heading.tagName[1]);
            if (next > level + 1)
                list.push(`h${next} after h${level}: ${heading.textContent}`);
            level = next;
        }
        const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
        if (new Set(ids).size !== ids.length)
            list.push('an id is there twice');
        return list;
    });
    equal(`${name}: everything has a name, headings are in order`, faults, []);
}

// WCAG 2.2, 1.4.3: text stands out from what is behind it by 4.5 to 1.
// https://www.w3.org/TR/WCAG22/#contrast-minimum
async function readable(page, name) {
    for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        equal(`${name}, ${colorScheme}: text can be read`, await page.evaluate(() => {
            const parse = (color) => {
                const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
                return [red, green, blue, alpha];
            };
            const over = (front, back) => [0, 1, 2].map((part) => front[part] * front[3] +
                back[part] * (1 - front[3])).concat(1);
            const behind = (element) => {
                const color = parse(getComputedStyle(element).backgroundColor);
                if (color[3] === 1)
                    return color;
                return over(color, element.parentElement ? behind(element.parentElement)
                    : [255, 255, 255, 1]);
            };
            const luminance = (color) => color.slice(0, 3).map((part) => part / 255).map((part) =>
                part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
                .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
            const faults = new Set();
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                const element = walker.currentNode.parentElement;
                if (!walker.currentNode.data.trim() || !element.checkVisibility() ||
                    element.closest('script, noscript, :disabled, .above'))
                    continue;
                const back = behind(element);
                const [low, high] = [luminance(over(parse(getComputedStyle(element).color), back)),
                    luminance(back)].sort((left, right) => left - right);
                const contrast = (high + 0.05) / (low + 0.05);
                if (contrast < 4.5)
                    faults.add(`${element.className} "${walker.currentNode.data.slice(0, 30)}" ` +
                        contrast.toFixed(2));
            }
            return [...faults];
        }), []);
    }
    await page.emulateMedia({ colorScheme: null });
}

async function narrow(browser, name) {
    const opened = await open(browser, name, { viewport: PHONE, hasTouch: true, isMobile: true,
        colorScheme: 'dark' });
    const { page } = opened;
    const opener = page.locator('.sites-table .opener').first();
    if (await opener.count() > 0)
        await opener.tap();
    await page.waitForTimeout(100);
    equal(`${name} on a phone: nothing is wider than the page`, await page.evaluate(() =>
        document.documentElement.scrollWidth), PHONE.width);
    await close(name, opened, `${name}-phone`);
}

async function service(browser) {
    const opened = await open(browser, 'service');
    const { page } = opened;
    const summary = expected.service;
    await verdict(page, summary);
    await sorting(page, summary);
    await page.reload();
    await searching(page, summary, 'session_open');
    await opening(page, summary.sites[0]);
    await flames(page, 'session_open');
    await accessible(page, 'service');
    await readable(page, 'service');
    equal('sampling is told of', await page.textContent('#health-body p'),
        'Every block is counted: live figures are exact.');
    equal('one run is no story', await page.isVisible('#story'), false);
    await close('service', opened);
}

async function node(browser) {
    const opened = await open(browser, 'node');
    const { page } = opened;
    check('a killed process is told of', (await page.textContent('#process')).includes('killed after') &&
        (await page.textContent('.warning')).includes('was killed'));
    await opening(page, expected.node.sites[0]);
    check('JavaScript frames are marked', (await textsOf(page, '.site-stack .badge-js')).length > 0);
    const cells = await textsOf(page, '.sites-table tbody tr:first-child > td');
    const [, growth] = expected.text.match(/^ 1 +js +(\S+ \S+) +getData/m);
    const [, live] = expected.text.match(/^ +(~.* ± .*) live in/m);
    equal('figures are those of summary.txt', [cells[2], cells[3]], [growth, live]);
    check('with the sampling error', /~.* ± /.test(await page.textContent('.sites-table tbody')));
    await flames(page, 'getData');
    await readable(page, 'node');
    for (const [id, what] of [['loops', 'node'], ['isolates', 'node'], ['modules', 'node'],
        ['balance', 'JavaScript heaps'], ['peers', '127.0.0.1:']])
        check(`${id} are shown`, (await page.textContent(`#${id}-body`)).includes(what));
    check('what rises has its curves in one chart', (await paint(page, '#growth canvas')).painted > 2000 &&
        (await textsOf(page, '#growth .legend .name')).includes('js getData'));
    await page.locator('#growth .legend button', { hasText: 'getData' }).click();
    equal('which lead to the sites', await page.inputValue('#site-search'), 'getData');
    check('the balance is a bar', await page.locator('.strip > span').count() > 3);
    check('resident memory has a curve', (await paint(page, '#resident canvas')).painted > 2000);
    await theme(page);
    await close('node', opened);
}

async function restarts(browser) {
    const opened = await open(browser, 'restarts');
    const { page } = opened;
    equal('many runs are one story', await page.textContent('h1'),
        '5 runs, 5 leaking; 4 restarts, 1 running, 1 killed, 3 killed at its limit');
    check('with what rises in them', (await page.textContent('.rising-list')).includes('5 of 5 runs'));
    equal('a line for each run', await page.locator('.runs-table tbody tr').count(), 5);
    equal('and a bar', await page.locator('.run-bar').count(), 5);
    check('one curve over all of them', (await paint(page, '#story canvas')).painted > 2000);
    await page.locator('.runs-table tbody tr').last().click();
    check('a click shows that run', (await page.textContent('#process')).includes('pid 100,'));
    equal('and so does the choice', await page.inputValue('#run-select'), '0');
    await page.selectOption('#run-select', '3');
    check('which can be changed', (await page.textContent('#process')).includes('pid 103,'));
    await page.locator('.run-bar').nth(1).press('Enter');
    check('from the time line too', (await page.textContent('#process')).includes('pid 101,'));
    await accessible(page, 'restarts');
    await readable(page, 'restarts');
    await close('restarts', opened);
}

async function hostile(browser) {
    const opened = await open(browser, 'hostile');
    const { page } = opened;
    const shown = expected.hostile.replace(/[\u0007\u202e]/g, '\ufffd');
    equal('a hostile verdict is text', await page.textContent('h1'), shown);
    for (const opener of await page.locator('.sites-table .opener').all())
        await opener.click();
    await page.waitForTimeout(200);
    check('a hostile function is text', (await textsOf(page, '.sites-table .site-name .name'))
        .includes(shown));
    equal('nothing of it became a part of the page', await page.evaluate(() => [window.taken ?? null,
        document.querySelectorAll('img, svg[onload], iframe').length,
        document.querySelectorAll('script').length]), [null, 0, 10]);
    check('long names are cut', (await page.content()).length < 2e6);
    check('a part below zero is told of', (await page.textContent('#balance-body')).includes('-4.8 MiB'));
    check('errors named like members are shown', (await page.textContent('#peers-body'))
        .includes('__proto__ 4'));
    await close('hostile', opened);

    const { page: other, context } = await open(browser, 'hostile');
    const refused = await other.evaluate(async () => {
        const attempts = {
            parse: () => { document.body.innerHTML = '<p>'; },
            fetch: () => fetch('http://127.0.0.1:9/'),
        };
        const list = [];
        for (const [name, attempt] of Object.entries(attempts)) {
            try {
                await attempt();
            } catch {
                list.push(name);
            }
        }
        const script = document.createElement('script');
        script.append('window.taken = 4');
        document.body.append(script);
        return [list, window.taken ?? null];
    });
    equal('the page’s policy refuses what a name could try', refused,
        [['parse', 'fetch'], null]);
    await context.close();
}

async function others(browser) {
    const early = await open(browser, 'early');
    check('a run without sites says so', (await early.page.textContent('#sites-body'))
        .includes('no sites'));
    equal('and leaves out what it has not', await early.page.locator('#modules, #peers, #loops, #isolates')
        .evaluateAll((list) => list.filter((element) => !element.hidden).length), 0);
    await close('early', early);

    const large = await open(browser, 'large');
    check('what is left out is counted', /more are in summary.json/.test(
        await large.page.textContent('#sites-body')));
    await large.page.selectOption('#run-select', '0');
    check('old runs say that their sites are not here', /Only the newest runs/.test(
        await large.page.textContent('#sites-body')));
    equal('each service is told of', await large.page.locator('.service > h3.name').count(), 3);
    await close('large', large);

    const real = await open(browser, 'real');
    equal('real runs are listed', await real.page.locator('.runs-table tbody tr').count(), 3);
    await close('real', real);

    const plain = await open(browser, 'service', { javaScriptEnabled: false });
    equal('without JavaScript there is the verdict', await plain.page.textContent('h1'),
        expected.service.verdict.message);
    await plain.context.close();
}

async function main() {
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu',
        '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'] });
    try {
        for (const group of [service, node, restarts, hostile, others])
            await group(browser);
        for (const name of ['service', 'node', 'restarts', 'hostile', 'early', 'large'])
            await narrow(browser, name);
    } finally {
        await browser.close();
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed > 0 ? 1 : 0;
}

main();
