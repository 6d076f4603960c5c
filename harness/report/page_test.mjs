// Opens report pages in headless Chromium, light, dark and narrow, and asserts what a reader relies on: every plot draws marks, the
// console is quiet, nothing outside the file is asked for, plots do not widen the page, a click in a legend acts, and without
// scripts the tables are there.
//
// Usage: node page_test.mjs [--screenshots DIR] PAGE...      exit 0 passed, 1 failed, 4 no browser or no driver here
// Modules come from report-library/tests (scripts/report-library --tests).
import {createRequire} from 'node:module';
import {existsSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
// Continuous integration has installed both: there, a missing one is a failure.
const unavailable = (what) => { console.log(`not available here: ${what}; run scripts/setup --tests`); process.exit(process.env.CI ? 1 : 4); };
const browserFile = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (!browserFile) unavailable('chromium');
let chromium;
try {
  ({chromium} = createRequire(path.join(top, 'report-library/tests/'))('playwright-core'));
} catch { unavailable('playwright-core'); }

const args = process.argv.slice(2);
let shots = null;
if (args[0] === '--screenshots') { args.shift(); shots = args.shift(); mkdirSync(shots, {recursive: true}); }
const failures = [];
const check = (ok, what) => { if (!ok) failures.push(what); console.log(`${ok ? 'ok' : 'FAILED'}  ${what}`); };

const MARKS = 'svg .mark-rect path, svg .mark-symbol path, svg .mark-line path, svg .mark-rule line';
const looks = [
  {name: 'light', colorScheme: 'light', viewport: {width: 1280, height: 900}},
  {name: 'dark', colorScheme: 'dark', viewport: {width: 1280, height: 900}},
  {name: 'narrow', colorScheme: 'light', viewport: {width: 390, height: 800}},
];

const open = async (browser, file, look, javaScriptEnabled = true) => {
  const context = await browser.newContext({colorScheme: look.colorScheme, viewport: look.viewport, javaScriptEnabled, offline: true});
  const page = await context.newPage();
  const said = [], asked = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) said.push(message.text()); });
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('request', (request) => { if (!/^(file|data|blob):/.test(request.url())) asked.push(request.url()); });
  await page.goto(pathToFileURL(file).href);
  if (javaScriptEnabled) await page.waitForFunction(() => document.documentElement.dataset.plots === 'done', null, {timeout: 60000});
  return {context, page, said, asked};
};

const looksRight = async (browser, file, look) => {
  const {context, page, said, asked} = await open(browser, file, look);
  const name = `${path.basename(path.dirname(file))}/${path.basename(file)} ${look.name}`;
  const plots = await page.$$eval('figure[data-plot]', (figures, marks) => figures.map((f) => ({
    id: f.id, state: f.dataset.state, marks: f.querySelectorAll(marks).length, labels: f.querySelectorAll('svg text').length,
    width: f.querySelector('svg .role-frame.root path.background')?.getBBox().width ?? 0,
    tables: f.querySelectorAll('table').length})), MARKS);
  check(plots.length > 0, `${name}: has plots`);
  for (const p of plots) check(p.state === 'drawn' && p.marks > 0 && p.labels > 2, `${name}: ${p.id} drew ${p.marks} marks, ${p.labels} labels`);
  // A mark far outside its scale leaves no room for the plot itself.
  for (const p of plots) check(p.width > 60, `${name}: ${p.id} is ${Math.round(p.width)} px wide`);
  check(said.length === 0, `${name}: console is quiet ${said.slice(0, 3).join(' | ')}`);
  check(asked.length === 0, `${name}: asks for nothing outside the file ${asked.slice(0, 3).join(' ')}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(overflow <= 1, `${name}: as wide as the window (${overflow} px over)`);
  const contrast = await page.evaluate(() => {
    const level = (c) => { const [r, g, b] = c.match(/\d+/g).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const style = getComputedStyle(document.body), a = level(style.color), b = level(style.backgroundColor);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
  check(contrast >= 7, `${name}: text has contrast ${contrast.toFixed(1)} (7 asked)`);
  if (shots) await page.screenshot({path: path.join(shots, `${path.basename(path.dirname(file))}-${look.name}.png`), fullPage: true});
  if (shots && look.name !== 'narrow')
    for (const id of ['phases', 'accuracy', 'distributions', 'limits'])
      if (await page.$(`section[aria-labelledby=${id}]`))
        await (await page.$(`section[aria-labelledby=${id}]`)).screenshot({path: path.join(shots, `${path.basename(path.dirname(file))}-${look.name}-${id}.png`)});
  if (look.name === 'light') await behavesRight(page, name);
  if (look.name === 'dark') await printsRight(page, name, file);
  await context.close();
};

// From a dark screen onto white paper: text of the plots in the style sheet's ink, and no plot lost.
const printsRight = async (page, name, file) => {
  const ink = () => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--ink').trim());
  const labels = () => page.$$eval('figure[data-plot] svg .role-axis-label text', (all) => [...new Set(all.map((t) => t.getAttribute('fill')))]);
  const settled = async (media) => {
    await page.emulateMedia({media, colorScheme: 'dark'});
    for (let tries = 0; tries < 50 && (await labels()).join() !== await ink(); ++tries) await page.waitForTimeout(100);
    check((await labels()).join() === await ink(), `${name}: ${media}, labels are ${(await labels()).join()} (${await ink()} asked)`);
  };
  await settled('print');
  if (shots) await page.screenshot({path: path.join(shots, `${path.basename(path.dirname(file))}-print.png`), fullPage: true});
  await settled('screen');
  await page.emulateMedia({media: null, colorScheme: 'dark'});
  if (shots) await page.pdf({path: path.join(shots, `${path.basename(path.dirname(file))}.pdf`), format: 'A4', margin: {top: '12mm', bottom: '12mm', left: '12mm', right: '12mm'}});
};

const behavesRight = async (page, name) => {
  await page.keyboard.press('Tab');
  check(await page.evaluate(() => document.activeElement.className === 'skip'), `${name}: the first tab stop skips to the results`);
  const faint = () => page.$$eval('#scatter svg .mark-symbol path[opacity]', (all) => all.filter((p) => Number(p.getAttribute('opacity')) < 0.2).length);
  const legend = await page.$('#scatter svg .role-legend-symbol path:last-of-type');
  if (legend && (await page.$$('#scatter svg .role-legend-entry')).length > 0) {
    const before = await faint();
    const labels = await page.$$('#scatter svg .role-legend .role-legend-label text');
    if (labels.length > 3) {
      await labels[labels.length - 1].click();
      await page.waitForTimeout(300);
      check(await faint() > before, `${name}: a click in the legend fades the others`);
    }
  }
  const scripts = await page.evaluate(() => typeof globalThis.injected);
  check(scripts === 'undefined', `${name}: text of the result did not become script`);
};

const withoutScripts = async (browser, file) => {
  const {context, page} = await open(browser, file, looks[0], false);
  const text = await page.textContent('main');
  const rows = await page.$$eval('main table tr', (all) => all.length).catch(() => 0) || (text.match(/\d (ms|us|s)/g) ?? []).length;
  check(rows > 3, `${path.basename(file)} without scripts: ${rows} rows of numbers`);
  await context.close();
};

const profile = mkdtempSync(path.join(tmpdir(), 'missive-page-'));
const browser = await chromium.launch({executablePath: browserFile, args: [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-dev-shm-usage']});
try {
  for (const file of args.map((a) => path.resolve(a))) {
    for (const look of looks) await looksRight(browser, file, look);
    await withoutScripts(browser, file);
  }
} finally {
  await browser.close();
  rmSync(profile, {recursive: true, force: true});
}
console.log(failures.length === 0 ? 'all passed' : `${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
