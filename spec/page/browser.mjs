// Uses the emulator's page as a developer does, in Chromium. The spec beside it starts it:
//
//   node browser.mjs FOLDER-OF-NODE-MODULES CHROMIUM ADDRESS FOLDER
//
// FOLDER has large.pdf of 100 MB and larger.pdf of 101 MB.//
// It prints a line for each step: "ok <step>" or "not ok <step>: <error>", and "want <action>" to request an action of the spec.

import { createRequire } from 'module';

const [modules, executablePath, address, files] = process.argv.slice(2);
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

const traffic = page.getByRole('region', { name: 'Traffic' });
const show = async (panel) => {
  const button = page.getByRole('button', { name: panel, exact: true });
  if (await button.getAttribute('aria-pressed') !== 'true') await button.click();
};

// Changes a checkbox, which shows the emulator's state.
const tick = async (name, checked) => {
  await page.getByLabel(name).click();
  await page.getByRole('checkbox', { name, checked }).waitFor();
};

await step('shows that the token is wrong', async () => {
  await page.goto(address.replace(/token=.*/, 'token=wrong'));
  await page.getByRole('heading', { name: 'The token is wrong or missing' }).waitFor();
});

await page.goto(address);

await step('tells whose phone it is', async () => {
  await phone('Eva').getByText('You are Eva, a customer of the business.').waitFor();
});

await step('is of no use to pages of other origins', async () => {
  const other = await context.newPage();
  await other.route('http://other.example/', (route) => route.fulfill({ contentType: 'text/html', body: 'Another page' }));
  await other.goto('http://other.example/');
  // Refused also with the token.
  check(await other.evaluate(([url, token]) => fetch(url, { method: 'POST', body: '{}', headers: { 'X-Waba-Emulator': token } })
    .then((response) => response.status, () => 'refused'), [new URL('/on_premise/call/counts', address).href,
    address.match(/token=(.*)/)[1]]) === 'refused', 'another page can make calls');
  check(await other.evaluate((url) => new Promise((resolve) => {
    const source = new EventSource(url);
    source.onopen = () => resolve('open');
    source.onerror = () => resolve('refused');
  }), address.replace('/?', '/events?')) === 'refused', 'another page gets the events');
  await other.setContent(`<iframe src="${address}"></iframe>`);
  await other.waitForFunction(() => frames.length === 1);
  check(await other.frames()[1].evaluate(() => !document.getElementById('page')), 'another page can show it in a frame');
  await other.close();
});

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
  await page.getByRole('button', { name: 'Open the menu' }).press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Coffee' }).press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  check(await page.evaluate(() => document.activeElement.tagName) === 'BUTTON', 'the keyboard has lost its place');
  await has('Eva', 'Coffee is on its way');
});

await step('shows a template with its buttons', async () => {
  await page.getByRole('button', { name: 'My order' }).last().click();
  await has('Eva', 'Hello Eva, your order 118 is ready.');
  check(await page.getByRole('link', { name: 'See the order' }).getAttribute('href') === 'https://shop.example/orders/118', 'the link');
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

await step('hides a phone, and shows it again', async () => {
  const chip = (name) => page.getByRole('navigation', { name: 'Customers' }).getByRole('button', { name });
  await phone('Eva').getByRole('textbox', { name: 'Message' }).focus();
  await page.locator('[aria-current=true]').filter({ hasText: 'Eva' }).waitFor();
  await page.getByRole('button', { name: 'Hide the phone of Ben' }).click();
  await phone('Ben').waitFor({ state: 'detached' });
  await chip('Ben').click();
  await has('Ben', 'You wrote');
  await page.locator('[aria-current=true]').filter({ hasText: 'Ben' }).waitFor();
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

await step('sends texts in the order in which they were written', async () => {
  for (let i = 1; i <= 20; i++) await write('Ben', `Number ${i}.`);
  await has('Ben', 'Number 20.');
  const texts = await phone('Ben').getByRole('article', { name: 'Ben wrote' }).filter({ hasText: 'Number' }).allTextContents();
  check(texts.every((text, i) => text.startsWith(`Number ${i + 1}.`)), texts.join());
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
  await attach('Document', files + '/large.pdf');
  await has('Ben', 'large.pdf');
  await attach('Document', files + '/larger.pdf');
  await page.getByRole('alert').filter({ hasText: 'larger.pdf has 101 MB: WhatsApp takes at most 100 MB' }).waitFor();
  await attach('Picture', { name: 'large.png', mimeType: 'image/png', buffer: Buffer.alloc(6 * 1048576) });
  await page.getByRole('alert').filter({ hasText: 'large.png has 6.0 MB: WhatsApp takes at most 5.0 MB' }).waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
});

await step('records a voice note', async () => {
  const recording = phone('Ben').getByRole('group', { name: 'Recording' });
  await phone('Ben').getByRole('button', { name: 'Record a voice note' }).click();
  await recording.getByText('Recording 0:0').waitFor();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement.tagName === 'TEXTAREA');
  await phone('Ben').getByRole('button', { name: 'Record a voice note' }).click();
  await recording.getByText(/Recording 0:(0[1-9]|[1-5])/).waitFor();
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
  await has('Eva', 'The customer does not see this.');
  const refused = bubbles('Eva').filter({ hasText: 'Refused' });
  await refused.getByText(/^Refused: \d+ /).waitFor();
  await refused.getByLabel('failed', { exact: true }).waitFor();
  await refused.click();
  await traffic.getByText('text.body').first().waitFor();
  check(/"body": ""/.test(await traffic.locator('mark').textContent()), 'the field is not marked');
});

await step('copies a message as Lua, as curl and as a spec', async () => {
  const copies = async (name, expected) => {
    await page.getByRole('button', { name }).click();
    await page.waitForFunction((wanted) => navigator.clipboard.readText().then((text) => text.includes(wanted)), expected);
  };
  await bubbles('Eva').filter({ hasText: 'See you soon!' }).first().click({ position: { x: 12, y: 12 } });
  await copies('Copy as Lua', 'client:send("4915112345601", waba.text "See you soon!")');
  await copies('Copy as curl', '-H "D360-API-KEY: $D360_API_KEY"');
  await copies('Copy as spec', 'assert.same({ body = "See you soon!" }, sent.content)');
});

await step('has small text with contrast in light and dark', async () => {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    const faint = await page.evaluate(() => {
      const parts = (color) => color.match(/[\d.]+/g).map(Number);
      const over = ([r, g, b, alpha = 1], below) => [r, g, b].map((one, i) => one * alpha + below[i] * (1 - alpha));
      const back = (element) => (element ? over(parts(getComputedStyle(element).backgroundColor), back(element.parentElement)) : [255, 255, 255]);
      // Relative luminance and contrast as WCAG 2.2 defines them.
      const luminance = (color) => color.map((one) => (one <= 10 ? one / 3294 : ((one / 255 + 0.055) / 1.055) ** 2.4))
        .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
      const contrast = (element, pseudo) => {
        const behind = back(element);
        const [dark, light] = [behind, over(parts(getComputedStyle(element, pseudo).color), behind)].map(luminance).sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
      };
      const all = [...document.querySelectorAll('.meta, .foot, .kind, .note, .quoted, .day, .hint, .owner span, .customers button')]
        .map((element) => [element.className || element.tagName, contrast(element)]);
      all.push(['placeholder', contrast(document.querySelector('textarea'), '::placeholder')]);
      return all.filter(([, value]) => value < 4.5).map(([name, value]) => `${name} ${value.toFixed(2)}`);
    });
    check(!faint.length, `${colorScheme}: ${[...new Set(faint)].join(', ')}`);
  }
});

await step('lets the next request fail, and a later status', async () => {
  await show('Simulate failures');
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
});

await step('delivers webhooks twice and out of order, and no status after the last one', async () => {
  await show('Simulate failures');
  await tick('Deliver each one twice', true);
  await tick('Deliver out of order', true);
  await page.getByLabel('Last status').selectOption('sent');
  await write('Eva', 'Twice');
  await has('Eva', 'You wrote: Twice');
  await last('Eva').getByLabel('sent', { exact: true }).waitFor();
  await tick('Deliver each one twice', false);
  await tick('Deliver out of order', false);
  await page.getByLabel('Last status').selectOption('read');
  await show('Traffic');
  await phone('Eva').getByRole('article', { name: 'Eva wrote' }).filter({ hasText: 'Twice' }).click();
  await traffic.getByText('text of the customer').nth(1).waitFor();
  await page.getByRole('button', { name: 'Show all traffic' }).click();
});

await step('cuts the connection, delays responses, and ends all failures', async () => {
  await show('Simulate failures');
  await page.getByRole('button', { name: 'Cut connection before it is accepted' }).click();
  await page.getByText('Connection cut before it takes effect: the next request').waitFor();
  await write('Eva', 'Cut');
  await show('Traffic');
  await traffic.getByText('cut', { exact: true }).waitFor();
  await show('Simulate failures');
  await page.getByLabel('Seconds of delay').fill('0.5');
  await page.getByRole('button', { name: 'Delay each response' }).click();
  await page.getByText('0.5 s late: each request').waitFor();
  await page.getByRole('button', { name: 'End all failures' }).click();
  await page.getByText('0.5 s late: each request').waitFor({ state: 'hidden' });
});

await step('closes the window', async () => {
  await page.getByRole('button', { name: 'Close all windows now' }).click();
  await phone('Eva').getByText('older than 24 hours').waitFor();
  say('want late');
  await bubbles('Eva').filter({ hasText: 'Too late' }).filter({ hasText: '470' }).waitFor();
  await tick('Enforce the 24-hour window', false);
  await phone('Eva').getByText('older than 24 hours').waitFor({ state: 'hidden' });
});

await step('blocks the business', async () => {
  const block = async (isBlocked) => {
    await page.getByRole('button', { name: 'Settings of Eva' }).click();
    await tick('Block the business', isBlocked);
    await page.keyboard.press('Escape');
    await phone('Eva').getByText('blocks the bot').waitFor({ state: isBlocked ? 'visible' : 'hidden' });
  };
  await block(true);
  say('want blocked');
  await bubbles('Eva').filter({ hasText: 'Do you read this?' }).filter({ hasText: 'Not delivered: 1013' }).waitFor();
  await block(false);
});

await step('adds a number', async () => {
  await show('Simulate failures');
  await page.getByLabel('Further number of the business').fill('+49 30 5550333');
  await page.getByRole('button', { name: 'Add number' }).click();
  const number = page.getByLabel('Number of the bot');
  await number.selectOption({ label: '+49 305 550333 (On-Premise)' });
  await phone('Eva').getByText('+49 305 550333').waitFor();
  await page.getByText('No bot listens at this number yet').waitFor();
  await show('Traffic');
});

await step('shows the typing indicator and a hidden number on Cloud hosting', async () => {
  await page.getByLabel('Number of the bot').selectOption({ label: '+49 305 550277 (Cloud)' });
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

await step('answers each kind of question', async () => {
  say('want questions');
  const dialog = page.getByRole('dialog');
  await phone('Eva').getByRole('button', { name: 'Share location' }).click();
  await dialog.getByRole('button', { name: 'Share' }).click();
  await phone('Eva').getByRole('button', { name: 'Share contact' }).click();
  await dialog.getByRole('button', { name: 'Share' }).click();
  await phone('Eva').getByRole('button', { name: 'Book a seat' }).click();
  await dialog.getByLabel('Submitted values, as JSON').fill('{');
  await dialog.getByRole('button', { name: 'Submit' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'The values are not JSON' }).waitFor();
  await dialog.getByLabel('Submitted values, as JSON').fill('{"seat":"4A"}');
  await dialog.getByRole('button', { name: 'Submit' }).click();
  await phone('Eva').getByRole('button', { name: 'Allow calls', exact: true }).click();
  await phone('Eva').getByRole('button', { name: 'Order' }).first().click();
  await phone('Eva').getByRole('group', { name: 'Cards' }).getByRole('button', { name: 'The second' }).click();
  check(await phone('Eva').getByRole('link', { name: 'Open the shop' }).getAttribute('href') === 'https://shop.example/', 'the link');
  await phone('Eva').getByLabel('Reaction 🎉').waitFor();
  say('want answers');
});

await step('has quality and limits on Cloud', async () => {
  await show('Simulate failures');
  await page.getByLabel('Quality').selectOption('RED');
  await Promise.all([page.waitForResponse((response) => response.url().endsWith('/call/change')),
    page.getByLabel('Messaging limit').selectOption('TIER_250')]);
  await page.reload();
  await show('Simulate failures');
  await page.waitForFunction(() => ['RED', 'TIER_250'].every((value) => [...document.querySelectorAll('select')]
    .some((select) => select.value === value)));
  await show('Traffic');
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
  await phone('Eva').getByRole('button', { name: 'Write as Eva' }).focus();
  await page.keyboard.press('Enter');
  check(await page.evaluate(() => document.activeElement.tagName) === 'TEXTAREA', 'the way to the text is long');
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Tab');
  check(await page.evaluate(() => document.activeElement.getAttribute('aria-label')) === 'Send', 'the button does not follow');
  await page.keyboard.press('Enter');
  await has('Eva', 'By keyboard');
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page is wider than the window');
  await show('Simulate failures');
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the panel is wider than the window');
  await page.getByRole('button', { name: 'Back to the phone' }).click();
  await box.waitFor();
});

await step('shows that the emulator has ended', async () => {
  say('want end');
  await page.getByRole('alert').filter({ hasText: 'The emulator does not respond' }).waitFor();
  check(await page.getByRole('textbox', { name: 'Message' }).isDisabled(), 'one can still write');
});

await step('shows that the emulator was started again', async () => {
  say('want restart');
  await page.getByRole('alert').filter({ hasText: 'The token in this URL is wrong' }).waitFor();
});

await browser.close();
say('end');
process.exit(failed ? 1 : 0);
