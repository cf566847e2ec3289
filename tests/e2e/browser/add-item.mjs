// Adds an item as a person would, reloads, and keeps a picture of what is seen.
// node add-item.mjs URL TITLE SCREENSHOT [PORT]
// PORT is where all names lead, on 127.0.0.1.
import { chromium } from 'playwright-core'

const [url, title, screenshot, port] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', ...(port ? [`--host-resolver-rules=MAP * 127.0.0.1:${port}`] : [])],
})
try {
  const page = await browser.newPage({ viewport: { width: 900, height: 700 } })
  const problems = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()) })
  await page.goto(url)
  await page.getByRole('textbox').fill(title)
  await page.getByRole('button', { name: /add/i }).click()
  await page.getByText(title).waitFor({ timeout: 10_000 })
  await page.reload()
  await page.getByText(title).waitFor({ timeout: 10_000 })
  await page.screenshot({ path: screenshot })
  if (problems.length > 0) throw new Error(`the page complained: ${problems.join('; ')}`)
} finally {
  await browser.close()
}
