// Uses the emulator's page as a developer does, in Chromium. The spec beside it starts it:
//
//   node browser.mjs FOLDER-OF-NODE-MODULES CHROMIUM ADDRESS
//
// It prints a line for each step: "ok <step>" or "not ok <step>: <error>", and "want <action>" when the spec is to do something.

import { createRequire } from 'module';

const [modules, executablePath, address] = process.argv.slice(2);
const { chromium } = createRequire(modules + '/')('playwright-core');
const say = (line) => process.stdout.write(line + '\n');

// Chromium's fake device is a microphone that beeps.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu',
  '--use-fake-device-for-media-stream'] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light',
  permissions: ['clipboard-read', 'clipboard-write', 'microphone'] });
context.setDefaultTimeout(20000);
const page = await context.newPage();
const problems = [];
page.on('pageerror', (error) => problems.push(error.message));
page.on('console', (line) => line.type() === 'error' && !/ERR_|Failed to load/.test(line.text()) && problems.push(line.text()));

// The last calls of the page, which a failed step prints.
const calls = [];
page.on('response', (response) => response.url().includes('/call/')
  && calls.push(`${response.url().replace(/.*\/call\//, '')} ${response.request().postData().slice(0, 200)} ${response.status()}`));

let failed = false;
async function step(name, body) {
  try {
    await body();
    if (problems.length) throw new Error(problems.splice(0).join('; '));
    say('ok ' + name);
  } catch (error) {
    failed = true;
    problems.length = 0;
    const alerts = await page.getByRole('alert').allTextContents().catch(() => []);
    say(`not ok ${name}: ${[...error.message.split('\n').slice(0, 6), ...alerts, ...calls.slice(-3)].join(' | ')}`);
  }
}

const phone = (name) => page.getByRole('region', { name: 'Phone of ' + name });
const bubbles = (name) => phone(name).getByRole('article');
const last = (name) => bubbles(name).last();
const write = async (name, text) => {
  await phone(name).getByRole('textbox', { name: 'Message' }).fill(text);
  await phone(name).getByRole('textbox', { name: 'Message' }).press('Enter');
};
const has = (name, text) => bubbles(name).filter({ hasText: text }).last().waitFor();
const check = (condition, what) => { if (!condition) throw new Error(what); };

await page.goto(address);

await step('writes a text, and shows the reply', async () => {
  await page.getByRole('textbox', { name: 'Message' }).fill('Hello 👋');
  await page.getByRole('button', { name: 'Send' }).click();
  await has('Eva', 'You wrote: Hello 👋');
  check(await last('Eva').locator('strong').textContent() === 'Hello 👋', 'the text between stars is not bold');
});

await step('shows ticks of both sides', async () => {
  await bubbles('Eva').first().getByLabel('read', { exact: true }).waitFor();
  await last('Eva').getByLabel('read', { exact: true }).waitFor();
});

await step('taps a button, opens a list, and chooses a row', async () => {
  await page.getByRole('button', { name: 'The menu' }).click();
  await page.getByRole('button', { name: 'Open the menu' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Coffee' }).click();
  await has('Eva', 'Coffee is on its way');
});

await step('shows a template with its buttons', async () => {
  await page.getByRole('button', { name: 'My order' }).last().click();
  await has('Eva', 'Hello Eva, your order 118 is ready.');
  check(await page.getByRole('link', { name: 'Details' }).getAttribute('href') === 'https://shop.example/orders/118', 'the link');
  await page.getByRole('button', { name: 'I am coming' }).click();
  await has('Eva', 'See you soon!');
});

await step('has a second customer beside the first', async () => {
  await page.getByRole('button', { name: 'New customer' }).click();
  await phone('Ben').getByRole('textbox', { name: 'Message' }).waitFor();
  await write('Ben', 'שלום *עולם*');
  await has('Ben', 'You wrote');
  check(await bubbles('Eva').filter({ hasText: 'שלום' }).count() === 0, 'the text is in the phone of Eva too');
});

await step('never takes a text for HTML', async () => {
  await write('Ben', '<img src=x onerror="document.title=1"><b>b</b>');
  await has('Ben', '<img src=x onerror="document.title=1"><b>b</b>');
  check(await page.title() === 'WhatsApp emulator', 'the text was run');
});

await step('takes 4096 emoji', async () => {
  await phone('Ben').getByRole('textbox', { name: 'Message' }).fill('🎉'.repeat(4096));
  await phone('Ben').getByRole('button', { name: 'Send' }).click();
  await has('Ben', '🎉'.repeat(4096));
});

await step('attaches a document, and says which file is too large', async () => {
  const attach = async (kind, file) => {
    await phone('Ben').getByRole('button', { name: 'Attach' }).click();
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'),
      phone('Ben').getByRole('group', { name: 'Attach' }).getByRole('button', { name: kind }).click()]);
    await chooser.setFiles(file);
  };
  await attach('Document', { name: 'menu.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4') });
  await has('Ben', 'menu.pdf');
  await attach('Picture', { name: 'large.png', mimeType: 'image/png', buffer: Buffer.alloc(6 * 1048576) });
  await page.getByRole('alert').filter({ hasText: 'large.png has 6.0 MB: WhatsApp takes at most 5.0 MB' }).waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
});

await step('records a voice note', async () => {
  const recording = phone('Ben').getByRole('group', { name: 'Recording' });
  await phone('Ben').getByRole('button', { name: 'Record a voice note' }).click();
  await recording.getByText('Recording 0:00').waitFor();
  await page.keyboard.press('Escape');
  await phone('Ben').getByRole('button', { name: 'Record a voice note' }).click();
  await recording.getByText('Recording 0:01').waitFor();
  await recording.getByRole('button', { name: 'Send' }).click();
  await has('Ben', 'Voice note');
  check(await last('Ben').locator('audio').evaluate((audio) => new Promise((resolve) => {
    audio.onerror = () => resolve(-1);
    audio.onloadedmetadata = () => resolve(audio.duration);
    audio.load();
  })) > 0.9, 'the browser cannot play it, or not all of it');
  say('want voice');
});

await step('says that there is no microphone', async () => {
  await context.clearPermissions();
  await phone('Ben').getByRole('button', { name: 'Record a voice note' }).click();
  await page.getByRole('alert').filter({ hasText: 'gives no sound of a microphone' }).waitFor();
  await phone('Ben').getByRole('textbox', { name: 'Message' }).waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
});

await step('replies and reacts', async () => {
  await last('Eva').hover();
  await last('Eva').getByRole('button', { name: 'Reply' }).click();
  await write('Eva', 'A reply');
  await bubbles('Eva').filter({ hasText: 'See you soon!' }).filter({ hasText: 'A reply' }).waitFor();
  await has('Eva', 'You wrote: A reply');
});

await step('shows why a message was refused, and marks the field', async () => {
  say('want refusal');
  await has('Eva', 'Refused: the customer does not see this.');
  const refused = bubbles('Eva').filter({ hasText: 'Refused' });
  await refused.getByLabel('failed', { exact: true }).waitFor();
  await refused.click();
  const traffic = page.getByRole('region', { name: 'Traffic' });
  await traffic.getByText('text.body').first().waitFor();
  check(/"body": ""/.test(await traffic.locator('mark').textContent()), 'the field is not marked');
});

await step('copies a message as Lua, as curl and as a spec', async () => {
  const copy = async (name) => {
    await page.evaluate(() => navigator.clipboard.writeText(''));
    await page.getByRole('button', { name }).click();
    await page.waitForFunction(() => navigator.clipboard.readText());
    return page.evaluate(() => navigator.clipboard.readText());
  };
  await bubbles('Eva').filter({ hasText: 'See you soon!' }).first().click({ position: { x: 12, y: 12 } });
  check((await copy('Copy as Lua')).includes('client:send("4915112345601", waba.text "See you soon!")'), 'Lua');
  check((await copy('Copy as curl')).includes('-H "D360-API-KEY: $D360_API_KEY"'), 'curl');
  check((await copy('Copy as spec')).includes('assert.same({ body = "See you soon!" }, sent.content)'), 'spec');
});

await step('lets the next request fail, and a later status', async () => {
  await page.getByRole('button', { name: 'Conditions' }).click();
  await page.getByLabel('Error').selectOption('1015');
  await page.getByRole('button', { name: 'Fail next' }).click();
  await page.getByText('Error 1015 Too many requests: the next request').waitFor();
  await write('Eva', 'Fail');
  await has('Eva', '1015');
  await page.getByLabel('Reported').selectOption('status');
  await page.getByLabel('Error').selectOption('1013');
  await page.getByRole('button', { name: 'Fail next' }).click();
  await page.getByText('Status failed with 1013').waitFor();
  await write('Eva', 'Fail later');
  await has('Eva', 'Not delivered: 1013');
  await page.getByRole('button', { name: 'Traffic' }).click();
});

await step('shows the typing indicator and a hidden number on Cloud hosting', async () => {
  await page.getByLabel('Number of the bot').selectOption({ label: '+49305550277 (Cloud)' });
  await phone('Eva').getByText('Emulated Business').waitFor();
  // The name stays when the page is drawn again.
  await page.getByRole('button', { name: 'Traffic' }).click();
  await page.getByRole('button', { name: 'Traffic' }).click();
  await phone('Eva').getByText('Emulated Business').waitFor();
  await page.getByRole('button', { name: 'Settings of Eva' }).click();
  await page.getByRole('dialog').getByLabel('Hide the phone number').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
  await phone('Eva').getByText('number hidden').waitFor();
  await write('Eva', 'Who am I?');
  say('want typing');
  await phone('Eva').getByText('typing…').first().waitFor();
});

await step('stays usable with 10,000 messages', async () => {
  say('want messages');
  await page.getByRole('button', { name: /Show earlier/ }).waitFor({ timeout: 60000 });
  await page.getByText('Text 10000', { exact: true }).waitFor({ timeout: 60000 });
  check(await bubbles('Eva').count() <= 150, 'all messages are drawn');
  await page.getByRole('button', { name: /Show earlier/ }).click();
  await page.getByRole('button', { name: 'Show newest' }).click();
  await write('Eva', 'After all of them');
  await has('Eva', 'After all of them');
  await page.reload();
  await has('Eva', 'After all of them');
});

await step('is usable in a narrow window with the keyboard', async () => {
  await page.setViewportSize({ width: 390, height: 780 });
  const box = page.getByRole('textbox', { name: 'Message' });
  await box.focus();
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Tab');
  check(await page.evaluate(() => document.activeElement.getAttribute('aria-label')) === 'Send', 'the button does not follow');
  await page.keyboard.press('Enter');
  await has('Eva', 'By keyboard');
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page is wider than the window');
});

await step('shows that the emulator has ended', async () => {
  say('want end');
  await page.getByRole('alert').filter({ hasText: 'The emulator does not answer' }).waitFor();
  check(await page.getByRole('textbox', { name: 'Message' }).isDisabled(), 'one can still write');
});

await browser.close();
say('end');
process.exit(failed ? 1 : 0);
