// The pictures of the manual, of the page of `omphalos demo`: node screenshots.mjs CHROMIUM OMPHALOS DIRECTORY.
// `make screenshots` does all of it, in some two minutes.
import { spawn } from "node:child_process";
import { chromium } from "playwright-core";

const [executablePath, program, directory] = process.argv.slice(2);
/** So long the story of the demo takes until an alert is raised and cleared, at most. */
const STORY = 300_000;
const demo = spawn(program, ["demo"], { stdio: ["ignore", "ignore", "pipe"] });
const base = await new Promise((found, failed) => {
  let said = "";
  demo.stderr.on("data", (text) => {
    said += text;
    const address = /http:\/\/[\d.]+:\d+(?=\/ )/.exec(said);
    if (address) found(address[0]);
  });
  demo.on("exit", () => failed(new Error(`the demo ended:\n${said}`)));
});
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** One picture: where, how large, in which colours, and what happens before it is taken. */
async function take(name, address, { colors = "light", height = 800, before }) {
  const context = await browser.newContext({ viewport: { width: 1280, height }, colorScheme: colors, reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.goto(base + address);
  await before(page);
  // What a picture shows has been drawn, and nothing is loaded any more.
  await page.waitForFunction(() => document.querySelector(".waiting") === null);
  await page.screenshot({ path: `${directory}/${name}.png` });
  await context.close();
}

const hasFigures = (page) => page.waitForSelector(".tops .top li");
await take("page-alerts", "/?view=alerts", { height: 500, before: (page) => page.waitForSelector(".table .tag.good", { timeout: STORY }) });
await take("page-overview", "/", { height: 960, before: hasFigures });
await take("page-dark", "/?by=errors", { colors: "dark", height: 960, before: hasFigures });
await take("page-lines", "/?view=lines&filter=status:>=500", {
  before: async (page) => {
    await page.waitForSelector(".line");
    await page.waitForSelector(".histogram .shapes");
    await page.click(".line >> nth=3");
    await page.waitForSelector(".detail td");
  },
});
await browser.close();
demo.removeAllListeners("exit");
demo.kill("SIGTERM");
