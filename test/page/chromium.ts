/** A headless Chromium that a test opens the status page in, and the pages' complaints, which must be none. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, type Page, chromium } from 'playwright-core'
import type { Test } from 'tap'
import { requireTool } from '../house/tools.js'

/** For whatever the browser is asked to do: it starts slowly on a machine that does other things, too. */
const STEP_MS_MAX = 80_000

const ARGUMENTS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Undefined where no Chromium is installed; the test is skipped then. Ends with the test. */
export async function openChromium(t: Test): Promise<BrowserContext | undefined> {
  const executablePath = requireTool(t, 'chromium')
  if (executablePath === undefined) return undefined
  const profile = await mkdtemp(join(tmpdir(), 'replog-chromium-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    chromiumSandbox: false,
    args: ARGUMENTS,
    viewport: { width: 1440, height: 1000 },
    timeout: STEP_MS_MAX,
  })
  context.setDefaultTimeout(STEP_MS_MAX)
  t.teardown(async () => {
    await context.close()
    await rm(profile, { recursive: true, force: true })
  })
  return context
}

export interface Visit {
  readonly page: Page
  /** Errors of the console, uncaught exceptions and violations of the content security policy, as text. */
  readonly complaints: string[]
}

export async function visit(context: BrowserContext, url: string): Promise<Visit> {
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => {
    complaints.push(String(error))
  })
  await page.goto(url)
  return { page, complaints }
}
