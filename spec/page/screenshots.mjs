// Makes the pictures of docs/guides/trying-your-bot.md, with the bot of the guide:
//
//   waba emulator --ui --seed 1 -- lua5.4 bot.lua
//   node spec/page/screenshots.mjs build/browser CHROMIUM ADDRESS docs/images
//   pngquant --force --ext .png 64 docs/images/page-*.png

import { createRequire } from 'module';

const [modules, executablePath, address, folder] = process.argv.slice(2);
const { chromium } = createRequire(`${process.cwd()}/${modules}/`)('playwright-core');

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: 1180, height: 720 }, colorScheme: 'light' });
await page.goto(address);
const phone = (name) => page.getByRole('region', { name: 'Phone of ' + name });
const write = (name, text) => phone(name).getByRole('textbox', { name: 'Message' }).fill(text)
  .then(() => phone(name).getByRole('button', { name: 'Send' }).click());
const shows = (name, text) => phone(name).getByText(text).last().waitFor();
const read = (name) => phone(name).getByRole('article').last().getByLabel('read', { exact: true }).waitFor();
const move = () => page.mouse.move(0, 0);

await write('Eva', 'Hello 👋');
await shows('Eva', 'You wrote');
await phone('Eva').getByRole('button', { name: 'My order' }).click();
await shows('Eva', 'your order 118');
await read('Eva');
await page.getByRole('button', { name: 'New customer' }).click();
await write('Ben', 'Good evening');
await shows('Ben', 'You wrote');
await phone('Ben').getByRole('button', { name: 'The menu' }).click();
await shows('Ben', 'What would you like?');
await phone('Ben').getByRole('button', { name: 'Open the menu' }).click();
await page.getByRole('dialog').getByRole('button', { name: 'Coffee' }).click();
await shows('Ben', 'is on its way');
await read('Ben');
await phone('Ben').getByText('is on its way').click();
await page.getByText('Response 201').waitFor();
await move();
await page.screenshot({ path: `${folder}/page-light.png` });

await page.getByRole('button', { name: 'Simulate failures' }).click();
await page.getByLabel('Error').selectOption('1015');
await page.getByRole('button', { name: 'Fail next' }).click();
await write('Eva', 'One more question');
await shows('Eva', 'Refused');
await page.getByRole('button', { name: 'Traffic' }).click();
await phone('Eva').getByText('The customer does not see this').first().click();
await page.emulateMedia({ colorScheme: 'dark' });
await page.getByText('Response 429').waitFor();
await move();
await page.screenshot({ path: `${folder}/page-dark.png` });
await browser.close();
