/**
 * Lint of the whole repository, with types: a promise nobody waits for is a lost commit here.
 *
 * `typescript` (6) serves this file alone; `typescript7` compiles. Formatting is prettier's.
 */
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Mistakes that neither the compiler nor the typed rules find. */
const CORE_RULES = [
  'no-async-promise-executor',
  'no-case-declarations',
  'no-cond-assign',
  'no-constant-condition',
  'no-control-regex',
  'no-debugger',
  'no-duplicate-case',
  'no-empty',
  'no-empty-character-class',
  'no-empty-pattern',
  'no-ex-assign',
  'no-fallthrough',
  'no-irregular-whitespace',
  'no-loss-of-precision',
  'no-misleading-character-class',
  'no-prototype-builtins',
  'no-regex-spaces',
  'no-self-assign',
  'no-self-compare',
  'no-sparse-arrays',
  'no-unsafe-finally',
  'no-unsafe-optional-chaining',
  'no-useless-backreference',
  'no-useless-catch',
  'no-useless-escape',
  'require-yield',
  'use-isnan',
  'valid-typeof',
  'object-shorthand',
]

export default defineConfig(
  { ignores: ['build/', 'build-*/', '.tap/', 'data/', 'log/codec/generated/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true } },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          checkThenables: true,
          // tap waits for the subtests of a test by itself.
          allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }],
        },
      ],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      // `== null` is the one short way to say null or undefined.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      ...Object.fromEntries(CORE_RULES.map((rule) => [rule, 'error'])),

      // An async function without await keeps the signature of an interface and turns throws into rejections.
      '@typescript-eslint/require-await': 'off',
      // `array[index]!` after a bounds check says what noUncheckedIndexedAccess cannot see.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // What comes from outside is checked at run time although its type promises it already.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // A type parameter used once still names what the caller gets.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // [...text] is how code points are counted.
      '@typescript-eslint/no-misused-spread': 'off',
      // There are no enums here; the rule would still look at every assignment.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      // What was caught is handed on as it was caught.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // process.env['NAME'] and process.env.NAME are the same to us.
      '@typescript-eslint/dot-notation': 'off',
    },
  },
  {
    // Scripts are JavaScript with the types of JSDoc, and parse what they read with JSON.parse.
    files: ['**/*.js', '**/*.mjs'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
)
