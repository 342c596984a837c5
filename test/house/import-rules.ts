/**
 * The rules of who imports whom, as data, and the check of a source tree against them. Pure: files go in as text and
 * violations come out as sentences, so that the rules themselves can be tested on trees that break them.
 */
import { posix } from 'node:path'
import ts from 'typescript'

/** Every layer and the layers it may import besides itself. */
const MAY_IMPORT = {
  core: [],
  store: ['core'],
  'log/codec': ['core'],
  ddl: ['core', 'store', 'log/codec'],
  log: ['core', 'store', 'log/codec', 'ddl'],
  primary: ['core', 'store', 'log/codec', 'ddl', 'log'],
  replica: ['core', 'store', 'log/codec', 'ddl', 'log'],
  tools: ['core', 'store', 'log/codec', 'ddl', 'log', 'primary', 'replica'],
  index: ['core', 'log/codec', 'ddl', 'log', 'primary', 'replica', 'tools'],
  test: ['core', 'store', 'log/codec', 'ddl', 'log', 'primary', 'replica', 'tools', 'index'],
} as const satisfies Record<string, readonly string[]>

type Layer = keyof typeof MAY_IMPORT

interface PackageRule {
  /** Where it may be imported: folders end in "/". Tests may import every package. */
  readonly places: readonly string[]
  /** Where its types, and only they, may be imported. */
  readonly typePlaces?: readonly string[]
  /** At most this many files import it. */
  readonly filesMax?: number
  /** Loaded only when it is used, and installed for development alone: who does without it is told what to install. */
  readonly development?: true
}

/** Where each package lives, so that replacing it is one change. A package that is not listed may not be imported. */
const PACKAGES: Readonly<Record<string, PackageRule>> = {
  level: { places: ['store/'] },
  'classic-level': { places: ['store/'] },
  'abstract-level': { places: ['tools/level/'] },
  protobufjs: { places: ['log/codec/'] },
  fastify: { places: ['log/http/', 'tools/bench/http/'], typePlaces: ['primary/', 'replica/'] },
  '@fastify/swagger': { places: ['log/http/'] },
  ws: { places: ['log/socket/', 'replica/', 'tools/client/'] },
  nats: { places: ['log/nats/'] },
  'prom-client': { places: ['core/', 'log/', 'primary/', 'replica/', 'tools/'], filesMax: 1 },
  commander: { places: ['tools/'] },
  'vega-datasets': { places: ['tools/'] },
  'd3-scale': { places: ['tools/bench/plot.ts'] },
  'd3-shape': { places: ['tools/bench/plot.ts'] },
  pg: { places: ['tools/bench/peers/postgres-client.ts'], development: true },
  mariadb: { places: ['tools/bench/peers/mariadb-client.ts'], development: true },
}

interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
}

interface ParsedFile {
  readonly imports: readonly Import[]
  /** True when the file passes on everything of another one, or does nothing but pass on. */
  readonly isBarrel: boolean
}

function isTypeOnlyImport(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause
  if (clause === undefined) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const bindings = clause.namedBindings
  if (clause.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings)) return false
  return bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly)
}

function parse(path: string, text: string): ParsedFile {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const imports: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier))
      imports.push({ specifier: specifier.text, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnlyImport(node))
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isExternalModuleReference(node)) add(node.expression, false)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node)) {
      const callee = node.expression
      const loads =
        callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
      if (loads) add(node.arguments[0], false)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  const passingOn = source.statements.filter(
    (statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined,
  )
  const passesAllOn = passingOn.some((statement) => ts.isExportDeclaration(statement) && !statement.exportClause)
  const onlyPassesOn = passingOn.length > 0 && passingOn.length === source.statements.length
  return { imports, isBarrel: passesAllOn || onlyPassesOn }
}

function layerOf(path: string): Layer | undefined {
  if (path === 'index.ts') return 'index'
  if (path.startsWith('log/codec/')) return 'log/codec'
  const folder = path.split('/')[0]!
  return path.includes('/') && folder in MAY_IMPORT ? (folder as Layer) : undefined
}

/** "@scope/name/file.js" → "@scope/name". */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Path of the source that a relative import means. */
function resolveImport(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
}

function layerViolation(from: string, to: string): string | undefined {
  const [layer, target] = [layerOf(from), layerOf(to)]
  if (layer === undefined) return undefined
  if (target === undefined) return `${from} imports ${to}, which is in no layer`
  const allowed: readonly string[] = MAY_IMPORT[layer]
  return target === layer || allowed.includes(target)
    ? undefined
    : `${from} imports ${to}: ${layer} may not import ${target}`
}

function packageViolation(from: string, { specifier, typeOnly }: Import): string | undefined {
  if (specifier.startsWith('node:') || from.startsWith('test/')) return undefined
  const name = packageOf(specifier)
  const rule = PACKAGES[name]
  if (rule === undefined) return `${from} imports ${name}, which has no place in the table of packages`
  const places = typeOnly ? [...rule.places, ...(rule.typePlaces ?? [])] : rule.places
  if (places.some((place) => from.startsWith(place))) return undefined
  return `${from} imports ${name}${typeOnly ? ' (types)' : ''}, which belongs in ${places.join(', ')}`
}

/** Every circle of imports once, as "a → b → a". */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    const start = path.indexOf(file)
    if (start >= 0) found.push(`circular imports: ${[...path.slice(start), file].join(' → ')}`)
    if (start >= 0 || done.has(file)) return
    path.push(file)
    for (const next of edges.get(file) ?? []) visit(next)
    path.pop()
    done.add(file)
  }
  for (const file of edges.keys()) visit(file)
  return found
}

/**
 * What in a tree of TypeScript files (path relative to the repository → text) breaks the rules; empty when all is well.
 */
export function importViolations(files: ReadonlyMap<string, string>): string[] {
  const violations: (string | undefined)[] = []
  const edges = new Map<string, string[]>()
  const importers = new Map<string, Set<string>>()
  for (const [path, text] of files) {
    const { imports, isBarrel } = parse(path, text)
    const targets: string[] = []
    if (layerOf(path) === undefined) violations.push(`${path} is in no layer`)
    if (path !== 'index.ts' && (isBarrel || path.endsWith('/index.ts'))) violations.push(`${path} is a barrel`)
    for (const item of imports) {
      if (item.specifier.startsWith('.')) {
        const target = resolveImport(path, item.specifier)
        violations.push(layerViolation(path, target))
        if (files.has(target)) targets.push(target)
      } else {
        violations.push(packageViolation(path, item))
        const name = packageOf(item.specifier)
        if (!path.startsWith('test/')) importers.set(name, (importers.get(name) ?? new Set()).add(path))
      }
    }
    edges.set(path, targets)
  }
  for (const [name, paths] of importers) {
    const filesMax = PACKAGES[name]?.filesMax ?? Infinity
    if (paths.size > filesMax)
      violations.push(`${name} is imported by ${[...paths].join(' and ')}; one file should hold it`)
  }
  return [...violations.filter((violation) => violation !== undefined), ...circles(edges)]
}

/** Packages that are no dependency of those who install replog. */
export const DEVELOPMENT_PACKAGES: ReadonlySet<string> = new Set(
  Object.entries(PACKAGES).flatMap(([name, { development }]) => (development === true ? [name] : [])),
)

/** Packages that the product imports, for the check against package.json. */
export function packagesImported(files: ReadonlyMap<string, string>): Set<string> {
  const product = [...files].filter(([path]) => !path.startsWith('test/'))
  const specifiers = product.flatMap(([path, text]) => parse(path, text).imports.map(({ specifier }) => specifier))
  return new Set(specifiers.filter((name) => !name.startsWith('.') && !name.startsWith('node:')).map(packageOf))
}
