// Measures the page in a real browser, for `make bench ONLY=page` (tests/bench/page.rs):
//   node measure.mjs paint URL            how soon figures are seen, nothing cached
//   node measure.mjs live URL MINUTES     frames and heap of the lines, as they come
// Prints JSON.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const [what, url, minutes] = process.argv.slice(2);
const names = ["chromium", "chromium-browser", "google-chrome"];
const executablePath = names.map((name) => `/usr/bin/${name}`).find((path) => existsSync(path));
if (!executablePath) throw new Error("there is no Chromium in /usr/bin");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const measured = await (what === "paint" ? paint() : live(Number(minutes)));
console.log(JSON.stringify(measured));
await browser.close();

/** From the start of the navigation to the first frame with figures in it. */
async function paint() {
  const milliseconds = [];
  for (let time = 0; time < 15; time += 1) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector(".tops .top li")) return;
        observer.disconnect();
        // Behind the frame that shows it.
        requestAnimationFrame(() => setTimeout(() => (globalThis.painted = performance.now()), 0));
      }).observe(document, { childList: true, subtree: true });
    });
    await page.goto(url);
    await page.waitForFunction(() => globalThis.painted);
    milliseconds.push(await page.evaluate(() => globalThis.painted));
    await context.close();
  }
  return { milliseconds };
}

/** The lines as they come, for minutes. */
async function live(minutes) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.addInitScript(() => {
    const seen = { frames: 0, over: 0, longest: 0, tasks: 0, counts: false };
    globalThis.seen = seen;
    let before = 0;
    const frame = (now) => {
      const took = now - before;
      if (seen.counts && before > 0) {
        seen.frames += 1;
        if (took > 50) seen.over += 1;
        seen.longest = Math.max(seen.longest, took);
      }
      before = seen.counts ? now : 0;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
      if (seen.counts) seen.tasks += list.getEntries().length;
    }).observe({ type: "longtask" });
  });
  await page.goto(`${url}/?view=lines`);
  await page.waitForSelector(".line");
  const devtools = await page.context().newCDPSession(page);
  const counts = (counts) => page.evaluate((counts) => (globalThis.seen.counts = counts), counts);
  const heap = [];
  await sleep(5);
  for (let minute = 0; minute < minutes; minute += 1) {
    await counts(true);
    await sleep(minute === 0 ? 55 : 60);
    // Collecting all garbage at once is none of the page's doing.
    await counts(false);
    await devtools.send("HeapProfiler.collectGarbage");
    const { usedSize } = await devtools.send("Runtime.getHeapUsage");
    heap.push(Math.round(usedSize / 104857.6) / 10);
  }
  const { frames, over, longest, tasks } = await page.evaluate(() => globalThis.seen);
  const grown = heap.at(-1) - heap[0];
  return { frames, frames_over: over, longest: Math.round(longest), tasks_over: tasks, heap, grown };
}
