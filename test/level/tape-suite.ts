/**
 * Runs the test suite that the package abstract-level has for its implementations, which is written for tape, and reports
 * every test of it to tap as one assertion.
 *
 * What it uses of tape, and what tape makes of it: `is` and `isNot` compare by ===, `same` deeply and strictly; a test
 * ends when its promise is settled and as many assertions were made as it planned, or with `end()`.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import type { Test } from 'tap'
import type { AbstractLevel } from 'abstract-level'

/** Not AbstractLevel itself, whose types hold for one class each. */
type Level = Pick<AbstractLevel<Buffer>, 'open' | 'close' | 'supports'>
type Body = (t: TapeTest) => unknown

interface Registered {
  readonly name: string
  readonly body: Body
}

export interface SuiteOptions {
  /** A new empty database, which nobody has opened. */
  readonly factory: (options?: object) => Level
  /** Which of its tests to run, by name; all of them when left out. */
  readonly only?: (name: string) => boolean
}

const suite = createRequire(import.meta.url)('abstract-level/test') as (options: {
  readonly test: (name: string, body: Body) => void
  readonly factory: (options?: object) => Level
}) => void

export interface Outcome {
  readonly name: string
  /** What is wrong; empty when it passed. */
  readonly flaws: readonly string[]
}

/** Runs it, a test after the other. */
export async function runSuite({ factory, only = () => true }: SuiteOptions): Promise<Outcome[]> {
  const registered: Registered[] = []
  suite({
    factory,
    test: (name, body) => {
      registered.push({ name, body })
    },
  })
  const outcomes: Outcome[] = []
  // The suite itself relies on the order: its first tests find out what the database supports.
  for (const { name, body } of registered) {
    if (only(name)) outcomes.push({ name, flaws: await run(body) })
  }
  return outcomes
}

/** Each test of the suite as an assertion. */
export function report(t: Test, outcomes: readonly Outcome[]): void {
  for (const { name, flaws } of outcomes) {
    if (flaws.length === 0) t.pass(name)
    else t.fail(name, { flaws })
  }
}

async function run(body: Body): Promise<string[]> {
  const test = new TapeTest()
  try {
    await body(test)
  } catch (error) {
    return [...test.flaws, `it threw ${describe(error)}`]
  }
  // What it planned and did not wait for may still come; tests that neither plan nor are asynchronous end by `end`.
  await test.planned()
  return test.flaws
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** What a test of the suite is given. */
class TapeTest {
  readonly flaws: string[] = []
  #made = 0
  #plan: number | undefined
  #reached: () => void = () => undefined

  plan(count: number): void {
    this.#plan = count
  }

  /** Resolves when all planned assertions were made. One that never is makes the test never end, as in tape. */
  async planned(): Promise<void> {
    const plan = this.#plan
    if (plan === undefined) return
    if (this.#made < plan) await new Promise<void>((resolve) => (this.#reached = resolve))
    if (this.#made !== plan) this.flaws.push(`it planned ${plan} assertions and made ${this.#made}`)
  }

  end(): void {
    if (this.#plan !== undefined && this.#made < this.#plan) this.flaws.push('it ended before its plan')
  }

  ok(value: unknown, message = 'ok'): void {
    this.#assert(message, () => {
      assert.ok(value)
    })
  }

  is(actual: unknown, expected: unknown, message = 'is'): void {
    this.#assert(message, () => {
      assert.strictEqual(actual, expected)
    })
  }

  isNot(actual: unknown, expected: unknown, message = 'is not'): void {
    this.#assert(message, () => {
      assert.notStrictEqual(actual, expected)
    })
  }

  same(actual: unknown, expected: unknown, message = 'same'): void {
    this.#assert(message, () => {
      assert.deepStrictEqual(actual, expected)
    })
  }

  throws(work: () => unknown, expected?: RegExp, message = 'throws'): void {
    this.#assert(message, () => {
      if (expected === undefined) assert.throws(work)
      else assert.throws(work, expected)
    })
  }

  doesNotThrow(work: () => unknown, message = 'does not throw'): void {
    this.#assert(message, () => {
      assert.doesNotThrow(work)
    })
  }

  pass(message = 'pass'): void {
    this.#assert(message, () => undefined)
  }

  fail(message: unknown = 'fail'): void {
    this.#assert(describe(message), () => {
      assert.fail()
    })
  }

  #assert(message: string, check: () => void): void {
    this.#made++
    try {
      check()
    } catch (error) {
      this.flaws.push(`${message}: ${describe(error)}`)
    }
    if (this.#made === this.#plan) this.#reached()
  }
}
