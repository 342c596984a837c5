/**
 * The public symbols of an entry point and whether they have a docstring, from the text of the sources alone: fast, since
 * nothing is type-checked.
 *
 * A symbol is what the entry point exports, followed through re-exports to its declaration, and the public methods and
 * accessors of exported classes, those of the classes that they extend included. Of overloads one docstring is enough.
 */
import { posix } from 'node:path'
import ts from 'typescript'

export interface PublicSymbol {
  /** "Transaction.insert (primary/transaction.ts)" */
  readonly name: string
  readonly hasDocstring: boolean
}

type ReadText = (path: string) => string

class Sources {
  readonly #parsed = new Map<string, ts.SourceFile>()
  readonly #read: ReadText

  constructor(read: ReadText) {
    this.#read = read
  }

  file(path: string): ts.SourceFile {
    let file = this.#parsed.get(path)
    if (file === undefined) {
      file = ts.createSourceFile(path, this.#read(path), ts.ScriptTarget.Latest, true)
      this.#parsed.set(path, file)
    }
    return file
  }
}

/** @param read gives the text of a source by its path, such as "primary/primary.ts" */
export function publicSymbols(entry: string, read: ReadText): PublicSymbol[] {
  const sources = new Sources(read)
  const names = sources.file(entry).statements.flatMap(exportedNames)
  const found = new Map<string, PublicSymbol>()
  for (const name of names) {
    for (const symbol of symbolsOf(sources, entry, name)) {
      const earlier = found.get(symbol.name)
      if (earlier?.hasDocstring !== true) found.set(symbol.name, symbol)
    }
  }
  return [...found.values()]
}

function symbolsOf(sources: Sources, path: string, name: string): PublicSymbol[] {
  const declared = declarations(sources, path, name)
  if (declared.length === 0) throw new Error(`${path} exports ${name}, whose declaration is not found`)
  const [{ file }] = declared as [Declared]
  const own = { name: `${name} (${file})`, hasDocstring: declared.some(({ node }) => hasDocstring(node)) }
  return [
    own,
    ...declared.flatMap(({ node }) => (ts.isClassDeclaration(node) ? members(sources, file, name, node) : [])),
  ]
}

interface Declared {
  readonly file: string
  readonly node: ts.Node
}

/** Where a name that a file has in scope is declared: there, or in the file that it comes from. */
function declarations(sources: Sources, path: string, name: string): Declared[] {
  const found: Declared[] = []
  for (const statement of sources.file(path).statements) {
    if (declaredNames(statement).includes(name)) found.push({ file: path, node: statement })
    const from = sourceOf(statement, name)
    if (from === undefined) continue
    // What a package declares, that package documents.
    return from.specifier.startsWith('.') ? declarations(sources, resolved(path, from.specifier), from.name) : []
  }
  return found
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => (ts.isIdentifier(name) ? name.text : ''))
  }
  const isNamed =
    ts.isClassDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  return isNamed && statement.name !== undefined ? [statement.name.text] : []
}

function exportedNames(statement: ts.Statement): string[] {
  if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)) {
    return statement.exportClause.elements.map(({ name }) => name.text)
  }
  const isExported =
    ts.canHaveModifiers(statement) &&
    ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
  return isExported ? declaredNames(statement) : []
}

/** The file that an import or a re-export takes a name from, and what it is called there. */
function sourceOf(statement: ts.Statement, name: string): { specifier: string; name: string } | undefined {
  const clause = ts.isExportDeclaration(statement)
    ? statement.exportClause
    : ts.isImportDeclaration(statement)
      ? statement.importClause?.namedBindings
      : undefined
  if (clause === undefined || !(ts.isNamedExports(clause) || ts.isNamedImports(clause))) return undefined
  const { moduleSpecifier } = statement as ts.ExportDeclaration | ts.ImportDeclaration
  const element = [...clause.elements].find((one) => one.name.text === name)
  if (element === undefined || moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) return undefined
  return { specifier: moduleSpecifier.text, name: (element.propertyName ?? element.name).text }
}

function resolved(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
}

function members(sources: Sources, path: string, owner: string, node: ts.ClassDeclaration): PublicSymbol[] {
  const own = node.members.filter(isPublicMember).map((member) => ({
    name: `${owner}.${(member.name as ts.Identifier).text} (${path})`,
    hasDocstring: hasDocstring(member),
  }))
  const base = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0]?.expression
  if (base === undefined || !ts.isIdentifier(base)) return own
  const inherited = declarations(sources, path, base.text).flatMap((one) =>
    ts.isClassDeclaration(one.node) ? members(sources, one.file, base.text, one.node) : [],
  )
  return [...own, ...inherited]
}

function isPublicMember(member: ts.ClassElement): boolean {
  const isCallable =
    ts.isMethodDeclaration(member) || ts.isGetAccessorDeclaration(member) || ts.isSetAccessorDeclaration(member)
  if (!isCallable || !ts.isIdentifier(member.name)) return false
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
  return (ts.getCombinedModifierFlags(member) & hidden) === 0
}

function hasDocstring(node: ts.Node): boolean {
  const { text } = node.getSourceFile()
  const comments = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []
  const last = comments.at(-1)
  return last !== undefined && text.startsWith('/**', last.pos) && isNext(text, last.end, node.getStart())
}

/** Whether a comment belongs to what follows it, and not to the file as its head. */
function isNext(text: string, from: number, to: number): boolean {
  return !/\n\s*\n/.test(text.slice(from, to))
}
