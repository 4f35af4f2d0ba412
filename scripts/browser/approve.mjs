// A controller decides in the console, in a real browser: approves by keyboard and sees the receipt, rejects by pointer.
//
// Run by scripts/browser-tests, which starts the demo and hands its addresses over in BURSAR_DEMO. What the page says is
// held against what the simulated Stripe's ledger says happened.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const { chromium } = createRequire(join(process.env.BURSAR_NODE_PACKAGES, "/"))("playwright-core");
const demo = JSON.parse(process.env.BURSAR_DEMO);
const WAIT_MS = 60_000;

/** Calls a JSON API of the demo; anything but success is an error with its answer. */
async function call(url, token, body) {
  const response = await fetch(url, {
    method: body ? "POST" : "GET",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${url} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

/** An address below one of the demo's, whether or not that ends in a slash. */
const at = (base, path) => base.replace(/\/$/, "") + path;
const api = (path) => (/\/api\/v1\/?$/.test(demo.api_url) ? at(demo.api_url, path) : at(demo.api_url, `/api/v1${path}`));

/** Asks again until `find` returns something. */
async function until(what, find) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const found = await find();
    if (found) return found;
    assert.ok(Date.now() < deadline, `waited ${WAIT_MS / 1000} s for ${what}`);
    await pause(250);
  }
}

async function refunds() {
  const ledger = await call(at(demo.stripe_url, "/_sim/ledger"), demo.stripe_key);
  return ledger.data.filter((effect) => effect.kind === "refund.create");
}

const used = new Set();

/** Has the operator ask for a refund that needs a controller; returns the question's id. */
async function ask() {
  const charges = await call(at(demo.stripe_url, "/v1/charges?limit=100"), demo.stripe_key);
  const fits = (charge) =>
    charge.paid && charge.amount_refunded === 0 && !charge.disputed && charge.currency === "usd" &&
    charge.amount > 50_000 && !used.has(charge.id);
  const charge = charges.data.find(fits);
  assert.ok(charge, "the demo has paid USD charges over 500.00 that are not refunded");
  used.add(charge.id);
  const pending = async () => (await call(api("/approvals?status=pending&limit=100"), demo.tokens.controller)).data;
  const before = new Set((await pending()).map((approval) => approval.id));
  await call(api("/refund_requests"), demo.tokens.operator, {
    charge: charge.id, amount: 25_000, reason: "ordered twice",
  });
  const asked = (approval) => !before.has(approval.id) && JSON.stringify(approval).includes(charge.id);
  return (await until("the approval to open", async () => (await pending()).find(asked))).id;
}

async function signInAsCarl(page) {
  await page.goto(demo.console_url);
  await page.getByRole("button", { name: /sign in as carl/i }).click();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
}

/** Leaves a picture, in both widths that people use. */
async function picture(page, name) {
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(process.env.BURSAR_SHOTS, `${name}-${width}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function approveByKeyboard(page) {
  const before = (await refunds()).length;
  const id = await ask();
  await page.goto(at(demo.console_url, `/approvals/${id}`));
  await page.getByRole("group", { name: "Decision" }).waitFor();
  await picture(page, "approval");

  await page.keyboard.press("a");
  const confirm = page.getByRole("group", { name: "Decision" }).getByRole("button", { name: /Enter$/ });
  await confirm.waitFor();
  assert.ok(await confirm.evaluate((button) => button === document.activeElement), "the confirming button has the focus");
  assert.equal((await refunds()).length, before, "opening the question moves no money");
  await page.keyboard.press("Enter");

  await page.getByRole("region", { name: "Receipt" }).waitFor({ timeout: WAIT_MS });
  await picture(page, "receipt");
  const after = await refunds();
  assert.equal(after.length, before + 1, "exactly one refund happened");
  assert.equal(after.at(-1).amount, 25_000);
}

async function rejectByPointer(page) {
  const before = (await refunds()).length;
  const id = await ask();
  await page.goto(at(demo.console_url, `/approvals/${id}`));
  const decision = page.getByRole("group", { name: "Decision" });
  await decision.locator("summary", { hasText: "Reject" }).click();
  await decision.getByLabel(/^Reason/).fill("the second order was used");
  await decision.getByRole("button", { name: "Reject" }).click();

  const outcome = page.getByRole("region", { name: "Outcome" });
  await outcome.waitFor({ timeout: WAIT_MS });
  assert.match(await outcome.innerText(), /Nothing was sent to Stripe/);
  await picture(page, "rejected");
  assert.equal((await refunds()).length, before, "no refund happened");
}

const quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({
  executablePath: process.env.BURSAR_CHROMIUM,
  args: process.getuid() === 0 ? ["--no-sandbox", ...quiet] : quiet,
});
let failed = 0;
for (const check of [approveByKeyboard, rejectByPointer]) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  try {
    await signInAsCarl(page);
    await check(page);
    assert.deepEqual(complaints, [], "the page's scripts complain about nothing");
    console.log(`ok ${check.name}`);
  } catch (error) {
    failed += 1;
    console.error(`not ok ${check.name}: ${error.stack}`);
    await picture(page, `failed-${check.name}`).catch(() => {});
  }
  await page.context().close();
}
await browser.close();
process.exit(failed === 0 ? 0 : 1);
