// The page in a real browser, offline. Started by tests/e2e/page_browser.rs:
//   node browser.mjs CHROMIUM URL LOG [SCREENSHOTS]
// LOG is a log that the process at URL reads, with 300 lines of now; its rule "errors" is raised from 20 %
// on, over a window of 5 s. Prints what failed, and exits with 1. With ONLY=overview,lines in the environment,
// nothing but these is tried.
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Validator } from "@seriousme/openapi-schema-validator";
import { chromium } from "playwright-core";

const [executablePath, base, log, screenshots] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const failures = [];
const only = process.env.ONLY?.split(",");
// A name that leads here by whoever owns it, as in DNS rebinding.
const rebound = "--host-resolver-rules=MAP rebound.example 127.0.0.1";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", rebound] });

function holds(what, isSo, found = "") {
  if (!isSo) failures.push(`${what}${found === "" ? "" : `: found ${JSON.stringify(found)}`}`);
}

/** Lines of now with this status. */
function write(count, status, path = "/api/items") {
  const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const date = `${two(now.getUTCDate())}/${month[now.getUTCMonth()]}/${now.getUTCFullYear()}`;
  const time = `${two(now.getUTCHours())}:${two(now.getUTCMinutes())}:${two(now.getUTCSeconds())}`;
  appendFileSync(log, `10.9.8.7 - - [${date}:${time} +0000] "GET ${path} HTTP/1.1" ${status} 77 "-" "tester"\n`.repeat(count));
}

/** A page of its own for what is tried, whose console must stay silent but for answers that are expected. */
async function attempt(name, options, address, work, expected = []) {
  if (only && !only.includes(name)) return;
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  // What is stored is asked again after twenty times as long as the last answer took, which is long where
  // other tests run beside this one.
  page.setDefaultTimeout(120_000);
  page.on("console", (message) => {
    const isExpected = expected.some((status) => message.text().includes(`status of ${status} `));
    if (["error", "warning"].includes(message.type()) && !isExpected) failures.push(`${name}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => failures.push(`${name}: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) failures.push(`${name}: asks ${request.url()}`);
  });
  try {
    await page.goto(base + address);
    await work(page);
    if (screenshots) await page.screenshot({ path: `${screenshots}/${name.replaceAll(" ", "-")}.png` });
  } catch (error) {
    const place = error.stack?.match(/browser\.mjs:\d+/g)?.join(" ") ?? "";
    failures.push(`${name}: ${place} ${error.message.split("\n").slice(0, 3).join(" ")}`);
  }
  await context.close();
}

async function accessible(page, name) {
  await page.addScriptTag({ path: axe }).catch(() => undefined);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id} at ${nodes[0]?.target.join(" ")} (${nodes.length})`);
  });
  holds(`${name}: nothing that axe finds`, found.length === 0, found);
}

const hits = async (page) => Number((await page.textContent(".tile .value")).replace(/[^\d]/g, ""));
const until = (page, what, ...given) => page.waitForFunction(what, ...given);

await attempt("overview", { bypassCSP: true }, "/", async (page) => {
  await page.waitForSelector(".tops .top li");
  holds("overview: all lines are counted", (await hits(page)) >= 300, await hits(page));
  await accessible(page, "overview");
  const before = await hits(page);
  write(50, 200);
  await until(page, (before) => Number(document.querySelector(".tile .value").textContent.replace(/[^\d]/g, "")) >= before + 50, before);
  await page.click(".top .row >> text=/shop");
  await until(page, () => location.search.includes("filter=") && document.querySelector("input[type=search]").value.includes("path:"));
  await page.goBack();
  await until(page, () => !location.search.includes("filter="));
  // The brush: a click is none, a part of a step is that step, whatever comes meanwhile.
  const chart = await page.locator(".wide .chart svg").first().boundingBox();
  const drag = async (from, to) => {
    await page.mouse.move(chart.x + chart.width * from, chart.y + 60);
    await page.mouse.down();
    if (to !== from) await page.mouse.move(chart.x + chart.width * to, chart.y + 60, { steps: 4 });
    write(1, 200);
    await page.waitForTimeout(300);
    await page.mouse.up();
  };
  await drag(0.5, 0.5);
  holds("overview: a click on the chart chooses nothing", !page.url().includes("until="), page.url());
  await drag(0.9, 0.92);
  await until(page, () => location.search.includes("until="));
  await page.waitForSelector(".tops .top li");
  await page.goto(`${base}/?since=1h`);
  await page.waitForSelector(".tops .top li");
  await drag(0.5, 0.9);
  await until(page, () => location.search.includes("until="));
  await page.waitForSelector('button[aria-label="Back to now"]');
});

await attempt("dark", { colorScheme: "dark", bypassCSP: true, reducedMotion: "reduce" }, "/?compare=1", async (page) => {
  await page.waitForSelector(".tops .top li");
  const paper = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  holds("dark: the paper is dark", Math.max(...paper.match(/\d+/g).map(Number)) < 60, paper);
  const moving = await page.evaluate(() => getComputedStyle(document.querySelector(".pulse"), "::before").animationName);
  holds("dark: nothing moves where motion is to be reduced", moving === "none", moving);
  await accessible(page, "dark");
});

await attempt("lines", { bypassCSP: true }, "/?view=lines", async (page) => {
  await page.waitForSelector(".line");
  await accessible(page, "lines");
  write(1, 200, "/fresh");
  await page.waitForSelector(".line >> text=/fresh");
  await page.evaluate(() => document.querySelector(".list").scrollTo(0, 600));
  await page.waitForSelector(".held");
  const middle = () => document.elementFromPoint(200, innerHeight - 100).closest(".line").textContent;
  const read = await page.evaluate(middle);
  write(7, 200, "/later");
  await page.waitForSelector(".held >> text=/7 new/");
  holds("lines: what is read stays where it is", (await page.evaluate(middle)) === read);
  await page.click(".held");
  await page.waitForSelector(".line >> text=/later");
  // A line, by the keys alone.
  await page.focus(".list");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".detail");
  await accessible(page, "a line");
  await page.click(".detail [role=tab] >> text=Around");
  await page.waitForSelector(".around .at");
  await page.click(".detail [role=tab] >> text=Fields");
  await page.click('[aria-label="Show url.path as column"]');
  await page.waitForSelector(".line .column");
  await page.click('[aria-label="Only lines with this http.response.status_code"]');
  await until(page, () => document.querySelector("input[type=search]").value.includes("status_code:200"));
});

await attempt("keys alone", {}, "/?view=lines", async (page) => {
  await page.waitForSelector(".line");
  await page.keyboard.press("/");
  await page.keyboard.type("stat");
  await page.waitForSelector(".proposals li");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".proposals li >> text=404");
  await page.keyboard.type("404");
  await page.keyboard.press("Enter");
  await until(page, () => location.search.includes("filter=status"));
  await until(page, () => [...document.querySelectorAll(".line .head")].every((head) => head.textContent === "404"));
});

await attempt("hostile lines", {}, "/?view=lines&filter=path:%22/hostile%22", async (page) => {
  write(1, 200, "/hostile?<img/src=x/onerror=document.title='taken'>&\\x1b[31m");
  await page.waitForSelector(".line >> text=onerror");
  await page.click(".line");
  await page.waitForSelector(".detail td");
  holds("hostile lines: no element comes of a line", (await page.locator("#page img").count()) === 0);
  holds("hostile lines: no code of a line runs", (await page.title()) === "Omphalos", await page.title());
});

await attempt("phone", { viewport: { width: 390, height: 844 } }, "/", async (page) => {
  await page.waitForSelector(".tops .top li");
  for (const view of ["", "?view=lines", "?view=alerts", "?view=sources", "?view=fleet", "?view=audit"]) {
    await page.goto(`${base}/${view}`);
    await page.waitForSelector("main > *");
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    holds(`phone: nothing of ${view || "the overview"} is beyond the edge`, width <= 390, width);
  }
});

await attempt("alerts", { bypassCSP: true }, "/?view=alerts", async (page) => {
  await page.waitForSelector(".card");
  const raise = setInterval(() => write(20, 503), 500);
  await page.waitForSelector(".raised .tag >> text=raised");
  clearInterval(raise);
  await page.waitForSelector(".badge");
  await accessible(page, "alerts");
  const clear = setInterval(() => write(20, 200), 500);
  await page.waitForSelector(".table .tag.good >> text=cleared");
  clearInterval(clear);
  await page.waitForSelector(".lanes rect", { state: "attached" });
});

await attempt("audit", { bypassCSP: true }, "/?view=audit", async (page) => {
  await page.click(".table button >> text=Audit");
  await page.waitForSelector(".tag.good >> text=all there");
  await accessible(page, "audit");
});

await attempt("nothing", {}, "/?filter=path:%22/nowhere%22", async (page) => {
  await page.waitForSelector(".state >> text=No line matches");
});

await attempt("wrong search", {}, "/?view=lines&filter=status:(500", async (page) => {
  await page.waitForSelector(".problem mark >> text=(");
  await page.waitForSelector(".problem >> text=is never closed");
  await page.fill("input[type=search]", "status:200");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".line");
}, [400]);

await attempt("utc and saved views", { timezoneId: "Asia/Kolkata" }, "/?view=lines", async (page) => {
  await page.waitForSelector(".line time");
  const shown = () => page.textContent(".line time");
  const local = await shown();
  await page.click(".mast .icon >> text=UTC+05:30");
  await until(page, (local) => document.querySelector(".line time").textContent !== local, local);
  await page.click('[aria-label="Saved views"]');
  await page.fill(".menu input", "in UTC");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.goto(`${base}/`);
  await page.click('[aria-label="Saved views"]');
  await page.click(".menu a >> text=in UTC");
  await until(page, () => location.search.includes("utc=1") && location.search.includes("view=lines"));
});

await attempt("dead letters", { bypassCSP: true }, "/?view=fleet", async (page) => {
  const asked = [];
  const letter = { at: "2026-11-22T10:00:00Z", id: "a1", index: "omphalos-x", type: "strict_dynamic_mapping_exception", reason: "<b>no</b>", status: "400" };
  await page.route("**/api/v1/dead**", (route) => {
    const request = route.request();
    if (request.method() === "GET") {
      const letters = asked.some((one) => one.startsWith("DELETE")) ? [] : [letter, { ...letter, id: "a2" }];
      return route.fulfill({ json: { letters, more: 0, allowed: { replay: true, drop: true }, last: null } });
    }
    asked.push(`${request.method()} ${new URL(request.url()).pathname}${new URL(request.url()).search} ${request.headers()["content-type"]}`);
    return route.fulfill({ status: 202, body: "" });
  });
  await page.click(".mast nav >> text=Sources");
  await page.click('[aria-label="Replay the dead letter a1"]');
  await page.click('[aria-label="Drop all 2 dead letters"]');
  await page.waitForSelector("dialog >> text=Drop all 2 dead letters for good?");
  await accessible(page, "the question");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  await page.click('[aria-label="Drop the dead letter a2"]');
  await page.click("dialog .danger");
  await page.waitForSelector("text=No dead letters");
  const expected = ["POST /api/v1/dead/replay?id=a1 application/json", "DELETE /api/v1/dead?id=a2 application/json"];
  holds("dead letters: nothing is dropped that was not confirmed", asked.join("; ") === expected.join("; "), asked);
});

if (!only) {
  const described = await (await fetch(`${base}/api/v1/openapi.json`)).json();
  const { valid, errors } = await new Validator().validate(described);
  holds("the description of the API is OpenAPI", valid, errors);
  await hostile();
}
await browser.close();
for (const failure of failures) console.log(failure);
process.exit(failures.length > 0 ? 1 : 0);

/** A foreign page in the same browser can neither read, show, nor change anything, by whatever it has. */
async function hostile() {
  const foreign = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<title>foreign</title>"));
  await new Promise((done) => foreign.listen(0, "127.0.0.1", done));
  const context = await browser.newContext();
  const page = await context.newPage();
  const answered = [];
  page.on("response", (response) => {
    if (response.url().startsWith(base) && response.status() < 400) answered.push(response.url());
  });
  await page.goto(`http://127.0.0.1:${foreign.address().port}/`);
  const got = await page.evaluate(async (base) => {
    const loads = (name, properties) => () =>
      new Promise((done, failed) => {
        const element = document.createElement(name);
        Object.assign(element, { onload: () => done(), onerror: () => failed(new Error("refused")) }, properties);
        document.body.append(element);
      });
    const json = { "content-type": "application/json" };
    const change = (method, options) => () => fetch(`${base}/api/v1/dead${method === "POST" ? "/replay" : ""}?all=true`, { method, credentials: "include", ...options }).then((answer) => answer.text());
    const attempts = {
      read: () => fetch(`${base}/api/v1/lines`).then((answer) => answer.text()),
      session: () => fetch(`${base}/api/v1/session`, { method: "POST", headers: json, body: "{}" }).then((answer) => answer.text()),
      replay: change("POST", { headers: json }),
      drop: change("DELETE", { headers: json }),
      listen: () => new Promise((done, failed) => {
        const source = new EventSource(`${base}/api/v1/live`);
        source.onopen = () => done();
        source.onerror = () => failed(new Error("refused"));
      }),
      socket: () => new Promise((done, failed) => {
        const socket = new WebSocket(`${base.replace("http", "ws")}/api/v1/live`);
        socket.onopen = () => done();
        socket.onerror = () => failed(new Error("refused"));
      }),
      script: loads("script", { src: `${base}/page.js` }),
      image: loads("img", { src: `${base}/icon.svg` }),
      style: loads("link", { rel: "stylesheet", href: `${base}/page.css` }),
    };
    const told = [];
    for (const [name, attempt] of Object.entries(attempts)) {
      await attempt().then(() => told.push(name), () => undefined);
    }
    // These say nothing of what came of them to who sends them.
    await change("POST", { mode: "no-cors", body: "{}" })().catch(() => undefined);
    const shown = (name) => new Promise((done) => {
      const frame = Object.assign(document.createElement("iframe"), { name, onload: done });
      document.body.append(frame);
    });
    await shown("target");
    for (const [method, path] of [["post", "/api/v1/dead/replay?all=true"], ["get", "/api/v1/lines"]]) {
      const form = Object.assign(document.createElement("form"), { method, action: base + path, target: "target", enctype: "text/plain" });
      document.body.append(form);
      form.submit();
      await new Promise((done) => (document.querySelector("iframe").onload = done));
    }
    const frame = Object.assign(document.createElement("iframe"), { src: base });
    await new Promise((done) => document.body.append(Object.assign(frame, { onload: done })));
    return told;
  }, base);
  holds("a foreign page gets nothing", got.length === 0, got);
  holds("a foreign page is answered nothing", answered.length === 0, answered);
  const name = base.replace("127.0.0.1", "rebound.example");
  for (const path of ["/", "/api/v1/lines", "/api/v1/live"]) {
    const answer = await page.goto(name + path);
    holds(`by a name that was rebound, ${path} is refused`, answer.status() === 403, answer.status());
  }
  const dead = await (await fetch(`${base}/api/v1/dead`)).json();
  holds("a foreign page changes nothing", !dead.last, dead.last);
  await context.close();
  foreign.close();
}
